//! Notices that the file, or one that it names for a secret, is another than before.
//!
//! Folders are watched rather than files: editors replace a file by another of its name. What is
//! noticed is only a reason to look; what counts is whether the files themselves differ. Where
//! nothing can be watched, looking now and then is enough.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::Rulebook;
use crate::config;

impl Rulebook {
    /// Reloads whenever a file has changed, until dropped.
    pub async fn watch(self: Arc<Self>) {
        let (told, mut reasons) = mpsc::channel(1);
        let mut folders = Folders::new(told);
        // What changed between the start and now is noticed too.
        let mut seen = Look::default();
        loop {
            let now = look(&self.source.path, &seen).await;
            if now != seen {
                seen = settled(&self.source.path, now).await;
                folders.watch(seen.paths(&self.source.path));
                // Why not, if not, was written down.
                let _ = self.reload().await;
                self.caught_up.send_replace(true);
            }
            let _ = tokio::time::timeout(NOW_AND_THEN, reasons.recv()).await;
            // Others may be busy in the same folder.
            tokio::time::sleep(BREATH).await;
        }
    }
}

/// Waits until nobody writes any more, and until a file that is being replaced is there again.
async fn settled(path: &Path, mut seen: Look) -> Look {
    for _ in 0..PATIENCE {
        tokio::time::sleep(QUIET).await;
        let now = look(path, &seen).await;
        let is_settled = now == seen && now.file.is_some();
        seen = now;
        if is_settled {
            break;
        }
    }
    seen
}

/// The folders that are watched.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    fn new(told: mpsc::Sender<()>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is no reason to read again.
            if event.is_ok_and(|it| !it.kind.is_access()) {
                // One reason that waits is as good as many.
                let _ = told.try_send(());
            }
        });
        let watcher = watcher.map_err(|error| {
            tracing::warn!(%error, "files cannot be watched, so changes are noticed only after some seconds");
        });
        Self {
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
        }
    }

    fn watch<'p>(&mut self, paths: impl Iterator<Item = &'p Path>) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let folders: BTreeSet<PathBuf> = paths.filter_map(folder).collect();
        for gone in self.watched.difference(&folders) {
            let _ = watcher.unwatch(gone);
        }
        self.watched.retain(|it| folders.contains(it));
        for folder in folders {
            // One that is not there cannot be watched; it is looked at now and then.
            if !self.watched.contains(&folder)
                && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(folder);
            }
        }
    }
}

fn folder(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    if folder == Path::new("") {
        return Some(PathBuf::from("."));
    }
    Some(folder.to_owned())
}

/// Which files there are, and what tells each from another that was there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    file: Option<Identity>,
    secrets: Vec<(PathBuf, Option<Identity>)>,
}

type Identity = [i64; 7];

impl Look {
    fn paths<'p>(&'p self, file: &'p Path) -> impl Iterator<Item = &'p Path> {
        let secrets = self.secrets.iter().map(|(path, _)| path.as_path());
        std::iter::once(file).chain(secrets)
    }
}

async fn look(path: &Path, before: &Look) -> Look {
    let (path, before) = (path.to_owned(), before.clone());
    let look = move || {
        let file = identity(&path);
        let named: Vec<PathBuf> = if file == before.file {
            before.secrets.into_iter().map(|(path, _)| path).collect()
        } else {
            config::named_files(&path)
        };
        let secrets = named.into_iter().map(|it| {
            let identity = identity(&it);
            (it, identity)
        });
        Look {
            file,
            secrets: secrets.collect(),
        }
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

fn identity(path: &Path) -> Option<Identity> {
    let meta = fs::metadata(path).ok()?;
    let numbers = [meta.dev(), meta.ino(), meta.size()];
    let [device, file, length] = numbers.map(u64::cast_signed);
    Some([
        device,
        file,
        length,
        meta.mtime(),
        meta.mtime_nsec(),
        // Also moves when it is decided who may read it.
        meta.ctime(),
        meta.ctime_nsec(),
    ])
}

/// So long a file must be as it is before it is read.
const QUIET: Duration = Duration::from_millis(100);
/// So many times that is waited for, at most.
const PATIENCE: usize = 20;
/// Between two looks.
const BREATH: Duration = Duration::from_millis(20);
/// How often to look although nothing was noticed.
const NOW_AND_THEN: Duration = Duration::from_secs(5);
