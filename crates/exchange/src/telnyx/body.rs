//! The bodies of requests: which members there are, what they may be, and what a stream is ordered to be.
//!
//! Source: the carrier's OpenAPI description (DialCall, AnswerCall, RejectCall, HangupCall, StartCallStreaming,
//! StopCallStreaming, SendDTMF, UpdateClientState, TransferCall).

use super::rest::{Refusal, refusal};
use super::uuid;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// A request's JSON object.
pub(super) struct Body<'a>(pub(super) &'a Map<String, Value>);

/// What a media stream is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamOrder {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) track: Track,
    /// What the application wants to hear; [`None`] is whatever the call speaks.
    pub(super) codec: Option<String>,
    pub(super) back: Back,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) token: Option<String>,
}

/// Which of the call's directions are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Inbound,
    Outbound,
    Both,
}

/// What becomes of what the application sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// It would have to be MP3 files, which are not played here.
    Mp3,
    /// It is for the other leg, and there is none.
    ToNobody,
    Plays(Spoken),
}

/// What the application speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Pcmu,
    Pcma,
    /// 16-bit samples, the high byte first, at 8 kHz.
    Linear8,
    /// The same at 16 kHz.
    Linear16,
    /// At 16 kHz, by whatever clock.
    G722,
    /// Played at 16 kHz.
    Opus,
}

