//! The exchange against a tiny gateway that speaks the raw protocol and shares no code with it.

mod gateway;

use exchange::load::{LoadPlan, Sound};
use exchange::mischief::{
    Callbacks, Chatter, Chunks, Connect, Format, Mischief, Order, Signature, Socket, Wire,
};
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::stopwatch::{Clear, Reply};
use exchange::{Direction, EndedBy, Exchange, Kind, Outcome, Returned, Status, Trouble};
use gateway::{ACCOUNT, Gateway, TOKEN, decode, loud, signature, tone};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const OURS: &str = "+15550001111";
const PHONE: &str = "+15551234567";

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn connect(gateway: &Gateway) -> String {
    format!(
        r#"<Response><Connect><Stream url="{}/media"/></Connect></Response>"#,
        gateway.socket_url()
    )
}

async fn exchange_with(gateway: &Gateway, plan: PhonePlan, mischief: Mischief) -> Exchange {
    Exchange::builder()
        .account(ACCOUNT, TOKEN)
        .number(OURS, &gateway.url("/voice"))
        .status_url(&gateway.url("/status"))
        .phone(PHONE, plan)
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on")
}

async fn honest(gateway: &Gateway, plan: PhonePlan) -> Exchange {
    exchange_with(gateway, plan, Mischief::default()).await
}

fn socket_mischief(socket: Socket) -> Mischief {
    Mischief {
        socket,
        ..Mischief::default()
    }
}

/// A request to the REST API with the right credentials.
async fn ask(exchange: &Exchange, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let url = format!(
        "{}/2010-04-01/Accounts/{ACCOUNT}/{path}",
        exchange.base_url()
    );
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let request = if form.is_empty() {
        client.get(url)
    } else {
        client.post(url).form(form)
    };
    let answer = request
        .basic_auth(ACCOUNT, Some(TOKEN))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Dials the phone as an application would, with all status events.
async fn dial(exchange: &Exchange, gateway: &Gateway, more: &[(&str, &str)]) -> String {
    let (url, status) = (gateway.url("/voice"), gateway.url("/status"));
    let mut form = vec![
        ("To", PHONE),
        ("From", OURS),
        ("Url", &url),
        ("StatusCallback", &status),
    ];
    form.extend(
        ["initiated", "ringing", "answered", "completed"]
            .map(|event| ("StatusCallbackEvent", event)),
    );
    form.extend(more);
    let (status, call) = ask(exchange, "Calls.json", &form).await;
    assert_eq!(status, 201, "{call}");
    assert_eq!(call["status"], "queued");
    call["sid"].as_str().unwrap().to_owned()
}

async fn outcome(exchange: &Exchange, call: &str) -> Arc<Outcome> {
    tokio::time::timeout(Duration::from_secs(30), exchange.call(call))
        .await
        .expect("the call ends")
}

fn codes(outcome: &Outcome) -> Vec<u32> {
    outcome
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect()
}

fn statuses(gateway: &Gateway) -> Vec<(String, String)> {
    let hooks = gateway.hooks("/status");
    hooks
        .iter()
        .map(|hook| {
            (
                hook.field("CallStatus").to_owned(),
                hook.field("SequenceNumber").to_owned(),
            )
        })
        .collect()
}

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
        &format!("Calls.json?To=%2B15551234567&Status=completed&PageSize=1"),
        &[],
    )
    .await;
    assert_eq!(list["calls"][0]["sid"], call.as_str());
    let (_, list) = ask(&exchange, "Calls.json?Status=busy", &[]).await;
    assert_eq!(list["calls"], json!([]));
}

