//! Strangers by the thousand at the door of a gateway with calls on it: what they cost, and whom.
//!
//! The gateway is a process of its own, this program again. Twice the same callers hear themselves on
//! it: once alone, and once while strangers open sockets and say nothing, ask for media sockets with
//! tokens of their own making, send headers a letter at a time, endless bodies, and frames without a
//! socket. Then the callers have to have noticed nothing, the gateway's memory must not have grown, and
//! of the strangers none may be connected any more.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exchange::load::{self, LoadPlan, LoadReport, Sound};
use exchange::{Exchange, free_port};
use gateway::cli::lists;
use gateway::config;
use gateway::gateway::Gateway;
use ports::{Blame, Fault, code};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, folder] = arguments.as_slice()
        && serve == SERVE
    {
        self::serve(Path::new(folder)).await;
        return ExitCode::SUCCESS;
    }
    let size = match arguments.iter().any(|it| it == "--short") {
        true => Size {
            calls: 5,
            sockets: 600,
            slow: 150,
            length: Duration::from_secs(8),
            // It is for every change, also on a machine that has no time.
            punctual: json!("none"),
            stay: Duration::from_secs(10),
        },
        false => Size {
            calls: 50,
            sockets: 5_000,
            slow: 1_000,
            length: Duration::from_secs(30),
            punctual: json!({ "at_most": 20.0 }),
            stay: STAY,
        },
    };
    allow_sockets();
    match drill(&size).await {
        Ok(rows) => println!("{rows}"),
        Err(fault) => {
            eprintln!("flood: {fault}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

struct Size {
    calls: usize,
    sockets: usize,
    slow: usize,
    length: Duration,
    /// How much later sound may come, in milliseconds.
    punctual: Value,
    stay: Duration,
}

async fn drill(size: &Size) -> Result<Value, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (port, api) = (free_port()?, free_port()?);
    let exchange = Exchange::builder().listen(&format!("127.0.0.1:{api}"));
    let exchange = exchange.number(OURS, "http://127.0.0.1:9/").start().await?;
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n{}\n\
         [numbers.\"{OURS}\"]\ncarrier = \"{}\"\nagent = \"echo\"\n[agents.echo]\nkind = \"echo-test\"\n\
         [policy]\nanswer = [\"any\"]\nmax_calls = 500\n",
        exchange.configuration(),
        exchange.carrier()
    );
    let carrier = exchange.carrier();
    drop(exchange);
    std::fs::write(folder.path().join("offhook.toml"), text)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args([SERVE.as_ref(), folder.path().as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let outcome = beside(
        size,
        &Target {
            port,
            api,
            carrier,
            pid: child.id(),
        },
    )
    .await;
    // It ends with its input.
    drop(child.stdin.take());
    let told = child.wait_with_output()?;
    let opened = String::from_utf8_lossy(&told.stdout)
        .trim()
        .parse::<f64>()?;
    let Beside {
        alone,
        flooded,
        grown,
        strangers,
    } = outcome?;
    let worse = flooded.echo.p99_us as f64 - alone.echo.p99_us as f64;
    let hurt = |it: &LoadReport| (it.calls - it.set_up + it.failed.values().sum::<usize>()) as f64;
    let none = json!({ "at_most": 0.0 });
    Ok(json!([
        { "what": "calls", "figure": size.calls as f64, "goal": { "at_least": size.calls as f64 } },
        { "what": "strangers", "figure": strangers.all as f64, "goal": { "at_least": (size.sockets + size.slow) as f64 } },
        { "what": "of those that never came", "figure": strangers.never_came as f64, "goal": { "at_most": (size.sockets + size.slow) as f64 / 20.0 } },
        { "what": "calls hurt", "figure": hurt(&flooded), "reference": hurt(&alone), "goal": none },
        { "what": "echo p99 (ms)", "figure": flooded.echo.p99_us as f64 / 1e3, "reference": alone.echo.p99_us as f64 / 1e3, "goal": "none" },
        { "what": "of that by the flood (ms)", "figure": worse / 1e3, "goal": size.punctual },
        { "what": "memory grown (MB)", "figure": grown, "goal": { "at_most": 50.0 } },
        { "what": "longest stay (s)", "figure": strangers.longest.as_secs_f64(), "goal": { "at_most": size.stay.as_secs_f64() } },
        { "what": "strangers let in", "figure": strangers.let_in as f64, "goal": none },
        { "what": "ears and voices opened", "figure": opened, "goal": none },
    ]))
}

struct Target {
    port: u16,
    api: u16,
    carrier: &'static str,
    pid: u32,
}

struct Beside {
    alone: LoadReport,
    flooded: LoadReport,
    grown: f64,
    strangers: Strangers,
}

async fn beside(size: &Size, target: &Target) -> Result<Beside, Box<dyn std::error::Error>> {
    let up = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, target.port))
            .await
            .is_err()
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), up).await?;
    let alone = load::run(target.plan(size)).await?;
    let before = memory(target.pid)?;
    let (flooded, peak, strangers) = tokio::join!(
        load::run(target.plan(size)),
        target.peak(size.length),
        flood(size, target)
    );
    Ok(Beside {
        alone,
        flooded: flooded?,
        grown: peak - before,
        strangers,
    })
}

