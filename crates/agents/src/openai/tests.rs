//! Conversations with an endpoint on loopback that does what endpoints do.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use call::TurnId;
use futures_util::stream;
use ports::agent::{Objective, Wrong};
use ports::{Secret, Value, code};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::trial::{answers, ask, introduction, matter, next, tell, turn};

#[tokio::test]
async fn an_answer_is_spoken_as_it_comes() {
    let fake = Fake::serve([stream([
        ": warming up\r\n\r\n",
        &word("We open "),
        &word("at nine."),
        DONE,
    ])])
    .await;
    let mut link = fake.call(Patience::DEFAULT).await;
    assert_eq!(
        ask(&mut link, 1, "When do you open?").await,
        ["We open ", "at nine.", "(finish)"]
    );
    let asked = fake.asked().await;
    assert_eq!(asked["model"], "small");
    assert_eq!(asked["stream"], true);
    assert_eq!(asked["authorization"], "Bearer sesame");
    assert_eq!(roles(&asked), ["system", "user"]);
    assert!(
        asked["messages"][0]["content"]
            .as_str()
            .expect("a text")
            .contains("[[hangup]]")
    );
}

/// At a meeting it may say nothing, and is not taken for one that failed.
#[tokio::test]
async fn it_keeps_silent_while_others_talk() {
    let silent = stream([&word("[[sil"), &word("ent]]"), DONE]);
    let fake = Fake::serve([silent, stream([&word("At nine."), DONE])]).await;
    let said = vec![
        ports::agent::Line::Caller("Put me through to Ben.".into()),
        ports::agent::Line::Agent("One moment.".into()),
    ];
    let mut link = call_among(&fake.url, Patience::DEFAULT, Company::Meeting, said).await;
    let nothing = ask(&mut link, 1, "Ben: How are you, Anna?").await;
    assert_eq!(nothing, ["(finish)"]);
    let asked = fake.asked().await;
    let told = asked["messages"][0]["content"].as_str().expect("a text");
    assert!(told.contains("[[silent]]"), "{told}");
    assert_eq!(roles(&asked), ["system", "user", "assistant", "user"]);
    let (turn, text) = (TurnId(1), String::new().into());
    tell(&link, Tell::Heard { turn, text }).await;
    let answer = ask(&mut link, 2, "Ben: Assistant, when do we open?").await;
    assert_eq!(answer, ["At nine.", "(finish)"]);
    let asked = fake.asked().await;
    let last = asked["messages"][3]["content"].as_str().expect("a text");
    assert!(
        last.contains("How are you") && last.contains("when do we open"),
        "{last}"
    );
}

