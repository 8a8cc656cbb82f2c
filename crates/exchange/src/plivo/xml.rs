//! The XML that instructs a call: the elements of one that talks over an audio stream, and a few more.
//!
//! Source: the carrier's XML reference and its SDK. A document that is not well-formed, whose root is not `<Response>`, or with
//! an attribute that cannot mean anything, cannot be performed; an unknown element or attribute is warned of and passed over.

use super::body::is_url;
use super::life::LONGEST_RING;
use super::{Method, Notice, tones};
use crate::LONGEST_CALL;
use crate::ear::{RATE, WIDE_RATE};
use crate::xml::{Element, Unreadable, tree};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// A document that can be performed, and what there is to warn of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) warnings: Vec<String>,
}

/// One element of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    Stream(Box<Stream>),
    Conference(Box<Conference>),
    Dial(Box<Dial>),
    Redirect(Notice),
    Hangup { reason: Reason, after: Duration },
    /// `<Wait>`, `<Speak>` and `<Play>`.
    Silence(Duration),
    /// What is to be played before the answer, which is silence.
    PreAnswer(Duration),
    Keys(Vec<i16>),
}

/// Why a call is hung up. Only a call that was not answered yet can be rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    None,
    Rejected,
    Busy,
}

/// An audio stream as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) url: String,
    pub(crate) bidirectional: bool,
    /// The elements behind it wait for its end.
    pub(crate) keeps_call_alive: bool,
    pub(crate) codec: Codec,
    pub(crate) timeout: Duration,
    pub(crate) extra_headers: Vec<(String, String)>,
    pub(crate) status: Option<Notice>,
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
    /// Asked when it is over.
    pub(crate) action: Option<Notice>,
    pub(crate) afterwards: Afterwards,
    /// Told how it is doing.
    pub(crate) callback: Option<Notice>,
}

/// A room that a call is put into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conference {
    pub(crate) name: String,
    pub(crate) muted: bool,
    /// Whether the room is closed when this one leaves.
    pub(crate) ends: bool,
    /// How many there may be with this one.
    pub(crate) most: usize,
    /// How long the room may last.
    pub(crate) time_limit: Duration,
    /// Asked when it is over for this one.
    pub(crate) action: Option<Notice>,
    pub(crate) afterwards: Afterwards,
    /// Told when this one comes and leaves.
    pub(crate) callback: Option<Notice>,
}

/// What a call does when its `<Dial>` is over and `action` has been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// What the reply says.
    Redirected,
    /// Whatever comes after the `<Dial>`.
    GoesOn,
}

/// How a stream's sound is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Mulaw,
    /// 16 bits, little-endian.
    Linear,
    /// The same at 16 kHz.
    Wide,
}

impl Codec {
    /// Its name, without the rate.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Mulaw => "audio/x-mulaw",
            Self::Linear | Self::Wide => "audio/x-l16",
        }
    }

    /// Samples a second.
    pub(crate) fn rate(self) -> u32 {
        match self {
            Self::Mulaw | Self::Linear => RATE,
            Self::Wide => WIDE_RATE,
        }
    }
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
    if !root.text.trim().is_empty() {
        warnings.push("there is text in <Response>".to_owned());
    }
    let mut instructions = Vec::new();
    for element in &root.children {
        instructions.extend(instruction(element, &mut warnings)?);
    }
    Ok(Document {
        instructions,
        warnings,
    })
}

