//! The runtime that runs the models, loaded from the store when the first model is.

use std::path::Path;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, mpsc};
use std::thread;
use std::time::Duration;

use ort::environment::Environment;
use ort::ep;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputs, SessionOutputs};
use ports::{Blame, Fault, code};

use crate::models::Store;

/// A model, loaded.
pub(super) struct Model(Session);

impl Model {
    /// Runs it once.
    pub(super) fn run<'s, 'i, 'v: 'i, const N: usize>(
        &'s mut self,
        inputs: impl Into<SessionInputs<'i, 'v, N>>,
    ) -> ort::Result<SessionOutputs<'s>> {
        let _busy = busy();
        self.0.run(inputs)
    }
}

/// Held for reading by whoever is inside the runtime, and for good by whoever ends the process.
static BUSY: RwLock<()> = RwLock::new(());

fn busy() -> RwLockReadGuard<'static, ()> {
    BUSY.read().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until nobody is inside the runtime any more, and lets nobody in again: a process that
/// ends while a model is being loaded or run takes the runtime apart under it, and crashes.
pub(crate) fn rest(patience: Duration) {
    let (tx, rested) = mpsc::channel();
    thread::spawn(move || {
        let all = BUSY.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::forget(all);
        // Nobody may be waiting any more.
        let _ = tx.send(());
    });
    let _ = rested.recv_timeout(patience);
}

/// Opens a model of the store. One thread each: the pool decides how many run at once.
pub(super) fn open(store: &Store, kept: &str) -> Result<Model, Fault> {
    open_with(store, kept, GraphOptimizationLevel::Level3)
}

/// The same for a model that is better loaded fast than rewritten to run faster.
pub(super) fn open_fast(store: &Store, kept: &str) -> Result<Model, Fault> {
    open_with(store, kept, GraphOptimizationLevel::Level1)
}

fn open_with(store: &Store, kept: &str, level: GraphOptimizationLevel) -> Result<Model, Fault> {
    let path = store.require(kept)?;
    let library = store.require(LIBRARY)?;
    let _busy = busy();
    let loaded = load(environment(&library)?, &path, level).map(Model);
    loaded.map_err(|wrong| {
        Fault::new(
            Blame::Config,
            code::SPEECH_MODEL_BROKEN,
            format!("the speech model {kept} cannot be loaded"),
        )
        .because(wrong)
        .hint("run `offhook models verify`")
    })
}

/// A model failed while running.
pub(super) fn failed(wrong: ort::Error) -> Fault {
    Fault::new(
        Blame::Gateway,
        code::SPEECH_FAILED,
        "a speech model failed while running",
    )
    .because(wrong)
}

fn load(
    environment: &Environment,
    path: &Path,
    level: GraphOptimizationLevel,
) -> ort::Result<Session> {
    // Without the arena the memory of a long utterance is given back after it.
    let cpu = ep::CPU::default().with_arena_allocator(false).build();
    Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_optimization_level(level)?
        .with_execution_providers([cpu])?
        .commit_from_file(path)
}

/// The runtime can be loaded once in a process; the first store that is used provides it.
fn environment(library: &Path) -> Result<&'static Environment, Fault> {
    static LOADED: OnceLock<Result<Environment, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let found = ort::init_from(library).map_err(|wrong| wrong.to_string())?;
        let built = found.with_telemetry(false).build();
        let environment = built.map_err(|wrong| wrong.to_string())?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        Ok(environment)
    });
    loaded.as_ref().map_err(|wrong| {
        Fault::new(
            Blame::Config,
            code::SPEECH_MODEL_BROKEN,
            "the runtime of the speech models cannot be loaded",
        )
        .because(wrong.clone())
        .hint("run `offhook models verify`; the runtime needs glibc 2.28 or later")
    })
}

const LIBRARY: &str = "onnxruntime/libonnxruntime.so";
