//! The runtime that runs the models, loaded from the store when the first model is.

use std::path::Path;
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ports::{Blame, Fault, code};

use crate::models::Store;

/// Opens a model of the store. One thread each: the pool decides how many run at once.
pub(super) fn open(store: &Store, kept: &str) -> Result<Session, Fault> {
    let path = store.require(kept)?;
    let environment = environment(&store.require(LIBRARY)?)?;
    load(environment, &path).map_err(|wrong| {
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

fn load(environment: &Environment, path: &Path) -> ort::Result<Session> {
    // Without the arena the memory of a long utterance is given back after it.
    let cpu = ep::CPU::default().with_arena_allocator(false).build();
    Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
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
