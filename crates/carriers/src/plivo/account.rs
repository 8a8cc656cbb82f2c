use std::collections::BTreeMap;
use std::time::SystemTime;

use async_trait::async_trait;
use call::Number;
use ports::account::{Account, Addresses, Numbers, Obstacle, OwnNumber, Routed, Signs, Takes};
use ports::carrier::Request;
use ports::{Blame, Fault, Secret, code};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::{COMPANY, is_id, signature};
use crate::rest::Answer;

/// The account's numbers. A number has an application, and that has the addresses. Applications that
/// somebody made by hand are left as they are: a number is pointed by an application of its own.
///
/// Sources: [numbers](https://www.plivo.com/docs/numbers/api/account-phone-number),
/// [applications](https://www.plivo.com/docs/voice/api/application).
#[async_trait]
impl Numbers for Api {
    async fn list(&self) -> Result<Vec<OwnNumber>, Fault> {
        let applications = self.applications().await?;
        let mut numbers = Vec::new();
        for page in 0..MOST_PAGES {
            let page: Page<Rented> = self.page("Number", page).await?;
            let found = page.objects.iter();
            numbers.extend(found.filter_map(|it| it.meaning(&applications)));
            if page.meta.next.is_none() {
                break;
            }
        }
        Ok(numbers)
    }

    async fn find(&self, number: &Number) -> Result<Option<OwnNumber>, Fault> {
        let Some(rented) = self.rented(number).await? else {
            return Ok(None);
        };
        let mut applications = BTreeMap::new();
        if let Some(id) = rented.application() {
            let url = format!("{}/Application/{id}/", self.base);
            let answer = self.asked(&url).await?;
            // An application that is gone asks nobody.
            if answer.status != 404 {
                self.done(&answer)?;
                applications.insert(id.to_owned(), self.rest.read(&answer)?);
            }
        }
        Ok(rented.meaning(&applications))
    }

    async fn point(&self, number: &Number, to: &Addresses) -> Result<(), Fault> {
        let rented = self.rented(number).await?;
        let rented = rented.ok_or_else(not_owned)?;
        let name = application_of(number);
        let body = json!({
            "answer_url": to.voice,
            "answer_method": "POST",
            "hangup_url": to.status,
            "hangup_method": "POST",
        });
        let known = self.applications().await?;
        let mut known = known.into_iter().filter(|(_, it)| it.app_name == name);
        let id = match known.next() {
            Some((id, _)) => {
                let url = format!("{}/Application/{id}/", self.base);
                self.post(&url, &body).await?;
                id
            }
            None => self.make(&name, body).await?,
        };
        if rented.application() == Some(&id) {
            return Ok(());
        }
        let digits = number.as_str().trim_start_matches('+');
        let url = format!("{}/Number/{digits}/", self.base);
        self.post(&url, &json!({ "app_id": id })).await.map(drop)
    }

    fn to_buy(&self) -> &'static [&'static str] {
        &[
            "open console.plivo.com, Phone Numbers, Buy Numbers",
            "choose your country and the capability Voice, search, and buy one",
            "some countries want a document first: the page says so",
        ]
    }
}

impl Api {
    /// All of the account's applications for calls, by their ids.
    async fn applications(&self) -> Result<BTreeMap<String, Application>, Fault> {
        let mut all = BTreeMap::new();
        for page in 0..MOST_PAGES {
            let page: Page<Application> = self.page("Application", page).await?;
            let good = page.objects.into_iter().filter(|it| is_id(&it.app_id));
            all.extend(good.map(|it| (it.app_id.clone(), it)));
            if page.meta.next.is_none() {
                break;
            }
        }
        Ok(all)
    }

    async fn page<T: for<'a> Deserialize<'a>>(
        &self,
        of: &str,
        page: usize,
    ) -> Result<Page<T>, Fault> {
        let offset = page * PAGE;
        let url = format!("{}/{of}/?limit={PAGE}&offset={offset}", self.base);
        let answer = self.asked(&url).await?;
        self.done(&answer)?;
        self.rest.read(&answer)
    }

    async fn rented(&self, number: &Number) -> Result<Option<Rented>, Fault> {
        let digits = number.as_str().trim_start_matches('+');
        let answer = self
            .asked(&format!("{}/Number/{digits}/", self.base))
            .await?;
        if answer.status == 404 {
            return Ok(None);
        }
        self.done(&answer)?;
        self.rest.read(&answer).map(Some)
    }

    async fn asked(&self, url: &str) -> Result<Answer, Fault> {
        self.rest
            .send_harmless(self.request(Method::GET, url))
            .await
    }

    async fn post(&self, url: &str, body: &Value) -> Result<Answer, Fault> {
        let request = self.request(Method::POST, url).json(body);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer).map(|()| answer)
    }

    /// Makes an application; its id. Not to be done twice: there would be two.
    async fn make(&self, name: &str, mut body: Value) -> Result<String, Fault> {
        body["app_name"] = json!(name);
        let url = format!("{}/Application/", self.base);
        let request = self.request(Method::POST, &url).json(&body);
        let answer = self.rest.send(request).await;
        let answer = answer.map_err(|lost| self.rest.lost(lost))?;
        self.done(&answer)?;
        let made: Made = self.rest.read(&answer)?;
        if is_id(&made.app_id) {
            return Ok(made.app_id);
        }
        let message = "Plivo's answer to making an application cannot be read";
        Err(Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message)
            .hint("look under Voice, Applications on console.plivo.com whether it is there"))
    }
}

