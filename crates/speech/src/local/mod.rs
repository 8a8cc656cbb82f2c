//! Speech on this machine, without a vendor: Moonshine hears, Silero and Smart-Turn judge, Piper
//! speaks, and flite speaks where Piper cannot.

mod flite;
mod moonshine;
mod onnx;
mod phonemes;
mod piper;
mod say;
mod scribe;
mod shelf;
mod sound;
mod turn;
mod works;

pub use scribe::{Reader, Scribe};
pub use works::Speaker;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