#[tokio::test]
async fn the_media_socket_is_signed_and_speaks_the_documented_messages() {
    let gateway = Gateway::start(|mut socket| async move {
        for _ in 0..20 {
            socket.hear().await;
        }
        socket.close().await;
    })
    .await;
    let media = format!("{}/media/a-token", gateway.socket_url());
    gateway.answer(
        "/voice",
        &format!(
            r#"<Response><Connect><Stream url="{media}"><Parameter name="token" value="x&amp;y"/></Stream></Connect></Response>"#
        ),
    );
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let steps = [Step::Wait(ms(60)), Step::Press('5'), Step::Wait(ms(5_000))];
    let call = exchange.call_in(PHONE, OURS, steps).unwrap();
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::SocketClosed)
    );
    let upgrade = gateway.upgrades().pop().unwrap();
    assert_eq!(upgrade.signature, signature(&media, &[]));
    let heard = gateway.heard();
    assert_eq!(
        heard[0],
        json!({"event": "connected", "protocol": "Call", "version": "1.0.0"})
    );
    let sid = heard[1]["streamSid"].as_str().unwrap();
    assert!(sid.starts_with("MZ") && sid.len() == 34);
    assert_eq!(
        heard[1],
        json!({"event": "start", "sequenceNumber": "1", "streamSid": sid, "start": {
            "accountSid": ACCOUNT, "streamSid": sid, "callSid": call, "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "x&y"}}})
    );
    let first = &heard[2];
    assert_eq!(first["media"]["chunk"], "1");
    assert_eq!(first["media"]["timestamp"], "0");
    assert_eq!(decode(first), vec![0; 160], "silence is sent too");
    for (index, message) in heard[1..].iter().enumerate() {
        assert_eq!(message["sequenceNumber"], (index + 1).to_string());
    }
    let key = heard
        .iter()
        .find(|message| message["event"] == "dtmf")
        .unwrap();
    assert_eq!(key["dtmf"], json!({"track": "inbound_track", "digit": "5"}));
    let sound: Vec<i16> = heard
        .iter()
        .filter(|message| message["event"] == "media")
        .flat_map(decode)
        .collect();
    assert!(loud(&sound), "the tone is in the sound as well");
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
async fn marks_come_back_when_played_at_once_or_when_cleared() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.mark("empty").await;
        socket.play(&tone(400, 400.0)).await;
        socket.mark("played").await;
        socket.hear_mark("played").await;
        socket.play(&tone(2_000, 400.0)).await;
        socket.mark("a").await;
        socket.play(&tone(2_000, 400.0)).await;
        socket.mark("b").await;
        for _ in 0..10 {
            socket.hear_until("media").await;
        }
        socket.clear().await;
        socket.hear_mark("b").await;
        socket.mark("after").await;
        socket.hear_mark("after").await;
        socket.close().await;
    })
    .await;
    gateway.answer("/voice", &connect(&gateway));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    let outcome = outcome(&exchange, &call).await;
    let marks: Vec<_> = outcome
        .marks
        .iter()
        .map(|mark| (mark.name.as_str(), mark.why))
        .collect();
    let (first, rest) = marks.split_at(4);
    assert_eq!(
        first,
        [
            ("empty", Returned::AtOnce),
            ("played", Returned::Played),
            ("a", Returned::Cleared),
            ("b", Returned::Cleared)
        ]
    );
    assert_eq!(
        rest.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["after"]
    );
    let played = outcome.marks[1].at - outcome.marks[0].at;
    assert!((ms(380)..ms(480)).contains(&played), "{played:?}");
    let spoke = outcome.report.agent_spoke;
    assert!(
        (ms(560)..ms(800)).contains(&spoke),
        "the rest was cleared: {spoke:?}"
    );
    assert_eq!(codes(&outcome), [31921]);
}

#[tokio::test]
async fn a_message_with_a_field_too_many_is_ignored_and_warned_of_once() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        let sid = socket.sid.clone();
        for wrong in [
            json!({"event": "media", "streamSid": sid, "media": {"payload": "AAAA", "track": "outbound"}}),
            json!({"event": "media", "streamSid": "MZ00000000000000000000000000000000", "media": {"payload": "AAAA"}}),
            json!({"event": "mark", "streamSid": sid, "mark": {"name": 1}}),
            json!({"event": "clear"}),
        ] {
            socket.send(wrong).await;
        }
        socket.mark("still here").await;
        socket.hear_mark("still here").await;
        socket.close().await;
    })
    .await;
    gateway.answer("/voice", &connect(&gateway));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(codes(&outcome), [31951, 31921]);
    assert_eq!(outcome.report.agent_spoke, Duration::ZERO);
    assert_eq!(outcome.marks.len(), 1);
}

