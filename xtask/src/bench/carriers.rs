//! What each carrier's calls cost beside another's: the same echo test over the wire of every one, on
//! the same core in turn.
//!
//! The callers are the exchange's, and so is the configuration that a gateway needs for them. All
//! calls carry the same narrow sound, so what differs is the carrier's dialect.

use std::fmt;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::echo::{self, Figures, Place, SERVER_CORE, Turn, free_port};
use super::process::{On, Server};
use super::table::{Goal, Row, quantile};

/// How much to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Load {
    /// Calls at once.
    #[arg(long, default_value_t = Self::default().calls)]
    calls: u32,
    /// How long each lasts once all are up.
    #[arg(long, default_value_t = Self::default().seconds, value_parser = clap::value_parser!(u32).range(3..))]
    seconds: u32,
    /// How often each carrier has its turn.
    #[arg(long, default_value_t = Self::default().rounds, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            calls: 300,
            seconds: 10,
            rounds: 5,
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        echo::Load::from(*self).fmt(f)
    }
}

impl From<Load> for echo::Load {
    fn from(load: Load) -> Self {
        Self {
            calls: load.calls,
            seconds: load.seconds,
            rounds: load.rounds,
        }
    }
}

/// One carrier's figures beside the reference's.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) carrier: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// One carrier's turns.
struct Turns {
    carrier: &'static str,
    turns: Vec<Turn>,
    /// Gaps in what the callers were sent, in all turns.
    underruns: u64,
}

/// Measures all carriers in turn, and a bare echo before each round.
pub(crate) fn measure(release: &Path, load: Load) -> Result<Vec<Measured>, String> {
    let (place, load) = (Place::new(release)?, echo::Load::from(load));
    let mut bare = Vec::new();
    let mut carriers: Vec<Turns> = [REFERENCE]
        .iter()
        .chain(OTHERS)
        .map(|carrier| Turns {
            carrier,
            turns: Vec::new(),
            underruns: 0,
        })
        .collect();
    for round in 1..=load.rounds {
        eprintln!("carriers: round {round} of {}: bare", load.rounds);
        bare.push(place.bare(load)?);
        for it in &mut carriers {
            let (turn, underruns) = played(&place, it.carrier, load)?;
            eprintln!(
                "carriers: round {round} of {}: {}, {:.0} µs per call-second, {} frames lost, {underruns} underruns, {:.1} % of the core taken by others",
                load.rounds,
                it.carrier,
                turn.cpu_us(),
                turn.lost(),
                turn.others()
            );
            it.turns.push(turn);
            it.underruns += underruns;
        }
    }
    let bare = Figures::of(&bare);
    let (reference, others) = carriers.split_first().expect("there is a reference");
    let beside = |it: &Turns| Measured {
        carrier: it.carrier,
        rows: rows(load, it, reference, &bare),
    };
    Ok(others.iter().map(beside).collect())
}

/// One carrier's turn, and how many gaps there were in what its callers were sent.
fn played(place: &Place<'_>, carrier: &str, load: echo::Load) -> Result<(Turn, u64), String> {
    let (port, api) = (free_port()?, format!("127.0.0.1:{}", free_port()?));
    let state = place.scratch().join("carriers");
    // What another turn left behind would be taken up again.
    let _ = fs::remove_dir_all(&state);
    let config = state.join("offhook.toml");
    let text = echo::configuration_of(carrier, &table(place, carrier, &api)?, port, load);
    let written = fs::create_dir_all(&state).and_then(|()| fs::write(&config, text));
    written.map_err(|fault| format!("cannot write {}: {fault}", config.display()))?;
    let config = config.display().to_string();
    let program = place.release().join("offhook");
    let arguments = ["serve", "--config", &config];
    let mut server = Server::start(On::Core(SERVER_CORE), &program, &arguments, &state)?;
    server.wait_for(port)?;
    let gateway = format!("http://127.0.0.1:{port}");
    let callers = ["--carrier", carrier, "--listen", &api];
    let turn = place.turn(&server, load, &gateway, &callers)?;
    let underruns = underruns(&state, port);
    let underruns = underruns.map_err(|fault| format!("cannot ask for the metrics: {fault}"))?;
    Ok((turn, underruns))
}

/// What a gateway's configuration says of a carrier whose API is at `api`, in the exchange's own words.
fn table(place: &Place<'_>, carrier: &str, api: &str) -> Result<String, String> {
    let program = place.release().join("exchange");
    let arguments = ["serve", "--json", "--carrier", carrier, "--listen", api];
    let (_, line) = Server::start_speaking(SERVER_CORE, &program, &arguments)?;
    let said: Value = serde_json::from_str(&line)
        .map_err(|fault| format!("the exchange makes no sense: {fault}: {line}"))?;
    let table = said["configuration"].as_str();
    let table = table.ok_or_else(|| format!("the exchange says no configuration: {line}"))?;
    Ok(table.to_owned())
}

