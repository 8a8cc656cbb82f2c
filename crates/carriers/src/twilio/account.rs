use std::time::SystemTime;

use async_trait::async_trait;
use call::Number;
use ports::account::{Account, Addresses, Numbers, Obstacle, OwnNumber, Routed, Signs, Takes};
use ports::carrier::Request;
use ports::{Blame, Fault, Secret, code};
use reqwest::Method;
use serde::Deserialize;

use super::COMPANY;
use super::api::Api;
use super::refusal::Meaning;
use super::signature::{self, Algorithm};

/// The account's numbers.
///
/// Source: [the IncomingPhoneNumber resource](https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource).
/// An application or a trunk that a number has overrides the number's own addresses.
#[async_trait]
impl Numbers for Api {
    async fn list(&self) -> Result<Vec<OwnNumber>, Fault> {
        let own = format!("{}/IncomingPhoneNumbers.json", self.base);
        let mut next = format!("{own}?PageSize={PAGE}");
        let mut numbers = Vec::new();
        for _ in 0..MOST_PAGES {
            let page: Page = self.rest.read(&self.get(&next).await?)?;
            let read = page.incoming_phone_numbers.iter();
            numbers.extend(read.filter_map(Incoming::meaning));
            // Nobody is followed to another place than this one.
            let query = page
                .next_page_uri
                .as_deref()
                .and_then(|it| it.split_once('?'));
            match query {
                Some((_, query)) => next = format!("{own}?{query}"),
                None => break,
            }
        }
        Ok(numbers)
    }

    async fn find(&self, number: &Number) -> Result<Option<OwnNumber>, Fault> {
        Ok(self.incoming(number).await?.and_then(|it| it.meaning()))
    }

    async fn point(&self, number: &Number, to: &Addresses) -> Result<(), Fault> {
        let known = self.incoming(number).await?;
        let known = known.ok_or_else(|| Meaning::NotOwned.fault(0))?;
        let mut form = vec![
            ("VoiceUrl", to.voice.as_str()),
            ("VoiceMethod", "POST"),
            ("StatusCallback", &to.status),
            ("StatusCallbackMethod", "POST"),
        ];
        // What has the number has to let go of it, or the addresses mean nothing.
        if is_some(&known.voice_application_sid) {
            form.push(("VoiceApplicationSid", ""));
        }
        if is_some(&known.trunk_sid) {
            form.push(("TrunkSid", ""));
        }
        let url = format!("{}/IncomingPhoneNumbers/{}.json", self.base, known.sid);
        let request = self.request(Method::POST, &url).form(&form);
        let answer = self.rest.send_harmless(request).await?;
        self.changed(&answer)
    }

    fn to_buy(&self) -> &'static [&'static str] {
        &[
            "open console.twilio.com, Phone Numbers, Manage, Buy a number",
            "choose your country, tick Voice, and buy one",
            "a trial account has one number for nothing, and calls only phones that it has verified",
        ]
    }
}

impl Api {
    async fn incoming(&self, number: &Number) -> Result<Option<Incoming>, Fault> {
        let number = number.as_str();
        let wanted = number.replace('+', "%2B");
        let url = format!(
            "{}/IncomingPhoneNumbers.json?PhoneNumber={wanted}",
            self.base
        );
        let page: Page = self.rest.read(&self.get(&url).await?)?;
        let mut found = page.incoming_phone_numbers.into_iter();
        // It looks for what begins so, and the name goes into a path.
        Ok(found.find(|it| it.phone_number == number && super::is_sid("PN", &it.sid)))
    }

    /// Whether calls to a country are allowed, by its calling code; several may share one.
    async fn allows(&self, code: &str) -> Result<bool, Fault> {
        // The permissions are at another host, where the API is at its own.
        let root = self.base.split("/2010-04-01").next().unwrap_or_default();
        let root = root.replacen("://api.", "://voice.", 1);
        let url = format!("{root}/v1/DialingPermissions/Countries?CountryCode={code}");
        let countries: Countries = self.rest.read(&self.get(&url).await?)?;
        let mut countries = countries.content.into_iter();
        Ok(countries.len() == 0 || countries.any(|it| it.low_risk_numbers_enabled))
    }
}

/// What the account may do: [its type and state](https://www.twilio.com/docs/iam/api/account), and the
/// [countries it may call](https://www.twilio.com/docs/voice/api/dialingpermissions-country-resource).
#[async_trait]
impl Account for Api {
    async fn obstacles(&self, to: &[&Number]) -> Result<Vec<Obstacle>, Fault> {
        let answer = self.get(&format!("{}.json", self.base)).await?;
        let account: Known = self.rest.read(&answer)?;
        let mut obstacles = Vec::new();
        if account.status != "active" {
            let message = format!("the Twilio account is {}", account.status);
            let fault = Fault::new(Blame::Config, code::CARRIER_NOT_PERMITTED, message)
                .hint("log in to console.twilio.com, which says why and what to do");
            obstacles.push(Obstacle::All(fault));
        }
        if account.kind == "Trial" {
            obstacles.push(Obstacle::Some(Meaning::Trial.fault(0)));
        }
        let mut codes: Vec<&str> = to.iter().map(|it| calling_code(it)).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.truncate(MOST_COUNTRIES);
        for code in codes {
            if !self.allows(code).await? {
                let mut fault = Meaning::GeoPermission.fault(0);
                fault.message =
                    format!("Twilio does not let this account call numbers with +{code}");
                obstacles.push(Obstacle::Some(fault));
            }
        }
        Ok(obstacles)
    }

