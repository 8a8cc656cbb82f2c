//! flite: a mouth for machines without a better one, and a caller for the demo.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ports::{Blame, Fault, code};
use tempfile::NamedTempFile;

/// Whether it is installed.
pub(super) fn present() -> bool {
    require().is_ok()
}

/// Says what to run where it is not installed.
pub(super) fn require() -> Result<(), Fault> {
    let run = Command::new("flite")
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    run.map(drop).map_err(|wrong| missing().because(wrong))
}

/// Says some text in one of flite's voices; returns the samples and their rate.
pub(super) fn say(text: &str, voice: &str) -> Result<(Vec<f32>, u32), Fault> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !line.chars().any(char::is_alphanumeric) {
        return Ok((Vec::new(), 16_000));
    }
    // The words go in through a pipe: arguments can be read by everyone on the machine. The sound
    // comes out through a file, which only we can read: it opens its output twice, and a pipe is
    // gone after the first time.
    let out = NamedTempFile::new().map_err(|wrong| failed().because(wrong))?;
    let spawned = Command::new("flite")
        .args(["-voice", voice, "-o"])
        .arg(out.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = spawned.map_err(|wrong| missing().because(wrong))?;
    let mut ask = child
        .stdin
        .take()
        .expect("its input was asked to be a pipe");
    let said = child
        .stdout
        .take()
        .expect("its output was asked to be a pipe");
    // A clause fits into the pipe, so this does not wait for it.
    let asked = ask.write_all(line.as_bytes());
    drop(ask);
    let ended = wait(said);
    // Done, or to be done with.
    let _ = child.kill();
    let _ = child.wait();
    asked.map_err(|wrong| failed().because(wrong))?;
    ended.map_err(|wrong| failed().because(wrong))?;
    let wav = fs::read(out.path()).map_err(|wrong| failed().because(wrong))?;
    samples(&wav).ok_or_else(failed)
}

/// Waits until a process closes its output: it has ended.
fn wait(mut said: impl Read + Send + 'static) -> Result<(), RecvTimeoutError> {
    let (tx, ended) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let read = said.read_to_end(&mut Vec::new());
        // Nobody listens any more when it took too long.
        let _ = tx.send(read.is_ok());
    });
    ended.recv_timeout(PATIENCE).map(drop)
}

/// What a WAV file of 16-bit mono holds.
fn samples(wav: &[u8]) -> Option<(Vec<f32>, u32)> {
    let mut rest = wav.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WAVE")?;
    let mut rate = 0;
    loop {
        let (name, after) = rest.split_at_checked(4)?;
        let (size, after) = after.split_at_checked(4)?;
        let size = u32::from_le_bytes(size.try_into().ok()?) as usize;
        if name == b"fmt " {
            rate = u32::from_le_bytes(after.get(4..8)?.try_into().ok()?);
        }
        if name == b"data" {
            let data = after.get(..size).unwrap_or(after);
            let sample = |two: &[u8]| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0;
            return Some((data.chunks_exact(2).map(sample).collect(), rate));
        }
        rest = after.get(size..)?;
    }
}

fn missing() -> Fault {
    Fault::new(
        Blame::Config,
        code::SPEECH_MODEL_MISSING,
        "flite is not installed",
    )
    .hint("run `sudo apt-get install -y flite`")
}

fn failed() -> Fault {
    Fault::new(
        Blame::Gateway,
        code::SPEECH_FAILED,
        "flite did not make sound",
    )
}

const PATIENCE: Duration = Duration::from_secs(10);
