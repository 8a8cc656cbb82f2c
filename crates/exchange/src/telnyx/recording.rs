//! Recordings of calls: begun by a command, told of when the call is over, and to be had from then on.
//!
//! Source: the carrier's OpenAPI description (record_start, call.recording.saved, GetRecording). Where the sound itself is to
//! be had is another company's storage, which knows nothing of the API's keys and refuses requests that bring one.

use super::body::Body;
use super::rest::{Answered, Asked, Refusal, not_found, refusal};
use super::webhook::Events;
use super::{Call, Carrier, date, uuid};
use crate::call::Recorded;
use crate::tape::{Channels, Tape, Taping};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// A recording of a call, and where its sound will be to be had.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    taping: Taping,
    channels: &'static str,
    format: &'static str,
    begun: Timestamp,
    /// Where the storage is.
    base: String,
}

/// Begins to record a call.
pub(super) fn begin(call: &Call, body: &Body<'_>, base: &str) -> Result<String, Refusal> {
    body.required("format")?;
    body.required("channels")?;
    let format = match body.choice("format", &["wav", "mp3"])? {
        Some("mp3") => {
            return Err(refusal(422, 10015, "MP3 is not played by this exchange").at("format"));
        }
        Some(_) | None => "wav",
    };
    let (channels, apart) = match body.choice("channels", &["single", "dual"])? {
        Some("dual") => ("dual", Channels::Apart),
        Some(_) | None => ("single", Channels::Mixed),
    };
    body.choice("recording_track", &["both", "inbound", "outbound"])?;
    let longest = match body.number("max_length", 0..=14_400)? {
        None | Some(0) => 14_400,
        Some(seconds) => seconds,
    };
    let taping = Taping::new(uuid(), Duration::from_secs(longest), apart);
    let id = taping.id.clone();
    let recording = Recording {
        taping,
        channels,
        format,
        begun: Timestamp::now(),
        base: base.to_owned(),
    };
    call.set(|own| own.recordings.push(recording));
    Ok(id)
}

/// The recordings of a call that is over are there from now on, and are told of.
pub(super) fn end(carrier: &Carrier, call: &Call, events: &Events, recorded: &Recorded) {
    let state = call.state();
    for recording in state.own.recordings {
        let id = recording.taping.id.clone();
        let (wav, length) = recording.taping.wav(state.started, recorded.ear());
        carrier.office.tapes.keep(Tape {
            id: id.clone(),
            call: call.id.clone(),
            wav,
            length,
        });
        let saved = json!({
            "channels": recording.channels,
            "format": recording.format,
            "recording_id": id,
            "recording_started_at": date(recording.begun),
            "recording_ended_at": date(Timestamp::now()),
            "recording_urls": {recording.format: address(&recording.base, &id)},
            "public_recording_urls": {},
        });
        events.tell("call.recording.saved", saved);
    }
}

/// A recording as the API shows it.
pub(super) fn describe(carrier: &Carrier, id: &str, base: &str) -> Answered {
    let tape = carrier.office.tapes.find(id).ok_or_else(not_found)?;
    let milliseconds = u64::try_from(tape.length.as_millis()).unwrap_or(u64::MAX);
    Ok(json!({"data": {
        "record_type": "recording",
        "id": id,
        "call_control_id": tape.call,
        "channels": "dual",
        "duration_millis": milliseconds,
        "source": "call",
        "status": "completed",
        "download_urls": {"wav": address(base, id)},
    }}))
}

fn address(base: &str, id: &str) -> Value {
    json!(format!("{base}{STORAGE}{id}.wav?{SIGNED}"))
}

/// What the storage says, if it is asked for something.
pub(super) fn stored(carrier: &Carrier, asked: &Asked) -> Option<Response> {
    let id = asked.path.strip_prefix(STORAGE)?.strip_suffix(".wav")?;
    let signed = asked.query.iter().any(|(name, _)| name == "X-Amz-Signature");
    let tape = carrier.office.tapes.find(id).filter(|_| signed);
    Some(match tape {
        _ if !asked.authorization.is_empty() => StatusCode::BAD_REQUEST.into_response(),
        None => StatusCode::FORBIDDEN.into_response(),
        Some(tape) => ([(header::CONTENT_TYPE, "audio/x-wav")], tape.wav.to_vec()).into_response(),
    })
}

const STORAGE: &str = "/telephony-recorder/";
const SIGNED: &str = "X-Amz-Expires=600&X-Amz-Signature=0123456789abcdef";