impl<'a> Body<'a> {
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(invalid(name, format!("{name} is a string, not {other}"))),
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a str, Refusal> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| refusal(422, 10004, format!("The '{name}' parameter is required")).at(name))
    }

    pub(super) fn number(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|number| range.contains(number)) {
                Some(number) => Ok(Some(number)),
                None => {
                    let (least, most) = range.into_inner();
                    let text = format!("{name} is a whole number from {least} to {most}, not {value}");
                    Err(invalid(name, text))
                }
            },
        }
    }

    pub(super) fn choice(
        &self,
        name: &str,
        choices: &[&'static str],
    ) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let chosen = choices.iter().find(|choice| **choice == text).copied();
        let refused = || {
            refusal(422, 10032, format!("{name} is one of {choices:?}, not {text:?}")).at(name)
        };
        chosen.map(Some).ok_or_else(refused)
    }

    pub(super) fn client_state(&self) -> Result<Option<&'a str>, Refusal> {
        self.state("client_state")
    }

    /// What is to come back in a leg's events.
    pub(super) fn state(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let state = self.text(name)?;
        match state.map(|state| STANDARD.decode(state)) {
            None | Some(Ok(_)) => Ok(state),
            Some(Err(why)) => {
                let text = format!("{name} is not valid Base64: {why}");
                Err(refusal(422, 90017, text).at(name))
            }
        }
    }

    /// A URL for events: absolute, `http` or `https`.
    pub(super) fn webhook_url(&self) -> Result<Option<&'a str>, Refusal> {
        let text = self.text("webhook_url")?.filter(|text| !text.is_empty());
        let is_url = |text: &str| {
            url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        match text {
            Some(text) if !is_url(text) => {
                let text = format!("webhook_url is not a valid URL: {text}");
                Err(invalid("webhook_url", text))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// A number in +E.164 or a SIP address.
    pub(super) fn party(&self, name: &str) -> Result<&'a str, Refusal> {
        let text = self.required(name)?;
        if is_number(text) || (text.starts_with("sip:") && text.contains('@')) {
            return Ok(text);
        }
        let text = format!("The '{name}' parameter must be a phone number in +E.164 format: {text}");
        Err(refusal(422, 10016, text).at(name))
    }

    /// The stream the request asks for, if it does.
    pub(super) fn stream(&self) -> Result<Option<StreamOrder>, Refusal> {
        let track = match self.choice("stream_track", TRACKS)? {
            Some("outbound_track") => Track::Outbound,
            Some("both_tracks") => Track::Both,
            Some(_) | None => Track::Inbound,
        };
        let codec = self.choice("stream_codec", HEARD)?;
        let back = self.back()?;
        let parameters = self.parameters()?;
        let token = self.text("stream_auth_token")?;
        if token.is_some_and(|token| token.chars().count() > LONGEST_TOKEN) {
            let text = format!("stream_auth_token has at most {LONGEST_TOKEN} characters");
            return Err(invalid("stream_auth_token", text));
        }
        let Some(url) = self.text("stream_url")?.filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        if !url.starts_with("ws://") && !url.starts_with("wss://") {
            let text = format!("stream_url is the address of a WebSocket, not {url:?}");
            return Err(invalid("stream_url", text));
        }
        Ok(Some(StreamOrder {
            id: uuid(),
            url: url.to_owned(),
            track,
            codec: codec.filter(|codec| *codec != "default").map(str::to_owned),
            back,
            parameters,
            token: token.map(str::to_owned),
        }))
    }

    fn back(&self) -> Result<Back, Refusal> {
        let mode = self.choice("stream_bidirectional_mode", &["mp3", "rtp"])?;
        let legs = self.choice(
            "stream_bidirectional_target_legs",
            &["both", "self", "opposite"],
        )?;
        let codec = self.choice("stream_bidirectional_codec", &HEARD[..6])?;
        let rate = self.number("stream_bidirectional_sampling_rate", 0..=u64::MAX)?;
        let rate = rate.unwrap_or(8_000);
        if !RATES.contains(&rate) {
            let text = format!("stream_bidirectional_sampling_rate is one of {RATES:?}, not {rate}");
            return Err(refusal(422, 10032, text).at("stream_bidirectional_sampling_rate"));
        }
        if mode != Some("rtp") {
            return Ok(Back::Mp3);
        }
        let spoken = match (codec.unwrap_or("PCMU"), rate) {
            ("PCMU", 8_000) => Spoken::Pcmu,
            ("PCMA", 8_000) => Spoken::Pcma,
            ("L16", 8_000) => Spoken::Linear8,
            ("L16", 16_000) => Spoken::Linear16,
            ("G722", 8_000 | 16_000) => Spoken::G722,
            ("OPUS", 8_000 | 16_000 | 24_000 | 48_000) => Spoken::Opus,
            (codec, rate) => {
                let text = format!("{codec} at {rate} Hz is not played by this exchange");
                return Err(invalid("stream_bidirectional_codec", text));
            }
        };
        Ok(match legs {
            Some("self" | "both") => Back::Plays(spoken),
            Some(_) | None => Back::ToNobody,
        })
    }

    fn parameters(&self) -> Result<Vec<(String, String)>, Refusal> {
        let Some(list) = self.0.get("custom_parameters").filter(|list| !list.is_null()) else {
            return Ok(Vec::new());
        };
        let bad = || {
            let text = "custom_parameters is a list of objects with a name and a value";
            invalid("custom_parameters", text.to_owned())
        };
        let pair = |entry: &Value| {
            let member = |name: &str| entry[name].as_str().map(str::to_owned);
            Some((member("name")?, member("value")?))
        };
        let pairs = list.as_array().ok_or_else(bad)?.iter().map(pair);
        pairs.collect::<Option<_>>().ok_or_else(bad)
    }

    /// The sound of the keys to be sent, with their pauses.
    pub(super) fn keys(&self) -> Result<Vec<i16>, Refusal> {
        let digits = self.required("digits")?;
        let held = self.number("duration_millis", 100..=500)?.unwrap_or(250);
        let held = std::time::Duration::from_millis(held);
        let mut sound = Vec::new();
        for digit in digits.chars() {
            match digit {
                '0'..='9' | 'A'..='D' | '*' | '#' => sound.extend(crate::phone::key_tone(digit, held)),
                'w' => sound.resize(sound.len() + HALF_SECOND, 0),
                'W' => sound.resize(sound.len() + 2 * HALF_SECOND, 0),
                other => {
                    let text = format!("digits has no {other:?}");
                    return Err(invalid("digits", text));
                }
            }
        }
        Ok(sound)
    }

    /// The members that are not this operation's.
    pub(super) fn strangers(&self, known: &[&str]) -> Vec<&'a str> {
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| !known.contains(name)).collect()
    }
}

fn invalid(name: &str, text: String) -> Refusal {
    refusal(422, 10015, text).at(name)
}

/// A plus, and up to fifteen digits of which the first is not a zero.
fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// What each operation may be given.
pub(super) fn known(operation: &str) -> &'static [&'static str] {
    match operation {
        "dial" => DIAL,
        "answer" => ANSWER,
        "reject" => &["cause", "client_state", "command_id"],
        "hangup" => &["client_state", "command_id", "custom_headers"],
        "streaming_start" => STREAMING_START,
        "streaming_stop" => &["client_state", "command_id", "stream_id"],
        "send_dtmf" => &["client_state", "command_id", "digits", "duration_millis"],
        "client_state_update" => &["client_state"],
        "record_start" => RECORD_START,
        "transfer" => TRANSFER,
        _ => &[],
    }
}

