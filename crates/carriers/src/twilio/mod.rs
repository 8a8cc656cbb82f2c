//! Twilio: calls by REST, webhooks signed with the account's token, sound on Media Streams.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what may be configured, and the carrier made from it |
//! | `api.rs` | [`Calls`](ports::carrier::Calls): the REST requests. The only I/O here |
//! | `refusal.rs` | Twilio's error codes, in our words |
//! | `signature.rs` | proves that a request is Twilio's. Pure |
//! | `webhook.rs` | [`Webhooks`](ports::carrier::Webhooks): what a webhook says. Pure |
//! | `twiml.rs` | what a webhook is answered with. Pure |
//! | `stream.rs` | [`StreamProtocol`](ports::carrier::StreamProtocol): the media socket. Pure |
//! | `message.rs` | the shapes of that socket's messages |
//! | `status.rs` | the states of a call, as Twilio writes them |
//! | `fixtures/` | messages as Twilio documents them, for the tests |
//!
//! Sources: the [REST API](https://www.twilio.com/docs/voice/api/call-resource) and its
//! [OpenAPI description](https://github.com/twilio/twilio-oai),
//! [webhook security](https://www.twilio.com/docs/usage/security),
//! [TwiML for streams](https://www.twilio.com/docs/voice/twiml/stream),
//! [stream messages](https://www.twilio.com/docs/voice/media-streams/websocket-messages),
//! [error codes](https://www.twilio.com/docs/api/errors).

mod api;
mod message;
mod refusal;
pub mod signature;
mod status;
mod stream;
mod twiml;
mod webhook;

use std::sync::Arc;

use crate::rest::{self, Company};
use media::Rate;
use ports::carrier::{Carrier, Dialect, Entry, Orders, Sound};
use ports::{Key, Kind, Need, Problem, Secret, Settings};

/// Twilio, for the list of carriers.
pub const ENTRY: Entry = Entry {
    name: "twilio",
    keys: KEYS,
    build,
};

const KEYS: &[Key] = &[
    Key {
        name: ACCOUNT_SID,
        kind: Kind::Text,
        need: Need::Required,
        help: "The account, AC and 32 hex digits: on the first page of console.twilio.com",
    },
    Key {
        name: AUTH_TOKEN,
        kind: Kind::Secret,
        need: Need::Required,
        help: "The account's auth token, next to its SID",
    },
    Key {
        name: SECONDARY_AUTH_TOKEN,
        kind: Kind::Secret,
        need: Need::Optional,
        help: "While the auth token is being replaced: the other one, also taken on webhooks",
    },
    Key {
        name: API_URL,
        kind: Kind::Url,
        need: Need::Optional,
        help: "Where the API is, if not at https://api.twilio.com: a region, or a test exchange",
    },
];

const ACCOUNT_SID: &str = "account_sid";
const AUTH_TOKEN: &str = "auth_token";
const SECONDARY_AUTH_TOKEN: &str = "secondary_auth_token";
const API_URL: &str = "api_url";

const COMPANY: Company = Company {
    name: "Twilio",
    console: "console.twilio.com",
    status: "https://status.twilio.com",
    api: "https://api.twilio.com",
    key: API_URL,
};

/// Whose account it is, and what proves it.
#[derive(Clone, Debug)]
struct Account {
    sid: String,
    token: Secret,
}

/// Makes the carrier, or says everything that is wrong with its settings.
fn build(settings: &Settings) -> Result<Carrier, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut keep = |result: Result<(), Problem>| problems.extend(result.err());

    let sid = settings.text(ACCOUNT_SID).unwrap_or_default();
    keep(check_account_sid(sid));
    let token = settings.secret(AUTH_TOKEN).cloned();
    let token = token.unwrap_or_else(|| Secret::new(""));
    keep(check_token(AUTH_TOKEN, &token));
    let secondary = settings.secret(SECONDARY_AUTH_TOKEN);
    keep(secondary.map_or(Ok(()), |it| check_token(SECONDARY_AUTH_TOKEN, it)));
    let url = rest::address(&COMPANY, settings.text(API_URL));
    keep(url.as_ref().map(|_| ()).map_err(Clone::clone));

    let account = Account {
        sid: sid.to_owned(),
        token: token.clone(),
    };
    let tokens = [Some(&token), secondary].into_iter().flatten().cloned();
    let webhooks = webhook::Webhooks::new(sid, tokens.collect());
    match url.and_then(|url| api::Api::new(account, url)) {
        Ok(api) if problems.is_empty() => {
            let api = Arc::new(api);
            Ok(Carrier {
                name: "Twilio",
                calls: api.clone(),
                limits: Some(api),
                orders: Orders::Replied,
                sound: Sound::Stream(Dialect::new(Rate::Hz8000, stream::protocol)),
                webhooks: Arc::new(webhooks),
            })
        }
        Ok(_) => Err(problems),
        Err(problem) => {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
            Err(problems)
        }
    }
}

fn check_account_sid(sid: &str) -> Result<(), Problem> {
    if is_sid("AC", sid) {
        return Ok(());
    }
    let hint = if sid.starts_with("SK") {
        "that is the SID of an API key; the account's own starts with AC, and is on the first page \
         of console.twilio.com"
    } else {
        "copy it from the first page of console.twilio.com, next to the auth token"
    };
    Err(Problem {
        key: ACCOUNT_SID,
        message: "an account SID is AC and 32 hex digits".to_owned(),
        hint: hint.to_owned(),
    })
}

fn check_token(key: &'static str, token: &Secret) -> Result<(), Problem> {
    let token = token.reveal();
    let message = if token.is_empty() {
        "the auth token is empty"
    } else if token.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    } else {
        "an auth token has no spaces, line ends or other odd characters in it"
    };
    Err(Problem {
        key,
        message: message.to_owned(),
        hint: "copy it from the first page of console.twilio.com, and write env:NAME or file:PATH \
               here to keep it out of this file"
            .to_owned(),
    })
}

/// Whether `text` is one of Twilio's ids: two letters for what it names, and 32 hex digits.
fn is_sid(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind)
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}
