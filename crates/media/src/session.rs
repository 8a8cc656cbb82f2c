use std::time::Duration;

use crate::gate::{self, Gate};
use crate::intake::Intake;
use crate::playout::Playout;
use crate::vad::{Sound, Vad};
use crate::{Cut, Detector, Edge, FRAME, Format, Mark, Progress, UtteranceId, WINDOW};

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
    /// Packets may overtake one another: this many are held back to put them in order.
    Jittery {
        /// In packets.
        depth: usize,
    },
}

/// How to set up one call's sound.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What the leg carries, both ways.
    pub format: Format,
    /// How packets arrive.
    pub line: Line,
    /// What tells speech from noise.
    pub detector: Detector,
    /// How far ahead of real time sound may be sent: never more than this is waiting at the far
    /// end (but always one frame, which is what a lead of less than a frame comes to). At most
    /// 100 ms is sensible.
    pub lead: Duration,
}

/// What happened in one 20 ms tick.
#[derive(Debug)]
pub struct Tick<'a> {
    /// What the caller said: always one full frame, concealed or silent when nothing arrived.
    pub heard: &'a [i16],
    /// What the caller is hearing in this tick: always one full frame. For the recording.
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
    gate: Gate,
    vad: Vad,
    playout: Playout,
    heard: Box<[i16]>,
    playing: Playing,
    counts: Counts,
}

/// What the caller hears, cut into ticks.
#[derive(Debug)]
struct Playing {
    frame: Box<[i16]>,
    /// Where the next tick's frame begins, in samples, once there has been a tick.
    next: Option<u64>,
}

impl Session {
    /// Sets up the sound of one call.
    pub fn new(setup: Setup) -> Self {
        let samples = setup.format.rate.samples_per_frame();
        Self {
            setup,
            intake: Intake::new(setup.format, setup.line),
            gate: Gate::new(),
            vad: Vad::new(setup.detector),
            playout: Playout::new(setup.format, setup.lead),
            heard: vec![0; samples].into(),
            playing: Playing {
                frame: vec![0; samples].into(),
                next: None,
            },
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
        let loudness = self.gate.push(gate::power(&self.heard));
        let edge = self.vad.push(Sound {
            samples: &self.heard,
            loudness,
            gate_is_open: self.gate.is_open(),
        });
        self.playout.send(now, send);
        self.playing.read(now, self.setup.format, &self.playout);
        Tick {
            heard: &self.heard,
            playing: &self.playing.frame,
            edge,
            key: None,
            window: self.vad.window(),
            finished: self.playout.finished(),
        }
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
        self.vad.judged(window, probability)
    }
}

impl Playing {
    /// Reads the twenty milliseconds that end at `now`.
    ///
    /// Ticks jitter with the packets that cause them, what the caller hears does not: the frames
    /// read follow one another without a seam, and `now` only corrects them when the two have come
    /// far apart.
    fn read(&mut self, now: Duration, format: Format, playout: &Playout) {
        let frame = self.frame.len() as u64;
        let due = (format.rate.samples_in(now) as u64).saturating_sub(frame);
        let far = format.rate.samples_in(APART) as u64;
        let next = self.next.unwrap_or(due);
        if next > due + far {
            // Ticks come in faster than time passes: sound that was held up has arrived at once.
            self.frame.fill(0);
            return;
        }
        let next = if next + far < due { due } else { next };
        playout.hear(next, &mut self.frame);
        self.next = Some(next + frame);
    }
}

/// How far the recording's two sides may be apart before they are put together again.
const APART: Duration = Duration::from_millis(5 * FRAME.as_millis() as u64);
