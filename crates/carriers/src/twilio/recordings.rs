use async_trait::async_trait;
use ports::carrier::{Leg, Recording, Recordings, Tape};
use ports::{Blame, Fault, Retry, code};
use reqwest::Method;
use tokio::sync::mpsc;

use super::api::Api;
use super::is_sid;
use super::twiml::RETRIES;

/// A recording that was begun by a request goes on whatever the call is told to do, until it is over.
///
/// Source: [the Recording resource](https://www.twilio.com/docs/voice/api/recording).
#[async_trait]
impl Recordings for Api {
    async fn record(&self, leg: &Leg, recording: &Recording<'_>) -> Result<(), Fault> {
        let call = self.call_url(leg)?;
        let url = format!("{}/Recordings.json", call.trim_end_matches(".json"));
        let report = format!("{}{RETRIES}", recording.report);
        let request = self.request(Method::POST, &url).form(&[
            ("RecordingChannels", "dual"),
            ("RecordingTrack", "both"),
            // Else the two of a call would not begin together, nor with the call.
            ("Trim", "do-not-trim"),
            ("RecordingStatusCallback", &report),
            ("RecordingStatusCallbackMethod", "POST"),
            ("RecordingStatusCallbackEvent", "completed"),
        ]);
        let answer = self.rest.send(request).await;
        self.changed(&answer.map_err(|lost| self.rest.lost(lost))?)
    }

    /// By its name and not by the address in the report: who it is fetched from is for us to say.
    async fn fetch(&self, tape: &Tape, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), Fault> {
        let sid = tape.0.reveal();
        if !is_sid("RE", sid) {
            let message = "the name of a recording is not RE and 32 hex digits";
            return Err(Fault::new(Blame::Gateway, code::CARRIER_REFUSED, message));
        }
        let url = format!("{}/Recordings/{sid}.wav?RequestedChannels=2", self.base);
        let request = self.request(Method::GET, &url);
        let answer = self.rest.fetch(request, &pieces).await?;
        // It is reported a moment before it is there.
        let soon = answer.status == 404;
        self.changed(&answer)
            .map_err(|it| if soon { it.retry(Retry::Now) } else { it })
    }
}
