//! The media socket, the ear and the stopwatch.

use super::*;

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
async fn stream_urls_the_carrier_does_not_take() {
    let gateway = Gateway::start(|_| async {}).await;
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, [])).await;
    let socket = gateway.socket_url();
    for (url, code) in [
        (format!("{socket}/media?token=1"), 31920),
        (gateway.url("/media"), 31920),
        (format!("{socket}/nothing-here"), 31920),
        ("ws://127.0.0.1:9/media".to_owned(), 31902),
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