fn instruction(
    element: &Element,
    warnings: &mut Vec<String>,
) -> Result<Option<Instruction>, Unreadable> {
    let known: &[&str] = match element.name.as_str() {
        "Stream" => STREAM,
        "Conference" => CONFERENCE,
        "Dial" => DIAL,
        "Redirect" => &["method"],
        "Hangup" => &["reason", "schedule"],
        "Wait" => &["length", "silence", "minSilence", "beep"],
        "Speak" => &["voice", "language", "loop"],
        "Play" => &["loop"],
        "DTMF" => &["async"],
        "PreAnswer" => &[],
        unknown => {
            warnings.push(format!("<{unknown}> is not an element that is performed here"));
            return Ok(None);
        }
    };
    element.warn_of_strangers(known, warnings);
    let text = element.text.trim();
    let instruction = match element.name.as_str() {
        "Stream" => stream(element, warnings)?.map(|stream| Instruction::Stream(Box::new(stream))),
        "Conference" => {
            let conference = conference(element, warnings)?;
            Some(Instruction::Conference(Box::new(conference)))
        }
        "Dial" => Some(Instruction::Dial(Box::new(dial(element, warnings)?))),
        "Redirect" => Some(Instruction::Redirect(Notice {
            url: text.to_owned(),
            method: Method::named(element.attribute("method")).ok_or_else(|| bad(element, "method"))?,
        })),
        "Hangup" => Some(Instruction::Hangup {
            reason: reason(element)?,
            after: seconds(element, "schedule", Duration::ZERO)?,
        }),
        "DTMF" => Some(Instruction::Keys(
            tones(text).ok_or_else(|| Unreadable(format!("{text:?} are not keys")))?,
        )),
        "PreAnswer" => Some(Instruction::PreAnswer(pre_answer(element, warnings)?)),
        _ => Some(Instruction::Silence(silence(element)?)),
    };
    Ok(instruction)
}

fn pre_answer(element: &Element, warnings: &mut Vec<String>) -> Result<Duration, Unreadable> {
    let mut length = Duration::ZERO;
    for child in &element.children {
        match instruction(child, warnings)? {
            Some(Instruction::Silence(more)) => length += more,
            Some(_) => warnings.push(format!("<{}> inside <PreAnswer> is passed over", child.name)),
            None => {}
        }
    }
    Ok(length)
}

fn silence(element: &Element) -> Result<Duration, Unreadable> {
    match element.name.as_str() {
        "Wait" => seconds(element, "length", Duration::from_secs(1)),
        "Speak" => {
            let characters = element.text.trim().chars().count();
            Ok(SPEAKING * u32::try_from(characters).unwrap_or(u32::MAX))
        }
        // No sound is fetched, so how long it would last is not known.
        _ => Ok(Duration::ZERO),
    }
}

fn reason(element: &Element) -> Result<Reason, Unreadable> {
    match element.attribute("reason") {
        None => Ok(Reason::None),
        Some("rejected") => Ok(Reason::Rejected),
        Some("busy") => Ok(Reason::Busy),
        Some(_) => Err(bad(element, "reason")),
    }
}

fn seconds(element: &Element, name: &str, otherwise: Duration) -> Result<Duration, Unreadable> {
    match element.attribute(name).map(str::parse) {
        None => Ok(otherwise),
        Some(Ok(seconds @ 1..=86_400_u64)) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(bad(element, name)),
    }
}

fn dial(element: &Element, warnings: &mut Vec<String>) -> Result<Dial, Unreadable> {
    for name in NOT_PLAYED.iter().filter(|name| element.attribute(name).is_some()) {
        warnings.push(format!("<Dial> with {name} is not played here"));
    }
    let (numbers, others): (Vec<_>, Vec<_>) =
        element.children.iter().partition(|child| child.name == "Number");
    for other in others {
        warnings.push(format!("<{}> inside <Dial> is not performed here", other.name));
    }
    let Some((number, more)) = numbers.split_first() else {
        return Err(Unreadable("<Dial> holds no <Number>".to_owned()));
    };
    if !more.is_empty() {
        warnings.push("<Dial> holds more than one <Number>; the first is called".to_owned());
    }
    number.warn_of_strangers(&["sendDigits", "sendOnPreanswer"], warnings);
    Ok(Dial {
        to: number.text.trim().to_owned(),
        caller_id: element.attribute("callerId").map(str::to_owned),
        timeout: seconds(element, "timeout", LONGEST_RING)?,
        time_limit: seconds(element, "timeLimit", LONGEST_CALL)?,
        action: notice(element, "action", "method")?,
        afterwards: afterwards(element)?,
        callback: notice(element, "callbackUrl", "callbackMethod")?,
    })
}

