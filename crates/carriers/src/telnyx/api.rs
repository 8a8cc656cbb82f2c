use std::time::Duration;

use async_trait::async_trait;
use call::Keys;
use call::event::{End, Party, Why};
use media::KEY_TONE;
use ports::carrier::{
    Calls, Detect, Dial, Leg, Machines, Offers, Presses, Status, Stream, Transfer, Transfers,
};
use ports::{Blame, Fault, Problem, code};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::refusal::Refusal;
use super::sound::Sound;
use super::webhook::{answered, dialled, put_through};
use super::{Account, COMPANY, is_call};
use crate::rest::{Answer, PRESS_PATIENCE, Rest, seconds};

/// Telnyx's Call Control API, version 2: JSON both ways, a command for each thing to be done.
///
/// Source: [the API's description](https://developers.telnyx.com/api-reference/call-commands/dial).
/// Every command has a `command_id` of its own: Telnyx ignores one that it has had within the last
/// minute.
pub(super) struct Api {
    pub(super) account: Account,
    /// Whether it is to say who picked up.
    machines: Machines,
    sound: Sound,
    /// What the address of everything begins with.
    pub(super) base: String,
    pub(super) rest: Rest,
}

impl Api {
    pub(super) fn new(
        account: Account,
        sound: Sound,
        machines: Machines,
        url: &Url,
    ) -> Result<Self, Problem> {
        let rest = Rest::new(&COMPANY, url)?;
        let base = format!("{}/v2", url.as_str().trim_end_matches('/'));
        Ok(Self {
            account,
            machines,
            sound,
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
        let answer = self.start_stream(leg, stream, "stream").await?;
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
        let with_sound = self.sound.is_at_the_default_rate();
        let mut body = if with_sound {
            self.streaming(stream)
        } else {
            json!({})
        };
        body["client_state"] = json!(answered());
        body["command_id"] = json!(command_id("answer", stream.token.reveal()));
        let request = self.request(Method::POST, &url).json(&body);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer)?;
        if with_sound {
            return Ok(());
        }
        // Only a command for the stream alone can say how fast our samples go.
        self.stream_once_answered(leg, stream).await
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

/// Telnyx has a word for every key there is, and the same for a pause.
///
/// Source: [send DTMF](https://developers.telnyx.com/api-reference/call-commands/send-dtmf).
#[async_trait]
impl Presses for Api {
    async fn press(&self, leg: &Leg, keys: &Keys) -> Result<(), Fault> {
        let url = self.command_url(leg, "send_dtmf")?;
        // Telnyx has no small letters but for the pause: a `W` would be twice as long.
        let written = |key: char| match key {
            'w' | 'W' => 'w',
            key => key.to_ascii_uppercase(),
        };
        let body = json!({
            "digits": keys.as_str().chars().map(written).collect::<String>(),
            "duration_millis": KEY_TONE.as_millis() as u64,
        });
        let request = self.request(Method::POST, &url).json(&body);
        // Without a `command_id`, since the same keys may well be pressed twice within a minute. Sent once.
        let answer = self.rest.send(request.timeout(PRESS_PATIENCE)).await;
        self.done(&answer.map_err(|lost| self.rest.lost(lost))?)
    }
}

impl Api {
    /// Starts a call's stream. The same command (`what`) twice within a minute is one command.
    async fn start_stream(&self, leg: &Leg, stream: &Stream, what: &str) -> Result<Answer, Fault> {
        let url = self.command_url(leg, "streaming_start")?;
        let mut body = self.streaming(stream);
        let rate = self.sound.spoken().rate.hz();
        body["stream_bidirectional_sampling_rate"] = json!(rate);
        body["stream_auth_token"] = json!(stream.token.reveal());
        body["command_id"] = json!(command_id(what, stream.token.reveal()));
        let request = self.request(Method::POST, &url).json(&body);
        self.rest.send_harmless(request).await
    }

    /// Starts the stream of a call that is being answered: Telnyx takes the answer at once, and has
    /// answered a little later.
    async fn stream_once_answered(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        for attempt in 0..STREAM_ATTEMPTS {
            // One that was refused may count as had.
            let what = format!("stream-{attempt}");
            let answer = self.start_stream(leg, stream, &what).await?;
            let refusal = Refusal::read(&answer.body);
            if refusal.is_streaming() {
                return Ok(());
            }
            if !refusal.is_unanswered() {
                return self.done(&answer);
            }
            tokio::time::sleep(STREAM_PAUSE).await;
        }
        let message = "Telnyx has not answered a call that it was told to answer";
        Err(Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message))
    }

    /// What sound is asked for, and where it goes.
    fn streaming(&self, stream: &Stream) -> Value {
        let mut body = self.sound.ask();
        body["stream_url"] = json!(stream.url);
        body
    }

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
            "client_state": dialled(dial.name),
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

    pub(super) fn command_url(&self, leg: &Leg, command: &str) -> Result<String, Fault> {
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

/// The same for the same command, and different for another. Says nothing of what it is made from.
pub(super) fn command_id(what: &str, made_from: &str) -> String {
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

/// For about five seconds: the caller waits meanwhile, and nobody hears anything.
const STREAM_ATTEMPTS: u32 = 50;
const STREAM_PAUSE: Duration = Duration::from_millis(100);

/// Telnyx says that a call is over, and not why.
const OVER: End = End {
    by: Party::Caller,
    why: Why::HungUp,
};
