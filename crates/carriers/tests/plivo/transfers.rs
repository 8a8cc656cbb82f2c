use std::time::Duration;

use call::Number;
use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Reply, Transfer, Webhook};
use ports::code;
use serde_json::{Value, json};

use super::requests::Recorder;
use super::{CALL, REQUEST, carrier, carrier_at, oracle, signed_post};

#[tokio::test]
async fn a_call_is_sent_to_ask_us_once() {
    let exchange = Recorder::start(vec![(202, json!({}))]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let (to, from) = numbers();
    let done = transfers.transfer(&leg(), &transfer(&to, &from)).await;
    done.expect("it is told so");
    let requests = exchange.requests();
    assert_eq!(requests.len(), 1);
    let golden = oracle("vectors/golden-requests.json");
    let mut all = golden["plivo"].as_array().expect("a list").iter();
    let theirs = all.find(|it| it["action"] == "transfer");
    let theirs = theirs.expect("the library sends it");
    assert_eq!(requests[0].method, theirs["method"]);
    assert_eq!(requests[0].content_type, theirs["content_type"]);
    // The library repeats the name of the call, which is in the path, and its address is its own.
    let mut body = theirs["json"].clone();
    let names = body.as_object_mut().expect("an object");
    names.remove("call_uuid");
    names.insert("aleg_url".to_owned(), BACK.into());
    assert_eq!(requests[0].body, body);
}

#[tokio::test]
async fn a_call_that_was_never_up_is_put_through_to_nobody() {
    let exchange = Recorder::start(vec![(202, json!({}))]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let (to, from) = numbers();
    for name in [format!("request/{REQUEST}"), "../x".to_owned()] {
        let done = transfers.transfer(&Leg(name), &transfer(&to, &from)).await;
        assert_eq!(
            done.expect_err("it is not up").code,
            code::CARRIER_NO_SUCH_CALL
        );
    }
    assert_eq!(exchange.requests().len(), 0);
    let exchange = Recorder::start(vec![(503, Value::Null)]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let done = transfers.transfer(&leg(), &transfer(&to, &from)).await;
    done.expect_err("Plivo is in trouble");
    assert_eq!(exchange.requests().len(), 1, "a phone would ring for it");
}

#[test]
fn the_dial_is_one_that_plivo_documents() {
    let (to, from) = numbers();
    let reply = |it: &Transfer<'_>| carrier().webhooks.reply(Reply::Transfer(it)).body;
    assert_eq!(
        reply(&transfer(&to, &from)),
        r#"<Response><Dial callerId="15551230001" timeout="25" timeLimit="3600" action="https://e.com/plivo/again?call=1&amp;after=2#rc=5&amp;rp=5xx,ct,rt" method="POST" redirect="true" callbackUrl="https://e.com/plivo/status?call=1#rc=5&amp;rp=5xx,ct,rt" callbackMethod="POST"><Number>15551230002</Number></Dial></Response>"#
    );
    let hostile = Transfer {
        back: "https://e.com/?a=\"><Hangup/>\u{0}",
        ..transfer(&to, &from)
    };
    assert!(!reply(&hostile).contains("<Hangup"));
}

#[test]
fn what_comes_of_a_dial() {
    let up = [
        ("CallUUID", CALL),
        ("CallStatus", "in-progress"),
        ("Direction", "inbound"),
    ];
    let mut notices = Vec::new();
    for (said, news) in [
        ("completed", News::Parted),
        ("busy", News::PutBack(Why::Busy)),
        ("no-answer", News::PutBack(Why::NoAnswer)),
        ("timeout", News::PutBack(Why::NoAnswer)),
        ("failed", News::PutBack(Why::Fault)),
        ("cancel", News::PutBack(Why::Fault)),
        ("something-new", News::PutBack(Why::Fault)),
    ] {
        let mut fields = up.to_vec();
        fields.extend([("DialStatus", said), ("DialBLegUUID", OTHER)]);
        let webhook = decode(Door::Again, &fields);
        assert_eq!((webhook.news, webhook.leg), (news, leg()), "{said}");
        notices.push(webhook.notice);
    }
    // Nobody who did not answer has a name, and that a second one did not either is news.
    let notice_at = |url: &str| {
        let fields = [
            ("CallUUID", CALL),
            ("DialStatus", "busy"),
            ("DialBLegUUID", ""),
        ];
        decode_at(url, Door::Again, &fields).notice
    };
    let again = notice_at("https://e.com/plivo/again?call=1&after=3");
    assert_ne!(notice_at(BACK), again);
    assert_eq!(notice_at("https://e.com/plivo/again?call=1&after=3"), again);
    // Sent to ask us, by the transfer itself.
    let asked = decode(Door::Again, &up);
    assert_eq!(asked.news, News::Adrift);
    assert!(!notices.contains(&asked.notice));
    let gone = [
        ("CallUUID", CALL),
        ("CallStatus", "completed"),
        ("DialStatus", "cancel"),
    ];
    let (by, why) = (Party::Caller, Why::HungUp);
    assert_eq!(
        decode(Door::Again, &gone).news,
        News::Ended(End { by, why })
    );
}

#[test]
fn what_a_dial_reports_is_about_the_call_that_it_is_part_of() {
    for (said, news) in [
        ("answer", News::Joined),
        ("connected", News::Joined),
        ("hangup", News::Nothing),
        ("digits", News::Nothing),
    ] {
        let webhook = decode(
            Door::Status,
            &[
                ("CallUUID", OTHER),
                ("DialALegUUID", CALL),
                ("DialBLegUUID", OTHER),
                ("DialAction", said),
                ("CallStatus", "in-progress"),
            ],
        );
        assert_eq!((webhook.news, webhook.leg), (news, leg()), "{said}");
    }
}

fn decode(door: Door, fields: &[(&str, &str)]) -> Webhook {
    decode_at("https://e.com/plivo/x", door, fields)
}

fn decode_at(url: &str, door: Door, fields: &[(&str, &str)]) -> Webhook {
    let request = signed_post(url, fields);
    let webhooks = carrier().webhooks;
    let genuine = webhooks.verify(&request).expect("it is signed");
    webhooks.decode(door, genuine).expect("it makes sense")
}

fn transfer<'a>(to: &'a Number, from: &'a Number) -> Transfer<'a> {
    Transfer {
        to,
        from,
        ring: Duration::from_millis(24_001),
        limit: Duration::from_secs(3_600),
        back: BACK,
        report: "https://e.com/plivo/status?call=1",
    }
}

fn numbers() -> (Number, Number) {
    let number = |it| Number::parse(it).expect("it is a number");
    (number("+15551230002"), number("+15551230001"))
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

const BACK: &str = "https://e.com/plivo/again?call=1&after=2";
const OTHER: &str = "0aaaeb52-58b6-11e1-86da-77300b68f8bb";
