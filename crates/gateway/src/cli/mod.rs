//! The command line: one file for each command.

pub mod call;
mod callbacks;
mod calls;
pub mod config;
pub mod demo;
pub mod doctor;
mod expose;
pub mod feed;
mod flight;
mod init;
mod journal;
mod latency;
mod logs;
mod manual;
mod mcp;
mod meeting;
pub mod models;
mod options;
pub mod out;
mod owner;
mod pairing;
mod policy;
mod questions;
mod reload;
mod replay;
mod reports;
pub mod serve;
mod setup;
mod steer;
mod story;
mod tail;
mod token;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use ports::{Blame, Fault, code};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Lists, Loaded, Plan};
use crate::logbook::Logbook;
use crate::state;
use crate::switchboard::LoadVoice;
pub use out::Out;
pub use story::line as told;

/// Give your agent a phone.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, max_term_width = 100)]
struct Cli {
    /// The configuration; else $OFFHOOK_CONFIG, ./offhook.toml, or the one in your home.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer what an agent asks you while its caller waits.
    Answer(questions::AnswerArgs),
    /// The calls that wait for your yes.
    Approvals,
    /// Say yes to a call that waits: it is made.
    Approve(owner::AnswerArgs),
    /// Call someone, and say or talk about something.
    Call(call::Args),
    /// The calls back that agents have promised; `--cancel` takes one off.
    Callbacks(callbacks::Args),
    /// The calls there have been.
    Calls(calls::Args),
    /// Print what your shell needs to complete these commands.
    Completions(manual::CompletionsArgs),
    /// Hear a whole conversation, on this machine alone: no account, no key, no network.
    Demo(demo::Args),
    /// Press keys on a call that is up.
    Digits(steer::DigitsArgs),
    /// End a call. Always allowed.
    End(steer::EndArgs),
    /// Open a tunnel to this machine, say its address, and keep it open until stopped.
    Expose(expose::Args),
    /// Write down all a call was told, so that it can be run again.
    Flight(flight::Args),
    /// Write a configuration in which every line is explained.
    Init(init::Args),
    /// The journal of everything that happened.
    Journal(journal::Args),
    /// How long answers took, stage by stage.
    Latency(latency::Args),
    /// What the gateway logged, without words, numbers and secrets.
    Logs(logs::Args),
    /// Write the pages of the manual into a folder.
    Man(manual::ManArgs),
    /// The phone as a tool of any MCP host that starts this: Claude Code, Codex, OpenClaw.
    Mcp,
    /// Several people on one line, whichever carriers they are with.
    Meeting(meeting::Args),
    /// Look at the configuration.
    Config(config::Args),
    /// Check everything a call needs, and say how to mend what is missing.
    Doctor,
    /// The speech models on this machine.
    Models(models::Args),
    /// Callers who are not in the configuration, and may call once you say so.
    Pairing(pairing::Args),
    /// Whom the owner lets be called.
    Policy(policy::Args),
    /// What agents ask you while their callers wait.
    Questions,
    /// Say no to a call that waits.
    Refuse(owner::AnswerArgs),
    /// Read the configuration again, on the gateway that runs here. Saving the file does the same.
    Reload,
    /// Run a recorded call again, and see that it tells the same story.
    Replay(replay::Args),
    /// What your own systems are told of calls, and what did not arrive there.
    Reports(reports::Args),
    /// Say something on a call that is up.
    Say(steer::SayArgs),
    /// Get a number to ring here, step by step: asks for what it needs, and changes nothing unasked.
    Setup(setup::Args),
    /// Serve carriers and owners until stopped.
    Serve,
    /// Whether a gateway runs here, and what is up on it.
    Status,
    /// End every call, and have none begin any more, also after a restart.
    StopAll(owner::StopArgs),
    /// Tell a call's story.
    Show(calls::ShowArgs),
    /// Watch calls as they happen.
    Tail(tail::Args),
    /// Put a caller through to someone.
    Transfer(steer::TransferArgs),
    /// The tokens that open the control API.
    Token(token::Args),
}

impl Command {
    /// What is logged unless `$OFFHOOK_LOG` says otherwise. Whoever serves watches the log; the others
    /// tell on standard output how it goes.
    fn log(&self) -> &'static str {
        match self {
            Self::Serve => "warn,gateway=info",
            Self::Answer(_)
            | Self::Questions
            | Self::Approvals
            | Self::Approve(_)
            | Self::Refuse(_)
            | Self::StopAll(_)
            | Self::Call(_)
            | Self::Callbacks(_)
            | Self::Calls(_)
            | Self::Completions(_)
            | Self::Latency(_)
            | Self::Logs(_)
            | Self::Man(_)
            | Self::Mcp
            | Self::Meeting(_)
            | Self::Demo(_)
            | Self::Digits(_)
            | Self::End(_)
            | Self::Expose(_)
            | Self::Setup(_)
            | Self::Flight(_)
            | Self::Journal(_)
            | Self::Pairing(_)
            | Self::Policy(_)
            | Self::Reload
            | Self::Replay(_)
            | Self::Reports(_)
            | Self::Say(_)
            | Self::Status
            | Self::Show(_)
            | Self::Tail(_)
            | Self::Transfer(_)
            | Self::Token(_)
            | Self::Init(_)
            | Self::Config(_)
            | Self::Doctor
            | Self::Models(_) => "warn",
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It did what it should.
    Well,
    /// The call failed.
    CallFailed,
    /// It was refused, or asked for wrongly.
    Refused,
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        match done {
            Done::Well => Self::from(0),
            Done::CallFailed => Self::from(1),
            Done::Refused => Self::from(2),
        }
    }
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Out::new(cli.json);
    log(&cli.command);
    // Whoever installed one before has chosen well enough.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let fault = Fault::new(
                Blame::Gateway,
                code::GATEWAY_BROKEN,
                "cannot start the runtime",
            );
            out.fault(&fault.because(error));
            return Done::Refused.into();
        }
    };
    let done = runtime.block_on(run(cli, &mut out));
    // A model that is still thinking must not keep the terminal, nor be taken apart under its work.
    runtime.shutdown_timeout(Duration::from_secs(1));
    speech::rest(Duration::from_secs(5));
    done.into()
}

