//! `offhook expose`: a public address for as long as it runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use ports::{Blame, Fault, code};
use tokio::signal::unix::{SignalKind, signal};

use super::{Done, Out};
use crate::config;
use crate::tunnel::{Exposed, Tunnel};

/// What to open, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The program that opens it: the first that is installed, if none is named.
    #[arg(value_parser = PossibleValuesParser::new(Tunnel::ALL.map(Tunnel::name)))]
    tunnel: Option<String>,
    /// Where it leads; what the configuration says, or 127.0.0.1:8787.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<SocketAddr>,
}

/// Says the address, and every other that it comes to have, until stopped.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let plan = config::load(&config::find(config.as_deref()), &super::lists());
    let plan = plan.map(|it| it.plan).ok();
    let listen = args.to.or(plan.as_ref().map(|it| it.listen));
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8787)));
    let named = args.tunnel.as_deref().and_then(Tunnel::named);
    let tunnel = named.or(plan.and_then(|it| it.expose));
    let tunnel = tunnel.map_or_else(installed, Ok)?;
    let mut exposed = Exposed::begin(tunnel, listen)?;
    let mut address = exposed.address(tunnel).await?;
    let mut stop = signal(SignalKind::terminate()).map_err(|error| {
        Fault::new(
            Blame::Gateway,
            code::GATEWAY_BROKEN,
            "cannot be told to stop",
        )
        .because(error)
    })?;
    loop {
        out.line(format_args!("{address} leads to http://{listen}"));
        out.json(&serde_json::json!({ "public_url": address, "listen": listen.to_string() }));
        tokio::select! {
            another = exposed.another(&address) => address = another,
            _ = tokio::signal::ctrl_c() => return Ok(Done::Well),
            _ = stop.recv() => return Ok(Done::Well),
        }
    }
}

/// The first that is installed.
pub(super) fn installed() -> Result<Tunnel, Fault> {
    let mut all = Tunnel::ALL.into_iter();
    all.find(|it| it.program().is_some()).ok_or_else(|| {
        let steps: Vec<String> = Tunnel::ALL
            .map(|it| format!("{}: {}", it.name(), it.to_install()))
            .into();
        let message = "no program is installed that opens a tunnel";
        Fault::new(Blame::Config, code::EXPOSE_MISSING, message).hint(steps.join("\n      "))
    })
}
