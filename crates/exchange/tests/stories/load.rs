//! Many calls at once.

use super::*;

fn load_plan(gateway: &Gateway) -> LoadPlan {
    LoadPlan {
        carrier: "twilio".to_owned(),
        listen: "127.0.0.1:0".to_owned(),
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
