//! What programs are promised.

use exchange::mischief::Mischief;
use expect_test::expect_file;
use serde_json::Value;

use crate::house::{House, THEIRS, soon};
use crate::listener;

#[test]
fn the_api_is_described_like_this() {
    let document = gateway::http::document();
    let text = document.to_pretty_json().expect("it is plain data");
    expect_file!["../../../../docs/openapi.json"].assert_eq(&(text + "\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_one_form() {
    let house = House::new(listener(), Mischief::default()).await;
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a provider is installed by the exchange");
    let cases = [
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/v1/calls", 405),
        ("PUT", "/healthz", 405),
        ("GET", "/v1/calls?most=0", 400),
        ("GET", "/v1/calls?most=1001", 400),
        ("GET", "/v1/calls?most=x", 400),
        ("GET", "/v1/calls?least=1", 400),
        ("GET", "/v1/calls/%ff", 404),
        ("GET", "/v1/events?since=-1", 400),
        ("GET", "/v1/events?past=maybe", 400),
        ("POST", "/v1/calls/nobody/end", 404),
    ];
    for (method, path, status) in cases {
        let method = method.parse().expect("it is a method");
        let request = client
            .request(method, format!("{}{path}", house.public))
            .bearer_auth(house.gateway.token.reveal());
        let answer = soon(request.send()).await.expect("it answers");
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(
            answer.headers().contains_key("allow"),
            status == 405,
            "{path}"
        );
        let problem: Value = soon(answer.json()).await.expect("it is JSON");
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["hint"].is_string(), "{path}");
    }
    let events = format!("{}/v1/events?past=true", house.public);
    for (last, status) in [("0", 200), ("9223372036854775808", 400), ("x", 400)] {
        let request = client.get(&events).header("Last-Event-ID", last);
        let request = request.bearer_auth(house.gateway.token.reveal());
        let answer = soon(request.send()).await.expect("it answers");
        assert_eq!(answer.status(), status, "{last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_can_be_read_by_owners_and_names_nobody() {
    let house = House::new(listener(), Mischief::default()).await;
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a provider is installed by the exchange");
    let url = format!("{}/metrics", house.public);
    let stranger = soon(client.get(&url).send()).await.expect("it answers");
    assert_eq!(stranger.status(), 401);
    let record = house
        .notify(THEIRS, "Hi!")
        .await
        .expect("it may be dialled");
    soon(record.log.ended()).await;
    let owner = client.get(&url).bearer_auth(house.gateway.token.reveal());
    let answer = soon(owner.send()).await.expect("it answers");
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4"
    );
    let text = soon(answer.text()).await.expect("it ends");
    let figure = |name: &str| {
        let found = text.lines().find_map(|it| it.strip_prefix(name));
        let found = found.unwrap_or_else(|| panic!("no {name} in {text}"));
        found.trim().parse::<f64>().expect("it is a number")
    };
    // Other tests count in the same process.
    for name in [
        "offhook_calls_begun_total{direction=\"outbound\"}",
        "offhook_calls_answered_total{direction=\"outbound\"}",
        "offhook_calls_ended_total{by=\"agent\",why=\"completed\"}",
        "offhook_media_frame_lateness_seconds_count",
        "offhook_journal_flush_seconds_count",
        "offhook_journal_writable",
    ] {
        assert!(figure(name) >= 1.0, "{name} in {text}");
    }
    assert!(!text.contains("1555") && !text.contains(&record.id.to_string()));
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let offhook = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_offhook"));
        let done = command.args(arguments).output().expect("it runs");
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).expect("it is text")
    };
    let pages = folder.path().join("man1");
    offhook(&["man", pages.to_str().expect("it is text")]);
    let page = std::fs::read_to_string(pages.join("offhook-latency.1")).expect("it is there");
    assert!(page.contains("\\-\\-most"), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let script = offhook(&["completions", shell]);
        assert!(
            script.contains("latency") && script.contains("most"),
            "{shell}"
        );
    }
}
