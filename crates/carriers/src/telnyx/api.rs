use async_trait::async_trait;
use call::event::{End, Party, Why};
use ports::carrier::{Calls, Detect, Dial, Leg, Machines, Offers, Status, Stream, Transfer, Transfers};
use ports::{Blame, Fault, Problem, code};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::refusal::Refusal;
use super::webhook::{answered, dialled, put_through};
use super::{Account, COMPANY, is_call};
use crate::rest::{Answer, Rest, seconds};

/// Telnyx's Call Control API, version 2: JSON both ways, a command for each thing to be done.
///
/// Source: [the API's description](https://developers.telnyx.com/api-reference/call-commands/dial).
/// Every command has a `command_id` of its own: Telnyx ignores one that it has had within the last
/// minute.
pub(super) struct Api {
    pub(super) account: Account,
    /// Whether it is to say who picked up.
    machines: Machines,
    /// What the address of everything begins with.
    pub(super) base: String,
    pub(super) rest: Rest,
}

impl Api {
    pub(super) fn new(account: Account, url: &Url, machines: Machines) -> Result<Self, Problem> {
        let rest = Rest::new(&COMPANY, url)?;
        let base = format!("{}/v2", url.as_str().trim_end_matches('/'));
        Ok(Self {
            account,
            machines,
            base,
            rest,
        })
    }
}

#[async_trait]
impl Calls for Api {
    /// One request, once: that its `command_id` would make a second one harmless for a minute is a
    /// second net, and not relied on.
    async fn dial(&self, dial: Dial<'_>) -> Result<Leg, Fault> {
        let request = self.request(Method::POST, &format!("{}/calls", self.base));
        let request = request.json(&self.dial_body(&dial));
        let answer = self.rest.send(request).await;
        let answer = answer.map_err(|lost| self.rest.lost_dial(lost))?;
        if answer.is_good() {
            let call: Option<Data<Dialled>> = serde_json::from_slice(&answer.body).ok();
            let call = call.map(|it| it.data.call_control_id);
            let call = call.filter(|it| is_call(it)).map(Leg);
            let unread = "Telnyx's answer to a dial cannot be read";
            return call.ok_or_else(|| self.rest.unknown(unread));
        }
        if answer.is_trouble() {
            return Err(self.rest.troubled_dial(answer.status));
        }
        Err(Refusal::read(&answer.body).fault(answer.status))
    }

    async fn hang_up(&self, leg: &Leg) -> Result<(), Fault> {
        let url = self.command_url(leg, "hangup")?;
        self.end(&url, &json!({})).await
    }

    async fn reconnect(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        let url = self.command_url(leg, "streaming_start")?;
        let mut body = streaming(stream);
        body["stream_bidirectional_sampling_rate"] = json!(8000);
        body["stream_auth_token"] = json!(stream.token.reveal());
        body["command_id"] = json!(command_id("stream", stream.token.reveal()));
        // The same command twice within a minute is one command.
        let request = self.request(Method::POST, &url).json(&body);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer)
    }

    /// Telnyx does not say whether a call that is alive was answered. Nobody who asks needs to know.
    async fn status(&self, leg: &Leg) -> Result<Status, Fault> {
        let url = self.call_url(leg)?;
        let answer = self.get(&url).await?;
        let call: Data<Call> = self.rest.read(&answer)?;
        Ok(match (call.data.is_alive, call.data.end_time) {
            (true, _) => Status::Up,
            (false, Some(_)) => Status::Ended(OVER),
            // Straight after it was dialled, a call is not alive yet.
            (false, None) => Status::Pending,
        })
    }

    async fn check(&self) -> Result<String, Fault> {
        let connection = &self.account.connection;
        let url = format!("{}/call_control_applications/{connection}", self.base);
        let answer = self.get(&url).await?;
        let application: Data<Application> = self.rest.read(&answer)?;
        let Application {
            application_name,
            webhook_event_url,
        } = application.data;
        Ok(format!(
            "Telnyx took the key; the application {application_name:?} sends its webhooks to {}",
            webhook_event_url.as_deref().unwrap_or("nobody")
        ))
    }
}

#[async_trait]
impl Offers for Api {
    async fn answer(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        let url = self.command_url(leg, "answer")?;
        let mut body = streaming(stream);
        body["client_state"] = json!(answered());
        body["command_id"] = json!(command_id("answer", stream.token.reveal()));
        let request = self.request(Method::POST, &url).json(&body);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer)
    }

    async fn reject(&self, leg: &Leg) -> Result<(), Fault> {
        let url = self.command_url(leg, "reject")?;
        let body = json!({ "cause": "CALL_REJECTED" });
        self.end(&url, &body).await
    }
}

