//! The fields of a request to the REST API: which are known, and what they may hold.

use super::rest::{Refusal, refusal};
use super::twiml::{Method, Onward};
use super::{Callback, Fetch, Instructions};
use std::time::Duration;

pub(super) fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

pub(super) fn known(pairs: &[(String, String)], names: &[&str]) -> Result<(), Refusal> {
    let strangers: Vec<&str> = pairs
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !names.contains(name))
        .collect();
    if strangers.is_empty() {
        return Ok(());
    }
    Err(refusal(
        400,
        20001,
        format!("Unknown parameters: {}", strangers.join(", ")),
    ))
}

pub(super) fn once(pairs: &[(String, String)], repeatable: &[&str]) -> Result<(), Refusal> {
    for (index, (name, _)) in pairs.iter().enumerate() {
        let repeated = pairs[..index].iter().any(|(earlier, _)| earlier == name);
        if repeated && !repeatable.contains(&name.as_str()) {
            return Err(refusal(
                400,
                20001,
                format!("{name} is given more than once"),
            ));
        }
    }
    Ok(())
}

/// A form's fields, read by name.
pub(super) struct Form<'a>(pub(super) &'a [(String, String)]);

impl<'a> Form<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// `Url` wins over `Twiml`; there are no applications here for `ApplicationSid` to name.
    pub(super) fn instructions(&self) -> Result<Option<Instructions>, Refusal> {
        if let Some(sid) = self.get("ApplicationSid") {
            return Err(refusal(
                400,
                21218,
                format!("There is no application {sid}"),
            ));
        }
        let fallback = match self.url("FallbackUrl")? {
            Some(url) => Onward::Fetch(url),
            None => Onward::NextVerb,
        };
        let method = self.method("Method")?;
        self.method("FallbackMethod")?;
        if let Some(url) = self.url("Url")? {
            let fetch = Fetch {
                url,
                method,
                fallback,
                event: "voice",
                extra: Vec::new(),
            };
            return Ok(Some(Instructions::Fetch(fetch)));
        }
        match self.get("Twiml") {
            Some(twiml) if twiml.chars().count() > LONGEST_TWIML => Err(refusal(
                400,
                20001,
                format!("Twiml has at most {LONGEST_TWIML} characters"),
            )),
            Some(twiml) => Ok(Some(Instructions::Inline(twiml.to_owned()))),
            None => Ok(None),
        }
    }

    pub(super) fn callback(&self, mut callback: Callback) -> Result<Callback, Refusal> {
        if let Some(url) = self.url("StatusCallback")? {
            callback.url = url;
        }
        if self.get("StatusCallbackMethod").is_some() || callback.method.is_empty() {
            callback.method = match self.method("StatusCallbackMethod")? {
                Method::Get => "GET".to_owned(),
                Method::Post => "POST".to_owned(),
            };
        }
        let events = self.all("StatusCallbackEvent");
        if let Some(stranger) = events
            .iter()
            .find(|event| !EVENTS.contains(&event.as_str()))
        {
            return Err(refusal(
                400,
                21626,
                format!("{stranger:?} is not a StatusCallbackEvent"),
            ));
        }
        if !events.is_empty() {
            callback.events = events;
        } else if callback.events.is_empty() {
            callback.events = vec!["completed".to_owned()];
        }
        Ok(callback)
    }

    /// A URL the carrier would call: absolute, `http` or `https`, without an underscore in the host.
    pub(super) fn url(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let bad = || refusal(400, 21205, format!("{name} is not a valid URL: {text}"));
        let url = url::Url::parse(text).map_err(|_| bad())?;
        let host = url.host_str().unwrap_or_default();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() || host.contains('_') {
            return Err(bad());
        }
        Ok(Some(text.to_owned()))
    }

    pub(super) fn method(&self, name: &str) -> Result<Method, Refusal> {
        match self.get(name) {
            None | Some("POST") => Ok(Method::Post),
            Some("GET") => Ok(Method::Get),
            Some(other) => Err(refusal(
                400,
                21403,
                format!("{name} is GET or POST, not {other}"),
            )),
        }
    }

    pub(super) fn seconds(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(seconds) if range.contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
            Ok(_) | Err(_) => {
                let (least, most) = range.into_inner();
                Err(refusal(
                    400,
                    20001,
                    format!("{name} is a whole number from {least} to {most}, not {text}"),
                ))
            }
        }
    }

    pub(super) fn page_size(&self) -> Result<usize, Refusal> {
        match self.get("PageSize").map(str::parse) {
            None => Ok(50),
            Some(Ok(size @ 1..=1_000)) => Ok(size),
            Some(_) => Err(refusal(
                400,
                20007,
                "PageSize is a whole number from 1 to 1000",
            )),
        }
    }

    /// Where to say who picked up, where that is asked and nothing waits for it. What waits for it is not played here.
    pub(super) fn answered_by(&self) -> Option<String> {
        self.get("MachineDetection")?;
        let goes_on = self.get("AsyncAmd") == Some("true");
        let to = self.get("AsyncAmdStatusCallback");
        to.filter(|_| goes_on).map(str::to_owned)
    }

    /// Parameters that are accepted and not played here are still checked.
    pub(super) fn check_the_rest(&self) -> Result<(), Refusal> {
        for name in [
            "RecordingStatusCallback",
            "AsyncAmdStatusCallback",
            "ClientNotificationUrl",
        ] {
            self.url(name)?;
        }
        for name in [
            "RecordingStatusCallbackMethod",
            "AsyncAmdStatusCallbackMethod",
        ] {
            self.method(name)?;
        }
        for (name, range) in [
            ("MachineDetectionTimeout", 3..=59),
            ("MachineDetectionSpeechThreshold", 1_000..=6_000),
            ("MachineDetectionSpeechEndThreshold", 500..=5_000),
            ("MachineDetectionSilenceTimeout", 2_000..=10_000),
        ] {
            self.seconds(name, range)?;
        }
        for (name, values) in [
            ("Record", &["true", "false"][..]),
            ("RecordingChannels", &["mono", "dual"]),
            ("RecordingTrack", &["inbound", "outbound", "both"]),
            ("Trim", &["trim-silence", "do-not-trim"]),
            ("MachineDetection", &["Enable", "DetectMessageEnd"]),
            ("AsyncAmd", &["true", "false"]),
        ] {
            if let Some(value) = self.get(name).filter(|value| !values.contains(value)) {
                return Err(refusal(
                    400,
                    20001,
                    format!("{name} is one of {values:?}, not {value}"),
                ));
            }
        }
        let digits = self.get("SendDigits").unwrap_or_default();
        if digits.len() > 32
            || !digits
                .chars()
                .all(|digit| "0123456789ABCD#*wW".contains(digit))
        {
            return Err(refusal(
                400,
                21206,
                format!("SendDigits is not valid: {digits}"),
            ));
        }
        Ok(())
    }
}

