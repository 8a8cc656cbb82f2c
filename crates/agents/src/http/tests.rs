//! Conversations with an address on loopback that does what addresses do.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use call::TurnId;
use futures_util::{StreamExt, stream};
use ports::agent::{Objective, Used, Wrong};
use ports::{Secret, Value};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::trial::{answers, ask, heard, introduction, matter, tell, turn};

#[tokio::test]
async fn a_turn_is_answered_in_every_form() {
    let events =
        "data: {\"say\":\"On \"}\n\ndata: {\"say\":\"Friday.\"}\n\ndata: {\"then\":\"listen\"}\n\n";
    let fake = Fake::serve([
        json_of(r#"{"say":"Hello, Ann."}"#),
        Reply::Whole(StatusCode::OK, "text/event-stream", events),
        Reply::Whole(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            "Bye.[[hangup]]",
        ),
        Reply::Whole(StatusCode::NO_CONTENT, "text/plain", ""),
    ])
    .await;
    let mut link = fake.call().await;
    tell(&link, Tell::Open { turn: TurnId(0) }).await;
    assert_eq!(answers(&mut link).await, ["Hello, Ann.", "(finish)"]);
    let said = ask(&mut link, 1, "When?").await;
    assert_eq!(said, ["On ", "Friday.", "(finish)"]);
    assert_eq!(ask(&mut link, 2, "Bye.").await, ["Bye.", "(hang up)"]);
    assert_eq!(ask(&mut link, 3, "Hm.").await, ["(finish)"]);
}

#[tokio::test]
async fn it_is_told_who_calls_what_was_said_and_what_was_heard() {
    let fake = Fake::serve([
        json_of(r#"{"say":"On Friday at nine."}"#),
        json_of(r#"{"say":"Yes."}"#),
        json_of("{}"),
    ])
    .await;
    let mut link = fake.call().await;
    ask(&mut link, 1, "When?").await;
    let first = fake.asked().await;
    assert_eq!(first["event"], "turn");
    assert_eq!(
        (&first["turn"], &first["said"]),
        (&json!(1), &json!("When?"))
    );
    let call = json!({
        "id": "c1", "session": "c1", "direction": "inbound", "caller": "+15557654321", "contact": "ann", "trust": "caller-id",
        "number": "+15550001111", "objective": "Find a day.", "company": "caller",
    });
    assert_eq!(first["call"], call);
    assert_eq!(first["tools"][1]["ends_turn"], true);
    let (turn, text) = (TurnId(1), "On Friday".into());
    tell(&link, Tell::Interrupted { turn, heard: text }).await;
    tell(&link, Tell::Proved).await;
    ask(&mut link, 2, "Morning?").await;
    let second = fake.asked().await;
    let past =
        json!([{ "who": "caller", "text": "When?" }, { "who": "agent", "text": "On Friday" }]);
    assert_eq!(second["past"], past);
    assert_eq!(
        second["heard"],
        json!({ "turn": 1, "text": "On Friday", "interrupted": true })
    );
    assert_eq!(second["call"]["trust"], "proven");
    tell(&link, heard(2, "Yes.")).await;
    drop(link);
    let last = fake.asked().await;
    assert_eq!(
        (&last["event"], &last["heard"]["text"]),
        (&json!("ended"), &json!("Yes."))
    );
    assert_eq!(last["past"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn what_it_wants_done_is_done_before_it_goes_on() {
    let fake = Fake::serve([
        json_of(r#"{"say":"Let me look.","use":[{"id":"a","tool":"calendar","takes":{"day":"Friday"}}]}"#),
        json_of(r#"{"say":"It is free.","use":[{"id":"b","tool":"hang_up"}]}"#),
    ])
    .await;
    let mut link = fake.call().await;
    let said = ask(&mut link, 1, "Friday?").await;
    assert_eq!(
        said,
        ["Let me look.", r#"(a uses calendar for {"day":"Friday"})"#]
    );
    let (turn, id) = (TurnId(1), "a".to_owned());
    let used = Used::Done("free".into());
    tell(&link, Tell::Used { turn, id, used }).await;
    assert_eq!(
        answers(&mut link).await,
        ["It is free.", "(b uses hang_up for {})"]
    );
    fake.asked().await;
    let asked = fake.asked().await;
    let used =
        json!([{ "id": "a", "done": "free", "tool": "calendar", "takes": r#"{"day":"Friday"}"# }]);
    assert_eq!((&asked["used"], &asked["turn"]), (&used, &json!(1)));
}

#[tokio::test]
async fn it_is_asked_what_came_of_a_call() {
    let fake = Fake::serve([
        json_of(r#"{"goal":"met"}"#),
        Reply::Whole(StatusCode::NO_CONTENT, "text/plain", ""),
    ])
    .await;
    let mut judge = agent(&fake.url, Patience::DEFAULT).judge().expect("it can");
    let mut matter = matter();
    let answer = judge.judge(&matter).await.expect("it answers");
    assert_eq!(answer.reveal(), r#"{"goal":"met"}"#);
    let asked = fake.asked().await;
    assert_eq!(
        (&asked["event"], &asked["id"], &asked["wrong"]),
        (&json!("judge"), &json!("c1.judge"), &json!(null))
    );
    assert_eq!(asked["call"]["objective"], "Find a day.");
    let line = json!({ "line": 2, "who": "caller", "text": "On Friday at nine." });
    assert_eq!(asked["transcript"][1], line);
    matter.wrong = Some(Wrong {
        answer: "{}".into(),
        why: "`goal` is missing".into(),
    });
    let fault = judge.judge(&matter).await.expect_err("it says nothing");
    assert_eq!(fault.code, ports::code::AGENT_REFUSED);
    let asked = fake.asked().await;
    assert_eq!(
        (&asked["id"], &asked["wrong"]),
        (&json!("c1.judge.again"), &json!("`goal` is missing"))
    );
}

#[tokio::test]
async fn an_objective_with_more_to_it_is_told_whole() {
    let fake = Fake::serve([json_of("{}")]).await;
    let call = Introduction {
        objective: Some(Objective {
            avoid: vec!["the price".into()],
            ..Objective::goal("Find a day.".into())
        }),
        ..introduction()
    };
    let link = agent(&fake.url, Patience::DEFAULT).open(call).await;
    ask(&mut link.expect("it connects in the background"), 1, "Hm?").await;
    let told = &fake.asked().await["call"];
    assert_eq!(
        (&told["objective"], &told["brief"]),
        (&json!("Find a day."), &json!({ "avoid": ["the price"] }))
    );
}

#[tokio::test]
async fn requests_are_signed_and_one_that_is_sent_again_keeps_its_name() {
    let busy = Reply::Whole(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "");
    let fake = Fake::serve([busy, json_of(r#"{"say":"Yes."}"#)]).await;
    let mut link = fake.call().await;
    assert_eq!(ask(&mut link, 1, "Hello?").await, ["Yes.", "(finish)"]);
    let (first, second) = (fake.asked().await, fake.asked().await);
    assert_eq!(
        (&first["id"], &second["id"]),
        (&json!("c1.1.0"), &json!("c1.1.0"))
    );
    for asked in [first, second] {
        let seconds = asked["at"].as_str().and_then(|it| it.parse().ok());
        let body = asked["body"].as_str().expect("a text").as_bytes();
        let signer = Signer::new(&Secret::new(SECRET)).expect("it is one");
        let expected = signer.sign("c1.1.0", seconds.expect("a time"), body);
        assert_eq!(asked["signature"], expected);
    }
}

#[tokio::test]
async fn what_fails_fails_the_turn_and_no_more() {
    let fake = Fake::serve([
        Reply::Whole(StatusCode::FORBIDDEN, "text/plain", ""),
        Reply::Whole(StatusCode::NOT_FOUND, "text/plain", ""),
        Reply::Whole(StatusCode::OK, "text/html", "<html>"),
        json_of("[]"),
        Reply::Never,
        Reply::Begins("One moment"),
        json_of(r#"{"say":"Yes."}"#),
    ])
    .await;
    let quick = Patience {
        first_token: Duration::from_secs(1),
        token: Duration::from_secs(1),
        turn: Duration::from_secs(5),
    };
    let mut link = call(&fake.url, quick).await;
    for (turn, expected) in (0..).zip([
        vec!["(agent.credentials)"],
        vec!["(agent.refused)"],
        vec!["(agent.refused)"],
        vec!["(agent.refused)"],
        vec!["(agent.timeout)"],
        vec!["One moment", "(agent.timeout)"],
        vec!["Yes.", "(finish)"],
    ]) {
        assert_eq!(ask(&mut link, turn, "Hello?").await, expected, "{turn}");
    }
    let mut link = call("http://127.0.0.1:1/turn", quick).await;
    assert_eq!(ask(&mut link, 1, "Hello?").await, ["(agent.unreachable)"]);
}

#[tokio::test]
async fn a_turn_that_is_taken_back_ends_its_request() {
    let fake = Fake::serve([Reply::Begins("On"), json_of(r#"{"say":"No."}"#)]).await;
    let mut link = fake.call().await;
    tell(&link, turn(1, "Are you")).await;
    fake.asked().await;
    tell(&link, Tell::Abandon(TurnId(1))).await;
    fake.gone().await;
    tell(&link, turn(2, "Are you open?")).await;
    let said = answers(&mut link).await;
    assert!(
        said.ends_with(&["No.".to_owned(), "(finish)".to_owned()]),
        "{said:?}"
    );
    assert_eq!(fake.asked().await["past"], json!([]));
}

#[tokio::test]
async fn doctor_asks_the_address() {
    let fake = Fake::serve([
        json_of("{}"),
        Reply::Whole(StatusCode::UNAUTHORIZED, "text/plain", ""),
    ])
    .await;
    let agent = agent(&fake.url, Patience::DEFAULT);
    agent.check().await.expect("it answers");
    assert_eq!(fake.asked().await["event"], "check");
    let fault = agent.check().await.expect_err("it does not know us");
    assert_eq!(fault.code, ports::code::AGENT_CREDENTIALS);
}

#[test]
fn wrong_settings_are_named() {
    let settings = Settings::default()
        .with("url", Value::Text("http://127.0.0.1:1".into()))
        .with("secret", Value::Secret(Secret::new("sesame")))
        .with("turn_timeout_s", Value::Number(0));
    let problems = build(&settings).err().expect("two things are wrong");
    let keys: Vec<&str> = problems.iter().map(|it| it.key).collect();
    assert_eq!(keys, ["turn_timeout_s", "secret"]);
    assert!(!format!("{problems:?}").contains("sesame"));
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What the fake does with one request.
enum Reply {
    /// Answers all at once.
    Whole(StatusCode, &'static str, &'static str),
    /// Answers so much in plain text, and no more.
    Begins(&'static str),
    /// Takes the request and says nothing.
    Never,
}

fn json_of(body: &'static str) -> Reply {
    Reply::Whole(StatusCode::OK, "application/json", body)
}

/// An address on loopback.
struct Fake {
    url: String,
    asked: tokio::sync::Mutex<mpsc::UnboundedReceiver<serde_json::Value>>,
    gone: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
}

struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    asked: mpsc::UnboundedSender<serde_json::Value>,
    gone: mpsc::UnboundedSender<()>,
}

impl Shared {
    fn next(&self) -> Option<Reply> {
        let mut replies = self.replies.lock().expect("nobody panics holding it");
        replies.pop_front()
    }
}

impl Fake {
    async fn serve(replies: impl IntoIterator<Item = Reply>) -> Self {
        let (asked, asked_rx) = mpsc::unbounded_channel();
        let (gone, gone_rx) = mpsc::unbounded_channel();
        let replies = Mutex::new(replies.into_iter().collect());
        let shared = Arc::new(Shared {
            replies,
            asked,
            gone,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback is there");
        let url = format!(
            "http://{}/turn",
            listener.local_addr().expect("it is bound")
        );
        let app = Router::new().route("/turn", post(reply)).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            asked: tokio::sync::Mutex::new(asked_rx),
            gone: tokio::sync::Mutex::new(gone_rx),
        }
    }

    async fn call(&self) -> Link<Tell, Answer> {
        call(&self.url, Patience::DEFAULT).await
    }

    /// The next request that came.
    async fn asked(&self) -> serde_json::Value {
        let asked = self.asked.lock().await.recv().await;
        asked.expect("a request comes")
    }

    /// Waits until somebody went away in the middle of an answer.
    async fn gone(&self) {
        let gone = self.gone.lock().await.recv().await;
        gone.expect("a request is ended");
    }
}

/// Tells the test when an answer is dropped before its end.
struct Gone(mpsc::UnboundedSender<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        // The test may be over by then.
        let _ = self.0.send(());
    }
}

async fn reply(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let mut asked: serde_json::Value = serde_json::from_str(&body).expect("the client sends JSON");
    let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    asked["id"] = header("webhook-id").into();
    asked["at"] = header("webhook-timestamp").into();
    asked["signature"] = header("webhook-signature").into();
    asked["body"] = body.into();
    let reply = shared.next();
    // The test may be over by then.
    let _ = shared.asked.send(asked);
    let kind = |kind| [("content-type", kind)];
    match reply {
        Some(Reply::Whole(status, form, body)) => (status, kind(form), body).into_response(),
        Some(Reply::Begins(words)) => {
            let gone = Gone(shared.gone.clone());
            let first = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(words)) });
            let never = stream::once(async move {
                let _gone = gone;
                std::future::pending().await
            });
            (kind("text/plain"), Body::from_stream(first.chain(never))).into_response()
        }
        Some(Reply::Never) => std::future::pending().await,
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn agent(url: &str, patience: Patience) -> Http {
    let signer = Signer::new(&Secret::new(SECRET));
    let address = Address::new(url, signer, patience, Duration::ZERO);
    Http {
        address: Arc::new(address.expect("a client can be made")),
        room: 10_000,
    }
}

async fn call(url: &str, patience: Patience) -> Link<Tell, Answer> {
    let link = agent(url, patience).open(introduction()).await;
    link.expect("it connects in the background")
}
