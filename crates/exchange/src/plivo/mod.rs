//! Plivo's side of the wire: its REST API, its webhooks, its XML, its audio stream.
//!
//! What differs from the real thing, on purpose: everything is plain HTTP and `ws` on loopback (the real one demands
//! `https` and `wss`; [`crate::Builder::tunnel`] lets an application keep its public `https` address); `<Speak>` and
//! `<Play>` make no sound; streams carry the inbound track only, at 8 kHz; several destinations in one request,
//! recording as an element, the sounds of a conference and input are not played. A `<Dial>` calls one number.

mod body;
mod cause;
mod conference;
mod dial;
pub(crate) mod life;
mod load;
pub(crate) mod media;
pub(crate) mod rest;
mod numbers;
mod recording;
mod told;
pub(crate) mod webhook;
pub(crate) mod xml;

use crate::call;
use crate::ledger::Direction;
use crate::office::{Account, Office};
use crate::phone::{Step, key_tone};
use crate::{Entry, LONGEST_CALL, Played};
use axum::Router;
use cause::Hangup;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The carrier played here.
pub(crate) const ENTRY: Entry = Entry {
    name: "plivo",
    account: "MA000000000000000000",
    secret: "1234567890123456789012345678901234567890",
    open: |account, office| Arc::new(Carrier::new(account, office)),
    load: load::prepare,
};

/// The carrier: its account and its calls.
pub(crate) struct Carrier {
    pub(crate) account: Account,
    pub(crate) office: Office,
    pub(crate) calls: call::Calls<Command, Own>,
    conferences: conference::Conferences,
    /// Those made through the API.
    applications: Mutex<Vec<numbers::Application>>,
}

/// One call as the carrier keeps it.
pub(crate) type Call = call::Call<Command, Own>;

/// What it keeps of a call beyond what all carriers do.
#[derive(Clone, Default)]
pub(crate) struct Own {
    /// The request that asked for the call; inbound calls have none.
    pub(crate) request: Option<String>,
    pub(crate) ring: Option<Notice>,
    pub(crate) hangup: Option<Notice>,
    /// The audio stream that is being opened, or open.
    pub(crate) stream: Option<String>,
    pub(crate) ended: Option<Hangup>,
    /// The call whose `<Dial>` made this one.
    pub(crate) parent: Option<String>,
    pub(crate) recordings: Vec<recording::Recording>,
}

/// Where the application wants to be told of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) url: String,
    pub(crate) method: Method,
}

/// How the application is asked and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

impl Method {
    /// The method of that name; without a name it is POST.
    pub(crate) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("POST") => Some(Self::Post),
            Some("GET") => Some(Self::Get),
            Some(_) => None,
        }
    }
}

/// What the REST API asks of a call.
pub(crate) enum Command {
    HangUp,
    Cancel,
    Transfer(Notice),
    Keys(Vec<i16>),
    Stream(Box<xml::Stream>),
    StopStream,
}

impl Carrier {
    fn new(account: Account, office: Office) -> Self {
        Self {
            account,
            office,
            calls: call::Calls::new(),
            conferences: conference::Conferences::default(),
            applications: Mutex::default(),
        }
    }
}

impl Played for Carrier {
    fn office(&self) -> &Office {
        &self.office
    }

    fn configuration(&self, api: &str) -> String {
        let Account { id, secret } = &self.account;
        let sound = self.office.band.setting();
        format!(
            "[carriers.{}]\nauth_id = \"{id}\"\nauth_token = \"{secret}\"\napi_url = \"{api}\"\n{sound}",
            ENTRY.name
        )
    }

    fn router(self: Arc<Self>) -> Router {
        rest::router(self)
    }

    fn call_in(self: Arc<Self>, from: &str, to: &str, script: Vec<Step>) -> Option<String> {
        let number = self.office.called(to)?;
        let post = |url: String| Notice {
            url,
            method: Method::Post,
        };
        let own = Own {
            hangup: Some(number.status_url)
                .filter(|url| !url.is_empty())
                .map(post),
            ..Own::default()
        };
        let (call, commands) = Call::new(uuid(), Direction::Inbound, (from, to), own);
        self.calls.enter(Arc::clone(&call)).ok()?;
        let id = call.id.clone();
        let order = life::Order {
            machine: None,
            answer: post(number.voice_url),
            fallback: None,
            time_limit: LONGEST_CALL,
            keys: Vec::new(),
        };
        let life = life::inbound(Arc::clone(&self), call, commands, script, order);
        self.office.spawn(life);
        Some(id)
    }
}

/// A new id as the carrier writes all of them.
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A number as webhooks write it: without its plus.
pub(crate) fn digits(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

/// A time as the carrier writes it.
pub(crate) fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The sound of keys, `w` and `W` being half a second and a second of silence; nothing when there are others among them.
pub(crate) fn tones(keys: &str) -> Option<Vec<i16>> {
    let mut sound = Vec::new();
    for key in keys.chars() {
        match key {
            'w' => sound.extend([0; 4_000]),
            'W' => sound.extend([0; 8_000]),
            '0'..='9' | 'A'..='D' | '*' | '#' => sound.extend(key_tone(key, PRESSED)),
            _ => return None,
        }
    }
    (keys.len() <= MOST_KEYS).then_some(sound)
}

const MOST_KEYS: usize = 100;
/// For how long a key is held that the application presses.
const PRESSED: Duration = Duration::from_millis(100);
