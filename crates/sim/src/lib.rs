//! A phone network in a bottle.
//!
//! [`World`] runs a real [`call::Call`], [`Watched`] for broken promises, and a real [`media::Session`] against a scripted caller,
//! agent and speech vendor, on a clock that moves only when told to. Ten minutes of conversation
//! take milliseconds, and the same script always tells the same story.
//!
//! Nobody in here is helpful. The agent goes on answering turns that were taken back, the mouth
//! goes on making sound that was cut, and the far end plays what it has until it is told to clear
//! it: what a call does must not depend on anyone's manners.

mod agent;
mod before;
mod company;
mod ears;
mod far;
mod life;
mod mouth;
mod network;
mod recorded;
mod saying;
mod watched;
mod world;

pub use agent::Reply;
pub use company::{Account, Fate, Line, Told, Wish, live_through};
pub use ears::Ears;
pub use mouth::Mouth;
pub use network::Network;
pub use recorded::Recorded;
pub use watched::Watched;
pub use world::{Happening, World};
