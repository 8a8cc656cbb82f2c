//! TwiML as a carrier reads it: the verbs of a call that talks over a media stream, and a few more.
//!
//! Source: the TwiML Voice reference. A document that is not well-formed, or whose root is not `<Response>`, fails
//! with 12100; an unknown verb or attribute is a 12200 warning and is passed over.

use super::Callback;
use crate::xml::{Element, Unreadable, tree};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A document that can be performed, and what the debugger would say about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) verbs: Vec<Verb>,
    pub(crate) warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Connect {
        stream: Stream,
        action: Onward,
        method: Method,
    },
    Confer(Box<Confer>),
    Dial(Box<Dial>),
    Hangup,
    Reject {
        reason: Reason,
    },
    Say {
        text: String,
    },
    Pause {
        length: Duration,
    },
    Redirect {
        url: String,
        method: Method,
    },
    Play,
}

/// A `<Stream>` inside `<Connect>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) status_callback: Onward,
    pub(crate) parameters: Vec<(String, String)>,
}

/// A `<Dial>` of one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) to: String,
    /// What is shown there; the caller's own number when nothing is said.
    pub(crate) caller_id: Option<String>,
    /// How long it may ring.
    pub(crate) timeout: Duration,
    /// How long the two may talk.
    pub(crate) time_limit: Duration,
    pub(crate) action: Onward,
    pub(crate) method: Method,
    /// Where the new call's own callbacks go; nowhere when its URL is empty.
    pub(crate) callback: Callback,
}

/// A `<Dial>` of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Confer {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) muted: bool,
    /// Whether others begin to hear one another once this one is there.
    pub(crate) starts: bool,
    /// Whether the room is closed when this one leaves.
    pub(crate) ends: bool,
    /// How many may be in it for this one to be let in.
    pub(crate) most: usize,
    /// How long this one may stay.
    pub(crate) time_limit: Duration,
    pub(crate) action: Onward,
    pub(crate) method: Method,
    /// Where to tell of the room; nowhere when its URL is empty.
    pub(crate) callback: Callback,
}

/// Where to go when a verb ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Onward {
    NextVerb,
    Fetch(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// What a rejected caller hears; it also decides the call's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Rejected,
    Busy,
}

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<Document, Unreadable> {
    if text.len() > LONGEST {
        return Err(Unreadable(format!(
            "the document has {} bytes, at most {LONGEST} are read",
            text.len()
        )));
    }
    let root = tree(text)?;
    if root.name != "Response" {
        return Err(Unreadable(format!(
            "the root is <{}>, not <Response>",
            root.name
        )));
    }
    let mut warnings = Vec::new();
    let verbs = root
        .children
        .into_iter()
        .filter_map(|element| verb(element, &mut warnings))
        .collect();
    Ok(Document { verbs, warnings })
}

fn verb(element: Element, warnings: &mut Vec<String>) -> Option<Verb> {
    let known: &[&str] = match element.name.as_str() {
        "Connect" => &["action", "method"],
        "Dial" => DIAL,
        "Hangup" => &[],
        "Reject" => &["reason"],
        "Say" => &["voice", "language", "loop"],
        "Pause" => &["length"],
        "Redirect" => &["method"],
        "Play" => &["loop", "digits"],
        unknown => {
            warnings.push(format!("<{unknown}> is not a verb that is performed here"));
            return None;
        }
    };
    element.warn_of_strangers(known, warnings);
    let method = element.method("method", warnings);
    match element.name.as_str() {
        "Connect" => connect(&element, method, warnings),
        "Dial" => dial(&element, method, warnings),
        "Hangup" => Some(Verb::Hangup),
        "Reject" => Some(Verb::Reject {
            reason: element.reason(warnings),
        }),
        "Say" => Some(Verb::Say { text: element.text }),
        "Pause" => Some(Verb::Pause {
            length: element.length(warnings),
        }),
        "Redirect" => Some(Verb::Redirect {
            url: element.text.trim().to_owned(),
            method,
        }),
        _ => Some(Verb::Play),
    }
}

