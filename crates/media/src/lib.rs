//! Sound, twenty milliseconds at a time.
//!
//! This crate turns a carrier's packets into frames, frames into speech edges and keys, and an
//! agent's audio into the packets that go back. It is arithmetic on samples: it opens no sockets,
//! reads no clock, takes no lock and starts no threads. Whoever owns a [`Session`] calls
//! [`Session::receive`] when a packet arrives and [`Session::tick`] for every frame, telling it
//! how long the call's sound has lasted; everything else follows.

mod codec;
mod conceal;
mod convert;
mod dtmf;
mod echo;
mod frame;
mod g711;
mod gate;
mod intake;
mod jitter;
pub mod machine;
mod marks;
mod mix;
mod music;
mod playout;
mod pulse;
mod record;
mod resample;
mod session;
mod shuffle;
mod speech;
mod timeline;
mod tones;
mod vad;
mod windows;

pub use codec::{Codec, Decoder, Encoder, Endian, Format};
pub use convert::Converter;
pub use frame::{FRAME, Frame, Rate};
pub use g711::Law;
pub use marks::Mark;
pub use mix::{Mixer, SEATS};
pub use music::Music;
pub use playout::{Cut, Progress, UtteranceId};
pub use pulse::pulse;
pub use record::Stereo;
pub use resample::Resampler;
pub use session::{Counts, Echo, Line, Outgoing, Packet, Session, Setup, Tick};
pub use tones::{KEY_GAP, KEY_PAUSE, KEY_TONE};
pub use vad::{Detector, Edge, WINDOW};
