use async_trait::async_trait;
use ports::carrier::{Finds, Leg, Sought, Traces};
use ports::{Blame, Fault, code};
use serde::Deserialize;
use url::Url;

use super::api::Api;
use super::is_call;
use super::webhook::dialled;

/// Telnyx lists the calls of an application that are up, each with what we gave it with its dial. One
/// that is not there is over, or never was.
///
/// Source: [list active calls](https://developers.telnyx.com/api-reference/call-information/list-all-active-calls-for-given-connection).
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
                return Ok(Traces::Up(None));
            }
        }
        let message = "Telnyx lists more calls that are up than are looked through";
        Err(Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message))
    }
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