fn connect(element: &Element, method: Method, warnings: &mut Vec<String>) -> Option<Verb> {
    let mut streams = element
        .children
        .iter()
        .filter(|child| child.name == "Stream");
    for other in element
        .children
        .iter()
        .filter(|child| child.name != "Stream")
    {
        warnings.push(format!(
            "<{}> inside <Connect> is not performed here",
            other.name
        ));
    }
    let Some(stream) = streams.next() else {
        warnings.push("<Connect> holds no <Stream>".to_owned());
        return None;
    };
    if streams.next().is_some() {
        warnings.push("<Connect> holds more than one <Stream>; the first is used".to_owned());
    }
    stream.warn_of_strangers(STREAM, warnings);
    if let Some(track) = stream
        .attribute("track")
        .filter(|track| *track != "inbound_track")
    {
        warnings.push(format!(
            "a bidirectional stream has only the inbound_track, not {track}"
        ));
    }
    let mut parameters = Vec::new();
    for child in &stream.children {
        child.warn_of_strangers(&["name", "value"], warnings);
        match (
            child.name.as_str(),
            child.attribute("name"),
            child.attribute("value"),
        ) {
            ("Parameter", Some(name), Some(value))
                if name.len() + value.len() < LONGEST_PARAMETER =>
            {
                parameters.push((name.to_owned(), value.to_owned()));
            }
            _ => warnings.push(format!("<{}> inside <Stream> is passed over", child.name)),
        }
    }
    let stream = Stream {
        url: stream.attribute("url").unwrap_or_default().to_owned(),
        name: stream.attribute("name").unwrap_or_default().to_owned(),
        status_callback: stream.onward("statusCallback"),
        parameters,
    };
    Some(Verb::Connect {
        stream,
        action: element.onward("action"),
        method,
    })
}

fn dial(element: &Element, method: Method, warnings: &mut Vec<String>) -> Option<Verb> {
    for name in NOT_PLAYED.iter().filter(|name| element.attribute(name).is_some()) {
        warnings.push(format!("<Dial> with {name} is not played here"));
    }
    if let Some(room) = element.children.iter().find(|child| child.name == "Conference") {
        return confer(element, room, method, warnings);
    }
    let (mut numbers, others): (Vec<_>, Vec<_>) =
        element.children.iter().partition(|child| child.name == "Number");
    for other in others {
        warnings.push(format!("<{}> inside <Dial> is not performed here", other.name));
    }
    if numbers.len() > 1 {
        warnings.push("<Dial> holds more than one <Number>; the first is called".to_owned());
        numbers.truncate(1);
    }
    let (to, callback) = match numbers.pop() {
        Some(number) => (number.text.trim(), number.callback(warnings)),
        None => (element.text.trim(), Callback::default()),
    };
    if to.is_empty() {
        warnings.push("<Dial> holds no number".to_owned());
        return None;
    }
    element.truth("answerOnBridge", warnings);
    Some(Verb::Dial(Box::new(Dial {
        to: to.to_owned(),
        caller_id: element.attribute("callerId").map(str::to_owned),
        timeout: element.seconds("timeout", 5..=600, 30, warnings),
        time_limit: element.seconds("timeLimit", 1..=86_400, 14_400, warnings),
        action: element.onward("action"),
        method,
        callback,
    })))
}

fn confer(
    element: &Element,
    room: &Element,
    method: Method,
    warnings: &mut Vec<String>,
) -> Option<Verb> {
    if element.children.len() > 1 {
        warnings.push("a <Dial> with a <Conference> holds nothing else".to_owned());
    }
    room.warn_of_strangers(CONFERENCE, warnings);
    for name in ["coach", "record"].iter().filter(|name| room.attribute(name).is_some()) {
        warnings.push(format!("<Conference> with {name} is not played here"));
    }
    let name = room.text.trim();
    if name.is_empty() {
        warnings.push("<Conference> has no name".to_owned());
        return None;
    }
    for (name, known) in [
        ("beep", ["true", "false", "onEnter", "onExit"]),
        ("jitterBufferSize", ["small", "medium", "large", "off"]),
    ] {
        if let Some(said) = room.attribute(name).filter(|it| !known.contains(it)) {
            warnings.push(format!("{name} cannot be {said}"));
        }
    }
    let most = match room.attribute("maxParticipants").map(str::parse) {
        None => MOST_PARTICIPANTS,
        Some(Ok(most @ 2..=MOST_PARTICIPANTS)) => most,
        Some(_) => {
            warnings.push("maxParticipants is not a number from 2 to 250".to_owned());
            MOST_PARTICIPANTS
        }
    };
    Some(Verb::Confer(Box::new(Confer {
        name: name.to_owned(),
        label: room.attribute("participantLabel").unwrap_or_default().to_owned(),
        muted: room.truth("muted", warnings).unwrap_or(false),
        starts: room.truth("startConferenceOnEnter", warnings).unwrap_or(true),
        ends: room.truth("endConferenceOnExit", warnings).unwrap_or(false),
        most,
        time_limit: element.seconds("timeLimit", 1..=86_400, 14_400, warnings),
        action: element.onward("action"),
        method,
        callback: room.told(CONFERENCE_EVENTS, "", warnings),
    })))
}

