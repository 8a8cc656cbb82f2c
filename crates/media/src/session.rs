use std::time::Duration;

use crate::dtmf::Keys;
use crate::echo::Guard;
use crate::gate::{self, Gate, Loudness};
use crate::intake::Intake;
use crate::machine::{Finding, Machine};
use crate::playout::Playout;
use crate::vad::{Sound, Vad};
use crate::{Cut, Detector, Edge, Format, Mark, Progress, Rate, Resampler, UtteranceId, WINDOW};

/// One packet of encoded audio as it came off the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Position in the stream, already unwrapped from the carrier's own counter. Counts packets.
    pub index: u64,
    /// Encoded sound, of any length.
    pub payload: &'a [u8],
}

/// What kind of line brings the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Packets come in order, as on a socket: each is heard as soon as it is here.
    Ordered,
    /// Packets all come, but may overtake one another, as those of a carrier that sends them side by
    /// side: in order each is heard as soon as it is here, and a missing one is waited for until more
    /// than this many later ones are.
    Shuffled {
        /// In packets, at most 16.
        depth: usize,
    },
    /// Packets may be lost and overtake one another: this many are held back to put them in order.
    Jittery {
        /// In packets.
        depth: usize,
    },
}

/// How to set up one call's sound.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What the caller's sound is written in.
    pub format: Format,
    /// What ours is written in.
    pub spoken: Format,
    /// How packets arrive.
    pub line: Line,
    /// What tells speech from noise.
    pub detector: Detector,
    /// How far ahead of real time sound may be sent: never more than this is waiting at the far
    /// end (but always one frame, which is what a lead of less than a frame comes to). At most
    /// 100 ms is sensible where the agent may have to be cut.
    pub lead: Duration,
    /// What it means when the caller's sound is like the agent's.
    pub echo: Echo,
}

impl Setup {
    /// The rate of the call itself: of every frame, each way, that is not on the wire. That of the
    /// better direction, where they differ.
    pub fn rate(&self) -> Rate {
        self.format.rate.max(self.spoken.rate)
    }
}

/// What it means when the caller's sound is like the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// It is the agent's own, coming back, and no bid for the floor.
    Guarded,
    /// Nothing: the agent says what the caller says, so it is always like it.
    Expected,
}

/// What happened in one 20 ms tick.
#[derive(Debug)]
pub struct Tick<'a> {
    /// What the caller said: always one full frame, concealed or silent when nothing arrived.
    pub heard: &'a [i16],
    /// What the caller is hearing in this tick: always one full frame. For the recording. What was
    /// sent takes two frames to get here, as it takes that long at least to get to the caller.
    pub playing: &'a [i16],
    /// The caller began or stopped speaking.
    pub edge: Option<Edge>,
    /// A key was heard in the sound.
    pub key: Option<char>,
    /// A window of sound that the speech model should judge, with its name. Names count windows
    /// since the call began: where one is left out, so was the sound, and a model that remembers
    /// should forget.
    pub window: Option<(u64, &'a [i16; WINDOW])>,
    /// An utterance was heard to its end.
    pub finished: Option<Progress>,
    /// Something was found out about whoever picked up ([`Session::judge_answerer`]).
    pub answerer: Option<Finding>,
}

/// Something to send to the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing<'a> {
    /// One frame of encoded sound.
    Audio(&'a [u8]),
    /// Ask to be told when everything sent so far has been played.
    Mark(Mark),
}

/// How well the line did, since the call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that never came, or came too late to be told from those.
    pub lost: u64,
    /// Packets that came after their turn, or came twice.
    pub late: u64,
    /// Frames, or parts of one, that were made up because there was nothing to hear.
    pub concealed: u64,
    /// Packets, or frames' worth, thrown away because more than a second of them was waiting.
    pub dropped: u64,
    /// Gaps the caller heard inside an utterance because its audio came too slowly.
    pub underruns: u64,
    /// Samples of agent audio thrown away because ten minutes of it were waiting.
    pub overruns: u64,
}

/// The sound of one call, both ways.
#[derive(Debug)]
pub struct Session {
    setup: Setup,
    intake: Intake,
    heard: Box<[i16]>,
    narrow: Narrow,
    gate: Gate,
    keys: Keys,
    vad: Vad,
    machine: Option<Box<Machine>>,
    echo: Watch,
    playout: Playout,
    playing: Playing,
    counts: Counts,
}

/// Who watches for the agent's own voice coming back.
#[derive(Debug)]
enum Watch {
    Guard(Guard),
    Nothing,
}

/// The caller's sound at 8 kHz, for what listens at no other rate.
#[derive(Debug)]
enum Narrow {
    /// The call is at 8 kHz itself.
    Same,
    Thinned {
        resampler: Box<Resampler>,
        samples: Vec<i16>,
    },
}

