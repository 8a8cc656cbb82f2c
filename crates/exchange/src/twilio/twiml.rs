//! TwiML as a carrier reads it: the verbs of a call that talks over a media stream, and a few more.
//!
//! Source: the TwiML Voice reference. A document that is not well-formed, or whose root is not `<Response>`, fails
//! with 12100; an unknown verb or attribute is a 12200 warning and is passed over.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
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

/// Why a document cannot be performed at all (12100).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

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
    warn_of_strangers(&element, known, warnings);
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
    warn_of_strangers(stream, STREAM, warnings);
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
        warn_of_strangers(child, &["name", "value"], warnings);
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

fn warn_of_strangers(element: &Element, known: &[&str], warnings: &mut Vec<String>) {
    for (name, _) in &element.attributes {
        if !known.contains(&name.as_str()) {
            warnings.push(format!("<{}> has no attribute {name}", element.name));
        }
    }
}

struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
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

/// The document as a tree, or why it is not well-formed.
fn tree(text: &str) -> Result<Element, Unreadable> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader
            .read_event()
            .map_err(|why| Unreadable(why.to_string()))?;
        match event {
            Event::Start(start) => {
                if open.len() >= DEEPEST || (open.is_empty() && root.is_some()) {
                    return Err(Unreadable(
                        "more than one root, or nested too deep".to_owned(),
                    ));
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) if !open.is_empty() || root.is_none() => {
                adopt(element(&start)?, &mut open, &mut root);
            }
            Event::End(_) => match open.pop() {
                Some(closed) => adopt(closed, &mut open, &mut root),
                None => return Err(Unreadable("an element ends that never began".to_owned())),
            },
            Event::Text(part) => say(&part.xml10_content(), &mut open)?,
            Event::CData(part) => say(&part.xml10_content(), &mut open)?,
            Event::GeneralRef(reference) => say(&resolve(&reference)?, &mut open)?,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err(Unreadable("a DOCTYPE is not allowed".to_owned())),
            Event::Empty(_) => return Err(Unreadable("more than one root".to_owned())),
            Event::Eof => break,
        }
    }
    match (root, open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(Unreadable("the document ends in the middle".to_owned())),
    }
}

fn adopt(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn say(text: &str, open: &mut [Element]) -> Result<(), Unreadable> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(Unreadable("there is text outside the root".to_owned())),
    }
    Ok(())
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, Unreadable> {
    let name: &str = reference;
    let known = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference
            .resolve_char_ref()
            .map_err(|why| Unreadable(why.to_string()))?,
    };
    known
        .map(String::from)
        .ok_or_else(|| Unreadable(format!("&{name}; is not known")))
}

fn element(start: &BytesStart<'_>) -> Result<Element, Unreadable> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|why| Unreadable(why.to_string()))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|why| Unreadable(why.to_string()))?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: start.name().as_ref().to_owned(),
        attributes,
        children: Vec::new(),
        text: String::new(),
    })
}

/// A document may have 64 KiB.
const LONGEST: usize = 64 * 1024;
const LONGEST_PARAMETER: usize = 500;
const DEEPEST: usize = 16;
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
