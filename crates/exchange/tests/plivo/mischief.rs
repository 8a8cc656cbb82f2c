//! What goes wrong on request.

use super::gateway::Hook;
use super::*;
use exchange::mischief::{
    Abrupt, Callbacks, Chatter, Chunks, Connect, Format, Order, Signature, Socket, Wire,
};
use exchange::phone::Step;
use exchange::{EndedBy, Kind};

fn with_socket(socket: Socket) -> Mischief {
    Mischief {
        socket,
        ..Mischief::default()
    }
}

#[tokio::test]
async fn sockets_that_fail_lead_to_the_next_element() {
    for (socket, upgrades) in [
        (
            Socket {
                line: Wire::DropsAt(ms(200)),
                ..Socket::default()
            },
            1,
        ),
        (
            Socket {
                connect: Connect::Cut,
                ..Socket::default()
            },
            0,
        ),
    ] {
        let gateway = Gateway::listening().await;
        let after = format!("<Redirect>{}</Redirect>", gateway.url("/after"));
        let status = format!(r#"statusCallbackUrl="{}""#, gateway.url("/stream"));
        gateway.answer("/answer/", &stream(&gateway, &status, &after));
        gateway.answer("/after", "<Hangup/>");
        let plan = PhonePlan::answers(Duration::ZERO, []);
        let exchange = exchange_with(&gateway, plan, with_socket(socket)).await;
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(codes(&outcome), [0], "{:?}", outcome.warnings);
        assert_eq!(outcome.ended_by, EndedBy::Instructions);
        assert_eq!(gateway.hooks("/after").len(), 1);
        assert_eq!(gateway.upgrades().len(), upgrades);
        gateway.wait_for_hooks("/stream", upgrades + 1).await;
        let dropped = |hook: &Hook| hook.field("Event") == "DroppedStream";
        assert!(gateway.hooks("/stream").iter().any(dropped));
    }
}

#[tokio::test]
async fn a_broken_socket_can_end_the_call_or_leave_it_in_silence() {
    for (abrupt, ended_by) in [
        (Abrupt::Ends, EndedBy::SocketFailed),
        (Abrupt::Stays, EndedBy::Caller),
    ] {
        let gateway = Gateway::listening().await;
        gateway.answer("/answer/", &stream(&gateway, "", "<Hangup/>"));
        let socket = Socket {
            line: Wire::DropsAt(ms(100)),
            abrupt,
            ..Socket::default()
        };
        let plan = PhonePlan::answers(Duration::ZERO, []);
        let exchange = exchange_with(&gateway, plan, with_socket(socket)).await;
        let script = [Step::Wait(ms(500)), Step::HangUp];
        let call = exchange.call_in(PHONE, OURS, script).unwrap();
        assert_eq!(outcome(&exchange, &call).await.ended_by, ended_by);
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
    gateway.answer("/answer/", &stream(&gateway, "", ""));
    gateway
}

/// How the gateway was asked for the socket, and what it then heard.
async fn streamed(gateway: &Gateway, socket: Socket) -> (Hook, Vec<Value>) {
    gateway.forget();
    let plan = PhonePlan::answers(Duration::ZERO, []);
    let exchange = exchange_with(gateway, plan, with_socket(socket)).await;
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    outcome(&exchange, &call).await;
    (gateway.upgrades().pop().unwrap(), gateway.heard())
}

#[tokio::test]
async fn upgrades_can_be_unsigned_or_forged() {
    let gateway = listener().await;
    let absent = Socket {
        signature: Signature::Absent,
        ..Socket::default()
    };
    let (upgrade, _) = streamed(&gateway, absent).await;
    assert_eq!(upgrade.header("x-plivo-signature-v3"), "");
    assert_eq!(upgrade.header("x-plivo-signature-v2"), "");
    let forged = Socket {
        signature: Signature::Forged,
        ..Socket::default()
    };
    let (upgrade, _) = streamed(&gateway, forged).await;
    assert_eq!(upgrade.header("x-plivo-signature-v3").len(), 44);
    assert!(!upgrade.is_signed_for(&gateway.origin()));
}

#[tokio::test]
async fn streams_can_be_mute_in_another_codec_disordered_or_full_of_garbage() {
    let gateway = listener().await;
    let mute = Socket {
        connect: Connect::Mute,
        ..Socket::default()
    };
    let (_, heard) = streamed(&gateway, mute).await;
    assert_eq!(heard, Vec::<Value>::new(), "not even a start");
    let format = Format {
        encoding: "audio/x-l16".to_owned(),
        sample_rate: 16_000,
        ..Format::default()
    };
    let claimed = Socket {
        format,
        ..Socket::default()
    };
    let (_, heard) = streamed(&gateway, claimed).await;
    let format = &heard[0]["start"]["mediaFormat"];
    assert_eq!(
        *format,
        json!({"encoding": "audio/x-l16", "sampleRate": 16000})
    );
    let swapped = Socket {
        chunks: Chunks::Swapped,
        ..Socket::default()
    };
    let (_, heard) = streamed(&gateway, swapped).await;
    let chunks: Vec<_> = heard[1..5]
        .iter()
        .map(|message| message["media"]["chunk"].as_u64().unwrap())
        .collect();
    assert_eq!(chunks, [2, 1, 4, 3]);
    let doubled = Socket {
        chunks: Chunks::Doubled,
        ..Socket::default()
    };
    let (_, heard) = streamed(&gateway, doubled).await;
    assert_eq!(heard[1], heard[2]);
    let garbage = Socket {
        chatter: Chatter::Garbage,
        ..Socket::default()
    };
    let (_, heard) = streamed(&gateway, garbage).await;
    assert!(heard.iter().any(|message| message["event"] == "weather"));
    assert!(heard.iter().any(|message| message["not JSON"].is_string()));
}

/// What a gateway is told of one answered call, and the exchange that told it.
async fn notices(gateway: &Gateway, callbacks: Callbacks) -> (Vec<String>, Exchange) {
    gateway.answer("/answer/", "<Hangup/>");
    gateway.forget();
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let plan = PhonePlan::answers(Duration::ZERO, []);
    let exchange = exchange_with(gateway, plan, mischief).await;
    dial(&exchange, gateway, json!({})).await;
    next_outcome(&exchange).await;
    let mut hooks = gateway.all_hooks();
    hooks.retain(|hook| hook.path != "/answer/");
    let told = hooks
        .iter()
        .map(|hook| hook.field("Event").to_owned())
        .collect();
    (told, exchange)
}

#[tokio::test]
async fn notices_are_duplicated_on_request() {
    let gateway = Gateway::start(|_| async {}).await;
    let twice = Callbacks {
        duplicates: 1,
        ..Callbacks::default()
    };
    let (told, exchange) = notices(&gateway, twice).await;
    assert_eq!(told, ["Ring", "Ring", "Hangup", "Hangup"]);
    let hooks = gateway.hooks("/hangup");
    assert_eq!(hooks[0].form, hooks[1].form);
    let nonce = |hook: &Hook| hook.header("x-plivo-signature-v3-nonce").to_owned();
    assert_eq!(nonce(&hooks[0]), nonce(&hooks[1]));
    assert_ne!(nonce(&hooks[0]), nonce(&gateway.hooks("/ring")[0]));
    let deliveries = exchange.deliveries();
    let duplicates = deliveries
        .iter()
        .filter(|delivery| delivery.kind == Kind::Duplicate);
    assert_eq!(duplicates.count(), 2);
}

#[tokio::test]
async fn notices_are_reordered_and_lost_on_request() {
    let gateway = Gateway::start(|_| async {}).await;
    for order in [Order::Swapped, Order::LastFirst] {
        let callbacks = Callbacks {
            order,
            ..Callbacks::default()
        };
        assert_eq!(notices(&gateway, callbacks).await.0, ["Hangup", "Ring"]);
    }
    let lost = Callbacks {
        lost: vec!["Ring".to_owned()],
        delay: ms(50),
        ..Callbacks::default()
    };
    assert_eq!(notices(&gateway, lost).await.0, ["Hangup"]);
}

#[tokio::test]
async fn notices_are_forged_on_request() {
    let gateway = Gateway::start(|_| async {}).await;
    let forged = Callbacks {
        forged: 1,
        ..Callbacks::default()
    };
    let (told, _) = notices(&gateway, forged).await;
    assert_eq!(told, ["Hangup", "Ring", "Hangup", "Hangup"]);
    let mut hooks = gateway.all_hooks();
    hooks.retain(|hook| hook.path != "/answer/");
    for (index, hook) in hooks.iter().enumerate() {
        let genuine = hook.is_signed_for(&gateway.origin());
        assert_eq!(genuine, index % 2 == 1, "every first one is forged");
    }
}
