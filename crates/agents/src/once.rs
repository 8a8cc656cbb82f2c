//! A program that is run once: it is given something to read, and judged by how it ends.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::program::{Group, usual};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It says that it did what it should.
    Well,
    /// It says that it did not, with this status; `None`: by a signal.
    Badly(Option<i32>),
    /// It could not be started.
    Unstarted,
    /// It did not end in time, and was ended.
    Late,
}

/// Runs a program and gives it something to read. No shell has a part in it. Of our variables it sees those that
/// hold no secrets, and these besides; what it writes is not read. It and all that it started are gone
/// afterwards, also where this is dropped before.
pub async fn run(
    command: &[String],
    given: &[u8],
    variables: &[(&'static str, &str)],
    patience: Duration,
) -> Ended {
    let Some((program, arguments)) = command.split_first() else {
        return Ended::Unstarted;
    };
    let started = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(usual())
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = started else {
        return Ended::Unstarted;
    };
    let _group = Group::of(&child);
    let stdin = child.stdin.take();
    let told = async {
        if let Some(mut stdin) = stdin {
            // One that ends without reading is judged by that.
            let _ = stdin.write_all(given).await;
        }
    };
    let ended = async {
        tokio::select! {
            ended = child.wait() => return ended,
            () = told => {}
        }
        child.wait().await
    };
    match timeout(patience, ended).await {
        Ok(Ok(status)) if status.success() => Ended::Well,
        Ok(Ok(status)) => Ended::Badly(status.code()),
        Ok(Err(_)) => Ended::Badly(None),
        Err(_) => Ended::Late,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, given: &[u8], patience: Duration) -> Ended {
        let command = ["sh", "-c", script].map(str::to_owned);
        run(&command, given, &[("OFFHOOK_REPORT", "r1")], patience).await
    }

    #[tokio::test]
    async fn a_program_is_judged_by_how_it_ends() {
        let patience = Duration::from_secs(20);
        let reads = "test \"$(cat)\" = words && test $OFFHOOK_REPORT = r1";
        assert_eq!(shell(reads, b"words", patience).await, Ended::Well);
        assert_eq!(
            shell("exit 3", &[b'x'; 1 << 20], patience).await,
            Ended::Badly(Some(3)),
            "it need not read"
        );
        let killed = shell("kill -9 $$", b"", patience).await;
        assert_eq!(killed, Ended::Badly(None));
        let nobody = ["/no/such/program".to_owned()];
        assert_eq!(run(&nobody, b"", &[], patience).await, Ended::Unstarted);
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended() {
        let soon = Duration::from_millis(50);
        assert_eq!(shell("cat; sleep 600", b"", soon).await, Ended::Late);
    }
}
