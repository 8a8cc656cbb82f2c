//! Calls over the REST API and the webhooks.

use super::*;

#[tokio::test]
async fn an_outbound_call_is_told_in_order_and_signed_like_the_real_one() {
    let gateway =
        Gateway::start(|mut socket| async move { while socket.hear().await.is_some() {} }).await;
    gateway.answer("/voice", &connect(&gateway));
    let exchange = honest(&gateway, PhonePlan::answers(ms(100), [Step::HangUp])).await;
    let call = dial(&exchange, &gateway, &[]).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Caller)
    );
    assert_eq!(outcome.direction, Direction::Outbound);
    let expected = [
        ("initiated", "0"),
        ("ringing", "1"),
        ("in-progress", "2"),
        ("completed", "3"),
    ];
    assert_eq!(
        statuses(&gateway),
        expected.map(|(status, number)| (status.to_owned(), number.to_owned()))
    );
    let hooks = gateway.all_hooks();
    assert_eq!(hooks.len(), 5);
    for hook in &hooks {
        assert_eq!(
            hook.signature,
            signature(&gateway.url(&hook.path), &hook.form),
            "{}",
            hook.path
        );
        assert_eq!(
            hook.content_type,
            "application/x-www-form-urlencoded; charset=UTF-8"
        );
        assert!(!hook.idempotency.is_empty());
        assert_eq!(hook.field("CallSid"), call);
        assert_eq!(hook.field("AccountSid"), ACCOUNT);
        assert_eq!(hook.field("Direction"), "outbound-api");
        assert_eq!((hook.field("From"), hook.field("To")), (OURS, PHONE));
    }
    let last = gateway.hooks("/status").pop().unwrap();
    assert_eq!(last.field("CallbackSource"), "call-progress-events");
    assert_eq!(last.field("CallDuration"), "1");
    let (_, described) = ask(&exchange, &format!("Calls/{call}.json"), &[]).await;
    assert_eq!(described["status"], "completed");
    assert_eq!(described["duration"], "1");
    let (_, list) = ask(
        &exchange,
        "Calls.json?To=%2B15551234567&Status=completed&PageSize=1",
        &[],
    )
    .await;
    assert_eq!(list["calls"][0]["sid"], call.as_str());
    let (_, list) = ask(&exchange, "Calls.json?Status=busy", &[]).await;
    assert_eq!(list["calls"], json!([]));
}

#[tokio::test]
async fn requests_are_refused_as_the_real_one_refuses_them() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let base = [
        ("To", PHONE),
        ("From", OURS),
        ("Url", "http://127.0.0.1:9/v"),
    ];
    let with = |more: &[(&'static str, &'static str)]| {
        let mut form = base.to_vec();
        form.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        form.extend_from_slice(more);
        form.retain(|(_, value)| !value.is_empty());
        form
    };
    for (form, code) in [
        (with(&[("StatusCallBack", "http://127.0.0.1:9/s")]), 20001),
        (with(&[("To", "")]), 21201),
        (with(&[("To", "5551234567")]), 21211),
        (with(&[("From", "Ada")]), 21212),
        (with(&[("From", "+15550002222")]), 21210),
        (with(&[("Url", "")]), 21205),
        (with(&[("Url", "not a url")]), 21205),
        (with(&[("Url", "http://my_host/v")]), 21205),
        (with(&[("StatusCallbackEvent", "initiated ringing")]), 21626),
        (with(&[("Timeout", "601")]), 20001),
        (with(&[("Timeout", "5s")]), 20001),
        (with(&[("TimeLimit", "0")]), 20001),
        (with(&[("Timeout", "5"), ("Timeout", "6")]), 20001),
        (with(&[("SendDigits", "1-2")]), 21206),
    ] {
        let (status, refused) = ask(&exchange, "Calls.json", &form).await;
        assert_eq!(
            (status, &refused["code"]),
            (400, &json!(code)),
            "{form:?}: {refused}"
        );
        assert_eq!(
            refused["more_info"],
            format!("https://www.twilio.com/docs/errors/{code}")
        );
        assert_eq!(refused["status"], 400);
    }
    assert!(
        exchange.deliveries().is_empty(),
        "a refused call makes no webhook"
    );
}