    async fn time(&self) -> Result<SystemTime, Fault> {
        let answer = self.get(&format!("{}.json", self.base)).await?;
        answer.time(&COMPANY)
    }
}

/// Signs as Twilio does, with the account's token.
pub(super) struct Signer(pub(super) Secret);

impl Signs for Signer {
    fn webhook(&self, url: &str) -> Request {
        let fields = [("CallStatus".into(), "probe".into())]
            .into_iter()
            .collect();
        let signature = signature::sign(Algorithm::HmacSha1, &self.0, url, &fields);
        let header = |name: &str, value: String| (name.to_owned(), value);
        Request {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: vec![
                header(
                    "content-type",
                    "application/x-www-form-urlencoded".to_owned(),
                ),
                header("x-twilio-signature", signature),
            ],
            body: b"CallStatus=probe".to_vec(),
            received: SystemTime::now(),
        }
    }
}

/// A page of the account's numbers, as far as we need it.
#[derive(Deserialize)]
struct Page {
    incoming_phone_numbers: Vec<Incoming>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(default)]
    sid: String,
    phone_number: String,
    #[serde(default)]
    capabilities: Capabilities,
    #[serde(default)]
    voice_url: Option<String>,
    #[serde(default)]
    status_callback: Option<String>,
    #[serde(default)]
    voice_application_sid: Option<String>,
    #[serde(default)]
    trunk_sid: Option<String>,
}

#[derive(Deserialize)]
struct Capabilities {
    #[serde(default)]
    voice: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { voice: true }
    }
}

impl Incoming {
    /// Short codes and the like are nothing that we can be called at.
    fn meaning(&self) -> Option<OwnNumber> {
        let number = Number::parse(&self.phone_number).ok()?;
        let some = |it: &Option<String>| it.clone().unwrap_or_default();
        let routed = match (&self.trunk_sid, &self.voice_application_sid) {
            (Some(trunk), _) if !trunk.is_empty() => {
                Routed::Elsewhere(format!("the trunk {trunk}"))
            }
            (_, Some(it)) if !it.is_empty() => Routed::Elsewhere(format!("the application {it}")),
            (_, _) if !is_some(&self.voice_url) => Routed::Nowhere,
            (_, _) => Routed::Here(Addresses {
                voice: some(&self.voice_url),
                status: some(&self.status_callback),
            }),
        };
        let takes = if self.capabilities.voice {
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

fn is_some(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|it| !it.is_empty())
}

/// What asking for the account returns, as far as we need it.
#[derive(Deserialize)]
struct Known {
    status: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// What asking for permissions returns, as far as we need it.
#[derive(Deserialize)]
struct Countries {
    content: Vec<Country>,
}

#[derive(Deserialize)]
struct Country {
    low_risk_numbers_enabled: bool,
}

/// The country's part of a number, without its plus
/// ([ITU-T E.164, list of assigned codes](https://www.itu.int/pub/T-SP-E.164D)).
fn calling_code(number: &Number) -> &str {
    let digits = number.as_str().trim_start_matches('+');
    let pair: u8 = digits[..2].parse().unwrap_or(0);
    match pair {
        10..=19 | 70..=79 => &digits[..1],
        20
        | 27
        | 30..=34
        | 36
        | 39..=41
        | 43..=49
        | 51..=58
        | 60..=66
        | 81
        | 82
        | 84
        | 86
        | 90..=95
        | 98 => &digits[..2],
        _ => &digits[..3],
    }
}

/// How many numbers are asked for at once: an answer stays within what is read of one.
const PAGE: usize = 20;

/// An account has some numbers; one with more has to name the one it means.
const MOST_PAGES: usize = 25;

/// Each is a request.
const MOST_COUNTRIES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_told_from_their_numbers() {
        let cases = [
            ("+15551234567", "1"),
            ("+74951234567", "7"),
            ("+442071838750", "44"),
            ("+4930123456", "49"),
            ("+353861234567", "353"),
            ("+8613912345678", "86"),
            ("+97231234567", "972"),
            ("+2348012345678", "234"),
        ];
        for (number, code) in cases {
            let number = Number::parse(number).expect("a number");
            assert_eq!(calling_code(&number), code, "{number:?}");
        }
    }
}
