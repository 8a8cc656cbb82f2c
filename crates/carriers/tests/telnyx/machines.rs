//! What Telnyx is asked about whoever picks up, and how it says it.

use call::event::Who;
use ports::Value;
use ports::carrier::{Detect, Dial, Door, Machines, News};
use serde_json::json;

use super::requests::{Recorder, check, dial, number};
use super::{CALL, carrier, entry, oracle, settings, signed};

#[tokio::test]
async fn it_is_asked_only_where_it_is_wanted() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"call_control_id": CALL}}))]).await;
    let at = |machines: &str| {
        let settings = settings()
            .with(
                "api_url",
                Value::Text(format!("http://{}", exchange.address)),
            )
            .with("machines", Value::Text(machines.to_owned()));
        (entry().build)(&settings).unwrap_or_else(|them| panic!("{them:?}"))
    };
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let api = oracle("telnyx/telnyx-voice.openapi.json");
    for (machines, detect, asked) in [
        ("own", Detect::Machines, json!(null)),
        ("carrier", Detect::Nothing, json!(null)),
        ("carrier", Detect::Machines, json!("detect")),
    ] {
        let dial = Dial {
            name: "0192",
            detect,
            ..dial(&from, &to)
        };
        at(machines).calls.dial(dial).await.expect("it is dialled");
        let request = exchange.requests().pop().expect("it was dialled");
        assert_eq!(check(&api, &request), Ok(()), "{request:?}");
        assert_eq!(request.body["answering_machine_detection"], asked);
    }
    assert_eq!(at("own").machines, Machines::Heard);
    assert_eq!(at("carrier").machines, Machines::Told);
}

#[test]
fn every_word_it_has_is_understood() {
    let (plain, premium) = (
        "call.machine.detection.ended",
        "call.machine.premium.detection.ended",
    );
    for (event, word, who) in [
        (plain, "human", Who::Human),
        (plain, "machine", Who::Machine),
        (plain, "not_sure", Who::Unknown),
        (premium, "human_residence", Who::Human),
        (premium, "human_business", Who::Human),
        (premium, "fax_detected", Who::Machine),
        (premium, "silence", Who::Unknown),
    ] {
        assert_eq!(news(event, word), News::AnsweredBy(who), "{event} {word}");
    }
    // Where a greeting ends is heard in the sound.
    assert_eq!(
        news("call.machine.greeting.ended", "beep_detected"),
        News::Nothing
    );
}

fn news(event: &str, result: &str) -> News {
    let payload = json!({"call_control_id": CALL, "result": result});
    let body = json!({"data": {"event_type": event, "id": "1", "payload": payload}}).to_string();
    let request = signed(&body);
    let genuine = carrier().webhooks.verify(&request).expect("it is signed");
    let webhook = carrier().webhooks.decode(Door::Voice, genuine);
    webhook.expect("it makes sense").news
}
