//! The exchange as a program: a carrier on loopback to point a gateway at, one call into it, or many at once.

mod script;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use exchange::load::{self, LoadPlan, LoadReport, Percentiles};
use exchange::phone::{PhonePlan, Pickup};
use exchange::stopwatch::{Clear, Reply};
use exchange::{Answer, CARRIERS, Exchange, Happening, Outcome, Status, mischief};
use script::script;
use serde::Serialize;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// The other end of the wire: a carrier and its phones, on loopback.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// One JSON object per line.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Listens until it is interrupted, and tells everything that happens.
    Serve(Serve),
    /// Calls the gateway once, says the WAV files in turn, and tells the outcome.
    Call(CallIn),
    /// Calls the gateway many times at once and measures the echo of every frame.
    Load(Load),
}

#[derive(Args)]
struct Line {
    /// Which carrier to play.
    #[arg(long, default_value = "twilio", value_parser = PossibleValuesParser::new(CARRIERS))]
    carrier: String,
    /// The account's id, if not the one the carrier is played with by default.
    #[arg(long, env = "EXCHANGE_ACCOUNT", default_value = "")]
    account: String,
    /// The account's token or API key, if not the one the carrier is played with by default.
    #[arg(long, env = "EXCHANGE_TOKEN", default_value = "")]
    token: String,
    /// Where to listen; 0 is a free port.
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: String,
    /// Where the end of inbound calls is told.
    #[arg(long, default_value = "")]
    status_url: String,
    /// PUBLIC=LOCAL: requests for the public address go to the local one.
    #[arg(long, value_parser = pair)]
    tunnel: Vec<(String, String)>,
    /// Writes what was heard at each phone to DIR/<call>.wav.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    line: Line,
    /// NUMBER=VOICE_URL: a number of the account, and where it asks for instructions or tells its events.
    #[arg(long, value_parser = pair)]
    number: Vec<(String, String)>,
    /// NUMBER=PLAN: busy, no-answer, reject, unreachable, listen, or WAV files with commas between them, each said
    /// when the agent has been silent for a while. Among them may be say:FILE, wait:MILLISECONDS, keys:159# and
    /// hang-up, which wait for nobody, and after:MILLISECONDS of the agent's speech.
    #[arg(long, value_parser = pair)]
    phone: Vec<(String, String)>,
    /// What becomes of a call whose media socket breaks without a close.
    #[arg(long, value_enum, default_value_t = Abrupt::GoesOn)]
    abrupt: Abrupt,
}

#[derive(Clone, Copy, ValueEnum)]
enum Abrupt {
    /// Its instructions go on behind the stream.
    GoesOn,
    /// It stays up in silence.
    Stays,
    /// It ends.
    Ends,
}

impl From<Abrupt> for mischief::Abrupt {
    fn from(abrupt: Abrupt) -> Self {
        match abrupt {
            Abrupt::GoesOn => Self::GoesOn,
            Abrupt::Stays => Self::Stays,
            Abrupt::Ends => Self::Ends,
        }
    }
}

#[derive(Args)]
struct CallIn {
    #[command(flatten)]
    line: Line,
    /// Who calls.
    #[arg(long, default_value = "+15557654321")]
    from: String,
    /// Which of the account's numbers is called.
    #[arg(long, default_value = "+15550001111")]
    to: String,
    /// Where that number asks for instructions, or tells its events; http://127.0.0.1:8787/CARRIER/voice by default.
    #[arg(long)]
    voice_url: Option<String>,
    /// What the caller says, one WAV file a turn; or, without waiting for the agent: say:FILE, wait:MILLISECONDS,
    /// keys:159#, hang-up; and after:MILLISECONDS of the agent's speech.
    does: Vec<String>,
}

