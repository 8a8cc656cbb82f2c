//! Calls of the gateway's, recorded between it and the exchange, and read by Pipecat.

use std::fs;

use serde_json::Value;

use super::sound::{self, FRAME, nearest};
use super::stage::{Kept, Place, Stage, Told};
use super::stand_in::judge_heard;
use super::wire::Differences;
use super::{Finding, Wire};
use crate::bench::echo::free_port;
use crate::bench::process::{On, Server};

/// Of the columns that a call fills in whose caller hears themselves.
pub(super) const ECHO_HEAD: &[&str] = &[
    "decoded",
    "frames",
    "heard: max/rms off",
    "keys",
    "sent",
    "accepted",
    "Pipecat writes the same",
    "offhook heard it too: max/rms off",
];

/// Of those that a call fills in whose caller interrupts.
pub(super) const TALK_HEAD: &[&str] = &[
    "decoded",
    "frames",
    "heard: max/rms off",
    "keys",
    "sent",
    "accepted",
    "Pipecat writes the same",
    "clears",
];

/// Has the exchange call a gateway whose callers hear themselves, and judges what went to and fro.
pub(super) fn echo(stage: &Stage, wire: Wire, apart: &mut Differences) -> Result<Finding, String> {
    let (place, kept) = stage.place(wire, "echo")?;
    let words = format!("say:{}", place.words().display());
    let script = ["wait:500", &words, "wait:500", KEYS, "wait:800", "hang-up"];
    let (told, report) = recorded(stage, (&place, kept), ECHO, &script)?;
    let mut finding = judge(&place, (&told, &report), apart)?;

    // At the phone the echo may have gaps, when a busy machine is late; that is another test's business.
    let words = sound::wav(&place.words())?;
    let spoken = sound::raw(&place.folder.join("spoken.pcm"))?;
    let sent = nearest(&words, &spoken).map(|(_, off)| off);
    let cell = sent.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
    finding.judge(sent.is_some_and(|off| off.max == 0), cell, || {
        format!("what offhook sent back is not what was said: {sent:?}")
    });
    Ok(finding)
}

/// Has the exchange call a gateway that talks, and talks into it: what was said is thrown away.
pub(super) fn talk(
    stage: &Stage,
    (wire, words): (Wire, &[i16]),
    apart: &mut Differences,
) -> Result<Finding, String> {
    let (place, kept) = stage.place(wire, "talk")?;
    sound::write_wav(&place.words(), words)?;
    let words = format!("say:{}", place.words().display());
    let script = [
        "after:1000",
        &words,
        "wait:1500",
        KEYS,
        "wait:800",
        "hang-up",
    ];
    let (told, report) = recorded(stage, (&place, kept), DESK, &script)?;
    let mut finding = judge(&place, (&told, &report), apart)?;

    let twins = place.lines("twins.jsonl")?;
    let sent = twins.iter().filter(|it| is_clear(&it["ours"])).count();
    let done = told.of("cleared").count();
    let is_cleared = sent > 0 && sent == done;
    finding.judge(is_cleared, format!("{done} of {sent}"), || {
        format!("offhook was talked into and cleared {sent} times, the exchange {done} times")
    });
    Ok(finding)
}

/// Two seconds of a voice, to talk into the gateway with: its own.
pub(super) fn voice(stage: &Stage, wire: Wire) -> Result<Vec<i16>, String> {
    let (place, kept) = stage.place(wire, "voice")?;
    let (told, _) = recorded(stage, (&place, kept), DESK, &["after:3000", "hang-up"])?;
    let first = told.heard.iter().position(|it| *it != 0);
    let first = first.ok_or("offhook says nothing")? / FRAME * FRAME;
    let words = told.heard.get(first..first + VOICE);
    words
        .map(<[i16]>::to_vec)
        .ok_or_else(|| "offhook says too little".to_owned())
}

/// Calls a gateway with such an agent through a recorder: what the exchange tells of it, and Pipecat.
fn recorded(
    stage: &Stage,
    (place, kept): (&Place<'_>, Kept),
    agent: &str,
    script: &[&str],
) -> Result<(Told, Value), String> {
    let (port, between) = (free_port()?, free_port()?);
    let _gateway = serve(stage, place, (port, between), agent)?;
    let _recorder = place.serve_peer(between, &["record", "--to", &port.to_string()])?;
    let door = format!("http://127.0.0.1:{between}/{}", place.wire.carrier);
    let (voice, status) = (format!("{door}/voice"), format!("{door}/status"));
    let script = [&["--status-url", &status], script].concat();
    Ok((place.call(kept, &voice, &script)?, place.report()?))
}

fn judge(
    place: &Place<'_>,
    (told, report): (&Told, &Value),
    apart: &mut Differences,
) -> Result<Finding, String> {
    let mut finding = Finding::default();
    let heard = sound::raw(&place.folder.join("decoded.pcm"))?;
    judge_heard(&mut finding, (place, told), report, &heard, apart)?;
    let twins = place.lines("twins.jsonl")?;
    finding.cell(twins.len());
    finding.accepted(&told.complaints());
    for twin in &twins {
        if twin["theirs"].is_null() {
            let event = twin["ours"]["event"].as_str().unwrap_or_default();
            apart.alone(event);
        } else {
            apart.compare(place.wire.carrier, &twin["ours"], &twin["theirs"]);
        }
    }
    finding.compared(apart);
    Ok(finding)
}

fn is_clear(message: &Value) -> bool {
    let event = message["event"].as_str();
    event.is_some_and(|it| it.starts_with("clear"))
}

fn serve(
    stage: &Stage,
    place: &Place<'_>,
    (port, between): (u16, u16),
    agent: &str,
) -> Result<Server, String> {
    let state = place.folder.join("gateway");
    let config = state.join("offhook.toml");
    let text = CONFIG
        .replace("<port>", &port.to_string())
        .replace("<between>", &between.to_string())
        .replace("<name>", place.wire.carrier)
        .replace("<carrier>", &place.configuration)
        .replace("<agent>", agent);
    let written = fs::create_dir_all(&state).and_then(|()| fs::write(&config, text));
    written.map_err(|fault| format!("cannot write {}: {fault}", config.display()))?;
    let config = config.display().to_string();
    let arguments = ["serve", "--config", &config];
    let mut gateway = Server::start(On::AnyCore, &stage.program("offhook"), &arguments, &state)?;
    let log = state.join("server.log");
    let up = gateway.wait_for(port);
    up.map_err(|fault| format!("{fault}; it says why in {}", log.display()))?;
    Ok(gateway)
}

/// The gateway's public address is the recorder's.
const CONFIG: &str = r#"[server]
listen = "127.0.0.1:<port>"
public_url = "http://127.0.0.1:<between>"

<carrier>

[numbers."+15550001111"]
carrier = "<name>"
agent = "one"

[agents.one]
<agent>

[policy]
answer = ["any"]
owner = ["+15557654321"]
"#;

const ECHO: &str = "kind = \"echo-test\"";

/// It has a lot to say before it listens.
const DESK: &str = "kind = \"answering-service\"
greeting = \"\"\"Hello. This is the desk of the lighthouse on the northern shore. The keeper is out \
in the boat this morning, and nobody can say when the weather will let him come back. \
May I have your name, please?\"\"\"";

const KEYS: &str = "keys:0123456789ABCD*#";

/// Two seconds.
const VOICE: usize = 16_000;
