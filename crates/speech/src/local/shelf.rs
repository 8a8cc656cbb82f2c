//! Loaded models, lent to one thread at a time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use ports::Fault;

/// A few copies of one model. The first is loaded when it is first wanted, each further one in the
/// background when all are lent out, so that memory grows with what is really done at once.
pub(super) struct Shelf<T> {
    load: Box<dyn Fn() -> Result<T, Fault> + Send + Sync>,
    state: Mutex<State<T>>,
    back: Condvar,
}

struct State<T> {
    idle: Vec<T>,
    /// Idle, lent out, or being loaded.
    copies: usize,
    most: usize,
}

impl<T: Send + 'static> Shelf<T> {
    /// Nothing is loaded yet.
    pub(super) fn new(
        most: usize,
        load: impl Fn() -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let state = State {
            idle: Vec::new(),
            copies: 0,
            most: most.max(1),
        };
        Arc::new(Self {
            load: Box::new(load),
            state: Mutex::new(state),
            back: Condvar::new(),
        })
    }

    /// Works with a copy, waiting for one if need be.
    pub(super) fn with<R>(self: &Arc<Self>, work: impl FnOnce(&mut T) -> R) -> Result<R, Fault> {
        let mut lent = Lent {
            shelf: self,
            copy: Some(self.take()?),
        };
        let copy = lent.copy.as_mut().expect("only dropping takes the copy");
        Ok(work(copy))
    }

    /// Loads the first copy, if none is.
    pub(super) fn warm(self: &Arc<Self>) -> Result<(), Fault> {
        self.with(|_| ())
    }

    fn take(self: &Arc<Self>) -> Result<T, Fault> {
        let mut state = self.lock();
        loop {
            if let Some(copy) = state.idle.pop() {
                return Ok(copy);
            }
            if state.copies == 0 {
                state.copies = 1;
                drop(state);
                return (self.load)().inspect_err(|_| self.gone());
            }
            if state.copies < state.most {
                state.copies += 1;
                let shelf = Arc::clone(self);
                thread::spawn(move || shelf.add());
            }
            let waited = self.back.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(&self) {
        match (self.load)() {
            Ok(copy) => self.put(copy),
            Err(fault) => {
                tracing::warn!(
                    code = fault.code,
                    "a further copy of a model cannot be loaded"
                );
                let mut state = self.lock();
                state.copies -= 1;
                // The copies there are must do.
                state.most = state.copies.max(1);
                self.back.notify_one();
            }
        }
    }

    fn put(&self, copy: T) {
        self.lock().idle.push(copy);
        self.back.notify_one();
    }

    fn gone(&self) {
        self.lock().copies -= 1;
        self.back.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a copy back, unless the work with it went so wrong that it cannot be trusted.
struct Lent<'a, T: Send + 'static> {
    shelf: &'a Arc<Shelf<T>>,
    copy: Option<T>,
}

impl<T: Send + 'static> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        match self.copy.take() {
            Some(copy) if !thread::panicking() => self.shelf.put(copy),
            Some(_) | None => self.shelf.gone(),
        }
    }
}