impl Element {
    /// Where a `<Number>` wants the progress of its call told.
    fn callback(&self, warnings: &mut Vec<String>) -> Callback {
        self.warn_of_strangers(NUMBER, warnings);
        for name in ["url", "sendDigits", "byoc", "machineDetection"] {
            if self.attribute(name).is_some() {
                warnings.push(format!("<Number> with {name} is not played here"));
            }
        }
        self.told(EVENTS, "completed", warnings)
    }

    /// Where which of these events are told.
    fn told(&self, known: &[&str], otherwise: &str, warnings: &mut Vec<String>) -> Callback {
        let mut events = Vec::new();
        let said = self.attribute("statusCallbackEvent").unwrap_or(otherwise);
        for event in said.split_whitespace() {
            if known.contains(&event) {
                events.push(event.to_owned());
            } else {
                warnings.push(format!("{event:?} is not a statusCallbackEvent"));
            }
        }
        let method = match self.method("statusCallbackMethod", warnings) {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        Callback {
            url: self.attribute("statusCallback").unwrap_or_default().to_owned(),
            method: method.to_owned(),
            events,
        }
    }

    fn seconds(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
        otherwise: u64,
        warnings: &mut Vec<String>,
    ) -> Duration {
        let said = self.attribute(name).map(|text| text.parse().ok());
        let seconds = match said {
            None => otherwise,
            Some(Some(seconds)) if range.contains(&seconds) => seconds,
            Some(_) => {
                warnings.push(format!("{name} is not a number of seconds in {range:?}"));
                otherwise
            }
        };
        Duration::from_secs(seconds)
    }

    fn truth(&self, name: &str, warnings: &mut Vec<String>) -> Option<bool> {
        let said = self.attribute(name)?;
        let truth = said.parse().ok();
        if truth.is_none() {
            warnings.push(format!("{name}={said} is neither true nor false"));
        }
        truth
    }

    fn onward(&self, name: &str) -> Onward {
        match self.attribute(name) {
            Some(url) => Onward::Fetch(url.to_owned()),
            None => Onward::NextVerb,
        }
    }

    fn method(&self, name: &str, warnings: &mut Vec<String>) -> Method {
        match self.attribute(name) {
            None | Some("POST") => Method::Post,
            Some("GET") => Method::Get,
            Some(other) => {
                warnings.push(format!("{name}={other} is neither GET nor POST"));
                Method::Post
            }
        }
    }

    fn reason(&self, warnings: &mut Vec<String>) -> Reason {
        match self.attribute("reason") {
            None | Some("rejected") => Reason::Rejected,
            Some("busy") => Reason::Busy,
            Some(other) => {
                warnings.push(format!("reason={other} is neither rejected nor busy"));
                Reason::Rejected
            }
        }
    }

    fn length(&self, warnings: &mut Vec<String>) -> Duration {
        match self.attribute("length").map(str::parse) {
            None => Duration::from_secs(1),
            Some(Ok(seconds @ 0..=600_u64)) => Duration::from_secs(seconds),
            Some(_) => {
                warnings.push("length is not a whole number of seconds".to_owned());
                Duration::from_secs(1)
            }
        }
    }
}

/// A document may have 64 KiB.
const LONGEST: usize = 64 * 1024;
const LONGEST_PARAMETER: usize = 500;
const EVENTS: &[&str] = &["initiated", "ringing", "answered", "completed"];
const DIAL: &[&str] = &[
    "action",
    "answerOnBridge",
    "callerId",
    "events",
    "hangupOnStar",
    "method",
    "record",
    "recordingStatusCallback",
    "recordingStatusCallbackEvent",
    "recordingStatusCallbackMethod",
    "recordingTrack",
    "referMethod",
    "referUrl",
    "ringTone",
    "sequential",
    "timeLimit",
    "timeout",
    "trim",
];
/// Known, accepted, and then nothing comes of it here.
const NOT_PLAYED: &[&str] = &["hangupOnStar", "record", "referUrl", "ringTone", "sequential"];
const NUMBER: &[&str] = &[
    "amdStatusCallback",
    "amdStatusCallbackMethod",
    "byoc",
    "machineDetection",
    "machineDetectionSilenceTimeout",
    "machineDetectionSpeechEndThreshold",
    "machineDetectionSpeechThreshold",
    "machineDetectionTimeout",
    "method",
    "sendDigits",
    "statusCallback",
    "statusCallbackEvent",
    "statusCallbackMethod",
    "url",
];
const CONFERENCE: &[&str] = &[
    "beep",
    "coach",
    "endConferenceOnExit",
    "eventCallbackUrl",
    "jitterBufferSize",
    "maxParticipants",
    "muted",
    "participantLabel",
    "record",
    "recordingStatusCallback",
    "recordingStatusCallbackEvent",
    "recordingStatusCallbackMethod",
    "region",
    "startConferenceOnEnter",
    "statusCallback",
    "statusCallbackEvent",
    "statusCallbackMethod",
    "trim",
    "waitMethod",
    "waitUrl",
];
const CONFERENCE_EVENTS: &[&str] = &[
    "start",
    "end",
    "join",
    "leave",
    "mute",
    "hold",
    "modify",
    "speaker",
    "announcement",
];
const MOST_PARTICIPANTS: usize = 250;
const STREAM: &[&str] = &[
    "url",
    "name",
    "connectorName",
    "track",
    "statusCallback",
    "statusCallbackMethod",
    "audioFormat",
    "sampleRate",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stream_with_its_parameters() {
        let document = parse(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <Response>
              <Connect action="https://e.com/after?a=1&amp;b=2"><Stream url="wss://e.com/media/token">
                <Parameter name="token" value="a &quot;b&quot; &#233;"/></Stream></Connect>
              <Say>Good &amp; bye</Say><Pause length="2"/><Hangup/>
            </Response>"#,
        )
        .unwrap();
        assert_eq!(document.warnings, Vec::<String>::new());
        let stream = Stream {
            url: "wss://e.com/media/token".into(),
            name: String::new(),
            status_callback: Onward::NextVerb,
            parameters: vec![("token".into(), "a \"b\" é".into())],
        };
        assert_eq!(
            document.verbs,
            [
                Verb::Connect {
                    stream,
                    action: Onward::Fetch("https://e.com/after?a=1&b=2".into()),
                    method: Method::Post
                },
                Verb::Say {
                    text: "Good & bye".into()
                },
                Verb::Pause {
                    length: Duration::from_secs(2)
                },
                Verb::Hangup,
            ]
        );
    }

    #[test]
    fn what_is_not_a_document_is_unreadable() {
        for text in [
            "",
            "hello",
            "<Response>",
            "<Response></Respond>",
            "<Answer/>",
            "<Response/><Response/>",
            "<Response>&nbsp;</Response>",
            "<Response><Say a=1/></Response>",
            "<Response/> and more",
            "<!DOCTYPE x><Response/>",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse("<Response/>").unwrap().verbs, []);
    }

    #[test]
    fn strangers_are_warned_of_and_passed_over() {
        let document = parse(
            r#"<Response><Shout/><Hangup now="yes"/><Connect><Stream uri="wss://e.com"/></Connect></Response>"#,
        )
        .unwrap();
        assert_eq!(document.verbs.len(), 2);
        assert_eq!(document.warnings.len(), 3, "{:?}", document.warnings);
    }

    #[test]
    fn reads_a_dial_of_one_number() {
        let document = parse(
            r#"<Response><Dial answerOnBridge="true" callerId="+15550001111" timeout="25" timeLimit="3600"
              action="https://e.com/again?call=1#rc=5" method="POST"><Number statusCallback="https://e.com/status"
              statusCallbackMethod="GET" statusCallbackEvent="initiated answered"> +15551230002 </Number></Dial></Response>"#,
        )
        .unwrap();
        assert_eq!(document.warnings, Vec::<String>::new());
        let dial = Dial {
            to: "+15551230002".into(),
            caller_id: Some("+15550001111".into()),
            timeout: Duration::from_secs(25),
            time_limit: Duration::from_secs(3_600),
            action: Onward::Fetch("https://e.com/again?call=1#rc=5".into()),
            method: Method::Post,
            callback: Callback {
                url: "https://e.com/status".into(),
                method: "GET".into(),
                events: vec!["initiated".into(), "answered".into()],
            },
        };
        assert_eq!(document.verbs, [Verb::Dial(Box::new(dial))]);
        let bare = parse("<Response><Dial>+15551230002</Dial></Response>").unwrap();
        let [Verb::Dial(bare)] = &bare.verbs[..] else {
            panic!("{bare:?}")
        };
        assert_eq!((bare.timeout, bare.time_limit), (Duration::from_secs(30), Duration::from_secs(14_400)));
        assert_eq!((&bare.callback, &bare.caller_id), (&Callback::default(), &None));
        assert_eq!(bare.action, Onward::NextVerb);
    }

    #[test]
    fn reads_a_dial_of_a_room() {
        let document = parse(
            r#"<Response><Dial timeLimit="60" action="/again" method="GET"><Conference startConferenceOnEnter="false"
              endConferenceOnExit="true" muted="true" beep="onEnter" maxParticipants="3" participantLabel="anna"
              statusCallback="https://e.com/status" statusCallbackEvent="start end join leave"> Daily stand-up
              </Conference></Dial></Response>"#,
        )
        .unwrap();
        assert_eq!(document.warnings, Vec::<String>::new());
        let confer = Confer {
            name: "Daily stand-up".into(),
            label: "anna".into(),
            muted: true,
            starts: false,
            ends: true,
            most: 3,
            time_limit: Duration::from_secs(60),
            action: Onward::Fetch("/again".into()),
            method: Method::Get,
            callback: Callback {
                url: "https://e.com/status".into(),
                method: "POST".into(),
                events: ["start", "end", "join", "leave"].map(str::to_owned).into(),
            },
        };
        assert_eq!(document.verbs, [Verb::Confer(Box::new(confer))]);
        let bare = parse("<Response><Dial><Conference>room</Conference></Dial></Response>").unwrap();
        let [Verb::Confer(bare)] = &bare.verbs[..] else {
            panic!("{bare:?}")
        };
        assert_eq!((bare.starts, bare.ends, bare.muted, bare.most), (true, false, false, 250));
        assert_eq!(bare.time_limit, Duration::from_secs(14_400));
        assert_eq!((bare.callback.url.as_str(), bare.callback.events.len()), ("", 0));
    }

    #[test]
    fn what_a_dial_cannot_mean_is_warned_of() {
        for (inside, warnings) in [
            (r#"<Dial timeout="4" timeLimit="0">+15551230002</Dial>"#, 2),
            (r#"<Dial answerOnBridge="yes" record="true" loud="1">+15551230002</Dial>"#, 3),
            ("<Dial><Conference>room</Conference><Number>+15551230002</Number></Dial>", 1),
            (r#"<Dial><Conference loud="1" record="record-from-start" beep="maybe" muted="no" maxParticipants="1" statusCallbackEvent="join done">room</Conference></Dial>"#, 6),
            ("<Dial><Conference> </Conference></Dial>", 1),
            ("<Dial><Number>+15551230002</Number><Number>+15551230003</Number></Dial>", 1),
            (r#"<Dial><Number statusCallbackEvent="done" url="/whisper">+15551230002</Number></Dial>"#, 2),
        ] {
            let document = parse(&format!("<Response>{inside}</Response>")).unwrap();
            assert_eq!(document.warnings.len(), warnings, "{:?}", document.warnings);
        }
    }

    #[test]
    fn a_rejection_has_a_reason() {
        for (text, reason) in [
            ("<Response><Reject/></Response>", Reason::Rejected),
            (
                r#"<Response><Reject reason="busy"/></Response>"#,
                Reason::Busy,
            ),
        ] {
            assert_eq!(parse(text).unwrap().verbs, [Verb::Reject { reason }]);
        }
    }
}
