//! Pipecat's serializer as the application of a call: it hears the exchange, and the exchange's phone hears it.

use serde_json::Value;

use super::dialect;
use super::sound::{self, FRAME, is_rounded, nearest};
use super::stage::{Place, Stage, Told};
use super::wire::Differences;
use super::{Finding, Wire};
use crate::bench::echo::free_port;

/// Of the columns that a call fills in.
pub(super) const HEAD: &[&str] = &[
    "decoded",
    "frames",
    "heard: max/rms off",
    "keys",
    "we decode the same",
    "produced",
    "accepted",
    "at the ear: max/rms off",
    "clear",
    "we write the same",
];

/// Has the exchange call an application of Pipecat's, and judges all that was said.
pub(super) fn call(stage: &Stage, wire: Wire, apart: &mut Differences) -> Result<Finding, String> {
    let (place, kept) = stage.place(wire, "app")?;
    let port = free_port()?;
    let secret = place
        .settings()
        .find(|(name, _)| matches!(*name, "api_key" | "auth_token"));
    let (_, secret) = secret.ok_or("the carrier has no secret")?;
    let task = ["serve", "--api", &place.api, "--secret", secret];
    let _app = place.serve_peer(port, &task)?;
    let words = place.words().display().to_string();
    let keys = format!("keys:{KEYS}");
    let script = [
        &words,
        "wait:300",
        &keys,
        "wait:300",
        "keys:*",
        "wait:1500",
        "keys:#",
        "wait:800",
        "hang-up",
    ];
    let told = place.call(kept, &format!("http://127.0.0.1:{port}/voice"), &script)?;
    let report = place.report()?;

    let mut finding = Finding::default();
    let heard = sound::raw(&place.folder.join("decoded.pcm"))?;
    judge_heard(&mut finding, (&place, &told), &report, &heard, apart)?;
    let ours = dialect::read(stage, (&place, wire), apart)?;
    let same = ours.sound == heard && ours.keys == told.keys() && ours.faults.is_empty();
    finding.judge(same, if same { "yes" } else { "no" }, || {
        let faults = ours.faults.join(", ");
        format!(
            "our dialect decodes something else: keys {} {faults}",
            ours.keys
        )
    });
    judge_spoken(&mut finding, (&place, &told), &report)?;
    finding.compared(apart);
    Ok(finding)
}

/// What Pipecat decoded, beside what was said and pressed at the phone.
pub(super) fn judge_heard(
    finding: &mut Finding,
    (place, told): (&Place<'_>, &Told),
    report: &Value,
    heard: &[i16],
    apart: &mut Differences,
) -> Result<(), String> {
    let sent: u64 = report["messages"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|it| it.1.as_u64())
        .sum();
    let messages = &report["messages"];
    let keys = told.keys();
    let known: String = keys.chars().filter(|it| !UNKNOWN.contains(*it)).collect();
    if known != keys {
        apart.tolerate(&format!("dtmf: Pipecat has no keys {UNKNOWN}"));
    }
    let decoded = report["decoded"].as_u64().unwrap_or(0);
    let expected = messages["media"].as_u64().unwrap_or(0) + known.len() as u64;
    finding.judge(
        decoded == expected && decoded > 0,
        format!("{decoded} of {sent}"),
        || format!("{decoded} of {messages} are decoded, and {expected} have something to decode"),
    );
    finding.cell(report["frames"].to_string());

    let words = sound::wav(&place.words())?;
    let at = nearest(heard, &told.said).map_or(0, |(at, _)| at);
    let said = told.said.get(at..).unwrap_or_default();
    let off = nearest(&words, heard).map(|(_, off)| off);
    let whole = sound::apart(heard, said);
    let is_heard = off.is_some_and(|it| it.max == 0)
        && heard.len() <= said.len()
        && said.len() < heard.len() + 2 * A_SECOND
        && is_rounded(heard, said);
    let cell = off.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
    finding.judge(is_heard, cell, || {
        format!("what Pipecat decoded is not what was said: the words {off:?}, all of it {whole:?}")
    });
    let decoded_keys = report["keys"].as_str().unwrap_or_default();
    let cell = format!("{} of {}", decoded_keys.len(), keys.len());
    let is_pressed = keys.len() == EVERY_KEY && decoded_keys == known;
    finding.judge(is_pressed, cell, || {
        format!("the keys {keys} were pressed, and {decoded_keys} decoded")
    });
    Ok(())
}

/// What Pipecat produced, beside what the exchange took of it and what was heard at the phone.
fn judge_spoken(
    finding: &mut Finding,
    (place, told): (&Place<'_>, &Told),
    report: &Value,
) -> Result<(), String> {
    let count = |kind: &str| report["produced"][kind].as_u64().unwrap_or(0);
    let (sounds, clears) = (count("sound"), count("clear"));
    finding.cell(format!("{sounds} + {clears}"));
    finding.accepted(&told.complaints());
    let greeting = sound::wav(&place.folder.join("greeting.wav"))?;
    let story = sound::wav(&place.folder.join("story.wav"))?;
    let greeted = nearest(&greeting, &told.heard);
    let begun = nearest(&story[..A_SECOND], &told.heard);
    let ((_, greeted), (from, _)) = greeted.zip(begun).ok_or("the call was too short")?;
    // It is cut where there is nothing any more, up to the end of the call.
    let end = told
        .heard
        .iter()
        .rposition(|it| *it != 0)
        .map_or(0, |it| it + 1)
        .max(from);
    let said = &told.heard[from..end];
    let told_story = sound::apart(&story, said);
    let max = greeted.max.max(told_story.max);
    let cell = format!("{max} / {:.1}", greeted.rms.max(told_story.rms));
    finding.judge(max == 0 && said.len() >= A_SECOND, cell, || {
        format!("what was heard is not what Pipecat said: {greeted:?}, then {told_story:?}")
    });
    let cleared: Vec<u64> = told
        .of("cleared")
        .filter_map(|it| it["at_ms"].as_u64())
        .collect();
    let silent = (end / 8) as u64;
    let is_cut = clears == 1 && cleared.len() == 1 && cleared[0].abs_diff(silent) <= A_MOMENT;
    let is_short = said.len() + FRAME < story.len();
    let cell = format!(
        "{} ms",
        cleared.first().map_or(0, |at| silent.saturating_sub(*at))
    );
    finding.judge(is_cut && is_short, cell, || {
        format!("cleared at {cleared:?} ms, and silent from {silent} ms")
    });
    Ok(())
}

/// All there are, but the two that the application waits for.
const KEYS: &str = "0123456789ABCD";
const EVERY_KEY: usize = 16;
/// Pipecat has no such keys.
const UNKNOWN: &str = "ABCD";
const A_SECOND: usize = 8_000;
/// From a clear to the silence: what is played already, in milliseconds.
const A_MOMENT: u64 = 40;
