use carriers::plivo::signature::{Fields, sign};
use ports::carrier::Request;
use ports::{Secret, code};
use serde_json::Value;

use super::{CALL, NONCE, TOKEN, carrier, oracle, request, signed_post};

#[test]
fn plivos_own_vectors() {
    let vectors = oracle("vectors/webhook-signatures.json");
    let vectors = vectors["plivo"].as_array().expect("a list");
    let (mut same, mut accepted, mut refused) = (0, 0, 0);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().expect("text");
        if vector["version"] != "V3" {
            // Nothing that V2 covers is read.
            let mut request = request("POST", text("url"), "CallUUID=1", "");
            request.headers.truncate(1);
            let older = (
                "x-plivo-signature-v2".to_owned(),
                text("signature").to_owned(),
            );
            request.headers.push(older);
            assert!(carrier().webhooks.verify(&request).is_err());
            refused += 1;
            continue;
        }
        let form = form(vector);
        let method = text("method");
        let ours = sign(
            &Secret::new(text("auth_token")),
            method,
            text("url"),
            &form,
            text("nonce"),
        );
        let matches = text("signature").split(',').any(|it| it == ours);
        assert_eq!(
            Value::from(matches),
            vector["sdk_accepts"],
            "{}",
            vector["name"]
        );
        same += u32::from(matches);
        if method == "POST" && text("auth_token") == TOKEN {
            let mut body = form_urlencoded::Serializer::new(String::new());
            let body = body.extend_pairs(&form).finish();
            let request = request("POST", text("url"), &body, text("signature"));
            assert_eq!(
                carrier().webhooks.verify(&request).is_ok(),
                matches,
                "{vector}"
            );
            *(if matches { &mut accepted } else { &mut refused }) += 1;
        }
    }
    println!(
        "signature vectors: {same} made the same, {accepted} requests accepted, {refused} refused"
    );
    assert_eq!((same, accepted, refused), (4, 3, 1));
}

/// Signed by hand: what was signed is written out in each of these, by Plivo's description.
#[test]
fn query_and_form_are_both_covered() {
    for (url, form, signature) in [
        // https://foo.com/answer/?a=1&b=2.CallStatusin-progressCallUUID97…To14153464321.0542…
        (
            "https://foo.com/answer/?b=2&a=1",
            &[
                ("CallUUID", "97ceeb52-58b6-11e1-86da-77300b68f8bb"),
                ("CallStatus", "in-progress"),
                ("Direction", "outbound"),
                ("From", "14157654321"),
                ("To", "14153464321"),
                ("Event", "StartApp"),
            ][..],
            "QGKgFt//Rlwz8wmxTpXlNcwNCf7Gjc6FpKJ/ekjo7Hw=",
        ),
        // https://foo.com/answer/?a=1&a=2.CallUUIDxa1a2.0542…
        (
            "https://foo.com/answer/?a=2&a=1",
            &[("a", "2"), ("a", "1"), ("CallUUID", "x")],
            "jBEXcjNFa1bdRDl6r91JLj1AZddc2ck6+b/UKMu4bgE=",
        ),
        // https://foo.com/answer/?q=Zoë & Søn.CallUUIDxEmptyNameØ.0542…
        (
            "https://foo.com/answer/?q=Zo%C3%AB+%26%20S%C3%B8n",
            &[("Name", "Ø"), ("Empty", ""), ("CallUUID", "x")],
            "ly4WyK5cP4CE0iSqgqkO5nPycwxqJqkHxcXn+kiWz70=",
        ),
    ] {
        let signed = signed_post(url, form);
        assert_eq!(signed.headers[2].1, signature, "{url}");
        assert!(verify(&signed));
    }
}

#[test]
fn any_change_is_noticed() {
    let url = "https://foo.com/answer/?call=1";
    let good = || {
        signed_post(
            url,
            &[("CallUUID", CALL), ("CallStatus", "ringing"), ("From", "1")],
        )
    };
    assert!(verify(&good()));
    let mut refused = 0;
    let length = good().body.len();
    for at in 0..length {
        let mut request = good();
        request.body[at] = if request.body[at] == b'x' { b'y' } else { b'x' };
        assert!(!verify(&request), "byte {at}");
        refused += 1;
    }
    for at in 0..url.len() {
        let mut request = good();
        request.url.replace_range(at..=at, "~");
        assert!(!verify(&request), "character {at} of the address");
        refused += 1;
    }
    for header in 1..3 {
        for at in 0..good().headers[header].1.len() {
            let mut request = good();
            request.headers[header].1.replace_range(at..=at, "~");
            assert!(!verify(&request), "header {header}, character {at}");
            refused += 1;
        }
    }
    println!("changed requests refused: {refused}");
}

#[test]
fn any_changed_field_is_noticed() {
    let url = "https://foo.com/answer/?call=1&after=2";
    let fields = [
        ("CallUUID", CALL),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("From", "15551234567"),
        ("To", "15550001111"),
        ("Empty", ""),
    ];
    let good = signed_post(url, &fields);
    let spoil = |url: &str, fields: &[(&str, &str)]| {
        let mut body = form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(fields).finish();
        assert!(
            !verify(&request("POST", url, &body, &good.headers[2].1)),
            "{url} {body}"
        );
    };
    for at in 0..fields.len() {
        let mut changed = fields.to_vec();
        changed[at].1 = "another";
        spoil(url, &changed);
        changed[at] = ("Another", fields[at].1);
        spoil(url, &changed);
        changed.remove(at);
        spoil(url, &changed);
        changed.insert(at, fields[at]);
        changed.push(fields[at]);
        spoil(url, &changed);
    }
    for changed in [
        "http://foo.com/answer/?call=1&after=2",
        "https://foo.com:443/answer/?call=1&after=2",
        "https://foo.com/answer?call=1&after=2",
        "https://foo.com/answer/?call=1",
        "https://foo.com/answer/?call=1&after=2&x=",
        "https://foo.com/answer/",
    ] {
        spoil(changed, &fields);
    }
    let mut bare = good.clone();
    bare.body.clear();
    assert!(!verify(&bare), "without its form");
}