impl Target {
    fn plan(&self, size: &Size) -> LoadPlan {
        let address = format!("http://127.0.0.1:{}", self.port);
        LoadPlan {
            carrier: self.carrier.to_owned(),
            listen: format!("127.0.0.1:{}", self.api),
            gateway: address.clone(),
            public_url: address,
            voice_path: format!("/{}/voice", self.carrier),
            status_path: format!("/{}/status", self.carrier),
            account: String::new(),
            token: String::new(),
            to: OURS.to_owned(),
            calls: size.calls,
            duration: size.length,
            ramp: RAMP,
            sound: Sound::Speech,
        }
    }

    /// The most memory that the gateway has meanwhile, in MB.
    async fn peak(&self, length: Duration) -> f64 {
        let (until, mut most) = (Instant::now() + length, 0.0_f64);
        while Instant::now() < until {
            most = most.max(memory(self.pid).unwrap_or_default());
            sleep(Duration::from_millis(50)).await;
        }
        most
    }
}

/// What became of strangers.
#[derive(Default)]
struct Strangers {
    all: usize,
    never_came: usize,
    longest: Duration,
    let_in: usize,
}

async fn flood(size: &Size, target: &Target) -> Strangers {
    // The calls are up by then, and end after.
    sleep(RAMP + Duration::from_secs(1)).await;
    let mut all = JoinSet::new();
    for n in 0..size.sockets + size.slow {
        let kind = match n % size.sockets.div_ceil(size.slow).max(2) {
            0 => Kind::Slow,
            1 => Kind::Silent,
            2 => Kind::Body,
            3 => Kind::Frames,
            _ => Kind::Socket,
        };
        all.spawn(stranger(target.port, target.carrier, kind));
        // As fast as sockets can be made, but not faster than a listener's queue.
        if n % 64 == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    }
    let mut strangers = Strangers::default();
    while let Some(done) = all.join_next().await {
        strangers.all += 1;
        match done.unwrap_or(Stay::NeverCame) {
            Stay::NeverCame => strangers.never_came += 1,
            Stay::For(stayed, let_in) => {
                strangers.longest = strangers.longest.max(stayed);
                strangers.let_in += usize::from(let_in);
            }
        }
    }
    strangers
}

#[derive(Clone, Copy)]
enum Kind {
    /// Says nothing.
    Silent,
    /// A letter of a header at a time.
    Slow,
    /// A webhook without a signature whose body has no end.
    Body,
    /// Asks for a media socket.
    Socket,
    /// The same, and sends frames of a hundred megabytes without waiting to be let in.
    Frames,
}

