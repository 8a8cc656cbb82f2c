//! The media socket: what is said on it, and the traps of its defaults.

use super::*;
use crate::gateway::{decode, encode, loud, tone};
use exchange::Returned;
use exchange::mischief::{Format, Socket};
use exchange::stopwatch::Clear;

fn socket_mischief(socket: Socket) -> Mischief {
    Mischief {
        socket,
        ..Mischief::default()
    }
}

/// What a stream says of a call on which the phone says a tone and hangs up.
async fn streamed(more: Value, socket: Socket) -> (Vec<Value>, Arc<Outcome>) {
    let gateway = Gateway::silent().await;
    let script = [
        Step::Say(tone(200, 500.0)),
        Step::Wait(ms(60)),
        Step::HangUp,
    ];
    let plan = PhonePlan::answers(Duration::ZERO, script);
    let exchange = exchange_with(&gateway, plan, socket_mischief(socket)).await;
    let call = dial(&exchange, with(stream(&gateway), more)).await;
    let outcome = outcome(&exchange, &call).await;
    gateway.wait_for_heard("stop", 1).await;
    (gateway.heard(), outcome)
}

#[tokio::test]
async fn the_socket_speaks_the_documented_messages() {
    let more = json!({"client_state": "eyJhIjoxfQ==", "stream_track": "both_tracks"});
    let (heard, outcome) = streamed(more, Socket::default()).await;
    assert_eq!(heard[0], json!({"event": "connected", "version": "1.0.0"}));
    let start = &heard[1];
    let id = &start["stream_id"];
    assert_eq!(start["sequence_number"], "1");
    let said = start["start"].as_object().unwrap();
    assert_eq!(said["call_control_id"], outcome.call.as_str());
    assert_eq!(
        said["media_format"],
        json!({"encoding": "PCMU", "sample_rate": 8000, "channels": 1})
    );
    assert_eq!(said["client_state"], "eyJhIjoxfQ==");
    assert_eq!((&said["from"], &said["to"]), (&json!(OURS), &json!(PHONE)));
    assert_eq!(said["tags"], json!([]));
    let media: Vec<_> = heard
        .iter()
        .filter(|message| message["event"] == "media")
        .collect();
    for (index, message) in media.iter().enumerate() {
        assert_eq!(&message["stream_id"], id);
        let track = ["inbound", "outbound"][index % 2];
        assert_eq!(message["media"]["track"], track);
        assert_eq!(
            message["media"]["chunk"],
            (index / 2 + 1).to_string(),
            "each track is counted"
        );
        assert_eq!(message["media"]["timestamp"], (index / 2 * 20).to_string());
        assert_eq!(decode(message).len(), 160);
    }
    for (index, message) in heard[1..].iter().enumerate() {
        assert_eq!(message["sequence_number"], (index + 1).to_string());
    }
    let track = |name: &str| -> Vec<i16> {
        let of_it = media
            .iter()
            .filter(|message| message["media"]["track"] == name);
        of_it.flat_map(|message| decode(message)).collect()
    };
    assert!(loud(&track("inbound")) && !loud(&track("outbound")));
    let stop = heard.last().unwrap();
    assert_eq!(stop["stop"]["call_control_id"], outcome.call.as_str());
    assert_eq!(stop["stop"]["user_id"], start["start"]["user_id"]);
}

#[tokio::test]
async fn the_two_directions_may_speak_different_codecs() {
    let alaw = || Socket {
        format: Format {
            encoding: "audio/x-alaw".to_owned(),
            ..Format::default()
        },
        ..Socket::default()
    };
    let encoding = |heard: &[Value]| heard[1]["start"]["media_format"]["encoding"].clone();
    let (heard, _) = streamed(json!({}), alaw()).await;
    assert_eq!(encoding(&heard), "PCMA");
    let (heard, _) = streamed(json!({"stream_codec": "PCMU"}), alaw()).await;
    assert_eq!(encoding(&heard), "PCMU", "transcoded");
    for (codec, heard_as) in [
        ("L16", "L16"),
        ("G722", "G722"),
        ("OPUS", "OPUS"),
        ("AMR-WB", "PCMU"),
    ] {
        let (heard, _) = streamed(json!({"stream_codec": codec}), Socket::default()).await;
        assert_eq!(encoding(&heard), heard_as, "AMR-WB is not transcoded");
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
        socket.close().await;
    })
    .await;
    let exchange = honest(&gateway, listens()).await;
    let call = dial(&exchange, stream(&gateway)).await;
    gateway.event("streaming.stopped").await;
    obeyed(&exchange, &call, "hangup", json!({})).await;
    let outcome = outcome(&exchange, &call).await;
    let marks: Vec<_> = outcome
        .marks
        .iter()
        .map(|mark| (mark.name.as_str(), mark.why))
        .collect();
    let expected = [
        ("empty", Returned::AtOnce),
        ("played", Returned::Played),
        ("a", Returned::Cleared),
        ("b", Returned::Cleared),
    ];
    assert_eq!(marks, expected);
    let spoke = outcome.report.agent_spoke;
    assert!(
        (ms(540)..ms(900)).contains(&spoke),
        "the rest was cleared: {spoke:?}"
    );
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
}

