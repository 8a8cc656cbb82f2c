//! By what a webhook is known that comes again.

use ports::carrier::{Imprint, Request};

use super::{ACCOUNT, CALL, carrier, signed_post};

const URL: &str = "https://voice.example.com/twilio/again?call=1&after=2";

#[test]
fn a_webhook_is_known_again_however_it_is_written() {
    let fields = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", "in-progress"),
        ("Caller", "+1 555"),
    ];
    let first = signed_post(URL, &fields);
    let known = imprint(&first);
    let mut turned = fields;
    turned.reverse();
    assert_eq!(
        imprint(&signed_post(URL, &turned)),
        known,
        "in another order"
    );
    let twice = [fields, fields].concat();
    assert_eq!(
        imprint(&signed_post(URL, &twice)),
        known,
        "each field twice"
    );
    let escaped = Request {
        body: String::from_utf8(first.body.clone())
            .expect("it is text")
            .replace("in-progress", "in%2Dprogress")
            .replace('+', "%20")
            .into_bytes(),
        ..first.clone()
    };
    assert_ne!(escaped.body, first.body);
    assert_eq!(imprint(&escaped), known, "with other escapes");
    let mut tagged = first.clone();
    let token = ("i-twilio-idempotency-token".to_owned(), "new".to_owned());
    tagged.headers.push(token);
    assert_eq!(imprint(&tagged), known, "with another header");
    // Twilio signs names and values without anything in between.
    let moved = [
        fields[0],
        fields[1],
        ("CallStatusin", "-progress"),
        fields[3],
    ];
    let moved = Request {
        headers: first.headers.clone(),
        ..signed_post(URL, &moved)
    };
    assert_eq!(imprint(&moved), known, "with a field cut elsewhere");
}

#[test]
fn what_says_something_else_is_another_webhook() {
    let fields = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", "in-progress"),
    ];
    let first = imprint(&signed_post(URL, &fields));
    let later = URL.replace("after=2", "after=3");
    assert_ne!(imprint(&signed_post(&later, &fields)), first);
    let dialled = [&fields[..], &[("DialCallStatus", "failed")]].concat();
    assert_ne!(imprint(&signed_post(URL, &dialled)), first);
}

fn imprint(request: &Request) -> Imprint {
    let webhooks = carrier().webhooks;
    let genuine = webhooks.verify(request).expect("it is signed");
    webhooks.imprint(&genuine)
}
