//! `offhook serve`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ports::Fault;
use tokio::signal::unix::{SignalKind, signal};

use super::{Done, Out, lists, load_file, load_voice};
use crate::gateway::Gateway;
use crate::rulebook::{Rulebook, Source};
use crate::state::{self, Running};
use crate::switchboard::Lost;

/// Serves until told to stop, then hangs up politely.
pub async fn run(config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let path = crate::config::find(config.as_deref());
    let loaded = match load_file(&path, out) {
        Ok(loaded) => loaded,
        Err(done) => return Ok(done),
    };
    let source = Source {
        path: path.clone(),
        lists: lists(),
        voice: Arc::new(load_voice),
    };
    let (gateway, lost) = Gateway::start_from(source, loaded, state::folder()).await?;
    let asked = tokio::spawn(asked_to_reload(gateway.rulebook.clone()));
    // From here on carriers are answered, so from here on it stops politely.
    let stopped = stopped();
    tokio::pin!(stopped);
    let running = Running::announce(&gateway, &path)?;
    tokio::select! {
        () = &mut stopped => {}
        warm = serve(&gateway, lost, out) => match warm {
            Ok(()) => stopped.await,
            Err(fault) => {
                running.withdraw();
                return Err(fault);
            }
        }
    }
    out.line("stopping: ending the calls that are up");
    asked.abort();
    gateway.close(PATIENCE).await;
    running.withdraw();
    Ok(Done::Well)
}

async fn serve(gateway: &Gateway, lost: Lost, out: &mut Out) -> Result<(), Fault> {
    let ((), warm) = tokio::join!(gateway.board.settle(lost), gateway.board.warm_up());
    warm?;
    greet(gateway, out);
    Ok(())
}

fn greet(gateway: &Gateway, out: &mut Out) {
    let plan = gateway.board.plan();
    out.line(format_args!(
        "offhook listens on http://{}",
        gateway.address
    ));
    out.line(format_args!("carriers reach it at {}", plan.public_url));
    for (number, ours) in &plan.numbers {
        out.line(format_args!(
            "{} is answered by {}, and reached over {}",
            number.as_str(),
            ours.agent,
            ours.carrier
        ));
        let base = format!("{}/{}", plan.public_url, ours.carrier);
        out.line(format_args!(
            "  its webhooks: {base}/voice and {base}/status"
        ));
    }
    out.json(&serde_json::json!({ "listening": gateway.address.to_string(), "public_url": plan.public_url }));
}

/// `kill -HUP` is how one asks a server to read its configuration again.
async fn asked_to_reload(rulebook: Option<Arc<Rulebook>>) {
    let Ok(mut asked) = signal(SignalKind::hangup()) else {
        return;
    };
    while let (Some(()), Some(rulebook)) = (asked.recv().await, &rulebook) {
        // Whoever asked reads the log.
        let _ = rulebook.reload().await;
    }
}

/// Waits for Ctrl-C or a polite kill.
async fn stopped() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// How long calls have to end before the process does.
const PATIENCE: Duration = Duration::from_secs(8);
