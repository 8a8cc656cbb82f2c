//! When a gateway was last alive: a file that it touches a few times a second.
//!
//! Nothing but its time is of use, and that outlives the process and not the machine: a gateway that
//! was killed says with it how long there has been none.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Alive(PathBuf);

impl Alive {
    /// That of a folder of state.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        Self(folder.join("alive"))
    }

    /// When it was touched last. `None`: never, or the clock was set back since.
    pub(crate) fn last(&self) -> Option<SystemTime> {
        let touched = fs::metadata(&self.0).and_then(|it| it.modified()).ok()?;
        (touched <= SystemTime::now()).then_some(touched)
    }

    /// Touches it until dropped. Where it cannot be, gaps are counted from further back.
    pub(crate) async fn renew(self) {
        let mut often = interval(OFTEN);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Ok(file) = open(&self.0) else {
            return;
        };
        loop {
            often.tick().await;
            // The time of a file that is open: nothing waits for a disk.
            let _ = file.set_modified(SystemTime::now());
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

const OFTEN: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_tells_when_it_was_touched_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let alive = Alive::of_folder(folder.path());
        assert_eq!(alive.last(), None);
        let before = SystemTime::now() - Duration::from_secs(1);
        let renewing = tokio::spawn(alive.clone().renew());
        tokio::time::sleep(Duration::from_secs(1)).await;
        renewing.abort();
        assert!(alive.last().is_some_and(|it| it > before));
    }
}
