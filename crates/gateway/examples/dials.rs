//! Dials whose requests and answers break at every byte, by gateways that are killed in the middle.
//!
//! Between a gateway, which is a process of its own, and each carrier's exchange stands a wire that breaks:
//! it passes on so many bytes of a dial and no more, or the whole of it and so many bytes of the answer, or
//! the whole and an answer that says nothing; or it kills the gateway there. Whoever wants a call asks for it with
//! a key of its own, and asks again while there is nobody to ask. What the exchange took is counted on
//! the wire, on its side.

#[path = "dials/jobs.rs"]
mod jobs;
#[path = "dials/keeper.rs"]
mod keeper;
#[path = "dials/wire.rs"]
mod wire;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use call::Pace;
use serde_json::json;

use crate::jobs::Scene;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    if let [_, word, folder] = arguments.as_slice()
        && word == keeper::GATEWAY
    {
        return match runtime.block_on(keeper::serve(folder.as_ref())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(what) => {
                eprintln!("{what}");
                ExitCode::FAILURE
            }
        };
    }
    let short = arguments.iter().any(|it| it == "--short");
    let jobs = if short { 300 } else { 9_999 };
    match runtime.block_on(drill(jobs)) {
        Ok(tally) => {
            println!("{}", tally.rows());
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

async fn drill(jobs: u64) -> Result<Tally, String> {
    let carriers = exchange::CARRIERS;
    let each = jobs / carriers.len() as u64;
    let mut tally = Tally::default();
    for (at, carrier) in carriers.iter().enumerate() {
        let scene = Arc::new(Scene::set(carrier, at as u64).await?);
        scene.clone().play(each).await?;
        scene.settle(&mut tally).await?;
    }
    Ok(tally)
}

/// What came of it all.
#[derive(Default)]
pub(crate) struct Tally {
    jobs: u64,
    /// Of those the carriers took.
    taken: u64,
    /// Dials that broke somewhere.
    broken: u64,
    /// How often a gateway was killed.
    kills: u64,
    /// Jobs for which a carrier took more than one dial.
    twice: u64,
    /// Calls that a carrier took, and their gateway says that it did not; or the other way round.
    mistaken: u64,
    /// Dials of which nobody knows at the end.
    unknown: u64,
    /// How long the longest was unknown.
    longest: Duration,
}

impl Tally {
    fn rows(&self) -> serde_json::Value {
        let none = json!({ "at_most": 0.0 });
        let share = self.unknown as f64 / self.jobs.max(1) as f64;
        // Not measured: as long as a request may take, and then as long as it is asked for.
        let pace = Pace::default();
        let bound = pace.request + pace.longest();
        json!([
            { "what": "dial jobs", "figure": self.jobs as f64, "goal": "none" },
            { "what": "that a carrier took", "figure": self.taken as f64, "goal": { "at_least": self.jobs as f64 / 4.0 } },
            { "what": "that broke on the wire", "figure": self.broken as f64, "goal": { "at_least": self.jobs as f64 / 2.0 } },
            { "what": "gateways killed", "figure": self.kills as f64, "goal": { "at_least": self.jobs as f64 / 50.0 } },
            { "what": "dialled twice", "figure": self.twice as f64, "goal": none },
            { "what": "taken for what they are not", "figure": self.mistaken as f64, "goal": none },
            { "what": "unknown at the end, of all", "figure": share, "goal": { "at_most": 0.001 } },
            { "what": "longest unknown here, where it is hurried, s", "figure": self.longest.as_secs_f64(), "goal": { "at_most": 60.0 } },
            { "what": "longest at a gateway's own pace, computed, s", "figure": bound.as_secs_f64(), "goal": { "at_most": 60.0 } },
        ])
    }
}

/// How soon carriers are asked here.
const HURRIED: Pace = Pace {
    request: Duration::from_secs(15),
    first: Duration::from_millis(400),
    second: Duration::from_millis(400),
    answer: Duration::from_secs(5),
    again: Duration::from_millis(300),
};