/// What is known, accepted, and then does nothing here.
pub(super) const NOT_PLAYED: &[&str] = &[
    "answering_machine_detection",
    "assistant",
    "audio_url",
    "bridge_on_answer",
    "conference_config",
    "conversation_relay_config",
    "deepfake_detection",
    "early_media",
    "enable_dialogflow",
    "link_to",
    "media_name",
    "mute_dtmf",
    "record",
    "send_digits_on_answer",
    "stream_establish_before_call_originate",
    "supervise_call_control_id",
    "transcription",
    "webhook_retries_policies",
    "webhook_url_method",
    "webhook_urls",
    "webhook_urls_method",
];

const TRACKS: &[&str] = &["inbound_track", "outbound_track", "both_tracks"];
const HEARD: &[&str] = &["PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16", "default"];
const RATES: &[u64] = &[8_000, 16_000, 22_050, 24_000, 48_000];
const LONGEST_TOKEN: usize = 4_000;
const HALF_SECOND: usize = 4_000;

const RECORD_START: &[&str] = &[
    "channels",
    "client_state",
    "command_id",
    "custom_file_name",
    "format",
    "max_length",
    "play_beep",
    "recording_track",
    "timeout_secs",
    "transcription",
    "transcription_engine",
    "transcription_language",
    "transcription_max_speaker_count",
    "transcription_min_speaker_count",
    "transcription_profanity_filter",
    "transcription_speaker_diarization",
    "trim",
];

