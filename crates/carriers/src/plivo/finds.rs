use std::time::SystemTime;

use async_trait::async_trait;
use jiff::Timestamp;
use ports::carrier::{Finds, Leg, Sought, Traces};
use ports::{Blame, Fault, code};
use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::api::{Api, bare};
use super::is_id;

/// Plivo lists the names of calls that wait or are up, and says of each who called whom; of those that are
/// over it has records. None of that says which address a call was dialled with.
///
/// Source: [live calls](https://plivo.com/docs/voice/api/call/list-all-live-calls),
/// [call records](https://plivo.com/docs/voice/api/call/list-all-calls).
#[async_trait]
impl Finds for Api {
    async fn find(&self, sought: &Sought<'_>) -> Result<Traces, Fault> {
        let mut found = Vec::new();
        let mut looked = 0;
        for stage in ["queued", "live"] {
            let url = format!("{}/Call/?status={stage}", self.base);
            let Names { calls } = self.look(&url).await?.unwrap_or_default();
            for call in calls.into_iter().filter(|it| is_id(it)) {
                looked += 1;
                if looked > MOST {
                    let message = "Plivo has more calls that are up than are looked through";
                    return Err(Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message));
                }
                let url = format!("{}/Call/{call}/?status={stage}", self.base);
                // One that has gone on meanwhile is in the next list.
                let party: Option<Party> = self.look(&url).await?;
                if party.is_some_and(|it| it.may_be(sought)) {
                    found.push(call);
                }
            }
        }
        found.extend(self.over(sought).await?);
        found.sort();
        found.dedup();
        Ok(Traces::Among(found.into_iter().map(Leg).collect()))
    }
}

impl Api {
    /// Those that are over by now, the latest first.
    async fn over(&self, sought: &Sought<'_>) -> Result<Vec<String>, Fault> {
        let url = format!("{}/Call/", self.base);
        let asked = [
            ("from_number", bare(sought.from)),
            ("to_number", bare(sought.to)),
            ("call_direction", "outbound"),
            ("limit", "20"),
        ];
        let asked = Url::parse_with_params(&url, asked);
        let url = asked.map_or(url, |it| it.to_string());
        let Records { objects } = self.look(&url).await?.unwrap_or_default();
        let over = objects.into_iter().filter(|it| it.may_be(sought));
        Ok(over
            .filter_map(|it| it.call_uuid)
            .filter(|it| is_id(it))
            .collect())
    }

    /// Reads what is there; `None`: it is not.
    async fn look<T: for<'a> Deserialize<'a>>(&self, url: &str) -> Result<Option<T>, Fault> {
        let answer = self
            .rest
            .send_harmless(self.request(Method::GET, url))
            .await?;
        if answer.status == 404 {
            return Ok(None);
        }
        self.done(&answer)?;
        self.rest.read(&answer).map(Some)
    }
}

/// What asking for calls that are up returns, as far as we need it.
#[derive(Default, Deserialize)]
struct Names {
    calls: Vec<String>,
}

/// What asking for calls that are over returns, as far as we need it.
#[derive(Default, Deserialize)]
struct Records {
    objects: Vec<Party>,
}

/// Who called whom, in either's words.
#[derive(Deserialize)]
struct Party {
    #[serde(default)]
    call_uuid: Option<String>,
    #[serde(alias = "from_number")]
    from: String,
    #[serde(alias = "to_number")]
    to: String,
    #[serde(alias = "call_direction")]
    direction: String,
    #[serde(default)]
    parent_call_uuid: Option<String>,
    #[serde(default, alias = "initiation_time")]
    session_start: Option<String>,
}

impl Party {
    /// A call that does not say when it was made is not passed over.
    fn may_be(&self, sought: &Sought<'_>) -> bool {
        let same = |said: &str, number| said.trim_start_matches('+') == bare(number);
        let made = self.session_start.as_deref().and_then(date);
        self.direction == "outbound"
            && self.parent_call_uuid.is_none()
            && same(&self.from, sought.from)
            && same(&self.to, sought.to)
            && made.is_none_or(|made| sought.may_be_of(made))
    }
}

/// As in `2026-01-31 12:34:56+00:00`.
fn date(text: &str) -> Option<SystemTime> {
    let moment: Timestamp = text.parse().ok()?;
    Some(moment.into())
}

/// So many calls are looked at, each by a request of its own.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_is_read_as_plivo_writes_it() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_862_896);
        assert_eq!(date("2026-01-31 12:34:56+00:00"), Some(then));
        assert_eq!(date("yesterday"), None);
    }
}
