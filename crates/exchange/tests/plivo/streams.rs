//! The audio stream, the ear and the stopwatch.

use super::gateway::payload;
use super::*;
use crate::gateway::{decode, encode, loud, tone};
use exchange::phone::Step;
use exchange::stopwatch::{Clear, Reply};
use exchange::{EndedBy, Returned, Status};

async fn called(gateway: &Gateway, script: impl Into<Vec<Step>>) -> Arc<Outcome> {
    let exchange = honest(gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = exchange.call_in(PHONE, OURS, script).unwrap();
    outcome(&exchange, &call).await
}

#[tokio::test]
async fn the_stream_is_signed_and_speaks_the_documented_messages() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("dtmf").await;
        socket.hear_sound(10).await;
        socket.close().await;
    })
    .await;
    let status = gateway.url("/stream");
    let more = format!(r#"extraHeaders="userId=12345,b=C" statusCallbackUrl="{status}""#);
    gateway.answer("/answer/", &stream(&gateway, &more, ""));
    let steps = [Step::Wait(ms(60)), Step::Press('5'), Step::Wait(ms(5_000))];
    let outcome = called(&gateway, steps).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::SocketClosed)
    );
    assert_eq!(hangup(&gateway), told("completed", 4010, "Plivo"));
    let upgrade = gateway.upgrades().pop().unwrap();
    assert!(upgrade.is_signed_for(&gateway.origin()), "{upgrade:?}");
    let heard = gateway.heard();
    let id = heard[0]["start"]["streamId"].as_str().unwrap();
    let extra = "userId=12345;b=C";
    assert_eq!(
        heard[0],
        json!({"event": "start", "sequenceNumber": 1, "extra_headers": extra, "start": {
            "callId": outcome.call, "streamId": id, "accountId": ACCOUNT, "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}})
    );
    let first = &heard[1];
    assert_eq!(first["media"]["chunk"], 1);
    assert_eq!(first["media"]["track"], "inbound");
    assert!(first["media"]["timestamp"].is_string());
    assert_eq!(
        (&first["streamId"], &first["extra_headers"]),
        (&json!(id), &json!(extra))
    );
    assert_eq!(payload(first), [0xFF; 160], "silence is sent too");
    for (index, message) in heard.iter().enumerate() {
        assert_eq!(message["sequenceNumber"], index + 1);
    }
    let key = heard.iter().find(|message| message["event"] == "dtmf");
    let key = key.unwrap();
    assert_eq!(
        (&key["dtmf"]["digit"], &key["streamId"]),
        (&json!("5"), &json!(id))
    );
    let sound: Vec<i16> = heard
        .iter()
        .filter(|message| message["event"] == "media")
        .flat_map(decode)
        .collect();
    assert!(loud(&sound), "the tone is in the sound as well");
    gateway.wait_for_hooks("/stream", 2).await;
    let mut events = gateway.hooks("/stream");
    events.sort_by_key(|hook| hook.field("Event").to_owned());
    for (hook, event) in events.iter().zip(["StartStream", "StopStream"]) {
        assert_eq!(hook.field("Event"), event);
        assert_eq!(
            (hook.field("StreamID"), hook.field("CallUUID")),
            (id, outcome.call.as_str())
        );
        assert_eq!(hook.field("ServiceURL"), gateway.socket_url());
        assert!(hook.is_signed_for(&gateway.origin()));
    }
    assert!(outcome.warnings.is_empty());
}

#[tokio::test]
async fn checkpoints_come_back_when_played_and_never_when_cleared() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.checkpoint("empty").await;
        socket.hear_until("playedStream").await;
        socket.play(&tone(400, 400.0)).await;
        socket.checkpoint("played").await;
        socket.hear_until("playedStream").await;
        socket.play(&tone(2_000, 400.0)).await;
        socket.checkpoint("lost").await;
        socket.hear_sound(10).await;
        socket.clear().await;
        socket.hear_until("clearedAudio").await;
        socket.checkpoint("after").await;
        socket.hear_until("playedStream").await;
        socket.hear_sound(10).await;
        socket.close().await;
    })
    .await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let outcome = called(&gateway, []).await;
    let marks: Vec<_> = outcome
        .marks
        .iter()
        .map(|mark| mark.name.as_str())
        .collect();
    assert_eq!(marks, ["empty", "played", "after"]);
    assert_eq!(outcome.marks[0].why, Returned::AtOnce);
    assert_eq!(outcome.marks[1].why, Returned::Played);
    let heard = gateway.heard();
    let told: Vec<_> = heard
        .iter()
        .filter(|message| {
            ["playedStream", "clearedAudio"].contains(&message["event"].as_str().unwrap())
        })
        .map(|message| message["name"].as_str().unwrap_or("cleared"))
        .collect();
    assert_eq!(told, ["empty", "played", "cleared", "after"]);
    let spoke = outcome.report.agent_spoke;
    assert!(
        (ms(560)..ms(800)).contains(&spoke),
        "the rest was cleared: {spoke:?}"
    );
    assert!(outcome.warnings.is_empty());
}

