//! A program that is run, with pipes to it. It and whatever it started are ended with it.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use call::{Direction, Number, TurnId};
use ports::agent::{Introduction, Objective};
use ports::{Fault, Link, pair};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::patience::unreachable;
use crate::program::{Group, usual};

/// Which program, and what it is given.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// Where it runs, if not where we do.
    pub(super) folder: Option<String>,
    /// The names of variables of ours that it may see, besides the usual ones.
    pub(super) environment: Vec<String>,
}

/// What a program writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// So much of its output, cut anywhere.
    Bytes(Vec<u8>),
    /// It has ended, well or not.
    Ended(Well),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Well {
    Yes,
    /// With this status, where it was not ended by a signal.
    No(Option<i32>),
}

/// A program that runs. What is sent is written to it; who drops the way there closes its input, and who drops all
/// of it ends the program.
pub(super) type Running = Link<String, Wrote>;

impl Program {
    /// Starts it for a call, or one turn of it.
    pub(super) fn start(
        &self,
        call: &Introduction,
        turn: Option<TurnId>,
    ) -> Result<Running, Fault> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(unreachable("has no program"));
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.seen())
            .envs(told(call, turn))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let child = command.spawn().map_err(|error| {
            unreachable("could not be started")
                .hint("look at the agent's `command`: its first string is the program")
                .because(error)
        })?;
        let (near, far) = pair(QUEUE);
        tokio::spawn(run(child, far, call.call.clone()));
        Ok(near)
    }

    /// Of our own variables. The others may hold secrets.
    fn seen(&self) -> impl Iterator<Item = (&str, OsString)> {
        let named = self.environment.iter().map(String::as_str);
        let named = named.filter_map(|name| Some((name, std::env::var_os(name)?)));
        let usual = usual().map(|(name, it)| -> (&str, OsString) { (name, it) });
        usual.chain(named)
    }
}

/// What a program is told of its call.
fn told(call: &Introduction, turn: Option<TurnId>) -> impl Iterator<Item = (&'static str, String)> {
    let direction = match call.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    let told = [
        ("OFFHOOK_CALL", Some(call.call.clone())),
        ("OFFHOOK_TURN", turn.map(|it| it.0.to_string())),
        ("OFFHOOK_DIRECTION", Some(direction.to_owned())),
        (
            "OFFHOOK_CALLER",
            call.caller.as_ref().map(|it| Number::as_str(it).to_owned()),
        ),
        ("OFFHOOK_CONTACT", call.contact.clone()),
        ("OFFHOOK_TRUST", Some(call.trust.as_str().to_owned())),
        ("OFFHOOK_NUMBER", Some(call.number.as_str().to_owned())),
        (
            "OFFHOOK_OBJECTIVE",
            call.objective.as_ref().map(|it| it.goal.reveal().clone()),
        ),
        (
            "OFFHOOK_BRIEF",
            call.objective
                .as_ref()
                .and_then(Objective::brief)
                .map(|it| it.to_string()),
        ),
    ];
    // A variable cannot hold this sign, and a program with one could not be started.
    told.into_iter()
        .filter_map(|(name, value)| Some((name, value?.replace('\0', ""))))
}

/// Carries to a program and from it, until it ends or nobody is interested any more.
async fn run(mut child: Child, mut link: Link<Wrote, String>, call: String) {
    let _group = Group::of(&child);
    let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(log(stderr, call));
    }
    let Some(mut stdout) = stdout else { return };
    let mut buffer = vec![0; CHUNK];
    loop {
        tokio::select! {
            written = link.rx.recv(), if stdin.is_some() => {
                stdin = match (written, stdin.take()) {
                    (Some(text), Some(into)) => write(into, text).await,
                    (None, _) | (_, None) => None,
                };
                if stdin.is_none() && link.tx.is_closed() {
                    break;
                }
            }
            read = stdout.read(&mut buffer) => {
                let read = read.unwrap_or(0);
                // One that closes its output without ending has nothing to say any more.
                if read == 0 || link.tx.send(Wrote::Bytes(buffer[..read].to_vec())).await.is_err() {
                    break;
                }
            }
            () = link.tx.closed() => break,
        }
    }
    drop(stdin);
    // It may have something to put away.
    let ended = match timeout(GRACE, child.wait()).await {
        Ok(Ok(status)) if status.success() => Well::Yes,
        Ok(Ok(status)) => Well::No(status.code()),
        Ok(Err(_)) | Err(_) => Well::No(None),
    };
    let _ = link.tx.send(Wrote::Ended(ended)).await;
}

/// Writes it, unless the program reads no more.
async fn write(mut stdin: ChildStdin, text: String) -> Option<ChildStdin> {
    let written = async {
        stdin.write_all(text.as_bytes()).await?;
        stdin.flush().await
    };
    match timeout(GRACE, written).await {
        Ok(Ok(())) => Some(stdin),
        Ok(Err(_)) | Err(_) => None,
    }
}

/// What a program complains of, for whoever looks into it.
async fn log(stderr: impl AsyncRead + Unpin, call: String) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut stderr)
            .take(LONGEST_COMPLAINT)
            .read_until(b'\n', &mut line)
            .await;
        if !matches!(read, Ok(read) if read > 0) {
            return;
        }
        let line = String::from_utf8_lossy(&line);
        tracing::debug!(%call, "an agent complains: {}", line.trim_end());
    }
}

const QUEUE: usize = 64;
const CHUNK: usize = 8 * 1024;
/// How long a program may take to end by itself, or to read what it is told.
const GRACE: Duration = Duration::from_secs(2);
const LONGEST_COMPLAINT: u64 = 4 * 1024;
