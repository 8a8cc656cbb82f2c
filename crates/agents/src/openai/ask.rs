//! Asking the endpoint, and reading its answer as it comes.

use std::future::Future;
use std::time::Duration;

use call::Private;
use ports::agent::Use;
use ports::{Fault, Problem, Secret, code};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{Answer, Finished, Streamed, error_name};
use super::history::Message;
use crate::marker::Wish;
use crate::patience::{Patience, late, nonsense};
use crate::reach::{Hints, Refused, twice};

/// One endpoint and one of its models.
pub(super) struct Endpoint {
    client: Client,
    base_url: String,
    model: String,
    api_key: Option<Secret>,
    patience: Patience,
    /// Before asking once more where it was busy.
    again: Duration,
}

/// What is asked: the conversation, and what may be done for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) messages: Vec<Value>,
    pub(super) tools: Vec<Value>,
}

impl Asked {
    /// Just this.
    pub(super) fn of(messages: &[Message]) -> Self {
        let written = messages.iter().map(|it| json!(it));
        Self {
            messages: written.collect(),
            tools: Vec::new(),
        }
    }
}

/// In which form an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Piece by piece, as it is thought of.
    AsItComes,
    /// At once, when it is there.
    Whole,
    /// One word of it, which shows that there is someone.
    Word,
}

#[derive(Serialize)]
struct Question<'q> {
    model: &'q str,
    messages: &'q [Value],
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    tools: &'q [Value],
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
}

impl Endpoint {
    pub(super) fn new(
        base_url: &str,
        model: &str,
        api_key: Option<Secret>,
        (patience, again): (Patience, Duration),
    ) -> Result<Self, Problem> {
        if let Some(key) = &api_key
            && HeaderValue::from_str(key.reveal()).is_err()
        {
            return Err(Problem {
                key: "api_key",
                message: "it has signs that a key cannot have".to_owned(),
                hint: "look for a line break or a sign that is not on your keyboard".to_owned(),
            });
        }
        Ok(Self {
            client: HINTS.client(base_url)?,
            base_url: base_url.trim_end_matches('/').to_owned(),
            model: model.to_owned(),
            api_key,
            patience,
            again,
        })
    }

    /// Asks, and hands the answer to `say` piece by piece. Dropping this ends the request.
    pub(super) async fn answer<F>(
        &self,
        asked: &Asked,
        say: impl Fn(String) -> F,
    ) -> Result<(Wish, Vec<Use>), Fault>
    where
        F: Future<Output = ()>,
    {
        let whole = self.read(asked, say);
        match timeout(self.patience.turn, whole).await {
            Ok(result) => result,
            Err(_) => Err(late("did not come to an end of its answer")),
        }
    }

    /// Whether the endpoint and the model are there. Returns a line for people.
    pub(super) async fn check(&self) -> Result<String, Fault> {
        match timeout(CHECK, self.look()).await {
            Ok(result) => result,
            Err(_) => Err(late("did not answer")),
        }
    }

    async fn read<F>(
        &self,
        asked: &Asked,
        say: impl Fn(String) -> F,
    ) -> Result<(Wish, Vec<Use>), Fault>
    where
        F: Future<Output = ()>,
    {
        let first = Instant::now() + self.patience.first_token;
        let slow = || late("did not say a first word in time");
        let ask = || self.ask(asked, Form::AsItComes);
        let response = timeout_at(first, twice(self.again, ask)).await;
        let mut response = response.map_err(|_| slow())??;
        if !is_stream(&response) {
            let text = timeout_at(first, whole(response))
                .await
                .map_err(|_| slow())??;
            return said_at_once(&text, say).await;
        }

        let mut answer = Streamed::default();
        loop {
            let by = if answer.has_spoken() {
                Instant::now() + self.patience.token
            } else {
                first
            };
            let chunk = match timeout_at(by, response.chunk()).await {
                Ok(chunk) => chunk,
                Err(_) if answer.has_spoken() => {
                    return Err(late("stopped in the middle of its answer"));
                }
                Err(_) => return Err(slow()),
            };
            match chunk {
                Ok(Some(bytes)) => answer.push(&bytes)?,
                Ok(None) | Err(_) => answer.over()?,
            }
            while let Some(text) = answer.next()? {
                if !text.is_empty() {
                    say(text).await;
                }
            }
            if let Some(Finished { rest, wish, uses }) = answer.finished()? {
                if !rest.is_empty() {
                    say(rest).await;
                }
                tokio::spawn(leave_open(response));
                return Ok((wish, uses));
            }
        }
    }

