//! Carriers' own SDKs against a running gateway: what they sign it must take, and refuse whatever was changed since.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::cargo;
use crate::bench::echo::free_port;
use crate::bench::process::{On, Server};
use crate::fuzz::{BUILD, token};

/// Whose SDKs.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A Python of version 3.11 or later that has them.
    #[arg(long, default_value = "python3", value_name = "PYTHON")]
    with: PathBuf,
}

/// Starts a gateway, and has its webhooks tried by a program that signs with the SDKs and plays the carriers' APIs.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let mut imports = Command::new(&arguments.with);
    imports.args(["-c", IMPORTS]).stderr(Stdio::null());
    if !imports.status().is_ok_and(|it| it.success()) {
        let with = arguments.with.display();
        return Err(format!(
            "{with} is not there, is older than 3.11 or lacks the SDKs: `pip install {PACKAGES}`, or name another with --with"
        ));
    }
    cargo(root, BUILD)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let programs = root.join(target).join("debug");
    let state = programs.join("sdks");
    let _ = fs::remove_dir_all(&state);
    let (port, api_port) = (free_port()?, free_port()?);
    let config = state.join("offhook.toml");
    let written = fs::create_dir_all(&state)
        .and_then(|()| fs::write(&config, configuration(port, api_port)))
        .and_then(|()| {
            SCRIPTS
                .iter()
                .try_for_each(|(name, text)| fs::write(state.join(name), text))
        });
    written.map_err(|fault| format!("cannot write {}: {fault}", state.display()))?;

    let offhook = programs.join("offhook");
    let serve = ["serve", "--config", &config.display().to_string()];
    let mut gateway = Server::start(On::AnyCore, &offhook, &serve, &state)?;
    gateway.wait_for(port)?;
    let mut script = Command::new(&arguments.with);
    script
        .args([state.join(WEBHOOKS), config])
        .env("OFFHOOK_TOKEN", token(&offhook, &state)?)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    match script.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => {
            Err("the gateway and the SDKs do not take the same webhooks for genuine".to_owned())
        }
        Err(fault) => Err(format!("cannot run {}: {fault}", arguments.with.display())),
    }
}

fn configuration(port: u16, api_port: u16) -> String {
    CONFIG
        .replace("<port>", &port.to_string())
        .replace("<api port>", &api_port.to_string())
}

/// Telnyx's SDK verifies webhooks only with this extra.
const PACKAGES: &str = "twilio==9.13.0 'telnyx[webhooks]==4.189.0' plivo==4.63.0";
const IMPORTS: &str = "import nacl.signing, plivo, telnyx, tomllib, twilio.request_validator";

const CONFIG: &str = include_str!("offhook.toml");
const WEBHOOKS: &str = "webhooks.py";
const SCRIPTS: [(&str, &str); 8] = [
    (WEBHOOKS, include_str!("webhooks.py")),
    ("trial.py", include_str!("trial.py")),
    ("mutations.py", include_str!("mutations.py")),
    ("wire.py", include_str!("wire.py")),
    ("carrier.py", include_str!("carrier.py")),
    ("plivo_account.py", include_str!("plivo_account.py")),
    ("telnyx_account.py", include_str!("telnyx_account.py")),
    ("twilio_account.py", include_str!("twilio_account.py")),
];
