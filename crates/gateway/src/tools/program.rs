//! A program whose tools are used: its input and output are the way to it, and it is ended with that.

use std::io;
use std::process::Stdio;

use agents::program::{Group, usual};
use ports::Secret;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A program that runs. Dropping it ends it, and all that it started.
#[derive(Debug)]
pub(super) struct Program {
    _child: Child,
    _group: Group,
}

impl Program {
    /// Starts one. It sees of our variables only those that hold no secrets, and what the owner gives it.
    pub(super) fn start(
        command: &[String],
        environment: &[(String, Secret)],
    ) -> io::Result<(Self, ChildStdout, ChildStdin)> {
        let none = || io::Error::from(io::ErrorKind::NotFound);
        let (program, arguments) = command.split_first().ok_or_else(none)?;
        let given = environment.iter().map(|(name, it)| (name, it.reveal()));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(usual())
            .envs(given)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let group = Group::of(&child);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(swallow(stderr));
        }
        let (stdin, stdout) = (stdin.ok_or_else(none)?, stdout.ok_or_else(none)?);
        let program = Self {
            _child: child,
            _group: group,
        };
        Ok((program, stdout, stdin))
    }
}

/// What a program complains of may hold what callers said: it is read, so that it can go on, and kept nowhere.
async fn swallow(mut stderr: impl AsyncRead + Unpin) {
    let mut buffer = [0; 4 * 1024];
    while let Ok(read) = stderr.read(&mut buffer).await {
        if read == 0 {
            return;
        }
    }
}