#[tokio::test]
async fn strangers_and_things_that_are_not_there_are_refused() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let long = format!("<Response>{}</Response>", " ".repeat(4_000));
    let (status, _) = ask(
        &exchange,
        "Calls.json",
        &[("To", PHONE), ("From", OURS), ("Twiml", &long)],
    )
    .await;
    assert_eq!(status, 400);
    let (status, refused) = ask(
        &exchange,
        "Calls/CA00000000000000000000000000000000.json",
        &[],
    )
    .await;
    assert_eq!((status, &refused["code"]), (404, &json!(20404)));
    assert_eq!(
        ask(&exchange, "Calls.json?Stat=busy", &[]).await.1["code"],
        20001
    );
    let bare = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let other = format!(
        "{}/2010-04-01/Accounts/AC11111111111111111111111111111111/Calls.json",
        exchange.base_url()
    );
    let answer = bare
        .get(&other)
        .basic_auth(ACCOUNT, Some(TOKEN))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    let answer = bare
        .get(&other)
        .basic_auth(ACCOUNT, Some("wrong"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], 20003);
    exchange.trouble(Trouble::TooMany);
    let (status, refused) = ask(&exchange, "IncomingPhoneNumbers.json", &[]).await;
    assert_eq!((status, &refused["code"]), (429, &json!(20429)));
    let (_, numbers) = ask(&exchange, "IncomingPhoneNumbers.json", &[]).await;
    assert_eq!(
        numbers["incoming_phone_numbers"][0]["voice_url"],
        gateway.url("/voice")
    );
    assert!(
        exchange.deliveries().is_empty(),
        "a refused call makes no webhook"
    );
    assert_eq!(exchange.requests().last().unwrap().status, 200);
}

