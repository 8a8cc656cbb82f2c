use std::time::Duration;

use ports::carrier::{Conference, Door, Leg, News, Reply, Webhook};
use ports::{Blame, Fault, Retry, code};
use serde_json::{Value, json};

use super::openapi::{Api, example};
use super::recorder::Recorder;
use super::{ACCOUNT, CALL, carrier, carrier_at, signed_post};

#[tokio::test]
async fn a_call_is_redirected_to_a_room() {
    let exchange = Recorder::start(vec![(200, example("Calls/{Sid}.json", "post", "200"))]).await;
    let conferences = carrier_at(exchange.address).conferences.expect("it can");
    let done = conferences.admit(&leg(), &conference("standup")).await;
    done.expect("it is told so");
    let requests = exchange.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(Api::read().check(&requests[0]), Ok(()));
    assert_eq!(requests[0].form, [("Twiml".to_owned(), DIAL.to_owned())]);
    assert!(DIAL.len() <= 4_000, "Twilio takes no longer one");
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let gone = json!({"code": 21220, "message": "Call is not in-progress.", "status": 400});
    let exchange = Recorder::start(vec![(400, gone)]).await;
    let conferences = carrier_at(exchange.address).conferences.expect("it can");
    let done = conferences.admit(&leg(), &conference("standup")).await;
    assert_eq!(done.expect_err("it is refused").retry, Retry::Never);
    assert_eq!(exchange.requests().len(), 1);
    let nobody = Leg("CA/../x".to_owned());
    let done = [
        conferences
            .admit(&nobody, &conference("standup"))
            .await
            .err(),
        conferences.holds(&nobody, "standup").await.err(),
    ];
    for fault in done {
        let fault = fault.expect("it is no call's name");
        let kind = (fault.blame, fault.code);
        assert_eq!(kind, (Blame::Gateway, code::CARRIER_NO_SUCH_CALL));
    }
    assert_eq!(exchange.requests().len(), 1);
}

/// A room in which one waits alone has another state than one in which they talk; both are asked for.
#[tokio::test]
async fn who_is_in_a_room_is_asked_of_it() {
    let none = json!({"conferences": []});
    let room = json!({"conferences": [{"sid": ROOM, "status": "init"}]});
    let there = |status: &str| json!({"call_sid": CALL, "status": status});
    let gone = json!({"code": 20404, "message": "not found", "status": 404});
    let cases: [(Answers, bool, usize); 5] = [
        (vec![(200, none.clone())], false, 2),
        (
            vec![(200, room.clone()), (200, there("connected"))],
            true,
            2,
        ),
        (
            vec![
                (200, none.clone()),
                (200, room.clone()),
                (200, there("connected")),
            ],
            true,
            3,
        ),
        (
            vec![
                (200, room.clone()),
                (200, there("complete")),
                (200, none.clone()),
            ],
            false,
            3,
        ),
        (vec![(200, room), (404, gone), (200, none)], false, 3),
    ];
    for (answers, held, asked) in cases {
        let exchange = Recorder::start(answers).await;
        let conferences = carrier_at(exchange.address).conferences.expect("it can");
        let holds = conferences.holds(&leg(), "Daily stand-up").await;
        assert_eq!(holds.expect("it is answered"), held);
        let requests = exchange.requests();
        assert_eq!(requests.len(), asked, "{requests:#?}");
        for request in &requests {
            assert_eq!(Api::read().check(request), Ok(()));
        }
        let named = ("FriendlyName".to_owned(), "Daily stand-up".to_owned());
        assert!(requests[0].query.contains(&named));
    }
}

#[tokio::test]
async fn a_room_is_not_asked_in_vain_forever() {
    let exchange = Recorder::start(vec![(401, json!({"code": 20003, "status": 401}))]).await;
    let conferences = carrier_at(exchange.address).conferences.expect("it can");
    let fault = conferences.holds(&leg(), "standup").await;
    assert_eq!(
        fault.expect_err("it is refused").code,
        code::CARRIER_CREDENTIALS
    );
    let strange = json!({"conferences": [{"sid": "CF/../../Calls", "status": "init"}]});
    let exchange = Recorder::start(vec![(200, strange)]).await;
    let conferences = carrier_at(exchange.address).conferences.expect("it can");
    assert!(
        !conferences
            .holds(&leg(), "standup")
            .await
            .expect("answered")
    );
    let asked = exchange.requests();
    assert!(
        asked
            .iter()
            .all(|it| it.path.ends_with("/Conferences.json"))
    );
}

