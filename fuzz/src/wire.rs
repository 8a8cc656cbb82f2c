//! What carriers say: webhooks, and messages on media sockets.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carriers::{plivo, twilio};
use media::Decoder;
use ports::carrier::{
    Carrier, Door, Genuine, Leg, News, Request, Sound, StreamCommand, StreamEvent, Webhook,
};
use ports::{Secret, Settings, Value};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

pub(crate) fn twilio_webhook(bytes: &[u8]) {
    webhook("twilio", bytes);
}

pub(crate) fn telnyx_webhook(bytes: &[u8]) {
    webhook("telnyx", bytes);
}

pub(crate) fn plivo_webhook(bytes: &[u8]) {
    webhook("plivo", bytes);
}

pub(crate) fn twilio_socket(bytes: &[u8]) {
    socket("twilio", bytes);
}

pub(crate) fn telnyx_socket(bytes: &[u8]) {
    socket("telnyx", bytes);
}

pub(crate) fn plivo_socket(bytes: &[u8]) {
    socket("plivo", bytes);
}

/// A carrier, and how it signs.
struct Company {
    carrier: Carrier,
    sign: fn(&mut Request),
}

static COMPANIES: LazyLock<BTreeMap<&str, Company>> = LazyLock::new(|| {
    let text = |it: &str| Value::Text(it.to_owned());
    let secret = || Value::Secret(Secret::new(TOKEN));
    let twilio = Settings::default()
        .with("account_sid", text("AC00000000000000000000000000000000"))
        .with("auth_token", secret());
    let telnyx = Settings::default()
        .with("api_key", secret())
        .with(
            "public_key",
            Value::Text(STANDARD.encode(pair().public_key())),
        )
        .with("connection_id", text("1"));
    let plivo = Settings::default()
        .with("auth_id", text("MAZZZZZZZZZZZZZZZZZZ"))
        .with("auth_token", secret());
    let company = |name, settings, sign| {
        let entry = carriers::LIST.iter().find(|it| it.name == name);
        let built = (entry.expect("it is on the list").build)(&settings);
        let carrier = built.unwrap_or_else(|problems| panic!("{problems:?}"));
        (name, Company { carrier, sign })
    };
    BTreeMap::from([
        company("twilio", twilio, sign_twilio as fn(&mut Request)),
        company("telnyx", telnyx, sign_telnyx),
        company("plivo", plivo, sign_plivo),
    ])
});

/// A request as `DOOR QUERY`, lines of `name: value`, an empty line, and the body. Unsigned it is refused,
/// signed it is believed, and changed after that it is not. What it says is the same each time, names a
/// call that can stand in an address, and shows nobody's number.
fn webhook(name: &str, bytes: &[u8]) {
    let Some((door, mut request)) = read(name, bytes) else {
        return;
    };
    let company = &COMPANIES[name];
    let webhooks = &company.carrier.webhooks;
    assert!(
        webhooks.verify(&request).is_err(),
        "a forged one was believed"
    );

    (company.sign)(&mut request);
    assert!(
        webhooks.verify(&request).is_ok(),
        "a genuine one was refused"
    );
    let mut changed = request.clone();
    changed.body.extend_from_slice(FORGED);
    let holds_it = request.body.windows(6).any(|it| it == b"forged");
    assert!(
        holds_it || webhooks.verify(&changed).is_err(),
        "one that was changed was believed"
    );
    let other = Request {
        method: "GET".to_owned(),
        ..request.clone()
    };
    let asked = webhooks.verify(&other).is_ok();
    assert!(!asked || name == "twilio", "a GET was believed");

    let decode = || {
        let genuine = Genuine::check(&request, true).expect("it was just checked");
        webhooks.decode(door, genuine)
    };
    match (decode(), decode()) {
        (Ok(one), Ok(again)) => {
            assert_eq!(format!("{one:?}"), format!("{again:?}"));
            judge(&one);
        }
        (Err(one), Err(again)) => assert_eq!(one.to_string(), again.to_string()),
        (one, again) => panic!("once {one:?}, and then {again:?}"),
    }
}

fn read(name: &str, bytes: &[u8]) -> Option<(Door, Request)> {
    let end = bytes.windows(2).position(|it| it == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]);
    let mut lines = head.lines();
    let (door, query) = lines.next()?.split_once(' ')?;
    let (door, path) = match door {
        "voice" => (Door::Voice, "voice"),
        "again" => (Door::Again, "again"),
        "status" => (Door::Status, "status"),
        _ => return None,
    };
    let headers = lines.filter_map(|it| it.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let request = Request {
        method: "POST".to_owned(),
        url: format!("https://a.example/{name}/{path}?{query}"),
        headers: headers.collect(),
        body: body.to_vec(),
        received: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
    };
    Some((door, request))
}

