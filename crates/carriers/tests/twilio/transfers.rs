use std::time::Duration;

use call::Number;
use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Reply, Transfer, Webhook};
use ports::{Blame, Retry, code};
use serde_json::json;

use super::openapi::{Api, example};
use super::recorder::Recorder;
use super::{ACCOUNT, CALL, carrier, carrier_at, signed_post};

#[tokio::test]
async fn a_call_is_redirected_to_a_dial_once() {
    let exchange = Recorder::start(vec![(200, example("Calls/{Sid}.json", "post", "200"))]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let (to, from) = numbers();
    let done = transfers.transfer(&leg(), &transfer(&to, &from)).await;
    done.expect("it is told so");
    let requests = exchange.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(Api::read().check(&requests[0]), Ok(()));
    assert_eq!(
        requests[0].form,
        [("Twiml".to_owned(), DIAL.to_owned())],
        "and nothing else"
    );
    assert!(DIAL.len() <= 4_000, "Twilio takes no longer one");
}

#[tokio::test]
async fn what_twilio_refuses_rings_nobodys_phone_twice() {
    let (to, from) = numbers();
    let gone = json!({"code": 21220, "message": "Call is not in-progress.", "status": 400});
    for (answer, retry) in [((400, gone), Retry::Never), ((503, json!({})), Retry::Now)] {
        let exchange = Recorder::start(vec![answer]).await;
        let transfers = carrier_at(exchange.address).transfers.expect("it can");
        let done = transfers.transfer(&leg(), &transfer(&to, &from)).await;
        let fault = done.expect_err("it is refused");
        assert_eq!(fault.retry, retry, "{fault}");
        assert_eq!(exchange.requests().len(), 1);
    }
    let exchange = Recorder::start(vec![(200, json!({}))]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let nobody = Leg("CA/../x".to_owned());
    let done = transfers.transfer(&nobody, &transfer(&to, &from)).await;
    let fault = done.expect_err("it is no call's name");
    assert_eq!(
        (fault.blame, fault.code),
        (Blame::Gateway, code::CARRIER_NO_SUCH_CALL)
    );
    assert_eq!(exchange.requests().len(), 0);
}

#[test]
fn the_dial_is_one_that_twilio_documents() {
    let (to, from) = numbers();
    let reply = |it: &Transfer<'_>| carrier().webhooks.reply(Reply::Transfer(it)).body;
    assert_eq!(reply(&transfer(&to, &from)), DIAL);
    for (ring, limit, said) in [
        (
            Duration::ZERO,
            Duration::ZERO,
            r#"timeout="5" timeLimit="1""#,
        ),
        (
            Duration::from_secs(9_999),
            Duration::from_secs(99_999),
            r#"timeout="600" timeLimit="86400""#,
        ),
    ] {
        let bounded = Transfer {
            ring,
            limit,
            ..transfer(&to, &from)
        };
        assert!(reply(&bounded).contains(said), "{said}");
    }
    let hostile = Transfer {
        back: "https://e.com/?a=\"><Hangup/>\u{0}",
        ..transfer(&to, &from)
    };
    assert!(!reply(&hostile).contains("<Hangup"));
}

#[test]
fn what_comes_of_a_dial() {
    let parted = [("CallStatus", "in-progress"), ("Direction", "inbound")];
    let mut notices = Vec::new();
    for (said, news) in [
        ("completed", News::Parted),
        ("answered", News::Parted),
        ("busy", News::PutBack(Why::Busy)),
        ("no-answer", News::PutBack(Why::NoAnswer)),
        ("failed", News::PutBack(Why::Fault)),
        ("canceled", News::PutBack(Why::Fault)),
        ("something-new", News::PutBack(Why::Fault)),
    ] {
        let mut fields = parted.to_vec();
        fields.extend([("DialCallStatus", said), ("DialCallSid", OTHER)]);
        let webhook = decode(Door::Again, &fields);
        assert_eq!(webhook.news, news, "{said}");
        assert_eq!(webhook.leg, leg());
        notices.push(webhook.notice);
    }
    // The end of a stream is another notice than that of a dial, and of another dial than this.
    let adrift = decode(Door::Again, &parted);
    assert_eq!(adrift.news, News::Adrift);
    assert!(!notices.contains(&adrift.notice));
    // A caller who hung up while it rang is gone, whatever became of the dial.
    let gone = [("CallStatus", "completed"), ("DialCallStatus", "canceled")];
    let (by, why) = (Party::Caller, Why::HungUp);
    assert_eq!(
        decode(Door::Again, &gone).news,
        News::Ended(End { by, why })
    );
}

#[test]
fn the_call_that_a_dial_makes_speaks_of_the_one_it_was_made_for() {
    for (status, news) in [
        ("in-progress", News::Joined),
        ("ringing", News::Nothing),
        ("completed", News::Nothing),
        ("busy", News::Nothing),
        ("something-new", News::Nothing),
    ] {
        let webhook = try_decode(
            Door::Status,
            &[
                ("AccountSid", ACCOUNT),
                ("CallSid", OTHER),
                ("ParentCallSid", CALL),
                ("CallStatus", status),
                ("Direction", "outbound-dial"),
            ],
        );
        let webhook = webhook.expect("it makes sense");
        assert_eq!((webhook.news, webhook.leg), (news, leg()), "{status}");
    }
    let forged = [
        ("AccountSid", ACCOUNT),
        ("CallSid", OTHER),
        ("ParentCallSid", "CA/x"),
        ("CallStatus", "in-progress"),
    ];
    let fault = try_decode(Door::Status, &forged).expect_err("it is no call's name");
    assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
}

fn decode(door: Door, fields: &[(&str, &str)]) -> Webhook {
    let mut all = vec![("AccountSid", ACCOUNT), ("CallSid", CALL)];
    all.extend(fields);
    try_decode(door, &all).expect("it makes sense")
}

fn try_decode(door: Door, fields: &[(&str, &str)]) -> Result<Webhook, ports::Fault> {
    let request = signed_post("https://e.com/twilio/x", fields);
    let webhooks = carrier().webhooks;
    webhooks.decode(door, webhooks.verify(&request).expect("it is signed"))
}

fn transfer<'a>(to: &'a Number, from: &'a Number) -> Transfer<'a> {
    Transfer {
        to,
        from,
        ring: Duration::from_millis(24_001),
        limit: Duration::from_secs(3_600),
        back: "https://e.com/twilio/again?call=1&after=2",
        report: "https://e.com/twilio/status?call=1",
    }
}

fn numbers() -> (Number, Number) {
    let number = |it| Number::parse(it).expect("it is a number");
    (number("+15551230002"), number("+15551230001"))
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

const OTHER: &str = "CA33333333333333333333333333333333";

/// Twilio asks again where it gets no answer, by what follows the `#`, which it keeps to itself.
const DIAL: &str = r#"<Response><Dial answerOnBridge="true" callerId="+15551230001" timeout="25" timeLimit="3600" action="https://e.com/twilio/again?call=1&amp;after=2#rc=5&amp;rp=5xx,ct,rt" method="POST"><Number statusCallback="https://e.com/twilio/status?call=1#rc=5&amp;rp=5xx,ct,rt" statusCallbackMethod="POST" statusCallbackEvent="answered">+15551230002</Number></Dial></Response>"#;
