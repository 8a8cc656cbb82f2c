//! Two parties taking turns.
//!
//! What the agent does is in `agent`, what the caller does in `caller`, what becomes of our own
//! words in `mouth`, what a meeting does to it in `table`; here is what time does, and how the floor comes
//! free.

mod agent;
mod away;
mod caller;
mod mouth;
mod table;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(crate) use self::away::SOON;
use self::mouth::{MOUTH_SILENT, MOUTH_STUCK, OWNER_WAITS};
use crate::circles::Circles;
use crate::event::{End, Party, Why};
use crate::floor::Floor;
use crate::hearing::Hearing;
use crate::input::{Carrier, Command, Input, Media, Speech};
use crate::last_words::LastWords;
use crate::moment::Moment;
use crate::screening::Heard;
use crate::stages::Stages;
use crate::turn::{Filled, Filler, More, Speaker, Turn};
use crate::voice::{Stopped, Voice, Whose};
use crate::{Digit, Event, Opening, Plan, Private, Referral, TurnId, output};

/// Two parties taking turns.
#[derive(Debug)]
pub(crate) struct Conversation {
    floor: Floor,
    hearing: Hearing,
    voice: Voice,
    /// What the owner wants said once the floor is free, and since when.
    waiting: VecDeque<(Instant, String)>,
    /// The last turn the agent was given.
    last: TurnId,
    /// The last turn of which everything was heard.
    heard: TurnId,
    /// How often the agent failed in a row.
    failures: u32,
    /// Nobody at the meeting hears us.
    muted: bool,
    /// When it began, in this process.
    began: Instant,
    circles: Circles,
}

impl Conversation {
    pub(crate) fn start(opening: &Opening, at: &mut Moment<'_>) -> Self {
        let mut conversation = Self {
            floor: Floor::Open { since: at.now },
            hearing: Hearing::default(),
            voice: Voice::new(),
            waiting: VecDeque::new(),
            last: TurnId(0),
            heard: TurnId(0),
            failures: 0,
            muted: false,
            began: at.now,
            circles: Circles::default(),
        };
        match opening {
            Opening::Say(text) => {
                conversation.voice.say_all(Whose::Turn, text.reveal(), at);
                if !conversation.voice.is_silent() {
                    conversation.floor = Floor::Agent {
                        turn: Turn::opening(at.now),
                    };
                }
            }
            Opening::Ask => {
                let turn = conversation.next_turn();
                at.agent(output::Agent::Open { turn });
                conversation.floor = Floor::Thinking {
                    turn: Turn::agent(turn, String::new(), at.now),
                };
            }
            Opening::Wait => {}
        }
        conversation
    }

    /// The same with someone who was listened to before anything was said.
    pub(crate) fn screened(opening: &Opening, heard: Heard, at: &mut Moment<'_>) -> Self {
        let mut conversation = Self::start(opening, at);
        conversation.waiting = heard.waiting.into();
        conversation.hearing = heard.hearing;
        if let Floor::Open { .. } = conversation.floor {
            let hearing = &conversation.hearing;
            let ended = hearing.ended().filter(|_| hearing.is_waiting());
            conversation.floor = match ended {
                _ if hearing.is_speaking() => Floor::Caller,
                Some(ended) => Floor::Pause {
                    ended,
                    until: ended + at.plan.policy.endpoint,
                },
                None => Floor::Open { since: at.now },
            };
        }
        conversation.speak_waiting(at);
        conversation.speak_overdue(at);
        conversation
    }

