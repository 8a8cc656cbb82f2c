//! What the REST API takes and what it refuses.

use super::*;
use exchange::Trouble;

#[tokio::test]
async fn dials_are_refused_as_the_real_one_refuses_them() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    for (more, status, code) in [
        (json!({"connection_id": ""}), 422, "10004"),
        (json!({"connection_id": "7"}), 422, "10015"),
        (json!({"to": null}), 422, "10004"),
        (json!({"to": "5551234567"}), 422, "10016"),
        (json!({"from": "Ada"}), 422, "10016"),
        (json!({"from": "+15550002222"}), 403, "10010"),
        (json!({"timeout_secs": 4}), 422, "10015"),
        (json!({"timeout_secs": 601}), 422, "10015"),
        (json!({"timeout_secs": "30"}), 422, "10015"),
        (json!({"time_limit_secs": 29}), 422, "10015"),
        (json!({"time_limit_secs": 14_401}), 422, "10015"),
        (json!({"client_state": "not base64!"}), 422, "90017"),
        (json!({"webhook_url": "not a url"}), 422, "10015"),
        (json!({"stream_url": "https://e.com/m"}), 422, "10015"),
        (json!({"stream_track": "inbound"}), 422, "10032"),
        (json!({"stream_bidirectional_mode": "RTP"}), 422, "10032"),
    ] {
        let body = with(
            json!({"connection_id": CONNECTION, "from": OURS, "to": PHONE}),
            more,
        );
        let (got, refusal) = ask(&exchange, "POST", "calls", &body).await;
        assert_eq!(
            (got, super::code(&refusal).as_str()),
            (status, code),
            "{body}: {refusal}"
        );
        assert!(
            refusal["errors"][0]["title"].is_string() && refusal["errors"][0]["detail"].is_string()
        );
        assert!(refusal["errors"][0]["source"]["pointer"].is_string());
    }
    assert!(
        exchange.deliveries().is_empty(),
        "a refused call makes no event"
    );
    assert_eq!(exchange.requests().last().unwrap().code, 10032);
}

#[tokio::test]
async fn an_unknown_member_is_passed_over_and_warned_of() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::Busy)).await;
    let call = dial(
        &exchange,
        json!({"time_out_secs": 9, "record": "record-from-answer"}),
    )
    .await;
    assert_eq!(codes(&*outcome(&exchange, &call).await), [10015, 0]);
    let request = exchange.requests().pop().unwrap();
    assert!(
        request
            .form
            .contains(&("time_out_secs".to_owned(), "9".to_owned()))
    );
}

#[tokio::test]
async fn strangers_and_things_that_are_not_there_are_refused() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, listens()).await;
    let bare = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let url = format!("{}/v2/calls", exchange.base_url());
    for request in [
        bare.post(&url),
        bare.post(&url).bearer_auth("KEY-of-others"),
    ] {
        let answer = request.body("{}").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401);
        assert_eq!(code(&answer.json::<Value>().await.unwrap()), "10009");
    }
    let answer = bare
        .post(&url)
        .bearer_auth(KEY)
        .body("hello")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    for (path, status, expected) in [
        ("calls/v3:nobody", 404, "10005"),
        ("calls/CA123", 422, "90015"),
        ("call", 404, "10005"),
        ("connections/7/active_calls", 404, "10005"),
    ] {
        let (got, refusal) = get(&exchange, path).await;
        assert_eq!((got, code(&refusal).as_str()), (status, expected), "{path}");
    }
    assert_eq!(
        order(&exchange, "v3:nobody", "hangup", json!({})).await.0,
        404
    );
    assert_eq!(
        order(&exchange, "v3:nobody", "dance", json!({})).await.0,
        404
    );
    let (_, numbers) = get(
        &exchange,
        "phone_numbers?filter%5Bphone_number%5D=%2B15550001111",
    )
    .await;
    assert_eq!(numbers["data"][0]["connection_id"], CONNECTION);
    let (_, application) = get(
        &exchange,
        &format!("call_control_applications/{CONNECTION}"),
    )
    .await;
    assert_eq!(
        application["data"]["webhook_event_url"],
        gateway.url("/events")
    );
}

#[tokio::test]
async fn trouble_is_had_on_request() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::Busy)).await;
    exchange.trouble(Trouble::TooMany);
    exchange.trouble(Trouble::Unavailable);
    let body = json!({"connection_id": CONNECTION, "from": OURS, "to": PHONE});
    let (status, refusal) = ask(&exchange, "POST", "calls", &body).await;
    assert_eq!((status, code(&refusal).as_str()), (429, "10011"));
    assert_eq!(ask(&exchange, "POST", "calls", &body).await.0, 503);
    exchange.trouble(Trouble::Slow(ms(200)));
    let began = std::time::Instant::now();
    let call = dial(&exchange, json!({})).await;
    assert!(began.elapsed() >= ms(200));
    outcome(&exchange, &call).await;
}

