//! The whole gateway, running.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ports::{Blame, Fault, Secret, code};
use rand::RngCore;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::config::{Loaded, Plan};
use crate::http::{self, Desk, STRANGERS};
use crate::rulebook::{Rulebook, Source};
use crate::state::make_folder;
use crate::switchboard::{LoadVoice, Switchboard};

/// A gateway that serves until it is dropped or closed.
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    /// What opens its control API.
    pub token: Secret,
    /// Its calls.
    pub board: Arc<Switchboard>,
    /// The configuration it lives by, if it came from a file.
    pub rulebook: Option<Arc<Rulebook>>,
    serving: JoinHandle<()>,
    watching: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts serving. Models are loaded by [`Switchboard::warm_up`], or by the first call that
    /// needs them.
    ///
    /// What must outlive the process is kept in the folder `state`.
    pub async fn start(plan: Plan, load_voice: LoadVoice, state: PathBuf) -> Result<Self, Fault> {
        Self::open(plan, load_voice, state, |_| None).await
    }

    /// The same with a configuration from a file, which it lives by from then on: it is read again
    /// whenever it has changed.
    pub async fn start_from(source: Source, loaded: Loaded, state: PathBuf) -> Result<Self, Fault> {
        let load_voice = (source.voice)(&loaded.plan);
        let rulebook = |board| Some(Rulebook::new(source, loaded.marks, board));
        Self::open(loaded.plan, load_voice, state, rulebook).await
    }

    async fn open(
        plan: Plan,
        load_voice: LoadVoice,
        state: PathBuf,
        rulebook: impl FnOnce(Arc<Switchboard>) -> Option<Arc<Rulebook>>,
    ) -> Result<Self, Fault> {
        if let Some(recordings) = &plan.recordings {
            make_folder(recordings).map_err(|error| {
                let message = format!("cannot make {} for recordings", recordings.display());
                Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
                    .hint("change `dir` in [recordings], or grant access to it")
                    .because(error)
            })?;
        }
        let listener = http::bind(plan.listen).await?;
        let address = listener.local_addr().unwrap_or(plan.listen);
        let token = Secret::new(random());
        let board = Switchboard::new(plan, load_voice, state)?;
        let rulebook = rulebook(board.clone());
        let desk = Desk {
            board: board.clone(),
            rulebook: rulebook.clone(),
            token: token.clone(),
            instance: random(),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        };
        Ok(Self {
            address,
            token,
            board,
            serving: tokio::spawn(http::serve(listener, desk)),
            watching: rulebook.clone().map(|it| tokio::spawn(it.watch())),
            rulebook,
        })
    }

    /// Ends every call, waits for carriers to confirm, and stops.
    pub async fn close(self, patience: Duration) {
        self.board.hang_up_all(patience).await;
        // Whoever reads the calls' events has yet to be told of their ends.
        tokio::time::sleep(LAST_NEWS).await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
        if let Some(watching) = &self.watching {
            watching.abort();
        }
    }
}

const LAST_NEWS: Duration = Duration::from_millis(150);

fn random() -> String {
    let mut bits = [0u8; 32];
    rand::rng().fill_bytes(&mut bits);
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}
