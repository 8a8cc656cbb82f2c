use async_trait::async_trait;
use call::event::{End, Party, Why};
use call::{Keys, Number};
use ports::carrier::{
    Calls, Detect, Dial, Leg, Machines, Presses, Status, Stream, Transfer, Transfers,
};
use ports::{Blame, Fault, Problem, code};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::cause::{self, Direction};
use super::refusal::Refusal;
use super::xml::RETRIES;
use super::{Account, COMPANY, REQUEST, is_id};
use crate::rest::{Answer, PRESS_PATIENCE, Rest, seconds};

/// Plivo's REST API: JSON both ways, and a slash at the end of every address.
///
/// Source: [the Call API](https://docs.plivo.com/docs/voice/api/call/make-a-call).
pub(super) struct Api {
    pub(super) account: Account,
    /// Whether it is to say who picked up.
    machines: Machines,
    /// What the address of everything in the account begins with.
    pub(super) base: String,
    pub(super) rest: Rest,
}

impl Api {
    pub(super) fn new(account: Account, url: &Url, machines: Machines) -> Result<Self, Problem> {
        let rest = Rest::new(&COMPANY, url)?;
        let root = url.as_str().trim_end_matches('/');
        let base = format!("{root}/v1/Account/{}", account.id);
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
    /// Plivo has no key that would make a repeated dial harmless, so this sends one request, once.
    /// It returns the name of the request: that of the call comes with its first webhook.
    async fn dial(&self, dial: Dial<'_>) -> Result<Leg, Fault> {
        let request = self.request(Method::POST, &format!("{}/Call/", self.base));
        let answer = self
            .rest
            .send(request.json(&dial_body(&dial, self.machines)))
            .await;
        let answer = answer.map_err(|lost| self.rest.lost_dial(lost))?;
        if answer.is_good() {
            let fired: Option<Fired> = serde_json::from_slice(&answer.body).ok();
            let request = fired.map(|it| it.request_uuid.first());
            let request = request.filter(|it| is_id(it));
            let unread = "Plivo's answer to a dial cannot be read";
            let leg = request.map(|it| Leg(format!("{REQUEST}{it}")));
            return leg.ok_or_else(|| self.rest.unknown(unread));
        }
        if answer.is_trouble() {
            return Err(self.rest.troubled_dial(answer.status));
        }
        Err(Refusal::read(&answer.body).fault(answer.status))
    }

    async fn hang_up(&self, leg: &Leg) -> Result<(), Fault> {
        let request = self.request(Method::DELETE, &self.leg_url(leg)?);
        // What is not there any more is over.
        let done = |answer: &Answer| match answer.status {
            404 => Ok(()),
            _ => self.done(answer),
        };
        self.rest.insist(request, done).await
    }

    /// Has the call ask us again what to do with it, as if the socket of this stream were gone
    /// ([transfer](https://plivo.com/docs/voice/api/call/transfer-a-call)). What we reply then connects
    /// it, to the stream after this one; if Plivo asks twice it is told the same, since the address
    /// names the stream that it comes after. Plivo ends a call as a loop at its 71st transfer.
    ///
    /// A stream that still runs has to end before the call does as it is told, by Plivo's own guide to
    /// streaming: a socket that is still open is to be closed after this, not before.
    async fn reconnect(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        self.ask_again(leg, &stream.back).await
    }

    async fn status(&self, leg: &Leg) -> Result<Status, Fault> {
        if leg.0.starts_with(REQUEST) {
            // Until its first webhook there is nothing to ask about.
            return Ok(Status::Pending);
        }
        let url = self.leg_url(leg)?;
        let request = self.request(Method::GET, &format!("{url}?status=live"));
        let answer = self.rest.send_harmless(request).await?;
        if answer.status == 404 {
            return self.record(&url).await;
        }
        self.done(&answer)?;
        let live: Live = self.rest.read(&answer)?;
        Ok(match live.call_status.as_str() {
            "in-progress" => Status::Up,
            _ => Status::Pending,
        })
    }

    async fn check(&self) -> Result<String, Fault> {
        let url = format!("{}/Number/?limit=1", self.base);
        let answer = self
            .rest
            .send_harmless(self.request(Method::GET, &url))
            .await?;
        self.done(&answer)?;
        let numbers: Numbers = self.rest.read(&answer)?;
        let first = numbers.objects.first().map(|it| format!("+{}", it.number));
        Ok(match first.map(|it| Number::parse(&it)) {
            None => "Plivo took the credentials; the account has no phone number yet".to_owned(),
            Some(Ok(number)) => {
                format!("Plivo took the credentials; the account has {number:?}, perhaps more")
            }
            Some(Err(_)) => "Plivo took the credentials; the account has a number".to_owned(),
        })
    }
}

/// Plivo's own word for this is another thing: it has a call ask us what to do, and what we reply then
/// is a [`<Dial>`](https://docs.plivo.com/docs/voice/xml/dial). It does not ask before its stream has
/// ended.
#[async_trait]
impl Transfers for Api {
    async fn transfer(&self, leg: &Leg, transfer: &Transfer<'_>) -> Result<(), Fault> {
        self.ask_again(leg, transfer.back).await
    }
}

/// By a request, and not on the socket of the stream: there Plivo could not say that it refuses.
///
/// Source: [send digits](https://plivo.com/docs/voice/api/call/dtmf/send-digits-on-a-call), which has no
/// word for a pause.
#[async_trait]
impl Presses for Api {
    async fn press(&self, leg: &Leg, keys: &Keys) -> Result<(), Fault> {
        if keys.as_str().contains(['w', 'W']) {
            let message =
                "Plivo presses keys one after another, and waits for nothing between them";
            return Err(Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message));
        }
        if leg.0.starts_with(REQUEST) {
            return Err(no_such_call(
                "on a call that was never up no key is pressed",
            ));
        }
        let url = format!("{}DTMF/", self.leg_url(leg)?);
        let body = json!({ "digits": keys.as_str().to_ascii_uppercase(), "leg": "aleg" });
        let request = self.request(Method::POST, &url).json(&body);
        let answer = self.rest.send(request.timeout(PRESS_PATIENCE)).await;
        self.done(&answer.map_err(|lost| self.rest.lost(lost))?)
    }
}

