//! Recordings of calls: begun by a request, told of when the call is over, and to be had from then on.
//!
//! Source: the carrier's API reference (record a call, the recording object). Its fields for what is told are those of the
//! API's page, in small letters.

use super::body::Body;
use super::rest::{Answered, Refusal, refusal};
use super::webhook::{Webhook, nonce, send};
use super::{Call, Carrier, Notice, uuid};
use crate::call::Recorded;
use crate::ledger::{Kind, Status};
use crate::tape::{Channels, Tape, Taping};
use serde_json::json;
use std::time::Duration;

/// A recording of a call, and where it is told of.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    taping: Taping,
    callback: Option<Notice>,
    url: String,
}

/// Begins to record a call.
pub(super) fn begin(carrier: &Carrier, call: &Call, body: &Body, base: &str) -> Answered {
    let longest = body.seconds("time_limit")?.unwrap_or(USUAL);
    let is = |name: &str, usual: &str, known: &[&str]| -> Result<String, Refusal> {
        let text = body.text(name)?.unwrap_or_else(|| usual.to_owned());
        if known.contains(&text.as_str()) {
            Ok(text)
        } else {
            Err(refusal(400, format!("{name} parameter is invalid")))
        }
    };
    if is("file_format", "mp3", &["mp3", "wav"])? == "mp3" {
        return Err(refusal(400, "file_format=mp3 is not played here"));
    }
    let channels = match is("record_channel_type", "mono", &["mono", "stereo"])?.as_str() {
        "stereo" => Channels::Apart,
        _ => Channels::Mixed,
    };
    let callback = body.notice("callback")?;
    if call.state().status != Status::InProgress {
        return Err(refusal(404, "call not found"));
    }
    body.warn_of_strangers(&carrier.office.ledger, &call.id, KNOWN);
    let id = uuid();
    let url = format!("{base}/v1/Account/{}/Recording/{id}.wav", carrier.account.id);
    let begun = call.set(|own| {
        // One at a time.
        let first = own.recordings.is_empty();
        if first {
            own.recordings.push(Recording {
                taping: Taping::new(id.clone(), longest, channels),
                callback,
                url: url.clone(),
            });
        }
        first
    });
    if !begun {
        return Err(refusal(409, "the call is being recorded already"));
    }
    let answer = json!({"message": "call recording started", "recording_id": id, "url": url});
    Ok((202, Some(answer)))
}

/// The recordings of a call that is over are there from now on, and are told of.
pub(super) async fn end(carrier: &Carrier, call: &Call, recorded: &Recorded) {
    let state = call.state();
    for recording in state.own.recordings {
        let id = recording.taping.id.clone();
        let (wav, length) = recording.taping.wav(state.started, recorded.ear());
        let milliseconds = length.as_millis().to_string();
        let form = [
            ("api_id", uuid()),
            ("call_uuid", call.id.clone()),
            ("record_url", recording.url),
            ("recording_duration", length.as_secs().to_string()),
            ("recording_duration_ms", milliseconds),
            ("recording_id", id.clone()),
        ];
        carrier.office.tapes.keep(Tape {
            id,
            call: call.id.clone(),
            wav,
            length,
        });
        let Some(to) = recording.callback else {
            continue;
        };
        let told = Webhook {
            event: "recording",
            to: &to,
            form: form.map(|(name, value)| (name.to_owned(), value)).into(),
            kind: Kind::Genuine,
            nonce: &nonce(),
        };
        if let Err(why) = send(carrier, call, told).await {
            let text = format!("recording: {why}");
            carrier.office.ledger.warn(0, &call.id, text);
        }
    }
}

/// A recording as the API shows it.
pub(super) fn describe(carrier: &Carrier, id: &str, base: &str) -> Answered {
    let tape = carrier.office.tapes.find(id);
    let tape = tape.ok_or_else(|| refusal(404, "not found"))?;
    let account = &carrier.account.id;
    let described = json!({
        "call_uuid": tape.call,
        "conference_name": null,
        "recording_duration_ms": format!("{}.00000", tape.length.as_millis()),
        "recording_format": "wav",
        "recording_id": id,
        "recording_type": "normal",
        "recording_url": format!("{base}/v1/Account/{account}/Recording/{id}.wav"),
        "resource_uri": format!("/v1/Account/{account}/Recording/{id}/"),
    });
    Ok((200, Some(described)))
}

/// A recording ends by itself after this long, if nothing else is said.
const USUAL: Duration = Duration::from_secs(60);

const KNOWN: &[&str] = &[
    "callback_method",
    "callback_url",
    "file_format",
    "record_channel_type",
    "time_limit",
    "transcription_method",
    "transcription_type",
    "transcription_url",
];
