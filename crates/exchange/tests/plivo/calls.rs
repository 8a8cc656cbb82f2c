//! Calls over the REST API and the webhooks.

use super::*;
use exchange::phone::{Pickup, Step};
use exchange::{Direction, EndedBy, Status, Trouble};

#[tokio::test]
async fn an_outbound_call_is_told_and_signed_like_the_real_one() {
    let gateway = Gateway::listening().await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let exchange = honest(&gateway, PhonePlan::answers(ms(100), [Step::HangUp])).await;
    let request = dial(&exchange, &gateway, json!({})).await;
    let outcome = next_outcome(&exchange).await;
    assert_eq!(
        (outcome.status, outcome.ended_by, outcome.direction),
        (Status::Completed, EndedBy::Caller, Direction::Outbound)
    );
    assert_eq!((outcome.from.as_str(), outcome.to.as_str()), (OURS, PHONE));
    let call = &outcome.call;
    assert_ne!(*call, request);
    let hooks = gateway.all_hooks();
    let told: Vec<_> = hooks
        .iter()
        .map(|hook| (hook.field("Event"), hook.field("CallStatus")))
        .collect();
    assert_eq!(
        told,
        [
            ("Ring", "ringing"),
            ("StartApp", "in-progress"),
            ("Hangup", "completed")
        ]
    );
    for hook in &hooks {
        assert!(hook.is_signed_for(&gateway.origin()), "{hook:?}");
        assert_eq!(
            hook.header("content-type"),
            "application/x-www-form-urlencoded"
        );
        assert_eq!(hook.field("CallUUID"), call);
        assert_eq!(hook.field("ALegUUID"), call);
        assert_eq!(hook.field("RequestUUID"), request);
        assert_eq!(hook.field("ALegRequestUUID"), request);
        assert_eq!(hook.field("Direction"), "outbound");
        assert_eq!(
            (hook.field("From"), hook.field("To")),
            ("15550001111", "15551234567")
        );
    }
    let last = &hooks[2];
    assert_eq!(last.field("HangupCauseCode"), "4000");
    assert_eq!(last.field("HangupCauseName"), "Normal Hangup");
    assert_eq!(last.field("HangupSource"), "Call recipient");
    assert_eq!(
        (last.field("Duration"), last.field("BillDuration")),
        ("1", "60")
    );
    let (status, record) = ask(&exchange, "GET", &format!("Call/{call}/"), json!(null)).await;
    assert_eq!(status, 200);
    assert_eq!(record["hangup_cause_code"], 4000);
    assert_eq!(record["call_duration"], 1);
    assert_eq!(record["to_number"], "15551234567");
    let (_, list) = ask(&exchange, "GET", "Call/", json!(null)).await;
    assert_eq!(list["objects"][0]["call_uuid"], call.as_str());
}

#[tokio::test]
async fn webhooks_can_be_asked_for_with_get() {
    let gateway = Gateway::start(|_| async {}).await;
    gateway.answer("/answer/", "<Hangup/>");
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let url = gateway.url("/answer/?b=2&a=1+1#rc=2");
    let more = json!({"answer_url": url, "answer_method": "GET"});
    dial(&exchange, &gateway, more).await;
    next_outcome(&exchange).await;
    let answer = gateway.hooks("/answer/").pop().unwrap();
    assert_eq!(answer.method, "GET");
    assert!(answer.query.starts_with("b=2&a=1+1&"), "{}", answer.query);
    assert!(answer.query.contains("Event=StartApp"));
    assert!(answer.is_signed_for(&gateway.origin()));
    assert_eq!(hangup(&gateway), told("completed", 4000, "Answer XML"));
}

#[tokio::test]
async fn requests_are_refused_as_the_real_one_refuses_them() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    for more in [
        json!({"from": ""}),
        json!({"from": "Ada"}),
        json!({"to": null}),
        json!({"to": "12"}),
        json!({"to": "15551234567<15551234568"}),
        json!({"answer_url": null}),
        json!({"answer_url": "not a url"}),
        json!({"answer_method": "PUT"}),
        json!({"ring_timeout": "soon"}),
        json!({"time_limit": 0}),
        json!({"hangup_url": "ftp://127.0.0.1/"}),
        json!({"send_digits": "1-2"}),
        json!({"answer_url": ["http://127.0.0.1:9/"]}),
    ] {
        let (status, refused) =
            ask(&exchange, "POST", "Call/", call_for(&gateway, more.clone())).await;
        assert_eq!(status, 400, "{more}: {refused}");
        assert!(refused["error"].is_string());
    }
    let good = call_for(&gateway, json!({}));
    for (method, path, body, expected) in [
        ("POST", "Call", good.clone(), 404),
        ("POST", "Calls/", good, 404),
        ("DELETE", "Call/", json!(null), 405),
        ("PUT", "Number/", json!(null), 405),
        (
            "GET",
            "Call/0b6b0f4c-0000-0000-0000-000000000000/",
            json!(null),
            404,
        ),
        (
            "DELETE",
            "Request/0b6b0f4c-0000-0000-0000-000000000000/",
            json!(null),
            404,
        ),
        ("GET", "Call/?status=sleeping", json!(null), 400),
        ("POST", "Call/", json!(["from"]), 400),
    ] {
        let (status, _) = ask(&exchange, method, path, body).await;
        assert_eq!(status, expected, "{method} {path}");
    }
    exchange.trouble(Trouble::TooMany);
    exchange.trouble(Trouble::Unavailable);
    assert_eq!(ask(&exchange, "GET", "", json!(null)).await.0, 429);
    assert_eq!(ask(&exchange, "GET", "", json!(null)).await.0, 503);
    let deliveries = exchange.deliveries();
    assert!(deliveries.is_empty(), "a refused call makes no webhook");
}

