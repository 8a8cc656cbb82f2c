use std::time::Duration;

use async_trait::async_trait;
use call::Number;
use ports::carrier::{
    Calls, Detect, Dial, Leg, Limits, Machines, Reply, Status, Stream, Transfer, Transfers,
};
use ports::{Blame, Fault, Problem, code};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use url::Url;

use super::refusal::Refusal;
use super::status::{CallStatus, Cause, Direction};
use super::twiml::RETRIES;
use super::{Account, COMPANY, is_sid, twiml};
use crate::rest::{Answer, Rest, seconds};

/// Twilio's REST API.
///
/// Source: [the Call resource](https://www.twilio.com/docs/voice/api/call-resource). Requests are
/// forms with names in `PascalCase`, answers are JSON with names in `snake_case`.
pub(super) struct Api {
    pub(super) account: Account,
    /// Whether it is to say who picked up.
    machines: Machines,
    /// What the address of everything in the account begins with.
    pub(super) base: String,
    pub(super) rest: Rest,
}

impl Api {
    pub(super) fn new(account: Account, url: Url, machines: Machines) -> Result<Self, Problem> {
        let rest = Rest::new(&COMPANY, &url)?;
        let root = url.as_str().trim_end_matches('/');
        let base = format!("{root}/2010-04-01/Accounts/{}", account.sid);
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
    /// Twilio has no key that would make a repeated dial harmless, so this sends one request, once.
    async fn dial(&self, dial: Dial<'_>) -> Result<Leg, Fault> {
        let request = self.request(Method::POST, &format!("{}/Calls.json", self.base));
        let answer = self
            .rest
            .send(request.form(&dial_form(&dial, self.machines)))
            .await;
        let answer = answer.map_err(|lost| self.rest.lost_dial(lost))?;
        if answer.is_good() {
            let call: Option<Created> = serde_json::from_slice(&answer.body).ok();
            let sid = call.map(|it| it.sid).filter(|it| is_sid("CA", it));
            let unread = "Twilio's answer to a dial cannot be read";
            return sid.map(Leg).ok_or_else(|| self.rest.unknown(unread));
        }
        if answer.is_trouble() {
            return Err(self.rest.troubled_dial(answer.status));
        }
        Err(Refusal::read(&answer.body).fault(answer.status))
    }

    async fn hang_up(&self, leg: &Leg) -> Result<(), Fault> {
        let url = self.call_url(leg)?;
        let request = self.request(Method::POST, &url);
        let request = request.form(&[("Status", "completed")]);
        let done = |answer: &Answer| {
            let over = Refusal::read(&answer.body).is_over(answer.status);
            if over { Ok(()) } else { self.changed(answer) }
        };
        self.rest.insist(request, done).await
    }

    async fn reconnect(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        self.redirect(leg, Reply::Connect(stream)).await
    }

    async fn status(&self, leg: &Leg) -> Result<Status, Fault> {
        let answer = self.get(&self.call_url(leg)?).await?;
        let call: CallResource = self.rest.read(&answer)?;
        let direction = Direction::parse(&call.direction);
        let status = CallStatus::parse(&call.status).ok_or_else(|| {
            let message = "Twilio says that a call is in a state it did not use to have";
            Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message)
                .hint("a newer offhook may know it")
        })?;
        Ok(match status.end(direction, Cause::Unsaid) {
            Some(end) => Status::Ended(end),
            None if status == CallStatus::InProgress => Status::Up,
            None => Status::Pending,
        })
    }

    async fn check(&self) -> Result<String, Fault> {
        let url = format!("{}/IncomingPhoneNumbers.json?PageSize=1", self.base);
        let numbers: Numbers = self.rest.read(&self.get(&url).await?)?;
        let first = numbers.incoming_phone_numbers.first();
        let first = first.map(|it| Number::parse(&it.phone_number));
        Ok(match first {
            None => "Twilio took the credentials; the account has no phone number yet".to_owned(),
            Some(Ok(number)) => {
                format!("Twilio took the credentials; the account has {number:?}, perhaps more")
            }
            Some(Err(_)) => "Twilio took the credentials; the account has a number".to_owned(),
        })
    }
}

/// Twilio's word for it is to redirect the call to
/// [`<Dial>`](https://www.twilio.com/docs/voice/twiml/dial), which ends its stream.
#[async_trait]
impl Transfers for Api {
    async fn transfer(&self, leg: &Leg, transfer: &Transfer<'_>) -> Result<(), Fault> {
        self.redirect(leg, Reply::Transfer(transfer)).await
    }
}

