//! What Plivo is asked about whoever picks up, and how it says it.

use call::event::Who;
use ports::Value;
use ports::carrier::{Detect, Dial, Door, Machines, News};
use serde_json::{Value as Json, json};

use super::requests::{Recorder, dial, fired, number};
use super::{CALL, carrier, entry, settings, signed_post};

#[tokio::test]
async fn it_is_asked_only_where_it_is_wanted_and_the_call_does_not_wait_for_it() {
    let exchange = Recorder::start(vec![(201, fired())]).await;
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
    for (machines, detect, asked) in [
        ("own", Detect::Machines, false),
        ("carrier", Detect::Nothing, false),
        ("carrier", Detect::Machines, true),
    ] {
        let dial = Dial {
            name: "0192",
            detect,
            ..dial(&from, &to)
        };
        at(machines).calls.dial(dial).await.expect("it is dialled");
        let body = exchange.requests().pop().expect("it was dialled").body;
        let told = |value: Json| if asked { value } else { Json::Null };
        // "hangup" would leave it to Plivo.
        assert_eq!(body["machine_detection"], told(json!("true")));
        let url = "https://e.com/plivo/status?call=1#rc=5&rp=5xx,ct,rt";
        assert_eq!(body["machine_detection_url"], told(json!(url)));
        assert_eq!(body["machine_detection_method"], told(json!("POST")));
    }
    assert_eq!(at("own").machines, Machines::Heard);
    // It says nothing of people: nobody may wait for its word.
    assert_eq!(at("carrier").machines, Machines::Noticed);
}

#[test]
fn only_machines_are_told_of() {
    let machine = [
        ("Event", "MachineDetection"),
        ("Machine", "true"),
        ("IfMachine", "continue"),
        ("CallStatus", "in-progress"),
        ("Direction", "outbound"),
    ];
    assert_eq!(news(&machine), News::AnsweredBy(Who::Machine));
    let mut other = machine;
    other[1] = ("Machine", "false");
    assert_eq!(news(&other), News::Nothing);
}

fn news(fields: &[(&str, &str)]) -> News {
    let mut all = vec![("CallUUID", CALL)];
    all.extend(fields);
    let request = signed_post("https://a.example/plivo/status?call=1", &all);
    let genuine = carrier().webhooks.verify(&request).expect("it is signed");
    let webhook = carrier().webhooks.decode(Door::Status, genuine);
    webhook.expect("it makes sense").news
}
