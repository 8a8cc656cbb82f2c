use carriers::twilio::signature::{Algorithm, Fields, sign};
use std::time::SystemTime;

use ports::carrier::Request;
use ports::{Secret, code};
use serde_json::Value;

use super::{ACCOUNT, TOKEN, carrier, entry, oracle, post, settings, signed_post};

#[test]
fn every_vector_is_judged_as_twilios_own_library_judges_it() {
    let vectors = oracle("vectors/webhook-signatures.json");
    let (mut accepted, mut refused) = (0, 0);
    for vector in vectors["twilio"].as_array().expect("a list") {
        let name = &vector["name"];
        assert_eq!(vector["auth_token"], TOKEN);
        let made = sign(
            algorithm(vector),
            &Secret::new(TOKEN),
            text(vector, "url_signed"),
            &fields(vector),
        );
        assert_eq!(made, text(vector, "signature"), "{name}");
        let verdict = carrier()
            .webhooks
            .verify(&request(vector, "url_seen"))
            .is_ok();
        // A shared key's signature is right, but we share no key: see the test below.
        let ours = algorithm(vector) == Algorithm::HmacSha1;
        assert_eq!(verdict, ours && vector["sdk_accepts"] == true, "{name}");
        accepted += 1;
    }
    for vector in vectors["twilio_negative"].as_array().expect("a list") {
        let request = request(vector, "url");
        let fault = carrier().webhooks.verify(&request);
        let fault = fault.expect_err("a negative vector is refused");
        assert_eq!(fault.code, code::WEBHOOK_FORGED, "{}", vector["name"]);
        refused += 1;
    }
    println!("signature vectors: {accepted} positive, {refused} negative");
    assert!(accepted >= 6 && refused >= 2);
}

#[test]
fn a_socket_is_not_proved_by_the_signature_of_its_https_address() {
    let vectors = oracle("vectors/webhook-signatures.json");
    let all = vectors["twilio"].as_array().expect("a list").iter();
    let https = all
        .clone()
        .find(|it| it["url_seen"] == "https://example.com/media");
    let wss = all
        .clone()
        .find(|it| it["url_seen"] == "wss://example.com/media");
    let (https, wss) = (https.expect("in the vectors"), wss.expect("in the vectors"));
    let mut request = request(wss, "url_seen");
    assert!(carrier().webhooks.verify(&request).is_ok());
    request.headers = vec![header("x-twilio-signature", text(https, "signature"))];
    assert!(carrier().webhooks.verify(&request).is_err());
}

#[test]
fn what_was_not_agreed_on_is_refused() {
    let good = signed_post(URL, FIELDS);
    let with = |value: &str| {
        let mut request = good.clone();
        request
            .headers
            .push(header("x-twilio-webhooks-signature-settings", value));
        carrier()
            .webhooks
            .verify(&request)
            .map(drop)
            .map_err(|it| it.code)
    };
    // Where no algorithm is named, Twilio's libraries take the default one; the key has to be ours all the same.
    for settings in [
        "key=SK1,algorithm=HMAC_SHA1",
        "key=SK1, algorithm=HMAC_SHA1",
        "algorithm=hmac_sha1",
        "key=SK1",
        "algorithm=",
        "",
    ] {
        assert_eq!(with(settings), Ok(()), "{settings}");
    }
    for settings in [
        "key=SK1,algorithm=HMAC_SHA256",
        "algorithm=none",
        "algorithm=HMAC_SHA256,algorithm=HMAC_SHA1",
    ] {
        assert_eq!(with(settings), Err(code::WEBHOOK_FORGED), "{settings}");
    }
}

#[test]
fn a_request_without_a_signature_is_refused() {
    let mut request = signed_post(URL, FIELDS);
    request
        .headers
        .retain(|(name, _)| name != "x-twilio-signature");
    let fault = carrier().webhooks.verify(&request).expect_err("unsigned");
    assert_eq!(fault.code, code::WEBHOOK_FORGED);
    let fault = carrier()
        .webhooks
        .verify(&post(URL, FIELDS, ""))
        .expect_err("unsigned");
    assert_eq!(fault.code, code::WEBHOOK_FORGED);
}

#[test]
fn a_socket_without_a_signature_is_refused() {
    let mut socket = signed_post("wss://a.example/media/t", &[]);
    assert!(carrier().webhooks.verify_socket(&socket).is_ok());
    socket.url = "wss://a.example/media/u".to_owned();
    let fault = carrier().webhooks.verify_socket(&socket);
    let fault = fault.expect_err("it is another's");
    assert_eq!(fault.code, code::WEBHOOK_FORGED);
}

