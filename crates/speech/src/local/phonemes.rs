//! Letters to sounds, by espeak-ng, kept as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use ports::{Blame, Fault, code};

/// One espeak-ng. It answers each line of text with a line of IPA for each of its clauses and then
/// an empty line, at once, so one process serves for ever; if it does not answer, another is started.
pub(super) struct Phonemes {
    alive: Option<Process>,
}

struct Process {
    child: Child,
    ask: ChildStdin,
    answers: Receiver<String>,
    /// What [`STOP`] sounds like to this version of it.
    stop: String,
}

impl Phonemes {
    /// Starts it.
    pub(super) fn start() -> Result<Self, Fault> {
        Ok(Self {
            alive: Some(Process::start()?),
        })
    }

    /// The IPA of some text, with its commas and its end mark where the text has them. Empty if
    /// there is nothing to pronounce.
    pub(super) fn of(&mut self, text: &str) -> Result<String, Fault> {
        let words = text
            .split_whitespace()
            .filter(|word| !word.to_lowercase().contains(STOP));
        let line = words.collect::<Vec<_>>().join(" ");
        if !line.chars().any(char::is_alphanumeric) {
            return Ok(String::new());
        }
        let clauses = match self.ask(&line) {
            Ok(clauses) => clauses,
            // It may have died since the last time; a second failure is a fault.
            Err(_) => {
                self.alive = None;
                self.ask(&line)?
            }
        };
        Ok(join(&clauses, &line))
    }

    fn ask(&mut self, line: &str) -> Result<Vec<String>, Fault> {
        let mut process = match self.alive.take() {
            Some(process) => process,
            None => Process::start()?,
        };
        let clauses = process.ask(line)?;
        self.alive = Some(process);
        Ok(clauses)
    }
}

impl Process {
    fn start() -> Result<Self, Fault> {
        let spawned = Command::new("espeak-ng")
            .args(["-q", "--ipa", "-v", "en-us"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = spawned.map_err(|wrong| {
            Fault::new(
                Blame::Config,
                code::SPEECH_MODEL_MISSING,
                "espeak-ng is not installed, and the voice needs it to pronounce words",
            )
            .because(wrong)
            .hint("run `sudo apt-get install -y espeak-ng`")
        })?;
        let ask = child
            .stdin
            .take()
            .expect("its input was asked to be a pipe");
        let out = child
            .stdout
            .take()
            .expect("its output was asked to be a pipe");
        let (tx, answers) = mpsc::sync_channel(64);
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if tx.send(line).is_err() {
                    return;
                }
            }
        });
        let stop = String::new();
        let mut process = Self {
            child,
            ask,
            answers,
            stop,
        };
        process.send("")?;
        process.stop = process.next(Instant::now() + STARTING)?;
        Ok(process)
    }

    /// The clauses of one line, in IPA.
    fn ask(&mut self, line: &str) -> Result<Vec<String>, Fault> {
        self.send(line)?;
        let until = Instant::now() + PATIENCE;
        let mut clauses = Vec::new();
        loop {
            let answer = self.next(until)?;
            if answer == self.stop {
                return Ok(clauses);
            }
            clauses.push(answer);
        }
    }

    /// The empty line makes it answer now; the word after it marks where the answer ends, since it
    /// answers some text with nothing and some with several lines.
    fn send(&mut self, line: &str) -> Result<(), Fault> {
        let sent = write!(self.ask, "{line}\n\n{STOP}\n\n").and_then(|()| self.ask.flush());
        sent.map_err(|wrong| lost().because(wrong))
    }

    /// The next line that is not empty.
    fn next(&self, until: Instant) -> Result<String, Fault> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.answers.recv_timeout(left);
            let line = line.map_err(|wrong| lost().because(wrong))?;
            if !line.trim().is_empty() {
                return Ok(line.trim().to_owned());
            }
        }
    }
}

fn lost() -> Fault {
    Fault::new(
        Blame::Gateway,
        code::SPEECH_FAILED,
        "espeak-ng does not answer",
    )
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives clauses back the marks that espeak-ng took out between them.
fn join(clauses: &[String], text: &str) -> String {
    let marks = marks(text);
    let mut out = String::new();
    for (n, clause) in clauses.iter().enumerate() {
        out.push_str(clause);
        let last = n + 1 == clauses.len();
        let mark = if marks.len() == clauses.len() {
            marks[n]
        } else if last {
            marks.last().copied().unwrap_or('.')
        } else {
            ','
        };
        out.push(mark);
        if !last {
            out.push(' ');
        }
    }
    out
}

/// The marks that end clauses: those before a space or the end.
fn marks(text: &str) -> Vec<char> {
    let mut marks = Vec::new();
    let mut open = false;
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        open |= it.is_alphanumeric();
        let ends = rest.peek().is_none_or(|next| next.is_whitespace());
        if open && ends && MARKS.contains(&it) {
            marks.push(it);
            open = false;
        }
    }
    if open {
        marks.push('.');
    }
    marks
}

const MARKS: [char; 6] = ['.', ',', ';', ':', '!', '?'];
const PATIENCE: Duration = Duration::from_secs(3);
/// A machine that is busy starting everything else takes its time, and without it there is no voice.
const STARTING: Duration = Duration::from_secs(15);
/// A word nobody says.
const STOP: &str = "zyzzyx";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_end_clauses_and_not_numbers() {
        assert_eq!(marks("It is 3.5, or so; call me!"), vec![',', ';', '!']);
        assert_eq!(marks("no mark"), vec!['.']);
        assert_eq!(marks("Really?!"), vec!['!']);
    }
}
