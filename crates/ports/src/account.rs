//! What an account with a phone company has and may do: for setting things up, and for finding out
//! beforehand why a call would not work.

use std::time::SystemTime;

use async_trait::async_trait;
use call::Number;

use crate::Fault;
use crate::carrier::Request;

/// Says which numbers an account has and where calls to them go, and changes that.
#[async_trait]
pub trait Numbers: Send + Sync {
    /// The account's numbers, in the carrier's order; no more than some hundreds of them.
    async fn list(&self) -> Result<Vec<OwnNumber>, Fault>;
    /// One of them; `None`: it is not this account's.
    async fn find(&self, number: &Number) -> Result<Option<OwnNumber>, Fault>;
    /// Has the carrier ask and tell us about this number's calls, whatever it was routed to before.
    /// Doing it twice does no harm. Where the carrier has one address for several numbers, it
    /// changes for all of them.
    async fn point(&self, number: &Number, to: &Addresses) -> Result<(), Fault>;
    /// What to do to get a number, a step in each line.
    fn to_buy(&self) -> &'static [&'static str];
}

/// A number of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnNumber {
    /// Which.
    pub number: Number,
    /// Whether it is for calls.
    pub takes: Takes,
    /// Where calls to it go.
    pub routed: Routed,
}

/// What a number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Calls, and perhaps messages.
    Calls,
    /// Messages alone.
    Messages,
}

/// Where calls to a number go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// To webhooks, in a way that [`Numbers::point`] would set up. Whose they are, the addresses say.
    Here(Addresses),
    /// To something else of the account's that has the number: what it is, for people, such as
    /// `the application "menu"`.
    Elsewhere(String),
    /// Nobody is asked.
    Nowhere,
}

/// Where a carrier asks and tells about calls to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Where it asks what to do with a call; where there is one address for everything, that.
    pub voice: String,
    /// Where it tells how a call ended; empty: nowhere.
    pub status: String,
}

/// Says what an account may do.
#[async_trait]
pub trait Account: Send + Sync {
    /// What keeps calls to these numbers from being made, as far as the carrier says so before one is.
    async fn obstacles(&self, to: &[&Number]) -> Result<Vec<Obstacle>, Fault>;
    /// What time the carrier has. By its clock it judges what is signed, and we what it signs.
    async fn time(&self) -> Result<SystemTime, Fault>;
}

/// Why calls cannot be made, with what to do about it.
#[derive(Debug)]
pub enum Obstacle {
    /// None can.
    All(Fault),
    /// Some can.
    Some(Fault),
}

/// Signs as the carrier does, where both ends have the same key: so that we can see for ourselves
/// whether a webhook would arrive as it was sent.
pub trait Signs: Send + Sync {
    /// A request to this address as the carrier would send it.
    fn webhook(&self, url: &str) -> Request;
}