pub(super) const CREATE: &[&str] = &[
    "To",
    "From",
    "Method",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackEvent",
    "StatusCallbackMethod",
    "SendDigits",
    "Timeout",
    "Record",
    "RecordingChannels",
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "SipAuthUsername",
    "SipAuthPassword",
    "MachineDetection",
    "MachineDetectionTimeout",
    "RecordingStatusCallbackEvent",
    "Trim",
    "CallerId",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "MachineDetectionSilenceTimeout",
    "AsyncAmd",
    "AsyncAmdStatusCallback",
    "AsyncAmdStatusCallbackMethod",
    "Byoc",
    "CallReason",
    "CallToken",
    "RecordingTrack",
    "TimeLimit",
    "ClientNotificationUrl",
    "Url",
    "Twiml",
    "ApplicationSid",
];
pub(super) const UPDATE: &[&str] = &[
    "Url",
    "Method",
    "Status",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackMethod",
    "Twiml",
    "TimeLimit",
];
pub(super) const LIST_CALLS: &[&str] = &[
    "To",
    "From",
    "ParentCallSid",
    "Status",
    "StartTime",
    "StartTime<",
    "StartTime>",
    "EndTime",
    "EndTime<",
    "EndTime>",
    "PageSize",
    "Page",
    "PageToken",
];
pub(super) const LIST_NUMBERS: &[&str] = &[
    "Beta",
    "FriendlyName",
    "PhoneNumber",
    "Origin",
    "PageSize",
    "Page",
    "PageToken",
];
pub(super) const UPDATE_NUMBER: &[&str] = &[
    "AccountSid",
    "ApiVersion",
    "FriendlyName",
    "SmsApplicationSid",
    "SmsFallbackMethod",
    "SmsFallbackUrl",
    "SmsMethod",
    "SmsUrl",
    "StatusCallback",
    "StatusCallbackMethod",
    "VoiceApplicationSid",
    "VoiceCallerIdLookup",
    "VoiceFallbackMethod",
    "VoiceFallbackUrl",
    "VoiceMethod",
    "VoiceUrl",
    "EmergencyStatus",
    "EmergencyAddressSid",
    "TrunkSid",
    "VoiceReceiveMode",
    "IdentitySid",
    "AddressSid",
    "BundleSid",
];
const EVENTS: &[&str] = &["initiated", "ringing", "answered", "completed"];
const LONGEST_TWIML: usize = 4_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::path::Path;

    /// The lists of names are the carrier's own.
    #[test]
    fn the_known_parameters_are_those_of_the_openapi_description() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/oracles/twilio/twilio-operations.json");
        let text = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let table: Value = serde_json::from_slice(&text).unwrap();
        for (operation, names) in [
            ("CreateCall", CREATE),
            ("UpdateCall", UPDATE),
            ("ListCall", LIST_CALLS),
            ("ListIncomingPhoneNumber", LIST_NUMBERS),
            ("UpdateIncomingPhoneNumber", UPDATE_NUMBER),
        ] {
            let entry = table["operations"]
                .as_array()
                .unwrap()
                .iter()
                .find(|entry| entry["operation"] == operation);
            let entry = entry.unwrap();
            let mut expected: Vec<&str> = match entry["body"]["params"].as_object() {
                Some(params) => params.keys().map(String::as_str).collect(),
                None => entry["query"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| name.as_str().unwrap())
                    .collect(),
            };
            let mut names = names.to_vec();
            expected.sort_unstable();
            names.sort_unstable();
            assert_eq!(names, expected, "{operation}");
        }
    }

    #[test]
    fn only_e164_is_a_number() {
        for good in ["+15551234567", "+493012345678"] {
            assert!(is_number(good), "{good}");
        }
        for bad in [
            "15551234567",
            "+0155512345",
            "+1555",
            "+1 555 123 4567",
            "",
            "+1555123456789012",
            "+١٢٣٤٥٦٧٨٩",
        ] {
            assert!(!is_number(bad), "{bad}");
        }
    }
}
