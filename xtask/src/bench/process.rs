//! A server as a child process on one core, and what Linux says it costs.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running child. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
}

/// Where a process may run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On {
    /// On this core alone, if it can be kept there.
    Core(usize),
    /// As the system sees fit.
    AnyCore,
}

/// What a process has cost so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Time on a core, in the kernel and out of it.
    pub(crate) cpu: Duration,
    /// Memory in use, in KiB.
    pub(crate) resident: u64,
}

impl Server {
    /// Starts `program`. What it would note down goes to `state`, and what it logs to a file there.
    pub(crate) fn start(
        on: On,
        program: &Path,
        arguments: &[&str],
        state: &Path,
    ) -> Result<Self, String> {
        let log = state.join("server.log");
        let log = File::create(&log)
            .map_err(|fault| format!("cannot write {}: {fault}", log.display()))?;
        let mut command = match on {
            On::Core(core) => pinned(core, program),
            On::AnyCore => Command::new(program),
        };
        command.args(arguments).env("XDG_STATE_HOME", state);
        command.stdout(Stdio::null()).stderr(log);
        Ok(Self {
            child: spawn(command, program)?,
        })
    }

    /// Starts `program` on `core` and waits for the first line it prints.
    pub(crate) fn start_speaking(
        core: usize,
        program: &Path,
        arguments: &[&str],
    ) -> Result<(Self, String), String> {
        let mut command = pinned(core, program);
        command.args(arguments).stdout(Stdio::piped());
        let mut child = spawn(command, program)?;
        let out = child.stdout.take().expect("standard output was asked for");
        let server = Self { child };
        let mut line = String::new();
        let read = BufReader::new(out).read_line(&mut line);
        read.map_err(|fault| format!("cannot read from {}: {fault}", program.display()))?;
        Ok((server, line.trim().to_owned()))
    }

    /// What it has cost so far.
    pub(crate) fn cost(&self) -> Result<Cost, String> {
        let id = self.child.id();
        let read = |file: &str| {
            let path = format!("/proc/{id}/{file}");
            fs::read_to_string(&path).map_err(|fault| format!("cannot read {path}: {fault}"))
        };
        let stat = read("stat")?;
        let status = read("status")?;
        let cost = cpu(&stat).zip(resident(&status));
        let cost = cost.map(|(cpu, resident)| Cost { cpu, resident });
        cost.ok_or_else(|| format!("process {id} has ended"))
    }

    /// Waits until it listens on `port`.
    pub(crate) fn wait_for(&mut self, port: u16) -> Result<(), String> {
        let end = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended before it listened: {status}"));
            }
            if Instant::now() > end {
                return Err(format!("the server does not listen after {START:?}"));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A child that has already ended cannot be killed, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs on `core` only, where the system can promise that.
pub(crate) fn pinned(core: usize, program: &Path) -> Command {
    if !can_pin() {
        return Command::new(program);
    }
    let mut command = Command::new(TASKSET);
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}

/// Whether processes can be kept on a core, which takes `taskset` and a second core.
pub(crate) fn can_pin() -> bool {
    let mut command = Command::new(TASKSET);
    command.args(["--cpu-list", "1", "true"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn spawn(mut command: Command, program: &Path) -> Result<Child, String> {
    let started = command.stdin(Stdio::null()).spawn();
    started.map_err(|fault| format!("cannot start {}: {fault}", program.display()))
}

/// How long `core` has been busy since the machine started, with whatever.
pub(crate) fn busy(core: usize) -> Option<Duration> {
    core_busy(&fs::read_to_string("/proc/stat").ok()?, core)
}

/// From `/proc/stat`: all of a core's time but the idle and the waiting. Guests are counted in the
/// first two.
fn core_busy(stat: &str, core: usize) -> Option<Duration> {
    let name = format!("cpu{core} ");
    let fields = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let fields = fields.split_ascii_whitespace().take(8).enumerate();
    let busy = fields.filter(|(at, _)| !matches!(at, 3 | 4));
    let ticks = busy
        .map(|(_, it)| it.parse::<u64>())
        .sum::<Result<u64, _>>()
        .ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS))
}

/// User and system time from `/proc/PID/stat`, whose second field may hold anything in brackets.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1_000 / TICKS))
}

/// Resident memory from `/proc/PID/status`.
fn resident(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let rest = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    rest.trim().trim_end_matches(" kB").parse().ok()
}

const TASKSET: &str = "taskset";
/// Linux reports times in hundredths of a second on every platform it runs on (`proc(5)`).
const TICKS: u64 = 100;
const START: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_with_brackets() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194304 500 0 0 0 150 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_core_is_busy_when_it_neither_idles_nor_waits() {
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 10 20 30 900 900 1 2 37 5 0\ncpu1 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(core_busy(stat, 0), Some(Duration::from_secs(1)));
        assert_eq!(core_busy(stat, 2), None);
    }

    #[test]
    fn memory_is_read_from_its_line() {
        let status = "Name:\ta\nVmHWM:\t   9000 kB\nVmRSS:\t    8192 kB\n";
        assert_eq!(resident(status), Some(8_192));
    }

    #[test]
    fn a_child_speaks_and_can_be_measured() {
        let command = ["-c", "echo ready; exec sleep 60"];
        let started = Server::start_speaking(0, Path::new("sh"), &command);
        let (child, line) = started.expect("every Unix has a shell");
        assert_eq!(line, "ready");
        let cost = child.cost().expect("it runs");
        assert!(cost.resident > 0);
    }
}