async fn run(cli: Cli, out: &mut Out) -> Done {
    let path = cli.config;
    let done = match cli.command {
        Command::Answer(args) => questions::answer(args, out).await,
        Command::Questions => questions::list(out).await,
        Command::Approvals => owner::list(out).await,
        Command::Approve(args) => owner::approve(args, out).await,
        Command::Refuse(args) => owner::refuse(args, out).await,
        Command::StopAll(args) => owner::stop_all(args, out).await,
        Command::Call(args) => call::run(args, path, out).await,
        Command::Callbacks(args) => callbacks::run(args, out).await,
        Command::Calls(args) => calls::run(args, path, out).await,
        Command::Journal(args) => journal::run(args, out).await,
        Command::Latency(args) => latency::run(args, path, out).await,
        Command::Logs(args) => logs::run(args, out).await,
        Command::Completions(args) => manual::completions(args, out),
        Command::Man(args) => manual::man(args, out),
        Command::Mcp => mcp::run().await,
        Command::Meeting(args) => meeting::run(args, out).await,
        Command::Show(args) => calls::show(args, path, out).await,
        Command::Pairing(args) => pairing::run(args, out).await,
        Command::Policy(args) => policy::run(args, path, out).await,
        Command::Reload => reload::run(out).await,
        Command::Say(args) => steer::say(args, out).await,
        Command::Digits(args) => steer::digits(args, out).await,
        Command::End(args) => steer::end(args, out).await,
        Command::Transfer(args) => steer::transfer(args, out).await,
        Command::Expose(args) => expose::run(args, path, out).await,
        Command::Setup(args) => Box::pin(setup::run(args, path, out)).await,
        Command::Flight(args) => flight::run(args, out).await,
        Command::Replay(args) => replay::run(&args, out),
        Command::Reports(args) => reports::run(args, path, out).await,
        Command::Status => steer::status(out).await,
        Command::Token(args) => token::run(args, out).await,
        Command::Tail(args) => tail::run(args, path, out).await,
        Command::Demo(args) => demo::run(args, out).await,
        Command::Init(args) => init::run(args, path, out).await,
        Command::Config(args) => config::run(args, path, out).await,
        Command::Doctor => doctor::run(path, out).await,
        Command::Models(args) => models::run(args, out).await,
        Command::Serve => serve::run(path, out).await,
    };
    done.unwrap_or_else(|fault| {
        out.fault(&fault);
        Done::Refused
    })
}

/// Everything that can be named in a configuration.
pub fn lists() -> Lists {
    Lists {
        carriers: carriers::LIST,
        agents: agents::LIST,
        vendors: speech::LIST,
    }
}

/// Reads the configuration, printing all that is wrong with it.
pub(crate) fn load(path: Option<PathBuf>, out: &mut Out) -> Result<Plan, Done> {
    load_file(&crate::config::find(path.as_deref()), out).map(|it| it.plan)
}

/// The same, with what is needed to load it again.
pub(crate) fn load_file(path: &Path, out: &mut Out) -> Result<Loaded, Done> {
    match crate::config::load(path, &lists()) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                out.problem("warning", warning);
            }
            Ok(loaded)
        }
        Err(problems) => {
            for problem in &problems {
                out.problem("error", problem);
            }
            Err(Done::Refused)
        }
    }
}

/// How the plan's ears and mouth are loaded when they are needed.
pub(crate) fn load_voice(plan: &Plan) -> LoadVoice {
    let speech = plan.speech.clone();
    std::sync::Arc::new(move || {
        let vendor = speech::LIST.iter().find(|it| it.name == speech.vendor);
        let vendor = vendor.expect("the plan names a vendor of this list");
        (vendor.build)(&speech.settings)
    })
}

/// The libraries of websockets and of tools, whatever is wanted.
const SILENT: &[&str] = &["tungstenite=off", "rmcp=off"];

/// Logs to standard error; what a gateway logs is kept as well, for `offhook logs`.
fn log(command: &Command) {
    let filter =
        EnvFilter::try_from_env("OFFHOOK_LOG").unwrap_or_else(|_| EnvFilter::new(command.log()));
    // They would write down whole messages: keys, tokens and what was said.
    let filter = SILENT.iter().fold(filter, |filter, it| {
        filter.add_directive(it.parse().expect("it is a directive"))
    });
    let people = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // Where the folder cannot be written to, serving fails in a moment and says so.
    let book = matches!(command, Command::Serve)
        .then(|| Logbook::open(&state::folder()).ok())
        .flatten();
    let kept = book.map(|book| {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(book)
    });
    tracing_subscriber::registry()
        .with(filter)
        .with(people)
        .with(kept)
        .init();
}
