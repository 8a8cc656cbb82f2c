use async_trait::async_trait;
use ports::Fault;
use ports::carrier::{Conference, Conferences, Leg, Reply};
use reqwest::Method;
use serde::Deserialize;

use super::api::Api;
use super::is_sid;

/// Twilio's word for it is to redirect the call to
/// [`<Dial><Conference>`](https://www.twilio.com/docs/voice/twiml/conference), which ends its stream.
///
/// Who is in a room is asked of the [Conference](https://www.twilio.com/docs/voice/api/conference-resource)
/// and [Participant](https://www.twilio.com/docs/voice/api/conference-participant-resource) resources: what
/// a room reports goes only where the first one in it said, and that may have been anyone in the account.
#[async_trait]
impl Conferences for Api {
    async fn admit(&self, leg: &Leg, conference: &Conference<'_>) -> Result<(), Fault> {
        self.redirect(leg, Reply::Admit(conference)).await
    }

    async fn holds(&self, leg: &Leg, name: &str) -> Result<bool, Fault> {
        // What is no call's name does not go into a path.
        self.call_url(leg)?;
        // One who is alone in a room waits for it to begin.
        for status in ["in-progress", "init"] {
            for room in self.rooms(name, status).await? {
                if self.is_in(leg, &room).await? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Api {
    /// The rooms of this name in this state: one, or none, or more for the moment in which one ends.
    async fn rooms(&self, name: &str, status: &str) -> Result<Vec<String>, Fault> {
        let most = MOST.to_string();
        let query = [
            ("FriendlyName", name),
            ("Status", status),
            ("PageSize", &most),
        ];
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let url = format!("{}/Conferences.json?{query}", self.base);
        let rooms: Rooms = self.rest.read(&self.get(&url).await?)?;
        let named = rooms.conferences.into_iter().map(|it| it.sid);
        Ok(named.filter(|it| is_sid("CF", it)).take(MOST).collect())
    }

    async fn is_in(&self, leg: &Leg, room: &str) -> Result<bool, Fault> {
        let place = format!("Conferences/{room}/Participants/{}.json", leg.0);
        let request = self.request(Method::GET, &format!("{}/{place}", self.base));
        let answer = self.rest.send_harmless(request).await?;
        if answer.status == 404 {
            return Ok(false);
        }
        self.changed(&answer)?;
        let participant: Participant = self.rest.read(&answer)?;
        Ok(participant.status == "connected")
    }
}

/// What asking for conferences returns, as far as we need it.
#[derive(Deserialize)]
struct Rooms {
    conferences: Vec<Room>,
}

#[derive(Deserialize)]
struct Room {
    sid: String,
}

/// What asking for a participant returns, as far as we need it.
#[derive(Deserialize)]
struct Participant {
    status: String,
}

/// So many rooms of one name are looked at.
const MOST: usize = 3;
