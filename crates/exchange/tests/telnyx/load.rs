//! Many calls at once.

use super::*;
use exchange::load::{LoadPlan, LoadReport, Sound};

async fn free_address() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Calls a gateway, and asks this of each call; what comes after the first, when its stream has begun.
async fn played(gateway: &Gateway, commands: &[(&str, Value)]) -> LoadReport {
    let listen = free_address().await;
    let plan = LoadPlan {
        carrier: "telnyx".to_owned(),
        listen: listen.clone(),
        gateway: gateway.url(""),
        public_url: gateway.url(""),
        voice_path: "/events".to_owned(),
        status_path: String::new(),
        account: CONNECTION.to_owned(),
        token: KEY.to_owned(),
        to: OURS.to_owned(),
        calls: CALLS,
        duration: ms(600),
        ramp: ms(100),
        sound: Sound::Speech,
    };
    let earlier = gateway.names();
    let initiated = |name: &&String| *name == "call.initiated";
    let earlier = earlier.iter().filter(initiated).count();
    let answering = async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        for index in earlier.. {
            let event = gateway.nth_event("call.initiated", index).await;
            let call = event.payload("call_control_id").as_str().unwrap();
            for (nth, (action, body)) in commands.iter().enumerate() {
                if nth > 0 {
                    gateway.event_of("streaming.started", call).await;
                }
                let url = format!("http://{listen}/v2/calls/{call}/actions/{action}");
                let asked = client.post(url).bearer_auth(KEY).json(body).send().await;
                assert_eq!(asked.unwrap().status(), 200, "{action}");
            }
        }
    };
    tokio::select! {
        report = exchange::load::run(plan) => report.unwrap(),
        () = answering => unreachable!("it answers for ever"),
    }
}

async fn echoing() -> Gateway {
    Gateway::start(|mut socket| async move {
        while let Some(message) = socket.hear().await {
            if message["event"] == "media" {
                let media = json!({"payload": message["media"]["payload"]});
                socket.send(json!({"event": "media", "media": media})).await;
                if message["media"]["chunk"] == "3" {
                    socket.mark("far").await;
                    socket.clear().await;
                    socket.mark("near").await;
                }
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_are_answered_by_requests_and_hear_themselves() {
    let gateway = echoing().await;
    let token = json!({"stream_auth_token": "secret"});
    let answer = ("answer", with(stream(&gateway), token));
    let report = played(&gateway, &[answer]).await;
    assert_eq!((report.calls, report.set_up), (CALLS, CALLS), "{report:?}");
    assert!(report.failed.is_empty(), "{report:?}");
    assert!(report.frames_sent >= CALLS as u64 * 28, "{report:?}");
    let odd = (
        report.frames_lost,
        report.frames_repeated,
        report.odd_messages,
    );
    assert_eq!(odd, (0, 0, 0), "{report:?}");
    assert_eq!(gateway.upgrades(), ["Bearer secret"; CALLS]);
    let names = gateway.names();
    for name in [
        "call.initiated",
        "call.answered",
        "streaming.started",
        "streaming.stopped",
        "call.hangup",
    ] {
        assert_eq!(
            names.iter().filter(|it| *it == name).count(),
            CALLS,
            "{name}"
        );
    }
    let configuration = honest(&gateway, listens()).await.configuration();
    for event in gateway.events() {
        assert!(is_signed_for(&configuration, &event), "{}", event.name());
    }
    // What is cleared comes back at once, and so does what nothing is before.
    for name in ["far", "near"] {
        let heard = gateway.heard();
        let back = heard
            .iter()
            .filter(|it| it["event"] == "mark" && it["mark"]["name"] == name);
        assert_eq!(back.count(), CALLS, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_refused_or_hung_up_have_failed() {
    let gateway = echoing().await;
    let codec = json!({"stream_bidirectional_codec": "PCMA"});
    let cases = [
        (
            vec![("reject", json!({"cause": "USER_BUSY"}))],
            0,
            "rejected",
        ),
        (
            vec![("answer", with(stream(&gateway), codec))],
            0,
            "answered: the stream is not one of PCMU both ways",
        ),
        (
            vec![("answer", stream(&gateway)), ("hangup", json!({}))],
            CALLS,
            "the gateway hung up",
        ),
    ];
    for (commands, set_up, reason) in cases {
        let report = played(&gateway, &commands).await;
        let found = (report.set_up, report.failed.get(reason));
        assert_eq!(found, (set_up, Some(&CALLS)), "{report:?}");
    }
}

const CALLS: usize = 5;