impl Api {
    /// Has a call that is up ask us at this address what to do.
    pub(super) async fn ask_again(&self, leg: &Leg, back: &str) -> Result<(), Fault> {
        if leg.0.starts_with(REQUEST) {
            return Err(no_such_call("a call that was never up cannot be connected"));
        }
        let body = json!({ "legs": "aleg", "aleg_url": back, "aleg_method": "POST" });
        let request = self.request(Method::POST, &self.leg_url(leg)?).json(&body);
        let answer = self.rest.send(request).await;
        self.done(&answer.map_err(|lost| self.rest.lost(lost))?)
    }

    /// What became of a call that is over.
    async fn record(&self, url: &str) -> Result<Status, Fault> {
        let request = self.request(Method::GET, url);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer)?;
        let record: Record = self.rest.read(&answer)?;
        Ok(Status::Ended(record.end().unwrap_or(OVER)))
    }

    /// A leg's name goes into a path, so it is looked at first.
    pub(super) fn leg_url(&self, leg: &Leg) -> Result<String, Fault> {
        let (kind, id) = match leg.0.strip_prefix(REQUEST) {
            Some(request) => ("Request", request),
            None => ("Call", &*leg.0),
        };
        if is_id(id) {
            return Ok(format!("{}/{kind}/{id}/", self.base));
        }
        Err(no_such_call(
            "the name of a call is not like those of Plivo's",
        ))
    }

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
        self.signed_in(self.rest.request(method, url))
    }

    pub(super) fn signed_in(&self, request: RequestBuilder) -> RequestBuilder {
        let token = self.account.token.reveal();
        request.basic_auth(&self.account.id, Some(token))
    }
}

pub(super) fn no_such_call(message: &str) -> Fault {
    Fault::new(Blame::Gateway, code::CARRIER_NO_SUCH_CALL, message)
}

fn dial_body(dial: &Dial<'_>, machines: Machines) -> Value {
    // Asked again where nobody answers: a gateway may just be starting.
    let status_url = format!("{}{RETRIES}", dial.status_url);
    let mut body = json!({
        "from": bare(dial.from),
        "to": bare(dial.to),
        "answer_url": format!("{}{RETRIES}", dial.voice_url),
        "answer_method": "POST",
        "ring_url": status_url,
        "ring_method": "POST",
        "hangup_url": status_url,
        "hangup_method": "POST",
        "ring_timeout": seconds(dial.ring).min(MAX_RING),
        "time_limit": seconds(dial.limit).min(MAX_LIMIT),
    });
    if (dial.detect, machines) == (Detect::Machines, Machines::Noticed) {
        body["machine_detection"] = json!("true");
        // Without this address the call, and its sound, would wait for the verdict.
        body["machine_detection_url"] = json!(status_url);
        body["machine_detection_method"] = json!("POST");
    }
    body
}

/// A number as Plivo writes them.
pub(super) fn bare(number: &Number) -> &str {
    number.as_str().trim_start_matches('+')
}

/// What dialling returns, as far as we need it.
#[derive(Deserialize)]
struct Fired {
    request_uuid: OneOrMore,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    /// We call one number at a time.
    fn first(self) -> String {
        match self {
            Self::One(it) => it,
            Self::More(all) => all.into_iter().next().unwrap_or_default(),
        }
    }
}

/// What asking for a call that is up returns, as far as we need it.
#[derive(Deserialize)]
struct Live {
    call_status: String,
}

/// What asking for a call that is over returns, as far as we need it.
#[derive(Deserialize)]
struct Record {
    /// A number, but Plivo does not promise that there is one.
    #[serde(default)]
    hangup_cause_code: Value,
    hangup_source: Option<String>,
    call_direction: Option<String>,
}

impl Record {
    /// How the call ended, if that is written down.
    fn end(&self) -> Option<End> {
        let code = &self.hangup_cause_code;
        let text = || code.as_str()?.parse().ok();
        let code = code.as_u64().or_else(text)?.try_into().ok()?;
        let source = self.hangup_source.as_deref().unwrap_or_default();
        let direction = self.call_direction.as_deref().unwrap_or_default();
        cause::by_code(code, source, Direction::parse(direction))
    }
}

/// What asking for the account's numbers returns, as far as we need it.
#[derive(Deserialize)]
struct Numbers {
    objects: Vec<OwnedNumber>,
}

#[derive(Deserialize)]
struct OwnedNumber {
    number: String,
}

/// Plivo says that a call is over, and not why.
const OVER: End = End {
    by: Party::Caller,
    why: Why::HungUp,
};

/// Longer than anybody lets it ring, in seconds.
const MAX_RING: u64 = 600;

/// Plivo's own limit to a call, in seconds.
const MAX_LIMIT: u64 = 86_400;
