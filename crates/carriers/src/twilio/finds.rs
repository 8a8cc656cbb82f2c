use std::time::SystemTime;

use async_trait::async_trait;
use ports::Fault;
use ports::carrier::{Finds, Leg, Sought, Traces};
use serde::Deserialize;

use super::api::Api;
use super::is_sid;

/// Twilio does not say which address a call was dialled with, so it is asked for all calls from the one
/// number to the other. That they are dialled by the API tells them from those that were put through.
///
/// Source: [read multiple Call resources](https://www.twilio.com/docs/voice/api/call-resource#read-multiple-call-resources).
/// They come with the latest first.
#[async_trait]
impl Finds for Api {
    async fn find(&self, sought: &Sought<'_>) -> Result<Traces, Fault> {
        let url = format!("{}/Calls.json", self.base);
        let (to, from) = (sought.to.as_str(), sought.from.as_str());
        let asked = [("To", to), ("From", from), ("PageSize", PAGE)];
        let asked = url::Url::parse_with_params(&url, asked);
        let url = asked.map_or(url, |it| it.to_string());
        let page: Page = self.rest.read(&self.get(&url).await?)?;
        let found = page.calls.into_iter().filter(|it| it.may_be(sought));
        Ok(Traces::Among(found.map(|it| Leg(it.sid)).collect()))
    }
}

/// What asking for calls returns, as far as we need it.
#[derive(Deserialize)]
struct Page {
    calls: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    sid: String,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    date_created: Option<String>,
}

impl Listed {
    /// A call that does not say when it was made is not passed over.
    fn may_be(&self, sought: &Sought<'_>) -> bool {
        let made = self.date_created.as_deref().and_then(date);
        self.direction == "outbound-api"
            && is_sid("CA", &self.sid)
            && made.is_none_or(|made| sought.may_be_of(made))
    }
}

/// As in `Tue, 31 Aug 2010 20:36:28 +0000`.
fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(&text.replace("+0000", "GMT")).ok()
}

/// More calls from one number to another within a minute are not looked at.
const PAGE: &str = "50";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_is_read_as_twilio_writes_it() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_283_286_988);
        assert_eq!(date("Tue, 31 Aug 2010 20:36:28 +0000"), Some(then));
        assert_eq!(date("yesterday"), None);
    }
}
