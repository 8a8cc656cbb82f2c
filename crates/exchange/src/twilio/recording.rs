//! Recordings of calls: begun by a request, told of when the call is over, and to be had from then on.
//!
//! Source: the carrier's OpenAPI description (CreateCallRecording) and its documents on recording callbacks.

use super::form::{Form, known, once};
use super::rest::{Answered, Asked, refusal};
use super::twiml::Method;
use super::webhook::{self, Webhook};
use super::{Call, Carrier, date};
use crate::call::Recorded;
use crate::ledger::{Kind, Status};
use crate::office::fresh;
use crate::tape::{Channels, Tape, Taping};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// A recording of a call, and where it is told of.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    taping: Taping,
    channels: Channels,
    callback: Option<(String, Method)>,
}

/// Begins to record a call.
pub(super) fn begin(carrier: &Carrier, call: &Call, asked: &Asked) -> Answered {
    known(&asked.query, &[])?;
    known(&asked.form, CREATE)?;
    once(&asked.form, &["RecordingStatusCallbackEvent"])?;
    let form = Form(&asked.form);
    let choice = |name: &str, known: &[&str]| match form.get(name) {
        Some(other) if !known.contains(&other) => {
            let text = format!("{name} cannot be {other:?}");
            Err(refusal(400, 20001, text))
        }
        found => Ok(found),
    };
    let channels = match choice("RecordingChannels", &["mono", "dual"])? {
        Some("dual") => Channels::Apart,
        Some(_) | None => Channels::Mixed,
    };
    choice("RecordingTrack", &["inbound", "outbound", "both"])?;
    choice("Trim", &["trim-silence", "do-not-trim"])?;
    let events = form.all("RecordingStatusCallbackEvent");
    let stranger = |it: &&String| !["in-progress", "completed", "absent"].contains(&it.as_str());
    if let Some(stranger) = events.iter().find(stranger) {
        let text = format!("{stranger:?} is not a RecordingStatusCallbackEvent");
        return Err(refusal(400, 21626, text));
    }
    let method = form.method("RecordingStatusCallbackMethod")?;
    let url = form.url("RecordingStatusCallback")?;
    let told = events.is_empty() || events.iter().any(|it| it == "completed");
    if call.state().status != Status::InProgress {
        let text = "Requested resource is not eligible for recording";
        return Err(refusal(400, 21220, text));
    }
    let taping = Taping::new(fresh("RE"), LONGEST, channels);
    let id = taping.id.clone();
    call.set(|own| {
        own.recordings.push(Recording {
            taping,
            channels,
            callback: url.filter(|_| told).map(|it| (it, method)),
        });
    });
    let now = date(Timestamp::now());
    let described = json!({
        "account_sid": carrier.account.id,
        "api_version": "2010-04-01",
        "call_sid": call.id,
        "conference_sid": null,
        "channels": channels.count(),
        "date_created": now,
        "date_updated": now,
        "start_time": now,
        "price": null,
        "price_unit": null,
        "duration": null,
        "sid": id,
        "source": "StartCallRecordingAPI",
        "status": "in-progress",
        "error_code": null,
        "track": form.get("RecordingTrack").unwrap_or("both"),
        "encryption_details": null,
        "uri": format!("/2010-04-01/Accounts/{}/Calls/{}/Recordings/{id}.json", carrier.account.id, call.id),
    });
    Ok((201, described))
}

impl Channels {
    fn count(self) -> u8 {
        match self {
            Self::Mixed => 1,
            Self::Apart => 2,
        }
    }
}

/// The recordings of a call that is over are there from now on, and are told of.
pub(super) async fn end(carrier: &Carrier, call: &Call, recorded: &Recorded) {
    let state = call.state();
    for recording in state.own.recordings {
        let id = recording.taping.id.clone();
        let (wav, length) = recording.taping.wav(state.started, recorded.ear());
        let seconds = length.as_secs_f64().ceil().to_string();
        let base = format!("https://api.twilio.com/2010-04-01/Accounts/{}", carrier.account.id);
        let form = [
            ("AccountSid", carrier.account.id.clone()),
            ("CallSid", call.id.clone()),
            ("ErrorCode", "0".to_owned()),
            ("RecordingChannels", recording.channels.count().to_string()),
            ("RecordingDuration", seconds),
            ("RecordingSid", id.clone()),
            ("RecordingSource", "StartCallRecordingAPI".to_owned()),
            ("RecordingStartTime", date(state.started.unwrap_or_default())),
            ("RecordingStatus", "completed".to_owned()),
            ("RecordingTrack", "both".to_owned()),
            ("RecordingUrl", format!("{base}/Recordings/{id}")),
        ];
        carrier.office.tapes.keep(Tape {
            id,
            call: call.id.clone(),
            wav,
            length,
        });
        let Some((url, method)) = recording.callback else {
            continue;
        };
        let told = Webhook {
            event: "recording",
            url: &url,
            method,
            form: form.map(|(name, value)| (name.to_owned(), value)).into(),
            kind: Kind::Genuine,
            token: &fresh(""),
        };
        if let Err(unanswered) = webhook::send(carrier, call, told).await {
            let ledger = &carrier.office.ledger;
            ledger.warn(unanswered.code, &call.id, unanswered.text);
        }
    }
}

/// A day: the carrier has no limit of its own here but the call's.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

const CREATE: &[&str] = &[
    "RecordingChannels",
    "RecordingStatusCallback",
    "RecordingStatusCallbackEvent",
    "RecordingStatusCallbackMethod",
    "RecordingTrack",
    "Trim",
];
