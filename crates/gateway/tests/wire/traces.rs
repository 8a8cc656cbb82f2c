//! What a collector is told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use exchange::mischief::Mischief;
use gateway::traces::PRIVATE;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::sync::mpsc;

use crate::house::{House, THEIRS, soon};
use crate::listener;

/// A collector, and what it is told.
async fn collector() -> (String, mpsc::UnboundedReceiver<Span>) {
    let (tx, rx) = mpsc::unbounded_channel();
    let take = async |State(tx): State<mpsc::UnboundedSender<Span>>, body: Bytes| {
        let told = ExportTraceServiceRequest::decode(body).expect("it is OTLP");
        let scopes = told
            .resource_spans
            .into_iter()
            .flat_map(|it| it.scope_spans);
        for span in scopes.flat_map(|it| it.spans) {
            let _ = tx.send(span);
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let routes = Router::new().route("/v1/traces", post(take)).with_state(tx);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (format!("http://{address}"), rx)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_over_is_told_without_words_and_numbers() {
    for private in [false, true] {
        let (otlp, mut told) = collector().await;
        let more = format!("[telemetry]\notlp = \"{otlp}\"\nprivate = {private}");
        let house = House::with(listener(), Mischief::default(), |_, text| text + &more).await;
        let record = house
            .notify(THEIRS, "Hi!")
            .await
            .expect("it may be dialled");
        let call = soon(told.recv()).await.expect("the collector is told");
        assert_eq!(call.name, "call");
        let id: String = call.trace_id.iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(id, record.id.to_string());
        assert!(call.start_time_unix_nano < call.end_time_unix_nano);
        let moments: Vec<_> = call.events.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(
            (moments[0], moments.last()),
            ("call.dialed", Some(&"call.ended"))
        );
        let hidden = call.attributes.iter().any(|it| it.key.starts_with(PRIVATE));
        assert_eq!(hidden, private);
        assert_eq!(format!("{call:?}").contains(THEIRS), private);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_delays_nothing() {
    let more = "[telemetry]\notlp = \"http://127.0.0.1:9\"";
    let house = House::with(listener(), Mischief::default(), |_, text| text + more).await;
    let record = house
        .notify(THEIRS, "Hi!")
        .await
        .expect("it may be dialled");
    soon(record.log.ended()).await;
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a provider is installed by the exchange");
    let dropped = async || {
        let figures = client.get(format!("{}/metrics", house.public));
        let figures = figures.bearer_auth(house.gateway.token.reveal()).send();
        let text = figures
            .await
            .expect("it answers")
            .text()
            .await
            .expect("it ends");
        let found = text
            .lines()
            .find_map(|it| it.strip_prefix("offhook_traces_dropped_total "));
        found.is_some_and(|it| it != "0")
    };
    soon(async { while !dropped().await {} }).await;
}
