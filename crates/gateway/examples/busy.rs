//! A gateway whose journal has more to write than its calls make happen: for `cargo xtask bench journal`.
//!
//! `busy CONFIG EVENTS` serves, says where on standard output, and beside that keeps a hundred logs of
//! calls, each with a task of its own as a call has, that write so many events a second in all. They go
//! the way a call's own events go: through [`CallLog::push`], to the one thread that writes, to the
//! disk. When standard input ends, it says what became of them.

#![expect(clippy::print_stdout, reason = "its standard output is its report")]

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use call::Event;
use call::event::{End, Party, Why};
use gateway::cli::lists;
use gateway::config;
use gateway::gateway::Gateway;
use gateway::journal::{CallLog, Parties, Pen};
use gateway::state::{self, Running};
use ports::{Blame, Fault, code};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().expect("the first argument is a file");
    let events = arguments.next().and_then(|it| it.parse::<u32>().ok());
    let events = events.expect("the second argument is a number");
    let loaded = config::load(Path::new(&config), &lists());
    let plan = loaded
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .plan;
    let no_voice = || {
        Err(Fault::new(
            Blame::Config,
            code::SPEECH_MODEL_MISSING,
            "no voice",
        ))
    };
    let gateway = Gateway::start(plan, Arc::new(no_voice), state::folder()).await;
    let gateway = gateway.unwrap_or_else(|fault| panic!("{fault}"));
    Running::announce(&gateway, Path::new(&config)).unwrap_or_else(|fault| panic!("{fault}"));
    println!("http://{}", gateway.address);

    let mut durable = gateway.board.journal().durable();
    let commits = Arc::new(AtomicU64::new(0));
    let counted = commits.clone();
    tokio::spawn(async move {
        while durable.changed().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let pen = gateway.board.journal().pen();
    let mut writing = JoinSet::new();
    for n in 0..LOGS {
        writing.spawn(write(n, events, pen.clone(), stop.clone()));
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = ended.await;
    stop.store(true, Ordering::Relaxed);
    let written: u64 = writing.join_all().await.into_iter().sum();
    // Only what is durable counts, and the time until it is.
    pen.flush().await;
    let report = serde_json::json!({
        "events": written,
        "seconds": begin.elapsed().as_secs_f64(),
        "commits": commits.load(Ordering::Relaxed),
        "kept": pen.check().is_ok(),
    });
    println!("{report}");
}

/// One log's events, evenly, until it is told to stop; how many they were.
async fn write(n: u32, events: u32, pen: Pen, stop: Arc<AtomicBool>) -> u64 {
    if events == 0 {
        return 0;
    }
    let parties = Parties {
        direction: "inbound",
        number: "+15550001111".into(),
        caller: Some("+15551234567".into()),
        carrier: "twilio".to_owned(),
        agent: "echo".to_owned(),
        allowed_by: "a rule".to_owned(),
        objective: None,
        asked_by: None,
        trust: call::Trust::CallerId,
    };
    let log = CallLog::new(format!("busy-{n}"), parties, pen);
    let pause = Duration::from_secs(1) * LOGS / events;
    let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + pause * n / LOGS, pause);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        clock.tick().await;
        let text = "I would like to come in on Thursday at ten, if that is possible.";
        log.push(
            std::time::Instant::now(),
            Event::CallerSaid { text: text.into() },
        );
        written += 1;
    }
    let (by, why) = (Party::Caller, Why::HungUp);
    log.push(std::time::Instant::now(), Event::Ended(End { by, why }));
    written + 1
}

const LOGS: u32 = 100;
