use call::Attestation;
use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Webhook};
use ports::{Fault, code};
use proptest::prelude::*;

use super::{ACCOUNT, CALL, carrier, signed_post};

#[test]
fn a_call_is_offered() {
    let webhook = decode(
        Door::Voice,
        &[
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", "+15551234567"),
            ("To", "+15550001111"),
            ("CallerName", "Zoë"),
            ("FieldOfTheFuture", "?"),
        ],
    );
    let webhook = webhook.expect("a call is offered");
    assert_eq!(webhook.leg, Leg(CALL.to_owned()));
    assert_eq!(
        webhook.news,
        News::Offered {
            from: "+15551234567".into(),
            to: "+15550001111".into(),
            attestation: Attestation::Nothing,
        }
    );
    assert!(!format!("{webhook:?}").contains("5551234"));
}

#[test]
fn a_caller_who_withholds_the_number_is_offered_all_the_same() {
    for from in ["", "anonymous", "Restricted", "sip:me@example.com"] {
        let fields = [
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", from),
            ("To", "+1"),
        ];
        let news = decode(Door::Voice, &fields)
            .expect("a call is offered")
            .news;
        assert_eq!(
            news,
            News::Offered {
                from: from.into(),
                to: "+1".into(),
                attestation: Attestation::Nothing,
            }
        );
    }
}

#[test]
fn only_a_verified_level_a_vouches_for_a_number() {
    for (said, attestation) in [
        ("TN-Validation-Passed-A", Attestation::Full),
        ("TN-Validation-Passed-B", Attestation::Partial),
        ("TN-Validation-Passed-C", Attestation::Partial),
        ("TN-Validation-Failed", Attestation::Failed),
        ("TN-Validation-Failed-A", Attestation::Failed),
        ("No-TN-Validation", Attestation::Nothing),
        ("TN-Validation-Passed", Attestation::Nothing),
        ("TN-Validation-Passed-A ", Attestation::Nothing),
        ("tn-validation-passed-a", Attestation::Nothing),
        ("A", Attestation::Nothing),
        ("", Attestation::Nothing),
    ] {
        let fields = [
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", "+15551234567"),
            ("To", "+1"),
            ("StirVerstat", said),
        ];
        let news = decode(Door::Voice, &fields)
            .expect("a call is offered")
            .news;
        let (from, to) = ("+15551234567".into(), "+1".into());
        assert_eq!(
            news,
            News::Offered {
                from,
                to,
                attestation
            },
            "{said}"
        );
    }
}

#[test]
fn what_to_do_with_a_call() {
    let cases = [
        ("outbound-api", "in-progress", News::Answered),
        ("outbound-api", "ringing", News::Nothing),
        ("inbound", "in-progress", News::Nothing),
        ("outbound-dial", "ringing", News::Nothing),
        ("outbound-dial", "in-progress", News::Nothing),
        ("", "ringing", News::Nothing),
        ("inbound", "something-new", News::Nothing),
        (
            "outbound-api",
            "completed",
            ended(Party::Caller, Why::HungUp),
        ),
        ("inbound", "canceled", ended(Party::Caller, Why::Canceled)),
    ];
    for (direction, status, news) in cases {
        let fields = [("CallStatus", status), ("Direction", direction)];
        let webhook = decode(Door::Voice, &fields).expect("it makes sense");
        assert_eq!(webhook.news, news, "{direction} {status}");
    }
}

#[test]
fn how_a_call_is_doing() {
    let out = "outbound-api";
    let cases = [
        (out, "queued", News::Nothing),
        (out, "initiated", News::Nothing),
        (out, "ringing", News::Ringing),
        (out, "in-progress", News::Answered),
        (out, "completed", ended(Party::Caller, Why::HungUp)),
        (out, "busy", ended(Party::Caller, Why::Busy)),
        (out, "no-answer", ended(Party::Caller, Why::NoAnswer)),
        (out, "failed", ended(Party::Carrier, Why::Fault)),
        (out, "canceled", ended(Party::Gateway, Why::Canceled)),
        ("inbound", "canceled", ended(Party::Caller, Why::Canceled)),
        ("inbound", "completed", ended(Party::Caller, Why::HungUp)),
        (out, "something-new", News::Nothing),
    ];
    for (direction, status, news) in cases {
        let fields = [("CallStatus", status), ("Direction", direction)];
        let webhook = decode(Door::Status, &fields).expect("it makes sense");
        assert_eq!(webhook.news, news, "{direction} {status}");
    }
}