#[tokio::test]
async fn an_interruption_is_timed_at_the_ear() {
    // The agent speaks for three seconds; it clears 200 ms after it first hears the caller, and replies 300 ms after
    // it hears them no more.
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.play(&tone(3_000, 300.0)).await;
        socket.hear_voice(true).await;
        for _ in 0..10 {
            socket.hear_until("media").await;
        }
        socket.clear().await;
        socket.hear_voice(false).await;
        for _ in 0..15 {
            socket.hear_until("media").await;
        }
        socket.play(&tone(200, 300.0)).await;
        socket.mark("done").await;
        socket.hear_mark("done").await;
        socket.close().await;
    })
    .await;
    gateway.answer("/voice", &connect(&gateway));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let script = [
        Step::InterruptAfter {
            speech: ms(400),
            timeout: ms(5_000),
        },
        Step::Say(tone(600, 700.0)),
        Step::Wait(ms(10_000)),
    ];
    let call = exchange.call_in(PHONE, OURS, script).unwrap();
    let outcome = outcome(&exchange, &call).await;
    assert!(outcome.missed.is_empty());
    let report = &outcome.report;
    assert_eq!(report.interruptions.len(), 1, "{report:?}");
    let interruption = report.interruptions[0];
    let Clear::Sent { after, stop } = interruption.clear else {
        panic!("{interruption:?}")
    };
    // One frame to reach the gateway, ten frames of hesitation; the frame being played is played out.
    assert!(near(after, ms(220), ms(45)), "{interruption:?}");
    assert!(stop <= ms(45), "{interruption:?}");
    assert!(
        near(interruption.stop, after + stop, ms(1)),
        "{interruption:?}"
    );
    // One frame to tell that the caller is silent, fifteen to wait, one to be heard.
    let Reply::After { gap } = report.turns[0].reply else {
        panic!("{report:?}")
    };
    assert!(near(gap, ms(340), ms(45)), "{report:?}");
    assert!(
        near(
            report.turns[0].said.to - report.turns[0].said.from,
            ms(600),
            ms(20)
        ),
        "{report:?}"
    );
    assert_eq!(report.underruns, []);
}

fn near(left: Duration, right: Duration, tolerance: Duration) -> bool {
    left.abs_diff(right) <= tolerance
}

#[tokio::test]
async fn a_starved_buffer_is_an_underrun_and_the_ear_keeps_the_time() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.play(&tone(400, 300.0)).await;
        socket.mark("dry").await;
        socket.hear_mark("dry").await;
        for _ in 0..3 {
            socket.hear_until("media").await;
        }
        socket.play(&tone(400, 300.0)).await;
        socket.mark("end").await;
        socket.hear_mark("end").await;
        socket.close().await;
    })
    .await;
    gateway.answer("/voice", &connect(&gateway));
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = exchange
        .call_in(
            PHONE,
            OURS,
            [Step::Wait(ms(200)), Step::Say(tone(200, 900.0))],
        )
        .unwrap();
    let outcome = outcome(&exchange, &call).await;
    let [hole] = outcome.report.underruns[..] else {
        panic!("{:?}", outcome.report)
    };
    assert!(near(hole.to - hole.from, ms(70), ms(50)), "{hole:?}");
    let ear = &outcome.ear;
    assert_eq!(ear.caller().len(), ear.agent().len());
    assert!(
        near(ear.length(), outcome.talked, ms(60)),
        "{:?} {:?}",
        ear.length(),
        outcome.talked
    );
    let voice = &ear.caller()[1_600..3_200];
    assert!(
        loud(voice) && !loud(&ear.caller()[..1_440]),
        "the caller spoke 200 ms after the answer"
    );
    let path = std::env::temp_dir().join(format!("exchange-ear-{}.wav", std::process::id()));
    ear.write_wav(&path).unwrap();
    let written = hound::WavReader::open(&path).unwrap();
    assert_eq!(
        (written.spec().channels, written.duration() as usize),
        (2, ear.caller().len())
    );
    std::fs::remove_file(&path).unwrap();
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
async fn sockets_that_fail_lead_to_the_next_verb() {
    let cases = [
        (
            Socket {
                line: Wire::DropsAt(ms(200)),
                ..Socket::default()
            },
            31903,
        ),
        (
            Socket {
                connect: Connect::Cut,
                ..Socket::default()
            },
            31903,
        ),
    ];
    for (socket, code) in cases {
        let gateway =
            Gateway::start(|mut socket| async move { while socket.hear().await.is_some() {} })
                .await;
        let verb =
            connect(&gateway).replace("</Response>", "<Redirect>/after</Redirect></Response>");
        gateway.answer("/voice", &verb);
        gateway.answer("/after", "<Response><Hangup/></Response>");
        let exchange = exchange_with(
            &gateway,
            PhonePlan::answers(Duration::ZERO, []),
            socket_mischief(socket),
        )
        .await;
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(codes(&outcome), [code]);
        assert_eq!(gateway.hooks("/after").len(), 1);
        assert!(
            !gateway
                .heard()
                .iter()
                .any(|message| message["event"] == "stop"),
            "a broken line says nothing"
        );
    }
}

