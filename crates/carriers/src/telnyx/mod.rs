//! Telnyx: Call Control v2. Calls by REST commands, webhooks signed with Ed25519, sound on a media
//! stream.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what may be configured, and the carrier made from it |
//! | `api.rs` | [`Calls`](ports::carrier::Calls), [`Offers`](ports::carrier::Offers) and what else is done to a call: the REST requests. With the next two, the only I/O here |
//! | `recordings.rs` | [`Recordings`](ports::carrier::Recordings): begun by a command, fetched from where a webhook says |
//! | `account.rs` | [`Numbers`](ports::account::Numbers) and [`Account`](ports::account::Account): what the account has and may do |
//! | `refusal.rs` | Telnyx's error codes, in our words |
//! | `signature.rs` | proves that a webhook is Telnyx's. Pure |
//! | `webhook.rs` | [`Webhooks`](ports::carrier::Webhooks): what a webhook says. Pure |
//! | `cause.rs` | how calls end, as Telnyx writes it |
//! | `sound.rs` | which sound is asked for, and which can be read |
//! | `stream.rs` | [`StreamProtocol`](ports::carrier::StreamProtocol): the media socket. Pure |
//!
//! Telnyx asks nothing: it reports what happens to a call, and is told by commands what to do with
//! it. What its defaults would break is said in every command: sound both ways in one codec, which
//! can be chosen, rather than MP3, to the leg itself rather than to one it may be bridged with.
//!
//! Sources: [Call Control](https://developers.telnyx.com/docs/voice/programmable-voice/voice-api-fundamentals)
//! and its [OpenAPI description](https://github.com/team-telnyx/openapi),
//! [webhooks](https://developers.telnyx.com/docs/voice/programmable-voice/receiving-webhooks),
//! [media streaming](https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming).

mod account;
mod api;
mod cause;
mod finds;
mod recordings;
mod refusal;
mod signature;
mod sound;
mod stream;
mod webhook;

use std::sync::Arc;

use ports::carrier::{Carrier, Dialect, Entry, Machines, Orders, Sound};
use ports::{Key, Kind, Need, Problem, Secret, Settings};

use self::sound::{L16_ORDER, SOUND};
use crate::machines;
use crate::rest::{self, Company};

/// Telnyx, for the list of carriers.
pub const ENTRY: Entry = Entry {
    name: "telnyx",
    keys: KEYS,
    build,
};

const KEYS: &[Key] = &[
    Key {
        name: API_KEY,
        kind: Kind::Secret,
        need: Need::Required,
        help: "An API key of the account, from Keys & Credentials on portal.telnyx.com",
    },
    Key {
        name: PUBLIC_KEY,
        kind: Kind::Text,
        need: Need::Required,
        help: "The account's public key, from Keys & Credentials, Public key: it proves webhooks",
    },
    Key {
        name: CONNECTION_ID,
        kind: Kind::Text,
        need: Need::Required,
        help: "The Call Control application that makes the calls: its id, from Voice, Programmable Voice",
    },
    machines::KEY,
    Key {
        name: SOUND,
        kind: Kind::Text,
        need: Need::Optional,
        help: "How sound travels: \"narrow\" as on every telephone (8 kHz, the default), or wide (16 kHz) as \"l16\", \"g722\" or \"opus\"",
    },
    Key {
        name: L16_ORDER,
        kind: Kind::Text,
        need: Need::Optional,
        help: "Which byte of an L16 sample comes first: \"big-endian\" (the default) or \"little-endian\". The wrong one is loud noise",
    },
    Key {
        name: API_URL,
        kind: Kind::Url,
        need: Need::Optional,
        help: "Where the API is, if not at https://api.telnyx.com: a test exchange",
    },
];

const API_KEY: &str = "api_key";
const PUBLIC_KEY: &str = "public_key";
const CONNECTION_ID: &str = "connection_id";
const API_URL: &str = "api_url";

