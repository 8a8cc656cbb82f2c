use call::Keys;
use ports::carrier::Leg;
use ports::{Retry, code};
use serde_json::{Value, json};

use super::requests::Recorder;
use super::{CALL, ID, REQUEST, carrier_at, oracle};

#[tokio::test]
async fn keys_are_pressed_by_the_request_that_plivos_library_makes() {
    let exchange = Recorder::start(vec![(202, json!({"message": "digits sent"}))]).await;
    let presses = carrier_at(exchange.address).presses.expect("it can");
    let done = presses.press(&leg(), &parsed("12#a")).await;
    done.expect("they are pressed");
    let requests = exchange.requests();
    assert_eq!(requests.len(), 1);
    let golden = oracle("vectors/golden-requests.json");
    let mut all = golden["plivo"].as_array().expect("a list").iter();
    let theirs = all.find(|it| it["action"] == "dtmf");
    let theirs = theirs.expect("the library sends it");
    assert_eq!(requests[0].method, theirs["method"]);
    assert_eq!(requests[0].content_type, theirs["content_type"]);
    let theirs_url = theirs["url"].as_str().expect("an address");
    let account = format!("MA{}", "X".repeat(18));
    assert_eq!(
        format!("https://api.plivo.com{}", requests[0].path),
        theirs_url.replace(&account, ID)
    );
    // The library repeats the name of the call, and presses where there is another leg.
    let mut body = theirs["json"].clone();
    body.as_object_mut().expect("an object").remove("call_uuid");
    body["digits"] = json!("12#A");
    body["leg"] = json!("aleg");
    assert_eq!(requests[0].body, body);
}

#[tokio::test]
async fn what_plivo_has_no_word_for_is_not_asked_for() {
    let exchange = Recorder::start(vec![(503, Value::Null)]).await;
    let presses = carrier_at(exchange.address).presses.expect("it can");
    let paused = presses.press(&leg(), &parsed("1w2")).await;
    let paused = paused.expect_err("there is a pause");
    assert_eq!(paused.code, code::CARRIER_REFUSED);
    for name in [format!("request/{REQUEST}"), "../x".to_owned()] {
        let done = presses.press(&Leg(name), &parsed("1")).await;
        let fault = done.expect_err("it is not up");
        assert_eq!(fault.code, code::CARRIER_NO_SUCH_CALL);
    }
    assert_eq!(exchange.requests().len(), 0);
    let trouble = presses.press(&leg(), &parsed("1")).await;
    let trouble = trouble.expect_err("nobody knows");
    assert_eq!(trouble.code, code::CARRIER_UNREACHABLE);
    assert_ne!(trouble.retry, Retry::IfNotSent);
    assert_eq!(exchange.requests().len(), 1, "it is sent once");
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

fn parsed(keys: &str) -> Keys {
    Keys::parse(keys).expect("they are keys")
}
