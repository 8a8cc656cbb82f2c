//! Twilio: calls by REST, webhooks signed with the account's token, sound on Media Streams.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what may be configured, and the carrier made from it |
//! | `settings.rs` | whose account it is, and where: checked. Pure |
//! | `api.rs` | [`Calls`](ports::carrier::Calls), [`Transfers`](ports::carrier::Transfers): the REST requests. The only I/O here |
//! | `recordings.rs` | [`Recordings`](ports::carrier::Recordings): begun by a request, fetched by another |
//! | `conferences.rs` | [`Conferences`](ports::carrier::Conferences): rooms, and who is in them |
//! | `account.rs` | [`Numbers`](ports::account::Numbers) and [`Account`](ports::account::Account): what the account has and may do |
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

mod account;
mod api;
mod conferences;
mod finds;
mod message;
mod recordings;
mod refusal;
mod settings;
pub mod signature;
mod status;
mod stream;
mod twiml;
mod webhook;

use std::sync::Arc;

use crate::machines;
use crate::rest::{self, Company};
use media::Rate;
use ports::carrier::{Carrier, Dialect, Entry, Machines, Orders, Sound};
use ports::{Key, Kind, Need, Problem, Settings};

use settings::{Account, is_sid};

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
        help: "The account's auth token, next to its SID. Webhooks are signed with it, so an API key \
               does not replace it",
    },
    Key {
        name: SECONDARY_AUTH_TOKEN,
        kind: Kind::Secret,
        need: Need::Optional,
        help: "While the auth token is being replaced: the other one, also taken on webhooks",
    },
    machines::KEY,
    Key {
        name: API_KEY,
        kind: Kind::Text,
        need: Need::Optional,
        help: "The SID of an API key, SK and 32 hex digits, to sign in to the API with instead of \
               the auth token",
    },
    Key {
        name: API_SECRET,
        kind: Kind::Secret,
        need: Need::Optional,
        help: "The secret of that API key, which is shown once, when it is made",
    },
    Key {
        name: REGION,
        kind: Kind::Text,
        need: Need::Optional,
        help: "The region that handles the calls, such as \"ie1\" or \"au1\", if not the United \
               States; it has credentials of its own",
    },
    Key {
        name: EDGE,
        kind: Kind::Text,
        need: Need::Optional,
        help: "The way into that region, such as \"dublin\" or \"sydney\"",
    },
    Key {
        name: API_URL,
        kind: Kind::Url,
        need: Need::Optional,
        help: "Where the API is, if not at https://api.twilio.com: such as a test exchange",
    },
];

const ACCOUNT_SID: &str = "account_sid";
const AUTH_TOKEN: &str = "auth_token";
const SECONDARY_AUTH_TOKEN: &str = "secondary_auth_token";
const API_KEY: &str = "api_key";
const API_SECRET: &str = "api_secret";
const REGION: &str = "region";
const EDGE: &str = "edge";
const API_URL: &str = "api_url";

const COMPANY: Company = Company {
    name: "Twilio",
    console: "console.twilio.com",
    status: "https://status.twilio.com",
    api: "https://api.twilio.com",
    key: API_URL,
};

/// Makes the carrier, or says everything that is wrong with its settings.
fn build(settings: &Settings) -> Result<Carrier, Vec<Problem>> {
    let mut problems = Vec::new();
    let account = Account::read(settings, &mut problems);
    let url = settings::address(settings);
    let url = url.and_then(|it| rest::address(&COMPANY, it.as_deref()));
    problems.extend(url.as_ref().err().cloned());

    let machines = machines::read(settings, Machines::Told);
    problems.extend(machines.as_ref().err().cloned());
    let machines = machines.unwrap_or(Machines::Heard);
    let token = account.tokens[0].clone();
    let webhooks = webhook::Webhooks::new(&account.sid, account.tokens.clone());
    match url.and_then(|url| api::Api::new(account, url, machines)) {
        Ok(api) if problems.is_empty() => {
            let api = Arc::new(api);
            Ok(Carrier {
                name: "Twilio",
                calls: api.clone(),
                limits: Some(api.clone()),
                transfers: Some(api.clone()),
                conferences: Some(api.clone()),
                finds: Some(api.clone()),
                // Only by a document of its own, which ends the stream.
                presses: None,
                recordings: Some(api.clone()),
                machines,
                orders: Orders::Replied,
                sound: Sound::Stream(Dialect::new(Rate::Hz8000, stream::protocol)),
                signs: Some(Arc::new(account::Signer(token))),
                webhooks: Arc::new(webhooks),
                numbers: Some(api.clone()),
                account: Some(api),
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
