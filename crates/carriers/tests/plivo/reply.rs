use media::Rate;
use ports::carrier::{Reply, Sound, Stream};
use ports::{Secret, Value};
use proptest::prelude::*;
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};

use super::carrier;

#[test]
fn replies_are_what_plivo_documents() {
    let stream = stream("wss://voice.example.com/plivo/media/t0k3n", "t0k3n");
    let cases = [
        (
            Reply::Connect(&stream),
            // Without keepCallAlive the call would hang up as soon as it began.
            r#"<Response><Stream bidirectional="true" audioTrack="inbound" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000" extraHeaders="token=t0k3n">wss://voice.example.com/plivo/media/t0k3n</Stream><Wait length="15"/><Redirect method="POST">https://voice.example.com/plivo/again?call=1&amp;after=2#rc=5&amp;rp=5xx,ct,rt</Redirect></Response>"#,
        ),
        (Reply::HangUp, "<Response><Hangup/></Response>"),
        (
            Reply::Reject,
            r#"<Response><Hangup reason="rejected"/></Response>"#,
        ),
        (Reply::Taken, "<Response/>"),
    ];
    for (reply, body) in cases {
        let response = carrier().webhooks.reply(reply);
        assert_eq!(response.content_type, "application/xml");
        assert_eq!(response.body, body);
    }
}

#[test]
fn a_wide_stream_is_asked_for_by_its_name_and_rate() {
    let wide = super::settings().with("sound", Value::Text("l16".to_owned()));
    let carrier = (super::entry().build)(&wide).unwrap_or_else(|them| panic!("{them:?}"));
    let stream = stream("wss://a.example/plivo/media/t", "t");
    let (attributes, _) = read_stream(&carrier.webhooks.reply(Reply::Connect(&stream)).body);
    let content_type = attributes.iter().find(|it| it.0 == "contentType");
    assert_eq!(
        content_type.expect("it is there").1,
        "audio/x-l16;rate=16000"
    );
    let Sound::Stream(dialect) = carrier.sound;
    assert_eq!(dialect.rate(), Rate::Hz16000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_text_can_change_the_tree(url in hostile(), token in hostile()) {
        let stream = stream(&url, &token);
        let body = carrier().webhooks.reply(Reply::Connect(&stream)).body;
        prop_assert_eq!(parse(&body), ["Response", "Stream", "Wait", "Redirect"]);
    }

    #[test]
    fn what_is_written_is_read_back(url in "wss://[!-~é]{1,80}", token in "[!-~]{1,80}") {
        let stream = stream(&url, &token);
        let body = carrier().webhooks.reply(Reply::Connect(&stream)).body;
        let (attributes, content) = read_stream(&body);
        let named = |name: &str| attributes.iter().find(|it| it.0 == name).map(|it| &*it.1);
        prop_assert_eq!(content, url);
        prop_assert_eq!(named("extraHeaders"), Some(&*format!("token={token}")));
        // Without it the call would hang up as soon as it began.
        prop_assert_eq!(named("keepCallAlive"), Some("true"));
    }
}

fn stream(url: &str, token: &str) -> Stream {
    Stream {
        url: url.to_owned(),
        token: Secret::new(token),
        back: "https://voice.example.com/plivo/again?call=1&after=2".to_owned(),
    }
}

/// Anything, and often pieces of XML.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[<>&\"'/= \\r\\n\\t\\x00-\\x1f\u{fffe}\u{ffff}]{1,8}",
        Just("\"/></Stream><Hangup/>".to_owned()),
        Just("]]><!--&amp;&#0;&#x22;<?xml?>".to_owned()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// The names of the elements, in order.
fn parse(body: &str) -> Vec<String> {
    let mut reader = Reader::from_str(body);
    let mut names = Vec::new();
    loop {
        let event = reader.read_event().expect("it is XML");
        if let Event::Start(it) | Event::Empty(it) = event {
            names.push(it.name().as_ref().to_owned());
        } else if event == Event::Eof {
            return names;
        }
    }
}

/// The attributes of `<Stream>` and what is in it.
fn read_stream(body: &str) -> (Vec<(String, String)>, String) {
    let mut reader = Reader::from_str(body);
    loop {
        let event = reader.read_event().expect("it is XML");
        assert_ne!(event, Event::Eof, "there is no stream: {body}");
        let Event::Start(it) = event else { continue };
        if it.name().as_ref() != "Stream" {
            continue;
        }
        let attributes = it.attributes().map(|it| {
            let it = it.expect("it is an attribute");
            let value = it.normalized_value(XmlVersion::Implicit1_0);
            let value = value.expect("values are escaped");
            (it.key.as_ref().to_owned(), value.into_owned())
        });
        let attributes = attributes.collect();
        return (attributes, read_text(&mut reader));
    }
}

/// The text up to the end of the element that the reader is in.
fn read_text(reader: &mut Reader<&[u8]>) -> String {
    let mut text = String::new();
    loop {
        let event = reader.read_event().expect("it is XML");
        if let Event::Text(piece) = &event {
            text.push_str(piece);
        } else if let Event::GeneralRef(name) = &event {
            text.push_str(match &**name {
                "amp" => "&",
                "lt" => "<",
                "gt" => ">",
                "quot" => "\"",
                "apos" => "'",
                other => panic!("an entity of no XML: {other}"),
            });
        } else {
            let ends = matches!(event, Event::End(_));
            assert!(ends, "an address holds only text, not {event:?}");
            return text;
        }
    }
}
