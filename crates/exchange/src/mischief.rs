//! Mischief: what can go wrong between a carrier and its customer, on request.

use std::time::Duration;

/// What goes wrong with the calls placed or received from now on. The default is an honest, quick carrier.
#[derive(Clone, Debug, Default)]
pub struct Mischief {
    /// With status callbacks, and with the events of carriers that push them.
    pub callbacks: Callbacks,
    /// With the media socket.
    pub socket: Socket,
}

/// What goes wrong with status callbacks.
#[derive(Clone, Debug, Default)]
pub struct Callbacks {
    /// Each is delivered this many times more, with the same idempotency token or id.
    pub duplicates: u32,
    /// In which order they are delivered.
    pub order: Order,
    /// How long each is held back.
    pub delay: Duration,
    /// The events that never arrive, in the carrier's words: for Twilio `initiated`, `ringing`, `answered`, `completed`, for Plivo
    /// `Ring`, `Hangup`.
    pub lost: Vec<String>,
    /// Before each, this many that tell of the call's end, with a signature that is not ours.
    pub forged: u32,
}

/// In which order status callbacks are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As they happened.
    #[default]
    AsTheyHappened,
    /// Each second one before the one it follows.
    Swapped,
    /// All at the end of the call, the last one first.
    LastFirst,
}

/// What goes wrong with the media socket.
#[derive(Clone, Debug, Default)]
pub struct Socket {
    /// How the carrier connects.
    pub connect: Connect,
    /// How the upgrade is signed.
    pub signature: Signature,
    /// What becomes of the connection.
    pub line: Wire,
    /// What the carrier does with a call whose connection broke without a close.
    pub abrupt: Abrupt,
    /// What else the carrier sends.
    pub chatter: Chatter,
    /// How the sound's messages arrive.
    pub chunks: Chunks,
    /// What `start` says the sound is.
    pub format: Format,
}

/// How the carrier connects its media socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connect {
    /// At once.
    #[default]
    AtOnce,
    /// After this long.
    After(Duration),
    /// Opens the TCP connection and cuts it before the upgrade.
    Cut,
    /// Upgrades, and never says `start`.
    Mute,
    /// Never; the call waits for as long as a connection may take.
    Never,
}

/// How the upgrade of the media socket is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    /// With the account's token, or the one the application gave for its stream.
    #[default]
    Genuine,
    /// With another token.
    Forged,
    /// Not at all.
    Absent,
}

/// What becomes of the media connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// It holds.
    #[default]
    Holds,
    /// It is reset, without a word, this long after `start`.
    DropsAt(Duration),
    /// From this long after `start` nothing is read any more; sound is still sent.
    StallsAt(Duration),
    /// This long after `start` it breaks for the carrier alone: nothing is sent or read any more, and it stays open.
    FreezesAt(Duration),
    /// The same in the moment in which the carrier would say that the stream is over, and close it.
    FreezesAtItsEnd,
    /// From this long after `start` no message is sent any more until it is closed, and all is read: the line is thrifty in
    /// silence, and well.
    HushesAt(Duration),
}

/// What the carrier does with a call whose connection broke without a close. Twilio's documents promise
/// the next verb only for a socket that was closed; so all of these must be lived with. A carrier whose calls do not
/// hang on their streams leaves them up unless told to end them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abrupt {
    /// The same as after a close: the next verb.
    #[default]
    GoesOn,
    /// Nothing: the call stays up, in silence, until someone interferes.
    Stays,
    /// It ends the call.
    Ends,
}

/// What else the carrier sends on the media socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chatter {
    /// Nothing.
    #[default]
    Nothing,
    /// Every 100 ms one thing a robust reader ignores: an unknown event, a text that is not JSON, a frame of bytes, sound that
    /// is not base64.
    Garbage,
}

/// How the sound's messages arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunks {
    /// In order, once.
    #[default]
    InOrder,
    /// Each second one before the one it follows.
    Swapped,
    /// Each twice.
    Doubled,
}

/// What `start` says the sound is, by Twilio's names; other carriers say it by theirs. A-law at 8 kHz is spoken truly;
/// anything else is only claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// As `audio/x-mulaw`.
    pub encoding: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// How many.
    pub channels: u32,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            encoding: "audio/x-mulaw".to_owned(),
            sample_rate: 8_000,
            channels: 1,
        }
    }
}
