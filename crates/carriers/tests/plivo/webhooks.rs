use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Webhook};
use ports::{Fault, code};
use proptest::prelude::*;

use super::{CALL, REQUEST, carrier, signed_post};

#[test]
fn a_call_is_offered() {
    let fields = [
        ("Event", "StartApp"),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("From", "15551234567"),
        ("To", "15550001111"),
        ("FieldOfTheFuture", "?"),
    ];
    let webhook = decode(Door::Voice, &fields).expect("a call is offered");
    assert_eq!(
        (&webhook.leg, &webhook.dialled),
        (&Leg(CALL.to_owned()), &webhook.leg)
    );
    let (from, to) = ("+15551234567".into(), "+15550001111".into());
    assert_eq!(webhook.news, News::Offered { from, to });
    assert!(!format!("{webhook:?}").contains("5551234"));
}

#[test]
fn who_is_no_number_is_left_as_it_is() {
    for from in ["anonymous", "sip:me@phone.plivo.com", "", "+15551234567"] {
        let fields = [
            ("Event", "StartApp"),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", from),
            ("To", "1"),
        ];
        let news = decode(Door::Voice, &fields)
            .expect("a call is offered")
            .news;
        assert_eq!(
            news,
            News::Offered {
                from: from.into(),
                to: "+1".into()
            }
        );
    }
}

#[test]
fn a_call_that_was_dialled_has_two_names() {
    for name in ["RequestUUID", "ALegRequestUUID"] {
        let fields = [
            ("Event", "StartApp"),
            ("CallStatus", "in-progress"),
            ("Direction", "outbound"),
            (name, REQUEST),
        ];
        let webhook = decode(Door::Voice, &fields).expect("it was answered");
        assert_eq!(webhook.news, News::Answered);
        assert_eq!(webhook.leg, Leg(CALL.to_owned()));
        assert_eq!(webhook.dialled, Leg(format!("request/{REQUEST}")));
    }
    let odd = [("Direction", "outbound"), ("RequestUUID", "../../x")];
    let fault = decode(Door::Status, &odd).expect_err("it is no id");
    assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
}

#[test]
fn how_a_call_is_doing() {
    let ring = [
        ("Event", "Ring"),
        ("CallStatus", "ringing"),
        ("Direction", "outbound"),
    ];
    assert_eq!(
        decode(Door::Status, &ring).expect("it rings").news,
        News::Ringing
    );
    let stream = [("Event", "StartStream"), ("CallStatus", "in-progress")];
    assert_eq!(
        decode(Door::Status, &stream).expect("it streams").news,
        News::Nothing
    );
}

#[test]
fn how_a_call_ended() {
    for (direction, status, number, news) in [
        (
            "outbound",
            "completed",
            "4000",
            ended(Party::Caller, Why::HungUp),
        ),
        (
            "outbound",
            "completed",
            "4010",
            ended(Party::Caller, Why::HungUp),
        ),
        ("outbound", "busy", "3010", ended(Party::Caller, Why::Busy)),
        ("outbound", "busy", "", ended(Party::Caller, Why::Busy)),
        (
            "outbound",
            "no-answer",
            "3000",
            ended(Party::Caller, Why::NoAnswer),
        ),
        (
            "outbound",
            "timeout",
            "5010",
            ended(Party::Caller, Why::NoAnswer),
        ),
        (
            "outbound",
            "failed",
            "3020",
            ended(Party::Caller, Why::Rejected),
        ),
        (
            "outbound",
            "failed",
            "2000",
            ended(Party::Carrier, Why::Fault),
        ),
        (
            "outbound",
            "failed",
            "1000",
            ended(Party::Gateway, Why::Canceled),
        ),
        (
            "inbound",
            "failed",
            "1000",
            ended(Party::Caller, Why::Canceled),
        ),
        (
            "outbound",
            "something-new",
            "1",
            ended(Party::Carrier, Why::Fault),
        ),
    ] {
        let fields = [
            ("Event", "Hangup"),
            ("Direction", direction),
            ("CallStatus", status),
            ("HangupCauseCode", number),
        ];
        let webhook = decode(Door::Status, &fields).expect("it makes sense");
        assert_eq!(webhook.news, news, "{direction} {status} {number}");
    }
}

#[test]
fn a_call_without_its_socket_is_adrift_until_it_is_over() {
    let up = [("Event", "Redirect"), ("CallStatus", "in-progress")];
    assert_eq!(
        decode(Door::Again, &up).expect("it is up").news,
        News::Adrift
    );
    let over = [("Event", "Redirect"), ("CallStatus", "completed")];
    let news = decode(Door::Again, &over).expect("it is over").news;
    assert_eq!(news, ended(Party::Caller, Why::HungUp));
}

#[test]
fn each_state_of_a_call_is_news_once() {
    let notice =
        |door, fields: &[(&str, &str)]| decode(door, fields).expect("it makes sense").notice;
    let ring = [("Event", "Ring"), ("CallStatus", "ringing")];
    let hangup = [("Event", "Hangup"), ("CallStatus", "completed")];
    assert_eq!(notice(Door::Status, &ring), notice(Door::Status, &ring));
    assert_ne!(notice(Door::Status, &ring), notice(Door::Status, &hangup));
    assert_ne!(notice(Door::Voice, &ring), notice(Door::Status, &ring));
}

proptest! {
    #[test]
    fn no_form_is_too_strange(fields in prop::collection::vec((".*", ".*"), 0..5)) {
        let fields: Vec<_> = fields.iter().map(|(k, v)| (&**k, &**v)).collect();
        for door in [Door::Voice, Door::Again, Door::Status] {
            let _ = decode(door, &fields);
        }
    }
}

fn decode(door: Door, fields: &[(&str, &str)]) -> Result<Webhook, Fault> {
    let mut all = vec![("CallUUID", CALL)];
    all.extend(fields);
    let request = signed_post("https://a.example/plivo/voice?call=1", &all);
    let genuine = carrier().webhooks.verify(&request).expect("it is signed");
    carrier().webhooks.decode(door, genuine)
}

fn ended(by: Party, why: Why) -> News {
    News::Ended(End { by, why })
}
