use call::Attestation;
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
    let attestation = Attestation::Nothing;
    assert_eq!(
        webhook.news,
        News::Offered {
            from,
            to,
            attestation
        }
    );
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
                to: "+1".into(),
                attestation: Attestation::Nothing,
            }
        );
    }
}

#[test]
fn only_what_is_verified_vouches_for_a_number() {
    for (said, attestation) in [
        ("Verified", Attestation::Full),
        ("Not Verified", Attestation::Failed),
        ("Not Applicable", Attestation::Nothing),
        ("verified", Attestation::Nothing),
        ("A", Attestation::Nothing),
        ("", Attestation::Nothing),
    ] {
        let fields = [
            ("Event", "StartApp"),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", "15551234567"),
            ("To", "1"),
            ("STIRVerification", said),
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
    for (direction, status, number, by, why) in ENDS {
        let fields = [
            ("Event", "Hangup"),
            ("Direction", direction),
            ("CallStatus", status),
            ("HangupCauseCode", number),
        ];
        let webhook = decode(Door::Status, &fields).expect("it makes sense");
        let news = ended(*by, *why);
        assert_eq!(webhook.news, news, "{direction} {status} {number}");
    }
}

/// What the status says of an end, where the cause says less.
const ENDS: &[(&str, &str, &str, Party, Why)] = &[
    ("outbound", "completed", "4000", Party::Caller, Why::HungUp),
    ("outbound", "completed", "", Party::Caller, Why::HungUp),
    (
        "outbound",
        "completed",
        "6000",
        Party::Carrier,
        Why::TimeLimit,
    ),
    ("outbound", "busy", "3010", Party::Caller, Why::Busy),
    ("outbound", "busy", "", Party::Caller, Why::Busy),
    (
        "outbound",
        "no-answer",
        "3000",
        Party::Caller,
        Why::NoAnswer,
    ),
    (
        "outbound",
        "no-answer",
        "6010",
        Party::Caller,
        Why::NoAnswer,
    ),
    ("outbound", "timeout", "", Party::Caller, Why::NoAnswer),
    ("outbound", "failed", "3020", Party::Caller, Why::Rejected),
    ("outbound", "failed", "2000", Party::Carrier, Why::Fault),
    ("outbound", "failed", "1000", Party::Gateway, Why::Canceled),
    ("outbound", "cancel", "x", Party::Gateway, Why::Canceled),
    ("inbound", "failed", "1000", Party::Caller, Why::Canceled),
    ("inbound", "cancel", "", Party::Caller, Why::Canceled),
    ("outbound", "something-new", "1", Party::Carrier, Why::Fault),
    (
        "outbound",
        "something-new",
        "6010",
        Party::Caller,
        Why::NoAnswer,
    ),
];

#[test]
fn every_cause_on_plivos_list_says_whose_doing_it_was() {
    let end = |(code, source, direction): (&u32, &str, &str)| {
        let code = code.to_string();
        let fields = [
            ("Event", "Hangup"),
            ("CallStatus", "completed"),
            ("Direction", direction),
            ("HangupCauseCode", &code),
            ("HangupSource", source),
        ];
        decode(Door::Status, &fields).expect("it makes sense").news
    };
    let mut causes = 0;
    for (codes, by, why) in CAUSES {
        for code in *codes {
            let news = end((code, "Plivo", "outbound"));
            assert_eq!(news, ended(*by, *why), "{code}");
            causes += 1;
        }
    }
    for ((code, source, direction), by, why) in [
        ((4000, "Caller", "inbound"), Party::Caller, Why::HungUp),
        (
            (4000, "Call recipient", "outbound"),
            Party::Caller,
            Why::HungUp,
        ),
        ((4000, "Callee", "outbound"), Party::Caller, Why::HungUp),
        ((4000, "Carrier", "inbound"), Party::Caller, Why::HungUp),
        (
            (4000, "API Request", "inbound"),
            Party::Gateway,
            Why::HungUp,
        ),
        (
            (4000, "Answer XML", "outbound"),
            Party::Gateway,
            Why::HungUp,
        ),
        (
            (1000, "API Request", "inbound"),
            Party::Gateway,
            Why::Canceled,
        ),
        ((1000, "Caller", "inbound"), Party::Caller, Why::Canceled),
        (
            (3020, "Answer XML", "inbound"),
            Party::Gateway,
            Why::Rejected,
        ),
    ] {
        let news = end((&code, source, direction));
        assert_eq!(news, ended(by, why), "{code} {source} {direction}");
    }
    println!("hangup causes understood: {causes}");
}

/// [Hangup causes](https://plivo.com/docs/voice/troubleshooting/hangup-causes), all of them.
const CAUSES: &[(&[u32], Party, Why)] = &[
    (&[0], Party::Caller, Why::HungUp),
    (&[1000], Party::Gateway, Why::Canceled),
    (&[1010, 1020], Party::Carrier, Why::Fault),
    (
        &[2000, 2010, 2020, 2030, 2040, 2050, 2060, 2070],
        Party::Carrier,
        Why::Fault,
    ),
    (&[3000], Party::Caller, Why::NoAnswer),
    (&[3010, 3100], Party::Caller, Why::Busy),
    (&[3020, 3040, 3110], Party::Caller, Why::Rejected),
    (
        &[3030, 3050, 3070, 3080, 3090, 3120, 3130, 3140],
        Party::Carrier,
        Why::Fault,
    ),
    (&[4000], Party::Caller, Why::HungUp),
    (&[4010, 4020, 4030], Party::Carrier, Why::HungUp),
    (&[5000, 5010, 5020], Party::Carrier, Why::Fault),
    (&[6000], Party::Carrier, Why::TimeLimit),
    (&[6010], Party::Caller, Why::NoAnswer),
    (&[6020], Party::Carrier, Why::Fault),
    (
        &[7011, 7012, 7013, 7014, 7022, 7023, 7024, 7032, 7033, 7034],
        Party::Gateway,
        Why::Fault,
    ),
    (&[8011, 8012, 8013, 8014], Party::Gateway, Why::Fault),
    (&[9000, 9100, 9110], Party::Carrier, Why::Fault),
];

#[test]
fn a_hangup_without_its_event_is_one_all_the_same() {
    let over = [("CallStatus", "completed"), ("HangupCauseCode", "4000")];
    let news = decode(Door::Status, &over).expect("it is over").news;
    assert_eq!(news, ended(Party::Caller, Why::HungUp));
    for other in [
        [("CallStatus", "in-progress"), ("HangupCauseCode", "4000")],
        [("Event", "StopStream"), ("CallStatus", "completed")],
        [("Event", "MachineDetection"), ("CallStatus", "completed")],
    ] {
        let news = decode(Door::Status, &other).expect("it makes sense").news;
        assert_eq!(news, News::Nothing, "{other:?}");
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
