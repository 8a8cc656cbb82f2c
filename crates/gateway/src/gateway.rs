//! The whole gateway, running.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ports::{Blame, Fault, Secret, code};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::alive::Alive;
use crate::config::{Loaded, Plan};
use crate::hex;
use crate::http::{self, Desk, Pace, STRANGERS};
use crate::rulebook::{Rulebook, Source};
use crate::state::make_folder;
use crate::switchboard::{LoadVoice, Lost, Switchboard};
use crate::traces;

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
    /// Tells a collector of calls that are over.
    telling: Option<JoinHandle<()>>,
    /// Learns what else was written down: who is not to be called, and that everything is stopped.
    heeding: JoinHandle<()>,
    /// Tells the owner's own systems what happened.
    reporting: JoinHandle<()>,
    /// Says that it is alive, to the one after it.
    living: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts serving. Models are loaded by [`Switchboard::warm_up`], or by the first call that
    /// needs them.
    ///
    /// What must outlive the process is kept in the folder `state`.
    pub async fn start(plan: Plan, load_voice: LoadVoice, state: PathBuf) -> Result<Self, Fault> {
        let (listener, board) = open(plan, load_voice, state).await?;
        Self::serve(listener, board, None)
    }

    /// The same with a configuration from a file, which it lives by from then on: it is read again
    /// whenever it has changed. The calls that a gateway before it did not live to see the end of
    /// are taken up; those that are beyond it are to be given to [`Switchboard::settle`].
    pub async fn start_from(
        source: Source,
        loaded: Loaded,
        state: PathBuf,
    ) -> Result<(Self, Lost), Fault> {
        let load_voice = (source.voice)(&loaded.plan);
        let alive = Alive::of_folder(&state);
        let (listener, board) = open(loaded.plan, load_voice, state).await?;
        // Carriers wait in the listener's queue, and are answered once the calls are known.
        let lost = board.resume(alive.last()).await;
        // Nobody can ask for a call yet, which would be among the lost.
        board.close_lost_costs().await;
        let rulebook = Rulebook::new(source, loaded.marks, board.clone());
        let mut gateway = Self::serve(listener, board, Some(rulebook))?;
        gateway.living = Some(tokio::spawn(alive.renew()));
        Ok((gateway, lost))
    }

    fn serve(
        listener: TcpListener,
        board: Arc<Switchboard>,
        rulebook: Option<Arc<Rulebook>>,
    ) -> Result<Self, Fault> {
        let address = listener.local_addr().unwrap_or(board.plan().listen);
        let token = Secret::new(hex::random(32));
        let telling = match board.plan().telemetry.clone() {
            Some(telemetry) => {
                let (reader, last) = (board.journal().reader()?, board.journal().last());
                Some(tokio::spawn(traces::tell(reader, last, telemetry)))
            }
            None => None,
        };
        let desk = Desk {
            board: board.clone(),
            rulebook: rulebook.clone(),
            token: token.clone(),
            instance: hex::random(32),
            pace: Pace::default(),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        };
        let (heeding, reporting) = (board.clone(), board.clone());
        Ok(Self {
            address,
            token,
            board,
            serving: tokio::spawn(http::serve(listener, desk)),
            heeding: tokio::spawn(async move {
                tokio::join!(heeding.recall_opt_outs(), heeding.clone().watch_for_stop());
            }),
            watching: rulebook.clone().map(|it| tokio::spawn(it.watch())),
            rulebook,
            telling,
            reporting: tokio::spawn(reporting.report()),
            living: None,
        })
    }

    /// Stops without hanging up on anyone: begins no new calls, waits for `patience` whether those
    /// that are up end by themselves, or until it is `hurried`, and lets go of the others for the next
    /// gateway. Returns how many those are.
    pub async fn hand_over(
        mut self,
        patience: Duration,
        hurried: impl Future<Output = ()>,
    ) -> usize {
        let board = &self.board;
        tokio::select! {
            () = board.drain(patience) => {}
            () = hurried => {}
        }
        let up = board.hand_over().await;
        let flushed = board.journal().pen();
        let _ = tokio::time::timeout(FLUSHED, flushed.flush()).await;
        self.tell_the_last().await;
        up
    }

    /// Ends every call, waits for carriers to confirm, and stops.
    pub async fn close(mut self, patience: Duration) {
        self.board.hang_up_all(patience).await;
        // The calls' ends must not be lost with the process, if there is a disk to keep them.
        let flushed = self.board.journal().pen();
        let _ = tokio::time::timeout(patience, flushed.flush()).await;
        self.tell_the_last().await;
    }
}

impl Gateway {
    /// Whoever reads the calls' events has yet to be told of their ends; and reports that are under way arrive.
    async fn tell_the_last(&mut self) {
        tokio::time::sleep(LAST_NEWS).await;
        self.board.outbox().rest();
        let _ = tokio::time::timeout(LAST_REPORTS, &mut self.reporting).await;
    }
}

async fn open(
    plan: Plan,
    load_voice: LoadVoice,
    state: PathBuf,
) -> Result<(TcpListener, Arc<Switchboard>), Fault> {
    if let Some(recordings) = &plan.recordings {
        make_folder(&recordings.dir).map_err(|error| {
            let message = format!("cannot make {} for recordings", recordings.dir.display());
            Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
                .hint("change `dir` in [recordings], or grant access to it")
                .because(error)
        })?;
    }
    let listener = http::bind(plan.listen).await?;
    let board = Switchboard::new(plan, load_voice, state)?;
    Ok((listener, board))
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
        self.heeding.abort();
        self.reporting.abort();
        if let Some(watching) = &self.watching {
            watching.abort();
        }
        if let Some(telling) = &self.telling {
            telling.abort();
        }
        if let Some(living) = &self.living {
            living.abort();
        }
    }
}

/// How long a slow disk has to keep what happened last.
const FLUSHED: Duration = Duration::from_secs(8);

const LAST_NEWS: Duration = Duration::from_millis(150);
/// How long those may take that are under way.
const LAST_REPORTS: Duration = Duration::from_secs(4);
