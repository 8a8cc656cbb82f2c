//! Calls: how they are placed, answered, refused and ended, and what is told of it.

use super::*;

#[tokio::test]
async fn an_outbound_call_is_told_in_signed_events() {
    let gateway = Gateway::silent().await;
    let exchange = honest(
        &gateway,
        PhonePlan::answers(ms(100), [Step::Wait(ms(200)), Step::HangUp]),
    )
    .await;
    assert_eq!(exchange.carrier(), "telnyx");
    let state = json!({"client_state": "eyJhIjoxfQ=="});
    let call = dial(&exchange, with(stream(&gateway), state)).await;
    assert!(call.starts_with("v3:"), "{call}");
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Caller)
    );
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    let told = [
        "call.initiated",
        "call.answered",
        "streaming.started",
        "streaming.stopped",
        "call.hangup",
    ];
    assert_eq!(gateway.names(), told);
    let events = gateway.events();
    for event in &events {
        assert!(is_genuine(&exchange, event), "{event:?}");
        assert_eq!(event.header("user-agent"), "telnyx-webhooks");
        assert_eq!(event.header("content-type"), "application/json");
        assert_eq!(event.path, "/events");
        assert_eq!(event.data["record_type"], "event");
        assert_eq!(
            event.meta,
            json!({"attempt": 1, "delivered_to": gateway.url("/events")})
        );
        assert_eq!(event.payload("call_control_id"), &call);
        assert_eq!(event.payload("connection_id"), CONNECTION);
        assert_eq!(event.payload("client_state"), "eyJhIjoxfQ==");
        assert_eq!(
            (event.payload("from"), event.payload("to")),
            (&json!(OURS), &json!(PHONE))
        );
        assert_eq!(
            event.payload("call_leg_id"),
            events[0].payload("call_leg_id")
        );
        assert_eq!(
            event.data["occurred_at"].as_str().unwrap().len(),
            "2018-02-02T22:25:27.521992Z".len()
        );
    }
    assert_eq!(events[0].payload("direction"), "outgoing");
    assert_eq!(events[0].payload("state"), "bridging");
    assert_eq!(events[2].payload("stream_url"), &gateway.media_url());
    let last = &events[4];
    assert_eq!(last.payload("hangup_cause"), "normal_clearing");
    assert_eq!(last.payload("hangup_source"), "callee");
    assert_eq!(last.payload("sip_hangup_cause"), "200");
    let mut ids: Vec<_> = events
        .iter()
        .map(|event| event.data["id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each event has an id of its own");
    let (_, described) = get(&exchange, &format!("calls/{call}")).await;
    assert_eq!(described["data"]["is_alive"], false);
    assert!(described["data"]["end_time"].is_string());
}

#[tokio::test(start_paused = true)]
async fn phones_that_are_not_answered() {
    for (pickup, status, cause, sip) in [
        (Pickup::Busy, Status::Busy, "user_busy", "486"),
        (Pickup::Reject(ms(50)), Status::Busy, "call_rejected", "603"),
        (Pickup::NoAnswer, Status::NoAnswer, "timeout", "487"),
        (Pickup::Unreachable, Status::Failed, "not_found", "404"),
    ] {
        let gateway = Gateway::silent().await;
        let exchange = honest(&gateway, PhonePlan::never_talks(pickup)).await;
        let call = dial(
            &exchange,
            with(stream(&gateway), json!({"timeout_secs": 5})),
        )
        .await;
        let outcome = outcome(&exchange, &call).await;
        assert_eq!((outcome.status, outcome.ended_by), (status, EndedBy::Phone));
        assert_eq!(outcome.talked, Duration::ZERO);
        assert_eq!(gateway.names(), ["call.initiated", "call.hangup"]);
        let last = gateway.event("call.hangup").await;
        assert_eq!(last.payload("hangup_cause"), cause);
        assert_eq!(last.payload("sip_hangup_cause"), sip);
        assert!(gateway.upgrades().is_empty());
    }
}

#[tokio::test]
async fn a_ringing_call_is_given_up() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let call = dial(&exchange, json!({"webhook_url": gateway.url("/elsewhere")})).await;
    assert_eq!(gateway.event("call.initiated").await.path, "/elsewhere");
    let early = refused(&exchange, &call, "streaming_start", stream(&gateway)).await;
    assert_eq!(early, (422, "90034".to_owned()));
    assert_eq!(
        refused(&exchange, &call, "answer", json!({})).await,
        (422, "90102".to_owned())
    );
    obeyed(&exchange, &call, "hangup", json!({"client_state": "Ynll"})).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Canceled, EndedBy::Api)
    );
    let last = gateway.event("call.hangup").await;
    assert_eq!(last.payload("hangup_cause"), "originator_cancel");
    assert_eq!(last.payload("client_state"), "Ynll");
    assert_eq!(
        refused(&exchange, &call, "hangup", json!({})).await,
        (422, "90018".to_owned())
    );
}

