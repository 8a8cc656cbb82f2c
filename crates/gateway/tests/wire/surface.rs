//! What programs are promised.

use exchange::mischief::Mischief;
use expect_test::expect_file;
use serde_json::Value;

use crate::house::{House, soon};
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
