//! Ears and mouth: loaded once, and replaced by others only when those are ready.

use std::sync::{Arc, PoisonError, RwLock};

use ports::speech::Voice;
use ports::{Blame, Fault, code};
use tokio::sync::OnceCell;

use super::LoadVoice;

/// The ears and the mouth that new calls get.
pub(super) struct Voices(RwLock<State>);

struct State {
    used: Arc<Loading>,
    /// What is to be used once it is loaded, if that is something else.
    wanted: Arc<Loading>,
}

struct Loading {
    load: LoadVoice,
    loaded: OnceCell<Voice>,
}

impl Voices {
    pub(super) fn new(load: LoadVoice) -> Self {
        let used = Arc::new(Loading::new(load));
        let wanted = used.clone();
        Self(RwLock::new(State { used, wanted }))
    }

    /// Ears and mouth. May take the seconds it takes to load them.
    pub(super) async fn get(&self) -> Result<Voice, Fault> {
        let used = self.read(|it| it.used.clone());
        used.get().await
    }

    pub(super) fn are_loaded(&self) -> bool {
        self.read(|it| it.used.loaded.initialized())
    }

    /// From now on others are wanted. Where none were loaded yet there is nothing to wait for.
    pub(super) fn want(&self, load: LoadVoice) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.wanted = Arc::new(Loading::new(load));
        if !state.used.loaded.initialized() {
            state.used = state.wanted.clone();
        }
    }

    /// Loads what is wanted and uses it, unless something else was wanted meanwhile.
    ///
    /// # Errors
    /// It cannot be loaded. Then what was used is used on.
    pub(super) async fn fulfil(&self) -> Result<(), Fault> {
        let wanted = self.read(|it| it.wanted.clone());
        wanted.get().await?;
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&state.wanted, &wanted) {
            state.used = wanted;
        }
        Ok(())
    }

    fn read<T>(&self, what: impl FnOnce(&State) -> T) -> T {
        what(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Loading {
    fn new(load: LoadVoice) -> Self {
        Self {
            load,
            loaded: OnceCell::new(),
        }
    }

    async fn get(&self) -> Result<Voice, Fault> {
        let load = || async {
            let load = self.load.clone();
            let loaded = tokio::task::spawn_blocking(move || load()).await;
            loaded.unwrap_or_else(|error| {
                Err(Fault::new(
                    Blame::Gateway,
                    code::SPEECH_MODEL_BROKEN,
                    "loading the speech models broke",
                )
                .because(error))
            })
        };
        self.loaded.get_or_try_init(load).await.cloned()
    }
}
