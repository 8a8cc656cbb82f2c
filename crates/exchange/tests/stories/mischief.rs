//! What goes wrong on request.

use super::*;

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

/// A gateway that hears up to thirty messages and closes.
async fn listener() -> Gateway {
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
    gateway
}

/// How the gateway was asked for the socket, and what it then heard.
async fn streamed(gateway: &Gateway, socket: Socket) -> (gateway::Upgrade, Vec<Value>) {
    gateway.forget();
    let plan = PhonePlan::answers(Duration::ZERO, []);
    let exchange = exchange_with(gateway, plan, socket_mischief(socket)).await;
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    outcome(&exchange, &call).await;
    (gateway.upgrades().pop().unwrap(), gateway.heard())
}

#[tokio::test]
async fn upgrades_can_be_unsigned_or_forged() {
    let gateway = listener().await;
    let (upgrade, _) = streamed(
        &gateway,
        Socket {
            signature: Signature::Absent,
            ..Socket::default()
        },
    )
    .await;
    assert_eq!(upgrade.signature, "");
    let (upgrade, _) = streamed(
        &gateway,
        Socket {
            signature: Signature::Forged,
            ..Socket::default()
        },
    )
    .await;
    assert_eq!(upgrade.signature.len(), 28);
    assert_ne!(
        upgrade.signature,
        signature(&format!("{}/media", gateway.socket_url()), &[])
    );
}

#[tokio::test]
async fn streams_can_be_mute_in_another_codec_disordered_or_full_of_garbage() {
    let gateway = listener().await;
    let (_, heard) = streamed(
        &gateway,
        Socket {
            connect: Connect::Mute,
            ..Socket::default()
        },
    )
    .await;
    assert_eq!(heard.len(), 1, "connected and no more: {heard:?}");
    let format = Format {
        encoding: "audio/x-alaw".to_owned(),
        ..Format::default()
    };
    let (_, heard) = streamed(
        &gateway,
        Socket {
            format,
            ..Socket::default()
        },
    )
    .await;
    assert_eq!(heard[1]["start"]["mediaFormat"]["encoding"], "audio/x-alaw");
    let payload = heard[2]["media"]["payload"].as_str().unwrap();
    assert!(payload.starts_with("1dXV"), "A-law silence is 0xD5");
    let (_, heard) = streamed(
        &gateway,
        Socket {
            chunks: Chunks::Swapped,
            ..Socket::default()
        },
    )
    .await;
    let chunks: Vec<_> = heard[2..6]
        .iter()
        .map(|message| message["media"]["chunk"].clone())
        .collect();
    assert_eq!(chunks, ["2", "1", "4", "3"]);
    let (_, heard) = streamed(
        &gateway,
        Socket {
            chunks: Chunks::Doubled,
            ..Socket::default()
        },
    )
    .await;
    assert_eq!(heard[2], heard[3]);
    let (_, heard) = streamed(
        &gateway,
        Socket {
            chatter: Chatter::Garbage,
            ..Socket::default()
        },
    )
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

/// The statuses a gateway is told of one answered call, and the exchange that told them.
async fn told(gateway: &Gateway, callbacks: Callbacks) -> (Vec<String>, Exchange) {
    gateway.answer("/voice", "<Response><Hangup/></Response>");
    gateway.forget();
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let plan = PhonePlan::answers(Duration::ZERO, []);
    let exchange = exchange_with(gateway, plan, mischief).await;
    let call = dial(&exchange, gateway, &[]).await;
    outcome(&exchange, &call).await;
    (
        statuses(gateway)
            .into_iter()
            .map(|(status, _)| status)
            .collect(),
        exchange,
    )
}

#[tokio::test]
async fn callbacks_are_duplicated_on_request() {
    let gateway = Gateway::start(|_| async {}).await;
    let (told, exchange) = told(
        &gateway,
        Callbacks {
            duplicates: 1,
            ..Callbacks::default()
        },
    )
    .await;
    let twice = ["initiated", "ringing", "in-progress", "completed"].map(|status| [status, status]);
    assert_eq!(told, twice.concat());
    let hooks = gateway.hooks("/status");
    assert_eq!(hooks[0].idempotency, hooks[1].idempotency);
    assert_eq!(hooks[0].form, hooks[1].form);
    assert_ne!(hooks[0].idempotency, hooks[2].idempotency);
    let deliveries = exchange.deliveries();
    assert_eq!(
        deliveries
            .iter()
            .filter(|delivery| delivery.kind == Kind::Duplicate)
            .count(),
        4
    );
}

#[tokio::test]
async fn callbacks_are_reordered_delayed_and_lost_on_request() {
    let gateway = Gateway::start(|_| async {}).await;
    let (swapped, _) = told(
        &gateway,
        Callbacks {
            order: Order::Swapped,
            ..Callbacks::default()
        },
    )
    .await;
    assert_eq!(
        swapped,
        ["ringing", "initiated", "completed", "in-progress"]
    );
    let (backwards, _) = told(
        &gateway,
        Callbacks {
            order: Order::LastFirst,
            ..Callbacks::default()
        },
    )
    .await;
    assert_eq!(
        backwards,
        ["completed", "in-progress", "ringing", "initiated"]
    );
    let lost = vec!["answered".to_owned()];
    let began = Instant::now();
    let (rest, _) = told(
        &gateway,
        Callbacks {
            lost,
            delay: ms(50),
            ..Callbacks::default()
        },
    )
    .await;
    assert_eq!(rest, ["initiated", "ringing", "completed"]);
    assert!(began.elapsed() >= ms(150));
}

#[tokio::test]
async fn callbacks_are_forged_on_request() {
    let gateway = Gateway::start(|_| async {}).await;
    let (told, _) = told(
        &gateway,
        Callbacks {
            forged: 1,
            ..Callbacks::default()
        },
    )
    .await;
    assert_eq!(told.len(), 8);
    let url = gateway.url("/status");
    for (index, hook) in gateway.hooks("/status").iter().enumerate() {
        let genuine = hook.signature == signature(&url, &hook.form);
        assert_eq!(genuine, index % 2 == 1, "every first one is forged");
    }
}