/// How many gaps the gateway has counted, once it has counted those of the last call.
fn underruns(state: &Path, port: u16) -> std::io::Result<u64> {
    let note = fs::read(state.join("offhook/gateway.json"))?;
    let note: Value = serde_json::from_slice(&note)?;
    let token = note["token"].as_str().unwrap_or_default();
    std::thread::park_timeout(COUNTING);
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    counted(&answer).ok_or_else(|| std::io::Error::other("underruns are not among them"))
}

fn counted(metrics: &str) -> Option<u64> {
    let mut lines = metrics.lines();
    lines.find_map(|line| line.strip_prefix(UNDERRUNS)?.trim().parse().ok())
}

fn rows(load: echo::Load, it: &Turns, reference: &Turns, bare: &Figures) -> Vec<Row> {
    let (ours, theirs) = (Figures::of(&it.turns), Figures::of(&reference.turns));
    let row = |what, of: &dyn Fn(&Figures) -> f64, goal| {
        Row::with_reference(what, of(&ours), of(&theirs), goal)
    };
    let ratios = ratios(&it.done(), &reference.done());
    vec![
        row(
            "calls that came about",
            &|it| f64::from(it.calls),
            Goal::AtLeast(load.calls.into()),
        ),
        row("CPU per call-second, µs", &|it| it.cpu_us, Goal::None),
        Row::new(
            &format!("CPU, times {}'s", reference.carrier),
            quantile(0.5, ratios.iter().copied()),
            Goal::AtMost(1.2),
        ),
        Row::with_reference(
            "rounds that count",
            ratios.len() as f64,
            load.rounds.into(),
            Goal::None,
        ),
        row(
            "CPU, times the bare echo",
            &|it| it.cpu_us / bare.cpu_us,
            Goal::None,
        ),
        row(
            "added latency p50, ms",
            &|it| it.p50_ms - bare.p50_ms,
            Goal::None,
        ),
        row(
            "added latency p99, ms",
            &|it| it.p99_ms - bare.p99_ms,
            Goal::None,
        ),
        row("callers late p99, ms", &|it| it.late_ms, Goal::None),
        row("core taken by others, %", &|it| it.others, Goal::None),
        row("frames sent", &|it| it.frames as f64, Goal::None),
        row("frames lost", &|it| it.lost as f64, Goal::None),
        Row::with_reference(
            "underruns",
            it.underruns as f64,
            reference.underruns as f64,
            Goal::None,
        ),
    ]
}

/// What each turn cost beside the reference's of the same round, when the machine was much the same.
///
/// Whoever is kept from the core loses frames and has less to do, so only rounds count in which none was
/// lost on either side; all of them, if there is no such round.
fn ratios(turns: &[Done], reference: &[Done]) -> Vec<f64> {
    let rounds = || turns.iter().zip(reference);
    let ratio = |(it, reference): (&Done, &Done)| it.cpu_us / reference.cpu_us;
    let whole = rounds().filter(|(it, reference)| it.lost + reference.lost == 0);
    let whole: Vec<f64> = whole.map(ratio).collect();
    if whole.is_empty() {
        rounds().map(ratio).collect()
    } else {
        whole
    }
}

/// What a turn cost, and how much of its work was left undone.
#[derive(Clone, Copy, Debug)]
struct Done {
    cpu_us: f64,
    lost: u64,
}

impl Turns {
    fn done(&self) -> Vec<Done> {
        let done = |it: &Turn| Done {
            cpu_us: it.cpu_us(),
            lost: it.lost(),
        };
        self.turns.iter().map(done).collect()
    }
}

/// The carrier that the others stand beside.
pub(crate) const REFERENCE: &str = "twilio";
const OTHERS: &[&str] = &["telnyx", "plivo"];
const UNDERRUNS: &str = "offhook_media_underruns_total ";
/// The last calls end after their callers have.
const COUNTING: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_with_lost_frames_count_only_where_there_are_no_others() {
        let done = |cpu_us, lost| Done { cpu_us, lost };
        let reference = [done(100.0, 0), done(100.0, 7), done(200.0, 0)];
        let turns = [done(110.0, 0), done(300.0, 0), done(100.0, 9)];
        assert_eq!(ratios(&turns, &reference), [1.1]);
        assert_eq!(ratios(&turns[1..], &reference[1..]), [3.0, 0.5]);
    }

    #[test]
    fn a_counter_is_found_among_the_metrics() {
        let metrics = "HTTP/1.1 200 OK\r\n\r\n# TYPE offhook_media_underruns_total counter\n\
                       offhook_media_underruns_total 7\nother 1\n";
        assert_eq!(counted(metrics), Some(7));
        assert_eq!(counted("HTTP/1.1 401 Unauthorized\r\n\r\n"), None);
    }
}
