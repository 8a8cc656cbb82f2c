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
    /// It can speak.
    loaded: OnceCell<Voice>,
    /// It can hear too.
    warm: OnceCell<()>,
}

impl Voices {
    pub(super) fn new(load: LoadVoice) -> Self {
        let used = Arc::new(Loading::new(load));
        let wanted = used.clone();
        Self(RwLock::new(State { used, wanted }))
    }

    /// Ears and mouth, as soon as it can speak. May take the seconds it takes to load that.
    pub(super) async fn get(&self) -> Result<Voice, Fault> {
        let used = self.read(|it| it.used.clone());
        used.get().await
    }

    /// Loads all of it.
    pub(super) async fn warm_up(&self) -> Result<(), Fault> {
        let used = self.read(|it| it.used.clone());
        used.warm_up().await
    }

    pub(super) fn are_loaded(&self) -> bool {
        self.read(|it| it.used.warm.initialized())
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
        wanted.warm_up().await?;
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
            warm: OnceCell::new(),
        }
    }

    async fn warm_up(&self) -> Result<(), Fault> {
        let voice = self.get().await?;
        let warm = self.warm.get_or_try_init(|| voice.ears.warm());
        warm.await.copied()
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use ports::speech::{Hearing, Listen, Speak, Spoken, Synthesizer, Transcriber};
    use ports::{Link, pair};

    use super::*;

    struct Mute;

    #[async_trait::async_trait]
    impl Transcriber for Mute {
        async fn open(&self, _: &str, _: media::Rate) -> Result<Link<Listen, Hearing>, Fault> {
            Ok(pair(1).0)
        }
    }

    #[async_trait::async_trait]
    impl Synthesizer for Mute {
        async fn open(&self, _: media::Rate) -> Result<Link<Speak, Spoken>, Fault> {
            Ok(pair(1).0)
        }
    }

    fn voice() -> Voice {
        let mute = Arc::new(Mute);
        Voice {
            ears: mute.clone(),
            mouth: mute,
            detector: None,
        }
    }

    fn same(one: &Voice, other: &Voice) -> bool {
        Arc::ptr_eq(&one.mouth, &other.mouth)
    }

    fn broken() -> LoadVoice {
        let fault = || Fault::new(Blame::Config, code::SPEECH_MODEL_MISSING, "it is not there");
        Arc::new(move || Err(fault()))
    }

    #[tokio::test]
    async fn the_old_voice_serves_until_the_new_one_is_loaded() {
        let voices = Arc::new(Voices::new(Arc::new(|| Ok(voice()))));
        let old = voices.get().await.expect("it loads");
        let (go, wait) = mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        voices.want(Arc::new(move || {
            let wait = wait.lock().expect("one loads it");
            wait.recv().expect("the test lets it");
            Ok(voice())
        }));
        let fulfilling = tokio::spawn({
            let voices = voices.clone();
            async move { voices.fulfil().await }
        });
        assert!(same(&voices.get().await.expect("it is loaded"), &old));
        go.send(()).expect("it waits");
        let fulfilled = fulfilling.await.expect("it does not break");
        fulfilled.expect("it loads");
        assert!(!same(&voices.get().await.expect("it is loaded"), &old));
    }

    #[tokio::test]
    async fn a_voice_that_cannot_be_loaded_changes_nothing_and_is_tried_again() {
        let voices = Voices::new(Arc::new(|| Ok(voice())));
        voices.warm_up().await.expect("it loads");
        let old = voices.get().await.expect("it is loaded");
        voices.want(broken());
        let fault = voices.fulfil().await.expect_err("it cannot be loaded");
        assert_eq!(fault.code, code::SPEECH_MODEL_MISSING);
        assert!(same(&voices.get().await.expect("it is loaded"), &old));
        assert!(voices.are_loaded());
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = tries.clone();
        voices.want(Arc::new(move || {
            if counted.fetch_add(1, Ordering::Relaxed) == 0 {
                return broken()();
            }
            Ok(voice())
        }));
        voices.fulfil().await.expect_err("the first time");
        voices.fulfil().await.expect("the second time");
        assert!(!same(&voices.get().await.expect("it is loaded"), &old));
    }

    #[tokio::test]
    async fn where_nothing_was_loaded_there_is_nothing_to_wait_for() {
        let voices = Voices::new(broken());
        voices.want(Arc::new(|| Ok(voice())));
        assert!(!voices.are_loaded());
        voices.get().await.expect("the wanted one loads");
    }
}
