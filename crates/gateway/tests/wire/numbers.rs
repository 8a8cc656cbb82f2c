//! What an account has and may do, asked and changed over every carrier's wire.

use std::time::SystemTime;

use call::Number;
use exchange::standing::{Owner, Standing, Terms};
use exchange::{Builder, Exchange, Request};
use gateway::cli::lists;
use gateway::config;
use ports::account::{Addresses, Obstacle, OwnNumber, Routed, Takes};
use ports::carrier::Carrier;
use ports::code;

use crate::house::{OURS, THEIRS};

/// Asks every carrier the same.
macro_rules! every {
    ($($carrier:ident),*) => {
        $(mod $carrier {
            #[tokio::test]
            async fn a_number_is_found_and_pointed() {
                super::a_number_is_found_and_pointed(stringify!($carrier)).await;
            }

            #[tokio::test]
            async fn a_number_is_taken_from_what_has_it() {
                super::a_number_is_taken_from_what_has_it(stringify!($carrier)).await;
            }

            #[tokio::test]
            async fn all_numbers_are_listed_page_by_page() {
                super::all_numbers_are_listed_page_by_page(stringify!($carrier)).await;
            }

            #[tokio::test]
            async fn what_the_account_may_not_do_is_known_beforehand() {
                super::what_the_account_may_not_do_is_known_beforehand(stringify!($carrier)).await;
            }

            #[tokio::test]
            async fn the_carrier_says_what_time_it_has() {
                super::the_carrier_says_what_time_it_has(stringify!($carrier)).await;
            }
        })*
    };
}

every! { plivo, telnyx, twilio }

async fn a_number_is_found_and_pointed(carrier: &str) {
    let (exchange, carrier) = start(carrier, Exchange::builder()).await;
    let numbers = carrier.numbers.as_ref().expect("it can say");
    let ours = number(OURS);
    let found = numbers.find(&ours).await.expect("it says");
    let found = found.expect("it is the account's");
    assert_eq!((&found.number, found.takes), (&ours, Takes::Calls));
    let at = |routed: &Routed| match routed {
        Routed::Here(it) => it.voice.clone(),
        Routed::Elsewhere(_) | Routed::Nowhere => String::new(),
    };
    assert_eq!(at(&found.routed), "http://127.0.0.1:9/");

    let (voice, status) = (
        "https://v.example.com/a/voice",
        "https://v.example.com/a/status",
    );
    let to = Addresses {
        voice: voice.to_owned(),
        status: status.to_owned(),
    };
    for _ in 0..2 {
        // Twice is as good as once.
        numbers.point(&ours, &to).await.expect("it is pointed");
        let found = numbers.find(&ours).await.expect("it says");
        assert_eq!(at(&found.expect("still there").routed), voice);
    }
    let (there, _) = exchange.addresses(OURS).expect("it is the account's");
    assert_eq!(there, voice);
    assert_eq!(numbers.find(&number(THEIRS)).await.expect("it says"), None);
    let fault = numbers.point(&number(THEIRS), &to).await;
    assert_eq!(
        fault.expect_err("it is somebody else's").code,
        code::CARRIER_NUMBER_NOT_OWNED
    );
    as_its_own_library_asks(exchange.carrier(), &exchange.requests());
}

/// What the carriers' own Python libraries send for the same: twilio 9.13.0, telnyx 4.189.0, plivo
/// 4.63.0, as a server on loopback received it. They add defaults to some forms (Plivo's
/// `fallback_method`…), which say nothing.
fn as_its_own_library_asks(carrier: &str, requests: &[Request]) {
    let changes: Vec<String> = requests
        .iter()
        .filter(|it| it.method != "GET" && it.status < 300)
        .take(3)
        .map(|it| {
            let form: Vec<String> = it.form.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let parts: Vec<&str> = it.path.split('/').collect();
            let plain = |part: &&str| if part.len() > 17 { "ID" } else { part }.to_owned();
            let path: Vec<String> = parts.iter().map(plain).collect();
            format!("{} {} {}", it.method, path.join("/"), form.join(" "))
        })
        .collect();
    let (voice, status) = (
        "https://v.example.com/a/voice",
        "https://v.example.com/a/status",
    );
    let expected = match carrier {
        "twilio" => vec![format!(
            "POST /2010-04-01/Accounts/ID/ID/ID VoiceUrl={voice} VoiceMethod=POST \
             StatusCallback={status} StatusCallbackMethod=POST"
        )],
        "telnyx" => vec![format!(
            "PATCH /v2/ID/ID application_name=exchange webhook_event_url={voice} webhook_api_version=2"
        )],
        "plivo" => vec![
            format!(
                "POST /v1/Account/ID/Application/ answer_url={voice} answer_method=POST \
                 hangup_url={status} hangup_method=POST app_name=offhook-15550001111"
            ),
            "POST /v1/Account/ID/Number/15550001111/ app_id=ID".to_owned(),
        ],
        other => panic!("{other} is another carrier"),
    };
    for (ours, theirs) in changes.iter().zip(&expected) {
        let ours = ours.split(" app_id=").next().unwrap_or(ours);
        let theirs = theirs.split(" app_id=").next().unwrap_or(theirs);
        assert_eq!(ours, theirs);
    }
    assert!(changes.len() >= expected.len(), "{changes:?}");
}

