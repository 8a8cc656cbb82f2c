use async_trait::async_trait;
use ports::carrier::{Leg, Recording, Recordings, Tape};
use ports::{Blame, Fault, Retry, code};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::api::{Api, no_such_call};
use super::xml::RETRIES;
use super::{REQUEST, is_id};
use crate::rest::{Elsewhere, seconds};

/// Sources: [record a call](https://plivo.com/docs/voice/api/call/record-calls),
/// [recordings](https://plivo.com/docs/voice/api/recordings).
#[async_trait]
impl Recordings for Api {
    async fn record(&self, leg: &Leg, recording: &Recording<'_>) -> Result<(), Fault> {
        if leg.0.starts_with(REQUEST) {
            return Err(no_such_call("a call that was never up cannot be recorded"));
        }
        let url = format!("{}Record/", self.leg_url(leg)?);
        let body = json!({
            // Left out, it would end after a minute.
            "time_limit": seconds(recording.limit),
            "file_format": "wav",
            "record_channel_type": "stereo",
            "callback_url": format!("{}{RETRIES}", recording.report),
            "callback_method": "POST",
        });
        let request = self.request(Method::POST, &url).json(&body);
        let answer = self.rest.send(request).await;
        self.done(&answer.map_err(|lost| self.rest.lost(lost))?)
    }

    async fn fetch(&self, tape: &Tape, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), Fault> {
        let id = tape.0.reveal();
        if !is_id(id) {
            let message = "the name of a recording is not like those of Plivo's";
            return Err(Fault::new(Blame::Gateway, code::CARRIER_REFUSED, message));
        }
        let soon = |status: u16, it: Fault| match status {
            404 => it.retry(Retry::Now),
            _ => it,
        };
        let request = self.request(Method::GET, &format!("{}/Recording/{id}/", self.base));
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer).map_err(|it| soon(answer.status, it))?;
        let found: Kept = self.rest.read(&answer)?;
        let url = self.rest.elsewhere(&found.recording_url)?;
        let request = self.rest.get_from(&url);
        // An account may have its recordings kept for itself.
        let request = if is_plivo(&url) {
            self.signed_in(request)
        } else {
            request
        };
        let answer = self.rest.fetch(request, &pieces).await?;
        self.done(&answer).map_err(|it| soon(answer.status, it))
    }
}

/// Whether it is a machine of Plivo's, which may be told our credentials.
fn is_plivo(place: &Elsewhere) -> bool {
    match place {
        Elsewhere::Ours(_) => true,
        Elsewhere::Theirs(it) => it.host().ends_with(".plivo.com"),
    }
}

/// What asking for a recording returns, as far as we need it.
#[derive(Deserialize)]
struct Kept {
    recording_url: String,
}