#[async_trait]
impl Limits for Api {
    async fn limit(&self, leg: &Leg, length: Duration) -> Result<(), Fault> {
        let limit = [("TimeLimit", seconds(length).min(MAX_LIMIT).to_string())];
        let request = self.request(Method::POST, &self.call_url(leg)?);
        let answer = self.rest.send_harmless(request.form(&limit)).await?;
        self.changed(&answer)
    }
}

fn dial_form(dial: &Dial<'_>, machines: Machines) -> Vec<(&'static str, String)> {
    let mut form = vec![
        ("To", dial.to.as_str().to_owned()),
        ("From", dial.from.as_str().to_owned()),
        ("Url", retried(dial.voice_url)),
        ("Method", "POST".to_owned()),
        ("StatusCallback", retried(dial.status_url)),
        ("StatusCallbackMethod", "POST".to_owned()),
        ("Timeout", seconds(dial.ring).min(MAX_RING).to_string()),
        ("TimeLimit", seconds(dial.limit).to_string()),
    ];
    let events = ["initiated", "ringing", "answered", "completed"];
    form.extend(events.map(|it| ("StatusCallbackEvent", it.to_owned())));
    if (dial.detect, machines) == (Detect::Machines, Machines::Told) {
        form.extend([
            ("MachineDetection", "Enable".to_owned()),
            ("MachineDetectionTimeout", JUDGED.to_string()),
            // Else the call waits for the verdict, and so does its sound.
            ("AsyncAmd", "true".to_owned()),
            ("AsyncAmdStatusCallback", retried(dial.status_url)),
            ("AsyncAmdStatusCallbackMethod", "POST".to_owned()),
        ]);
    }
    form
}

/// An address that is asked again where nobody answers: a gateway may just be starting.
fn retried(url: &str) -> String {
    format!("{url}{RETRIES}")
}

/// For so many seconds Twilio may think about who picked up: it is not waited for much longer.
const JUDGED: u32 = 5;

impl Api {
    /// Has a call that is up do something else.
    pub(super) async fn redirect(&self, leg: &Leg, reply: Reply<'_>) -> Result<(), Fault> {
        let twiml = twiml::response(reply).body;
        let request = self.request(Method::POST, &self.call_url(leg)?);
        let answer = self.rest.send(request.form(&[("Twiml", twiml)])).await;
        self.changed(&answer.map_err(|lost| self.rest.lost(lost))?)
    }

    /// A leg's name goes into a path, so it is looked at first.
    pub(super) fn call_url(&self, leg: &Leg) -> Result<String, Fault> {
        if is_sid("CA", &leg.0) {
            return Ok(format!("{}/Calls/{}.json", self.base, leg.0));
        }
        let message = "the name of a call is not CA and 32 hex digits";
        Err(Fault::new(
            Blame::Gateway,
            code::CARRIER_NO_SUCH_CALL,
            message,
        ))
    }

    /// Sends a request that changes nothing, and takes only an answer that is one.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, Fault> {
        let request = self.request(Method::GET, url);
        let answer = self.rest.send_harmless(request).await?;
        self.changed(&answer).map(|()| answer)
    }

    /// Whether what was asked for was done.
    pub(super) fn changed(&self, answer: &Answer) -> Result<(), Fault> {
        if answer.is_good() {
            return Ok(());
        }
        if answer.is_trouble() {
            return Err(self.rest.trouble(answer.status));
        }
        Err(Refusal::read(&answer.body).fault(answer.status))
    }

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let secret = self.account.secret.reveal();
        let request = self.rest.request(method, url);
        request.basic_auth(&self.account.user, Some(secret))
    }
}

/// What creating a call returns, as far as we need it.
#[derive(Deserialize)]
struct Created {
    sid: String,
}

/// What asking for a call returns, as far as we need it.
#[derive(Deserialize)]
struct CallResource {
    status: String,
    #[serde(default)]
    direction: String,
}

/// What asking for the account's numbers returns, as far as we need it.
#[derive(Deserialize)]
struct Numbers {
    incoming_phone_numbers: Vec<OwnedNumber>,
}

#[derive(Deserialize)]
struct OwnedNumber {
    phone_number: String,
}

/// Twilio's own limit to ringing, in seconds.
const MAX_RING: u64 = 600;

/// Twilio's own limit to a call, in seconds.
const MAX_LIMIT: u64 = 86_400;