#[tokio::test]
async fn it_speaks_first_when_asked_to() {
    let fake = Fake::serve([stream([&word("Hello!"), DONE])]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    tell(&link, Tell::Open { turn: TurnId(0) }).await;
    assert_eq!(answers(&mut link).await, ["Hello!", "(finish)"]);
    let asked = fake.asked().await;
    let scene = "(The phone rang, and you picked up. The caller is on the line.)";
    assert_eq!(asked["messages"][1]["content"], scene);
}

#[tokio::test]
async fn words_and_letters_may_be_cut_anywhere() {
    let whole = format!("{}{}{DONE}", word("Grüße, "), word("日本 😀"));
    let pieces: Vec<Vec<u8>> = whole.as_bytes().chunks(3).map(<[u8]>::to_vec).collect();
    let fake = Fake::serve([Reply::Stream(pieces, After::End)]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    assert_eq!(
        ask(&mut link, 1, "Hi").await,
        ["Grüße, ", "日本 😀", "(finish)"]
    );
}

#[tokio::test]
async fn what_endpoints_add_is_passed_over() {
    let odd = [
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null,\"x\":{}}}],\"y\":[1]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n",
        "event: ping\ndata:\n\n",
        &word("Yes."),
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"index\":0}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n",
        DONE,
    ];
    let fake = Fake::serve([stream(odd)]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    assert_eq!(ask(&mut link, 1, "Well?").await, ["Yes.", "(finish)"]);
}

#[tokio::test]
async fn an_endpoint_that_does_not_stream_is_heard_all_the_same() {
    let body = json!({"choices": [{"message": {"content": "Bye. [[hangup]]"}}]}).to_string();
    let fake = Fake::serve([Reply::Whole(StatusCode::OK, body)]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    assert_eq!(ask(&mut link, 1, "Bye").await, ["Bye. ", "(hang up)"]);
}

#[tokio::test]
async fn a_marker_hangs_up_and_is_not_spoken() {
    let fake = Fake::serve([stream([
        &word("Goodbye! [["),
        &word("hang"),
        &word("up]]"),
        DONE,
    ])])
    .await;
    let mut link = fake.call(Patience::DEFAULT).await;
    assert_eq!(
        ask(&mut link, 1, "That is all.").await,
        ["Goodbye! ", "(hang up)"]
    );
}

#[tokio::test]
async fn history_holds_what_was_heard_and_nothing_else() {
    let long = || stream([&word("We open at nine and close at five."), DONE]);
    let fake = Fake::serve([long(), long(), long(), long()]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    tell(
        &link,
        Tell::Opened {
            text: "Lopez and Sons.".into(),
        },
    )
    .await;
    ask(&mut link, 1, "When do you open?").await;
    tell(
        &link,
        Tell::Interrupted {
            turn: TurnId(1),
            heard: "We open at nine".into(),
        },
    )
    .await;
    ask(&mut link, 2, "And on").await;
    tell(&link, Tell::Abandon(TurnId(2))).await;
    ask(&mut link, 3, "And on Sundays?").await;
    tell(
        &link,
        Tell::Heard {
            turn: TurnId(3),
            text: "Never.".into(),
        },
    )
    .await;
    ask(&mut link, 4, "Thanks.").await;
    for _ in 0..3 {
        fake.asked().await;
    }
    let asked = fake.asked().await;
    let spoken: Vec<&str> = asked["messages"].as_array().expect("a list")[2..]
        .iter()
        .map(|it| it["content"].as_str().expect("a text"))
        .collect();
    let expected = [
        "Lopez and Sons.",
        "When do you open?",
        "We open at nine",
        "And on Sundays?",
        "Never.",
        "Thanks.",
    ];
    assert_eq!(spoken, expected);
    assert_eq!(
        roles(&asked)[1..]
            .chunks(2)
            .filter(|it| it[0] != "user")
            .count(),
        0
    );
}

#[tokio::test]
async fn a_turn_taken_back_ends_its_request() {
    let fake = Fake::serve([
        Reply::Stream(vec![word("We").into_bytes()], After::Hang),
        stream([&word("Sorry?"), DONE]),
    ])
    .await;
    let mut link = fake.call(Patience::DEFAULT).await;
    tell(&link, turn(1, "When")).await;
    assert_eq!(next(&mut link).await, "We");
    tell(&link, Tell::Abandon(TurnId(1))).await;
    fake.cancelled().await;
    assert_eq!(
        ask(&mut link, 2, "When do you open?").await,
        ["Sorry?", "(finish)"]
    );
}

#[tokio::test]
async fn an_interruption_and_a_hang_up_end_the_request_too() {
    let hangs = || Reply::Stream(vec![word("We").into_bytes()], After::Hang);
    let fake = Fake::serve([hangs(), hangs()]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    tell(&link, turn(1, "When")).await;
    assert_eq!(next(&mut link).await, "We");
    tell(
        &link,
        Tell::Interrupted {
            turn: TurnId(1),
            heard: "We".into(),
        },
    )
    .await;
    fake.cancelled().await;
    tell(&link, turn(2, "Stop.")).await;
    assert_eq!(next(&mut link).await, "We");
    drop(link);
    fake.cancelled().await;
}

#[tokio::test]
async fn a_first_word_that_does_not_come_is_a_fault_in_time() {
    let fake = Fake::serve([Reply::Stream(
        vec![b": still here\n\n".to_vec()],
        After::Hang,
    )])
    .await;
    let mut link = fake.call(Patience::DEFAULT).await;
    tell(&link, turn(1, "Hello?")).await;
    fake.asked().await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(answers(&mut link).await, ["(agent.timeout)"]);
    let waited = before.elapsed();
    assert!(
        waited <= Patience::DEFAULT.first_token + Duration::from_millis(100),
        "{waited:?}"
    );
    assert!(
        waited >= Patience::DEFAULT.first_token - Duration::from_secs(1),
        "{waited:?}"
    );
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_a_fault_in_time() {
    let fake = Fake::serve([Reply::Never]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    tell(&link, turn(1, "Hello?")).await;
    fake.asked().await;
    tokio::time::pause();
    assert_eq!(answers(&mut link).await, ["(agent.timeout)"]);
}

#[tokio::test]
async fn a_pause_between_words_is_a_fault_in_time() {
    let fake = Fake::serve([Reply::Stream(vec![word("We").into_bytes()], After::Hang)]).await;
    let mut link = fake.call(Patience::DEFAULT).await;
    tell(&link, turn(1, "Hello?")).await;
    assert_eq!(next(&mut link).await, "We");
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(answers(&mut link).await, ["(agent.timeout)"]);
    assert!(before.elapsed() <= Patience::DEFAULT.token + Duration::from_millis(100));
}

#[tokio::test]
async fn an_answer_without_end_is_a_fault_in_time() {
    let fake = Fake::serve([Reply::Stream(
        vec![word("on and on ").into_bytes()],
        After::Repeat,
    )])
    .await;
    let patience = Patience {
        turn: Duration::from_millis(300),
        ..Patience::DEFAULT
    };
    let mut link = fake.call(patience).await;
    tell(&link, turn(1, "Go on")).await;
    let said = answers(&mut link).await;
    assert!(said.len() > 1);
    assert_eq!(said.last().map(String::as_str), Some("(agent.timeout)"));
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_not_taken_for_whole() {
    let word = word("We open at");
    for after in [After::Break, After::End] {
        let fake = Fake::serve([Reply::Stream(vec![word.clone().into_bytes()], after)]).await;
        let mut link = fake.call(Patience::DEFAULT).await;
        let said = ask(&mut link, 1, "When?").await;
        assert_eq!(said, ["We open at", "(agent.unreachable)"]);
        // Words were said: it must not be asked again.
        assert_eq!(fake.requests(), 1);
    }
}

#[tokio::test]
async fn a_busy_endpoint_is_asked_once_more() {
    for busy in [StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY] {
        let no = || Reply::Whole(busy, String::new());
        let fake = Fake::serve([no(), stream([&word("Yes."), DONE])]).await;
        let mut link = fake.call(Patience::DEFAULT).await;
        assert_eq!(ask(&mut link, 1, "Well?").await, ["Yes.", "(finish)"]);
        let fake = Fake::serve([no(), no(), stream([&word("Yes."), DONE])]).await;
        let mut link = fake.call(Patience::DEFAULT).await;
        let expected = if busy == StatusCode::TOO_MANY_REQUESTS {
            "(agent.refused)"
        } else {
            "(agent.unreachable)"
        };
        assert_eq!(ask(&mut link, 1, "Well?").await, [expected]);
        assert_eq!(fake.requests(), 2);
    }
}

#[tokio::test]
async fn what_will_not_change_is_not_asked_again() {
    for (status, code) in [
        (401, "agent.credentials"),
        (403, "agent.credentials"),
        (404, "agent.refused"),
        (400, "agent.refused"),
        (302, "agent.refused"),
    ] {
        let status = StatusCode::from_u16(status).expect("it is a status");
        let body =
            json!({"error": {"message": "key sk-123 is wrong", "type": "invalid_request_error"}});
        let fake = Fake::serve([Reply::Whole(status, body.to_string())]).await;
        let mut link = fake.call(Patience::DEFAULT).await;
        tell(&link, turn(1, "Well?")).await;
        let Some(Answer::Failed(_, fault)) = link.rx.recv().await else {
            panic!("{status} is a fault");
        };
        assert_eq!(fault.code, code, "{status}");
        assert!(
            fault.message.contains("invalid_request_error"),
            "{}",
            fault.message
        );
        assert!(!format!("{fault:?}").contains("sk-123"));
        assert_eq!(fake.requests(), 1);
    }
}

#[tokio::test]
async fn nobody_home_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let mut link = call(&format!("http://{address}/v1"), Patience::DEFAULT).await;
    assert_eq!(ask(&mut link, 1, "Hello?").await, ["(agent.unreachable)"]);
}

#[tokio::test]
async fn garbage_is_refused() {
    for garbage in [
        "data: <html>\n\n".to_owned(),
        "data: [1, 2\n\n".to_owned(),
        "data: {\"error\":{\"message\":\"boom\",\"code\":\"overloaded\"}}\n\n".to_owned(),
        DONE.to_owned(),
        format!("data: {}\n\n", "x".repeat(300_000)),
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n".to_owned(),
    ] {
        let fake = Fake::serve([stream([garbage.as_str()])]).await;
        let mut link = fake.call(Patience::DEFAULT).await;
        assert_eq!(ask(&mut link, 1, "Well?").await, ["(agent.refused)"]);
    }
}

#[tokio::test]
async fn a_failed_turn_does_not_end_the_conversation() {
    let fake = Fake::serve([
        Reply::Whole(StatusCode::BAD_REQUEST, String::new()),
        stream([&word("Yes."), DONE]),
    ])
    .await;
    let mut link = fake.call(Patience::DEFAULT).await;
    assert_eq!(ask(&mut link, 1, "One?").await, ["(agent.refused)"]);
    assert_eq!(ask(&mut link, 2, "Two?").await, ["Yes.", "(finish)"]);
    fake.asked().await;
    let asked = fake.asked().await;
    let last = asked["messages"]
        .as_array()
        .and_then(|it| it.last())
        .expect("there is one");
    assert!(
        last["content"]
            .as_str()
            .expect("a text")
            .ends_with("One?\nTwo?")
    );
}

#[tokio::test]
async fn doctor_finds_the_model_or_tries_it() {
    let fake = Fake::serve([]).await;
    let line = fake.agent().check().await.expect("the model is listed");
    assert_eq!(line, "the endpoint answers, and has the model small");
    fake.list(json!({"data": [{"id": "large"}]}));
    fake.then(Reply::Whole(StatusCode::NOT_FOUND, String::new()));
    let fault = fake
        .agent()
        .check()
        .await
        .expect_err("the model is not there");
    assert_eq!(
        fault.hint.as_deref(),
        Some("the endpoint has these models: large")
    );
    fake.list(json!("no list"));
    fake.then(Reply::Whole(StatusCode::OK, "{}".to_owned()));
    let line = fake.agent().check().await.expect("a word is enough");
    assert_eq!(line, "the model small answers");
}

#[test]
fn wrong_settings_are_named() {
    let settings = Settings::default()
        .with("base_url", Value::Text("http://127.0.0.1:1".into()))
        .with("model", Value::Text("small".into()))
        .with("api_key", Value::Secret(Secret::new("se\nsame")))
        .with("turn_timeout_s", Value::Number(0));
    let problems = build(&settings).err().expect("two things are wrong");
    let keys: Vec<&str> = problems.iter().map(|it| it.key).collect();
    assert_eq!(keys, ["turn_timeout_s", "api_key"]);
    assert!(!format!("{problems:?}").contains("same"));
}

const DONE: &str = "data: [DONE]\n\n";

/// What the fake endpoint does with one request.
enum Reply {
    /// Sends these pieces, and then?
    Stream(Vec<Vec<u8>>, After),
    /// Sends all at once.
    Whole(StatusCode, String),
    /// Takes the request and says nothing.
    Never,
}

#[derive(Clone, Copy)]
enum After {
    /// Ends as it should.
    End,
    /// Breaks the connection.
    Break,
    /// Stays silent.
    Hang,
    /// Sends the pieces again, for ever.
    Repeat,
}

#[tokio::test]
async fn the_model_is_asked_what_came_of_a_call_and_told_what_was_wrong() {
    let written = |text: &str| {
        let message = json!({ "choices": [{ "message": { "content": text } }] });
        Reply::Whole(StatusCode::OK, message.to_string())
    };
    let nothing = Reply::Whole(StatusCode::OK, "{}".to_owned());
    let fake = Fake::serve([
        written("It went well."),
        written("{\"goal\":\"met\"}"),
        nothing,
    ])
    .await;
    let mut judge = agent(&fake.url, Patience::DEFAULT).judge().expect("it can");
    let mut matter = matter();
    let answer = judge.judge(&matter).await.expect("it answers");
    assert_eq!(answer.reveal(), "It went well.");
    let asked = fake.asked().await;
    assert_eq!(
        (&asked["stream"], &asked["max_tokens"]),
        (&json!(false), &json!(null))
    );
    assert_eq!(roles(&asked), ["system", "user"]);
    let about = asked["messages"][1]["content"].as_str().expect("a text");
    let line = r#"{"line":2,"who":"caller","text":"On Friday at nine."}"#;
    assert!(
        about.contains(line) && about.contains("Find a day."),
        "{about}"
    );
    matter.wrong = Some(Wrong {
        answer,
        why: "there is no JSON object in it".into(),
    });
    let answer = judge.judge(&matter).await.expect("it answers");
    assert_eq!(answer.reveal(), "{\"goal\":\"met\"}");
    let asked = fake.asked().await;
    assert_eq!(roles(&asked), ["system", "user", "assistant", "user"]);
    let again = asked["messages"][3]["content"].as_str().expect("a text");
    assert!(again.contains("no JSON object"), "{again}");
    let fault = judge.judge(&matter).await.expect_err("it says nothing");
    assert_eq!(fault.code, code::AGENT_REFUSED);
}

#[tokio::test]
async fn what_the_owner_wants_of_a_call_stands_in_a_fence() {
    let fake = Fake::serve([stream([word("Hello.").as_str()])]).await;
    let call = Introduction {
        objective: Some(Objective {
            avoid: vec!["the price".into()],
            ..Objective::goal("Find a day.".into())
        }),
        ..introduction()
    };
    let link = agent(&fake.url, Patience::DEFAULT).open(call).await;
    let link = link.expect("it connects in the background");
    tell(&link, turn(1, "Hm?")).await;
    let asked = fake.asked().await;
    let system = asked["messages"][0]["content"].as_str().expect("a text");
    let fenced = "<objective>\nWhat this call is for: Find a day.\nWhat you do not say, whoever asks:\n- the price\n</objective>";
    assert!(system.contains(fenced), "{system}");
}

/// An endpoint on loopback.
struct Fake {
    url: String,
    shared: Arc<Shared>,
    asked: tokio::sync::Mutex<mpsc::UnboundedReceiver<serde_json::Value>>,
    cancelled: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
}

struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    models: Mutex<serde_json::Value>,
    requests: Mutex<usize>,
    asked: mpsc::UnboundedSender<serde_json::Value>,
    cancelled: mpsc::UnboundedSender<()>,
}

impl Fake {
    async fn serve(replies: impl IntoIterator<Item = Reply>) -> Self {
        let (asked, asked_rx) = mpsc::unbounded_channel();
        let (cancelled, cancelled_rx) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            replies: Mutex::new(replies.into_iter().collect()),
            models: Mutex::new(json!({"data": [{"id": "small"}, {"id": "large"}]})),
            requests: Mutex::new(0),
            asked,
            cancelled,
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
        let app = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let asked = tokio::sync::Mutex::new(asked_rx);
        let cancelled = tokio::sync::Mutex::new(cancelled_rx);
        Self {
            url,
            shared,
            asked,
            cancelled,
        }
    }

    async fn call(&self, patience: Patience) -> Link<Tell, Answer> {
        call(&self.url, patience).await
    }

    fn agent(&self) -> OpenAi {
        agent(&self.url, Patience::DEFAULT)
    }

    /// The next request that came.
    async fn asked(&self) -> serde_json::Value {
        self.asked
            .lock()
            .await
            .recv()
            .await
            .expect("a request comes")
    }

    /// Waits until a client went away in the middle of an answer.
    async fn cancelled(&self) {
        self.cancelled
            .lock()
            .await
            .recv()
            .await
            .expect("a request is cancelled");
    }

    fn requests(&self) -> usize {
        *self
            .shared
            .requests
            .lock()
            .expect("nobody panics holding it")
    }

    fn list(&self, models: serde_json::Value) {
        *self.shared.models.lock().expect("nobody panics holding it") = models;
    }

    fn then(&self, reply: Reply) {
        self.shared
            .replies
            .lock()
            .expect("nobody panics holding it")
            .push_back(reply);
    }
}

async fn models(State(shared): State<Arc<Shared>>) -> Response {
    let models = shared
        .models
        .lock()
        .expect("nobody panics holding it")
        .to_string();
    ([("content-type", "application/json")], models).into_response()
}

async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let mut asked: serde_json::Value = serde_json::from_str(&body).expect("the client sends JSON");
    let key = headers.get("authorization").and_then(|it| it.to_str().ok());
    asked["authorization"] = key.into();
    *shared.requests.lock().expect("nobody panics holding it") += 1;
    let reply = shared
        .replies
        .lock()
        .expect("nobody panics holding it")
        .pop_front();
    shared.asked.send(asked).expect("the test listens");
    match reply.expect("the test has a reply for every request") {
        Reply::Whole(status, body) => {
            (status, [("content-type", "application/json")], body).into_response()
        }
        Reply::Never => std::future::pending().await,
        Reply::Stream(pieces, after) => {
            let guard = Gone(shared.cancelled.clone());
            let state = (pieces.clone().into(), pieces, after, guard);
            let body = Body::from_stream(stream::unfold(state, piece));
            ([("content-type", "text/event-stream; charset=utf-8")], body).into_response()
        }
    }
}

type Pieces = (VecDeque<Vec<u8>>, Vec<Vec<u8>>, After, Gone);

async fn piece((mut left, all, after, gone): Pieces) -> Option<(io::Result<Bytes>, Pieces)> {
    // Lets the pieces go out one by one.
    tokio::task::yield_now().await;
    let piece = match (left.pop_front(), after) {
        (Some(piece), _) => Ok(Bytes::from(piece)),
        (None, After::End) => return None,
        (None, After::Break) => Err(io::Error::other("the wire broke")),
        (None, After::Hang) => std::future::pending().await,
        (None, After::Repeat) => {
            left = all.clone().into();
            Ok(Bytes::new())
        }
    };
    Some((piece, (left, all, after, gone)))
}

/// Tells the test when an answer is dropped before its end.
struct Gone(mpsc::UnboundedSender<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        // The test may be over by then.
        let _ = self.0.send(());
    }
}

fn stream<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Reply {
    let pieces = pieces.into_iter().map(|it| it.as_bytes().to_vec());
    Reply::Stream(pieces.collect(), After::End)
}

fn word(text: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({"choices": [{"index": 0, "delta": {"content": text}}]})
    )
}

fn agent(url: &str, patience: Patience) -> OpenAi {
    let key = Some(Secret::new("sesame"));
    let endpoint =
        Endpoint::new(url, "small", key, (patience, Duration::ZERO)).expect("a client can be made");
    OpenAi {
        endpoint: Arc::new(endpoint),
        system: system(None),
        room: 10_000,
    }
}

async fn call(url: &str, patience: Patience) -> Link<Tell, Answer> {
    call_among(url, patience, Company::Caller, Vec::new()).await
}

/// The same with this company, where this was said before.
async fn call_among(
    url: &str,
    patience: Patience,
    company: Company,
    lines: Vec<ports::agent::Line>,
) -> Link<Tell, Answer> {
    let call = Introduction {
        contact: None,
        trust: Trust::Unknown,
        tools: Vec::new(),
        objective: None,
        company,
        past: Past { lines, open: None },
        ..introduction()
    };
    agent(url, patience)
        .open(call)
        .await
        .expect("it connects in the background")
}

fn roles(asked: &serde_json::Value) -> Vec<&str> {
    let messages = asked["messages"].as_array().expect("a list");
    messages
        .iter()
        .map(|it| it["role"].as_str().expect("a text"))
        .collect()
}