/// How long a stranger was let stay.
enum Stay {
    /// It never got to the door.
    NeverCame,
    /// So long, and whether it was let in.
    For(Duration, bool),
}

/// Whether the machine has the gateway's end of a connection.
fn is_held(port: u16, from: u16) -> bool {
    let all = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let (here, there) = (format!(":{port:04X}"), format!(":{from:04X}"));
    all.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ends = (fields.next(), fields.next(), fields.next());
        matches!(ends, (Some(ours), Some(theirs), Some(UP)) if ours.ends_with(&here) && theirs.ends_with(&there))
    })
}

/// Stays for as long as it may.
async fn stranger(port: u16, carrier: &str, kind: Kind) -> Stay {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return Stay::NeverCame;
    };
    let began = Instant::now();
    let says = match kind {
        Kind::Silent => String::new(),
        Kind::Slow => "GET /healthz HTTP/1.1\r\nx: ".to_owned(),
        Kind::Body => format!(
            "POST /{carrier}/voice HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60000\r\n\r\n"
        ),
        Kind::Socket | Kind::Frames => format!(
            "GET /{carrier}/media/{:064x} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            port
        ),
    };
    let _ = stream.write_all(says.as_bytes()).await;
    let more: &[u8] = match kind {
        Kind::Slow | Kind::Body => b"a",
        // A masked text frame that says it has a hundred megabytes, and some of them.
        Kind::Frames => &[
            0x81, 0xff, 0, 0, 0, 0, 0x06, 0x40, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
        ],
        Kind::Silent | Kind::Socket => b"",
    };
    let mut answer = [0; 512];
    let mut let_in = false;
    while began.elapsed() < GIVEN_UP {
        match timeout(Duration::from_millis(200), stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return Stay::For(began.elapsed(), let_in),
            Ok(Ok(read)) => let_in |= answer[..read].starts_with(b"HTTP/1.1 101"),
            Err(_) if stream.write_all(more).await.is_err() => {
                return Stay::For(began.elapsed(), let_in);
            }
            Err(_) => {}
        }
    }
    let here = stream.local_addr().map(|it| it.port()).unwrap_or_default();
    if !is_held(port, here) {
        // Its last word of three was lost where too many came at once: only this end believes in it.
        return Stay::NeverCame;
    }
    Stay::For(began.elapsed(), let_in)
}

/// Serves until its input ends, and prints how often ears or a voice were wanted.
#[expect(clippy::print_stdout, reason = "it is its whole output")]
async fn serve(folder: &Path) {
    allow_sockets();
    let loaded = config::load(&folder.join("offhook.toml"), &lists());
    let plan = loaded
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .plan;
    let wanted = Arc::new(AtomicUsize::new(0));
    let counted = wanted.clone();
    let voice = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let message = "an echo needs no voice";
        Err(Fault::new(
            Blame::Config,
            code::SPEECH_MODEL_MISSING,
            message,
        ))
    };
    let gateway = Gateway::start(plan, Arc::new(voice), folder.join("state")).await;
    let gateway = gateway.unwrap_or_else(|fault| panic!("{fault}"));
    let read = || std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new());
    let ended = tokio::task::spawn_blocking(read).await;
    drop((gateway, ended));
    println!("{}", wanted.load(Ordering::Relaxed));
}

/// What a process has in memory, in MB.
fn memory(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .unwrap_or_default()
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kib / 1024.0)
}

fn allow_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

const SERVE: &str = "--serve";
const OURS: &str = "+15550001111";
const RAMP: Duration = Duration::from_secs(2);
/// Five seconds, and what a busy machine takes to notice them.
const STAY: Duration = Duration::from_millis(5_500);
/// As Linux writes that a connection stands.
const UP: &str = "01";
const GIVEN_UP: Duration = Duration::from_secs(15);