#[test]
fn a_body_that_is_too_long_is_not_even_hashed() {
    let long = "x".repeat(64 * 1024);
    let request = signed_post("https://foo.com/", &[("CallUUID", &long)]);
    let fault = carrier().webhooks.verify(&request).expect_err("too long");
    assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
}

#[test]
fn a_refusal_repeats_nothing_of_the_request() {
    let request = request(
        "POST",
        "https://foo.com/",
        "From=15551234567&x=hush",
        "c2ln",
    );
    let fault = carrier().webhooks.verify(&request).expect_err("forged");
    let told = format!("{fault:?} {fault}");
    for secret in ["5551234", "hush", "c2ln", TOKEN] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn what_is_not_signed_is_not_believed() {
    let spoiled: [&dyn Fn(&mut Request); 5] = [
        &|it| it.headers.clear(),
        &|it| {
            it.headers
                .retain(|(name, _)| name != "x-plivo-signature-v3-nonce")
        },
        &|it| {
            it.headers
                .retain(|(name, _)| name != "x-plivo-signature-v3")
        },
        &|it| it.headers[2].1.clear(),
        // Then what it says is not covered.
        &|it| it.method = "GET".to_owned(),
    ];
    for spoil in spoiled {
        let mut request = signed_post("https://foo.com/", &[("CallUUID", CALL)]);
        assert!(verify(&request));
        spoil(&mut request);
        let fault = carrier()
            .webhooks
            .verify(&request)
            .expect_err("it is not proved");
        assert_eq!(fault.code, code::WEBHOOK_FORGED);
        assert!(fault.hint.is_some());
    }
}

/// What is posted beside a GET is not signed, however good the signature is.
#[test]
fn a_get_says_nothing_that_is_believed() {
    let url = "https://foo.com/plivo/voice?call=1";
    let signature = sign(&Secret::new(TOKEN), "GET", url, &Fields::new(), NONCE);
    let request = request("GET", url, &format!("CallUUID={CALL}"), &signature);
    let fault = carrier().webhooks.verify(&request);
    let fault = fault.expect_err("its form is not covered");
    assert_eq!(fault.code, code::WEBHOOK_FORGED);
    assert!(fault.hint.is_some_and(|it| it.contains("POST")));
}

#[test]
fn who_did_not_sign_is_told_apart_from_who_signed_otherwise() {
    let good = signed_post("https://foo.com/", &[("CallUUID", CALL)]);
    let (mut unsigned, mut otherwise) = (good.clone(), good);
    unsigned.headers.pop();
    otherwise.headers[2].1 = "AAAA".to_owned();
    let hint = |request: &Request| {
        let fault = carrier().webhooks.verify(request).expect_err("not proved");
        fault.hint.expect("there is something to do")
    };
    assert!(hint(&unsigned).contains("proxy"));
    assert!(hint(&otherwise).contains("auth_token"));
}

#[test]
fn the_token_of_the_account_above_is_as_good_and_so_is_the_newer_of_two() {
    let mut request = signed_post("https://foo.com/", &[("CallUUID", CALL)]);
    let good = request.headers[2].1.clone();
    request.headers[2].1 = format!("AAAA, {good}");
    assert!(verify(&request));
    request.headers[2].1 = "AAAA".to_owned();
    request
        .headers
        .push(("x-plivo-signature-ma-v3".to_owned(), good));
    assert!(verify(&request));
}

#[test]
fn a_socket_is_proved_whatever_scheme_was_signed() {
    let seen = "wss://a.example/plivo/media/t0k3n";
    for signed in ["wss", "https", "http", "ws"] {
        let url = seen.replacen("wss", signed, 1);
        let signature = sign(&Secret::new(TOKEN), "GET", &url, &Fields::new(), NONCE);
        let request = request("GET", seen, "", &signature);
        assert!(
            carrier().webhooks.verify_socket(&request).is_ok(),
            "{signed}"
        );
    }
    let signed = |method: &str, url: &str| {
        let signature = sign(&Secret::new(TOKEN), method, url, &Fields::new(), NONCE);
        request("GET", seen, "", &signature)
    };
    let good = signed("GET", seen);
    let mut unsigned = good.clone();
    unsigned.headers.pop();
    let mut without_nonce = good.clone();
    without_nonce.headers.remove(1);
    let mut elsewhere = good.clone();
    elsewhere.url.push('x');
    for refused in [
        signed("GET", "wss://b.example/"),
        signed("GET", "ftp://a.example/plivo/media/t0k3n"),
        signed("GET", "a.example/plivo/media/t0k3n"),
        unsigned,
        without_nonce,
        elsewhere,
    ] {
        let fault = carrier().webhooks.verify_socket(&refused);
        let fault = fault.expect_err("it is not proved");
        assert_eq!(fault.code, code::WEBHOOK_FORGED);
    }
}

fn form(vector: &Value) -> Fields {
    let params = vector["params"].as_object().expect("an object");
    let mut form: Fields = params
        .iter()
        .flat_map(|(name, value)| {
            let values = value
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![value.clone()]);
            let text = |it: &Value| it.as_str().expect("text").to_owned();
            values
                .iter()
                .map(|it| (name.clone(), text(it)))
                .collect::<Vec<_>>()
        })
        .collect();
    form.sort();
    form
}

fn verify(request: &Request) -> bool {
    carrier().webhooks.verify(request).is_ok()
}
