//! The control API against whoever asks at random: schemathesis reads what the gateway says of itself
//! and asks it everything that follows from it, and much that does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::cargo;
use crate::bench::echo::{TOKEN, free_port};
use crate::bench::process::{On, Server};

/// How much is asked.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// At most this many requests of one kind to one address.
    #[arg(long, default_value_t = 50)]
    examples: u32,
    /// The same number asks the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where schemathesis is.
    #[arg(long, default_value = "schemathesis", value_name = "PROGRAM")]
    with: PathBuf,
}

/// Starts a phone company and a gateway, and has the gateway's API asked at random.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let mut version = Command::new(&arguments.with);
    version.arg("--version").stdout(Stdio::null());
    if !version.status().is_ok_and(|it| it.success()) {
        let with = arguments.with.display();
        return Err(format!(
            "there is no {with}: `pip install schemathesis`, or name it with --with"
        ));
    }
    cargo(root, BUILD)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let programs = root.join(target).join("debug");
    let state = programs.join("fuzz-api");
    let _ = fs::remove_dir_all(&state);
    let (port, api_port) = (free_port()?, free_port()?);
    let config = state.join("offhook.toml");
    let hooks = state.join("hooks.py");
    let written = fs::create_dir_all(&state)
        .and_then(|()| fs::write(&hooks, HOOKS))
        .and_then(|()| fs::write(&config, configuration(port, api_port)));
    written.map_err(|fault| format!("cannot write {}: {fault}", state.display()))?;

    let voice = format!("+15550001111=http://127.0.0.1:{port}/twilio/voice");
    let listen = format!("127.0.0.1:{api_port}");
    let phone = ["serve", "--token", TOKEN, "--listen", &listen, "--number"];
    let phone = [&phone[..], &[&voice, "--phone", "+15551234567=listen"]].concat();
    let mut exchange = Server::start(On::Core(0), &programs.join("exchange"), &phone, &state)?;
    exchange.wait_for(api_port)?;
    let config = config.display().to_string();
    let offhook = programs.join("offhook");
    let serve = ["serve", "--config", &config];
    let mut gateway = Server::start(On::Core(1), &offhook, &serve, &state)?;
    gateway.wait_for(port)?;
    ask(arguments, port, &token(&offhook, &state)?, &hooks)
}

fn ask(arguments: &Arguments, port: u16, token: &str, hooks: &Path) -> Result<(), String> {
    let base = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(&arguments.with);
    command
        .args(["run", "--no-color", "--suppress-health-check", "all"])
        .args(["--checks", CHECKS, "--request-timeout", "20"])
        .args(["--max-examples", &arguments.examples.to_string()])
        .args(["--seed", &arguments.seed.to_string()])
        .args(["--generation-database", "none", "--workers", "1"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .arg(format!("{base}/v1/openapi.json"))
        .env("SCHEMATHESIS_HOOKS", hooks)
        .current_dir(hooks.parent().unwrap_or(hooks));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("the gateway does not answer as it says it does".to_owned()),
        Err(fault) => Err(format!("cannot run schemathesis: {fault}")),
    }
}

/// A token that may do everything.
pub(crate) fn token(offhook: &Path, state: &Path) -> Result<String, String> {
    let mut create = Command::new(offhook);
    create.args(["token", "create", "--scope", "admin", "--json"]);
    let made = create.env("XDG_STATE_HOME", state).output();
    let made = made.map_err(|fault| format!("cannot make a token: {fault}"))?;
    let made: Value = serde_json::from_slice(&made.stdout)
        .map_err(|fault| format!("no token was made: {fault}"))?;
    let token = made["token"].as_str().map(str::to_owned);
    token.ok_or_else(|| "no token was made".to_owned())
}

fn configuration(port: u16, api_port: u16) -> String {
    CONFIG
        .replace("<port>", &port.to_string())
        .replace("<api port>", &api_port.to_string())
        .replace("<token>", TOKEN)
}

const CONFIG: &str = include_str!("fuzz.toml");
const HOOKS: &str = include_str!("fuzz.py");

/// All but those that know better than the gateway's rules what should be refused.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
response_headers_conformance,response_schema_conformance,negative_data_rejection,\
unsupported_method,missing_required_header,ignored_auth";

pub(crate) const BUILD: &[&str] = &[
    "build",
    "--locked",
    "--package",
    "gateway",
    "--package",
    "exchange",
    "--bins",
];