    /// Handles one input. Returns how the call should end, if it should.
    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) -> Option<End> {
        self.settle_cut(&input, at);
        let end = self.happen(input, at);
        if end.is_none() {
            self.speak_waiting(at);
        }
        end
    }

    fn happen(&mut self, input: Input, at: &mut Moment<'_>) -> Option<End> {
        match input {
            Input::Agent(input) => self.agent(input, at),
            Input::Carrier(Carrier::Pressed(digit)) => {
                self.pressed(digit, at);
                None
            }
            Input::Command(Command::Press(keys)) => {
                self.voice.press(keys.length(), at);
                if let Floor::Open { since } = &mut self.floor {
                    *since = at.now;
                }
                None
            }
            // An agent that wants it again and again does not have its caller hear so again and again.
            Input::Command(Command::Refuse(_, text))
                if self.waiting.iter().any(|(_, it)| it == text.reveal()) =>
            {
                None
            }
            Input::Command(
                Command::Disprove(text)
                | Command::Prove(text)
                | Command::Refuse(_, text)
                | Command::Say(text),
            ) => {
                self.waiting.push_back((at.now, text.into_revealed()));
                None
            }
            Input::Meeting(news) => self.meeting(news, at),
            Input::Command(Command::Help(text)) => {
                self.help(text.reveal(), at);
                None
            }
            Input::Media(Media::Edge(edge)) => self.edge(edge, at),
            Input::Media(Media::Progress(progress)) => self.progress(progress, at),
            Input::Speech(input) => self.speech(input, at),
            Input::Timeout => self.timeout(at),

            // The carrier repeating itself changes nothing, and its other news and the owner's
            // hang-up are the call's business. A cut was settled above.
            Input::Carrier(
                Carrier::Answered
                | Carrier::AnsweredBy(_)
                | Carrier::Connected
                | Carrier::Disconnected
                | Carrier::Dropped
                | Carrier::Ended(_)
                | Carrier::Joined
                | Carrier::Parted
                | Carrier::PutBack(_)
                | Carrier::Ringing,
            )
            | Input::Command(
                Command::Dismiss
                | Command::Forbid
                | Command::OptOut
                | Command::HangUp
                | Command::Limit(_)
                | Command::Sit(_)
                | Command::Stand(_)
                | Command::Transfer(_),
            )
            | Input::Media(Media::Answerer(_) | Media::Cut(_)) => None,
        }
    }

    /// When something is due, and what.
    pub(crate) fn deadline(&self, plan: &Plan) -> Option<(Instant, &'static str)> {
        let policy = &plan.policy;
        let floor = match &self.floor {
            Floor::Open { since } => Some((*since + policy.silence, "silence")),
            Floor::Pause { until, .. } => Some((*until, "end of the caller's turn")),
            Floor::Finalizing { until, .. } => Some((*until, "the transcriber's last words")),
            Floor::Contested { until, .. } => Some((*until, "barge-in")),
            Floor::Closing { until, .. } => Some((*until, "goodbye")),
            Floor::Thinking { turn } => {
                let think = (turn.patience(policy), "the agent's answer");
                let gap = turn.gap(policy).filter(|_| self.voice.is_silent());
                let gap = gap.map(|(at, _)| (at, "filler"));
                gap.into_iter().chain([think]).min()
            }
            Floor::Caller | Floor::Agent { .. } => None,
        };
        let voice = self.voice.deadline(policy).map(|it| (it, "sound"));
        let waiting = self.waiting.front().filter(|_| !self.muted);
        let waiting = waiting.map(|(since, _)| (*since + OWNER_WAITS, "the owner's words"));
        floor.into_iter().chain(voice).chain(waiting).min()
    }

    /// Whoever speaks in our name is silenced, and this is said. The caller's words wait for their next
    /// turn: no agent has a better answer.
    fn help(&mut self, text: &str, at: &mut Moment<'_>) {
        if self.is_closing() {
            return;
        }
        if self.muted {
            // Nobody at the table would hear it from us; whoever needs it hears it on their own call.
            self.waiting.push_back((at.now, text.to_owned()));
            return;
        }
        match self.floor.take().into_turn() {
            Some(turn) => self.stop(turn, at),
            None => self.voice.cut(Stopped::Nobody, at),
        }
        self.voice.say_all(Whose::Owner, text, at);
        self.free(at.now, at);
    }

    /// Says goodbye, and ends like this once it was heard.
    pub(crate) fn close(&mut self, end: End, at: &mut Moment<'_>) -> Option<End> {
        if self.muted {
            // Nobody would hear it.
            return Some(end);
        }
        if let Some(turn) = self.floor.take().into_turn() {
            self.stop(turn, at);
        } else {
            self.voice.cut(Stopped::Nobody, at);
        }
        for (_, text) in std::mem::take(&mut self.waiting) {
            self.voice.say_all(Whose::Owner, &text, at);
        }
        let goodbye = at.plan.phrases.goodbye.reveal();
        self.voice.say_all(Whose::Ours, goodbye, at);
        self.floor = Floor::Closing {
            end,
            until: at.now + self.voice.patience(&at.plan.policy),
        };
        self.settle(at)
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.floor, Floor::Closing { .. })
    }

    /// Stops speaking, because there is nobody to hear it any more.
    pub(crate) fn leave(mut self, at: &mut Moment<'_>) -> LastWords {
        match self.floor.take().into_turn() {
            Some(turn) => self.stop(turn, at),
            None => self.voice.cut(Stopped::Nobody, at),
        }
        LastWords::new(self.hearing, self.voice)
    }

    fn timeout(&mut self, at: &mut Moment<'_>) -> Option<End> {
        let now = at.now;
        if self.voice.owes_apology(now) {
            self.voice.apologise(at.plan.phrases.back.reveal(), at);
        }
        if let Some(id) = self.voice.stuck(at) {
            return self.mouth_failed(id, MOUTH_STUCK, at);
        }
        match &mut self.floor {
            Floor::Open { since } if *since + at.plan.policy.silence <= now => {
                return self.close(gateway(Why::Silence), at);
            }
            Floor::Pause { ended, until } if *until <= now => {
                let ended = *ended;
                if let Some(end) = self.end_of_pause(ended, at) {
                    return Some(end);
                }
            }
            Floor::Finalizing { ended, until } if *until <= now => {
                let ended = *ended;
                self.hearing.give_up(at);
                if let Some(end) = self.end_of_turn(ended, at) {
                    return Some(end);
                }
            }
            Floor::Thinking { turn } => {
                if turn.patience(&at.plan.policy) <= now {
                    return self.agent_failed(AGENT_TIMEOUT, at);
                }
                if self.fill(at) {
                    return None;
                }
            }
            Floor::Contested { until, .. } if *until <= now => {
                self.barge_in(at);
                self.floor = Floor::Caller;
            }
            Floor::Closing { end, until } if *until <= now => return Some(*end),
            Floor::Open { .. }
            | Floor::Caller
            | Floor::Pause { .. }
            | Floor::Finalizing { .. }
            | Floor::Agent { .. }
            | Floor::Contested { .. }
            | Floor::Closing { .. } => {}
        }
        self.speak_overdue(at);
        None
    }

    /// Lets the caller hear that the agent has not gone away, if it is time for that.
    fn fill(&mut self, at: &mut Moment<'_>) -> bool {
        let Floor::Thinking { turn } = &mut self.floor else {
            return false;
        };
        let gap = turn.gap(&at.plan.policy).filter(|_| self.voice.is_silent());
        let Some((_, filler)) = gap.filter(|(when, _)| *when <= at.now) else {
            return false;
        };
        let words = match filler {
            Filler::Words => {
                at.event(Event::AgentStalled);
                &at.plan.phrases.filler
            }
            Filler::More => &at.plan.phrases.still,
            Filler::Pulse => {
                self.voice.pulse(at);
                return true;
            }
        };
        turn.filled = Filled::At(at.now);
        self.voice.say_all(Whose::Ours, words.reveal(), at);
        true
    }

    /// What the owner wants said does not wait for the floor for ever.
    fn speak_overdue(&mut self, at: &mut Moment<'_>) {
        let overdue = |(since, _): &(Instant, String)| *since + OWNER_WAITS <= at.now;
        if !self.muted && self.waiting.front().is_some_and(overdue) {
            self.speak_all_waiting(at);
        }
    }

    /// Sees whether what was being said is over, and gives the floor on.
    fn settle(&mut self, at: &mut Moment<'_>) -> Option<End> {
        self.voice.skip_failed(at);
        let silent = self.voice.is_silent();
        match self.floor.take() {
            Floor::Closing { end, .. } if silent => return Some(end),
            Floor::Thinking { turn } | Floor::Agent { turn }
                if silent && turn.more != More::Words =>
            {
                return self.turn_over(turn, at);
            }
            Floor::Agent { mut turn }
                if turn.more == More::Words && !self.voice.says(Whose::Turn) =>
            {
                turn.quiet = at.now;
                turn.idle = at.now;
                self.floor = Floor::Thinking { turn };
            }
            // Even if all that is left to hear is a filler.
            Floor::Thinking { turn }
                if self.voice.says(Whose::Turn) || turn.more != More::Words =>
            {
                self.floor = Floor::Agent { turn };
            }
            // All was heard, but the caller has begun to speak: the floor is the caller's, and
            // nobody hangs up on someone who is speaking.
            Floor::Contested { turn, .. } if silent && turn.more != More::Words => {
                self.tell_heard(turn, at);
                self.floor = Floor::Caller;
            }
            floor @ (Floor::Open { .. }
            | Floor::Caller
            | Floor::Pause { .. }
            | Floor::Finalizing { .. }
            | Floor::Thinking { .. }
            | Floor::Agent { .. }
            | Floor::Contested { .. }
            | Floor::Closing { .. }) => self.floor = floor,
        }
        None
    }

    /// All was said and heard.
    fn turn_over(&mut self, turn: Turn, at: &mut Moment<'_>) -> Option<End> {
        let more = turn.more.clone();
        let unheard = turn.spoke && turn.heard.is_empty();
        self.tell_heard(turn, at);
        if unheard && more == More::Nothing {
            // None of it could be made into sound. Perhaps this can, or there is only dead air.
            let apology = at.plan.phrases.apology.reveal();
            self.voice.say_all(Whose::Ours, apology, at);
        }
        match more {
            More::HangUp => {
                self.floor = Floor::Open { since: at.now };
                return Some(HUNG_UP);
            }
            More::PutThrough(referral) => put_through(referral, at),
            More::Words | More::Nothing => {}
        }
        // Words said into the agent's last moment answer it ("Shall I book it?" "Yeah."). Those
        // said earlier were a murmur, and wait for the caller's next turn.
        let ended = self.hearing.ended().filter(|it| *it + TAIL >= at.now);
        match ended.filter(|_| self.hearing.is_waiting() && self.voice.is_silent()) {
            Some(ended) => {
                self.floor = Floor::Pause {
                    ended,
                    until: ended + at.plan.policy.endpoint,
                }
            }
            None => self.free(at.now, at),
        }
        None
    }

    fn tell_heard(&mut self, turn: Turn, at: &mut Moment<'_>) {
        timed(Some(&turn), at);
        if !turn.heard.is_empty() {
            self.failures = 0;
        }
        let text: Private<String> = turn.heard.into();
        match turn.speaker {
            Speaker::Agent { id, said } => {
                self.circles.round(&said, text.reveal());
                self.heard = id;
                at.agent(output::Agent::Heard { turn: id, text });
            }
            Speaker::Opening if !text.reveal().is_empty() => {
                at.agent(output::Agent::Opened { text });
            }
            Speaker::Opening | Speaker::Ours => {}
        }
    }

    /// Nobody has the floor, since then.
    fn free(&mut self, since: Instant, at: &mut Moment<'_>) {
        self.floor = if self.voice.is_silent() {
            Floor::Open { since }
        } else {
            Floor::Agent {
                turn: Turn::ours(at.now),
            }
        };
    }

    /// Ends a turn before its time: takes it back if the caller has heard none of it, or tells the
    /// agent what was heard.
    fn stop(&mut self, turn: Turn, at: &mut Moment<'_>) {
        timed(Some(&turn), at);
        let stopped = match turn.speaker {
            Speaker::Agent { id, said } if turn.begun => {
                self.failures = 0;
                self.circles.round(&said, &turn.heard);
                Stopped::Turn {
                    turn: id,
                    heard: turn.heard,
                }
            }
            Speaker::Agent { id, said } => {
                at.agent(output::Agent::Abandon(id));
                self.hearing.put_back(said);
                Stopped::Nobody
            }
            Speaker::Opening => Stopped::Opening { heard: turn.heard },
            Speaker::Ours => Stopped::Nobody,
        };
        self.voice.cut(stopped, at);
    }

    fn pressed(&mut self, digit: Digit, at: &mut Moment<'_>) {
        at.event(Event::CallerPressed {
            digit: Private::new(digit.as_char()),
        });
        at.agent(output::Agent::Pressed(digit));
        if let Floor::Open { since } = &mut self.floor {
            *since = at.now;
        }
    }

    fn speech(&mut self, input: Speech, at: &mut Moment<'_>) -> Option<End> {
        match input {
            Speech::Begun(id) => {
                self.voice.begun();
                if let Some(stages) = self.stages() {
                    stages.audio(id, at.now);
                }
            }
            Speech::EndOfTurn { probability } => self.end_of_turn_guessed(probability, at),
            Speech::EarsFailed(code) => {
                at.event(Event::SpeechFailed { code });
                // Whoever cannot hear must not pretend to listen.
                return (!self.is_closing())
                    .then(|| self.close(gateway(Why::Fault), at))
                    .flatten();
            }
            Speech::Final(text) => return self.words(text.reveal(), at),
            Speech::Length(id, length) if length.is_zero() => {
                return self.mouth_failed(id, MOUTH_SILENT, at);
            }
            Speech::Length(id, length) => self.voice.length(id, length),
            Speech::MouthFailed(id, code) => return self.mouth_failed(id, code, at),
            Speech::Partial(text) => return self.partial(text.reveal(), at),
        }
        None
    }

    /// The stages of the turn that is under way.
    fn stages(&mut self) -> Option<&mut Stages> {
        self.floor.turn_mut()?.stages.as_mut()
    }

    fn next_turn(&mut self) -> TurnId {
        self.last = TurnId(self.last.0 + 1);
        self.last
    }
}

/// Says how long a turn that is over took.
fn timed(turn: Option<&Turn>, at: &mut Moment<'_>) {
    if let Some(stages) = turn.and_then(|it| it.stages.as_ref()) {
        at.event(Event::AgentTurnTimed(stages.timed()));
    }
}

fn gateway(why: Why) -> End {
    End {
        by: Party::Gateway,
        why,
    }
}

/// Words that end this close to the end of the agent's turn are an answer to it.
const TAIL: Duration = Duration::from_secs(1);

/// The code of a fault that only time can tell, as `ports::code` has it.
const AGENT_TIMEOUT: &str = "agent.timeout";

/// How often the agent or the mouth may fail in a row before we give up.
const MOST_FAILURES: u32 = 3;

/// The agent wants the caller to talk to someone else.
fn put_through(referral: Referral, at: &mut Moment<'_>) {
    at.event(Event::Transferring {
        to: referral.to.clone(),
    });
    at.meeting(output::Meeting::PutThrough(referral));
}

const HUNG_UP: End = End {
    by: Party::Agent,
    why: Why::HungUp,
};