#[tokio::test]
async fn strangers_are_refused_and_the_account_is_described() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let (_, account) = ask(&exchange, "GET", "", json!(null)).await;
    assert_eq!(account["auth_id"], ACCOUNT);
    let (_, numbers) = ask(&exchange, "GET", "Number/", json!(null)).await;
    assert_eq!(numbers["objects"][0]["number"], "15550001111");
    assert_eq!(numbers["meta"]["total_count"], 1);
    let (status, number) = ask(&exchange, "GET", "Number/15550001111/", json!(null)).await;
    assert_eq!((status, &number["voice_enabled"]), (200, &json!(true)));
    assert_eq!(
        ask(&exchange, "GET", "Number/15559999999/", json!(null))
            .await
            .0,
        404
    );
    let bare = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let url = format!("{}/v1/Account/{ACCOUNT}/", exchange.base_url());
    for (token, expected) in [(TOKEN, 200), ("wrong", 401)] {
        let answer = bare.get(&url).basic_auth(ACCOUNT, Some(token)).send();
        assert_eq!(answer.await.unwrap().status().as_u16(), expected);
    }
    let form = bare.post(format!("{url}Call/")).form(&[("from", OURS)]);
    let answer = form.basic_auth(ACCOUNT, Some(TOKEN)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 415, "only JSON is read");
    let configuration = exchange.configuration();
    let expected = format!(
        "[carriers.plivo]\nauth_id = \"{ACCOUNT}\"\nauth_token = \"{TOKEN}\"\napi_url = \"{}\"\n",
        exchange.base_url()
    );
    assert_eq!(configuration, expected);
}

#[tokio::test]
async fn phones_that_are_not_answered() {
    let cases = [
        (Pickup::Busy, Status::Busy, told("busy", 3010, "Carrier")),
        (
            Pickup::Reject(ms(50)),
            Status::Busy,
            told("busy", 3020, "Call recipient"),
        ),
        (
            Pickup::NoAnswer,
            Status::NoAnswer,
            told("no-answer", 6010, "Plivo"),
        ),
        (
            Pickup::Unreachable,
            Status::Failed,
            told("failed", 2010, "Carrier"),
        ),
    ];
    let calls = cases.map(|(pickup, status, expected)| async move {
        let gateway = Gateway::start(|_| async {}).await;
        let exchange = honest(&gateway, PhonePlan::never_talks(pickup)).await;
        dial(&exchange, &gateway, json!({"ring_timeout": 1})).await;
        let outcome = next_outcome(&exchange).await;
        assert_eq!((outcome.status, outcome.ended_by), (status, EndedBy::Phone));
        assert_eq!(hangup(&gateway), expected);
        let answers = gateway.hooks("/answer/");
        assert!(answers.is_empty(), "instructions are not asked for");
        assert_eq!(outcome.talked, Duration::ZERO);
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn a_call_from_a_number_that_is_not_ours_fails() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let more = json!({"from": "15559999999", "colour": "green"});
    dial(&exchange, &gateway, more).await;
    let outcome = next_outcome(&exchange).await;
    assert_eq!(outcome.status, Status::Failed);
    assert_eq!(hangup(&gateway), told("failed", 3030, "Plivo"));
    assert_eq!(codes(&outcome), [0], "a stranger among the fields");
}

#[tokio::test]
async fn an_inbound_call_is_answered_when_its_instructions_are_there() {
    let gateway = Gateway::listening().await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let steps = [Step::Wait(ms(60)), Step::HangUp];
    let call = exchange.call_in(PHONE, OURS, steps).unwrap();
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Caller)
    );
    let answer = gateway.hooks("/answer/").pop().unwrap();
    assert_eq!(answer.field("CallStatus"), "ringing");
    assert_eq!(answer.field("Direction"), "inbound");
    assert_eq!(answer.field("From"), "15551234567");
    assert_eq!(answer.field("RequestUUID"), "");
    assert!(answer.is_signed_for(&gateway.origin()));
    assert_eq!(hangup(&gateway), told("completed", 4000, "Caller"));
}

