use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ports::carrier::{Finds, Leg, Sought, Traces};
use ports::{Blame, Fault, code};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::api::Api;
use super::is_call;
use super::webhook::dialled;

/// Telnyx lists the calls of an application that are up, each with what we gave it with its dial. One that is over
/// is in its history of events, which holds what was told of a call, and so what we gave it too; how fast that is, and
/// where exactly it stands, is not documented, so that one that is not there either is over, or never was.
///
/// Sources: [list active calls](https://developers.telnyx.com/api-reference/call-information/list-all-active-calls-for-given-connection),
/// [list call events](https://developers.telnyx.com/api-reference/debugging/list-call-events).
#[async_trait]
impl Finds for Api {
    async fn find(&self, sought: &Sought<'_>) -> Result<Traces, Fault> {
        let connection = &self.account.connection;
        let list = format!("{}/connections/{connection}/active_calls", self.base);
        let state = dialled(sought.name);
        let mut after = None;
        for _ in 0..PAGES {
            let mut asked = vec![("page[limit]", LIMIT)];
            asked.extend(after.as_deref().map(|it| ("page[after]", it)));
            let url = Url::parse_with_params(&list, asked);
            let url = url.map_or_else(|_| list.clone(), |it| it.to_string());
            let answer = self.get(&url).await?;
            let page: Page = self.rest.read(&answer)?;
            let found = page.data.into_iter().find(|it| it.client_state == state);
            if let Some(call) = found.filter(|it| is_call(&it.call_control_id)) {
                return Ok(Traces::Up(Some(Leg(call.call_control_id))));
            }
            after = page.meta.and_then(|it| it.cursors).and_then(|it| it.after);
            if after.is_none() {
                return self.told_of(sought, &state).await.map(Traces::Up);
            }
        }
        let message = "Telnyx lists more calls that are up than are looked through";
        Err(Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message))
    }
}

impl Api {
    /// The call that was told of with this, if one was, in the hours that Telnyx keeps.
    async fn told_of(&self, sought: &Sought<'_>, state: &str) -> Result<Option<Leg>, Fault> {
        let list = format!("{}/call_events", self.base);
        let since = Timestamp::try_from(sought.since).unwrap_or(Timestamp::UNIX_EPOCH);
        let since = since.saturating_sub(CLOCKS_APART).unwrap_or(since);
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let asked = [
            ("filter[connection_id]", self.account.connection.as_str()),
            ("filter[from]", sought.from.as_str()),
            ("filter[to]", sought.to.as_str()),
            ("filter[type]", "webhook"),
            ("filter[occurred_at][gte]", since.as_str()),
            ("page[size]", EVENTS),
        ];
        let url = Url::parse_with_params(&list, asked);
        let url = url.map_or_else(|_| list.clone(), |it| it.to_string());
        let answer = self.get(&url).await?;
        let told: Told = self.rest.read(&answer)?;
        // The latest of so many calls to one number are all that could be ours.
        let ours = told
            .data
            .iter()
            .find(|it| says(&it.metadata, "client_state", state));
        let leg = ours.and_then(|it| named(&it.metadata, "call_control_id"));
        Ok(leg.filter(|it| is_call(it)).map(|it| Leg(it.to_owned())))
    }
}

/// Whether something somewhere in there is called so, and is this.
fn says(within: &Value, name: &str, text: &str) -> bool {
    match within {
        Value::Object(fields) => fields
            .iter()
            .any(|(own, it)| (own == name && it == text) || says(it, name, text)),
        Value::Array(all) => all.iter().any(|it| says(it, name, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The first text in there that is called so.
fn named<'v>(within: &'v Value, name: &str) -> Option<&'v str> {
    match within {
        Value::Object(fields) => {
            let own = fields.get(name).and_then(Value::as_str);
            own.or_else(|| fields.values().find_map(|it| named(it, name)))
        }
        Value::Array(all) => all.iter().find_map(|it| named(it, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What asking for events returns, as far as we need it.
#[derive(Deserialize)]
struct Told {
    data: Vec<Happened>,
}

#[derive(Deserialize)]
struct Happened {
    /// The raw event, somewhere in it.
    #[serde(default)]
    metadata: Value,
}

/// What asking for calls returns, as far as we need it.
#[derive(Deserialize)]
struct Page {
    data: Vec<Active>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Active {
    call_control_id: String,
    #[serde(default)]
    client_state: String,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    cursors: Option<Cursors>,
}

#[derive(Deserialize)]
struct Cursors {
    #[serde(default)]
    after: Option<String>,
}

/// An answer of so many calls is shorter than the longest that is read.
const LIMIT: &str = "100";
const PAGES: usize = 50;
const EVENTS: &str = "250";
/// Our clock and theirs need not agree.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(120);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_we_gave_a_call_is_found_wherever_an_event_has_it() {
        for event in [
            json!({"payload": {"call_control_id": "v3:a", "client_state": "YQ=="}}),
            json!({"raw": [{"data": {"payload": {"client_state": "YQ==", "call_control_id": "v3:a"}}}]}),
            json!({"client_state": "YQ==", "call_control_id": "v3:a"}),
        ] {
            assert!(says(&event, "client_state", "YQ=="), "{event}");
            assert_eq!(named(&event, "call_control_id"), Some("v3:a"), "{event}");
        }
        let another = json!({"payload": {"client_state": "Yg==", "note": "YQ=="}});
        assert!(!says(&another, "client_state", "YQ=="));
        assert_eq!(
            named(&json!({"call_control_id": 7}), "call_control_id"),
            None
        );
    }
}