#[tokio::test]
async fn sound_that_is_not_the_streams_is_dropped_and_warned_of_once() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        let codes: Vec<u8> = tone(200, 400.0).into_iter().map(encode).collect();
        let fast = json!(16_000);
        for (kind, rate) in [
            ("audio/x-mulaw;rate=8000", json!(8_000)),
            ("audio/x-l16", json!(8_000)),
            ("audio/x-mulaw", fast),
        ] {
            socket.play_as(kind, rate, &codes).await;
        }
        socket.send(json!({"event": "clearAudio"})).await;
        socket
            .send(json!({"event": "media", "streamId": "s"}))
            .await;
        socket.checkpoint("nothing").await;
        socket.hear_until("playedStream").await;
        socket.play_as("audio/x-mulaw", json!("8000"), &codes).await;
        socket.checkpoint("something").await;
        socket.hear_until("playedStream").await;
        socket.close().await;
    })
    .await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let outcome = called(&gateway, []).await;
    assert_eq!(codes(&outcome), [0, 0], "{:?}", outcome.warnings);
    assert!(outcome.warnings[0].text.contains("the sound is dropped"));
    assert_eq!(outcome.marks[0].why, Returned::AtOnce);
    let spoke = outcome.report.agent_spoke;
    assert!((ms(180)..ms(240)).contains(&spoke), "{spoke:?}");
}

#[tokio::test]
async fn linear_sound_is_little_endian_both_ways() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        let sound: Vec<u8> = tone(400, 500.0)
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        socket.play_as("audio/x-l16", json!(8_000), &sound).await;
        socket.checkpoint("end").await;
        socket.hear_until("playedStream").await;
        socket.close().await;
    })
    .await;
    let linear = stream(&gateway, "", "").replace("x-mulaw", "x-l16");
    gateway.answer("/answer/", &linear);
    let outcome = called(
        &gateway,
        [Step::Say(tone(300, 700.0)), Step::Wait(ms(5_000))],
    )
    .await;
    let heard = gateway.heard();
    let format = &heard[0]["start"]["mediaFormat"];
    assert_eq!(
        *format,
        json!({"encoding": "audio/x-l16", "sampleRate": 8000})
    );
    let bytes: Vec<u8> = heard.iter().flat_map(payload).collect();
    let said: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    assert_eq!(said[..2_400], tone(300, 700.0)[..]);
    let agent = outcome.ear.agent();
    let start = agent.iter().position(|sample| *sample != 0).unwrap();
    // A tone begins with a zero.
    assert_eq!(agent[start..start + 3_000], tone(400, 500.0)[1..3_001]);
}

#[tokio::test]
async fn the_application_presses_keys_on_the_socket() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket
            .send(json!({"event": "sendDTMF", "dtmf": "12#"}))
            .await;
        socket.checkpoint("pressed").await;
        socket.hear_until("playedStream").await;
        socket.close().await;
    })
    .await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let outcome = called(&gateway, []).await;
    let spoke = outcome.report.agent_spoke;
    assert!((ms(260)..ms(400)).contains(&spoke), "three keys: {spoke:?}");
    assert!(outcome.warnings.is_empty());
}