#[test]
fn a_caller_who_declines_has_rejected_the_call() {
    for (status, sip, news) in [
        ("busy", "603", ended(Party::Caller, Why::Rejected)),
        ("failed", "603", ended(Party::Caller, Why::Rejected)),
        ("busy", "486", ended(Party::Caller, Why::Busy)),
        ("failed", "404", ended(Party::Carrier, Why::Fault)),
        ("completed", "603", ended(Party::Caller, Why::HungUp)),
    ] {
        let fields = [("CallStatus", status), ("SipResponseCode", sip)];
        assert_eq!(
            decode(Door::Status, &fields).expect("it makes sense").news,
            news
        );
    }
}

#[test]
fn a_notice_repeated_is_known_again_whatever_its_headers_say() {
    let fields = [
        ("CallStatus", "ringing"),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", "1"),
        ("Timestamp", "Fri, 22 Nov 2024 12:00:00 +0000"),
    ];
    let first = notice(Door::Status, &fields, "token-1");
    let mut reordered = fields;
    reordered.reverse();
    assert_eq!(notice(Door::Status, &reordered, "token-2"), first);
    for (name, value) in [("SequenceNumber", "2"), ("CallStatus", "completed")] {
        let other = fields.map(|(k, v)| (k, if k == name { value } else { v }));
        assert_ne!(notice(Door::Status, &other, "token-1"), first, "{name}");
    }
    assert_ne!(notice(Door::Voice, &fields, "token-1"), first);
}

#[test]
fn what_is_needed_must_be_there() {
    let whole = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("From", "+15551234567"),
        ("To", "+15550001111"),
    ];
    assert!(decode_raw(Door::Voice, &whole).is_ok());
    for at in [0, 1, 2, 4, 5] {
        let mut fields = whole.to_vec();
        let (name, _) = fields.remove(at);
        let fault = decode_raw(Door::Voice, &fields).expect_err("something is missing");
        assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
        assert!(fault.message.contains(name), "{fault}");
    }
    for (name, value) in [
        ("AccountSid", "AC00000000000000000000000000000001"),
        ("CallSid", "CA1111111111111111111111111111111"),
        ("CallSid", "CA1111111111111111111111111111111/"),
        ("CallSid", "RE11111111111111111111111111111111"),
    ] {
        let fields = whole.map(|(k, v)| (k, if k == name { value } else { v }));
        let fault = decode_raw(Door::Voice, &fields).expect_err("something is wrong");
        assert_eq!(fault.code, code::WEBHOOK_MALFORMED, "{value}");
        assert!(!fault.message.contains(value), "{fault}");
    }
}

proptest! {
    #[test]
    fn signed_nonsense_is_survived(
        fields in prop::collection::vec((any::<String>(), any::<String>()), 0..6),
        status in "[a-z-]{0,12}",
        direction in "[a-z-]{0,12}",
    ) {
        let mut all = vec![
            ("AccountSid", ACCOUNT),
            ("CallSid", CALL),
            ("CallStatus", &*status),
            ("Direction", &*direction),
        ];
        all.extend(fields.iter().map(|(k, v)| (&**k, &**v)));
        for door in [Door::Voice, Door::Status] {
            let _either = decode_raw(door, &all);
            let _neither = decode_raw(door, &all[2..]);
        }
    }
}

fn decode(door: Door, fields: &[(&str, &str)]) -> Result<Webhook, Fault> {
    decode_raw(
        door,
        &[&[("AccountSid", ACCOUNT), ("CallSid", CALL)], fields].concat(),
    )
}

fn decode_raw(door: Door, fields: &[(&str, &str)]) -> Result<Webhook, Fault> {
    let webhooks = carrier().webhooks;
    let request = signed_post("https://voice.example.com/twilio/any", fields);
    let genuine = webhooks
        .verify(&request)
        .expect("the test signs as Twilio does");
    webhooks.decode(door, genuine)
}

fn notice(door: Door, fields: &[(&str, &str)], token: &str) -> String {
    let fields = [&[("AccountSid", ACCOUNT), ("CallSid", CALL)], fields].concat();
    let mut request = signed_post("https://voice.example.com/twilio/any", &fields);
    request
        .headers
        .push(("i-twilio-idempotency-token".to_owned(), token.to_owned()));
    let webhooks = carrier().webhooks;
    let genuine = webhooks
        .verify(&request)
        .expect("the test signs as Twilio does");
    webhooks
        .decode(door, genuine)
        .expect("it makes sense")
        .notice
}

fn ended(by: Party, why: Why) -> News {
    News::Ended(End { by, why })
}
