//! TwiML as a carrier reads it: the verbs of a call that talks over a media stream, and a few more.
//!
//! Source: the TwiML Voice reference. A document that is not well-formed, or whose root is not `<Response>`, fails
//! with 12100; an unknown verb or attribute is a 12200 warning and is passed over.

use crate::xml::{Element, Unreadable, tree};
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

impl Element {
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
