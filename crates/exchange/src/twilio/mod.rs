//! Twilio's side of the wire: its REST API, its webhooks, its instructions, its media socket.
//!
//! What differs from the real thing, on purpose: everything is plain HTTP and `ws` on loopback (the real one demands
//! `https` and `wss`; [`crate::Builder::tunnel`] lets an application keep its public `https` address); `<Say>` and
//! `<Play>` make no sound, nor do a conference's beeps and music; of recording only what a request begins is played. A `<Dial>`
//! calls one number or enters one conference, for a call that is answered already.

mod account;
mod conference;
mod conferences;
mod dial;
mod form;
pub(crate) mod life;
mod load;
pub(crate) mod media;
mod recording;
pub(crate) mod rest;
pub(crate) mod twiml;
pub(crate) mod webhook;

use crate::call;
use crate::ledger::Direction;
use crate::office::{Account, Office, fresh, lock};
use crate::phone::Step;
use crate::{Entry, LONGEST_CALL, LONGEST_RING, NoKeys, Played};
use axum::Router;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use twiml::{Method, Onward};

/// The carrier played here.
pub(crate) const ENTRY: Entry = Entry {
    name: "twilio",
    account: "AC00000000000000000000000000000000",
    secret: "12345678901234567890123456789012",
    open: |account, office| Arc::new(Carrier::new(account, office)),
    load: load::prepare,
};

/// The carrier: its account and its calls.
pub(crate) struct Carrier {
    pub(crate) account: Account,
    pub(crate) office: Office,
    pub(crate) calls: call::Calls<Command, Own>,
    /// API keys, each with its secret.
    keys: Mutex<Vec<(String, String)>>,
    pub(crate) conferences: conference::Conferences,
}

/// One call as the carrier keeps it.
pub(crate) type Call = call::Call<Command, Own>;

/// What it keeps of a call beyond what all carriers do.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) number_sid: String,
    pub(crate) callback: Callback,
    /// The call whose `<Dial>` made this one.
    pub(crate) parent: Option<String>,
    pub(crate) recordings: Vec<recording::Recording>,
}

/// Where status callbacks go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Callback {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) events: Vec<String>,
}

/// What the REST API asks of a live call.
pub(crate) enum Command {
    Complete,
    Cancel,
    Redirect(Instructions),
    TimeLimit(Duration),
}

/// Where a call's instructions come from.
#[derive(Clone, Debug)]
pub(crate) enum Instructions {
    Inline(String),
    Fetch(Fetch),
}

#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) url: String,
    pub(crate) method: twiml::Method,
    pub(crate) fallback: twiml::Onward,
    pub(crate) event: &'static str,
    pub(crate) extra: Vec<(String, String)>,
}

impl Own {
    /// Of a call by or to the number with this id.
    pub(crate) fn new(number: &str, callback: Callback) -> Self {
        Self {
            number_sid: number_sid(number),
            callback,
            parent: None,
            recordings: Vec::new(),
        }
    }
}

impl Carrier {
    /// Whether these are the account's own credentials, or those of one of its keys.
    fn knows(&self, user: &str, password: &str) -> bool {
        let own = (self.account.id.as_str(), self.account.secret.as_str());
        let keys = lock(&self.keys);
        let mut keys = keys.iter().map(|(id, secret)| (id.as_str(), secret.as_str()));
        own == (user, password) || keys.any(|it| it == (user, password))
    }

    pub(crate) fn new(account: Account, office: Office) -> Self {
        Self {
            account,
            office,
            calls: call::Calls::new(),
            keys: Mutex::default(),
            conferences: conference::Conferences::default(),
        }
    }
}

impl Played for Carrier {
    fn office(&self) -> &Office {
        &self.office
    }

    fn configuration(&self, api: &str) -> String {
        let Account { id, secret } = &self.account;
        format!(
            "[carriers.{}]\naccount_sid = \"{id}\"\nauth_token = \"{secret}\"\napi_url = \"{api}\"\n",
            ENTRY.name
        )
    }

    fn add_key(&self, id: &str, secret: &str) -> Result<(), NoKeys> {
        lock(&self.keys).push((id.to_owned(), secret.to_owned()));
        Ok(())
    }

    fn router(self: Arc<Self>) -> Router {
        rest::router(self)
    }

    fn call_in(self: Arc<Self>, from: &str, to: &str, script: Vec<Step>) -> Option<String> {
        let number = self.office.called(to)?;
        let callback = Callback {
            url: number.status_url,
            method: "POST".to_owned(),
            events: vec!["completed".to_owned()],
        };
        let own = Own::new(&number.id, callback);
        let (call, commands) = Call::new(fresh("CA"), Direction::Inbound, (from, to), own);
        self.calls.enter(Arc::clone(&call)).ok()?;
        let sid = call.id.clone();
        let order = life::Order {
            answered_by: None,
            instructions: Instructions::Fetch(Fetch {
                url: number.voice_url,
                method: Method::Post,
                fallback: Onward::NextVerb,
                event: "voice",
                extra: Vec::new(),
            }),
            timeout: LONGEST_RING,
            time_limit: LONGEST_CALL,
        };
        let life = life::inbound(Arc::clone(&self), call, commands, script, order);
        self.office.spawn(life);
        Some(sid)
    }
}

/// A number's id as the carrier writes it.
pub(crate) fn number_sid(id: &str) -> String {
    format!("PN{id}")
}

/// The carrier's word for which way a call went, and what made it.
pub(crate) fn direction(direction: Direction, own: &Own) -> &'static str {
    match (direction, &own.parent) {
        (Direction::Inbound, _) => "inbound",
        (Direction::Outbound, None) => "outbound-api",
        (Direction::Outbound, Some(_)) => "outbound-dial",
    }
}

/// A date as the carrier writes it (RFC 2822, UTC).
pub(crate) fn date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}
