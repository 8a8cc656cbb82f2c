//! Keys of an account's, to sign in to its carrier's API with.

use std::path::Path;

use exchange::mischief::Mischief;
use exchange::{Answer, EndedBy};
use ports::code;

use crate::house::{House, THEIRS, exchange_of, soon};
use crate::listener;

/// A key signs in to the API instead of the account's token, which webhooks are still signed with.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_makes_calls_whose_webhooks_the_account_signs() {
    let with = |secret: &'static str| {
        move |_: &Path, text: String| {
            let key = format!("api_key = \"{KEY}\"\napi_secret = \"{secret}\"\napi_url");
            text.replacen("api_url", &key, 1)
        }
    };
    let house = House::of("twilio", listener(), Mischief::default(), with("s3cret")).await;
    house.exchange.add_key(KEY, "s3cret").expect("it has keys");
    let record = house.notify(THEIRS, "Hi").await.expect("it may be called");
    assert_eq!(house.outcome().await.ended_by, EndedBy::Api);
    soon(record.log.ended()).await;
    let deliveries = house.exchange.deliveries();
    assert!(deliveries.len() >= 3 && deliveries.iter().all(|it| it.answer == Answer::Status(200)));

    let house = House::of("twilio", listener(), Mischief::default(), with("another")).await;
    house.exchange.add_key(KEY, "s3cret").expect("it has keys");
    let record = house.notify(THEIRS, "Hi").await.expect("it may be called");
    soon(record.log.ended()).await;
    assert_eq!(
        record.fault().map(|it| it.code),
        Some(code::CARRIER_CREDENTIALS)
    );
    let checked = house.gateway.board.plan().carriers["twilio"]
        .calls
        .check()
        .await;
    let fault = checked.expect_err("the secret is another");
    assert_eq!(fault.code, code::CARRIER_CREDENTIALS);

    let others = exchange_of("telnyx").start().await.expect("it starts");
    assert_eq!(others.add_key(KEY, "s3cret"), Err(exchange::NoKeys));
}

const KEY: &str = "SK22222222222222222222222222222222";