#[test]
fn a_body_may_be_as_long_as_it_may_be() {
    let of = |length: usize| {
        let value = "x".repeat(length - "Body=".len());
        signed_post(URL, &[("Body", &value)])
    };
    assert!(carrier().webhooks.verify(&of(64 * 1024)).is_ok());
    assert!(carrier().webhooks.verify(&of(64 * 1024 + 1)).is_err());
}

#[test]
fn the_port_may_be_there_or_not() {
    let pairs = [
        ("https://a.example/v", "https://a.example:443/v"),
        ("https://a.example:8443/v", "https://a.example/v"),
        ("https://[2001:db8::1]/v", "https://[2001:db8::1]:443/v"),
    ];
    for (seen, signed) in pairs {
        let mut request = signed_post(signed, FIELDS);
        request.url = seen.to_owned();
        assert!(
            carrier().webhooks.verify(&request).is_ok(),
            "{seen} {signed}"
        );
    }
    let mut request = signed_post("https://a.example:8443/v", FIELDS);
    request.url = "https://a.example:9443/v".to_owned();
    assert!(carrier().webhooks.verify(&request).is_err());
}

#[test]
fn a_socket_may_have_a_slash_at_its_end_or_not() {
    for (seen, signed) in [
        ("wss://a.example/media/t", "wss://a.example/media/t/"),
        ("wss://a.example/", "wss://a.example"),
        ("wss://a.example/media/t", "wss://a.example:443/media/t"),
    ] {
        let signature = sign(
            Algorithm::HmacSha1,
            &Secret::new(TOKEN),
            signed,
            &Fields::new(),
        );
        let request = Request {
            method: "GET".to_owned(),
            url: seen.to_owned(),
            headers: vec![header("x-twilio-signature", &signature)],
            body: Vec::new(),
            received: SystemTime::UNIX_EPOCH,
        };
        assert!(
            carrier().webhooks.verify(&request).is_ok(),
            "{seen} {signed}"
        );
    }
}

#[test]
fn a_repeated_field_is_signed_once_for_each_of_its_values() {
    // By Twilio's rule: names in order, the different values of each in order.
    let expected = format!("{URL}aBx1x2");
    let message = sign(
        Algorithm::HmacSha1,
        &Secret::new(TOKEN),
        &expected,
        &Fields::new(),
    );
    let request = post(
        URL,
        &[("x", "2"), ("a", "B"), ("x", "1"), ("x", "2")],
        &message,
    );
    assert!(carrier().webhooks.verify(&request).is_ok());
}

#[test]
fn a_json_body_is_proved_by_the_hash_in_the_address() {
    // The body, hash and signature of Twilio's own library's tests.
    let body = br#"{"property": "value", "boolean": true}"#;
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let url = format!("https://example.com/myapp?bodySHA256={hash}");
    let request = |url: &str, body: &[u8], kind: &str| Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![
            header("content-type", kind),
            header(
                "x-twilio-signature",
                &sign(
                    Algorithm::HmacSha1,
                    &Secret::new(TOKEN),
                    url,
                    &Fields::new(),
                ),
            ),
        ],
        body: body.to_vec(),
        received: SystemTime::UNIX_EPOCH,
    };
    let genuine = |request| carrier().webhooks.verify(&request).is_ok();
    let good = request(&url, body, "application/json");
    assert_eq!(
        good.header("x-twilio-signature"),
        Some("N/56TKZDZV635vLpFFxHiir/2sY=")
    );
    assert!(genuine(good));
    assert!(!genuine(request(&url, b"{}", "application/json")));
    assert!(!genuine(request(
        "https://example.com/myapp",
        body,
        "application/json"
    )));
    assert!(!genuine(request(
        &url.replace("0a1f", "0a1e"),
        body,
        "application/json"
    )));
    // A form's fields are signed whatever else is in the address.
    assert!(!genuine(request(
        &url,
        b"CallSid=CA1",
        "application/x-www-form-urlencoded"
    )));
}