#[tokio::test]
async fn an_interruption_is_timed_at_the_ear() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.play(&tone(3_000, 300.0)).await;
        loop {
            let message = socket.hear_until("media").await;
            if message.is_null() || loud(&decode(&message)) {
                break;
            }
        }
        socket.clear().await;
        socket.hear_to_the_end().await;
    })
    .await;
    let script = [
        Step::InterruptAfter {
            speech: ms(500),
            timeout: ms(5_000),
        },
        Step::Say(tone(400, 700.0)),
        Step::Wait(ms(300)),
        Step::HangUp,
    ];
    let exchange = honest(&gateway, PhonePlan::answers(Duration::ZERO, script)).await;
    let call = dial(&exchange, stream(&gateway)).await;
    let outcome = outcome(&exchange, &call).await;
    let [interruption] = outcome.report.interruptions.as_slice() else {
        panic!("{:?}", outcome.report);
    };
    assert!(
        matches!(interruption.clear, Clear::Sent { .. }),
        "{interruption:?}"
    );
    assert!(interruption.stop < ms(300), "{interruption:?}");
}

/// A gateway that plays half a second, and what became of it.
async fn played(order: Value) -> (Vec<Value>, Arc<Outcome>) {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.play(&tone(500, 400.0)).await;
        socket.mark("end").await;
        socket.hear_mark("end").await;
        socket.close().await;
    })
    .await;
    let exchange = honest(&gateway, listens()).await;
    let call = dial(
        &exchange,
        with(order, json!({"stream_url": gateway.media_url()})),
    )
    .await;
    gateway.event("streaming.stopped").await;
    obeyed(&exchange, &call, "hangup", json!({})).await;
    (gateway.heard(), outcome(&exchange, &call).await)
}

#[tokio::test]
async fn by_default_the_carrier_wants_mp3_files() {
    let (heard, outcome) = played(json!({"stream_bidirectional_target_legs": "self"})).await;
    assert_eq!(outcome.report.agent_spoke, Duration::ZERO);
    assert_eq!(codes(&outcome), [100_004]);
    let error = heard
        .iter()
        .find(|message| message["event"] == "error")
        .unwrap();
    assert_eq!(error["payload"]["code"], 100_004);
    assert_eq!(error["payload"]["title"], "invalid_media");
}

#[tokio::test]
async fn by_default_sound_goes_to_the_opposite_leg() {
    let (heard, outcome) = played(json!({"stream_bidirectional_mode": "rtp"})).await;
    assert_eq!(
        outcome.report.agent_spoke,
        Duration::ZERO,
        "nobody hears it"
    );
    assert_eq!(codes(&outcome), [0]);
    assert!(outcome.warnings[0].text.contains("opposite"));
    assert!(!heard.iter().any(|message| message["event"] == "error"));
    let both =
        json!({"stream_bidirectional_mode": "rtp", "stream_bidirectional_target_legs": "both"});
    let (_, outcome) = played(both).await;
    assert!(
        outcome.report.agent_spoke >= ms(450),
        "{:?}",
        outcome.report.agent_spoke
    );
}