    /// Has something written that nobody is to hear, and waits for the whole of it. Dropping this ends the request.
    pub(super) async fn write(&self, messages: Vec<Value>) -> Result<Private<String>, Fault> {
        let tools = Vec::new();
        let asked = Asked { messages, tools };
        let response = twice(self.again, || self.ask(&asked, Form::Whole)).await?;
        let body: Value = serde_json::from_slice(&whole(response).await?)
            .map_err(|_| nonsense("sent something that is no JSON"))?;
        let written = body["choices"][0]["message"]["content"].as_str();
        let written = written.ok_or_else(|| nonsense("sent an answer without words"))?;
        Ok(written.into())
    }

    async fn ask(&self, asked: &Asked, form: Form) -> Result<Response, Refused> {
        let model = self.model.as_str();
        let (stream, max_tokens) = match form {
            Form::AsItComes => (true, None),
            Form::Whole => (false, None),
            Form::Word => (false, Some(1)),
        };
        let question = Question {
            model,
            messages: &asked.messages,
            tools: &asked.tools,
            stream,
            max_tokens,
        };
        let url = format!("{}/chat/completions", self.base_url);
        let request = self.client.post(url).json(&question);
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Refused> {
        let request = match &self.api_key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        };
        let response = HINTS.send(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return Ok(response);
        }
        let name = error_name(&whole(response).await.unwrap_or_default());
        Err(HINTS.refused(status, &headers, &name))
    }

    async fn look(&self) -> Result<String, Fault> {
        let request = self.client.get(format!("{}/models", self.base_url));
        let response = match self.send(request).await {
            Ok(response) => response,
            // Not every endpoint has a list; then one word shows as much.
            Err(Refused::Finally(fault)) if fault.code == code::AGENT_REFUSED => {
                return self.try_a_word().await;
            }
            Err(refused) => return Err(refused.into()),
        };
        let body = whole(response).await?;
        let Ok(list) = serde_json::from_slice::<Models>(&body) else {
            return self.try_a_word().await;
        };
        let model = &self.model;
        if list
            .data
            .iter()
            .any(|it| it.id == *model || it.id == format!("{model}:latest"))
        {
            return Ok(format!("the endpoint answers, and has the model {model}"));
        }
        // Gateways answer to names they do not list.
        self.try_a_word().await.map_err(|fault| {
            let known: Vec<&str> = list.data.iter().take(8).map(|it| it.id.as_str()).collect();
            match known.as_slice() {
                [] => fault,
                known => fault.hint(format!(
                    "the endpoint has these models: {}",
                    known.join(", ")
                )),
            }
        })
    }

    async fn try_a_word(&self) -> Result<String, Fault> {
        let hello = super::History::new("Say hello.".to_owned(), "Hello.", 100).messages();
        self.ask(&Asked::of(&hello), Form::Word).await?;
        Ok(format!("the model {} answers", self.model))
    }
}

/// An endpoint that does not stream sends its whole answer at once.
async fn said_at_once<F>(body: &[u8], say: impl Fn(String) -> F) -> Result<(Wish, Vec<Use>), Fault>
where
    F: Future<Output = ()>,
{
    let mut answer = Answer::default();
    let body = std::str::from_utf8(body).map_err(|_| nonsense("sent something that is no text"))?;
    let text = answer.event(body)?;
    if !text.is_empty() {
        say(text).await;
    }
    answer.whole();
    let Finished { rest, wish, uses } = answer.finished()?.unwrap_or_default();
    if !rest.is_empty() {
        say(rest).await;
    }
    Ok((wish, uses))
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

fn is_stream(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    !kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// Reads what may come after the last word, so that the connection can carry the next question.
async fn leave_open(mut response: Response) {
    let rest = async {
        for _ in 0..MOST_CHUNKS_AFTER_THE_LAST {
            match response.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    };
    drop(timeout(LONGEST_GOODBYE, rest).await);
}

/// The whole of a body, as long as it is not endless.
async fn whole(mut response: Response) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(bytes) = response
        .chunk()
        .await
        .map_err(|error| HINTS.unreachable(&error))?
    {
        if body.len() + bytes.len() > LONGEST_BODY {
            return Err(nonsense("sent an answer without end"));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

const HINTS: Hints = Hints {
    address: "base_url",
    credentials: "look at the agent's `api_key`",
    nothing_there: "look at the agent's `base_url`, which often ends in /v1, and its `model`",
    nobody_there: "is it running, and is the agent's `base_url` right?",
};
const LONGEST_BODY: usize = 1 << 20;
const LONGEST_GOODBYE: Duration = Duration::from_secs(1);
const MOST_CHUNKS_AFTER_THE_LAST: usize = 32;
const CHECK: Duration = Duration::from_secs(10);