#[tokio::test]
async fn stream_urls_the_carrier_does_not_take() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let socket = gateway.socket_url();
    for (url, code) in [
        (format!("{socket}/media?token=1"), 31920),
        (gateway.url("/media"), 31920),
        (format!("{socket}/nothing-here"), 31920),
        ("ws://127.0.0.1:9/media".to_owned(), 31901),
        ("wss://voice.example.com/media".to_owned(), 31910),
    ] {
        gateway.answer(
            "/voice",
            &format!(r#"<Response><Connect><Stream url="{url}"/></Connect></Response>"#),
        );
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(codes(&outcome), [code], "{url}");
        assert_eq!(outcome.ended_by, EndedBy::SocketFailed);
    }
}

#[tokio::test]
async fn a_public_address_is_signed_and_a_local_one_is_reached() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.close().await;
    })
    .await;
    gateway.answer(
        "/voice",
        r#"<Response><Connect><Stream url="wss://voice.example.com/media"/></Connect></Response>"#,
    );
    let exchange = Exchange::builder()
        .account(ACCOUNT, TOKEN)
        .number(OURS, "https://voice.example.com/voice")
        .tunnel("https://voice.example.com/", &gateway.url(""))
        .start()
        .await
        .unwrap();
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(
        outcome.ended_by,
        EndedBy::SocketClosed,
        "{:?}",
        outcome.warnings
    );
    let voice = gateway.hooks("/voice").pop().unwrap();
    assert_eq!(
        voice.signature,
        signature("https://voice.example.com/voice", &voice.form)
    );
    assert_eq!(voice.host, "voice.example.com");
    let upgrade = gateway.upgrades().pop().unwrap();
    assert_eq!(
        upgrade.signature,
        signature("wss://voice.example.com/media", &[])
    );
    assert_eq!(upgrade.host, "voice.example.com");
}

#[tokio::test]
async fn upgrades_can_be_unsigned_forged_mute_or_in_another_codec() {
    let gateway = Gateway::start(|mut socket| async move {
        for _ in 0..30 {
            if socket.hear_for(ms(300)).await.is_none() {
                break;
            }
        }
        socket.close().await;
    })
    .await;
    gateway.answer("/voice", &connect(&gateway));
    let mischief = socket_mischief(Socket {
        signature: Signature::Absent,
        ..Socket::default()
    });
    let exchange = exchange_with(&gateway, PhonePlan::answers(Duration::ZERO, []), mischief).await;
    let run = async |socket: Socket| {
        exchange.set_mischief(socket_mischief(socket));
        gateway.forget();
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        outcome(&exchange, &call).await;
        (gateway.upgrades().pop().unwrap(), gateway.heard())
    };
    let (upgrade, _) = run(Socket {
        signature: Signature::Absent,
        ..Socket::default()
    })
    .await;
    assert_eq!(upgrade.signature, "");
    let (upgrade, _) = run(Socket {
        signature: Signature::Forged,
        ..Socket::default()
    })
    .await;
    assert_eq!(upgrade.signature.len(), 28);
    assert_ne!(
        upgrade.signature,
        signature(&format!("{}/media", gateway.socket_url()), &[])
    );
    let (_, heard) = run(Socket {
        connect: Connect::Mute,
        ..Socket::default()
    })
    .await;
    assert_eq!(heard.len(), 1, "connected and no more: {heard:?}");
    let format = Format {
        encoding: "audio/x-alaw".to_owned(),
        ..Format::default()
    };
    let (_, heard) = run(Socket {
        format,
        ..Socket::default()
    })
    .await;
    assert_eq!(heard[1]["start"]["mediaFormat"]["encoding"], "audio/x-alaw");
    assert!(
        heard[2]["media"]["payload"]
            .as_str()
            .unwrap()
            .starts_with("1dXV"),
        "A-law silence is 0xD5"
    );
    let (_, heard) = run(Socket {
        chunks: Chunks::Swapped,
        ..Socket::default()
    })
    .await;
    let chunks: Vec<_> = heard[2..6]
        .iter()
        .map(|message| message["media"]["chunk"].clone())
        .collect();
    assert_eq!(chunks, ["2", "1", "4", "3"]);
    let (_, heard) = run(Socket {
        chunks: Chunks::Doubled,
        ..Socket::default()
    })
    .await;
    assert_eq!(heard[2], heard[3]);
    let (_, heard) = run(Socket {
        chatter: Chatter::Garbage,
        ..Socket::default()
    })
    .await;
    assert!(heard.iter().any(|message| message["event"] == "weather"));
    assert!(heard.iter().any(|message| message["not JSON"].is_string()));
}

