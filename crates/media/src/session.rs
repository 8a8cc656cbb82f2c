use std::time::Duration;

use crate::{Cut, Detector, Edge, Format, Mark, Progress, UtteranceId, WINDOW};

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
    /// How far ahead of real time sound may be sent. At most 100 ms is sensible.
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
    /// A window of sound that the speech model should judge, with its name.
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

/// The sound of one call, both ways.
#[derive(Debug)]
pub struct Session {
    setup: Setup,
}

impl Session {
    /// Sets up the sound of one call.
    pub fn new(setup: Setup) -> Self {
        Self { setup }
    }
}

#[expect(unused_variables, clippy::todo, reason = "the shape first")]
impl Session {
    /// Accepts a packet from the carrier, of any size and in any order.
    pub fn receive(&mut self, packet: Packet<'_>) {
        todo!("{:?}", self.setup)
    }

    /// Whether a whole frame is in hand that the next [`Session::tick`] would hear.
    pub fn ready(&self) -> bool {
        todo!()
    }

    /// Moves the call forward by one frame: hears what is there, and sends what is due at `now`
    /// (time since the call's sound began).
    pub fn tick(&mut self, now: Duration, send: impl FnMut(Outgoing<'_>)) -> Tick<'_> {
        todo!()
    }

    /// Sends what is due at `now` without waiting for a frame to be heard: called when new agent
    /// audio has come, or when [`Session::deadline`] has passed. Reports an utterance that ended.
    pub fn speak(&mut self, now: Duration, send: impl FnMut(Outgoing<'_>)) -> Option<Progress> {
        todo!()
    }

    /// When [`Session::speak`] must be called next even if no packet comes. `None`: nothing to say.
    pub fn deadline(&self) -> Option<Duration> {
        todo!()
    }

    /// Queues agent audio at the call's rate. Audio for an utterance that was cut is dropped.
    pub fn play(&mut self, utterance: UtteranceId, samples: &[i16]) {
        todo!()
    }

    /// Says that no more audio will come for `utterance`.
    pub fn complete(&mut self, utterance: UtteranceId) {
        todo!()
    }

    /// Silences the agent at once, for every utterance up to `last`: sends a short fade, says how
    /// much was heard. The caller of this must also clear the far end's buffer, before the fade.
    pub fn cut(
        &mut self,
        now: Duration,
        last: UtteranceId,
        send: impl FnMut(Outgoing<'_>),
    ) -> Option<Cut> {
        todo!()
    }

    /// The far end has played everything before `mark`, or cleared it.
    pub fn marked(&mut self, now: Duration, mark: Mark) -> Option<Progress> {
        todo!()
    }

    /// How much has been heard of the utterance now playing.
    pub fn progress(&self, now: Duration) -> Option<Progress> {
        todo!()
    }

    /// The speech model's verdict on a window handed out by [`Tick::window`].
    pub fn judged(&mut self, window: u64, probability: f32) -> Option<Edge> {
        todo!()
    }
}
