//! What `offhook doctor` finds wrong with an account, a number or an address: each in one sentence.

use std::process::Output;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use exchange::Exchange;
use exchange::standing::{Owner, Standing, Terms};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::house::{OURS, STRANGER, THEIRS, free_address};
use crate::ms;

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_over_every_wire() {
    for carrier in exchange::CARRIERS {
        let house = Ill::new(carrier, Wrong::Nothing).await;
        let found = house.examine().await;
        assert!(
            found.is("number", "ok", "its webhooks come to"),
            "{found:?}"
        );
        assert!(
            found.is(
                "public_url",
                "warn",
                "leads here, but only from this machine"
            ),
            "{found:?}"
        );
        let fails = found.0.iter().filter(|it| it["health"] == "fail").count();
        assert_eq!(fails, 0, "{found:?}");
        let signs = *carrier != "telnyx";
        assert_eq!(
            found.is("webhooks of", "ok", "arrives as it was sent"),
            signs,
            "{found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_leads_elsewhere() {
    for carrier in exchange::CARRIERS {
        let house = Ill::new(carrier, Wrong::Nothing).await;
        house.exchange.set_number(
            OURS,
            "https://old.example.com/voice",
            "https://old.example.com/s",
        );
        let found = house.examine().await;
        let ours = format!("{}/{carrier}/voice", house.public);
        let sentence = format!(
            "its webhooks go to https://old.example.com/voice, and by the configuration they should come to {ours}"
        );
        assert!(found.is("number", "fail", &sentence), "{found:?}");

        house
            .exchange
            .give_number(OURS, Owner::Application("AP0123456789".to_owned()));
        let found = house.examine().await;
        assert!(found.is("number", "fail", "it belongs to the"), "{found:?}");
        assert!(
            found.is("number", "fail", "so calls to it do not come here"),
            "{found:?}"
        );

        let other = Ill::with(carrier, Wrong::Nothing, STRANGER).await;
        let found = other.examine().await;
        let sentence = format!("it is not a number of this account of carrier {carrier}");
        assert!(found.is("number", "fail", &sentence), "{found:?}");
    }
    let house = Ill::new("twilio", Wrong::Nothing).await;
    house
        .exchange
        .give_number(OURS, Owner::Trunk("TK0123456789".to_owned()));
    let found = house.examine().await;
    assert!(
        found.is("number", "fail", "it belongs to the trunk TK0123456789"),
        "{found:?}"
    );
    let ours = format!("{}/twilio/voice", house.public);
    house.exchange.set_number(OURS, "", "");
    let found = house.examine().await;
    assert!(
        found.is("number", "fail", "nobody is asked about calls to it"),
        "{found:?}"
    );
    house.exchange.set_number(OURS, &ours, "");
    let found = house.examine().await;
    assert!(
        found.is("number", "warn", "how its calls end is told to nobody"),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_call() {
    let trial = Terms::Trial(vec![THEIRS.to_owned()]);
    let cases = [
        (
            "twilio",
            trial.clone(),
            "",
            "warn",
            "a trial account of Twilio calls only numbers that it has verified",
        ),
        (
            "plivo",
            trial,
            "",
            "warn",
            "a trial account of Plivo calls only numbers that it has verified",
        ),
        (
            "twilio",
            Terms::Spent,
            "",
            "fail",
            "the Twilio account is suspended",
        ),
        (
            "plivo",
            Terms::Spent,
            "",
            "fail",
            "the Plivo account has no credit left",
        ),
        (
            "telnyx",
            Terms::Spent,
            "",
            "fail",
            "Telnyx has switched off the application",
        ),
        (
            "twilio",
            Terms::Paid,
            "1",
            "warn",
            "Twilio does not let this account call numbers with +1",
        ),
        (
            "telnyx",
            Terms::Paid,
            "1",
            "fail",
            "has no outbound voice profile, so it may call nobody",
        ),
    ];
    for (carrier, terms, closed, health, sentence) in cases {
        let house = Ill::new(carrier, Wrong::Nothing).await;
        let closed: Vec<String> = [closed]
            .iter()
            .filter(|it| !it.is_empty())
            .map(|&it| it.to_owned())
            .collect();
        house.exchange.set_standing(Standing {
            terms,
            closed,
            ahead: 0,
        });
        let found = house.examine().await;
        assert!(
            found.is("carrier", health, sentence),
            "{carrier} {sentence}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off() {
    for carrier in exchange::CARRIERS {
        for (ahead, word) in [(120, "behind"), (-120, "ahead of")] {
            let house = Ill::new(carrier, Wrong::Nothing).await;
            house.exchange.set_standing(Standing {
                ahead,
                ..Standing::default()
            });
            let found = house.examine().await;
            assert!(found.is("clock", "fail", word), "{found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_something_in_between() {
    let cases = [
        (
            Wrong::Query,
            "webhooks of",
            "their signature fails: one sent to",
        ),
        (
            Wrong::Body,
            "webhooks of",
            "something on the way changes their body",
        ),
        (Wrong::Header, "webhooks of", "their signature fails:"),
        (Wrong::Redirect, "public_url", "sends whoever comes on to"),
        (
            Wrong::Other,
            "public_url",
            "leads to something that is not offhook",
        ),
        (Wrong::Away, "public_url", "cannot be reached"),
    ];
    for (wrong, what, sentence) in cases {
        for carrier in ["plivo", "twilio"] {
            let house = Ill::new(carrier, wrong).await;
            let found = house.examine().await;
            assert!(
                found.is(what, "fail", sentence),
                "{carrier} {wrong:?}: {found:?}"
            );
        }
    }
    // A carrier whose key we do not have can only be reached or not.
    let house = Ill::new("telnyx", Wrong::Query).await;
    assert!(house.examine().await.is("public_url", "warn", "leads here"));
}

/// What is wrong between the public address and the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The query is left out.
    Query,
    /// Spaces around it.
    Body,
    /// The carrier's signature is taken out.
    Header,
    /// To the same with a slash.
    Redirect,
    /// Another page.
    Other,
    /// Nobody is there.
    Away,
}

/// A configuration and an exchange, one of them ill.
struct Ill {
    exchange: Exchange,
    public: String,
    folder: TempDir,
}

impl Ill {
    async fn new(carrier: &str, wrong: Wrong) -> Self {
        Self::with(carrier, wrong, OURS).await
    }

    /// With this number in the configuration.
    async fn with(carrier: &str, wrong: Wrong, number: &str) -> Self {
        let listen = free_address().to_string();
        let public = proxy(&listen, wrong).await;
        let exchange = Exchange::builder()
            .carrier(carrier)
            .number(OURS, &format!("{public}/{carrier}/voice"))
            .status_url(&format!("{public}/{carrier}/status"))
            .start()
            .await
            .expect("the exchange starts");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let text = format!(
            "[server]\nlisten = \"{listen}\"\npublic_url = \"{public}\"\n{}\n\
             [numbers.\"{number}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [agents.echo]\nkind = \"echo-test\"\n[policy]\ncall = [\"{THEIRS}\"]\n",
            exchange.configuration()
        );
        std::fs::write(folder.path().join("offhook.toml"), text).expect("the folder is ours");
        Self {
            exchange,
            public,
            folder,
        }
    }

    async fn examine(&self) -> Found {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_offhook"));
        command
            .args(["doctor", "--json"])
            .current_dir(self.folder.path())
            .env_remove("OFFHOOK_CONFIG")
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path())
            .kill_on_drop(true);
        let done = tokio::time::timeout(ms(60_000), command.output()).await;
        let Output { stdout, stderr, .. } = done.expect("it ends").expect("it starts");
        let report: Value = serde_json::from_slice(&stdout)
            .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&stderr)));
        Found(report["checks"].as_array().expect("a list").clone())
    }
}

#[derive(Debug)]
struct Found(Vec<Value>);

impl Found {
    /// Whether that was found of it.
    fn is(&self, what: &str, health: &str, sentence: &str) -> bool {
        let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
        self.0.iter().any(|it| {
            let right = text(it, "what").starts_with(what) && it["health"] == health;
            // What is wrong comes with what to do.
            let hinted = health == "ok" || it["hint"].is_string();
            right && hinted && text(it, "message").contains(sentence)
        })
    }
}

/// Passes on what comes to `listen`, in its own way. Its address.
async fn proxy(listen: &str, wrong: Wrong) -> String {
    if wrong == Wrong::Nothing {
        return format!("http://{listen}");
    }
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    if wrong != Wrong::Away {
        let to: Arc<str> = format!("http://{listen}").into();
        let app = Router::new().fallback(move |request: Request<Body>| pass_on(to, wrong, request));
        tokio::spawn(async move { axum::serve(listener, app).await });
    }
    format!("http://{address}")
}

async fn pass_on(to: Arc<str>, wrong: Wrong, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = axum::body::to_bytes(body, 64 * 1024)
        .await
        .expect("it is short")
        .to_vec();
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut path = path.to_owned();
    match wrong {
        Wrong::Nothing | Wrong::Away | Wrong::Header => {}
        Wrong::Query => path = parts.uri.path().to_owned(),
        Wrong::Body if !body.is_empty() => body.push(b' '),
        Wrong::Body => {}
        Wrong::Redirect => {
            let there = format!("{}/", parts.uri.path());
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, there)]).into_response();
        }
        Wrong::Other => return "Welcome to your new site!".into_response(),
    }
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let mut onward = client
        .request(parts.method, format!("{to}{path}"))
        .body(body);
    for (name, value) in &parts.headers {
        let signs = name.as_str().contains("signature");
        let ours = *name == header::HOST || *name == header::CONTENT_LENGTH;
        let taken = signs && wrong == Wrong::Header;
        if !(ours || taken) {
            onward = onward.header(name, value);
        }
    }
    match onward.send().await {
        Ok(answer) => {
            let status = answer.status();
            (status, answer.bytes().await.unwrap_or_default()).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
