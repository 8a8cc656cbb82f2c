//! Calls that are put into a room by `<Dial><Conference>`.

use super::*;
use crate::gateway::{Hook, share};
use futures_util::future::join_all;

/// A gateway that puts its callers into a room, and an exchange.
async fn town(room: &str, mischief: Mischief) -> (Gateway, Exchange) {
    let gateway =
        Gateway::start(|mut socket| async move { while socket.hear().await.is_some() {} }).await;
    gateway.answer("/voice", &confer(&gateway, room));
    gateway.answer("/again", "<Response><Hangup/></Response>");
    gateway.answer("/report", "<Response/>");
    let exchange = Exchange::builder()
        .account(ACCOUNT, TOKEN)
        .number(OURS, &gateway.url("/voice"))
        .status_url(&gateway.url("/status"))
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on");
    (gateway, exchange)
}

fn confer(gateway: &Gateway, room: &str) -> String {
    let (back, report) = (gateway.url("/again"), gateway.url("/report"));
    let room = room.replace(
        "REPORT",
        &format!(r#"statusCallback="{report}" statusCallbackEvent="start end join leave""#),
    );
    format!(r#"<Response><Dial action="{back}" timeLimit="60">{room}</Dial></Response>"#)
}

fn calls(exchange: &Exchange, scripts: impl IntoIterator<Item = Vec<Step>>) -> Vec<String> {
    let scripts = scripts.into_iter().zip(1..);
    let call = |(script, caller)| {
        let from = format!("+1555123456{caller}");
        exchange.call_in(&from, OURS, script).expect("ours")
    };
    scripts.map(call).collect()
}

async fn outcomes(exchange: &Exchange, calls: &[String]) -> Vec<Arc<Outcome>> {
    join_all(calls.iter().map(|it| outcome(exchange, it))).await
}

fn events(gateway: &Gateway) -> Vec<(String, String)> {
    let hooks = gateway.hooks("/report");
    let told = |it: &Hook| {
        (
            it.field("StatusCallbackEvent").to_owned(),
            it.field("CallSid").to_owned(),
        )
    };
    hooks.iter().map(told).collect()
}

#[tokio::test]
async fn three_in_a_room_hear_one_another_and_not_themselves() {
    let (gateway, exchange) = town(
        "<Conference REPORT>standup</Conference>",
        Mischief::default(),
    )
    .await;
    let tones = [500.0, 750.0, 1_150.0];
    let script = |hz| {
        vec![
            Step::Wait(ms(800)),
            Step::Say(tone(2_000, hz)),
            Step::Wait(ms(400)),
            Step::HangUp,
        ]
    };
    let calls = calls(&exchange, tones.map(script));
    let outcomes = outcomes(&exchange, &calls).await;
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.ended_by, EndedBy::Caller);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        let middle = &outcome.ear.agent()[8 * 1_300..8 * 2_300];
        for (other, hz) in tones.into_iter().enumerate() {
            let share = share(middle, hz);
            if other == index {
                assert!(share < 0.02, "{index} hears themselves: {share}");
            } else {
                assert!(share > 0.4, "{index} does not hear {other}: {share}");
            }
        }
    }
    gateway.wait_for_hooks("/report", 8).await;
    is_told(&gateway, &calls);
}

/// What the gateway is told of three who were in a room and left it.
fn is_told(gateway: &Gateway, calls: &[String]) {
    let told = events(gateway);
    let of = |event: &str| -> Vec<&String> {
        let of = told.iter().filter(|(it, _)| it == event);
        of.map(|(_, call)| call).collect()
    };
    for event in ["participant-join", "participant-leave"] {
        let (mut who, mut all) = (of(event), calls.iter().collect::<Vec<_>>());
        who.sort();
        all.sort();
        assert_eq!(who, all, "{event}");
    }
    assert_eq!(told[0].0, "participant-join");
    assert_eq!(
        (told[2].0.as_str(), told[2].1.as_str()),
        ("conference-start", "")
    );
    let hooks = gateway.hooks("/report");
    let numbers: Vec<_> = hooks.iter().map(|it| it.field("SequenceNumber")).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    for hook in &hooks {
        assert_eq!(hook.field("FriendlyName"), "standup");
        assert!(hook.field("ConferenceSid").starts_with("CF"));
        assert_eq!(hook.field("ConferenceSid"), hooks[0].field("ConferenceSid"));
        let url = gateway.url("/report");
        assert_eq!(hook.signature, signature(&url, &hook.form));
    }
    let end = hooks.last().unwrap();
    assert_eq!(end.field("StatusCallbackEvent"), "conference-end");
    assert_eq!(end.field("ReasonConferenceEnded"), "last-participant-left");
}

