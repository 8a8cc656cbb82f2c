//! The mock: prism, which has read the description and judges requests by it.

use std::time::Duration;

use reqwest::Client;
use serde_json::Value;

use crate::asked::Asked;
use crate::description::Description;

/// A mock that listens on this machine.
pub(crate) struct Mock {
    http: Client,
    at: String,
    pub(crate) description: Description,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) verdict: Verdict,
}

/// What it thinks of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Accepted,
    /// The description has no such path.
    Unheard,
    Refused(Vec<Violation>),
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Violation {
    /// As in `body.To`.
    pub(crate) place: String,
    pub(crate) message: String,
    pub(crate) by: By,
}

/// Who found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Mock,
    /// Ourselves, in the description, where the mock looks at no names.
    Names,
}

impl Mock {
    pub(crate) fn new(port: u16, description: Description) -> Result<Self, String> {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().tls_certs_only([]);
        let http = http.timeout(PATIENCE).build();
        let http = http.map_err(|fault| format!("no HTTP client can be made: {fault}"))?;
        let at = format!("http://127.0.0.1:{port}");
        Ok(Self {
            http,
            at,
            description,
        })
    }

    /// Has a request judged.
    pub(crate) async fn ask(&self, asked: &Asked) -> Result<Answer, String> {
        let mut url = format!("{}{}", self.at, asked.path);
        if !asked.query.is_empty() {
            url = format!("{url}?{}", asked.query);
        }
        let mut request = self.http.request(asked.method.clone(), url);
        request = request.header("accept", "application/json");
        if let Some(it) = &asked.authorization {
            request = request.header("authorization", it);
        }
        if let Some(it) = &asked.content_type {
            request = request.header("content-type", it);
        }
        let lost = |fault: reqwest::Error| format!("the mock does not answer: {fault}");
        let answer = request.body(asked.body.clone()).send().await;
        let answer = answer.map_err(lost)?;
        let status = answer.status().as_u16();
        let header = answer.headers().get("sl-violations");
        let header = header.and_then(|it| serde_json::from_slice(it.as_bytes()).ok());
        let body = answer.bytes().await.map_err(lost)?.to_vec();
        let mut verdict = judge(status, header, &body);
        let strangers = self.description.strangers(asked).into_iter();
        let strangers = strangers.map(|name| Violation {
            message: format!("the description has no {name}"),
            place: name,
            by: By::Names,
        });
        let strangers: Vec<_> = strangers.collect();
        if !strangers.is_empty() && verdict == Verdict::Accepted {
            verdict = Verdict::Refused(strangers);
        }
        Ok(Answer {
            status,
            body,
            verdict,
        })
    }
}

/// Its answers are made of the description's examples, which do not all keep to the description: what
/// it says of those is no word about the request.
fn judge(status: u16, header: Option<Value>, body: &[u8]) -> Verdict {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = problem["type"].as_str().unwrap_or_default();
    if kind.ends_with("#NO_PATH_MATCHED_ERROR") {
        return Verdict::Unheard;
    }
    let listed = header.as_ref().or(problem.get("validation"));
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    let mut violations: Vec<_> = listed.filter_map(violation).collect();
    if violations.is_empty() && !(200..300).contains(&status) {
        let title = problem["title"].as_str().unwrap_or("it does not say why");
        violations.push(Violation {
            place: String::new(),
            message: format!("HTTP status {status}: {title}"),
            by: By::Mock,
        });
    }
    if violations.is_empty() {
        Verdict::Accepted
    } else {
        Verdict::Refused(violations)
    }
}

fn violation(listed: &Value) -> Option<Violation> {
    let place = listed["location"].as_array().into_iter().flatten();
    let mut place: Vec<_> = place.filter_map(Value::as_str).collect();
    if place.first() == Some(&"response") {
        return None;
    }
    place.retain(|it| *it != "request");
    Some(Violation {
        place: place.join("."),
        message: listed["message"].as_str().unwrap_or_default().to_owned(),
        by: By::Mock,
    })
}

const PATIENCE: Duration = Duration::from_secs(20);