#[tokio::test]
async fn an_inbound_call_that_is_rejected_is_never_answered() {
    for (reason, status, code) in [
        ("rejected", Status::NoAnswer, 3020),
        ("busy", Status::Busy, 3010),
    ] {
        let gateway = Gateway::start(|_| async {}).await;
        gateway.answer("/answer/", &format!(r#"<Hangup reason="{reason}"/>"#));
        let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(
            (outcome.status, outcome.ended_by),
            (status, EndedBy::Rejected)
        );
        assert_eq!(outcome.talked, Duration::ZERO);
        assert_eq!(hangup(&gateway), told("completed", code, "Answer XML"));
        let record = ask(&exchange, "GET", &format!("Call/{call}/"), json!(null)).await;
        assert_eq!(record.1["answer_time"], Value::Null);
    }
}

#[tokio::test]
async fn instructions_are_followed_one_after_the_other() {
    let gateway = Gateway::start(|_| async {}).await;
    let second = gateway.url("/second");
    let redirect = format!(r#"<Say>Hi</Say><Speak>Hi</Speak><Redirect>{second}</Redirect><Play/>"#);
    gateway.answer("/answer/", &redirect);
    gateway.answer("/second", "<PreAnswer/><Play>http://e/a.mp3</Play>");
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    dial(&exchange, &gateway, json!({})).await;
    let outcome = next_outcome(&exchange).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert_eq!(codes(&outcome), [0], "<Say> is another carrier's");
    let hook = gateway.hooks("/second").pop().unwrap();
    assert!(hook.is_signed_for(&gateway.origin()));
    assert_eq!(hangup(&gateway), told("completed", 4010, "Plivo"));
}

#[tokio::test]
async fn instructions_that_cannot_be_had_end_the_call() {
    let gateway = Gateway::start(|_| async {}).await;
    gateway.answer_with("/created", 201, "<Response/>");
    gateway.answer_with("/broken", 200, "<Response>");
    gateway.answer_with("/json", 200, "{}");
    gateway.answer("/nowhere", "<Redirect>second</Redirect>");
    gateway.answer(
        "/astray",
        &format!("<Redirect>{}</Redirect>", gateway.url("/404")),
    );
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    for (path, code) in [
        ("/404", 7011),
        ("/created", 7011),
        ("/broken", 8011),
        ("/json", 8011),
        ("/nowhere", 7024),
        ("/astray", 7014),
    ] {
        gateway.forget();
        let more = json!({"answer_url": gateway.url(path)});
        dial(&exchange, &gateway, more).await;
        let outcome = next_outcome(&exchange).await;
        assert_eq!(outcome.ended_by, EndedBy::Fault(code), "{path}");
        assert_eq!(hangup(&gateway), told("completed", code, "Error"));
        let asked = gateway.hooks(path).len();
        assert_eq!(asked, 1, "an answer is not asked for twice");
    }
}

#[tokio::test]
async fn a_url_says_how_often_it_is_tried_and_a_fallback_follows() {
    let gateway = Gateway::start(|_| async {}).await;
    gateway.answer_with("/sick", 500, "");
    gateway.answer("/fallback", "<Hangup/>");
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let more = json!({
        "answer_url": gateway.url("/sick#rc=2&rp=5xx"),
        "fallback_url": gateway.url("/fallback"),
    });
    dial(&exchange, &gateway, more).await;
    let outcome = next_outcome(&exchange).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert_eq!(gateway.hooks("/sick").len(), 3);
    assert_eq!(gateway.hooks("/fallback").len(), 1);
    assert_eq!(codes(&outcome), [7011]);
}

#[tokio::test]
async fn the_rest_api_hangs_up_and_presses_keys() {
    let gateway = Gateway::listening().await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    dial(&exchange, &gateway, json!({})).await;
    gateway.wait_for_heard("media").await;
    let call = gateway.hooks("/answer/")[0].field("CallUUID").to_owned();
    let path = format!("Call/{call}/");
    let live = format!("{path}?status=live");
    let (status, shown) = ask(&exchange, "GET", &live, json!(null)).await;
    assert_eq!(
        (status, &shown["call_status"]),
        (200, &json!("in-progress"))
    );
    let (_, listed) = ask(&exchange, "GET", "Call/?status=live", json!(null)).await;
    assert_eq!(listed["calls"], json!([call]));
    assert_eq!(
        ask(&exchange, "GET", &path, json!(null)).await.0,
        404,
        "no record yet"
    );
    let dtmf = format!("{path}DTMF/");
    assert_eq!(
        ask(&exchange, "POST", &dtmf, json!({"digits": "1x"}))
            .await
            .0,
        400
    );
    assert_eq!(
        ask(&exchange, "POST", &dtmf, json!({"digits": "19"}))
            .await
            .0,
        202
    );
    gateway.wait_for_messages(30).await;
    assert_eq!(ask(&exchange, "DELETE", &path, json!(null)).await.0, 204);
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    assert_eq!(hangup(&gateway), told("completed", 4000, "API Request"));
    let spoke = outcome.report.agent_spoke;
    assert!((ms(160)..ms(280)).contains(&spoke), "two keys: {spoke:?}");
    assert_eq!(ask(&exchange, "DELETE", &path, json!(null)).await.0, 404);
    assert_eq!(ask(&exchange, "GET", &live, json!(null)).await.0, 404);
    assert_eq!(ask(&exchange, "GET", &path, json!(null)).await.0, 200);
}

#[tokio::test]
async fn a_transfer_waits_for_the_stream_that_keeps_the_call_alive() {
    let gateway = Gateway::start(|mut socket| async move {
        while let Some(message) = socket.hear().await {
            if message["event"] == "dtmf" {
                return socket.close().await;
            }
        }
    })
    .await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    gateway.answer("/elsewhere", "<Hangup/>");
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let script = [Step::Wait(ms(600)), Step::Press('1'), Step::Wait(ms(9_000))];
    let call = exchange.call_in(PHONE, OURS, script).unwrap();
    gateway.wait_for_heard("media").await;
    let path = format!("Call/{call}/");
    for bad in [
        json!({"legs": "aleg"}),
        json!({"legs": "bleg", "bleg_url": gateway.url("/elsewhere")}),
    ] {
        assert_eq!(ask(&exchange, "POST", &path, bad).await.0, 400);
    }
    let there = json!({"legs": "aleg", "aleg_url": gateway.url("/elsewhere")});
    let (status, transferred) = ask(&exchange, "POST", &path, there).await;
    assert_eq!((status, &transferred["call_uuids"]), (202, &json!([call])));
    gateway.wait_for_heard("dtmf").await;
    gateway.wait_for_hooks("/elsewhere", 1).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert!(outcome.talked >= ms(600));
    assert_eq!(hangup(&gateway), told("completed", 4000, "Answer XML"));
}

#[tokio::test]
async fn a_ringing_call_is_cancelled_by_its_request_and_an_answered_one_is_not() {
    let gateway = Gateway::listening().await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let request = dial(&exchange, &gateway, json!({})).await;
    let path = format!("Request/{request}/");
    assert_eq!(ask(&exchange, "DELETE", &path, json!(null)).await.0, 204);
    let outcome = next_outcome(&exchange).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Canceled, EndedBy::Api)
    );
    assert_eq!(hangup(&gateway), told("cancel", 1000, "API Request"));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let request = dial(&exchange, &gateway, json!({"time_limit": 1})).await;
    gateway.wait_for_heard("media").await;
    let path = format!("Request/{request}/");
    assert_eq!(ask(&exchange, "DELETE", &path, json!(null)).await.0, 404);
    let outcome = next_outcome(&exchange).await;
    assert_eq!(outcome.ended_by, EndedBy::TimeLimit);
    let late = outcome.talked.abs_diff(ms(1_000));
    assert!(late <= ms(150), "{:?}", outcome.talked);
    assert_eq!(hangup(&gateway), told("completed", 6000, "Plivo"));
}

#[tokio::test]
async fn a_slow_answer_of_the_api_still_placed_the_call() {
    let gateway = Gateway::start(|_| async {}).await;
    gateway.answer("/answer/", "<Hangup/>");
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    exchange.trouble(Trouble::Slow(ms(600)));
    let (_, outcome) = tokio::join!(
        dial(&exchange, &gateway, json!({})),
        next_outcome(&exchange)
    );
    assert_eq!(outcome.status, Status::Completed);
    let requests = exchange.requests();
    assert_eq!((requests.len(), requests[0].status), (1, 201));
    let to = ("to".to_owned(), PHONE.to_owned());
    assert!(requests[0].form.contains(&to));
}

#[tokio::test]
async fn a_hangup_can_be_scheduled_and_keys_sent_at_the_answer() {
    let gateway = Gateway::start(|_| async {}).await;
    let elements = r#"<Hangup schedule="1"/><Wait length="60"/>"#;
    gateway.answer("/answer/", elements);
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    dial(&exchange, &gateway, json!({"send_digits": "w12"})).await;
    let outcome = next_outcome(&exchange).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert!(outcome.talked >= ms(1_000));
    assert_eq!(hangup(&gateway), told("completed", 4000, "Answer XML"));
    let spoke = outcome.report.agent_spoke;
    assert!((ms(160)..ms(280)).contains(&spoke), "two keys: {spoke:?}");
}
