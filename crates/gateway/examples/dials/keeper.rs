//! Gateways in processes of their own, one after the other.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway::cli::lists;
use gateway::config;
use gateway::gateway::Gateway;
use gateway::rulebook::Source;
use ports::{Blame, Fault, code};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::HURRIED;

/// What has a process be a gateway.
pub(crate) const GATEWAY: &str = "--gateway";

/// Serves what is in a folder, until killed.
pub(crate) async fn serve(folder: &Path) -> Result<(), String> {
    let path = folder.join("offhook.toml");
    let mut last = String::new();
    for _ in 0..TRIES {
        let mut loaded = config::load(&path, &lists()).map_err(|it| format!("{it:?}"))?;
        loaded.plan.inquiry = HURRIED;
        let source = Source {
            path: path.clone(),
            lists: lists(),
            voice: Arc::new(|_| Arc::new(no_voice)),
        };
        match Gateway::start_from(source, loaded, folder.join("state")).await {
            Ok((gateway, lost)) => {
                let token = gateway.token.reveal();
                let (new, place) = (folder.join("token.new"), folder.join("token"));
                let written =
                    std::fs::write(&new, token).and_then(|()| std::fs::rename(new, place));
                written.map_err(|error| error.to_string())?;
                gateway.board.settle(lost).await;
                return std::future::pending().await;
            }
            // The one before lets go of its port in its own time.
            Err(fault) => last = fault.to_string(),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(last)
}

fn no_voice() -> Result<ports::speech::Voice, Fault> {
    Err(Fault::new(
        Blame::Config,
        code::SPEECH_MODEL_MISSING,
        "no voice",
    ))
}

/// Starts gateways, and kills them.
pub(crate) struct Keeper {
    folder: PathBuf,
    child: Mutex<Option<Child>>,
    pub(crate) kills: AtomicU64,
}

impl Keeper {
    pub(crate) async fn start(folder: PathBuf) -> Result<Arc<Self>, String> {
        let child = spawn(&folder)?;
        Ok(Arc::new(Self {
            folder,
            child: Mutex::new(Some(child)),
            kills: AtomicU64::new(0),
        }))
    }

    /// As `kill -9` does, and there is another at once.
    pub(crate) async fn kill_and_start(&self) {
        let mut child = self.child.lock().await;
        if let Some(mut child) = child.take() {
            let _ = child.kill().await;
        }
        self.kills.fetch_add(1, Ordering::Relaxed);
        *child = spawn(&self.folder).ok();
    }

    pub(crate) async fn stop(&self) {
        if let Some(mut child) = self.child.lock().await.take() {
            let _ = child.kill().await;
        }
    }

    /// What opens the one that runs; it may be the last one's.
    pub(crate) fn token(&self) -> Option<String> {
        std::fs::read_to_string(self.folder.join("token")).ok()
    }
}

fn spawn(folder: &Path) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg(GATEWAY).arg(folder).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().map_err(|error| error.to_string())
}

const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);
