use std::time::Duration;

use ports::carrier::{Conference, Door, Leg, News, Reply, Webhook};
use ports::code;
use serde_json::json;

use super::requests::Recorder;
use super::{CALL, REQUEST, carrier, carrier_at, signed_post};

#[tokio::test]
async fn a_call_is_sent_to_ask_us_and_told_its_room() {
    let exchange = Recorder::start(vec![(202, json!({}))]).await;
    let conferences = carrier_at(exchange.address).conferences.expect("it can");
    let done = conferences.admit(&leg(), &conference("standup")).await;
    done.expect("it is told so");
    let requests = exchange.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].body,
        json!({"legs": "aleg", "aleg_url": BACK, "aleg_method": "POST"})
    );
    let never_up = Leg(format!("request/{REQUEST}"));
    let done = conferences.admit(&never_up, &conference("standup")).await;
    assert_eq!(
        done.expect_err("it is not up").code,
        code::CARRIER_NO_SUCH_CALL
    );
}

#[test]
fn the_room_is_one_that_plivo_documents() {
    let reply = |it: &Conference<'_>| carrier().webhooks.reply(Reply::Admit(it)).body;
    assert_eq!(
        reply(&conference("standup")),
        r#"<Response><Conference startConferenceOnEnter="true" endConferenceOnExit="false" enterSound="beep:1" action="https://e.com/plivo/again?call=1&amp;after=2#rc=5&amp;rp=5xx,ct,rt" method="POST" redirect="true" callbackUrl="https://e.com/plivo/status?call=1#rc=5&amp;rp=5xx,ct,rt" callbackMethod="POST">standup</Conference></Response>"#
    );
    let written = reply(&conference("a</Conference><Hangup/>"));
    assert!(
        written.contains("a&lt;/Conference&gt;&lt;Hangup/&gt;</Conference>"),
        "{written}"
    );
}

#[tokio::test]
async fn who_is_in_a_room_is_asked_of_it() {
    let room = |call: &str| json!({"conference_name": "Daily stand-up", "members": [{"member_id": "10", "call_uuid": call}]});
    let gone = json!({"error": "conference not found"});
    for ((status, answer), held) in [
        ((200, room(CALL)), true),
        ((200, room(OTHER)), false),
        (
            (
                200,
                json!({"conference_name": "Daily stand-up", "members": []}),
            ),
            false,
        ),
        ((404, gone), false),
    ] {
        let exchange = Recorder::start(vec![(status, answer)]).await;
        let conferences = carrier_at(exchange.address).conferences.expect("it can");
        let holds = conferences.holds(&leg(), "Daily stand-up").await;
        assert_eq!(holds.expect("it is answered"), held);
        let requests = exchange.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].method, "GET");
        assert!(
            requests[0].path.ends_with("/Conference/Daily%20stand-up/"),
            "{}",
            requests[0].path
        );
    }
    let exchange = Recorder::start(vec![(401, json!({}))]).await;
    let conferences = carrier_at(exchange.address).conferences.expect("it can");
    let fault = conferences.holds(&leg(), "standup").await;
    assert_eq!(
        fault.expect_err("it is refused").code,
        code::CARRIER_CREDENTIALS
    );
}

#[test]
fn what_a_room_reports_is_about_whoever_it_happened_to() {
    for (action, event, news) in [
        ("enter", "ConferenceEnter", News::Joined),
        ("exit", "ConferenceExit", News::Nothing),
        ("floor", "ConferenceFloor", News::Nothing),
    ] {
        let webhook = decode(
            Door::Status,
            &[
                ("CallUUID", OTHER),
                ("ConferenceAction", action),
                ("Event", event),
                ("ConferenceName", "standup"),
                ("ConferenceUUID", ROOM),
                ("ConferenceMemberID", "10"),
            ],
        );
        let other = Leg(OTHER.to_owned());
        assert_eq!((webhook.news, webhook.leg), (news, other), "{action}");
    }
}

#[test]
fn whoever_is_out_of_a_room_is_parted_from_it() {
    let back = [
        ("CallUUID", CALL),
        ("CallStatus", "in-progress"),
        ("ConferenceName", "standup"),
        ("ConferenceUUID", ROOM),
        ("ConferenceMemberID", "10"),
    ];
    let parted = decode(Door::Again, &back);
    assert_eq!((parted.news, parted.leg), (News::Parted, leg()));
    let shut_out = decode(Door::Again, &back[..4]);
    assert_eq!(shut_out.news, News::PutBack(call::event::Why::Fault));
    // That it is out is another notice than that it was sent to ask, and than that it is out once more.
    let asked = decode(Door::Again, &back[..2]);
    assert_eq!(asked.news, News::Adrift);
    let mut later = back;
    later[4].1 = "11";
    let later = decode(Door::Again, &later);
    assert!(parted.notice != asked.notice && parted.notice != later.notice);
}

fn decode(door: Door, fields: &[(&str, &str)]) -> Webhook {
    let request = signed_post(BACK, fields);
    let webhooks = carrier().webhooks;
    let genuine = webhooks.verify(&request).expect("it is signed");
    webhooks.decode(door, genuine).expect("it makes sense")
}

fn conference(name: &str) -> Conference<'_> {
    Conference {
        name,
        limit: Duration::from_secs(3_600),
        back: BACK,
        report: "https://e.com/plivo/status?call=1",
    }
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

const BACK: &str = "https://e.com/plivo/again?call=1&after=2";
const OTHER: &str = "0aaaeb52-58b6-11e1-86da-77300b68f8bb";
const ROOM: &str = "1bbbeb52-58b6-11e1-86da-77300b68f8bb";
