//! The whole gateway, running.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ports::{Blame, Fault, Secret, code};
use rand::RngCore;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::config::Plan;
use crate::http::{self, Desk, STRANGERS};
use crate::state::make_folder;
use crate::switchboard::{LoadVoice, Switchboard};
use crate::traces;

/// A gateway that serves until it is dropped or closed.
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    /// What opens its control API.
    pub token: Secret,
    /// Its calls.
    pub board: Arc<Switchboard>,
    serving: JoinHandle<()>,
    /// Tells a collector of calls that are over.
    telling: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts serving. Models are loaded by [`Switchboard::warm_up`], or by the first call that
    /// needs them.
    ///
    /// What must outlive the process is kept in the folder `state`.
    pub async fn start(plan: Plan, load_voice: LoadVoice, state: PathBuf) -> Result<Self, Fault> {
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
        let telling = match board.plan().telemetry.clone() {
            Some(telemetry) => {
                let (reader, last) = (board.journal().reader()?, board.journal().last());
                Some(tokio::spawn(traces::tell(reader, last, telemetry)))
            }
            None => None,
        };
        let desk = Desk {
            board: board.clone(),
            token: token.clone(),
            instance: random(),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        };
        Ok(Self {
            address,
            token,
            board,
            serving: tokio::spawn(http::serve(listener, desk)),
            telling,
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
        if let Some(telling) = &self.telling {
            telling.abort();
        }
    }
}

const LAST_NEWS: Duration = Duration::from_millis(150);

fn random() -> String {
    let mut bits = [0u8; 32];
    rand::rng().fill_bytes(&mut bits);
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}