/// What the account may do. Countries are not to be asked about: a refused call tells.
///
/// Source: [the Account API](https://www.plivo.com/docs/account/api/the-account-object).
#[async_trait]
impl Account for Api {
    async fn obstacles(&self, _to: &[&Number]) -> Result<Vec<Obstacle>, Fault> {
        let answer = self.asked(&format!("{}/", self.base)).await?;
        self.done(&answer)?;
        let known: Known = self.rest.read(&answer)?;
        let fault = |message: &str, hint: &str| {
            Fault::new(Blame::Config, code::CARRIER_NOT_PERMITTED, message).hint(hint)
        };
        let mut obstacles = Vec::new();
        let credits: f64 = known.cash_credits.parse().unwrap_or(f64::MAX);
        if credits <= 0.0 && known.billing_mode == "prepaid" && !known.auto_recharge {
            let hint = "add credit under Account, Billing on console.plivo.com";
            obstacles.push(Obstacle::All(fault(
                "the Plivo account has no credit left",
                hint,
            )));
        }
        if known.account_type == "developer" {
            let hint = "verify the number on console.plivo.com under Phone Numbers, Sandbox numbers, or upgrade";
            let message = "a trial account of Plivo calls only numbers that it has verified";
            obstacles.push(Obstacle::Some(fault(message, hint)));
        }
        Ok(obstacles)
    }

    async fn time(&self) -> Result<SystemTime, Fault> {
        let answer = self.asked(&format!("{}/", self.base)).await?;
        self.done(&answer)?;
        answer.time(&COMPANY)
    }
}

/// Signs as Plivo does, with the account's token.
pub(super) struct Signer(pub(super) Secret);

impl Signs for Signer {
    fn webhook(&self, url: &str) -> Request {
        let body = b"Event=probe".to_vec();
        let form = signature::fields(&body);
        let signature = signature::sign(&self.0, "POST", url, &form, NONCE);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Request {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: vec![
                header("content-type", "application/x-www-form-urlencoded"),
                header("x-plivo-signature-v3-nonce", NONCE),
                header("x-plivo-signature-v3", &signature),
            ],
            body,
            received: SystemTime::now(),
        }
    }
}

fn not_owned() -> Fault {
    let message = "the number is not this Plivo account's";
    Fault::new(Blame::Config, code::CARRIER_NUMBER_NOT_OWNED, message)
        .hint("use a number that is on console.plivo.com under Phone Numbers, Your Numbers")
}

/// What the application of a number is called. Names may have letters, digits, hyphens.
fn application_of(number: &Number) -> String {
    format!("offhook-{}", number.as_str().trim_start_matches('+'))
}

/// A page of anything, as far as we need it.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    meta: Meta,
    objects: Vec<T>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Rented {
    number: String,
    /// `/v1/Account/{id}/Application/{app_id}/`.
    #[serde(default)]
    application: Option<String>,
    #[serde(default = "yes")]
    voice_enabled: bool,
}

impl Rented {
    fn application(&self) -> Option<&str> {
        let path = self.application.as_deref()?.trim_end_matches('/');
        let (_, id) = path.rsplit_once("/Application/")?;
        is_id(id).then_some(id)
    }

    fn meaning(&self, applications: &BTreeMap<String, Application>) -> Option<OwnNumber> {
        let number = Number::parse(&format!("+{}", self.number.trim_start_matches('+'))).ok()?;
        let known = self.application().map(|id| (id, applications.get(id)));
        let routed = match (known, &self.application) {
            (Some((_, Some(it))), _) => it.routed(),
            (Some((id, None)), _) => Routed::Elsewhere(format!("the application {id}")),
            (None, Some(other)) if !other.is_empty() => {
                Routed::Elsewhere("something that is no application".to_owned())
            }
            (None, Some(_) | None) => Routed::Nowhere,
        };
        let takes = if self.voice_enabled {
            Takes::Calls
        } else {
            Takes::Messages
        };
        Some(OwnNumber {
            number,
            takes,
            routed,
        })
    }
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Application {
    app_id: String,
    #[serde(default)]
    app_name: String,
    #[serde(default)]
    answer_url: Option<String>,
    #[serde(default)]
    hangup_url: Option<String>,
}

impl Application {
    fn routed(&self) -> Routed {
        match self.answer_url.as_deref() {
            Some(voice) if !voice.is_empty() => Routed::Here(Addresses {
                voice: voice.to_owned(),
                status: self.hangup_url.clone().unwrap_or_default(),
            }),
            Some(_) | None => Routed::Elsewhere(format!("the application {:?}", self.app_name)),
        }
    }
}

#[derive(Deserialize)]
struct Made {
    app_id: String,
}

/// What asking for the account returns, as far as we need it.
#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    account_type: String,
    #[serde(default)]
    billing_mode: String,
    #[serde(default)]
    cash_credits: String,
    #[serde(default)]
    auto_recharge: bool,
}

/// Plivo's own limit to a page.
const PAGE: usize = 20;

/// An account has some numbers; one with more has to name the one it means.
const MOST_PAGES: usize = 25;

/// It is used for nothing but to see whether it arrives.
const NONCE: &str = "12345678901234567890";
