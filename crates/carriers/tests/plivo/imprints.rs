//! By what a webhook is known that comes again.

use carriers::plivo::signature::{fields, sign};
use ports::Secret;
use ports::carrier::{Imprint, Request};

use super::{CALL, TOKEN, carrier, request, signed_post};

const URL: &str = "https://voice.example.com/plivo/again?call=1&after=2";

#[test]
fn a_webhook_is_known_again_however_it_is_written() {
    let form = [
        ("CallUUID", CALL),
        ("CallStatus", "in-progress"),
        ("From", "1555"),
    ];
    let first = signed_post(URL, &form);
    let known = imprint(&first);
    let mut turned = form;
    turned.reverse();
    assert_eq!(
        imprint(&signed_post(URL, &turned)),
        known,
        "in another order"
    );
    let turned = URL.replace("call=1&after=2", "after=2&call=1");
    assert_eq!(imprint(&signed_post(&turned, &form)), known, "of the query");
    let escaped = String::from_utf8(first.body.clone())
        .expect("it is text")
        .replace("in-progress", "in%2dprogress");
    let escaped = Request {
        body: escaped.into_bytes(),
        ..first.clone()
    };
    assert_eq!(imprint(&escaped), known, "with other escapes");
    let later = URL.replace("after=2", "after=3");
    assert_ne!(imprint(&signed_post(&later, &form)).notice, known.notice);
}

#[test]
fn plivo_itself_sends_it_again_with_another_nonce() {
    let form = [("CallUUID", CALL), ("CallStatus", "ringing")];
    let first = signed_post(URL, &form);
    let body = String::from_utf8(first.body.clone()).expect("it is text");
    let nonce = "98765432109876543210";
    let signature = sign(
        &Secret::new(TOKEN),
        "POST",
        URL,
        &fields(body.as_bytes()),
        nonce,
    );
    let mut again = request("POST", URL, &body, &signature);
    with_nonce(&mut again, nonce);
    assert_eq!(imprint(&again).notice, imprint(&first).notice);
    assert_ne!(imprint(&again).proof, imprint(&first).proof);
}

#[test]
fn a_dot_moved_into_the_nonce_is_seen() {
    // Signed: …To sip:a.example . nonce. Whoever calls the last dot but one the nonce's has another form.
    let form = [("CallUUID", CALL), ("To", "sip:a.example")];
    let first = signed_post(URL, &form);
    let nonce = first
        .header("x-plivo-signature-v3-nonce")
        .expect("it has one");
    let mut moved = Request {
        body: signed_post(URL, &[("CallUUID", CALL), ("To", "sip:a")]).body,
        ..first.clone()
    };
    with_nonce(&mut moved, &format!("example.{nonce}"));
    let (moved, first) = (imprint(&moved), imprint(&first));
    assert_ne!(moved.notice, first.notice, "it says something else");
    assert_eq!(moved.proof, first.proof, "and the signature is the same");
}

fn with_nonce(request: &mut Request, nonce: &str) {
    for (name, value) in &mut request.headers {
        if name == "x-plivo-signature-v3-nonce" {
            nonce.clone_into(value);
        }
    }
}

fn imprint(request: &Request) -> Imprint {
    let webhooks = carrier().webhooks;
    let genuine = webhooks.verify(request).expect("it is signed");
    webhooks.imprint(&genuine)
}
