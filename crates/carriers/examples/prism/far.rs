//! The far end of our carriers' requests: it has the mock judge them, notes that down, and hands the
//! mock's answer back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::asked::{Asked, Said};
use crate::mock::{Answer, By, Mock, Verdict, Violation};
use crate::story::{Absent, Sample, Scene};

/// Where our carriers send their requests.
pub(crate) struct Far {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    mock: Mock,
    absent: &'static [Absent],
    cleared: &'static [&'static str],
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    story: String,
    scene: Option<Scene>,
    /// Where the records of this story begin.
    first: usize,
    records: Vec<Record>,
}

/// A request of ours, and what came of it.
#[derive(Clone)]
pub(crate) struct Record {
    /// What we wanted.
    pub(crate) story: String,
    /// What else we wanted, with the same request.
    pub(crate) also: Vec<String>,
    pub(crate) asked: Asked,
    pub(crate) outcome: Outcome,
}

/// What the mock thought of a request of ours.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Accepted,
    /// All but these fields, which are cleared in a way that the description has no word for.
    AllBut(Vec<String>),
    /// The data has been cut to what concerns calls; what is asked for here was known not to be in it.
    Absent(&'static str),
    Refused(Vec<Violation>),
    /// The mock took it, and we did not understand the answer.
    Misread(String),
}

impl Far {
    pub(crate) async fn start(mock: Mock, sample: &Sample) -> Result<Self, String> {
        let inner = Arc::new(Inner {
            mock,
            absent: sample.absent,
            cleared: sample.cleared,
            told: Mutex::default(),
        });
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = bound.map_err(|fault| format!("no free port: {fault}"))?;
        let address = listener.local_addr().map_err(|it| it.to_string())?;
        let app = Router::new().fallback(take).with_state(inner.clone());
        tokio::spawn(async { axum::serve(listener, app).await });
        Ok(Self { address, inner })
    }

    /// What comes now is for this, with things as they are in this scene.
    pub(crate) fn begin(&self, story: String, scene: Scene) {
        let mut told = self.inner.told();
        told.story = story;
        told.scene = Some(scene);
        told.first = told.records.len();
    }

    /// What came of it, as our carrier understood it; `None`: it asked nothing.
    pub(crate) fn understood<T>(&self, result: Result<T, ports::Fault>) -> Option<()> {
        let mut told = self.inner.told();
        let first = told.first;
        let last = told.records[first..].last_mut()?;
        if let Err(fault) = result
            && !matches!(last.outcome, Outcome::Refused(_))
        {
            last.outcome = Outcome::Misread(fault.to_string());
        }
        Some(())
    }

    /// Everything that was asked, each once.
    pub(crate) fn end(&self) -> (&Mock, Vec<Record>) {
        let mut once: Vec<Record> = Vec::new();
        for record in &self.inner.told().records {
            let same = |it: &Record| it.asked == record.asked && it.outcome == record.outcome;
            match once.iter().position(same) {
                Some(at) => once[at].also.push(record.story.clone()),
                None => once.push(record.clone()),
            }
        }
        (&self.inner.mock, once)
    }
}

impl Inner {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("nobody panics holding it")
    }

    /// What a request comes to, and what it is answered.
    async fn judge(&self, asked: &Asked) -> Result<(Outcome, Answer), String> {
        let answer = self.mock.ask(asked).await?;
        let violations = match &answer.verdict {
            Verdict::Accepted => return Ok((Outcome::Accepted, answer)),
            Verdict::Unheard => return Ok(self.unheard(asked, answer)),
            Verdict::Refused(violations) => violations.clone(),
        };
        if let Some((rest, cleared)) = self.without_cleared(asked, &violations) {
            let again = self.mock.ask(&rest).await?;
            if again.verdict == Verdict::Accepted {
                return Ok((Outcome::AllBut(cleared), again));
            }
        }
        Ok((Outcome::Refused(violations), answer))
    }

    fn unheard(&self, asked: &Asked, answer: Answer) -> (Outcome, Answer) {
        let known = self.absent.iter().find(|it| it.is(asked));
        let Some(known) = known else {
            let violation = Violation {
                place: "path".to_owned(),
                message: "the description has no such path".to_owned(),
                by: By::Mock,
            };
            return (Outcome::Refused(vec![violation]), answer);
        };
        let answer = Answer {
            status: 200,
            body: (known.answer)(asked).to_string().into_bytes(),
            verdict: Verdict::Unheard,
        };
        (Outcome::Absent(known.template), answer)
    }

    /// What the mock cannot be asked about is not accepted.
    fn refuse(&self, asked: Asked, place: &str, message: String) -> Response {
        let mut told = self.told();
        let story = told.story.clone();
        let violation = Violation {
            place: place.to_owned(),
            message: message.clone(),
            by: By::Mock,
        };
        told.records.push(Record {
            story,
            also: Vec::new(),
            asked,
            outcome: Outcome::Refused(vec![violation]),
        });
        (StatusCode::BAD_GATEWAY, message).into_response()
    }

    /// The request without the fields that it clears, if that is all that was refused.
    fn without_cleared(
        &self,
        asked: &Asked,
        violations: &[Violation],
    ) -> Option<(Asked, Vec<String>)> {
        let Said::Form(form) = asked.said() else {
            return None;
        };
        let clears = |(name, value): &(String, String)| {
            value.is_empty() && self.cleared.contains(&name.as_str())
        };
        let (cleared, rest): (Vec<_>, Vec<_>) = form.into_iter().partition(clears);
        let cleared: Vec<_> = cleared.into_iter().map(|(name, _)| name).collect();
        let is_cleared = |it: &Violation| {
            cleared
                .iter()
                .any(|name| it.place == format!("body.{name}"))
        };
        let all = violations.iter().all(is_cleared);
        all.then(|| (asked.with_form(&rest), cleared))
    }
}

async fn take(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = parts.uri.path();
    let asked = |path: &str| Asked {
        method: parts.method.clone(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: text(&parts.headers, header::AUTHORIZATION),
        content_type: text(&parts.headers, header::CONTENT_TYPE),
        body: body.to_vec(),
    };
    // The mock knows nothing of the path that its server has.
    let Some(rest) = path.strip_prefix(inner.mock.description.base.as_str()) else {
        return inner.refuse(asked(path), "path", "not one of this server's".to_owned());
    };
    let asked = asked(rest);
    let (outcome, answer) = match inner.judge(&asked).await {
        Ok(judged) => judged,
        Err(message) => return inner.refuse(asked, "the mock", message),
    };
    let mut told = inner.told();
    let body = match told.scene {
        Some(scene) if (200..300).contains(&answer.status) => set(&asked, scene, &answer.body),
        Some(_) | None => answer.body,
    };
    let story = told.story.clone();
    told.records.push(Record {
        story,
        also: Vec::new(),
        asked,
        outcome,
    });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The answer as it is in a scene.
fn set(asked: &Asked, scene: Scene, answer: &[u8]) -> Vec<u8> {
    let mut answer: Value = serde_json::from_slice(answer).unwrap_or(json!(null));
    scene(asked, &mut answer);
    answer.to_string().into_bytes()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}

const MAX_BODY: usize = 64 * 1024;
