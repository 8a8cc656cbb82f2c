//! A request as it is on the wire.

use reqwest::Method;
use serde_json::Value;

/// A request, as it is sent: nothing of it is read and written again unless it is spoiled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Without what all addresses of the API begin with.
    pub(crate) path: String,
    /// Without its question mark.
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// What a request's body says.
pub(crate) enum Said {
    Nothing,
    Form(Vec<(String, String)>),
    Json(Value),
}

impl Asked {
    /// Reads the body, by what it says that it is.
    pub(crate) fn said(&self) -> Said {
        let json = || serde_json::from_slice(&self.body).ok().map(Said::Json);
        match self.content_type.as_deref() {
            Some(FORM) => Said::Form(pairs(&self.body)),
            Some(_) => json().unwrap_or(Said::Nothing),
            None => Said::Nothing,
        }
    }

    /// The query, read.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        pairs(self.query.as_bytes())
    }

    pub(crate) fn with_form(&self, form: &[(String, String)]) -> Self {
        Self {
            body: written(form).into_bytes(),
            ..self.clone()
        }
    }

    pub(crate) fn with_json(&self, json: &Value) -> Self {
        Self {
            body: json.to_string().into_bytes(),
            ..self.clone()
        }
    }

    pub(crate) fn with_query(&self, query: &[(String, String)]) -> Self {
        Self {
            query: written(query),
            ..self.clone()
        }
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn written(pairs: &[(String, String)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs);
    text.finish()
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