#[derive(Args)]
struct Load {
    /// Which carrier to play.
    #[arg(long, default_value = "twilio", value_parser = PossibleValuesParser::new(CARRIERS))]
    carrier: String,
    /// Where the carrier's REST API listens; 0 is a free port.
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: String,
    /// Where the gateway is.
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    gateway: String,
    /// The gateway's `public_url`, when it differs.
    #[arg(long)]
    public_url: Option<String>,
    /// The path of its voice webhook; /CARRIER/voice by default.
    #[arg(long)]
    voice: Option<String>,
    /// The path of its status callback; /CARRIER/status by default.
    #[arg(long)]
    status: Option<String>,
    /// The account's id, if not the one the carrier is played with by default.
    #[arg(long, env = "EXCHANGE_ACCOUNT", default_value = "")]
    account: String,
    /// The account's token or API key, if not the one the carrier is played with by default.
    #[arg(long, env = "EXCHANGE_TOKEN", default_value = "")]
    token: String,
    /// The number to call.
    #[arg(long, default_value = "+15550001111")]
    to: String,
    /// How many calls at once.
    #[arg(long, default_value_t = 500)]
    calls: usize,
    /// For how many seconds all of them are up.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Over how many seconds they begin.
    #[arg(long, default_value_t = 5)]
    ramp: u64,
    /// What the callers say.
    #[arg(long, value_enum, default_value_t = Sound::Speech)]
    sound: Sound,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sound {
    Silence,
    Speech,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(serve) => self::serve(serve, cli.json).await,
        Command::Call(call) => self::call(call, cli.json).await,
        Command::Load(load) => self::load(load, cli.json).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn serve(serve: Serve, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let mut builder = described(&serve.line);
    for (number, url) in &serve.number {
        builder = builder.number(number, url);
    }
    for (number, plan) in &serve.phone {
        builder = builder.phone(number, phone_plan(plan)?);
    }
    let socket = mischief::Socket {
        abrupt: serve.abrupt.into(),
        ..mischief::Socket::default()
    };
    let mischief = mischief::Mischief {
        socket,
        ..mischief::Mischief::default()
    };
    let exchange = builder.mischief(mischief).start().await?;
    let (url, configuration) = (exchange.base_url(), exchange.configuration());
    say(
        json,
        &serde_json::json!({"type": "listening", "url": url, "configuration": configuration}),
        || format!("listening on {url}\n\n{configuration}"),
    )?;
    let mut happenings = exchange.watch();
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                return Ok(ExitCode::SUCCESS);
            }
            happening = happenings.recv() => match happening {
                Ok(happening) => {
                    keep_sound(&serve.line, &happening)?;
                    say(json, &happening, || describe(&happening))?;
                }
                Err(RecvError::Lagged(missed)) => {
                    say(json, &serde_json::json!({"type": "missed", "count": missed}), || format!("… {missed} more"))?;
                }
                Err(RecvError::Closed) => return Ok(ExitCode::SUCCESS),
            },
        }
    }
}