#[tokio::test]
async fn messages_that_are_wrong_are_answered_with_errors() {
    let gateway = Gateway::start(|mut socket| async move {
        socket.hear_until("media").await;
        socket.say("hello").await;
        socket.send(json!({"event": "dance"})).await;
        socket.send(json!({"event": "mark", "mark": {}})).await;
        socket
            .send(json!({"event": "media", "media": {"payload": "%"}}))
            .await;
        socket.play_codes(&[255; 159]).await;
        socket
            .send(json!({"event": "mark", "stream_id": "x", "mark": {"name": "still here"}}))
            .await;
        socket.hear_mark("still here").await;
        socket.close().await;
    })
    .await;
    let exchange = honest(&gateway, listens()).await;
    let call = dial(&exchange, stream(&gateway)).await;
    gateway.event("streaming.stopped").await;
    obeyed(&exchange, &call, "hangup", json!({})).await;
    assert_eq!(
        codes(&*outcome(&exchange, &call).await),
        [100_003, 100_004],
        "once each"
    );
    let heard = gateway.heard();
    let errors = heard.iter().filter(|message| message["event"] == "error");
    let errors: Vec<_> = errors
        .map(|message| message["payload"]["code"].clone())
        .collect();
    assert_eq!(errors, [100_003, 100_003, 100_003, 100_004, 100_004]);
}

#[tokio::test]
async fn sound_may_come_in_other_codecs() {
    for (codec, rate) in [("PCMA", 8_000), ("L16", 8_000), ("L16", 16_000)] {
        let gateway = Gateway::start(move |mut socket| async move {
            socket.hear_until("media").await;
            let wave = |rate: f64| {
                move |index: u32| {
                    ((f64::from(index) / rate * 440.0 * std::f64::consts::TAU).sin() * 8_000.0)
                        as i16
                }
            };
            let codes: Vec<u8> = match (codec, rate) {
                ("PCMA", _) => (0..4_000)
                    .map(wave(8_000.0))
                    .map(|sample| exchange::g711::Law::A.encode(sample))
                    .collect(),
                (_, rate) => (0..rate / 2)
                    .map(wave(f64::from(rate)))
                    .flat_map(i16::to_be_bytes)
                    .collect(),
            };
            socket.play_codes(&codes).await;
            socket.mark("end").await;
            socket.hear_mark("end").await;
            socket.close().await;
        })
        .await;
        let exchange = honest(&gateway, listens()).await;
        let more = json!({"stream_bidirectional_codec": codec, "stream_bidirectional_sampling_rate": rate});
        let call = dial(&exchange, with(stream(&gateway), more)).await;
        gateway.event("streaming.stopped").await;
        obeyed(&exchange, &call, "hangup", json!({})).await;
        let outcome = outcome(&exchange, &call).await;
        let sound = outcome.ear.agent();
        let first = sound
            .iter()
            .position(|sample| sample.unsigned_abs() > 2_000)
            .unwrap();
        let heard = &sound[first..first + 3_600];
        let crossings = heard
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count();
        assert!(
            (196..=200).contains(&crossings),
            "440 Hz for 450 ms: {crossings} at {codec} {rate}"
        );
    }
    assert_eq!(encode(0), 255);
}

#[tokio::test]
async fn a_stream_has_parameters_and_a_token() {
    let gateway = Gateway::silent().await;
    let exchange = honest(&gateway, listens()).await;
    let call = dial(&exchange, json!({})).await;
    gateway.event("call.answered").await;
    let more = json!({
        "custom_parameters": [{"name": "k", "value": "v"}],
        "stream_auth_token": "secret",
    });
    obeyed(
        &exchange,
        &call,
        "streaming_start",
        with(stream(&gateway), more),
    )
    .await;
    gateway.wait_for_heard("start", 1).await;
    assert_eq!(gateway.upgrades(), ["Bearer secret"]);
    assert_eq!(
        gateway.heard()[1]["start"]["custom_parameters"],
        json!({"k": "v"})
    );
    let id = gateway.heard()[1]["stream_id"].clone();
    let other = json!({"stream_id": "00000000-0000-0000-0000-000000000000"});
    assert_eq!(
        refused(&exchange, &call, "streaming_stop", other).await.1,
        "90048"
    );
    obeyed(&exchange, &call, "streaming_stop", json!({"stream_id": id})).await;
    gateway.event("streaming.stopped").await;
    gateway.wait_for_heard("stop", 1).await;
    obeyed(&exchange, &call, "streaming_start", stream(&gateway)).await;
    gateway.wait_for_heard("start", 2).await;
    obeyed(&exchange, &call, "hangup", json!({})).await;
    outcome(&exchange, &call).await;
}
