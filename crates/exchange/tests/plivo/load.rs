//! Many calls at once.

use super::*;
use exchange::load::{LoadPlan, Sound};

fn plan(gateway: &Gateway) -> LoadPlan {
    LoadPlan {
        carrier: "plivo".to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        gateway: gateway.url(""),
        public_url: gateway.url(""),
        voice_path: "/answer/".to_owned(),
        status_path: "/hangup".to_owned(),
        account: ACCOUNT.to_owned(),
        token: TOKEN.to_owned(),
        to: OURS.to_owned(),
        calls: CALLS,
        duration: ms(600),
        ramp: ms(100),
        sound: Sound::Speech,
    }
}

async fn echoing() -> Gateway {
    Gateway::start(|mut socket| async move {
        while let Some(message) = socket.hear().await {
            if message["event"] == "media" {
                let sound = gateway::payload(&message);
                socket.play_as("audio/x-mulaw", json!(8_000), &sound).await;
                if message["media"]["chunk"] == 3 {
                    socket.play(&[0; 40_000]).await;
                    socket.checkpoint("far").await;
                    socket.clear().await;
                    socket.checkpoint("near").await;
                }
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_follow_the_answer_url_and_hear_themselves() {
    let gateway = echoing().await;
    let attributes = r#"extraHeaders="token=abc,more=1""#;
    gateway.answer("/answer/", &stream(&gateway, attributes, ""));
    let report = exchange::load::run(plan(&gateway)).await.unwrap();
    assert_eq!((report.calls, report.set_up), (CALLS, CALLS), "{report:?}");
    assert!(report.failed.is_empty(), "{report:?}");
    assert!(report.frames_sent >= CALLS as u64 * 28, "{report:?}");
    let odd = (
        report.frames_lost,
        report.frames_repeated,
        report.odd_messages,
    );
    assert_eq!(odd, (0, 0, 0), "{report:?}");
    for (path, event) in [("/answer/", "StartApp"), ("/hangup", "Hangup")] {
        let hooks = gateway.hooks(path);
        assert_eq!(hooks.len(), CALLS, "{path}");
        for hook in hooks {
            assert_eq!((hook.field("Event"), hook.field("To")), (event, &OURS[1..]));
            assert!(hook.is_signed_for(&gateway.origin()), "{path}");
        }
    }
    assert_eq!(gateway.upgrades().len(), CALLS);
    for upgrade in gateway.upgrades() {
        assert!(upgrade.is_signed_for(&gateway.origin()));
    }
    let heard = gateway.heard();
    let count = |event: &str, name: &Value| {
        let those = heard
            .iter()
            .filter(|it| it["event"] == event && it["name"] == *name);
        those.count()
    };
    for message in &heard {
        assert_eq!(
            message["extra_headers"].is_null(),
            message["media"].is_null() && message["start"].is_null()
        );
    }
    // A checkpoint that was cleared is never heard of again; one with nothing before it comes back at once.
    assert_eq!(count("clearedAudio", &Value::Null), CALLS);
    assert_eq!(count("playedStream", &json!("far")), 0);
    assert_eq!(count("playedStream", &json!("near")), CALLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instructions_without_a_narrow_stream_have_failed() {
    let gateway = echoing().await;
    let cases = [
        ("<Hangup/>".to_owned(), "instructions: no stream"),
        (
            format!(
                r#"<Stream bidirectional="true" keepCallAlive="true">{}</Stream>"#,
                gateway.socket_url()
            ),
            "instructions: the stream is not one of µ-law both ways",
        ),
    ];
    for (instructions, reason) in cases {
        gateway.answer("/answer/", &instructions);
        let report = exchange::load::run(plan(&gateway)).await.unwrap();
        assert_eq!(
            (report.set_up, report.failed[reason]),
            (0, CALLS),
            "{report:?}"
        );
    }
}

const CALLS: usize = 5;