const DIAL: &[&str] = &[
    "answering_machine_detection",
    "answering_machine_detection_config",
    "assistant",
    "audio_url",
    "billing_group_id",
    "bridge_intent",
    "bridge_on_answer",
    "client_state",
    "command_id",
    "conference_config",
    "connection_id",
    "conversation_relay_config",
    "custom_headers",
    "deepfake_detection",
    "dialogflow_config",
    "enable_dialogflow",
    "from",
    "from_display_name",
    "link_to",
    "media_encryption",
    "media_name",
    "park_after_unbridge",
    "preferred_codecs",
    "prevent_double_bridge",
    "privacy",
    "record",
    "record_channels",
    "record_custom_file_name",
    "record_format",
    "record_max_length",
    "record_timeout_secs",
    "record_track",
    "record_trim",
    "retry_on_timeout",
    "send_digits_on_answer",
    "send_silence_when_idle",
    "sip_auth_password",
    "sip_auth_username",
    "sip_headers",
    "sip_region",
    "sip_transport_protocol",
    "sound_modifications",
    "stream_auth_token",
    "stream_bidirectional_codec",
    "stream_bidirectional_mode",
    "stream_bidirectional_sampling_rate",
    "stream_bidirectional_target_legs",
    "stream_codec",
    "stream_establish_before_call_originate",
    "stream_track",
    "stream_url",
    "supervise_call_control_id",
    "supervisor_role",
    "time_limit_secs",
    "timeout_secs",
    "to",
    "transcription",
    "transcription_config",
    "webhook_retries_policies",
    "webhook_url",
    "webhook_url_method",
    "webhook_urls",
    "webhook_urls_method",
];
const ANSWER: &[&str] = &[
    "assistant",
    "billing_group_id",
    "client_state",
    "command_id",
    "conversation_relay_config",
    "custom_headers",
    "deepfake_detection",
    "preferred_codecs",
    "record",
    "record_channels",
    "record_custom_file_name",
    "record_format",
    "record_max_length",
    "record_timeout_secs",
    "record_track",
    "record_trim",
    "send_silence_when_idle",
    "sip_headers",
    "sound_modifications",
    "stream_bidirectional_codec",
    "stream_bidirectional_mode",
    "stream_bidirectional_target_legs",
    "stream_codec",
    "stream_track",
    "stream_url",
    "transcription",
    "transcription_config",
    "webhook_retries_policies",
    "webhook_url",
    "webhook_url_method",
    "webhook_urls",
    "webhook_urls_method",
];
const STREAMING_START: &[&str] = &[
    "client_state",
    "command_id",
    "custom_parameters",
    "dialogflow_config",
    "enable_dialogflow",
    "stream_auth_token",
    "stream_bidirectional_codec",
    "stream_bidirectional_mode",
    "stream_bidirectional_sampling_rate",
    "stream_bidirectional_target_legs",
    "stream_codec",
    "stream_track",
    "stream_url",
];
const TRANSFER: &[&str] = &[
    "answering_machine_detection",
    "answering_machine_detection_config",
    "audio_url",
    "client_state",
    "command_id",
    "custom_headers",
    "early_media",
    "from",
    "from_display_name",
    "media_encryption",
    "media_name",
    "mute_dtmf",
    "park_after_unbridge",
    "preferred_codecs",
    "privacy",
    "record",
    "record_channels",
    "record_custom_file_name",
    "record_format",
    "record_max_length",
    "record_timeout_secs",
    "record_track",
    "record_trim",
    "send_digits_on_answer",
    "sip_auth_password",
    "sip_auth_username",
    "sip_headers",
    "sip_region",
    "sip_transport_protocol",
    "sound_modifications",
    "target_leg_client_state",
    "time_limit_secs",
    "timeout_secs",
    "to",
    "webhook_retries_policies",
    "webhook_url",
    "webhook_url_method",
    "webhook_urls",
    "webhook_urls_method",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    /// The lists of names are the carrier's own.
    #[test]
    fn the_known_members_are_those_of_the_openapi_description() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/oracles/telnyx/telnyx-operations.json");
        let text = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let table: Value = serde_json::from_slice(&text).unwrap();
        let members = |operation: &str| -> Vec<String> {
            let mut all = table["operations"].as_array().unwrap().iter();
            let found = all.find(|entry| entry["operation"] == operation).unwrap();
            let members = found["body"]["params"].as_object().unwrap();
            members.keys().cloned().collect()
        };
        for (ours, theirs) in [
            ("dial", "DialCall"),
            ("answer", "AnswerCall"),
            ("reject", "RejectCall"),
            ("hangup", "HangupCall"),
            ("streaming_start", "StartCallStreaming"),
            ("streaming_stop", "StopCallStreaming"),
            ("send_dtmf", "SendDTMF"),
            ("client_state_update", "UpdateClientState"),
            ("transfer", "TransferCall"),
        ] {
            let mut theirs = members(theirs);
            theirs.sort();
            assert_eq!(known(ours), theirs, "{ours}");
        }
    }

    fn stream(body: Value) -> Result<Option<StreamOrder>, u32> {
        let object = body.as_object().unwrap();
        Body(object).stream().map_err(|refusal| refusal.code)
    }

    #[test]
    fn the_defaults_of_a_stream_are_the_carriers_traps() {
        let plain = stream(json!({"stream_url": "wss://e.com/m"})).unwrap().unwrap();
        assert_eq!((plain.track, plain.codec, plain.back), (Track::Inbound, None, Back::Mp3));
        let rtp = json!({"stream_url": "wss://e.com/m", "stream_bidirectional_mode": "rtp"});
        assert_eq!(stream(rtp).unwrap().unwrap().back, Back::ToNobody);
        let heard = json!({
            "stream_url": "wss://e.com/m", "stream_bidirectional_mode": "rtp",
            "stream_bidirectional_target_legs": "self", "stream_codec": "PCMA",
        });
        let heard = stream(heard).unwrap().unwrap();
        assert_eq!(heard.back, Back::Plays(Spoken::Pcmu));
        assert_eq!(heard.codec.as_deref(), Some("PCMA"));
        assert_eq!(stream(json!({})), Ok(None));
    }

    #[test]
    fn a_stream_that_cannot_be_is_refused() {
        for (body, code) in [
            (json!({"stream_url": "https://e.com/m"}), 10015),
            (json!({"stream_track": "inbound"}), 10032),
            (json!({"stream_bidirectional_codec": "pcmu"}), 10032),
            (json!({"stream_bidirectional_sampling_rate": 11_025}), 10032),
            (json!({"stream_bidirectional_mode": "rtp", "stream_bidirectional_codec": "AMR-WB"}), 10015),
            (json!({"custom_parameters": {"a": "b"}}), 10015),
            (json!({"stream_auth_token": "x".repeat(4_001)}), 10015),
            (json!({"stream_url": 7}), 10015),
        ] {
            assert_eq!(stream(body.clone()), Err(code), "{body}");
        }
    }
}
