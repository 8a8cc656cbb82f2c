use call::Keys;
use ports::carrier::Leg;
use ports::{Retry, code};
use serde_json::{Value, json};

use super::requests::{Recorder, check};
use super::{CALL, carrier_at, oracle};

#[tokio::test]
async fn keys_are_pressed_by_one_command_with_the_pauses_between_them() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"result": "ok"}}))]).await;
    let presses = carrier_at(exchange.address).presses.expect("it can");
    for (keys, said) in [("1w2#", "1w2#"), ("*0aDW9", "*0ADw9")] {
        let done = presses.press(&leg(), &parsed(keys)).await;
        done.expect("they are pressed");
        let requests = exchange.requests();
        let request = requests.last().expect("it was sent");
        assert_eq!(
            request.body,
            json!({"digits": said, "duration_millis": 100})
        );
        assert_eq!(
            check(&oracle("telnyx/telnyx-voice.openapi.json"), request),
            Ok(())
        );
        let golden = oracle("vectors/golden-requests.json");
        let mut all = golden["telnyx"].as_array().expect("a list").iter();
        let theirs = all.find(|it| it["action"] == "send dtmf");
        let theirs = theirs.expect("the library sends it");
        assert_eq!(request.method, theirs["method"]);
        let path = request.path.replace(CALL, "v3:abc-DEF_1");
        assert_eq!(format!("https://api.telnyx.com{path}"), theirs["url"]);
        let names = |it: &Value| -> Vec<String> {
            it.as_object().expect("an object").keys().cloned().collect()
        };
        assert_eq!(names(&request.body), names(&theirs["json"]));
    }
}

#[tokio::test]
async fn it_can_be_told_whether_keys_were_pressed() {
    let refusal = json!({"errors": [{"code": "90018", "title": "Call has already ended"}]});
    let exchange = Recorder::start(vec![(422, refusal), (503, Value::Null)]).await;
    let presses = carrier_at(exchange.address).presses.expect("it can");
    let refused = presses.press(&leg(), &parsed("1")).await;
    let refused = refused.expect_err("the call is over");
    assert_ne!(refused.code, code::CARRIER_UNREACHABLE);
    let trouble = presses.press(&leg(), &parsed("1")).await;
    let trouble = trouble.expect_err("nobody knows");
    assert_eq!(trouble.code, code::CARRIER_UNREACHABLE);
    assert_ne!(trouble.retry, Retry::IfNotSent);
    assert_eq!(exchange.requests().len(), 2, "each is sent once");
    let nobody = ([127, 0, 0, 1], 1).into();
    let presses = carrier_at(nobody).presses.expect("it can");
    let unsent = presses.press(&leg(), &parsed("1")).await;
    assert_eq!(
        unsent.expect_err("nobody listens there").retry,
        Retry::IfNotSent
    );
    let strange = presses.press(&Leg("../x".to_owned()), &parsed("1")).await;
    assert_eq!(
        strange.expect_err("that is no call").code,
        code::CARRIER_NO_SUCH_CALL
    );
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

fn parsed(keys: &str) -> Keys {
    Keys::parse(keys).expect("they are keys")
}