#[test]
fn the_room_is_one_that_twilio_documents() {
    let reply = |it: &Conference<'_>| carrier().webhooks.reply(Reply::Admit(it)).body;
    assert_eq!(reply(&conference("standup")), DIAL);
    for (limit, said) in [
        (Duration::ZERO, r#"timeLimit="1""#),
        (Duration::from_secs(99_999), r#"timeLimit="86400""#),
    ] {
        let bounded = Conference {
            limit,
            ..conference("standup")
        };
        assert!(reply(&bounded).contains(said), "{said}");
    }
    // The configuration lets nobody write this, and it could still say nothing else.
    let hostile = conference("a</Conference><Hangup/>&\u{0}");
    let written = reply(&hostile);
    assert!(
        written.contains("a&lt;/Conference&gt;&lt;Hangup/&gt;&amp;</Conference>"),
        "{written}"
    );
}

#[test]
fn what_a_room_reports() {
    for (event, news) in [
        ("participant-join", News::Joined),
        ("participant-leave", News::Nothing),
        ("participant-mute", News::Nothing),
        ("conference-start", News::Nothing),
        ("something-new", News::Nothing),
    ] {
        let webhook = conferred(&[("CallSid", OTHER), ("StatusCallbackEvent", event)]);
        let webhook = webhook.expect("it makes sense");
        // Whoever it happened to, whichever call the address names.
        let other = Leg(OTHER.to_owned());
        assert_eq!((webhook.news, webhook.leg), (news, other), "{event}");
    }
    // The end of a room is nobody's.
    let ended = conferred(&[("StatusCallbackEvent", "conference-end")]);
    assert_eq!(ended.expect("it makes sense").news, News::Nothing);
    for forged in ["", "CA/x", "CA1"] {
        let fields = [
            ("CallSid", forged),
            ("StatusCallbackEvent", "participant-join"),
        ];
        let fault = conferred(&fields).expect_err("it is no call's name");
        assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
    }
    let other = [
        ("AccountSid", "AC33333333333333333333333333333333"),
        ("CallSid", CALL),
        ("StatusCallbackEvent", "participant-join"),
    ];
    let fault = decode(Door::Status, &other).expect_err("it is another account's");
    assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
}

#[test]
fn a_notice_is_one_event_of_one_room() {
    let notice = |room: &str, number: &str, event: &str| {
        let fields = [
            ("AccountSid", ACCOUNT),
            ("ConferenceSid", room),
            ("CallSid", CALL),
            ("SequenceNumber", number),
            ("StatusCallbackEvent", event),
        ];
        decode(Door::Status, &fields)
            .expect("it makes sense")
            .notice
    };
    let first = notice(ROOM, "1", "participant-join");
    assert_eq!(first, notice(ROOM, "1", "participant-join"));
    for other in [
        notice(ROOM, "7", "participant-join"),
        notice(ROOM, "1", "participant-leave"),
        notice(
            "CF55555555555555555555555555555555",
            "1",
            "participant-join",
        ),
    ] {
        assert_ne!(first, other);
    }
}

/// Twilio's word for how a `<Dial>` of a conference ended is `answered`, whoever left.
#[test]
fn whoever_is_out_of_a_room_is_parted_from_it() {
    let back = |dialled: &str| {
        let fields = [
            ("AccountSid", ACCOUNT),
            ("CallSid", CALL),
            ("CallStatus", "in-progress"),
            ("DialCallStatus", dialled),
        ];
        decode(Door::Again, &fields).expect("it makes sense").news
    };
    assert_eq!(back("answered"), News::Parted);
    assert_eq!(back("failed"), News::PutBack(call::event::Why::Fault));
}

type Answers = Vec<(u16, Value)>;

fn conferred(fields: &[(&str, &str)]) -> Result<Webhook, Fault> {
    let mut all = vec![
        ("AccountSid", ACCOUNT),
        ("ConferenceSid", ROOM),
        ("FriendlyName", "standup"),
        ("SequenceNumber", "1"),
        ("Timestamp", "Mon, 23 Nov 2026 13:00:00 +0000"),
        ("Muted", "false"),
        ("Hold", "false"),
    ];
    all.extend(fields);
    decode(Door::Status, &all)
}

fn decode(door: Door, fields: &[(&str, &str)]) -> Result<Webhook, Fault> {
    let request = signed_post("https://e.com/twilio/x?call=1&after=2", fields);
    let webhooks = carrier().webhooks;
    webhooks.decode(door, webhooks.verify(&request).expect("it is signed"))
}

fn conference(name: &str) -> Conference<'_> {
    Conference {
        name,
        limit: Duration::from_secs(3_600),
        back: "https://e.com/twilio/again?call=1&after=2",
        report: "https://e.com/twilio/status?call=1",
    }
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

const OTHER: &str = "CA33333333333333333333333333333333";
const ROOM: &str = "CF44444444444444444444444444444444";

const DIAL: &str = r#"<Response><Dial timeLimit="3600" action="https://e.com/twilio/again?call=1&amp;after=2#rc=5&amp;rp=5xx,ct,rt" method="POST"><Conference startConferenceOnEnter="true" endConferenceOnExit="false" beep="true" statusCallback="https://e.com/twilio/status?call=1#rc=5&amp;rp=5xx,ct,rt" statusCallbackMethod="POST" statusCallbackEvent="join">standup</Conference></Dial></Response>"#;
