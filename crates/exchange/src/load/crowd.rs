//! Many callers, of whichever carrier: when each begins, and what becomes of each.

use super::serial::bodies;
use super::stream::{Dialect, Stream};
use super::tally::Tally;
use super::{LoadPlan, LoadReport};
use crate::ear::FRAME_TIME;
use crate::office::{Office, authority};
use crate::socket;
use crate::wire::Wire;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// How a carrier connects its callers to the gateway. What it says is wrong counts as a failure of that name.
pub(crate) trait Callers: Send + Sync + 'static {
    /// One call, as the carrier's books keep it.
    type Call: Send;
    /// How its media socket speaks.
    type Dialect: Dialect;

    /// A new call to the plan's number.
    fn call(&self, from: &str) -> Self::Call;

    /// Asks the gateway what is to become of the call, and opens the socket that it names.
    fn connect(
        &self,
        call: &mut Self::Call,
    ) -> impl Future<Output = Result<(Wire, Self::Dialect), String>> + Send;

    /// Waits until the gateway hangs up through the REST API, which it is not to do. Nothing is lost when this is cancelled.
    fn hung_up(&self, call: &mut Self::Call) -> impl Future<Output = ()> + Send;

    /// Tells the gateway that the call is over, which was begun so long ago.
    fn end(
        &self,
        call: Self::Call,
        ago: Duration,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// A load run, as all its calls see it.
pub(super) struct Run<C> {
    callers: C,
    /// The frames' sound behind the mark, in base64: the mark's 12 codes are 16 characters of their own.
    pub(super) bodies: Vec<String>,
    pub(super) until: Instant,
}

/// Makes all the calls of a plan.
pub(crate) async fn drive(plan: LoadPlan, callers: impl Callers) -> LoadReport {
    let begin = Instant::now();
    let run = Arc::new(Run {
        callers,
        bodies: bodies(plan.sound)
            .iter()
            .map(|body| STANDARD.encode(body))
            .collect(),
        until: begin + plan.ramp + plan.duration,
    });
    let mut calls = JoinSet::new();
    for index in 0..plan.calls {
        let run = Arc::clone(&run);
        let offset = plan.ramp * index as u32 / plan.calls.max(1) as u32;
        calls.spawn(async move {
            sleep_until(begin + offset + phase(index)).await;
            one(&run, index).await
        });
    }
    let mut total = Tally::new();
    while let Some(joined) = calls.join_next().await {
        match joined {
            Ok(tally) => total.add(&tally),
            Err(error) => total.fail(format!("panic: {error}")),
        }
    }
    total.report.calls = plan.calls;
    total.into_report()
}

/// Callers' clocks are not in step: each call's frames have a place of their own within 20 ms.
fn phase(index: usize) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_75;
    FRAME_TIME.mul_f64((index as f64 * GOLDEN).fract())
}

async fn one<C: Callers>(run: &Run<C>, index: usize) -> Tally {
    let mut tally = Tally::new();
    let mut call = run.callers.call(&format!("+1555{:07}", 2_000_000 + index));
    let began = Instant::now();
    let talked = match run.callers.connect(&mut call).await {
        Err(reason) => Err(reason),
        Ok((wire, dialect)) => {
            tally.set_up_time.record(began.elapsed());
            tally.report.set_up = 1;
            let mut stream = Stream::new(run, wire, dialect);
            tokio::select! {
                talked = stream.talk(&mut tally) => talked.map_err(|error| error.to_string()),
                () = run.callers.hung_up(&mut call) => Err("the gateway hung up".to_owned()),
            }
        }
    };
    if let Err(reason) = talked {
        tally.fail(reason);
    }
    if let Err(reason) = run.callers.end(call, began.elapsed()).await {
        tally.fail(format!("status callback: {reason}"));
    }
    tally
}

/// Opens the socket at `url` with these headers on the upgrade.
pub(crate) async fn open(
    office: &Office,
    url: &str,
    headers: &[(&str, String)],
) -> Result<Wire, String> {
    let local = socket::target(office, url).map_err(|unopened| unopened.text)?;
    let address = authority(&local).unwrap_or_default();
    let host = authority(url).unwrap_or_default();
    let path = url
        .split_once("://")
        .map_or("", |(_, rest)| &rest[host.len()..]);
    let path = if path.is_empty() { "/" } else { path };
    let upgraded = async {
        let tcp = TcpStream::connect(&address).await?;
        Wire::upgrade(tcp, &host, path, headers).await
    };
    let wire = timeout(CONNECTING, upgraded)
        .await
        .map_err(|_| "upgrade: no answer".to_owned())?;
    wire.map_err(|error| format!("upgrade: {error}"))
}

const CONNECTING: Duration = Duration::from_secs(5);