#[tokio::test]
async fn a_stalled_socket_is_not_read_any_more() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        for _ in 0..10 {
            socket.hear_until("media").await;
        }
        socket.mark("unread").await;
        while socket.hear().await.is_some() {}
    })
    .await;
    gateway.answer("/voice", &connect(&gateway));
    let mischief = socket_mischief(Socket {
        line: Wire::StallsAt(ms(50)),
        ..Socket::default()
    });
    let exchange = exchange_with(&gateway, PhonePlan::answers(Duration::ZERO, []), mischief).await;
    let call = exchange
        .call_in(PHONE, OURS, [Step::Wait(ms(600)), Step::HangUp])
        .unwrap();
    let outcome = outcome(&exchange, &call).await;
    assert!(outcome.marks.is_empty());
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    assert!(
        gateway
            .heard()
            .iter()
            .filter(|message| message["event"] == "media")
            .count()
            >= 20,
        "sound still flows"
    );
}

#[tokio::test]
async fn callbacks_are_duplicated_reordered_lost_and_forged_on_request() {
    let gateway = Gateway::start(|_| async {}).await;
    gateway.answer("/voice", "<Response><Hangup/></Response>");
    let run = async |callbacks: Callbacks| {
        let mischief = Mischief {
            callbacks,
            ..Mischief::default()
        };
        let exchange =
            exchange_with(&gateway, PhonePlan::answers(Duration::ZERO, []), mischief).await;
        gateway.forget();
        let call = dial(&exchange, &gateway, &[]).await;
        outcome(&exchange, &call).await;
        (
            statuses(&gateway)
                .into_iter()
                .map(|(status, _)| status)
                .collect::<Vec<_>>(),
            exchange,
        )
    };
    let (told, exchange) = run(Callbacks {
        duplicates: 1,
        ..Callbacks::default()
    })
    .await;
    assert_eq!(
        told,
        [
            "initiated",
            "initiated",
            "ringing",
            "ringing",
            "in-progress",
            "in-progress",
            "completed",
            "completed"
        ]
    );
    let hooks = gateway.hooks("/status");
    assert_eq!(hooks[0].idempotency, hooks[1].idempotency);
    assert_eq!(hooks[0].form, hooks[1].form);
    assert_ne!(hooks[0].idempotency, hooks[2].idempotency);
    let duplicates = exchange
        .deliveries()
        .into_iter()
        .filter(|delivery| delivery.kind == Kind::Duplicate)
        .count();
    assert_eq!(duplicates, 4);
    let (told, _) = run(Callbacks {
        order: Order::Swapped,
        ..Callbacks::default()
    })
    .await;
    assert_eq!(told, ["ringing", "initiated", "completed", "in-progress"]);
    let (told, _) = run(Callbacks {
        order: Order::LastFirst,
        ..Callbacks::default()
    })
    .await;
    assert_eq!(told, ["completed", "in-progress", "ringing", "initiated"]);
    let (told, _) = run(Callbacks {
        lost: vec!["answered".into()],
        delay: ms(30),
        ..Callbacks::default()
    })
    .await;
    assert_eq!(told, ["initiated", "ringing", "completed"]);
    let (told, _) = run(Callbacks {
        forged: 1,
        ..Callbacks::default()
    })
    .await;
    assert_eq!(told.len(), 8);
    let hooks = gateway.hooks("/status");
    let url = gateway.url("/status");
    for (index, hook) in hooks.iter().enumerate() {
        assert_eq!(
            hook.signature == signature(&url, &hook.form),
            index % 2 == 1,
            "every first one is forged"
        );
    }
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

fn load_plan(gateway: &Gateway) -> LoadPlan {
    LoadPlan {
        gateway: gateway.url(""),
        public_url: "https://voice.example.com".to_owned(),
        voice_path: "/voice".to_owned(),
        status_path: "/status".to_owned(),
        account: ACCOUNT.to_owned(),
        token: TOKEN.to_owned(),
        to: OURS.to_owned(),
        calls: 20,
        duration: ms(1_000),
        ramp: ms(200),
        sound: Sound::Speech,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_counts_every_frame_that_comes_back() {
    let gateway = Gateway::start(|mut socket| async move {
        while let Some(message) = socket.hear().await {
            if message["event"] == "media" {
                let media = json!({"payload": message["media"]["payload"]});
                socket
                    .send(json!({"event": "media", "streamSid": socket.sid, "media": media}))
                    .await;
            }
        }
    })
    .await;
    let media = "wss://voice.example.com/media/token";
    gateway.answer(
        "/voice",
        &format!(r#"<Response><Connect><Stream url="{media}"/></Connect></Response>"#),
    );
    let report = exchange::load::run(load_plan(&gateway)).await.unwrap();
    assert_eq!((report.calls, report.set_up), (20, 20), "{report:?}");
    assert!(report.failed.is_empty(), "{report:?}");
    assert!(report.frames_sent >= 20 * 48, "{report:?}");
    assert_eq!(
        (
            report.frames_lost,
            report.frames_repeated,
            report.odd_messages
        ),
        (0, 0, 0),
        "{report:?}"
    );
    assert_eq!(report.echo.count, report.frames_sent);
    assert!(
        report.echo.p50_us > 0
            && report.echo.p50_us <= report.echo.p99_us
            && report.echo.p99_us <= report.echo.max_us
    );
    assert_eq!(report.first_echo.count, 20);
    assert_eq!(gateway.hooks("/status").len(), 20);
    for upgrade in gateway.upgrades() {
        assert_eq!(upgrade.signature, signature(media, &[]));
        assert_eq!(upgrade.host, "voice.example.com");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_sees_frames_that_are_lost_or_repeated_and_calls_that_fail() {
    let gateway = Gateway::start(|mut socket| async move {
        let mut count = 0;
        while let Some(message) = socket.hear().await {
            if message["event"] == "media" {
                count += 1;
                let copies = if count % 10 == 3 {
                    0
                } else if count % 10 == 7 {
                    2
                } else {
                    1
                };
                for _ in 0..copies {
                    let media = json!({"payload": message["media"]["payload"]});
                    socket
                        .send(json!({"event": "media", "streamSid": socket.sid, "media": media}))
                        .await;
                }
            }
        }
    })
    .await;
    gateway.answer("/voice", &connect(&gateway));
    let plan = LoadPlan {
        calls: 2,
        ..load_plan(&gateway)
    };
    let report = exchange::load::run(plan.clone()).await.unwrap();
    let tenth = report.frames_sent / 10;
    assert!(report.frames_lost.abs_diff(tenth) <= 2, "{report:?}");
    assert!(report.frames_repeated.abs_diff(tenth) <= 2, "{report:?}");
    gateway.answer("/voice", "<Response><Reject/></Response>");
    let report = exchange::load::run(plan).await.unwrap();
    assert_eq!(
        (report.set_up, report.failed["instructions: no stream"]),
        (0, 2)
    );
}
