use ports::Secret;
use ports::carrier::{Reply, Stream};
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::carrier;

#[test]
fn replies_are_what_twilio_documents() {
    let stream = stream("wss://voice.example.com/twilio/media/t0k3n", "t0k3n");
    let cases = [
        (
            Reply::Connect(&stream),
            r#"<Response><Connect><Stream url="wss://voice.example.com/twilio/media/t0k3n"><Parameter name="token" value="t0k3n"/></Stream></Connect><Pause length="15"/><Redirect method="POST">https://voice.example.com/twilio/again?call=1&amp;after=2#rc=5&amp;rp=5xx,ct,rt</Redirect></Response>"#,
        ),
        (Reply::HangUp, "<Response><Hangup/></Response>"),
        (
            Reply::Reject,
            r#"<Response><Reject reason="rejected"/></Response>"#,
        ),
        (Reply::Taken, "<Response/>"),
    ];
    for (reply, body) in cases {
        let response = carrier().webhooks.reply(reply);
        assert_eq!(response.content_type, "text/xml");
        assert_eq!(response.body, body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_text_can_change_the_tree(url in hostile(), token in hostile()) {
        let stream = stream(&url, &token);
        let body = carrier().webhooks.reply(Reply::Connect(&stream)).body;
        prop_assert_eq!(parse(&body), vec![
            "<Response".to_owned(),
            "<Connect".to_owned(),
            format!("<Stream url={:?}", printable(&url)),
            format!("<Parameter name=\"token\" value={:?}", printable(&token)),
            "Parameter>".to_owned(),
            "Stream>".to_owned(),
            "Connect>".to_owned(),
            "<Pause length=\"15\"".to_owned(),
            "Pause>".to_owned(),
            "<Redirect method=\"POST\"".to_owned(),
            "Redirect>".to_owned(),
            "Response>".to_owned(),
        ]);
    }
}

fn stream(url: &str, token: &str) -> Stream {
    Stream {
        url: url.to_owned(),
        token: Secret::new(token),
        back: "https://voice.example.com/twilio/again?call=1&after=2".to_owned(),
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

/// What XML can hold of `text`: by the standard's own list, not by the code under test.
fn printable(text: &str) -> String {
    let holds = |c: char| match u32::from(c) {
        0x9 | 0xA | 0xD => true,
        code => {
            (0x20..=0xD7FF).contains(&code)
                || (0xE000..=0xFFFD).contains(&code)
                || (0x1_0000..=0x10_FFFF).contains(&code)
        }
    };
    text.chars().filter(|&c| holds(c)).collect()
}

/// The document as a list of starts, with their attributes, and ends.
fn parse(body: &str) -> Vec<String> {
    let mut reader = Reader::from_str(body);
    reader.config_mut().expand_empty_elements = true;
    let mut tree = Vec::new();
    loop {
        match reader.read_event().expect("a reply is well-formed XML") {
            Event::Start(start) => {
                let mut text = format!("<{}", start.name().as_ref());
                for attribute in start.attributes() {
                    let attribute = attribute.expect("attributes are well-formed");
                    let value = attribute
                        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                        .expect("values are escaped");
                    text += &format!(" {}={value:?}", attribute.key.as_ref());
                }
                tree.push(text);
            }
            Event::End(end) => tree.push(format!("{}>", end.name().as_ref())),
            Event::Eof => return tree,
            Event::Text(_) | Event::GeneralRef(_) => {}
            other @ (Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::DocType(_)
            | Event::Empty(_)
            | Event::PI(_)) => panic!("a reply holds only elements, not {other:?}"),
        }
    }
}
