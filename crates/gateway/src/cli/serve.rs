//! `offhook serve`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ports::Fault;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::{Done, Out, lists, load_file, load_voice};
use crate::config::Plan;
use crate::gateway::Gateway;
use crate::pointing;
use crate::rulebook::{Rulebook, Source};
use crate::state::{self, Running};
use crate::switchboard::{Lost, Switchboard};
use crate::tunnel::Exposed;

/// Serves until told to stop. Calls that are up then go on with the next gateway.
pub async fn run(config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    allow_sockets();
    let path = crate::config::find(config.as_deref());
    let mut loaded = match load_file(&path, out) {
        Ok(loaded) => loaded,
        Err(done) => return Ok(done),
    };
    let exposed = pointing::open(&mut loaded.plan).await?;
    let source = Source {
        path: path.clone(),
        lists: lists(),
        voice: Arc::new(load_voice),
    };
    let (gateway, lost) = Gateway::start_from(source, loaded, state::folder()).await?;
    let asked = tokio::spawn(asked_to_reload(gateway.rulebook.clone()));
    // From here on carriers are answered, so from here on it stops politely.
    let mut signals = Signals::new();
    let running = Running::announce(&gateway, &path)?;
    let following = exposed.map(|it| tokio::spawn(follow(it, gateway.board.clone())));
    let warm = tokio::select! {
        early = signals.next() => Ok(Some(early)),
        warm = serve(&gateway, lost, out) => warm.map(|()| None),
    };
    let signal = match warm {
        Ok(Some(early)) => early,
        Ok(None) => signals.next().await,
        Err(fault) => {
            running.withdraw();
            return Err(fault);
        }
    };
    asked.abort();
    let patience = match signal {
        Signal::Terminate => gateway.board.plan().drain,
        // Whoever sits before it wants it to stop now.
        Signal::Interrupt => Duration::ZERO,
    };
    if !patience.is_zero() {
        let seconds = patience.as_secs();
        out.line(format_args!(
            "stopping: calls that are up have {seconds} s to end; once more to stop now"
        ));
    }
    let hurried = async {
        let _ = signals.next().await;
    };
    let left = gateway.hand_over(patience, hurried).await;
    if left > 0 {
        out.line(format_args!(
            "calls that go on: {left}; start `offhook serve` again within 15 s to take them up"
        ));
    }
    running.withdraw();
    // The tunnel stays open for as long as calls may go on.
    if let Some(following) = following {
        following.abort();
    }
    Ok(Done::Well)
}

/// Points our numbers at the tunnel, also when its address has changed. Calls that are up keep the
/// address they began with, and their sockets.
async fn follow(mut exposed: Exposed, board: Arc<Switchboard>) {
    loop {
        let plan = board.plan();
        pointing::point_and_tell(&plan).await;
        let address = exposed.another(&plan.public_url).await;
        tracing::info!(address, "the tunnel has another address");
        board.adopt(Plan {
            public_url: address,
            ..(*board.plan()).clone()
        });
    }
}

/// Each call takes a socket or two, and many systems begin with leave for a thousand. What cannot be had
/// is done without: fewer strangers are let in then.
fn allow_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "no more files may be open than before");
    }
}

async fn serve(gateway: &Gateway, lost: Lost, out: &mut Out) -> Result<(), Fault> {
    let warm_up = async {
        if gateway.board.is_busy() {
            // Calls that were taken up are to be spoken to; their voice has all of the machine.
            tokio::time::sleep(CATCHING_UP).await;
        }
        gateway.board.warm_up().await
    };
    let ((), warm) = tokio::join!(gateway.board.settle(lost), warm_up);
    match warm {
        Err(fault) if gateway.board.is_busy() => {
            // Nobody is hung up on for it: what can be said is said, and `/readyz` tells the rest.
            let (code, hint) = (fault.code, fault.hint.as_deref());
            tracing::error!(code, hint, "ears and mouth cannot be loaded: {fault}");
        }
        warm => warm?,
    }
    greet(gateway, out);
    Ok(())
}

/// How long calls that were taken up may take to go on, before ears are loaded that nobody has
/// needed yet.
const CATCHING_UP: Duration = Duration::from_secs(2);

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

/// How one is told to stop.
struct Signals {
    /// `None`: the system has no such thing, or no room for it.
    terminate: Option<tokio::signal::unix::Signal>,
}

/// What one was told.
enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite kill.
    Terminate,
}

impl Signals {
    fn new() -> Self {
        Self {
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) -> Signal {
        let terminated = async {
            match &mut self.terminate {
                Some(terminate) => drop(terminate.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => Signal::Interrupt,
            () = terminated => Signal::Terminate,
        }
    }
}