/// What the caller hears, cut into ticks.
#[derive(Debug)]
struct Playing {
    /// For the recording, which is a little behind: what it reads will not change any more.
    recorded: Box<[i16]>,
    /// For the echo guard.
    current: Box<[i16]>,
    pace: Pace,
}

/// How ticks and time go together. Positions are in samples.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// There has been no tick.
    Unknown,
    /// The next tick's frame begins here.
    Even(u64),
    /// Ticks came faster than time passed, because held-up sound arrived at once. Nothing plays in
    /// them until time comes here.
    Early(u64),
}

impl Session {
    /// Sets up the sound of one call.
    pub fn new(setup: Setup) -> Self {
        let samples = setup.rate().samples_per_frame();
        Self {
            setup,
            intake: Intake::new(setup),
            heard: vec![0; samples].into(),
            narrow: Narrow::new(setup.rate()),
            gate: Gate::new(),
            keys: Keys::new(),
            vad: Vad::new(setup.detector),
            machine: None,
            echo: Watch::new(setup),
            playout: Playout::new(setup.spoken, setup.rate(), setup.lead),
            playing: Playing::new(setup.rate()),
            counts: Counts::default(),
        }
    }

    /// How this call's sound was set up.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// How well the line did, since the call began.
    pub fn counts(&self) -> Counts {
        Counts {
            underruns: self.playout.underruns(),
            overruns: self.playout.dropped(),
            ..self.counts
        }
    }

    /// Accepts a packet from the carrier, of any size and in any order.
    pub fn receive(&mut self, packet: Packet<'_>) {
        self.intake.receive(packet, &mut self.counts);
    }

    /// Whether a whole frame is in hand that the next [`Session::tick`] would hear.
    pub fn ready(&self) -> bool {
        self.intake.ready()
    }