/// The call stays where it is until the other one is answered, and falls back to where it was if that
/// one is not; when they have talked, the end of one is that of both.
///
/// Source: [transfer call](https://developers.telnyx.com/api-reference/call-commands/transfer-call).
#[async_trait]
impl Transfers for Api {
    async fn transfer(&self, leg: &Leg, transfer: &Transfer<'_>) -> Result<(), Fault> {
        let url = self.command_url(leg, "transfer")?;
        let body = json!({
            "to": transfer.to.as_str(),
            "from": transfer.from.as_str(),
            "timeout_secs": seconds(transfer.ring).clamp(5, 600),
            "time_limit_secs": seconds(transfer.limit).clamp(30, 14_400),
            // The new call's webhooks name the one that it was made for.
            "target_leg_client_state": put_through(leg),
            "webhook_url": transfer.report,
            "command_id": command_id("transfer", transfer.back),
        });
        let request = self.request(Method::POST, &url).json(&body);
        // The same command twice within a minute is one command, but a phone would ring for it if it
        // were not: so this is sent once.
        let answer = self.rest.send(request).await;
        self.done(&answer.map_err(|lost| self.rest.lost(lost))?)
    }
}

impl Api {
    fn dial_body(&self, dial: &Dial<'_>) -> Value {
        let mut body = json!({
            "connection_id": self.account.connection,
            "from": dial.from.as_str(),
            "to": dial.to.as_str(),
            "timeout_secs": seconds(dial.ring).clamp(5, 600),
            // Else it goes on ringing by other ways, each as long again.
            "retry_on_timeout": false,
            "time_limit_secs": seconds(dial.limit).clamp(30, 14_400),
            "webhook_url": dial.voice_url,
            "client_state": dialled(),
            "command_id": command_id("dial", dial.voice_url),
        });
        if (dial.detect, self.machines) == (Detect::Machines, Machines::Told) {
            // Where the greeting ends is heard in the sound.
            body["answering_machine_detection"] = json!("detect");
        }
        body
    }

    /// A leg's name goes into a path, so it is looked at first.
    fn call_url(&self, leg: &Leg) -> Result<String, Fault> {
        if is_call(&leg.0) {
            return Ok(format!("{}/calls/{}", self.base, leg.0));
        }
        let message = "the name of a call is not like those of Telnyx's";
        Err(Fault::new(
            Blame::Gateway,
            code::CARRIER_NO_SUCH_CALL,
            message,
        ))
    }

    fn command_url(&self, leg: &Leg, command: &str) -> Result<String, Fault> {
        Ok(format!("{}/actions/{command}", self.call_url(leg)?))
    }

    /// Ends a call. Doing it twice does no harm.
    async fn end(&self, url: &str, body: &Value) -> Result<(), Fault> {
        let request = self.request(Method::POST, url).json(body);
        let done = |answer: &Answer| {
            let over = Refusal::read(&answer.body).is_over(answer.status);
            if over { Ok(()) } else { self.done(answer) }
        };
        self.rest.insist(request, done).await
    }

    /// Sends a request that changes nothing, and takes only an answer that is one.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, Fault> {
        let request = self.request(Method::GET, url);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer).map(|()| answer)
    }

    /// Whether a command was taken. What comes of it is told by a webhook.
    pub(super) fn done(&self, answer: &Answer) -> Result<(), Fault> {
        if answer.is_good() {
            return Ok(());
        }
        if answer.is_trouble() {
            return Err(self.rest.trouble(answer.status));
        }
        Err(Refusal::read(&answer.body).fault(answer.status))
    }

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.rest.request(method, url);
        request.bearer_auth(self.account.key.reveal())
    }
}

/// How sound is to go, both ways, in so many words: Telnyx's own defaults are MP3, to a leg that
/// this one is bridged with, and whatever the caller speaks.
fn streaming(stream: &Stream) -> Value {
    json!({
        "stream_url": stream.url,
        "stream_track": "inbound_track",
        "stream_codec": "PCMU",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "PCMU",
        "stream_bidirectional_target_legs": "self",
    })
}

/// The same for the same command, and different for another. Says nothing of what it is made from.
fn command_id(what: &str, made_from: &str) -> String {
    let digest = Sha256::digest(format!("{what}/{made_from}"));
    let hex: String = digest[..16].iter().map(|it| format!("{it:02x}")).collect();
    format!("offhook-{what}-{hex}")
}

/// The envelope of every answer.
#[derive(Deserialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

/// What dialling returns, as far as we need it.
#[derive(Deserialize)]
struct Dialled {
    call_control_id: String,
}

/// What asking for a call returns, as far as we need it.
#[derive(Deserialize)]
struct Call {
    is_alive: bool,
    #[serde(default)]
    end_time: Option<String>,
}

/// What asking for the application returns, as far as we need it.
#[derive(Deserialize)]
struct Application {
    application_name: String,
    #[serde(default)]
    webhook_event_url: Option<String>,
}

/// Telnyx says that a call is over, and not why.
const OVER: End = End {
    by: Party::Caller,
    why: Why::HungUp,
};
