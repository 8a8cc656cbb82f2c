//! A phone company that loses what it says, and a call that has to find out: for hours of calls, in which
//! only their beginnings and ends matter, and of whose sound only whether any comes.
//!
//! It does with [`Liveness`] and [`Release`] what the gateway does, on a clock that jumps.

use std::time::{Duration, Instant};

use call::event::{End, Event, Party, Why};
use call::input::{Carrier, Command, Input, Media};
use call::{Finding, Hold, Liveness, Output, Plan, Release, Signs, Word, output};

use crate::Watched;

/// What really becomes of a call. All times count from its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// When there is sound; `None`: never.
    pub connected: Option<Duration>,
    /// When the far end is gone; `None`: it stays for as long as it may.
    pub over: Option<Duration>,
    /// Whether the carrier says so, by its webhook and on its socket.
    pub told: Told,
    /// What comes on the socket.
    pub line: Line,
    /// What the owner wants, and when.
    pub wish: Option<(Duration, Wish)>,
}

/// What the carrier says of a call that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// That it is.
    All,
    /// Nothing: no webhook, no last message, and its socket stays open.
    Nothing,
    /// The same, and whatever stands between still answers probes of the socket.
    NothingBehindAProxy,
}

/// What comes on a call's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Something every 20 ms.
    Steady,
    /// The same for so long, then nothing for so long, again and again. It answers probes all the while.
    Thrifty(Duration, Duration),
    /// From this moment on nothing, for good, though the call goes on. The socket after it is steady.
    Freezes(Duration),
}

/// What the owner wants of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// That it is over.
    HangUp,
    /// That the carrier puts the caller through to someone, who comes after this long.
    PutThrough(Duration),
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// When we took it for over, and why.
    pub ended: Option<(Duration, End)>,
    /// When it was over for the carrier.
    pub over: Option<Duration>,
    /// When the carrier was asked to hang up.
    pub hang_ups: Vec<Duration>,
    /// How often the carrier was asked how the call is doing.
    pub asked: u32,
    /// How often the call was without its sound.
    pub disconnected: u32,
}

/// Lives through a call. `api` says how long a request of that moment takes; `None`: it is lost, and the
/// answer to it never comes.
pub fn live_through(
    plan: Plan,
    fate: Fate,
    api: impl FnMut(Duration) -> Option<Duration>,
) -> Account {
    let start = Instant::now();
    let (call, first) = Watched::start(start, plan);
    let mut company = Company {
        start,
        now: Duration::ZERO,
        call,
        fate,
        api,
        liveness: Some(Liveness::new(start)),
        waits: false,
        release: None,
        open: None,
        sockets: 0,
        probe: None,
        word: Duration::ZERO,
        to_come: Vec::new(),
        account: Account::default(),
    };
    company.perform(first);
    company.begin();
    while company.step() {}
    company.account
}

struct Company<A> {
    start: Instant,
    now: Duration,
    call: Watched,
    fate: Fate,
    api: A,
    /// `None`: we are hanging up.
    liveness: Option<Liveness>,
    /// A question is on its way.
    waits: bool,
    release: Option<Release>,
    /// Since when the socket is open.
    open: Option<Duration>,
    sockets: u32,
    probe: Option<Duration>,
    word: Duration,
    to_come: Vec<(Duration, Due)>,
    account: Account,
}

#[derive(Clone, Debug)]
enum Due {
    News(Carrier),
    Wish(Wish),
    /// The far end is gone.
    Gone,
    Probed,
    Answer(Word),
    /// A socket comes, or will not.
    Socket(bool),
    HangUp,
    /// It is asked whether a hang-up worked, and said.
    Confirm,
    Confirmed(Word),
}

impl<A: FnMut(Duration) -> Option<Duration>> Company<A> {
    fn begin(&mut self) {
        let rings = Duration::from_millis(200);
        self.later(rings, Due::News(Carrier::Ringing));
        if let Some(at) = self.fate.connected {
            self.later(at, Due::News(Carrier::Answered));
            self.later(at + Duration::from_millis(100), Due::Socket(true));
        }
        if let Some(at) = self.fate.over {
            self.later(at, Due::Gone);
        }
        if let Some((at, wish)) = self.fate.wish {
            self.later(at, Due::Wish(wish));
        }
    }

