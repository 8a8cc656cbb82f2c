//! Asking: on the terminal or a pipe, or not at all.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};

use ports::{Blame, Fault, Secret, code};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Where answers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// From standard input, one on each line.
    Input,
    /// From flags alone: what was not given is a fault, and a permission that was not given is none.
    Nobody,
}

impl Asker {
    /// Asks until `read` can make something of the answer; `given` is the answer of a flag. An empty
    /// answer is `or`, if there is one.
    pub(super) async fn text<T>(
        self,
        flag: &str,
        question: &str,
        (given, or): (Option<&str>, Option<&str>),
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Fault> {
        if let Some(given) = given {
            return read(given).map_err(|why| unusable(flag, &why));
        }
        if self == Self::Nobody {
            return match or {
                Some(or) => read(or).map_err(|why| unusable(flag, &why)),
                None => Err(missing(flag, question)),
            };
        }
        for _ in 0..TRIES {
            let asked = match or {
                Some(or) if !or.is_empty() => format!("{question} [{or}] "),
                Some(_) | None => format!("{question} "),
            };
            let answer = line(flag, &asked, Echo::Shown).await?;
            let answer = match (answer.trim(), or) {
                ("", Some(or)) => or,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(it) => return Ok(it),
                Err(why) => prompt(format_args!("  {why}\n")),
            }
        }
        Err(unusable(flag, "it was answered wrongly too often"))
    }

    /// Asks for a secret, which does not appear on the terminal.
    pub(super) async fn secret(self, flag: &str, question: &str) -> Result<Secret, Fault> {
        if self == Self::Nobody {
            return Err(missing(flag, question));
        }
        for _ in 0..TRIES {
            let asked = format!("{question} (not shown) ");
            let answer = line(flag, &asked, Echo::Hidden).await?;
            if !answer.trim().is_empty() {
                return Ok(Secret::new(answer.trim()));
            }
        }
        Err(unusable(flag, "it stayed empty"))
    }

    /// Whether something may be done: only if it was said so, by the flag or by `yes`.
    pub(super) async fn may(self, flag: &str, question: &str, given: bool) -> bool {
        if given || self == Self::Nobody {
            return given;
        }
        let answer = line(flag, &format!("{question} [y/N] "), Echo::Shown).await;
        answer.is_ok_and(|it| matches!(it.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Waits until somebody has done something; `false`: nobody is there to do it.
    pub(super) async fn wait(self, question: &str) -> bool {
        if self == Self::Nobody {
            return false;
        }
        line("", &format!("{question} "), Echo::Shown).await.is_ok()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Echo {
    Shown,
    Hidden,
}

/// Questions go to the side, so that the output of a program stays clean.
fn prompt(text: impl Display) {
    let mut err = anstream::stderr();
    let _ = write!(err, "{text}");
    let _ = err.flush();
}

async fn line(flag: &str, asked: &str, echo: Echo) -> Result<String, Fault> {
    // Before it is asked for, since the answer may come at once.
    let hidden = (echo == Echo::Hidden).then(Hidden::new).flatten();
    prompt(asked);
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .map(|length| (length, line))
    });
    let read = tokio::select! {
        read = reading => read,
        _ = tokio::signal::ctrl_c() => return Err(unusable(flag, "it was not answered")),
    };
    let was_hidden = hidden.is_some();
    drop(hidden);
    if was_hidden {
        prompt("\n");
    }
    match read {
        Ok(Ok((1.., line))) => Ok(line),
        Ok(Ok(_) | Err(_)) | Err(_) => Err(unusable(flag, "there is no more input")),
    }
}

/// While it lives, what is typed does not appear.
struct Hidden(Termios);

impl Hidden {
    /// `None`: it is not typed.
    fn new() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut without = before.clone();
        without.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &without).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

fn missing(flag: &str, question: &str) -> Fault {
    let message = format!("{flag} is missing, and nobody is to be asked: {question}");
    Fault::new(Blame::Config, code::CONFIG_INVALID, message)
        .hint(format!("give {flag}, or leave out --non-interactive"))
}

fn unusable(flag: &str, why: &str) -> Fault {
    let message = format!("{flag}: {why}");
    Fault::new(Blame::Config, code::CONFIG_INVALID, message)
        .hint("see `offhook setup --help`; nothing was changed that was not said above")
}

/// How often one question is asked.
const TRIES: usize = 5;