#[tokio::test]
async fn a_command_with_an_id_is_obeyed_once() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, listens()).await;
    let twice = json!({"command_id": "dial-1"});
    let call = dial(&exchange, twice.clone()).await;
    assert_eq!(dial(&exchange, twice).await, call);
    gateway.event("call.answered").await;
    let start = with(stream(&gateway), json!({"command_id": "stream-1"}));
    obeyed(&exchange, &call, "streaming_start", start.clone()).await;
    obeyed(&exchange, &call, "streaming_start", start).await;
    let other = with(stream(&gateway), json!({"command_id": "stream-2"}));
    assert_eq!(
        refused(&exchange, &call, "streaming_start", other).await,
        (422, "90045".to_owned())
    );
    gateway.event("streaming.started").await;
    let end = json!({"command_id": "end-1"});
    obeyed(&exchange, &call, "hangup", end.clone()).await;
    outcome(&exchange, &call).await;
    obeyed(&exchange, &call, "hangup", end).await;
    let of = |name: &str| {
        gateway
            .names()
            .iter()
            .filter(|known| *known == name)
            .count()
    };
    assert_eq!(
        (
            of("call.initiated"),
            of("streaming.started"),
            of("call.hangup")
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn an_exchange_is_one_of_the_carriers_it_knows() {
    let unknown = Exchange::builder().carrier("pigeons").start().await;
    let error = unknown.err().unwrap().to_string();
    assert!(
        error.contains("pigeons") && error.contains("telnyx"),
        "{error}"
    );
    let exchange = Exchange::builder().carrier("telnyx").start().await.unwrap();
    let configuration = exchange.configuration();
    for line in [
        "[carriers.telnyx]",
        "api_key = \"KEY",
        "public_key = \"",
        "connection_id = \"",
        "api_url = \"http://127.0.0.1:",
    ] {
        assert!(configuration.contains(line), "{configuration}");
    }
    assert!(exchange::CARRIERS.contains(&"telnyx"));
}

/// The requests of the carrier's own SDK, as it builds them.
fn golden(action: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/oracles/vectors/golden-requests.json");
    let text = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let vectors: Value = serde_json::from_slice(&text).unwrap();
    let mut requests = vectors["telnyx"].as_array().unwrap().iter();
    let request = requests.find(|request| request["action"] == action);
    request.unwrap_or_else(|| panic!("no {action}"))["json"].clone()
}

#[tokio::test]
async fn requests_of_the_carriers_own_sdk_are_taken() {
    let gateway = Gateway::silent().await;
    let exchange = Exchange::builder()
        .carrier("telnyx")
        .account("1", KEY)
        .number("+15551230001", &gateway.url("/events"))
        .start()
        .await
        .unwrap();
    let (status, answer) = ask(&exchange, "POST", "calls", &golden("dial with rtp stream")).await;
    assert_eq!(status, 200, "{answer}");
    let dialled = answer["data"]["call_control_id"].as_str().unwrap();
    assert_eq!(outcome(&exchange, dialled).await.status, Status::Failed);
    let rejected = exchange.call_in(PHONE, "+15551230001", []).unwrap();
    obeyed(&exchange, &rejected, "reject", golden("reject")).await;
    assert_eq!(outcome(&exchange, &rejected).await.status, Status::Busy);
    let call = exchange.call_in(PHONE, "+15551230001", []).unwrap();
    obeyed(&exchange, &call, "answer", golden("answer")).await;
    // There is no TLS here, so the stream's address cannot be reached.
    gateway.event("streaming.failed").await;
    obeyed(
        &exchange,
        &call,
        "streaming_start",
        golden("start streaming"),
    )
    .await;
    obeyed(&exchange, &call, "send_dtmf", golden("send dtmf")).await;
    let path = format!("calls/{call}/actions/client_state_update");
    assert_eq!(
        ask(&exchange, "PUT", &path, &golden("client state"))
            .await
            .0,
        200
    );
    obeyed(&exchange, &call, "hangup", json!({})).await;
    outcome(&exchange, &call).await;
    let unknown: Vec<_> = exchange
        .warnings()
        .into_iter()
        .filter(|warning| warning.code == 10015)
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
