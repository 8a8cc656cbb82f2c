//! Load: many calls at once, each as cheap as a call can be made, and what becomes of their sound.
//!
//! Every 20 ms frame carries a serial number in its first samples, quiet enough to be silence to an ear. A gateway that
//! echoes the caller sends it back, however it cuts its messages; the time between is the echo's latency.

mod crowd;
mod serial;
mod stream;
mod tally;
mod times;

pub(crate) use crowd::{Callers, drive, open};
pub(crate) use stream::{Dialect, Payload, Told, push_number};

use crate::Played;
use crate::office::{Office, Setup, Tunnel};
use axum::Router;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What to do to a gateway.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Whose callers they are: one of [`crate::CARRIERS`].
    pub carrier: String,
    /// Where the carrier's REST API listens, as `127.0.0.1:4010`: a gateway that answers calls by requests needs it.
    pub listen: String,
    /// Where it is, as `http://127.0.0.1:8787`.
    pub gateway: String,
    /// What it believes its address to be (its `public_url`); requests are signed for this one.
    pub public_url: String,
    /// The path of its voice webhook.
    pub voice_path: String,
    /// The path of its status callback, where the carrier tells the end of calls elsewhere than their beginning.
    pub status_path: String,
    /// The account's id; empty is the one that the carrier is played with by default.
    pub account: String,
    /// The account's token or API key; empty as above.
    pub token: String,
    /// The number to call.
    pub to: String,
    /// How many calls at once.
    pub calls: usize,
    /// How long all of them are up together.
    pub duration: Duration,
    /// Over which time they begin.
    pub ramp: Duration,
    /// What the callers say.
    pub sound: Sound,
}

/// What callers say under load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sound {
    /// Nothing.
    Silence,
    /// Something that rises and falls like speech, with pauses.
    #[default]
    Speech,
}

/// What became of the calls and their frames.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadReport {
    /// Calls tried.
    pub calls: usize,
    /// Calls whose socket was opened.
    pub set_up: usize,
    /// Calls that did not reach their end, by reason.
    pub failed: BTreeMap<String, usize>,
    /// Frames with a serial number that were sent.
    pub frames_sent: u64,
    /// Those that came back, each counted once.
    pub frames_back: u64,
    /// Those that did not.
    pub frames_lost: u64,
    /// Those that came back more than a frame's length after they were written.
    pub frames_late: u64,
    /// Serial numbers that came back again.
    pub frames_repeated: u64,
    /// From the moment a frame is written to the moment the message with its serial number is read.
    pub echo: Percentiles,
    /// How late frames were written by their clock: the load's own unpunctuality.
    pub lateness: Percentiles,
    /// From the first byte of the voice webhook to the accepted upgrade.
    pub set_up_time: Percentiles,
    /// From the start of the stream to the first echo.
    pub first_echo: Percentiles,
    /// Messages of the gateway that were neither sound, mark nor clear.
    pub odd_messages: u64,
}

/// A distribution of times in microseconds, each within 3 % of the truth; the maximum is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Half are at most this.
    pub p50_us: u64,
    /// Nine tenths are at most this.
    pub p90_us: u64,
    /// All but one in a hundred are at most this.
    pub p99_us: u64,
    /// All are at most this.
    pub max_us: u64,
}

/// Calls a gateway as planned and measures. Run it in a process of its own, away from the gateway's core.
///
/// # Errors
/// When no carrier of that name is played, no HTTP client can be built, or the REST API's address cannot be listened on;
/// whatever the gateway does is in the report.
pub async fn run(plan: LoadPlan) -> io::Result<LoadReport> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let entry = crate::entry(&plan.carrier)?;
    let account = entry.account(&plan.account, &plan.token);
    let bare = |url: &str| url.trim_end_matches('/').to_owned();
    let tunnel = Tunnel {
        public: bare(&plan.public_url),
        local: bare(&plan.gateway),
    };
    let setup = Setup {
        tunnels: vec![tunnel],
        ..Setup::default()
    };
    let office = Office::new(setup).map_err(io::Error::other)?;
    let listener = TcpListener::bind(&plan.listen).await?;
    let Load { api, calls } = (entry.load)(account, office, plan);
    tokio::select! {
        report = calls => Ok(report),
        // Serving has no end of its own.
        ended = async { axum::serve(listener, api).await } => {
            Err(ended.err().unwrap_or_else(|| io::Error::other("the REST API ended")))
        }
    }
}

/// A carrier that is ready for its calls.
pub(crate) struct Load {
    /// Its REST API.
    api: Router,
    /// Makes the calls.
    calls: Pin<Box<dyn Future<Output = LoadReport> + Send>>,
}

impl Load {
    pub(crate) fn new(
        carrier: Arc<dyn Played>,
        calls: impl Future<Output = LoadReport> + Send + 'static,
    ) -> Self {
        Self {
            api: carrier.router(),
            calls: Box::pin(calls),
        }
    }
}