const COMPANY: Company = Company {
    name: "Telnyx",
    console: "portal.telnyx.com",
    status: "https://status.telnyx.com",
    api: "https://api.telnyx.com",
    key: API_URL,
};

/// Whose calls they are, and what proves it.
#[derive(Clone, Debug)]
struct Account {
    key: Secret,
    connection: String,
}

/// Makes the carrier, or says everything that is wrong with its settings.
fn build(settings: &Settings) -> Result<Carrier, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut keep = |result: Result<(), Problem>| problems.extend(result.err());

    let key = settings.secret(API_KEY).cloned();
    let key = key.unwrap_or_else(|| Secret::new(""));
    keep(check_key(&key));
    let public = signature::Key::parse(settings.text(PUBLIC_KEY).unwrap_or_default());
    keep(public.as_ref().map(|_| ()).ok_or_else(no_public_key));
    let connection = settings.text(CONNECTION_ID).unwrap_or_default().to_owned();
    keep(check_connection(&connection));
    let url = rest::address(&COMPANY, settings.text(API_URL));
    keep(url.as_ref().map(|_| ()).map_err(Clone::clone));
    let machines = machines::read(settings, Machines::Told);
    keep(machines.as_ref().map(|_| ()).map_err(Clone::clone));
    let machines = machines.unwrap_or(Machines::Heard);

    let spoken = sound::Sound::read(settings);
    problems.extend(spoken.clone().err().unwrap_or_default());

    let (Some(public), Ok(url), Ok(spoken), []) = (public, url, spoken, &problems[..]) else {
        return Err(problems);
    };
    let account = Account { key, connection };
    let api = api::Api::new(account, spoken, machines, &url).map_err(|problem| vec![problem])?;
    let api = Arc::new(api);
    Ok(Carrier {
        name: COMPANY.name,
        calls: api.clone(),
        // A limit is said when a call is dialled, and never again.
        limits: None,
        transfers: Some(api.clone()),
        conferences: None,
        finds: Some(api.clone()),
        presses: Some(api.clone()),
        recordings: Some(api.clone()),
        machines,
        orders: Orders::Requested(api.clone()),
        sound: Sound::Stream(Dialect::new(spoken.spoken().rate, move || {
            stream::protocol(spoken)
        })),
        webhooks: Arc::new(webhook::Webhooks::new(public)),
        numbers: Some(api.clone()),
        account: Some(api),
        // Only Telnyx has the key that signs.
        signs: None,
    })
}

fn check_key(key: &Secret) -> Result<(), Problem> {
    let key = key.reveal();
    let message = if key.is_empty() {
        "the API key is empty"
    } else if key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    } else {
        "an API key has no spaces, line ends or other odd characters in it"
    };
    Err(Problem {
        key: API_KEY,
        message: message.to_owned(),
        hint: "copy it from Keys & Credentials on portal.telnyx.com, and write env:NAME or \
               file:PATH here to keep it out of this file"
            .to_owned(),
    })
}

fn no_public_key() -> Problem {
    Problem {
        key: PUBLIC_KEY,
        message: "a public key is 32 bytes in base64: 44 characters that end with =".to_owned(),
        hint:
            "copy it from Keys & Credentials, Public key, on portal.telnyx.com; it is not an API \
               key, which begins with KEY"
                .to_owned(),
    }
}

fn check_connection(id: &str) -> Result<(), Problem> {
    if !id.is_empty() && id.len() <= 40 && id.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(Problem {
        key: CONNECTION_ID,
        message: "the id of an application is a number of about nineteen digits".to_owned(),
        hint:
            "open the application under Voice, Programmable Voice on portal.telnyx.com: its id is \
               in the list, and in the address of its page"
                .to_owned(),
    })
}

/// Whether `text` may be Telnyx's handle of a call, and goes into a path as it is.
fn is_call(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'=' | b'+');
    !text.is_empty() && text.len() <= MAX_CALL && text.bytes().all(plain)
}

/// Handles have about sixty characters; Telnyx promises nothing.
const MAX_CALL: usize = 512;
