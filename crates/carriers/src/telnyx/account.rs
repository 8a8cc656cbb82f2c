use std::time::SystemTime;

use async_trait::async_trait;
use call::Number;
use ports::account::{Account, Addresses, Numbers, Obstacle, OwnNumber, Routed, Takes};
use ports::{Blame, Fault, code};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::COMPANY;
use super::api::{Api, Data};
use super::refusal::Meaning;

/// The account's numbers. A number has a connection, and a Call Control application is one; where its
/// webhooks go is said by the application, for all numbers that it has.
///
/// Sources: [numbers](https://developers.telnyx.com/api-reference/phone-number-configurations/list-phone-numbers),
/// [applications](https://developers.telnyx.com/api-reference/call-control-applications/update-a-call-control-application).
#[async_trait]
impl Numbers for Api {
    async fn list(&self) -> Result<Vec<OwnNumber>, Fault> {
        let ours = self.application().await?;
        let mut numbers = Vec::new();
        for page in 1..=MOST_PAGES {
            // Brackets are written as a form writes them.
            let query = format!("page%5Bnumber%5D={page}&page%5Bsize%5D={PAGE}");
            let page: Page = self.page(&query).await?;
            numbers.extend(page.data.iter().filter_map(|it| self.meaning(it, &ours)));
            if page.meta.page_number >= page.meta.total_pages {
                break;
            }
        }
        Ok(numbers)
    }

    async fn find(&self, number: &Number) -> Result<Option<OwnNumber>, Fault> {
        let Some(known) = self.owned(number).await? else {
            return Ok(None);
        };
        let ours = self.application().await?;
        Ok(self.meaning(&known, &ours))
    }

    /// Everything about a call goes to the one address; the carrier has no other for its end.
    async fn point(&self, number: &Number, to: &Addresses) -> Result<(), Fault> {
        let known = self.owned(number).await?;
        let known = known.ok_or_else(|| Meaning::NotOwned.fault(""))?;
        let connection = &self.account.connection;
        if known.connection_id.as_deref() != Some(connection) {
            let url = format!("{}/phone_numbers/{}", self.base, known.id);
            self.patch(&url, &json!({ "connection_id": connection }))
                .await?;
        }
        let ours = self.application().await?;
        let url = format!("{}/call_control_applications/{connection}", self.base);
        let body = json!({
            "application_name": ours.application_name,
            "webhook_event_url": to.voice,
            // The other format is one that we do not read.
            "webhook_api_version": "2",
        });
        self.patch(&url, &body).await
    }

    fn to_buy(&self) -> &'static [&'static str] {
        &[
            "open portal.telnyx.com, Numbers, Buy Numbers",
            "search with the feature Voice, put one into the cart, and order it",
            "some countries want an address or a document first: the order says so",
        ]
    }
}

impl Api {
    async fn application(&self) -> Result<Application, Fault> {
        let connection = &self.account.connection;
        let url = format!("{}/call_control_applications/{connection}", self.base);
        let application: Data<Application> = self.rest.read(&self.get(&url).await?)?;
        Ok(application.data)
    }

    async fn page(&self, query: &str) -> Result<Page, Fault> {
        let url = format!("{}/phone_numbers?{query}", self.base);
        self.rest.read(&self.get(&url).await?)
    }

    async fn owned(&self, number: &Number) -> Result<Option<Known>, Fault> {
        let digits = number.as_str().trim_start_matches('+');
        let page = self
            .page(&format!("filter%5Bphone_number%5D={digits}"))
            .await?;
        let mut found = page.data.into_iter();
        // It looks for what has these digits in it, and the id goes into a path.
        let is_it = |it: &Known| it.phone_number == number.as_str() && is_id(&it.id);
        Ok(found.find(is_it))
    }

    async fn patch(&self, url: &str, body: &serde_json::Value) -> Result<(), Fault> {
        let request = self.request(Method::PATCH, url).json(body);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer)
    }

    fn meaning(&self, known: &Known, ours: &Application) -> Option<OwnNumber> {
        let connection = known.connection_id.as_deref().filter(|it| !it.is_empty());
        let webhook = ours
            .webhook_event_url
            .as_deref()
            .filter(|it| !it.is_empty());
        let routed = match (connection, webhook) {
            (None, _) => Routed::Nowhere,
            (Some(it), Some(webhook)) if it == self.account.connection => Routed::Here(Addresses {
                voice: webhook.to_owned(),
                status: webhook.to_owned(),
            }),
            (Some(it), None) if it == self.account.connection => Routed::Nowhere,
            (Some(it), _) => Routed::Elsewhere(match known.connection_name.as_deref() {
                Some(name) if !name.is_empty() => format!("the connection {name:?}"),
                Some(_) | None => format!("the connection {it}"),
            }),
        };
        Some(OwnNumber {
            number: Number::parse(&known.phone_number).ok()?,
            takes: Takes::Calls,
            routed,
        })
    }
}

/// What the application may do; whom it may call is said by its outbound voice profile.
#[async_trait]
impl Account for Api {
    async fn obstacles(&self, _to: &[&Number]) -> Result<Vec<Obstacle>, Fault> {
        let ours = self.application().await?;
        let name = &ours.application_name;
        let fault = |message: String, hint: &str| {
            let fault = Fault::new(Blame::Config, code::CARRIER_NOT_PERMITTED, message);
            Obstacle::All(fault.hint(hint))
        };
        let mut obstacles = Vec::new();
        if !ours.active {
            let message = format!("Telnyx has switched off the application {name:?}");
            let hint = "switch it on under Voice, Programmable Voice on portal.telnyx.com";
            obstacles.push(fault(message, hint));
        }
        let profile = ours.outbound.and_then(|it| it.outbound_voice_profile_id);
        if profile.is_none_or(|it| it.is_empty()) {
            let message = format!(
                "the application {name:?} has no outbound voice profile, so it may call nobody"
            );
            let hint = "choose one in the application's outbound settings on portal.telnyx.com; it also \
                        says which countries may be called";
            obstacles.push(fault(message, hint));
        }
        Ok(obstacles)
    }

    async fn time(&self) -> Result<SystemTime, Fault> {
        let connection = &self.account.connection;
        let url = format!("{}/call_control_applications/{connection}", self.base);
        self.get(&url).await?.time(&COMPANY)
    }
}

/// A page of the account's numbers, as far as we need it.
#[derive(Deserialize)]
struct Page {
    data: Vec<Known>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    page_number: u32,
    #[serde(default)]
    total_pages: u32,
}

#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    id: String,
    phone_number: String,
    #[serde(default)]
    connection_id: Option<String>,
    #[serde(default)]
    connection_name: Option<String>,
}

/// What asking for the application returns, as far as we need it.
#[derive(Deserialize)]
struct Application {
    application_name: String,
    #[serde(default = "yes")]
    active: bool,
    #[serde(default)]
    webhook_event_url: Option<String>,
    #[serde(default)]
    outbound: Option<Outbound>,
}

#[derive(Deserialize)]
struct Outbound {
    #[serde(default)]
    outbound_voice_profile_id: Option<String>,
}

/// By Telnyx's description, an application is active unless it says otherwise.
fn yes() -> bool {
    true
}

/// Whether `text` may be the id of a number, and goes into a path as it is.
fn is_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(plain)
}

/// Ids have about nineteen digits.
const MAX_ID: usize = 64;

/// How many numbers are asked for at once: an answer stays within what is read of one.
const PAGE: u32 = 25;

/// An account has some numbers; one with more has to name the one it means.
const MOST_PAGES: u32 = 20;