#[tokio::test]
async fn an_incoming_call_is_answered_by_command_and_hung_up() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, listens()).await;
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    let first = gateway.event("call.initiated").await;
    assert_eq!(first.payload("direction"), "incoming");
    assert_eq!(first.payload("state"), "parked");
    assert_eq!(
        (first.payload("from"), first.payload("to")),
        (&json!(PHONE), &json!(OURS))
    );
    assert_eq!(first.payload("client_state"), &Value::Null);
    for action in [
        "streaming_start",
        "streaming_stop",
        "send_dtmf",
        "client_state_update",
    ] {
        let method = if action == "client_state_update" {
            "PUT"
        } else {
            "POST"
        };
        let path = format!("calls/{call}/actions/{action}");
        let (status, refusal) = ask(&exchange, method, &path, &json!({})).await;
        assert_eq!(
            (status, code(&refusal).as_str()),
            (422, "90034"),
            "{action}"
        );
    }
    obeyed(
        &exchange,
        &call,
        "answer",
        with(stream(&gateway), json!({"client_state": "YQ=="})),
    )
    .await;
    gateway.event("streaming.started").await;
    gateway.wait_for_heard("media", 3).await;
    assert_eq!(refused(&exchange, &call, "answer", json!({})).await.0, 422);
    let (_, described) = get(&exchange, &format!("calls/{}", call.replace(':', "%3A"))).await;
    assert_eq!(described["data"]["is_alive"], true);
    assert_eq!(described["data"]["client_state"], "YQ==");
    let path = format!("connections/{CONNECTION}/active_calls");
    assert_eq!(
        get(&exchange, &path).await.1["data"][0]["call_control_id"],
        call.as_str()
    );
    obeyed(&exchange, &call, "hangup", json!({})).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    let last = gateway.event("call.hangup").await;
    assert_eq!(last.payload("hangup_cause"), "normal_clearing");
    assert_eq!(last.payload("hangup_source"), "callee");
    assert_eq!(gateway.heard().last().unwrap()["event"], "stop");
}

#[tokio::test(start_paused = true)]
async fn an_incoming_call_that_is_not_answered() {
    for (cause, status, by, told) in [
        (
            Some("USER_BUSY"),
            Status::Busy,
            EndedBy::Rejected,
            "user_busy",
        ),
        (
            Some("CALL_REJECTED"),
            Status::NoAnswer,
            EndedBy::Rejected,
            "call_rejected",
        ),
        (None, Status::NoAnswer, EndedBy::Phone, "timeout"),
    ] {
        let gateway = Gateway::silent().await;
        let exchange = honest(&gateway, listens()).await;
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        gateway.event("call.initiated").await;
        if let Some(cause) = cause {
            let bad = refused(&exchange, &call, "reject", json!({"cause": "TIRED"})).await;
            assert_eq!(bad, (422, "10032".to_owned()));
            assert_eq!(
                refused(&exchange, &call, "reject", json!({})).await.1,
                "10004"
            );
            obeyed(&exchange, &call, "reject", json!({"cause": cause})).await;
        }
        let outcome = outcome(&exchange, &call).await;
        assert_eq!((outcome.status, outcome.ended_by), (status, by));
        assert_eq!(
            gateway.event("call.hangup").await.payload("hangup_cause"),
            told
        );
        assert_eq!(gateway.names(), ["call.initiated", "call.hangup"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_call_is_cut() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, listens()).await;
    let call = dial(&exchange, json!({"time_limit_secs": 30})).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(outcome.ended_by, EndedBy::TimeLimit);
    assert_eq!(outcome.talked.as_secs(), 30);
    assert_eq!(
        gateway.event("call.hangup").await.payload("hangup_cause"),
        "time_limit"
    );
}

#[tokio::test]
async fn keys_go_both_ways() {
    let gateway = Gateway::silent().await;
    let steps = [
        Step::Wait(ms(60)),
        Step::Press('5'),
        Step::Wait(ms(600)),
        Step::HangUp,
    ];
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, steps)).await;
    let call = dial(&exchange, stream(&gateway)).await;
    let pressed = gateway.event("call.dtmf.received").await;
    assert_eq!(pressed.payload("digit"), "5");
    assert_eq!(
        refused(&exchange, &call, "send_dtmf", json!({"digits": "1-2"}))
            .await
            .1,
        "10015"
    );
    obeyed(
        &exchange,
        &call,
        "send_dtmf",
        json!({"digits": "1w#", "duration_millis": 100}),
    )
    .await;
    let outcome = outcome(&exchange, &call).await;
    assert!(
        outcome.report.agent_spoke >= ms(80),
        "{:?}",
        outcome.report.agent_spoke
    );
    let heard = gateway.heard();
    let key = heard
        .iter()
        .find(|message| message["event"] == "dtmf")
        .unwrap();
    assert_eq!(key["dtmf"], json!({"digit": "5"}));
    assert!(key["occurred_at"].is_string() && key["stream_id"].is_string());
}

#[tokio::test]
async fn a_call_lives_without_a_stream_and_remembers_a_state() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, listens()).await;
    let call = dial(&exchange, json!({})).await;
    gateway.event("call.answered").await;
    assert_eq!(
        refused(&exchange, &call, "streaming_stop", json!({})).await,
        (422, "90048".to_owned())
    );
    let path = format!("calls/{call}/actions/client_state_update");
    let (_, refusal) = ask(&exchange, "PUT", &path, &json!({"client_state": "no"})).await;
    assert_eq!(code(&refusal), "90017");
    assert_eq!(
        ask(&exchange, "PUT", &path, &json!({"client_state": "bmV3"}))
            .await
            .0,
        200
    );
    obeyed(&exchange, &call, "hangup", json!({})).await;
    outcome(&exchange, &call).await;
    assert_eq!(
        gateway.event("call.hangup").await.payload("client_state"),
        "bmV3"
    );
    assert!(gateway.upgrades().is_empty());
}
