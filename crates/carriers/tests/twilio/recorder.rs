//! The other end of the API: it writes down what it is asked.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;

/// Writes down what it is asked, and gives prepared answers: the last one again and again.
pub(super) struct Recorder {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) form: Vec<(String, String)>,
}

type Answers = Vec<(u16, Value)>;

impl Recorder {
    pub(super) async fn start(answers: Answers) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let state = (requests.clone(), Arc::new(answers));
        let app = Router::new().fallback(record).with_state(state);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { address, requests }
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests
            .lock()
            .expect("no test panics holding it")
            .clone()
    }
}

type Records = (Arc<Mutex<Vec<Recorded>>>, Arc<Answers>);

async fn record(State((requests, answers)): State<Records>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 64 * 1024)
        .await
        .expect("requests are short");
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (
            name.to_string(),
            value.to_str().expect("headers are ASCII").to_owned(),
        )
    };
    let pairs = |text: &[u8]| {
        form_urlencoded::parse(text)
            .into_owned()
            .collect::<Vec<_>>()
    };
    let recorded = Recorded {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        headers: parts.headers.iter().map(header).collect(),
        form: pairs(&body),
    };
    let mut requests = requests.lock().expect("no test panics holding it");
    let (status, answer) = &answers[requests.len().min(answers.len() - 1)];
    requests.push(recorded);
    let status = StatusCode::from_u16(*status).expect("a status");
    (
        status,
        [("location", "/elsewhere")],
        axum::Json(answer.clone()),
    )
}

impl Recorded {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|it| &**it)
    }
}