fn conference(element: &Element, warnings: &mut Vec<String>) -> Result<Conference, Unreadable> {
    for name in ["record", "digitsMatch", "floorEvent", "hangupOnStar", "stayAlone"] {
        if element.attribute(name).is_some() {
            warnings.push(format!("<Conference> with {name} is not played here"));
        }
    }
    let name = element.text.trim();
    if name.is_empty() {
        return Err(Unreadable("<Conference> has no name".to_owned()));
    }
    truth(element, "startConferenceOnEnter", true)?;
    let most = match element.attribute("maxMembers").map(str::parse) {
        None => MOST_MEMBERS,
        Some(Ok(most @ 1..=MOST_MEMBERS)) => most,
        Some(_) => return Err(bad(element, "maxMembers")),
    };
    Ok(Conference {
        name: name.to_owned(),
        muted: truth(element, "muted", false)?,
        ends: truth(element, "endConferenceOnExit", false)?,
        most,
        time_limit: seconds(element, "timeLimit", LONGEST_CONFERENCE)?,
        action: notice(element, "action", "method")?,
        afterwards: afterwards(element)?,
        callback: notice(element, "callbackUrl", "callbackMethod")?,
    })
}

fn truth(element: &Element, name: &str, otherwise: bool) -> Result<bool, Unreadable> {
    match element.attribute(name).map(str::parse) {
        None => Ok(otherwise),
        Some(Ok(truth)) => Ok(truth),
        Some(Err(_)) => Err(bad(element, name)),
    }
}

fn afterwards(element: &Element) -> Result<Afterwards, Unreadable> {
    match element.attribute("redirect") {
        None | Some("true") => Ok(Afterwards::Redirected),
        Some("false") => Ok(Afterwards::GoesOn),
        Some(_) => Err(bad(element, "redirect")),
    }
}

fn notice(element: &Element, name: &str, method: &str) -> Result<Option<Notice>, Unreadable> {
    let how = Method::named(element.attribute(method)).ok_or_else(|| bad(element, method))?;
    match element.attribute(name) {
        None => Ok(None),
        Some(url) if is_url(url) => Ok(Some(Notice {
            url: url.to_owned(),
            method: how,
        })),
        Some(_) => Err(bad(element, name)),
    }
}

fn bad(element: &Element, name: &str) -> Unreadable {
    let value = element.attribute(name).unwrap_or_default();
    Unreadable(format!("<{}> with {name}={value:?}", element.name))
}

fn stream(element: &Element, warnings: &mut Vec<String>) -> Result<Option<Stream>, Unreadable> {
    let said = |name: &str| element.attribute(name).map(str::to_owned);
    match Stream::read(element.text.trim(), said) {
        Ok(stream) => Ok(Some(stream)),
        Err(Unstreamable::Bad(text)) => Err(Unreadable(format!("<Stream>: {text}"))),
        Err(Unstreamable::NotPlayed(text)) => {
            warnings.push(format!("<Stream>: {text}; it is passed over"));
            Ok(None)
        }
    }
}

/// Why there is no stream of that description.
#[derive(Debug)]
pub(crate) enum Unstreamable {
    /// The carrier refuses it.
    Bad(String),
    /// The carrier takes it, but it is not played here.
    NotPlayed(String),
}

