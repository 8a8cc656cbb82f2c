use async_trait::async_trait;
use ports::Fault;
use ports::carrier::{Conference, Conferences, Leg};
use reqwest::Method;
use serde::Deserialize;

use super::api::Api;

/// As with a transfer, Plivo has a call ask us what to do, and what we reply then is a
/// [`<Conference>`](https://docs.plivo.com/docs/voice/xml/conference). Who is in one is asked of
/// [the Conference API](https://plivo.com/docs/voice/api/conferences).
#[async_trait]
impl Conferences for Api {
    async fn admit(&self, leg: &Leg, conference: &Conference<'_>) -> Result<(), Fault> {
        self.ask_again(leg, conference.back).await
    }

    async fn holds(&self, leg: &Leg, name: &str) -> Result<bool, Fault> {
        let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        // A path has another word for a space than a form.
        let url = format!("{}/Conference/{}/", self.base, name.replace('+', "%20"));
        let request = self.request(Method::GET, &url);
        let answer = self.rest.send_harmless(request).await?;
        // It is there as long as somebody is in it.
        if answer.status == 404 {
            return Ok(false);
        }
        self.done(&answer)?;
        let room: Room = self.rest.read(&answer)?;
        Ok(room.members.iter().any(|it| it.call_uuid == leg.0))
    }
}

/// What asking for a conference returns, as far as we need it.
#[derive(Deserialize)]
struct Room {
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    call_uuid: String,
}