#[tokio::test]
async fn phones_that_are_not_answered() {
    let cases = [
        (PhonePlan::never_talks(Pickup::Busy), Status::Busy),
        (PhonePlan::never_talks(Pickup::Reject(ms(50))), Status::Busy),
        (PhonePlan::never_talks(Pickup::NoAnswer), Status::NoAnswer),
        (PhonePlan::never_talks(Pickup::Unreachable), Status::Failed),
    ];
    let calls = cases.map(|(plan, status)| async move {
        let gateway = Gateway::start(|_| async {}).await;
        let exchange = honest(&gateway, plan).await;
        let call = dial(&exchange, &gateway, &[("Timeout", "1")]).await;
        let outcome = outcome(&exchange, &call).await;
        assert_eq!((outcome.status, outcome.ended_by), (status, EndedBy::Phone));
        assert_eq!(statuses(&gateway).last().unwrap().0, status.as_str());
        assert!(
            gateway.hooks("/voice").is_empty(),
            "instructions are not asked for"
        );
        assert_eq!(outcome.talked, Duration::ZERO);
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn an_inbound_call_that_is_rejected_is_never_answered() {
    for (reason, status) in [("", Status::NoAnswer), (r#" reason="busy""#, Status::Busy)] {
        let gateway = Gateway::start(|_| async {}).await;
        gateway.answer("/voice", &format!("<Response><Reject{reason}/></Response>"));
        let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
        let call = exchange
            .call_in(PHONE, OURS, [Step::Wait(ms(5_000))])
            .unwrap();
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(
            (outcome.status, outcome.ended_by),
            (status, EndedBy::Rejected)
        );
        assert_eq!(outcome.talked, Duration::ZERO);
        let voice = gateway.hooks("/voice").pop().unwrap();
        assert_eq!(voice.field("CallStatus"), "ringing");
        assert_eq!(voice.field("Direction"), "inbound");
        assert_eq!(statuses(&gateway).len(), 1);
        let (_, described) = ask(&exchange, &format!("Calls/{call}.json"), &[]).await;
        assert_eq!(described["start_time"], Value::Null);
        assert_eq!(described["duration"], "0");
    }
}

#[tokio::test]
async fn instructions_are_followed_one_after_the_other() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.close().await;
    })
    .await;
    gateway.answer(
        "/voice",
        "<Response><Pause length=\"0\"/><Redirect>second?step=2</Redirect></Response>",
    );
    gateway.answer(
        "/second",
        &format!(
            r#"<Response><Shout/><Connect action="/after"><Stream url="{}/media"/></Connect><Hangup/></Response>"#,
            gateway.socket_url()
        ),
    );
    gateway.answer("/after", "<Response><Say>Bye</Say></Response>");
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = dial(&exchange, &gateway, &[]).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert_eq!(codes(&outcome), [12200, 31921]);
    let after = gateway.hooks("/after").pop().unwrap();
    assert_eq!(after.field("StreamEvent"), "stream-stopped");
    assert_eq!(
        after.signature,
        signature(&gateway.url("/after"), &after.form)
    );
    let second = gateway.hooks("/second").pop().unwrap();
    assert_eq!(
        second.signature,
        signature(&gateway.url("/second?step=2"), &second.form)
    );
}

#[tokio::test]
async fn instructions_that_cannot_be_had_end_the_call() {
    for (status, kind, body, code) in [
        (500, "text/xml", "<Response/>", 11200),
        (404, "text/xml", "<Response/>", 11200),
        (200, "application/json", "{}", 12300),
        (200, "text/xml", "<Response><Say>", 12100),
    ] {
        let gateway = Gateway::start(|_| async {}).await;
        gateway.answer_with("/voice", status, kind, body);
        let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(outcome.ended_by, EndedBy::Fault(code));
        assert_eq!(codes(&outcome), [code]);
        assert_eq!(
            gateway.hooks("/voice").len(),
            1,
            "an answer is not asked for twice"
        );
    }
}

#[tokio::test]
async fn the_rest_api_hangs_up_and_redirects_a_live_call() {
    let gateway =
        Gateway::start(|mut socket| async move { while socket.hear().await.is_some() {} }).await;
    gateway.answer("/voice", &connect(&gateway));
    gateway.answer("/elsewhere", &connect(&gateway));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = dial(&exchange, &gateway, &[]).await;
    let path = format!("Calls/{call}.json");
    gateway.wait_for_heard("media").await;
    assert_eq!(
        ask(&exchange, &path, &[("Status", "canceled")]).await.1["status"],
        "in-progress"
    );
    assert_eq!(
        ask(
            &exchange,
            &path,
            &[("Url", "http://a/b"), ("Twiml", "<Response/>")]
        )
        .await
        .0,
        400
    );
    let (status, _) = ask(&exchange, &path, &[("Url", &gateway.url("/elsewhere"))]).await;
    assert_eq!(status, 200);
    gateway.wait_for_heard("stop").await;
    let stop = gateway
        .heard()
        .into_iter()
        .find(|message| message["event"] == "stop")
        .unwrap();
    assert_eq!(
        stop["stop"],
        json!({"accountSid": ACCOUNT, "callSid": call})
    );
    gateway.wait_for_upgrades(2).await;
    let (status, _) = ask(&exchange, &path, &[("Status", "completed")]).await;
    assert_eq!(status, 200);
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    let (status, refused) = ask(&exchange, &path, &[("Twiml", "<Response/>")]).await;
    assert_eq!((status, &refused["code"]), (400, &json!(21220)));
    assert_eq!(
        ask(&exchange, &path, &[("Status", "completed")]).await.1["status"],
        "completed"
    );
}

#[tokio::test]
async fn a_ringing_call_is_cancelled_and_a_long_one_is_cut() {
    let gateway =
        Gateway::start(|mut socket| async move { while socket.hear().await.is_some() {} }).await;
    gateway.answer("/voice", &connect(&gateway));
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let call = dial(&exchange, &gateway, &[]).await;
    assert_eq!(
        ask(
            &exchange,
            &format!("Calls/{call}.json"),
            &[("Status", "canceled")]
        )
        .await
        .0,
        200
    );
    assert_eq!(outcome(&exchange, &call).await.status, Status::Canceled);
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = dial(&exchange, &gateway, &[("TimeLimit", "1")]).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(outcome.ended_by, EndedBy::TimeLimit);
    assert!(
        near(outcome.talked, ms(1_000), ms(150)),
        "{:?}",
        outcome.talked
    );
}

#[tokio::test]
async fn a_slow_answer_of_the_api_still_placed_the_call() {
    let gateway = Gateway::start(|_| async {}).await;
    gateway.answer("/voice", "<Response><Hangup/></Response>");
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    exchange.trouble(Trouble::Slow(ms(600)));
    let began = Instant::now();
    let (placed, outcome) = tokio::join!(
        dial(&exchange, &gateway, &[]),
        tokio::time::timeout(ms(20_000), exchange.next_outcome())
    );
    assert!(began.elapsed() >= ms(600));
    assert_eq!(outcome.unwrap().call, placed);
    let dialled = exchange
        .requests()
        .iter()
        .filter(|request| request.method == "POST")
        .count();
    assert_eq!(dialled, 1);
}

#[tokio::test]
async fn nobody_can_be_called_in_on_a_number_that_is_not_there() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    assert!(exchange.call_in(PHONE, "+15559999999", []).is_err());
    let url = exchange.base_url();
    drop(exchange);
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let closed = async {
        while client.get(&url).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(ms(5_000), closed)
        .await
        .expect("a dropped exchange listens no more");
}