impl Stream {
    /// A stream to `url` with what is `said` of it, by the names that attributes have.
    pub(crate) fn read(
        url: &str,
        said: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Unstreamable> {
        if !(url.starts_with("ws://") || url.starts_with("wss://")) || url.len() > LONGEST_URL {
            return Err(Unstreamable::Bad(format!("{url:?} is not the URL of a socket")));
        }
        let bidirectional = value(&said, "bidirectional", false)?;
        let track = said("audioTrack").unwrap_or_else(|| "inbound".to_owned());
        if !["inbound", "outbound", "both"].contains(&track.as_str()) {
            return Err(Unstreamable::Bad(format!("there is no audioTrack {track:?}")));
        }
        if track != "inbound" && bidirectional {
            return Err(Unstreamable::Bad(format!(
                "a bidirectional stream has the audioTrack inbound, not {track}"
            )));
        }
        let codec = codec(said("contentType").as_deref())?;
        let timeout: u64 = value(&said, "streamTimeout", 86_400)?;
        if timeout == 0 {
            return Err(Unstreamable::Bad("streamTimeout is 0".to_owned()));
        }
        let method = said("statusCallbackMethod");
        let method = Method::named(method.as_deref())
            .ok_or_else(|| Unstreamable::Bad(format!("statusCallbackMethod is {method:?}")))?;
        let keeps_call_alive = value(&said, "keepCallAlive", false)?;
        let extra_headers = extra_headers(&said("extraHeaders").unwrap_or_default())?;
        if track != "inbound" {
            return Err(Unstreamable::NotPlayed(format!("the audioTrack {track}")));
        }
        Ok(Self {
            url: url.to_owned(),
            bidirectional,
            // Only a bidirectional stream can.
            keeps_call_alive: keeps_call_alive && bidirectional,
            codec,
            timeout: Duration::from_secs(timeout.min(86_400)),
            extra_headers,
            status: said("statusCallbackUrl").map(|url| Notice { url, method }),
        })
    }

    /// The extra headers as messages repeat them.
    pub(crate) fn headers(&self) -> String {
        let pairs = self.extra_headers.iter();
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(";")
    }
}

fn value<T: FromStr + Display>(
    said: &impl Fn(&str) -> Option<String>,
    name: &str,
    otherwise: T,
) -> Result<T, Unstreamable> {
    match said(name) {
        None => Ok(otherwise),
        Some(text) => text
            .parse()
            .map_err(|_| Unstreamable::Bad(format!("{name} is {text:?}"))),
    }
}

fn codec(content_type: Option<&str>) -> Result<Codec, Unstreamable> {
    match content_type {
        None | Some("audio/x-l16;rate=8000") => Ok(Codec::Linear),
        Some("audio/x-mulaw;rate=8000") => Ok(Codec::Mulaw),
        Some("audio/x-l16;rate=16000") => Ok(Codec::Wide),
        Some(other) => Err(Unstreamable::Bad(format!("there is no contentType {other:?}"))),
    }
}

/// Pairs of letters and digits: the reference allows nothing else.
fn extra_headers(text: &str) -> Result<Vec<(String, String)>, Unstreamable> {
    let bad = || Unstreamable::Bad(format!("extraHeaders are {text:?}"));
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.len() > LONGEST_HEADERS {
        return Err(bad());
    }
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.split(',')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if plain(name) && plain(value) => {
                Ok((name.to_owned(), value.to_owned()))
            }
            Some(_) | None => Err(bad()),
        })
        .collect()
}