#[test]
fn changing_any_byte_of_a_request_spoils_it() {
    let good = signed_post(URL, FIELDS);
    assert!(carrier().webhooks.verify(&good).is_ok());
    let mut tried = 0;
    for at in 0..good.body.len() {
        let mut request = good.clone();
        request.body[at] = if request.body[at] == b'A' { b'B' } else { b'A' };
        assert!(
            carrier().webhooks.verify(&request).is_err(),
            "byte {at} of the body"
        );
        tried += 1;
    }
    let at = good
        .headers
        .iter()
        .position(|(name, _)| name == "x-twilio-signature");
    let at = at.expect("it is signed");
    for changed in [
        good.headers[at].1.to_lowercase(),
        good.headers[at].1.replace(['+', '/'], "-"),
        good.headers[at].1.trim_end_matches('=').to_owned(),
        format!(" {}", good.headers[at].1),
        format!("{0},{0}", good.headers[at].1),
    ] {
        if changed == good.headers[at].1 {
            continue;
        }
        let mut request = good.clone();
        request.headers[at].1 = changed;
        assert!(
            carrier().webhooks.verify(&request).is_err(),
            "{:?}",
            request.headers[at]
        );
        tried += 1;
    }
    println!("changed requests refused: {tried}");
}

#[test]
fn while_a_token_is_replaced_both_are_taken() {
    let old = Secret::new(TOKEN);
    let new = "abcdefabcdefabcdefabcdefabcdefab";
    let settings = settings()
        .with("auth_token", ports::Value::Secret(Secret::new(new)))
        .with("secondary_auth_token", ports::Value::Secret(old));
    let carrier = (entry().build)(&settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(carrier.webhooks.verify(&signed_post(URL, FIELDS)).is_ok());
    let mut other = signed_post(URL, FIELDS);
    other.headers[1].1 = sign(
        Algorithm::HmacSha1,
        &Secret::new(new),
        URL,
        &FIELDS.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
    );
    assert!(carrier.webhooks.verify(&other).is_ok());
}

#[test]
fn a_body_that_is_too_long_is_not_even_hashed() {
    let long = "x".repeat(64 * 1024);
    let request = signed_post(URL, &[("CallSid", &long)]);
    let fault = carrier().webhooks.verify(&request).expect_err("too long");
    assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
}

#[test]
fn a_refusal_repeats_nothing_of_the_request() {
    let request = post(
        URL,
        &[("From", "+15551234567"), ("Body", "my secret")],
        "c2lnbmF0dXJl",
    );
    let fault = carrier().webhooks.verify(&request).expect_err("forged");
    let told = format!("{fault:?} {fault}");
    for secret in ["5551234", "my secret", "c2lnbmF0dXJl", TOKEN, ACCOUNT] {
        assert!(!told.contains(secret), "{told}");
    }
}

const URL: &str = "https://voice.example.com/twilio/voice";
const FIELDS: &[(&str, &str)] = &[
    ("CallSid", "CA11111111111111111111111111111111"),
    ("From", "+15551234567"),
    ("CallerName", "Zoë & Søn"),
    ("FromCity", ""),
];

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn algorithm(vector: &Value) -> Algorithm {
    match vector["algorithm"].as_str() {
        Some("HMAC_SHA256") => Algorithm::HmacSha256,
        Some("HMAC_SHA1") | None => Algorithm::HmacSha1,
        Some(other) => panic!("an algorithm that this test does not know: {other}"),
    }
}

fn text<'v>(vector: &'v Value, name: &str) -> &'v str {
    vector[name]
        .as_str()
        .expect("a vector's fields are strings")
}

fn pairs(vector: &Value) -> Vec<(&str, &str)> {
    let params = vector["params"].as_object().into_iter().flatten();
    let pairs = params.map(|(name, value)| (name.as_str(), value.as_str().expect("a string")));
    pairs.collect()
}

fn fields(vector: &Value) -> Fields<'_> {
    pairs(vector)
        .into_iter()
        .map(|(k, v)| (k.into(), v.into()))
        .collect()
}

/// The request of a vector: a form post, or the opening of a socket if there is no form.
fn request(vector: &Value, url: &str) -> Request {
    assert!(vector["body"].is_null(), "no vector has a body of its own");
    let fields = pairs(vector);
    let mut request = post(text(vector, url), &fields, text(vector, "signature"));
    if fields.is_empty() {
        request.method = "GET".to_owned();
        request.headers.retain(|(name, _)| name != "content-type");
        request.body = Vec::new();
    }
    if algorithm(vector) == Algorithm::HmacSha256 {
        let name = "x-twilio-webhooks-signature-settings";
        request
            .headers
            .push(header(name, "key=SK1,algorithm=HMAC_SHA256"));
    }
    request
}
