//! What a plug may be told in the configuration.
//!
//! A plug declares its keys; the gateway reads them, finds typing errors, resolves secrets and
//! knows the line of each; the plug sees only [`Settings`] in which every required key is present.

use std::collections::BTreeMap;

use crate::Secret;

/// One key of a plug's table in the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written in the file.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// Whether it may be left out.
    pub need: Need,
    /// One line for people, used by `offhook init`.
    pub help: &'static str,
}

impl Key {
    /// One of that name.
    pub const fn new(name: &'static str, kind: Kind, need: Need, help: &'static str) -> Self {
        Self {
            name,
            kind,
            need,
            help,
        }
    }
}

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A string that is `env:NAME`, `file:PATH` or the secret itself.
    Secret,
    /// An `http://` or `https://` address.
    Url,
    /// A whole number, not negative.
    Number,
    /// A list of strings.
    List,
}

/// Whether a key may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The plug cannot work without it.
    Required,
    /// The plug has a default.
    Optional,
}

/// A value, read and resolved.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of [`Kind::Text`] or [`Kind::Url`].
    Text(String),
    /// Of [`Kind::Secret`].
    Secret(Secret),
    /// Of [`Kind::Number`].
    Number(u64),
    /// Of [`Kind::List`].
    List(Vec<String>),
}

/// The values given for a plug's keys: every required key is there, and none that was not declared.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<&'static str, Value>);

impl Settings {
    /// Adds a value.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Value) -> Self {
        self.0.insert(key, value);
        self
    }

    /// The text under `key`, if one was given.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Value::Text(text)) => Some(text),
            Some(Value::Secret(_) | Value::Number(_) | Value::List(_)) | None => None,
        }
    }

    /// The secret under `key`, if one was given.
    pub fn secret(&self, key: &str) -> Option<&Secret> {
        match self.0.get(key) {
            Some(Value::Secret(secret)) => Some(secret),
            Some(Value::Text(_) | Value::Number(_) | Value::List(_)) | None => None,
        }
    }

    /// The number under `key`, if one was given.
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some(Value::Number(number)) => Some(*number),
            Some(Value::Text(_) | Value::Secret(_) | Value::List(_)) | None => None,
        }
    }

    /// The list under `key`, if one was given.
    pub fn list(&self, key: &str) -> Option<&[String]> {
        match self.0.get(key) {
            Some(Value::List(list)) => Some(list),
            Some(Value::Text(_) | Value::Secret(_) | Value::Number(_)) | None => None,
        }
    }
}

/// Something wrong with one value. The gateway adds the file and the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which key.
    pub key: &'static str,
    /// What is wrong, without repeating a secret.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}
