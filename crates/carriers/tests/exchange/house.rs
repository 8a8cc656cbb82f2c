//! A small gateway: it does with a call what the carrier's own type says can be done, and keeps what it hears.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve};
use call::Number;
use exchange::{Builder, Exchange, Happening};
use ports::carrier::{
    Carrier, Door, News, Orders, Reply, Request, Stream, Transfer, Webhook as Told,
};
use ports::{Kind, Secret, Settings, Value};
use tokio::net::TcpListener;

pub(crate) const OURS: &str = "+15550001111";
pub(crate) const THEIRS: &str = "+15551234567";
pub(crate) const OTHER: &str = "+15557770002";

/// What was said at a door.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) door: Door,
    pub(crate) leg: String,
    pub(crate) notice: String,
    pub(crate) news: News,
}

pub(crate) struct House {
    pub(crate) exchange: Exchange,
    inside: Arc<Inside>,
}

struct Inside {
    url: String,
    carrier: Carrier,
    heard: Mutex<Vec<Heard>>,
}

impl House {
    /// The gateway of this carrier, and the exchange that `plays` makes it.
    pub(crate) async fn of(name: &str, plays: impl FnOnce(Builder) -> Builder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let exchange = Exchange::builder().carrier(name);
        let exchange = exchange.number(OURS, &format!("{url}/voice"));
        let exchange = plays(exchange.status_url(&format!("{url}/status")));
        let exchange = exchange.start().await.expect("it is played");
        let carrier = carrier(name, &exchange.configuration());
        let inside = Arc::new(Inside {
            url,
            carrier,
            heard: Mutex::default(),
        });
        let router = Router::new()
            .fallback(asked)
            .with_state(Arc::clone(&inside));
        tokio::spawn(async move { serve(listener, router).await });
        Self { exchange, inside }
    }

    /// Has a call put through, the `after`th time.
    pub(crate) async fn put_through(&self, call: &str, after: u32) {
        let transfers = self.inside.carrier.transfers.as_ref().expect("it can");
        let (to, from) = (number(OTHER), number(OURS));
        let (back, report) = self.inside.addresses(after);
        let transfer = transfer((&to, &from), &back, &report);
        let leg = ports::carrier::Leg(call.to_owned());
        let done = transfers.transfer(&leg, &transfer).await;
        done.unwrap_or_else(|fault| panic!("{fault}"));
    }

    /// What was heard of a call, but for what means nothing.
    pub(crate) fn news(&self) -> Vec<Heard> {
        let mut heard = self.inside.heard.lock().expect("nobody panics").clone();
        heard.retain(|it| it.news != News::Nothing);
        heard
    }

    /// Whether what to do with a call is said in replies.
    pub(crate) fn replies(&self) -> bool {
        matches!(self.inside.carrier.orders, Orders::Replied)
    }
}

/// Waits until a call is in progress.
pub(crate) async fn up(watcher: &mut tokio::sync::broadcast::Receiver<Happening>, call: &str) {
    let up = async {
        loop {
            let happened = watcher.recv().await.expect("the exchange is there");
            if let Happening::Changed { call: it, status } = happened
                && (it == call && status == exchange::Status::InProgress)
            {
                return;
            }
        }
    };
    let up = tokio::time::timeout(Duration::from_secs(10), up).await;
    up.expect("the call is answered");
}

impl Inside {
    fn addresses(&self, after: u32) -> (String, String) {
        let url = &self.url;
        let back = format!("{url}/again?call=1&after={after}");
        (back, format!("{url}/status?call=1"))
    }

    /// There is nobody at this address: what a call does without sound is wanted here.
    fn stream(&self) -> Stream {
        Stream {
            url: "ws://127.0.0.1:9/media/token".to_owned(),
            token: Secret::new("token"),
            back: self.addresses(0).0,
        }
    }

    /// Does what is to be done about this; the reply.
    async fn act(&self, query: &str, webhook: &Told) -> ports::carrier::Response {
        let stream = self.stream();
        let reply = match (&webhook.news, &self.carrier.orders) {
            (News::Offered { .. }, Orders::Replied) => Reply::Connect(&stream),
            (News::Offered { .. }, Orders::Requested(offers)) => {
                let done = offers.answer(&webhook.leg, &stream).await;
                done.unwrap_or_else(|fault| panic!("{fault}"));
                Reply::Taken
            }
            (News::Adrift, Orders::Replied) => {
                let (to, from) = (number(OTHER), number(OURS));
                let (back, report) = self.addresses(after(query));
                let transfer = transfer((&to, &from), &back, &report);
                return self.carrier.webhooks.reply(Reply::Transfer(&transfer));
            }
            (News::PutBack(_), Orders::Replied) if after(query) < LAST => Reply::Connect(&stream),
            (News::PutBack(_) | News::Parted, Orders::Replied) => Reply::HangUp,
            (News::PutBack(_), Orders::Requested(_)) => Reply::Taken,
            _ => Reply::Taken,
        };
        self.carrier.webhooks.reply(reply)
    }
}

/// When a call was put back this often, it is ended.
const LAST: u32 = 2;

fn after(query: &str) -> u32 {
    let after = query.split_once("after=").map(|(_, after)| after);
    after.and_then(|it| it.parse().ok()).unwrap_or_default()
}

async fn asked(
    State(inside): State<Arc<Inside>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let door = match uri.path() {
        "/voice" => Door::Voice,
        "/again" => Door::Again,
        _ => Door::Status,
    };
    let header_of = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let value = value.to_str().unwrap_or_default().to_owned();
        (name.as_str().to_owned(), value)
    };
    let request = Request {
        method: method.to_string(),
        url: format!("{}{uri}", inside.url),
        headers: headers.iter().map(header_of).collect(),
        body: body.to_vec(),
        received: SystemTime::now(),
    };
    let webhooks = &inside.carrier.webhooks;
    let Ok(genuine) = webhooks.verify(&request) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let webhook = webhooks.decode(door, genuine);
    let webhook = webhook.unwrap_or_else(|fault| panic!("{fault}: {request:?}"));
    inside.heard.lock().expect("nobody panics").push(Heard {
        door,
        leg: webhook.leg.0.clone(),
        notice: webhook.notice.clone(),
        news: webhook.news.clone(),
    });
    let reply = inside.act(uri.query().unwrap_or_default(), &webhook).await;
    ([(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response()
}

fn transfer<'a>(
    (to, from): (&'a Number, &'a Number),
    back: &'a str,
    report: &'a str,
) -> Transfer<'a> {
    Transfer {
        to,
        from,
        ring: Duration::from_secs(5),
        limit: Duration::from_secs(60),
        back,
        report,
    }
}

fn number(text: &str) -> Number {
    Number::parse(text).expect("it is a number")
}

/// The carrier as this configuration has it.
fn carrier(name: &str, configuration: &str) -> Carrier {
    let entry = carriers::LIST.iter().find(|it| it.name == name);
    let entry = entry.expect("what is played is on the list");
    let mut settings = Settings::default();
    for line in configuration.lines() {
        let Some((name, value)) = line.split_once(" = ") else {
            continue;
        };
        let value = value.trim_matches('"');
        let key = entry.keys.iter().find(|it| it.name == name);
        let key = key.expect("it may be told that");
        let value = match key.kind {
            Kind::Text | Kind::Url => Value::Text(value.to_owned()),
            Kind::Secret => Value::Secret(Secret::new(value)),
            Kind::List => Value::List(vec![value.to_owned()]),
            Kind::Number => Value::Number(value.parse().expect("a number")),
        };
        settings = settings.with(key.name, value);
    }
    (entry.build)(&settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}
