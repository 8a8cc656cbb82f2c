//! What Twilio says no to, in our words.

use ports::Blame::{self, Agent, Carrier, Config, Gateway};
use ports::Retry::{self, IfNotSent, Never};
use ports::carrier::Leg;
use ports::{Fault, code};
use serde_json::{Value, json};

use super::recorder::Recorder;
use super::requests::{dial, number};
use super::{TOKEN, carrier_at};

#[tokio::test]
async fn each_refusal_says_whose_it_is_and_what_to_do() {
    for &(status, number, code, blame, retry) in REFUSALS {
        let message = "Twilio could not call +15551230000 (555 123-0000), see the log";
        let body = json!({"code": number, "message": message, "status": status,
            "more_info": format!("https://www.twilio.com/docs/errors/{number}")});
        let fault = dial_answered_with(status, body)
            .await
            .expect_err("it is refused");
        assert_eq!(
            (fault.code, fault.blame, fault.retry),
            (code, blame, retry),
            "{number}"
        );
        assert!(fault.message.contains(&number.to_string()), "{fault}");
        assert!(
            fault.hint.as_ref().is_some_and(|it| it.len() > 20),
            "{number}"
        );
        let told = format!("{fault:?}");
        assert!(
            !told.contains("5551230000") && !told.contains("123-0000"),
            "{told}"
        );
        assert!(!told.contains(TOKEN), "{told}");
    }
    println!("refusals understood: {}", REFUSALS.len());
}

#[tokio::test]
async fn a_refusal_that_is_not_twilios_goes_by_its_status() {
    for (status, code, retry) in [
        (401, code::CARRIER_CREDENTIALS, Retry::Never),
        (404, code::CARRIER_NO_SUCH_CALL, Retry::Never),
        (429, code::CARRIER_BUSY, Retry::IfNotSent),
        (403, code::CARRIER_REFUSED, Retry::Never),
        (302, code::CARRIER_REFUSED, Retry::Never),
    ] {
        let fault = dial_answered_with(status, json!("<html>no</html>")).await;
        let fault = fault.expect_err("it is refused");
        assert_eq!((fault.code, fault.retry), (code, retry), "{status}");
    }
}

async fn dial_answered_with(status: u16, body: Value) -> Result<Leg, Fault> {
    let exchange = Recorder::start(vec![(status, body)]).await;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let outcome = carrier_at(exchange.address)
        .calls
        .dial(dial(&from, &to))
        .await;
    assert_eq!(exchange.requests().len(), 1, "a dial is one request");
    outcome
}

/// HTTP status and Twilio's number, and what becomes of them.
const REFUSALS: &[(u16, u32, &str, Blame, Retry)] = &[
    (401, 20003, code::CARRIER_CREDENTIALS, Config, Never),
    (400, 21210, code::CARRIER_NUMBER_NOT_OWNED, Config, Never),
    (400, 21212, code::CARRIER_NUMBER_NOT_OWNED, Config, Never),
    (400, 21201, code::CARRIER_NO_SUCH_NUMBER, Agent, Never),
    (400, 21211, code::CARRIER_NO_SUCH_NUMBER, Agent, Never),
    (400, 21214, code::CARRIER_NO_SUCH_NUMBER, Agent, Never),
    (400, 21217, code::CARRIER_NO_SUCH_NUMBER, Agent, Never),
    (400, 13224, code::CARRIER_NO_SUCH_NUMBER, Agent, Never),
    (403, 21215, code::CARRIER_NOT_PERMITTED, Config, Never),
    (403, 13227, code::CARRIER_NOT_PERMITTED, Config, Never),
    (403, 21216, code::CARRIER_NOT_PERMITTED, Config, Never),
    (403, 13225, code::CARRIER_NOT_PERMITTED, Config, Never),
    (400, 21219, code::CARRIER_NOT_PERMITTED, Config, Never),
    (429, 20429, code::CARRIER_BUSY, Carrier, IfNotSent),
    (400, 10004, code::CARRIER_BUSY, Carrier, IfNotSent),
    (400, 21205, code::CARRIER_REFUSED, Carrier, Never),
    (400, 21626, code::CARRIER_REFUSED, Carrier, Never),
    (404, 20404, code::CARRIER_NO_SUCH_CALL, Gateway, Never),
];
