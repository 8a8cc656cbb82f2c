//! What an agent may have done in the middle of a call, and how it is done.
//!
//! Whether it may be done for whoever is on the line is asked of the owner's rules each time, when it is to be done. What
//! comes of it is data.

mod ask;
mod http;
mod program;
mod server;

use std::sync::Arc;
use std::time::Duration;

use call::Trust;
use policy::Power;
use ports::Secret;
use ports::agent::{Then, Tool};
use serde_json::{Value, json};

pub use ask::{Question, Questions};
pub(crate) use http::fetch;
pub use server::{At, Only, Server};

/// A tool of the owner's, or several of one server.
#[derive(Clone, Debug)]
pub struct ToolPlan {
    /// How sure one must be of who is on the line.
    pub trust: Trust,
    /// How long it may take.
    pub patience: Duration,
    /// How it is done.
    pub how: How,
}

/// How a tool of the owner's is done.
#[derive(Clone, Debug)]
pub enum How {
    /// By asking an address.
    Address(Address),
    /// By a server that speaks the Model Context Protocol, and has a name for each of its own.
    Server(Arc<Server>),
}

/// Something that is done by asking an address of the owner's.
#[derive(Clone, Debug)]
pub struct Address {
    /// What it does, for the agent.
    pub about: String,
    /// What it takes: a JSON schema.
    pub takes: Value,
    /// Where.
    pub url: String,
    /// What it wants to see, if anything.
    pub token: Option<Secret>,
}

/// What any agent may have done, if its table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// End the call, once what was said was heard.
    HangUp,
    /// Put the caller through to somebody by name.
    TransferTo,
    /// Press keys, for menus.
    PressKeys,
    /// Take down a message for the owner.
    TakeMessage,
    /// Ask the owner something, while the caller waits.
    AskOwner,
    /// Write down something for the owner.
    Note,
    /// Promise the caller to call them back.
    CallBackLater,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::HangUp,
        Self::TransferTo,
        Self::PressKeys,
        Self::TakeMessage,
        Self::AskOwner,
        Self::Note,
        Self::CallBackLater,
    ];

    /// The one of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// By what agents and configurations name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HangUp => "hang_up",
            Self::TransferTo => "transfer_to",
            Self::PressKeys => "press_keys",
            Self::TakeMessage => "take_message",
            Self::AskOwner => "ask_owner",
            Self::Note => "note",
            Self::CallBackLater => "call_back_later",
        }
    }

    /// What an agent has to be allowed for it.
    pub(crate) fn power(self) -> Power {
        match self {
            Self::HangUp => Power::HangUp,
            Self::TransferTo => Power::PutThrough,
            Self::PressKeys => Power::PressKeys,
            Self::TakeMessage => Power::TakeMessage,
            Self::AskOwner => Power::AskOwner,
            Self::Note => Power::Note,
            Self::CallBackLater => Power::CallBack,
        }
    }

    /// How long it may take.
    pub(crate) fn patience(self) -> Duration {
        match self {
            Self::HangUp
            | Self::TransferTo
            | Self::PressKeys
            | Self::TakeMessage
            | Self::Note
            | Self::CallBackLater => Duration::from_secs(10),
            Self::AskOwner => OWNER,
        }
    }

    /// As an agent is told of it, on a call whose caller it may put through to these.
    pub fn tool(self, transfers: &[String]) -> Tool {
        let (about, takes, then) = match self {
            Self::HangUp => (
                "End the call. What you have said in this turn is heard first: say goodbye in it.",
                object(json!({}), &[]),
                Then::Ends,
            ),
            Self::TransferTo => (
                "Put the caller through to somebody. Tell them so first. If nobody takes the call, you have the \
                 caller back.",
                object(
                    json!({
                        "to": { "type": "string", "enum": transfers },
                        "about": { "type": "string", "description": "What the caller wants, in a few words: it is told to whoever is called." },
                    }),
                    &["to"],
                ),
                Then::Ends,
            ),
            Self::PressKeys => (
                "Press keys on the phone, for a menu that asks for them.",
                object(
                    json!({ "keys": { "type": "string", "description": "0-9, * and #; w is half a second's pause." } }),
                    &["keys"],
                ),
                Then::GoesOn,
            ),
            Self::TakeMessage => (
                "Take down a message for your owner. Read it back to the caller first.",
                object(
                    json!({
                        "name": { "type": "string", "description": "Who leaves it." },
                        "text": { "type": "string", "description": "What they said, in their words." },
                    }),
                    &["name", "text"],
                ),
                Then::GoesOn,
            ),
            Self::AskOwner => (
                "Ask your owner something that only they can know or decide. It may take two minutes, in which the \
                 caller waits: tell them so first. They may not answer.",
                object(
                    json!({ "question": { "type": "string", "description": "With all they need to answer it." } }),
                    &["question"],
                ),
                Then::GoesOn,
            ),
            Self::Note => note(),
            Self::CallBackLater => call_back_later(),
        };
        Tool {
            name: self.name().to_owned(),
            about: about.to_owned(),
            takes,
            then,
        }
    }
}

/// As an agent is told of [`Builtin::Note`].
fn note() -> (&'static str, Value, Then) {
    (
        "Write something down for your owner, which nobody else gets to see. The caller is not told.",
        object(
            json!({ "text": { "type": "string", "description": "What to remember of this call." } }),
            &["text"],
        ),
        Then::GoesOn,
    )
}

/// As an agent is told of [`Builtin::CallBackLater`].
fn call_back_later() -> (&'static str, Value, Then) {
    (
        "Have the caller called back later, by you and on this number. Ask them first whether they want that, \
         and when. You do not remember this call then: you are told what you write here.",
        object(
            json!({
                "when": { "type": "string", "description": "In how many minutes, as in 30; or a time with its offset, as in 2030-01-31T09:00:00+01:00." },
                "why": { "type": "string", "description": "What the call back is for, with all you need to know then." },
            }),
            &["when", "why"],
        ),
        Then::GoesOn,
    )
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

/// How long an owner may take to answer.
const OWNER: Duration = Duration::from_secs(120);