fn judge(webhook: &Webhook) {
    // What means nothing may be about nobody.
    if webhook.news == News::Nothing && webhook.leg.0.is_empty() {
        return;
    }
    can_stand_in_an_address(&webhook.leg);
    // What we call a call that has no name of its own yet.
    let dialled = &webhook.dialled.0;
    let dialled = dialled.strip_prefix("request/").unwrap_or(dialled);
    can_stand_in_an_address(&Leg(dialled.to_owned()));
    let shown = format!("{:?}", webhook.news);
    if let News::Offered { from, to, .. } = &webhook.news {
        for party in [from, to] {
            let number = party.reveal();
            let hidden = number.len() < 7 || !shown.contains(number.as_str());
            assert!(hidden, "a number is shown: {shown}");
        }
    }
    if let News::Recorded(tape) = &webhook.news {
        let address = tape.0.reveal();
        let hidden = address.len() < 12 || !shown.contains(address.as_str());
        assert!(hidden, "a recording's name is shown: {shown}");
    }
}

/// It becomes part of the address of each request about the call.
fn can_stand_in_an_address(leg: &Leg) {
    let plain = |it: char| !it.is_control() && !it.is_whitespace() && !"/\\?#%".contains(it);
    assert!(!leg.0.is_empty() && leg.0.chars().all(plain), "{leg:?}");
}

/// Messages, one in each line. What they mean is bounded by what they are; a stream starts once; and
/// whatever the far end calls its stream, what we write is one JSON object, or nothing before it starts.
fn socket(name: &str, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Sound::Stream(dialect) = &COMPANIES[name].carrier.sound;
    let mut stream = dialect.open();
    let mut decoder = None;
    for message in text.lines().take(MESSAGES) {
        match stream.decode(message) {
            Ok(StreamEvent::Started(started)) => {
                assert!(decoder.is_none(), "a stream started twice");
                can_stand_in_an_address(&started.leg);
                let rate = started.format.rate.max(started.spoken.rate);
                decoder = Some(Decoder::new(started.format, rate));
            }
            Ok(StreamEvent::Audio(packet)) => {
                assert!(packet.payload.len() <= message.len(), "sound from nowhere");
                let decoder = decoder.as_mut().expect("sound comes on a stream");
                let mut samples = Vec::new();
                decoder.decode_into(packet.payload, &mut samples);
            }
            Ok(
                StreamEvent::Idle
                | StreamEvent::Unknown
                | StreamEvent::Marked(_)
                | StreamEvent::Pressed(_)
                | StreamEvent::Stopped,
            )
            | Err(_) => {}
        }
        let mark = media::Mark {
            generation: 1,
            index: 2,
        };
        let commands = [
            StreamCommand::Audio(&[0xff; 160]),
            StreamCommand::Mark(mark),
            StreamCommand::Clear,
        ];
        for command in commands {
            let mut out = String::new();
            stream.encode(command, &mut out);
            let whole = serde_json::from_str::<serde_json::Value>(&out);
            let fits = match decoder {
                Some(_) => whole.is_ok_and(|it| it.is_object()),
                None => out.is_empty(),
            };
            assert!(fits, "{command:?} is written as {out}");
        }
    }
}

fn sign_twilio(request: &mut Request) {
    let owned = std::mem::take(&mut request.headers);
    let others = owned.into_iter().filter(|(name, _)| {
        // Which algorithm was agreed on, and what kind of body it is.
        name != "content-type" && !name.starts_with("x-twilio")
    });
    request.headers = others.collect();
    let form = form_urlencoded::parse(&request.body).collect();
    let (algorithm, secret) = (twilio::signature::Algorithm::HmacSha1, Secret::new(TOKEN));
    let signature = twilio::signature::sign(algorithm, &secret, &request.url, &form);
    let kind = "application/x-www-form-urlencoded";
    request.headers.extend([
        ("content-type".to_owned(), kind.to_owned()),
        ("x-twilio-signature".to_owned(), signature),
    ]);
}

fn sign_telnyx(request: &mut Request) {
    let at = NOW.to_string();
    let message = [at.as_bytes(), b"|", &request.body].concat();
    let signature = STANDARD.encode(pair().sign(&message));
    request.headers = vec![
        ("telnyx-timestamp".to_owned(), at),
        ("telnyx-signature-ed25519".to_owned(), signature),
    ];
}

fn sign_plivo(request: &mut Request) {
    let nonce = "05429567804466091622";
    let form = plivo::signature::fields(&request.body);
    let secret = Secret::new(TOKEN);
    let signature = plivo::signature::sign(&secret, "POST", &request.url, &form, nonce);
    request.headers = vec![
        ("x-plivo-signature-v3-nonce".to_owned(), nonce.to_owned()),
        ("x-plivo-signature-v3".to_owned(), signature),
    ];
}

fn pair() -> Ed25519KeyPair {
    let seed: Vec<u8> = (0..32).collect();
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed")
}

const TOKEN: &str = "12345678901234567890123456789012";
const NOW: u64 = 1_732_275_000;
/// Of every dialect it changes what is said.
const FORGED: &[u8] = b"&forged=1";
const MESSAGES: usize = 32;