    /// Moves the call forward by one frame: hears what is there, and sends what is due at `now`
    /// (time since the call's sound began).
    pub fn tick(&mut self, now: Duration, send: impl FnMut(Outgoing<'_>)) -> Tick<'_> {
        self.intake.hear(&mut self.heard, &mut self.counts);
        let (edge, key, loudness, answerer) = self.listen();
        self.playout.send(now, send);
        self.playing.read(now, self.setup.rate(), &self.playout);
        let edge = match &mut self.echo {
            Watch::Guard(guard) => {
                let released = guard.push(&self.heard, loudness, &self.playing.current);
                guard.pass(edge).or(released)
            }
            Watch::Nothing => edge,
        };
        Tick {
            heard: &self.heard,
            playing: &self.playing.recorded,
            edge,
            key,
            window: self.vad.window(),
            finished: self.playout.finished(),
            answerer,
        }
    }

    /// Finds out from now on who picked up, a person or a machine, and when their greeting is over.
    /// Asked for when the sound begins.
    pub fn judge_answerer(&mut self) {
        self.machine = Some(Box::default());
    }

    /// Sends what is due at `now` without waiting for a frame to be heard: called when new agent
    /// audio has come, or when [`Session::deadline`] has passed. Reports an utterance that ended.
    pub fn speak(&mut self, now: Duration, send: impl FnMut(Outgoing<'_>)) -> Option<Progress> {
        self.playout.send(now, send);
        self.playout.finished()
    }

    /// When [`Session::speak`] must be called next even if no packet comes. `None`: nothing to say.
    pub fn deadline(&self) -> Option<Duration> {
        self.playout.deadline()
    }

    /// Queues agent audio at the call's rate. Audio for an utterance that was cut is dropped.
    pub fn play(&mut self, utterance: UtteranceId, samples: &[i16]) {
        self.playout.play(utterance, samples);
    }

    /// Queues keys to be heard at the far end, before whatever else is to be said: digits, `*`, `#`,
    /// `A` to `D`, and `w` for a pause. They are not cut with the agent's speech.
    pub fn press(&mut self, keys: &str) {
        self.playout.press(keys);
    }

    /// Sends nothing more until [`Session::make_room`], for a few seconds at most: somebody else is
    /// about to press keys at the far end, before whatever else is to be said.
    pub fn hold(&mut self, now: Duration) {
        self.playout.hold(now);
    }

    /// Answers one [`Session::hold`]: the keys sound from now on, or once what was sent has been heard,
    /// for this long; nothing if nobody presses them.
    pub fn make_room(&mut self, now: Duration, length: Duration) {
        self.playout.make_room(now, length);
    }

    /// Whether keys of somebody else sound, or are about to, and nothing of ours waits behind them.
    pub fn is_held(&self, now: Duration) -> bool {
        self.playout.is_held(now)
    }

    /// Says that no more audio will come for `utterance`.
    pub fn complete(&mut self, utterance: UtteranceId) {
        self.playout.complete(utterance);
    }

    /// Silences the agent at once, for every utterance up to `last`: sends a short fade, says how
    /// much was heard. The caller of this must also clear the far end's buffer, before the fade.
    pub fn cut(
        &mut self,
        now: Duration,
        last: UtteranceId,
        send: impl FnMut(Outgoing<'_>),
    ) -> Option<Cut> {
        self.playout.cut(now, last, send)
    }

    /// The far end has played everything before `mark`, or cleared it.
    pub fn marked(&mut self, now: Duration, mark: Mark) -> Option<Progress> {
        self.playout.marked(now, mark)
    }

    /// How much has been heard of the utterance now playing: the earliest one that is not over.
    pub fn progress(&self, now: Duration) -> Option<Progress> {
        self.playout.progress(now)
    }

    /// The speech model's verdict on a window handed out by [`Tick::window`].
    pub fn judged(&mut self, window: u64, probability: f32) -> Option<Edge> {
        let edge = self.vad.judged(window, probability);
        match &mut self.echo {
            Watch::Guard(guard) => guard.pass(edge),
            Watch::Nothing => edge,
        }
    }

    /// Looks for speech, keys and answering machines in the frame just heard.
    fn listen(&mut self) -> (Option<Edge>, Option<char>, Loudness, Option<Finding>) {
        let loudness = self.gate.push(gate::power(&self.heard));
        let gate_is_open = self.gate.is_open();
        let samples = self.narrow.of(&self.heard);
        let key = if gate_is_open {
            self.keys.push(samples)
        } else {
            self.keys.rest();
            None
        };
        let down = self.keys.is_down();
        let answerer = self.machine.as_mut().and_then(|it| it.push(samples, down));
        if self.machine.as_ref().is_some_and(|it| it.is_done()) {
            self.machine = None;
        }
        // A key is loud, but it is not speech.
        let loudness = if down { Loudness::Quiet } else { loudness };
        let edge = self.vad.push(Sound {
            samples,
            loudness,
            gate_is_open,
        });
        (edge, key, loudness, answerer)
    }
}

impl Watch {
    fn new(setup: Setup) -> Self {
        match setup.echo {
            Echo::Guarded => Self::Guard(Guard::new(setup.rate())),
            Echo::Expected => Self::Nothing,
        }
    }
}

impl Narrow {
    fn new(rate: Rate) -> Self {
        match rate {
            Rate::Hz8000 => Self::Same,
            Rate::Hz16000 | Rate::Hz24000 | Rate::Hz48000 => Self::Thinned {
                resampler: Box::new(Resampler::new(rate.hz(), Rate::Hz8000.hz())),
                samples: Vec::with_capacity(2 * Rate::Hz8000.samples_per_frame()),
            },
        }
    }

    fn of<'a>(&'a mut self, heard: &'a [i16]) -> &'a [i16] {
        match self {
            Self::Same => heard,
            Self::Thinned { resampler, samples } => {
                samples.clear();
                resampler.push(heard, samples);
                samples
            }
        }
    }
}

impl Playing {
    fn new(rate: Rate) -> Self {
        let silence = vec![0; rate.samples_per_frame()];
        Self {
            recorded: silence.clone().into(),
            current: silence.into(),
            pace: Pace::Unknown,
        }
    }

    /// Reads the twenty milliseconds that end at `now`.
    ///
    /// Ticks jitter with the packets that cause them, what the caller hears does not: the frames
    /// read follow one another without a seam, and `now` only corrects them when the two have come
    /// apart.
    fn read(&mut self, now: Duration, rate: Rate, playout: &Playout) {
        let frame = self.current.len() as u64;
        let due = (rate.samples_in(now) as u64).saturating_sub(frame);
        let next = match self.pace {
            Pace::Unknown => due,
            Pace::Even(next) if next + BEHIND * frame < due => due,
            Pace::Early(next) if next > due => return self.wait(next),
            Pace::Even(next) if next > due + AHEAD * frame => return self.wait(next),
            Pace::Even(next) | Pace::Early(next) => next,
        };
        playout.hear(next, &mut self.current);
        match next.checked_sub(AHEAD * frame) {
            Some(before) => playout.hear(before, &mut self.recorded),
            None => self.recorded.fill(0),
        }
        self.pace = Pace::Even(next + frame);
    }

    fn wait(&mut self, next: u64) {
        self.recorded.fill(0);
        self.current.fill(0);
        self.pace = Pace::Early(next);
    }
}

/// How many frames ticks may be ahead of time, and behind it.
const AHEAD: u64 = 2;
const BEHIND: u64 = 4;