#[tokio::test]
async fn an_interruption_is_timed_at_the_ear() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.play(&tone(3_000, 300.0)).await;
        let voice = |message: &Value| loud(&decode(message));
        while !voice(&socket.hear_until("media").await) {}
        socket.clear().await;
        while voice(&socket.hear_until("media").await) {}
        socket.play(&tone(200, 300.0)).await;
        socket.checkpoint("done").await;
        socket.hear_until("playedStream").await;
        socket.close().await;
    })
    .await;
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    let script = [
        Step::InterruptAfter {
            speech: ms(400),
            timeout: ms(5_000),
        },
        Step::Say(tone(600, 700.0)),
        Step::Wait(ms(10_000)),
    ];
    let outcome = called(&gateway, script).await;
    let report = &outcome.report;
    assert_eq!(report.interruptions.len(), 1, "{report:?}");
    let Clear::Sent { after, stop } = report.interruptions[0].clear else {
        panic!("{report:?}")
    };
    assert!(after <= ms(80) && stop <= ms(45), "{report:?}");
    let Reply::After { gap } = report.turns[0].reply else {
        panic!("{report:?}")
    };
    assert!(gap <= ms(100), "{report:?}");
}

#[tokio::test]
async fn a_stream_that_keeps_nothing_alive_ends_with_the_instructions() {
    let gateway = Gateway::listening().await;
    let trap = stream(&gateway, "", "").replace(r#"keepCallAlive="true""#, "");
    gateway.answer("/answer/", &trap);
    let outcome = called(&gateway, [Step::Wait(ms(9_000))]).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert!(outcome.talked < ms(300), "{:?}", outcome.talked);
    assert_eq!(hangup(&gateway), told("completed", 4010, "Plivo"));
    // With something behind it, it talks meanwhile.
    gateway.forget();
    gateway.answer("/answer/", &format!(r#"{trap}<Wait length="1"/><Hangup/>"#));
    let outcome = called(&gateway, [Step::Wait(ms(9_000))]).await;
    assert!(outcome.talked >= ms(1_000));
    let heard = gateway.heard().len();
    assert!((30..=51).contains(&heard), "{heard}");
    assert_eq!(hangup(&gateway), told("completed", 4000, "Answer XML"));
}

#[tokio::test]
async fn a_one_way_stream_plays_nothing() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.play(&tone(400, 400.0)).await;
        while socket.hear().await.is_some() {}
    })
    .await;
    let url = gateway.socket_url();
    let elements = format!(
        r#"<Stream contentType="audio/x-mulaw;rate=8000" keepCallAlive="true">{url}</Stream><Wait length="1"/>"#
    );
    gateway.answer("/answer/", &elements);
    let outcome = called(&gateway, []).await;
    assert_eq!(outcome.report.agent_spoke, Duration::ZERO);
    assert_eq!(codes(&outcome), [0]);
    assert!(
        outcome.talked < ms(1_500),
        "only a bidirectional stream keeps a call alive"
    );
}

