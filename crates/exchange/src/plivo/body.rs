//! The body of a request to the REST API: a JSON object, read field by field.

use super::rest::{Refusal, refusal};
use super::{Method, Notice};
use crate::ledger::Ledger;
use serde_json::{Map, Value};
use std::time::Duration;

/// A JSON object; empty when nothing was sent.
#[derive(Default)]
pub(super) struct Body(Map<String, Value>);

impl Body {
    pub(super) fn read(kind: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if !kind.starts_with("application/json") {
            return Err(refusal(415, format!("Content-Type {kind:?} is not JSON")));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(refusal(400, "the body is not a JSON object")),
            Err(why) => Err(refusal(400, format!("the body is not JSON: {why}"))),
        }
    }

    /// Its members for the books: texts as they are and anything else as JSON.
    pub(super) fn into_form(self) -> Vec<(String, String)> {
        self.0
            .into_iter()
            .map(|(name, value)| {
                let text = value.as_str().map(str::to_owned);
                (name, text.unwrap_or_else(|| value.to_string()))
            })
            .collect()
    }

    /// A text, or a number or truth written as one.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(Value::Array(_) | Value::Object(_)) => Err(invalid(name)),
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| refusal(400, format!("{name} is required")))
    }

    pub(super) fn seconds(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(seconds @ 1..) => Ok(Some(Duration::from_secs(seconds))),
            Ok(_) | Err(_) => Err(invalid(name)),
        }
    }

    /// The URL and the method of a kind of request, as `answer_url` and `answer_method`.
    pub(super) fn notice(&self, kind: &str) -> Result<Option<Notice>, Refusal> {
        let (url_name, method_name) = (format!("{kind}_url"), format!("{kind}_method"));
        let method = self.text(&method_name)?;
        let method = Method::named(method.as_deref()).ok_or_else(|| invalid(&method_name))?;
        let Some(url) = self.text(&url_name)? else {
            return Ok(None);
        };
        if !is_url(&url) {
            return Err(invalid(&url_name));
        }
        Ok(Some(Notice { url, method }))
    }

    /// Warns of every field that is not among the known ones; the carrier passes them over.
    pub(super) fn warn_of_strangers(&self, ledger: &Ledger, call: &str, known: &[&str]) {
        for name in self.0.keys().filter(|name| !known.contains(&name.as_str())) {
            ledger.warn(0, call, format!("the API knows no field {name}"));
        }
    }
}

fn invalid(name: &str) -> Refusal {
    refusal(400, format!("{name} parameter is invalid"))
}

/// Whether the carrier would ask there: an absolute URL, `http` or `https`.
pub(super) fn is_url(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
}

pub(super) const LARGEST: usize = 64 * 1024;
