//! Everything that can be asked, by everyone who must not.

use exchange::mischief::Mischief;
use futures_util::StreamExt;
use gateway::access::{Scope, Tokens};
use jiff::Timestamp;
use reqwest::{Client, Method, RequestBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{House, soon};
use crate::listener;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_or_done_for_who_may_not_ask_it() {
    let house = House::new(listener(), Mischief::default()).await;
    let (read, _) = token(&house, Scope::Read);
    let (revoked, id) = token(&house, Scope::Admin);
    revoke(&house, &id);
    let admin = house.gateway.token.reveal().to_owned();
    let mut asked = 0;
    for (method, path, guarded) in addresses() {
        let url = format!("{}{path}", house.public);
        let ask = || {
            client()
                .request(method.clone(), &url)
                .json(&serde_json::json!({}))
        };
        let foreign = |request: RequestBuilder, name, value| request.header(name, value);
        let mut cases = vec![
            (
                421,
                foreign(ask().bearer_auth(&admin), "host", "evil.example"),
            ),
            (
                403,
                foreign(ask().bearer_auth(&admin), "origin", "https://evil.example"),
            ),
            (403, foreign(ask().bearer_auth(&admin), "origin", "null")),
        ];
        if guarded {
            cases.extend([
                (401, ask()),
                (401, ask().bearer_auth("offhook_0")),
                (401, ask().bearer_auth(&revoked)),
                (401, ask().header("authorization", format!("Basic {admin}"))),
                (401, ask().header("cookie", format!("token={admin}"))),
                (
                    401,
                    client().request(method.clone(), format!("{url}?token={admin}")),
                ),
            ]);
            if method != Method::GET {
                let only_looks = ask().bearer_auth(&read).header("x-scope", "admin");
                cases.push((403, only_looks));
            }
        }
        for (at, (status, request)) in cases.into_iter().enumerate() {
            let answer = soon(request.send()).await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{method} {path}, {at}");
            asked += 1;
        }
    }
    assert!(asked > 150, "{asked}");
    assert!(house.exchange.requests().is_empty());
    assert!(house.gateway.board.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_ends_when_its_token_is_revoked() {
    let house = House::new(listener(), Mischief::default()).await;
    let (token, id) = token(&house, Scope::Read);
    let url = format!("{}/v1/events", house.public);
    let answer = client().get(&url).bearer_auth(&token).send();
    let answer = soon(answer).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    let mut events = answer.bytes_stream();
    revoke(&house, &id);
    let ended = async { while events.next().await.is_some_and(|it| it.is_ok()) {} };
    soon(ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_over_a_machine_may_call_it_by_its_number() {
    let house = House::new(listener(), Mischief::default()).await;
    for host in ["10.1.2.3:8787", "[fd00::1]:8787", "localhost"] {
        let asked = client().get(format!("{}/healthz", house.public));
        let answer = soon(asked.header("host", host).send())
            .await
            .expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{host}");
    }
}

/// Every address of the document, and whether it takes a token.
fn addresses() -> Vec<(Method, String, bool)> {
    let document = serde_json::to_value(gateway::http::document()).expect("it is JSON");
    let paths = document["paths"].as_object().expect("it has paths");
    let mut all = vec![(Method::GET, "/metrics".to_owned(), true)];
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("it has operations") {
            let needs = operation["security"].as_array().into_iter().flatten();
            let guarded = needs.into_iter().any(|it| it.get("token").is_some());
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let path = path.replace("{id}", "x").replace("{who}", "x");
            assert!(!path.contains('{'), "{path}");
            all.push((method, path, guarded));
        }
    }
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all.dedup();
    all
}

fn token(house: &House, scope: Scope) -> (String, String) {
    let tokens = Tokens::open(house.gateway.board.state());
    let made = tokens.and_then(|mut it| it.create(scope, Timestamp::UNIX_EPOCH));
    let (access, token) = made.expect("the folder is ours");
    (token, access.id)
}

fn revoke(house: &House, id: &str) {
    let tokens = Tokens::open(house.gateway.board.state());
    let revoked = tokens.and_then(|mut it| it.revoke(id));
    assert!(revoked.expect("the folder is ours"));
}

fn client() -> Client {
    let client = Client::builder().no_proxy().build();
    client.expect("a provider is installed by the exchange")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_of_a_call_leads_to_a_file() {
    let house = House::with(listener(), Mischief::default(), |folder, text| {
        std::fs::write(folder.join("canary.wav"), CANARY).expect("the folder is ours");
        let dir = folder.join("recordings");
        format!("{text}\n[recordings]\ndir = {dir:?}\n")
    })
    .await;
    let token = house.gateway.token.reveal();
    let above = house.file("canary");
    let above = above.to_str().expect("it is text");
    let mut asked = 0;
    for way in WAYS {
        for end in [
            "canary",
            "canary.wav",
            "canary.wav%00",
            "state/tokens.json",
            "offhook.toml",
        ] {
            let whole = [
                format!("{way}{end}"),
                format!("{}{way}{end}", "a".repeat(32)),
                format!("{above}{way}"),
            ];
            for name in whole {
                let name = name.replace('/', "%2f");
                for rest in ["/recording", "", "/events?past=true"] {
                    let path = format!("/v1/calls/{name}{rest}");
                    let (status, body) = soon(raw(&house, &path, token)).await;
                    assert!([400, 404].contains(&status), "{path}: {status}");
                    assert!(
                        !body.contains(CANARY) && !body.contains("[server]"),
                        "{path}"
                    );
                    asked += 1;
                }
            }
        }
    }
    assert!(asked >= 200, "{asked}");
}

/// Asks for a path to the byte: a client would make sense of it first.
async fn raw(house: &House, path: &str, token: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(house.gateway.address)
        .await
        .expect("it listens");
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|it| it.parse().ok());
    (status.expect("it has a status"), answer)
}

const CANARY: &str = "a canary that nobody may hear";

/// How one gets out of a folder.
const WAYS: &[&str] = &[
    "../",
    "..%2f",
    "%2e%2e%2f",
    "%2e%2e/",
    "..%252f",
    "%252e%252e%252f",
    "%c0%ae%c0%ae%c0%af",
    "..%c0%af",
    "..%ef%bc%8f",
    "..%5c",
    "%5c%5c127.0.0.1%5cc$%5c",
    "....//",
    "..;/",
    "%00../",
    "../../../../",
    "%2e%2e%2f%2e%2e%2f",
    "./../",
    "%20../",
    "%0d%0a../",
    "~/",
    "%2f",
    "file:%2f%2f%2f",
];