#[tokio::test]
async fn a_stream_has_its_time_and_then_the_next_element_follows() {
    let gateway = Gateway::listening().await;
    let next = gateway.url("/next");
    let after = format!("<Redirect>{next}</Redirect>");
    gateway.answer(
        "/answer/",
        &stream(&gateway, r#"streamTimeout="1""#, &after),
    );
    gateway.answer("/next", "<Hangup/>");
    let outcome = called(&gateway, []).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert!(
        (ms(1_000)..ms(1_400)).contains(&outcome.talked),
        "{:?}",
        outcome.talked
    );
    let next = gateway.hooks("/next").pop().unwrap();
    assert_eq!(next.field("CallStatus"), "in-progress");
    // Without anything behind it the call is over.
    gateway.answer("/answer/", &stream(&gateway, r#"streamTimeout="1""#, ""));
    let outcome = called(&gateway, []).await;
    assert_eq!(outcome.ended_by, EndedBy::Instructions);
    assert_eq!(hangup(&gateway), told("completed", 4010, "Plivo"));
}

#[tokio::test]
async fn streams_the_carrier_does_not_take() {
    let gateway = Gateway::listening().await;
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    for (attributes, url, ended_by) in [
        (
            r#"audioTrack="both""#,
            gateway.socket_url(),
            EndedBy::Fault(8011),
        ),
        (
            r#"extraHeaders="token=a-b""#,
            gateway.socket_url(),
            EndedBy::Fault(8011),
        ),
        ("", gateway.url("/media"), EndedBy::Fault(8011)),
        ("", String::new(), EndedBy::Fault(8011)),
        (
            "",
            format!("{}s", gateway.socket_url()),
            EndedBy::SocketFailed,
        ),
        (
            "",
            "ws://127.0.0.1:9/media".to_owned(),
            EndedBy::SocketFailed,
        ),
        (
            "",
            "wss://voice.example.com/media".to_owned(),
            EndedBy::SocketFailed,
        ),
    ] {
        let elements = stream(&gateway, attributes, "").replace(&gateway.socket_url(), &url);
        gateway.answer("/answer/", &elements);
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(outcome.ended_by, ended_by, "{elements}");
        assert_eq!(outcome.warnings.len(), 1, "{:?}", outcome.warnings);
    }
}

#[tokio::test]
async fn the_rest_api_starts_and_stops_a_stream() {
    let gateway = Gateway::listening().await;
    gateway.answer("/answer/", r#"<Wait length="60"/>"#);
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    let mut happenings = exchange.watch();
    while !matches!(
        happenings.recv().await.unwrap(),
        exchange::Happening::Changed {
            status: Status::InProgress,
            ..
        }
    ) {}
    let path = format!("Call/{call}/Stream/");
    let refused = json!({"service_url": gateway.socket_url(), "audio_track": "none"});
    assert_eq!(ask(&exchange, "POST", &path, refused).await.0, 400);
    let body = json!({
        "service_url": gateway.socket_url(),
        "bidirectional": true,
        "stream_timeout": 60,
        "status_callback_url": gateway.url("/stream"),
    });
    let (status, started) = ask(&exchange, "POST", &path, body.clone()).await;
    assert_eq!(status, 202);
    assert_eq!(
        ask(&exchange, "POST", &path, body).await.0,
        409,
        "one at a time"
    );
    gateway.wait_for_heard("media").await;
    let id = started["stream_id"].as_str().unwrap();
    assert_eq!(gateway.heard()[0]["start"]["streamId"], id);
    let other = format!("{path}0b6b0f4c-0000-0000-0000-000000000000/");
    assert_eq!(ask(&exchange, "DELETE", &other, json!(null)).await.0, 404);
    let this = format!("{path}{id}/");
    assert_eq!(ask(&exchange, "DELETE", &this, json!(null)).await.0, 204);
    gateway.wait_for_hooks("/stream", 2).await;
    assert_eq!(ask(&exchange, "DELETE", &path, json!(null)).await.0, 404);
    let hang_up = format!("Call/{call}/");
    assert_eq!(ask(&exchange, "DELETE", &hang_up, json!(null)).await.0, 204);
    assert_eq!(outcome(&exchange, &call).await.ended_by, EndedBy::Api);
}

#[tokio::test]
async fn a_public_address_is_signed_and_a_local_one_is_reached() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.close().await;
    })
    .await;
    let elements =
        stream(&gateway, "", "").replace(&gateway.socket_url(), "wss://voice.example.com/media");
    gateway.answer("/answer/", &elements);
    let exchange = Exchange::builder()
        .carrier("plivo")
        .account(ACCOUNT, TOKEN)
        .number(OURS, "https://voice.example.com/answer/")
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
    let answer = gateway.hooks("/answer/").pop().unwrap();
    assert!(answer.is_signed_for("https://voice.example.com"));
    assert_eq!(answer.header("host"), "voice.example.com");
    let upgrade = gateway.upgrades().pop().unwrap();
    assert!(upgrade.is_signed_for("https://voice.example.com"));
}
