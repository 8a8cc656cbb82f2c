//! Plivo: calls by REST, webhooks signed with the account's token, instructions in XML, sound on an
//! audio stream.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what may be configured, and the carrier made from it |
//! | `api.rs` | [`Calls`](ports::carrier::Calls): the REST requests. With the next three, the only I/O here |
//! | `conferences.rs` | [`Conferences`](ports::carrier::Conferences): rooms, and who is in them |
//! | `recordings.rs` | [`Recordings`](ports::carrier::Recordings): begun by a request, fetched by two |
//! | `account.rs` | [`Numbers`](ports::account::Numbers) and [`Account`](ports::account::Account): what the account has and may do |
//! | `refusal.rs` | Plivo's errors, in our words |
//! | `signature.rs` | proves that a request is Plivo's. Pure |
//! | `webhook.rs` | [`Webhooks`](ports::carrier::Webhooks): what a webhook says. Pure |
//! | `cause.rs` | how calls end, as Plivo writes it |
//! | `xml.rs` | what a webhook is answered with. Pure |
//! | `sound.rs` | which sound is asked for, and which can be read |
//! | `stream.rs` | [`StreamProtocol`](ports::carrier::StreamProtocol): the media socket. Pure |
//!
//! A call that is made has two names: the request's, which the dial returns, and its own, which its
//! first webhook tells together with the other.
//!
//! Sources: the [Voice API](https://docs.plivo.com/docs/voice/api/call/make-a-call),
//! [XML](https://docs.plivo.com/docs/voice/xml/request),
//! [signatures](https://docs.plivo.com/docs/voice/xml/request/validation),
//! [audio streaming](https://plivo.com/docs/voice/audio-streaming/audio-streaming),
//! [hangup causes](https://docs.plivo.com/docs/voice/troubleshooting/hangup-causes).

mod account;
mod api;
mod cause;
mod conferences;
mod finds;
mod recordings;
mod refusal;
pub mod signature;
mod sound;
mod stream;
mod webhook;
mod xml;

use std::sync::Arc;

use ports::carrier::{Carrier, Dialect, Entry, Machines, Orders, Sound};
use ports::{Key, Kind, Need, Problem, Secret, Settings};

use self::sound::SOUND;
use crate::machines;
use crate::rest::{self, Company};

/// Plivo, for the list of carriers.
pub const ENTRY: Entry = Entry {
    name: "plivo",
    keys: KEYS,
    build,
};

const KEYS: &[Key] = &[
    Key {
        name: AUTH_ID,
        kind: Kind::Text,
        need: Need::Required,
        help: "The account's Auth ID, MA or SA and 18 characters: on the first page of console.plivo.com",
    },
    Key {
        name: AUTH_TOKEN,
        kind: Kind::Secret,
        need: Need::Required,
        help: "The account's Auth Token, next to its ID",
    },
    machines::KEY,
    Key {
        name: SOUND,
        kind: Kind::Text,
        need: Need::Optional,
        help: "How sound travels: \"narrow\" as on every telephone (8 kHz, the default), or wide (16 kHz) as \"l16\"",
    },
    Key {
        name: API_URL,
        kind: Kind::Url,
        need: Need::Optional,
        help: "Where the API is, if not at https://api.plivo.com: a test exchange",
    },
];

const AUTH_ID: &str = "auth_id";
const AUTH_TOKEN: &str = "auth_token";
const API_URL: &str = "api_url";

const COMPANY: Company = Company {
    name: "Plivo",
    console: "console.plivo.com",
    status: "https://status.plivo.com",
    api: "https://api.plivo.com",
    key: API_URL,
};

/// Whose account it is, and what proves it.
#[derive(Clone, Debug)]
struct Account {
    id: String,
    token: Secret,
}

/// Makes the carrier, or says everything that is wrong with its settings.
fn build(settings: &Settings) -> Result<Carrier, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut keep = |result: Result<(), Problem>| problems.extend(result.err());

    let id = settings.text(AUTH_ID).unwrap_or_default().to_owned();
    keep(check_id(&id));
    let token = settings.secret(AUTH_TOKEN).cloned();
    let token = token.unwrap_or_else(|| Secret::new(""));
    keep(check_token(&token));
    let url = rest::address(&COMPANY, settings.text(API_URL));
    keep(url.as_ref().map(|_| ()).map_err(Clone::clone));
    let machines = machines::read(settings, Machines::Noticed);
    keep(machines.as_ref().map(|_| ()).map_err(Clone::clone));
    let machines = machines.unwrap_or(Machines::Heard);

    let spoken = sound::Sound::read(settings);
    problems.extend(spoken.clone().err());

    let (Ok(url), Ok(spoken), []) = (url, spoken, &problems[..]) else {
        return Err(problems);
    };
    let webhooks = webhook::Webhooks::new(token.clone(), spoken);
    let signer = account::Signer(token.clone());
    let api =
        api::Api::new(Account { id, token }, &url, machines).map_err(|problem| vec![problem])?;
    let api = Arc::new(api);
    Ok(Carrier {
        name: COMPANY.name,
        calls: api.clone(),
        // A limit is said when a call is dialled, and never again.
        limits: None,
        transfers: Some(api.clone()),
        conferences: Some(api.clone()),
        finds: Some(api.clone()),
        presses: Some(api.clone()),
        recordings: Some(api.clone()),
        machines,
        orders: Orders::Replied,
        sound: Sound::Stream(Dialect::new(spoken.rate(), stream::protocol)),
        webhooks: Arc::new(webhooks),
        numbers: Some(api.clone()),
        account: Some(api),
        signs: Some(Arc::new(signer)),
    })
}

fn check_id(id: &str) -> Result<(), Problem> {
    let kind = id.starts_with("MA") || id.starts_with("SA");
    if kind && id.len() == 20 && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Problem {
        key: AUTH_ID,
        message: "an Auth ID is MA or SA and 18 letters and digits".to_owned(),
        hint: "copy it from the first page of console.plivo.com, next to the auth token".to_owned(),
    })
}

fn check_token(token: &Secret) -> Result<(), Problem> {
    let token = token.reveal();
    let message = if token.is_empty() {
        "the auth token is empty"
    } else if token.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    } else {
        "an auth token has no spaces, line ends or other odd characters in it"
    };
    Err(Problem {
        key: AUTH_TOKEN,
        message: message.to_owned(),
        hint: "copy it from the first page of console.plivo.com, and write env:NAME or file:PATH \
               here to keep it out of this file"
            .to_owned(),
    })
}

/// Whether `text` may be one of Plivo's ids of calls and requests, and goes into a path as it is.
fn is_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(plain)
}

/// Ids have 36 characters.
const MAX_ID: usize = 64;

/// What the name of a leg begins with that has no name of its own yet, but only its request's.
const REQUEST: &str = "request/";