/// A document may have 100 KB.
const LONGEST: usize = 100 * 1_024;
const LONGEST_URL: usize = 2_048;
const LONGEST_HEADERS: usize = 512;
/// A character spoken by `<Speak>` takes about this long.
const SPEAKING: Duration = Duration::from_millis(60);
const MOST_MEMBERS: usize = 20;
const LONGEST_CONFERENCE: Duration = Duration::from_secs(86_400);
const CONFERENCE: &[&str] = &[
    "action",
    "callbackMethod",
    "callbackUrl",
    "digitsMatch",
    "endConferenceOnExit",
    "enterSound",
    "exitSound",
    "floorEvent",
    "hangupOnStar",
    "maxMembers",
    "method",
    "muted",
    "record",
    "recordFileFormat",
    "redirect",
    "relayDTMF",
    "startConferenceOnEnter",
    "stayAlone",
    "timeLimit",
    "transcriptionMethod",
    "transcriptionType",
    "transcriptionUrl",
    "waitSound",
];
const DIAL: &[&str] = &[
    "action",
    "callbackMethod",
    "callbackUrl",
    "callerId",
    "callerName",
    "confirmKey",
    "confirmSound",
    "confirmTimeout",
    "dialMusic",
    "digitsMatch",
    "digitsMatchBLeg",
    "hangupOnStar",
    "method",
    "redirect",
    "sipHeaders",
    "timeLimit",
    "timeout",
];
/// Known, accepted, and then nothing comes of it here.
const NOT_PLAYED: &[&str] = &["confirmSound", "dialMusic", "digitsMatch", "digitsMatchBLeg", "hangupOnStar"];
const STREAM: &[&str] = &[
    "bidirectional",
    "audioTrack",
    "streamTimeout",
    "statusCallbackUrl",
    "statusCallbackMethod",
    "contentType",
    "extraHeaders",
    "keepCallAlive",
    "noiseCancellation",
    "noiseCancellationLevel",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stream_whose_url_is_its_text() {
        let document = parse(
            r#"<?xml version="1.0"?><Response><Stream bidirectional="true" keepCallAlive="true"
              contentType="audio/x-mulaw;rate=8000" extraHeaders="a=1,b2=C" streamTimeout="60"
              statusCallbackUrl="https://e.com/s?a=1&amp;b=2" statusCallbackMethod="GET">
                wss://e.com/media/token </Stream><Redirect method="GET">https://e.com/next</Redirect></Response>"#,
        )
        .unwrap();
        assert_eq!(document.warnings, Vec::<String>::new());
        let status = Notice {
            url: "https://e.com/s?a=1&b=2".into(),
            method: Method::Get,
        };
        let stream = Stream {
            url: "wss://e.com/media/token".into(),
            bidirectional: true,
            keeps_call_alive: true,
            codec: Codec::Mulaw,
            timeout: Duration::from_secs(60),
            extra_headers: vec![("a".into(), "1".into()), ("b2".into(), "C".into())],
            status: Some(status),
        };
        let next = Notice {
            url: "https://e.com/next".into(),
            method: Method::Get,
        };
        assert_eq!(
            document.instructions,
            [
                Instruction::Stream(Box::new(stream)),
                Instruction::Redirect(next)
            ]
        );
    }

    #[test]
    fn reads_a_dial_of_one_number() {
        let document = parse(
            r#"<Response><Dial callerId="15550001111" timeout="25" timeLimit="3600" action="https://e.com/again?a=1#rc=5"
              method="POST" redirect="true" callbackUrl="https://e.com/status" callbackMethod="GET"
              ><Number>15551230002</Number></Dial></Response>"#,
        )
        .unwrap();
        assert_eq!(document.warnings, Vec::<String>::new());
        let notice = |url: &str, method| {
            let url = url.to_owned();
            Some(Notice { url, method })
        };
        let dial = Dial {
            to: "15551230002".into(),
            caller_id: Some("15550001111".into()),
            timeout: Duration::from_secs(25),
            time_limit: Duration::from_secs(3_600),
            action: notice("https://e.com/again?a=1#rc=5", Method::Post),
            afterwards: Afterwards::Redirected,
            callback: notice("https://e.com/status", Method::Get),
        };
        assert_eq!(document.instructions, [Instruction::Dial(Box::new(dial))]);
        let bare = r#"<Response><Dial redirect="false" dialMusic="https://e.com/m"><User>sip:a@b</User><Number>1</Number></Dial></Response>"#;
        let bare = parse(bare).unwrap();
        assert_eq!(bare.warnings.len(), 2, "{:?}", bare.warnings);
        let [Instruction::Dial(bare)] = &bare.instructions[..] else {
            panic!("{bare:?}")
        };
        assert_eq!((&bare.action, &bare.callback, bare.afterwards), (&None, &None, Afterwards::GoesOn));
        assert_eq!((bare.timeout, bare.time_limit), (LONGEST_RING, LONGEST_CALL));
    }

    #[test]
    fn a_bare_stream_is_one_way_in_linear_sound_and_keeps_nothing_alive() {
        let document = parse("<Response><Stream>ws://e.com/</Stream></Response>").unwrap();
        let [Instruction::Stream(stream)] = &document.instructions[..] else {
            panic!("{document:?}")
        };
        assert!(!stream.bidirectional && !stream.keeps_call_alive);
        assert_eq!(stream.codec, Codec::Linear);
        assert_eq!(stream.timeout, Duration::from_secs(86_400));
    }

    #[test]
    fn what_the_carrier_refuses_is_unreadable() {
        for inside in [
            r#"<Stream url="wss://e.com/"/>"#,
            "<Stream>https://e.com/</Stream>",
            r#"<Stream bidirectional="true" audioTrack="both">wss://e.com/</Stream>"#,
            r#"<Stream bidirectional="yes">wss://e.com/</Stream>"#,
            r#"<Stream contentType="audio/x-mulaw">wss://e.com/</Stream>"#,
            r#"<Stream contentType="audio/x-mulaw;rate=16000">wss://e.com/</Stream>"#,
            r#"<Stream extraHeaders="token=a-b">wss://e.com/</Stream>"#,
            r#"<Stream extraHeaders="a=1;b=2">wss://e.com/</Stream>"#,
            r#"<Stream streamTimeout="0">wss://e.com/</Stream>"#,
            r#"<Stream statusCallbackMethod="PUT">wss://e.com/</Stream>"#,
            "<Dial>15551230002</Dial>",
            r#"<Dial timeout="0"><Number>15551230002</Number></Dial>"#,
            r#"<Dial redirect="yes"><Number>15551230002</Number></Dial>"#,
            r#"<Dial action="/again"><Number>15551230002</Number></Dial>"#,
            r#"<Hangup reason="tired"/>"#,
            r#"<Wait length="0"/>"#,
            r#"<Redirect method="PUT">https://e.com/</Redirect>"#,
            "<DTMF>1-2</DTMF>",
            "<Wait>",
        ] {
            let text = format!("<Response>{inside}</Response>");
            assert!(parse(&text).is_err(), "{text}");
        }
        for text in ["", "{}", "<Answer/>", "<Response/><Response/>"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("<Response/>").unwrap().instructions, []);
    }

    #[test]
    fn strangers_are_warned_of_and_passed_over() {
        let document = parse(
            r#"<Response><Reject/><Hangup now="yes"/><Stream audioTrack="outbound">wss://e.com/</Stream></Response>"#,
        )
        .unwrap();
        assert_eq!(document.instructions.len(), 1);
        assert_eq!(document.warnings.len(), 3, "{:?}", document.warnings);
    }

    #[test]
    fn a_call_can_be_rejected_hung_up_later_or_left_in_silence() {
        let document = parse(
            r#"<Response><PreAnswer><Wait length="2"/><Speak>Hi!!</Speak></PreAnswer><Hangup reason="busy"/>
               <Hangup schedule="60"/><Play>https://e.com/a.mp3</Play></Response>"#,
        )
        .unwrap();
        let none = Duration::ZERO;
        assert_eq!(
            document.instructions,
            [
                Instruction::PreAnswer(Duration::from_millis(2_240)),
                Instruction::Hangup {
                    reason: Reason::Busy,
                    after: none
                },
                Instruction::Hangup {
                    reason: Reason::None,
                    after: Duration::from_secs(60)
                },
                Instruction::Silence(none),
            ]
        );
    }
}
