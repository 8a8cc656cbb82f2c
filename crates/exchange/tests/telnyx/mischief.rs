//! What goes wrong on request.

use super::*;
use exchange::Kind;
use exchange::mischief::{Abrupt, Callbacks, Chatter, Chunks, Connect, Order, Socket, Wire};

/// The events of one call that is answered and hung up by the phone, and the exchange that told them.
async fn told(callbacks: Callbacks) -> (Gateway, Exchange) {
    let gateway = Gateway::silent().await;
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let plan = PhonePlan::answers(Duration::ZERO, [Step::HangUp]);
    let exchange = exchange_with(&gateway, plan, mischief).await;
    let call = dial(&exchange, json!({})).await;
    outcome(&exchange, &call).await;
    (gateway, exchange)
}

#[tokio::test]
async fn events_are_duplicated_forged_and_lost_on_request() {
    let (gateway, exchange) = told(Callbacks {
        duplicates: 1,
        forged: 1,
        lost: vec!["call.answered".to_owned()],
        ..Callbacks::default()
    })
    .await;
    let forged = "call.hangup";
    let expected = [
        forged,
        "call.initiated",
        "call.initiated",
        forged,
        "call.hangup",
        "call.hangup",
    ];
    assert_eq!(gateway.names(), expected);
    let events = gateway.events();
    let genuine: Vec<bool> = events
        .iter()
        .map(|event| is_genuine(&exchange, event))
        .collect();
    assert_eq!(genuine, [false, true, true, false, true, true]);
    assert_eq!(
        events[1].data["id"], events[2].data["id"],
        "a duplicate has the same id"
    );
    assert_eq!(events[4].data, events[5].data);
    assert_ne!(events[3].data["id"], events[4].data["id"]);
    let deliveries = exchange.deliveries();
    let duplicates = deliveries
        .iter()
        .filter(|delivery| delivery.kind == Kind::Duplicate);
    assert_eq!(duplicates.count(), 2);
}

#[tokio::test]
async fn events_are_reordered_on_request() {
    let backwards = Callbacks {
        order: Order::LastFirst,
        ..Callbacks::default()
    };
    let (gateway, _) = told(backwards).await;
    assert_eq!(
        gateway.names(),
        ["call.hangup", "call.answered", "call.initiated"]
    );
    let times: Vec<_> = gateway
        .events()
        .iter()
        .map(|event| event.data["occurred_at"].to_string())
        .collect();
    assert!(
        times[2] <= times[1] && times[1] <= times[0],
        "they say when they happened: {times:?}"
    );
    let swapped = Callbacks {
        order: Order::Swapped,
        ..Callbacks::default()
    };
    let (gateway, _) = told(swapped).await;
    assert_eq!(
        gateway.names(),
        ["call.answered", "call.initiated", "call.hangup"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_not_acknowledged_is_sent_again() {
    let gateway = Gateway::silent().await;
    gateway.answer_next(&[0, 301, 200, 500, 500, 500]);
    let exchange = honest(&gateway, PhonePlan::never_talks(Pickup::Busy)).await;
    let call = dial(&exchange, json!({})).await;
    let outcome = outcome(&exchange, &call).await;
    let events = gateway.events();
    let attempts: Vec<_> = events
        .iter()
        .map(|event| event.meta["attempt"].clone())
        .collect();
    assert_eq!(attempts, [1, 2, 3, 1, 2, 3]);
    assert_eq!(events[0].data, events[2].data);
    assert!(events.iter().all(|event| is_genuine(&exchange, event)));
    assert_eq!(codes(&outcome), [0], "the last one never arrived");
}

async fn lost(socket: Socket) -> (Gateway, Exchange, String) {
    let gateway = Gateway::silent().await;
    let mischief = Mischief {
        socket,
        ..Mischief::default()
    };
    let exchange = exchange_with(&gateway, listens(), mischief).await;
    let call = dial(&exchange, stream(&gateway)).await;
    (gateway, exchange, call)
}

#[tokio::test]
async fn a_call_whose_socket_is_lost_goes_on_and_is_streamed_again() {
    let dropped = Socket {
        line: Wire::DropsAt(ms(200)),
        ..Socket::default()
    };
    let cut = Socket {
        connect: Connect::Cut,
        ..Socket::default()
    };
    for socket in [dropped, cut] {
        let (gateway, exchange, call) = lost(socket).await;
        let failed = gateway.event("streaming.failed").await;
        assert_eq!(failed.payload("failure_reason"), "connection_failed");
        assert_eq!(
            failed.payload("stream_params")["stream_url"],
            gateway.media_url()
        );
        let (_, described) = get(&exchange, &format!("calls/{call}")).await;
        assert_eq!(described["data"]["is_alive"], true);
        let before = gateway.heard().len();
        obeyed(&exchange, &call, "streaming_start", stream(&gateway)).await;
        if before > 0 {
            gateway.wait_for_heard("start", 2).await;
        }
        obeyed(&exchange, &call, "hangup", json!({})).await;
        let outcome = outcome(&exchange, &call).await;
        assert_eq!(outcome.ended_by, EndedBy::Api);
        assert_eq!(codes(&outcome)[0], 90_046);
    }
}

#[tokio::test]
async fn a_lost_socket_ends_the_call_on_request() {
    let socket = Socket {
        line: Wire::DropsAt(ms(100)),
        abrupt: Abrupt::Ends,
        ..Socket::default()
    };
    let (gateway, exchange, call) = lost(socket).await;
    let outcome = outcome(&exchange, &call).await;
    assert_eq!(outcome.ended_by, EndedBy::SocketFailed);
    let told = [
        "call.initiated",
        "call.answered",
        "streaming.started",
        "streaming.failed",
        "call.hangup",
    ];
    assert_eq!(gateway.names(), told);
}

#[tokio::test]
async fn streams_can_be_mute_disordered_or_full_of_garbage() {
    let (gateway, _exchange, _) = lost(Socket {
        chunks: Chunks::Swapped,
        ..Socket::default()
    })
    .await;
    gateway.wait_for_heard("media", 4).await;
    let heard = gateway.heard();
    let media = heard.iter().filter(|message| message["event"] == "media");
    let chunks: Vec<_> = media
        .take(4)
        .map(|message| message["media"]["chunk"].clone())
        .collect();
    assert_eq!(chunks, ["2", "1", "4", "3"]);
    let (gateway, exchange, call) = lost(Socket {
        connect: Connect::Mute,
        ..Socket::default()
    })
    .await;
    gateway.event("streaming.started").await;
    obeyed(&exchange, &call, "hangup", json!({})).await;
    outcome(&exchange, &call).await;
    assert_eq!(gateway.heard().len(), 1, "connected and no more");
    let (gateway, _exchange, _) = lost(Socket {
        chatter: Chatter::Garbage,
        ..Socket::default()
    })
    .await;
    gateway.wait_for_heard("weather", 1).await;
    assert!(
        gateway
            .heard()
            .iter()
            .any(|message| message["not JSON"].is_string())
    );
}
