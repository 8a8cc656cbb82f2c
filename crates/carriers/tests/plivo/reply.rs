use ports::Secret;
use ports::carrier::{Reply, Stream};
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

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

proptest! {
    #[test]
    fn no_text_can_change_the_tree(url in hostile(), token in hostile()) {
        let stream = stream(&url, &token);
        let body = carrier().webhooks.reply(Reply::Connect(&stream)).body;
        prop_assert_eq!(parse(&body), ["Response", "Stream", "Wait", "Redirect"]);
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
        match reader.read_event().expect("it is XML") {
            Event::Start(it) | Event::Empty(it) => {
                names.push(it.name().as_ref().to_owned());
            }
            Event::Eof => return names,
            Event::End(_)
            | Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
}