async fn a_number_is_taken_from_what_has_it(carrier: &str) {
    let (exchange, carrier) = start(carrier, Exchange::builder()).await;
    let numbers = carrier.numbers.as_ref().expect("it can say");
    let ours = number(OURS);
    for owner in [
        Owner::Application("AP0123456789".to_owned()),
        Owner::Trunk("TK0123456789".to_owned()),
    ] {
        exchange.give_number(OURS, owner);
        assert_eq!(exchange.addresses(OURS), None, "something else has it");
        let found = numbers.find(&ours).await.expect("it says");
        let routed = found.expect("it is the account's").routed;
        assert!(matches!(routed, Routed::Elsewhere(_)), "{routed:?}");
        let to = Addresses {
            voice: "https://v.example.com/voice".to_owned(),
            status: "https://v.example.com/status".to_owned(),
        };
        numbers.point(&ours, &to).await.expect("it is taken");
        let (voice, _) = exchange.addresses(OURS).expect("its own count again");
        assert_eq!(voice, to.voice);
    }
}

async fn all_numbers_are_listed_page_by_page(carrier: &str) {
    let mut exchange = Exchange::builder();
    for last in 10..70 {
        exchange = exchange.number(&format!("+155501200{last}"), "https://a.example.com/v");
    }
    let (exchange, carrier) = start(carrier, exchange).await;
    let numbers = carrier.numbers.as_ref().expect("it can say");
    let found: Vec<OwnNumber> = numbers.list().await.expect("it lists them");
    let mut found: Vec<&str> = found.iter().map(|it| it.number.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 61, "each is there");
    assert!(exchange.requests().len() > 2, "it took several pages");
}

async fn what_the_account_may_not_do_is_known_beforehand(carrier: &str) {
    let (exchange, carrier) = start(carrier, Exchange::builder()).await;
    let account = carrier.account.as_ref().expect("it can say");
    let (us, gb) = (number(THEIRS), number("+442071838750"));
    let obstacles = async || {
        let found = account.obstacles(&[&us, &gb]).await.expect("it says");
        let line = |it: &Obstacle| match it {
            Obstacle::All(fault) => format!("all: {fault}"),
            Obstacle::Some(fault) => format!("some: {fault}"),
        };
        found.iter().map(line).collect::<Vec<_>>()
    };
    assert!(obstacles().await.is_empty(), "it may call");
    exchange.set_standing(Standing {
        terms: Terms::Spent,
        ..Standing::default()
    });
    let found = obstacles().await;
    assert!(
        found.len() == 1 && found[0].starts_with("all: "),
        "{found:?}"
    );
    exchange.set_standing(Standing {
        terms: Terms::Trial(vec![THEIRS.to_owned()]),
        closed: vec!["44".to_owned()],
        ahead: 0,
    });
    let found = obstacles().await;
    // Each carrier says what it can: one whether it is a trial, one about countries, one both.
    assert!(!found.is_empty(), "{found:?}");
    if exchange.carrier() == "twilio" {
        assert_eq!(
            found,
            [
                "some: a trial account of Twilio calls only numbers that it has verified",
                "some: Twilio does not let this account call numbers with +44",
            ]
        );
    }
}

async fn the_carrier_says_what_time_it_has(carrier: &str) {
    let (exchange, carrier) = start(carrier, Exchange::builder()).await;
    let account = carrier.account.as_ref().expect("it can say");
    for ahead in [0_i64, 300, -300] {
        exchange.set_standing(Standing {
            ahead,
            ..Standing::default()
        });
        let there = account.time().await.expect("it says");
        let off = match there.duration_since(SystemTime::now()) {
            Ok(ahead) => i64::try_from(ahead.as_secs()).expect("it is not long"),
            Err(behind) => -i64::try_from(behind.duration().as_secs()).expect("it is not long"),
        };
        assert!((off - ahead).abs() <= 5, "{off} is not {ahead}");
    }
}

async fn start(carrier: &str, exchange: Builder) -> (Exchange, Carrier) {
    let exchange = exchange
        .carrier(carrier)
        .number(OURS, "http://127.0.0.1:9/")
        .start()
        .await
        .expect("the exchange starts");
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("offhook.toml");
    let text = format!(
        "[server]\npublic_url = \"http://127.0.0.1:1\"\n{}",
        exchange.configuration()
    );
    std::fs::write(&path, text).expect("it can be written");
    let loaded = config::load(&path, &lists()).unwrap_or_else(|them| panic!("{them:#?}"));
    let carrier = loaded.plan.carriers[exchange.carrier()].clone();
    (exchange, carrier)
}

fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}
