//! By what a webhook is known that comes again.

use ports::carrier::{Imprint, Request};
use serde_json::json;

use super::{CALL, carrier, signed};

#[test]
fn a_webhook_is_known_again_by_its_own_id() {
    let event = |id: &str, attempt: u32| {
        let data = json!({
            "event_type": "call.initiated", "id": id, "record_type": "event",
            "payload": { "call_control_id": CALL },
        });
        json!({ "data": data, "meta": { "attempt": attempt } }).to_string()
    };
    let first = imprint(&signed(&event("e1", 1)));
    let elsewhere = Request {
        url: "https://a.example/telnyx/status?call=2".to_owned(),
        ..signed(&event("e1", 1))
    };
    assert_eq!(imprint(&elsewhere), first, "the address is not signed");
    let again = imprint(&signed(&event("e1", 2)));
    assert_eq!(again.notice, first.notice, "Telnyx tries again");
    assert_ne!(imprint(&signed(&event("e2", 1))).notice, first.notice);
    let nameless = [
        json!({"data": {"payload": 1}}),
        json!({"data": {"payload": 2}}),
    ];
    let [one, other] = nameless.map(|it| imprint(&signed(&it.to_string())).notice);
    assert_ne!(one, other, "what has no id is known by all that it says");
}

fn imprint(request: &Request) -> Imprint {
    let webhooks = carrier().webhooks;
    let genuine = webhooks.verify(request).expect("it is signed");
    webhooks.imprint(&genuine)
}