/// The first who comes says where a room is reported of; what the others say of that means nothing.
#[tokio::test]
async fn only_the_first_says_where_a_room_is_reported_of() {
    let (gateway, exchange) = town("<Conference>standup</Conference>", Mischief::default()).await;
    let mut watcher = exchange.watch();
    let stays = || vec![Step::Wait(ms(1_500)), Step::HangUp];
    let first = calls(&exchange, [stays()]).remove(0);
    in_progress(&mut watcher, &first).await;
    let participant = in_room(&exchange, &first, "init").await;
    gateway.answer(
        "/voice",
        &confer(&gateway, "<Conference REPORT>standup</Conference>"),
    );
    let second = calls(&exchange, [stays()]).remove(0);
    outcomes(&exchange, &[first.clone(), second]).await;
    assert_eq!(events(&gateway), []);
    // It is closed, and who was in it is not any more.
    assert_eq!(ask(&exchange, &participant, &[]).await.0, 404);
}

/// Waits until a call is in a room of that state, by the word of the REST API; where that is said.
async fn in_room(exchange: &Exchange, call: &str, state: &str) -> String {
    let found = async {
        loop {
            let query = format!("Conferences.json?FriendlyName=standup&Status={state}&PageSize=1");
            let (status, rooms) = ask(exchange, &query, &[]).await;
            assert_eq!(status, 200, "{rooms}");
            if let Some(room) = rooms["conferences"][0]["sid"].as_str() {
                let path = format!("Conferences/{room}/Participants/{call}.json");
                let (status, participant) = ask(exchange, &path, &[]).await;
                if status == 200 {
                    assert_eq!(participant["status"], "connected");
                    assert_eq!(participant["conference_sid"], room);
                    return path;
                }
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    tokio::time::timeout(ms(10_000), found)
        .await
        .expect("the call is in the room")
}

async fn in_progress(
    watcher: &mut tokio::sync::broadcast::Receiver<exchange::Happening>,
    call: &str,
) {
    loop {
        if let exchange::Happening::Changed { call: it, status } = watcher.recv().await.unwrap()
            && (it == call && status == Status::InProgress)
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_room_is_closed_by_request_and_by_its_host() {
    let stays = || vec![Step::WaitForHangUp { timeout: ms(9_000) }];
    // By request.
    let (gateway, exchange) = town(
        "<Conference REPORT>standup</Conference>",
        Mischief::default(),
    )
    .await;
    let calls_ = calls(&exchange, [stays(), stays()]);
    let participant = in_room(&exchange, &calls_[1], "in-progress").await;
    let room = participant
        .split_once("/Participants")
        .unwrap()
        .0
        .to_owned()
        + ".json";
    let (status, closed) = ask(&exchange, &room, &[("Status", "completed")]).await;
    assert_eq!((status, &closed["status"]), (200, &json!("completed")));
    assert_eq!(
        closed["reason_conference_ended"],
        "conference-ended-via-api"
    );
    for outcome in outcomes(&exchange, &calls_).await {
        assert_eq!(
            outcome.ended_by,
            EndedBy::Instructions,
            "it went on at `action`"
        );
    }
    let again = gateway.hooks("/again");
    assert_eq!(again.len(), 2);
    for hook in again {
        assert_eq!(hook.field("DialCallStatus"), "answered");
        assert_eq!(hook.field("CallStatus"), "in-progress");
    }
    // By its host.
    let (gateway, exchange) = town(
        r#"<Conference endConferenceOnExit="true" REPORT>standup</Conference>"#,
        Mischief::default(),
    )
    .await;
    let calls = calls(
        &exchange,
        [vec![Step::Wait(ms(900)), Step::HangUp], stays()],
    );
    let outcomes = outcomes(&exchange, &calls).await;
    assert_eq!(outcomes[0].ended_by, EndedBy::Caller);
    assert_eq!(outcomes[1].ended_by, EndedBy::Instructions);
    gateway.wait_for_hooks("/again", 2).await;
    gateway.wait_for_hooks("/report", 6).await;
    let end = gateway.hooks("/report").pop().unwrap();
    assert_eq!(end.field("CallSidEndingConference"), calls[0]);
    assert_eq!(
        end.field("ReasonConferenceEnded"),
        "participant-with-end-conference-on-exit-left"
    );
}

#[tokio::test]
async fn a_caller_is_taken_out_of_a_room_and_may_stay_only_so_long() {
    let (gateway, exchange) = town(
        "<Conference REPORT>standup</Conference>",
        Mischief::default(),
    )
    .await;
    let script = || vec![Step::WaitForHangUp { timeout: ms(9_000) }];
    let call = calls(&exchange, [script()]).remove(0);
    in_room(&exchange, &call, "init").await;
    // Taken elsewhere: that is not asked about.
    let short = confer(&gateway, "<Conference REPORT>other</Conference>");
    let short = short.replace(r#"timeLimit="60""#, r#"timeLimit="1""#);
    ask(
        &exchange,
        &format!("Calls/{call}.json"),
        &[("Twiml", &short)],
    )
    .await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert_eq!(
        gateway.hooks("/again").len(),
        1,
        "only at the end of its time"
    );
    gateway.wait_for_hooks("/report", 6).await;
    let told: Vec<_> = events(&gateway)
        .into_iter()
        .map(|(event, _)| event)
        .collect();
    let room = ["participant-join", "participant-leave", "conference-end"];
    // Two rooms are reported of in no order.
    assert_eq!(
        told.iter().filter(|it| **it == room[0]).count(),
        2,
        "{told:?}"
    );
    assert_eq!(
        told.iter().filter(|it| **it == room[2]).count(),
        2,
        "{told:?}"
    );
}

#[tokio::test]
async fn a_full_room_lets_nobody_in() {
    let room = r#"<Conference maxParticipants="2">standup</Conference>"#;
    let (gateway, exchange) = town(room, Mischief::default()).await;
    let stays = || vec![Step::Wait(ms(1_500)), Step::HangUp];
    let calls_ = calls(&exchange, [stays(), stays()]);
    in_room(&exchange, &calls_[0], "in-progress").await;
    let third = calls(&exchange, [stays()]).remove(0);
    let outcome = outcome(&exchange, &third).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert_eq!(codes(&outcome), [0]);
    assert_eq!(gateway.hooks("/again")[0].field("DialCallStatus"), "failed");
}

#[tokio::test]
async fn what_is_told_of_a_room_can_come_in_any_order_twice_and_forged() {
    let mischief = Mischief {
        callbacks: Callbacks {
            duplicates: 1,
            forged: 1,
            order: Order::LastFirst,
            ..Callbacks::default()
        },
        ..Mischief::default()
    };
    let (gateway, exchange) = town("<Conference REPORT>standup</Conference>", mischief).await;
    let calls = calls(&exchange, [vec![Step::Wait(ms(500)), Step::HangUp]]);
    outcomes(&exchange, &calls).await;
    gateway.wait_for_hooks("/report", 9).await;
    let url = gateway.url("/report");
    let hooks = gateway.hooks("/report");
    let genuine = hooks
        .iter()
        .filter(|it| it.signature == signature(&url, &it.form));
    let numbers: Vec<_> = genuine.map(|it| it.field("SequenceNumber")).collect();
    assert_eq!(numbers, ["3", "3", "2", "2", "1", "1"]);
}