    /// Lets the next thing happen. `false`: nothing will any more.
    fn step(&mut self) -> bool {
        if self.call.is_over() && (self.release.is_none() || self.account.over.is_some()) {
            return false;
        }
        let call = self.call.deadline().map(|(at, _)| at - self.start.min(at));
        let ask = self.liveness.as_ref().filter(|_| !self.waits);
        let ask = ask.map(|it| it.due(&self.signs()) - self.start);
        let next = self.to_come.iter().map(|(at, _)| *at).min();
        let Some(at) = [call, ask, next].into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(at);
        if self.now > LONGEST {
            return false;
        }
        if let Some(place) = self.to_come.iter().position(|(it, _)| *it <= self.now) {
            let (_, due) = self.to_come.remove(place);
            self.happen(due);
        } else if call.is_some_and(|at| at <= self.now) {
            self.tell(Input::Timeout);
        } else if ask.is_some_and(|at| at <= self.now) {
            self.ask();
        }
        true
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::News(news) => {
                self.word = self.now;
                self.tell(Input::Carrier(news));
            }
            Due::Wish(Wish::HangUp) => self.tell(Input::Command(Command::HangUp)),
            Due::Wish(Wish::PutThrough(after)) => self.put_through(after),
            Due::Gone => self.gone(),
            Due::Probed => self.probe = Some(self.now),
            Due::Answer(word) => self.answered(word),
            Due::Socket(true) if self.is_up() && self.liveness.is_some() => {
                self.sockets += 1;
                self.open = Some(self.now);
                self.word = self.now;
                self.tell(Input::Carrier(Carrier::Connected));
            }
            // It is refused, and asked why.
            Due::Socket(_) => {
                if let Some(word) = self.account.over.map(|_| END) {
                    self.tell(Input::Carrier(Carrier::Ended(word)));
                }
            }
            Due::HangUp => self.hang_up(),
            Due::Confirm => {
                let (word, after) = self.question(Release::ANSWER);
                self.soon(after, Due::Confirmed(word));
            }
            Due::Confirmed(word) => {
                let release = self.release.as_ref();
                match release.map(|it| it.answer(self.start + self.now, word)) {
                    Some(Hold::Again) => self.hang_up(),
                    Some(Hold::Released) => self.tell(Input::Carrier(Carrier::Ended(END))),
                    Some(Hold::GivenUp) | None => self.release = None,
                }
            }
        }
    }

    fn put_through(&mut self, after: Duration) {
        let regrets = || "Nobody is there.".to_owned().into();
        let to = call::BlindTransfer {
            to: "ben".to_owned(),
            patience: Duration::from_secs(60),
            regrets: call::Regrets {
                nobody: regrets(),
                busy: regrets(),
                declined: regrets(),
            },
        };
        self.tell(Input::Command(Command::Transfer(to)));
        self.lose(Carrier::Disconnected);
        self.soon(after, Due::News(Carrier::Joined));
    }

    /// The call is over for the carrier.
    fn gone(&mut self) {
        if self.account.over.is_some() {
            return;
        }
        self.account.over = Some(self.now);
        if self.fate.told == Told::All {
            self.soon(HERE, Due::News(Carrier::Ended(END)));
        }
    }

    fn is_up(&self) -> bool {
        self.account.over.is_none()
    }

    /// Asks how the call is doing, and probes its socket.
    fn ask(&mut self) {
        let (start, now, signs) = (self.start, self.now, self.signs());
        let Some(liveness) = &mut self.liveness else {
            return;
        };
        if liveness.due(&signs) > start + now {
            // Something was heard meanwhile.
            return;
        }
        let patience = liveness.ask(start + now);
        self.waits = true;
        if self.open.is_some() && self.answers_probes() {
            self.soon(PROBED, Due::Probed);
        }
        let (word, after) = self.question(patience);
        self.soon(after, Due::Answer(word));
    }

    fn answers_probes(&self) -> bool {
        let frozen = match self.fate.line {
            Line::Freezes(at) => self.sockets == 1 && self.now >= at,
            Line::Steady | Line::Thrifty(..) => false,
        };
        match self.fate.told {
            Told::NothingBehindAProxy => true,
            Told::All | Told::Nothing => self.is_up() && !frozen,
        }
    }

    /// What the carrier says to a question, and after how long.
    fn question(&mut self, patience: Duration) -> (Word, Duration) {
        self.account.asked += 1;
        match (self.api)(self.now) {
            Some(after) if after <= patience => (self.status(), after),
            Some(_) | None => (Word::Nothing, patience),
        }
    }

    fn status(&self) -> Word {
        match self.account.over {
            Some(_) => Word::Over(END),
            None if self.fate.connected.is_some_and(|at| at <= self.now) => Word::Up,
            None => Word::Waits,
        }
    }

    fn answered(&mut self, word: Word) {
        self.waits = false;
        let (now, signs) = (self.start + self.now, self.signs());
        let Some(liveness) = &mut self.liveness else {
            return;
        };
        match liveness.answer(now, word, &signs) {
            Finding::Well => {}
            Finding::Over(end) => self.tell(Input::Carrier(Carrier::Ended(end))),
            Finding::Stranded => self.lose(Carrier::Dropped),
        }
    }

    fn lose(&mut self, how: Carrier) {
        if self.open.take().is_some() {
            self.word = self.now;
            self.tell(Input::Carrier(how));
        }
    }

    fn signs(&self) -> Signs {
        let at = |at: Duration| self.start + at;
        Signs {
            sound: self.open.map(|since| at(self.last_frame().max(since))),
            probe: self.probe.map(at),
            word: at(self.word),
        }
    }

    /// When anything came last.
    fn last_frame(&self) -> Duration {
        let until = self.account.over.map_or(self.now, |at| at.min(self.now));
        match self.fate.line {
            Line::Freezes(at) if self.sockets == 1 => until.min(at),
            Line::Steady | Line::Freezes(_) => until,
            Line::Thrifty(talks, hushes) => {
                let (until, period) = (until.as_nanos(), (talks + hushes).as_nanos());
                let into = (until % period).min(talks.as_nanos());
                Duration::from_nanos((until / period * period + into) as u64)
            }
        }
    }

    fn hang_up(&mut self) {
        self.account.hang_ups.push(self.now);
        let after = match (self.api)(self.now) {
            Some(after) => {
                self.gone();
                after
            }
            None => INSISTED,
        };
        self.soon(after + Release::PAUSE, Due::Confirm);
    }

    /// The carrier is asked for a socket, until it answers.
    fn reconnect(&mut self) {
        let mut after = Duration::ZERO;
        for _ in 0..TRIES {
            if let Some(took) = (self.api)(self.now + after) {
                return self.soon(after + took, Due::Socket(true));
            }
            after += PATIENCE;
        }
    }

    fn tell(&mut self, input: Input) {
        let outputs = self.call.handle(self.start + self.now, input);
        self.perform(outputs);
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Event(Event::Ended(end)) => {
                    self.account.ended = Some((self.now, end));
                    self.liveness = None;
                }
                Output::Event(Event::Disconnected) => self.account.disconnected += 1,
                Output::Carrier(output::Carrier::HangUp) => {
                    self.liveness = None;
                    let now = self.start + self.now;
                    self.release = Some(Release::new(now, LONGEST));
                    self.soon(Duration::ZERO, Due::HangUp);
                }
                Output::Carrier(output::Carrier::Reconnect) => self.reconnect(),
                Output::Media(output::Media::Cut(_)) => self.tell(Input::Media(Media::Cut(None))),
                Output::Event(_)
                | Output::Carrier(
                    output::Carrier::Answer | output::Carrier::Dial | output::Carrier::Transfer(_),
                )
                | Output::Agent(_)
                | Output::Media(_)
                | Output::Meeting(_)
                | Output::Speech(_) => {}
            }
        }
    }

    fn soon(&mut self, after: Duration, due: Due) {
        self.later(self.now + after, due);
    }

    fn later(&mut self, at: Duration, due: Due) {
        self.to_come.push((at, due));
    }
}

const END: End = End {
    by: Party::Caller,
    why: Why::HungUp,
};

/// From the carrier to us.
const HERE: Duration = Duration::from_millis(80);
/// There and back.
const PROBED: Duration = Duration::from_millis(90);
/// Three tries at hanging up, and what lies between them.
const INSISTED: Duration = Duration::from_millis(16_200);
/// A request without an answer.
const PATIENCE: Duration = Duration::from_secs(15);
const TRIES: u32 = 20;
/// No call here lasts longer.
const LONGEST: Duration = Duration::from_secs(48 * 3_600);
