//! A call of the gateway's, recorded between it and the exchange, and read by Pipecat.

use std::fs;

use super::sound::{self, nearest};
use super::stage::{Place, Stage};
use super::stand_in::judge_heard;
use super::wire::Differences;
use super::{Finding, Wire};
use crate::bench::echo::free_port;
use crate::bench::process::{On, Server};

/// Of the columns that a call fills in.
pub(super) const HEAD: &[&str] = &[
    "decoded",
    "frames",
    "heard: max/rms off",
    "keys",
    "offhook heard it too: max/rms off",
    "sent",
    "accepted",
    "Pipecat writes the same",
];

/// Has the exchange call a gateway whose callers hear themselves, and judges what went to and fro.
pub(super) fn call(stage: &Stage, wire: Wire, apart: &mut Differences) -> Result<Finding, String> {
    let place = stage.place(wire, "offhook")?;
    let (port, between) = (free_port()?, free_port()?);
    let _gateway = serve(stage, &place, (port, between), wire)?;
    let _recorder = place.serve_peer(between, &["record", "--to", &port.to_string()])?;
    let voice = format!("http://127.0.0.1:{between}/{}/voice", wire.carrier);
    let status = voice.replace("/voice", "/status");
    let words = format!("say:{}", place.folder.join("caller.wav").display());
    let script = [
        "--status-url",
        &status,
        "wait:500",
        &words,
        "wait:500",
        "keys:0123456789ABCD*#",
        "wait:800",
        "hang-up",
    ];
    let told = place.call(&voice, &script)?;
    let report = place.report()?;

    let mut finding = Finding::default();
    let heard = sound::raw(&place.folder.join("decoded.pcm"))?;
    judge_heard(&mut finding, (&place, &told), &report, &heard, apart)?;
    judge_echo(&mut finding, &place)?;
    let twins = place.lines("twins.jsonl")?;
    finding.cell(twins.len());
    let complaints = told.complaints();
    finding.judge(
        complaints.is_empty(),
        if complaints.is_empty() {
            "all"
        } else {
            "not all"
        },
        || format!("the exchange complains: {complaints:?}"),
    );
    for twin in &twins {
        if twin["theirs"].is_null() {
            let event = twin["ours"]["event"].as_str().unwrap_or_default();
            apart.tolerate(&format!("{event}: Pipecat never sends it"));
        } else {
            apart.compare(wire.carrier, &twin["ours"], &twin["theirs"]);
        }
    }
    finding.compared(apart);
    Ok(finding)
}

/// What the gateway sent back is what it heard: the words, as Pipecat decoded them. At the phone they
/// may have gaps, when a busy machine is late; that is another test's business.
fn judge_echo(finding: &mut Finding, place: &Place<'_>) -> Result<(), String> {
    let words = sound::wav(&place.folder.join("caller.wav"))?;
    let spoken = sound::raw(&place.folder.join("spoken.pcm"))?;
    let sent = nearest(&words, &spoken).map(|(_, off)| off);
    let cell = sent.map_or_else(
        || "nothing".to_owned(),
        |it| format!("{} / {:.1}", it.max, it.rms),
    );
    finding.judge(sent.is_some_and(|off| off.max == 0), cell, || {
        format!("what offhook sent back is not what was said: {sent:?}")
    });
    Ok(())
}

fn serve(
    stage: &Stage,
    place: &Place<'_>,
    (port, between): (u16, u16),
    wire: Wire,
) -> Result<Server, String> {
    let state = place.folder.join("gateway");
    let config = state.join("offhook.toml");
    let text = CONFIG
        .replace("<port>", &port.to_string())
        .replace("<between>", &between.to_string())
        .replace("<name>", wire.carrier)
        .replace("<carrier>", &place.configuration);
    let written = fs::create_dir_all(&state).and_then(|()| fs::write(&config, text));
    written.map_err(|fault| format!("cannot write {}: {fault}", config.display()))?;
    let config = config.display().to_string();
    let arguments = ["serve", "--config", &config];
    let mut gateway = Server::start(On::AnyCore, &stage.program("offhook"), &arguments, &state)?;
    gateway.wait_for(port)?;
    Ok(gateway)
}

/// The gateway's public address is the recorder's.
const CONFIG: &str = r#"[server]
listen = "127.0.0.1:<port>"
public_url = "http://127.0.0.1:<between>"

<carrier>

[numbers."+15550001111"]
carrier = "<name>"
agent = "echo"

[agents.echo]
kind = "echo-test"

[policy]
answer = ["any"]
"#;
