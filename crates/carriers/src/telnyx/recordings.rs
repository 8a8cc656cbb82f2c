use async_trait::async_trait;
use ports::carrier::{Leg, Recording, Recordings, Tape};
use ports::{Blame, Fault, Retry, code};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::api::{Api, Data, command_id};
use super::webhook::recorded;

/// A recording is told of with an address that is good for ten minutes, or with a name by which such an
/// address is to be had.
///
/// Sources: [start recording](https://developers.telnyx.com/api-reference/call-commands/recording-start),
/// [retrieve a recording](https://developers.telnyx.com/api-reference/call-recordings/retrieve-a-call-recording).
#[async_trait]
impl Recordings for Api {
    async fn record(&self, leg: &Leg, recording: &Recording<'_>) -> Result<(), Fault> {
        let url = self.command_url(leg, "record_start")?;
        let limit = recording.limit.as_secs().clamp(1, LONGEST);
        let body = json!({
            "format": "wav",
            "channels": "dual",
            "recording_track": "both",
            "max_length": limit,
            // It tells of the recording, and does not have to name the call.
            "client_state": recorded(leg, recording.direction),
            "command_id": command_id("record", &leg.0),
        });
        let request = self.request(Method::POST, &url).json(&body);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer)
    }

    async fn fetch(&self, tape: &Tape, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), Fault> {
        let tape = tape.0.reveal();
        let address = if tape.contains("://") {
            tape.clone()
        } else {
            self.address_of(tape).await?
        };
        let url = self.rest.elsewhere(&address)?;
        // The address says by itself that we may.
        let request = self.rest.get_from(&url);
        let answer = self.rest.fetch(request, &pieces).await?;
        let soon = answer.status == 404;
        self.done(&answer)
            .map_err(|it| if soon { it.retry(Retry::Now) } else { it })
    }
}

impl Api {
    async fn address_of(&self, tape: &str) -> Result<String, Fault> {
        if !is_id(tape) {
            let message = "the name of a recording is not like those of Telnyx's";
            return Err(Fault::new(Blame::Gateway, code::CARRIER_REFUSED, message));
        }
        let url = format!("{}/recordings/{tape}", self.base);
        let request = self.request(Method::GET, &url);
        let answer = self.rest.send_harmless(request).await?;
        self.done(&answer).map_err(|it| match answer.status {
            404 => it.retry(Retry::Now),
            _ => it,
        })?;
        let found: Data<Kept> = self.rest.read(&answer)?;
        found.data.download_urls.wav.ok_or_else(|| {
            let message = "a recording is not there yet";
            Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message).retry(Retry::Now)
        })
    }
}

/// It goes into a path.
fn is_id(text: &str) -> bool {
    let good = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(good)
}

/// What asking for a recording returns, as far as we need it.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    download_urls: Addresses,
}

#[derive(Default, Deserialize)]
struct Addresses {
    #[serde(default)]
    wav: Option<String>,
}

/// Telnyx's own limit to a recording, in seconds.
const LONGEST: u64 = 14_400;
