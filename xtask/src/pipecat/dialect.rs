//! Our own dialect, given the messages that Pipecat was given and the sound that it sent.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Wire;
use super::sound::samples;
use super::stage::{Place, Stage};
use super::wire::Differences;

/// What our dialect made of a call.
#[derive(Default)]
pub(super) struct Ours {
    pub(super) sound: Vec<i16>,
    pub(super) keys: String,
    /// Messages it cannot read.
    pub(super) faults: Vec<String>,
}

/// Gives our dialect every message of a call that Pipecat was the application of, and has it write what
/// Pipecat wrote.
pub(super) fn read(
    stage: &Stage,
    (place, wire): (&Place<'_>, Wire),
    apart: &mut Differences,
) -> Result<Ours, String> {
    let said = place.lines("wire.jsonl")?;
    let asked: Vec<Value> = said.iter().map(question).collect::<Result<_, _>>()?;
    let mut ours = Ours::default();
    for (said, answer) in said.iter().zip(answers(stage, (place, wire), &asked)?) {
        if said["from"] == "app" {
            apart.compare(
                wire.carrier,
                &parsed(&answer["text"])?,
                &parsed(&said["text"])?,
            );
            continue;
        }
        match answer["event"].as_str() {
            Some("audio") => {
                let bytes = STANDARD.decode(answer["pcm"].as_str().unwrap_or_default());
                ours.sound.extend(samples(&bytes.unwrap_or_default()));
            }
            Some("pressed") => ours.keys += answer["key"].as_str().unwrap_or_default(),
            Some("fault" | "unknown") | None => ours.faults.push(answer.to_string()),
            Some(_) => {}
        }
    }
    Ok(ours)
}

/// What the dialect is asked about a message.
fn question(said: &Value) -> Result<Value, String> {
    if said["from"] == "carrier" {
        return Ok(json!({"hear": said["text"]}));
    }
    let message = parsed(&said["text"])?;
    Ok(match message.pointer("/media/payload") {
        Some(sound) => json!({ "say": sound }),
        None => json!({"clear": true}),
    })
}

fn answers(
    stage: &Stage,
    (place, wire): (&Place<'_>, Wire),
    asked: &[Value],
) -> Result<Vec<Value>, String> {
    let mut command = Command::new(stage.program("examples/dialect"));
    command.arg(wire.carrier);
    command.args(
        place
            .settings()
            .map(|(name, value)| format!("{name}={value}")),
    );
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let child = command.spawn();
    let mut child = child.map_err(|fault| format!("cannot start our dialect: {fault}"))?;
    let mut input = child.stdin.take().expect("standard input was asked for");
    let lines: String = asked.iter().map(|it| format!("{it}\n")).collect();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output();
    let output = output.map_err(|fault| format!("cannot read our dialect: {fault}"))?;
    // Whatever went wrong in writing, there is an answer too few.
    let _ = writing.join();
    let text = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<Value> = text
        .lines()
        .filter_map(|it| serde_json::from_str(it).ok())
        .collect();
    if answers.len() == asked.len() {
        return Ok(answers);
    }
    Err(format!(
        "our dialect answered {} of {} messages",
        answers.len(),
        asked.len()
    ))
}

fn parsed(text: &Value) -> Result<Value, String> {
    let text = text.as_str().unwrap_or_default();
    serde_json::from_str(text).map_err(|fault| format!("{text:?} is not JSON: {fault}"))
}
