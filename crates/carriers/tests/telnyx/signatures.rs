use ports::carrier::Request;
use ports::code;
use serde_json::Value;

use super::{NOW, at, carrier, oracle, post, signed};

#[test]
fn telnyxs_own_vectors() {
    let vectors = oracle("vectors/webhook-signatures.json");
    let (mut accepted, mut refused) = (0, 0);
    for vector in vectors["telnyx"].as_array().expect("a list") {
        let text = |name: &str| vector[name].as_str().expect("text");
        let mut request = post(text("timestamp"), text("signature_base64"), text("body"));
        let seconds = vector["verify_at_unix_time"].as_u64().expect("a time");
        request.received = at(seconds);
        let genuine = carrier().webhooks.verify(&request).is_ok();
        assert_eq!(
            Value::from(genuine),
            vector["sdk_accepts"],
            "{}",
            vector["name"]
        );
        *(if genuine { &mut accepted } else { &mut refused }) += 1;
    }
    println!("signature vectors: {accepted} positive, {refused} negative");
    assert!(accepted >= 2 && refused >= 3);
}

#[test]
fn any_change_is_noticed() {
    let body =
        r#"{"data":{"event_type":"call.hangup","id":"1","payload":{"call_control_id":"v3:a"}}}"#;
    assert!(verify(&signed(body)), "nothing was changed");
    let mut refused = 0;
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut request = signed(body);
            request.body[at] ^= 1 << bit;
            assert!(!verify(&request), "byte {at}, bit {bit}");
            refused += 1;
        }
    }
    for header in 1..3 {
        let length = signed(body).headers[header].1.len();
        for at in 0..length {
            let mut request = signed(body);
            let text = &mut request.headers[header].1;
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            text.replace_range(at..=at, other);
            assert!(!verify(&request), "header {header}, character {at}");
            refused += 1;
        }
    }
    println!("changed requests refused: {refused}");
}

#[test]
fn only_what_was_signed_just_now_counts() {
    for (received, genuine) in [
        (NOW - 301, false),
        (NOW - 300, true),
        (NOW, true),
        (NOW + 300, true),
        (NOW + 301, false),
    ] {
        let mut request = signed("{}");
        request.received = at(received);
        assert_eq!(verify(&request), genuine, "{received}");
    }
}

#[test]
fn what_is_not_signed_is_not_believed() {
    let spoiled: [&dyn Fn(&mut Request); 5] = [
        &|it| it.headers.clear(),
        &|it| it.headers.retain(|(name, _)| name != "telnyx-timestamp"),
        &|it| it.headers[2].1.clear(),
        &|it| it.headers[1].1.insert(0, '+'),
        // Its news is in its address then, and nobody signs that.
        &|it| it.method = "GET".to_owned(),
    ];
    for spoil in spoiled {
        let mut request = signed("");
        assert!(verify(&request));
        spoil(&mut request);
        let fault = carrier()
            .webhooks
            .verify(&request)
            .expect_err("it is not proved");
        assert_eq!(fault.code, code::WEBHOOK_FORGED);
        assert!(fault.hint.is_some());
    }
    let mut long = signed("");
    long.body = vec![b' '; 64 * 1024 + 1];
    let fault = carrier()
        .webhooks
        .verify(&long)
        .expect_err("it is too long");
    assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
}

fn verify(request: &Request) -> bool {
    carrier().webhooks.verify(request).is_ok()
}