async fn call(call: CallIn, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let voice_url = call
        .voice_url
        .unwrap_or_else(|| format!("http://127.0.0.1:8787/{}/voice", call.line.carrier));
    let exchange = described(&call.line)
        .number(&call.to, &voice_url)
        .start()
        .await?;
    let script = script(call.does.iter().map(String::as_str))?;
    let mut happenings = exchange.watch();
    let sid = exchange.call_in(&call.from, &call.to, script)?;
    let outcome = loop {
        match happenings.recv().await {
            Ok(happening) => {
                keep_sound(&call.line, &happening)?;
                say(json, &happening, || describe(&happening))?;
                if let Happening::Ended(outcome) = happening
                    && outcome.call == sid
                {
                    break outcome;
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Err("the exchange is gone".into()),
        }
    };
    let completed = outcome.status == Status::Completed
        && outcome.warnings.iter().all(|warning| warning.code == 31921);
    Ok(if completed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn load(load: Load, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let path = |door: &str| format!("/{}/{door}", load.carrier);
    let plan = LoadPlan {
        voice_path: load.voice.unwrap_or_else(|| path("voice")),
        status_path: load.status.unwrap_or_else(|| path("status")),
        carrier: load.carrier,
        listen: load.listen,
        public_url: load.public_url.unwrap_or_else(|| load.gateway.clone()),
        gateway: load.gateway,
        account: load.account,
        token: load.token,
        to: load.to,
        calls: load.calls,
        duration: Duration::from_secs(load.seconds),
        ramp: Duration::from_secs(load.ramp),
        sound: match load.sound {
            Sound::Silence => load::Sound::Silence,
            Sound::Speech => load::Sound::Speech,
        },
    };
    let report = load::run(plan).await?;
    say(json, &report, || describe_load(&report))?;
    let whole =
        report.failed.is_empty() && report.frames_lost == 0 && report.set_up == report.calls;
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn described(line: &Line) -> exchange::Builder {
    let mut builder = Exchange::builder()
        .carrier(&line.carrier)
        .listen(&line.listen)
        .account(&line.account, &line.token)
        .status_url(&line.status_url);
    for (public, local) in &line.tunnel {
        builder = builder.tunnel(public, local);
    }
    builder
}

fn phone_plan(text: &str) -> Result<PhonePlan, Box<dyn Error>> {
    Ok(match text {
        "busy" => PhonePlan::never_talks(Pickup::Busy),
        "no-answer" => PhonePlan::never_talks(Pickup::NoAnswer),
        "reject" => PhonePlan::never_talks(Pickup::Reject(RING)),
        "unreachable" => PhonePlan::never_talks(Pickup::Unreachable),
        "listen" => PhonePlan::answers(RING, []),
        words => PhonePlan::answers(RING, script(words.split(','))?),
    })
}

fn keep_sound(line: &Line, happening: &Happening) -> Result<(), Box<dyn Error>> {
    if let (Some(folder), Happening::Ended(outcome)) = (&line.out, happening)
        && !outcome.ear.caller().is_empty()
    {
        std::fs::create_dir_all(folder)?;
        outcome
            .ear
            .write_wav(folder.join(format!("{}.wav", outcome.call)))?;
    }
    Ok(())
}

fn say(
    json: bool,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Box<dyn Error>> {
    let line = if json {
        serde_json::to_string(value)?
    } else {
        text()
    };
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

fn describe(happening: &Happening) -> String {
    match happening {
        Happening::Requested(request) => {
            let code = if request.code == 0 {
                String::new()
            } else {
                format!(" ({})", request.code)
            };
            format!(
                "api      {} {} -> {}{code}",
                request.method, request.path, request.status
            )
        }
        Happening::Delivered(delivery) => {
            let answer = match &delivery.answer {
                Answer::Status(status) => status.to_string(),
                Answer::Nothing(why) => format!("nothing: {why}"),
            };
            format!(
                "webhook  {} {} {} -> {answer}",
                short(&delivery.call),
                delivery.event,
                delivery.url
            )
        }
        Happening::Changed { call, status } => {
            format!("call     {} {}", short(call), status.as_str())
        }
        Happening::Streaming { call, host } => format!("stream   {} to {host}", short(call)),
        Happening::Marked { call, mark } => {
            format!("mark     {} {} {:?}", short(call), mark.name, mark.why)
        }
        Happening::Cleared { call, at } => {
            format!("clear    {} at {} ms", short(call), at.as_millis())
        }
        Happening::Pressed { call, key } => format!("key      {} {key}", short(call)),
        Happening::Warned(warning) => {
            format!(
                "warning  {} {} {}",
                short(&warning.call),
                warning.code,
                warning.text
            )
        }
        Happening::Ended(outcome) => describe_outcome(outcome),
    }
}

fn describe_outcome(outcome: &Outcome) -> String {
    let mut text = format!(
        "ended    {} {} by {:?} after {} ms",
        short(&outcome.call),
        outcome.status.as_str(),
        outcome.ended_by,
        outcome.talked.as_millis()
    );
    for turn in &outcome.report.turns {
        let reply = match turn.reply {
            Reply::After { gap } => format!("reply after {} ms", gap.as_millis()),
            Reply::Overlapping => "the agent spoke over it".to_owned(),
            Reply::Never => "no reply".to_owned(),
        };
        text += &format!(
            "\n         said {}-{} ms, {reply}",
            turn.said.from.as_millis(),
            turn.said.to.as_millis()
        );
    }
    for interruption in &outcome.report.interruptions {
        let clear = match interruption.clear {
            Clear::Never => "no clear".to_owned(),
            Clear::Sent { after, stop } => {
                format!(
                    "clear after {} ms, silent {} ms later",
                    after.as_millis(),
                    stop.as_millis()
                )
            }
        };
        text += &format!(
            "\n         interrupted, silent after {} ms ({clear})",
            interruption.stop.as_millis()
        );
    }
    text
}

fn describe_load(report: &LoadReport) -> String {
    let times = |times: &Percentiles| {
        let milliseconds = |micros: u64| micros as f64 / 1_000.0;
        format!(
            "p50 {:.2} ms  p90 {:.2} ms  p99 {:.2} ms  max {:.2} ms",
            milliseconds(times.p50_us),
            milliseconds(times.p90_us),
            milliseconds(times.p99_us),
            milliseconds(times.max_us)
        )
    };
    let mut text = format!(
        "calls    {} of {} set up\nframes   {} sent, {} back, {} lost, {} repeated\n\
         echo     {}\nfirst    {}\nset-up   {}\nlateness {}\nodd      {} messages",
        report.set_up,
        report.calls,
        report.frames_sent,
        report.frames_back,
        report.frames_lost,
        report.frames_repeated,
        times(&report.echo),
        times(&report.first_echo),
        times(&report.set_up_time),
        times(&report.lateness),
        report.odd_messages
    );
    for (reason, count) in &report.failed {
        text += &format!("\nfailed   {count} × {reason}");
    }
    text
}

fn short(call: &str) -> &str {
    call.get(..10).unwrap_or(call)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((left.to_owned(), right.to_owned()))
}

const RING: Duration = Duration::from_secs(1);
