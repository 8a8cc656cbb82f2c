//! The shapes of Media Streams messages, as far as they are read.

use media::{Codec, Format, Rate};
use ports::{Blame, Fault, code};
use serde::Deserialize;

use crate::socket::{Text, number};

#[derive(Deserialize)]
pub(super) struct WithStart<'m> {
    #[serde(borrow)]
    pub(super) start: Start<'m>,
    #[serde(borrow, rename = "streamSid")]
    pub(super) stream_sid: Option<Text<'m>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start<'m> {
    #[serde(borrow)]
    pub(super) call_sid: Text<'m>,
    #[serde(borrow)]
    pub(super) stream_sid: Option<Text<'m>>,
    #[serde(borrow)]
    pub(super) media_format: MediaFormat<'m>,
    #[serde(borrow)]
    pub(super) custom_parameters: Option<Parameters<'m>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MediaFormat<'m> {
    #[serde(borrow)]
    pub(super) encoding: Text<'m>,
    #[serde(deserialize_with = "number")]
    pub(super) sample_rate: u64,
    #[serde(deserialize_with = "number")]
    pub(super) channels: u64,
}

/// What our TwiML gave the stream to repeat.
#[derive(Default, Deserialize)]
pub(super) struct Parameters<'m> {
    #[serde(borrow)]
    pub(super) token: Option<Text<'m>>,
}

#[derive(Deserialize)]
pub(super) struct WithMark<'m> {
    #[serde(borrow)]
    pub(super) mark: MarkName<'m>,
}

#[derive(Deserialize)]
pub(super) struct MarkName<'m> {
    #[serde(borrow)]
    pub(super) name: Text<'m>,
}

#[derive(Deserialize)]
pub(super) struct WithDtmf<'m> {
    #[serde(borrow)]
    pub(super) dtmf: Dtmf<'m>,
}

#[derive(Deserialize)]
pub(super) struct Dtmf<'m> {
    #[serde(borrow)]
    pub(super) digit: Text<'m>,
}

impl MediaFormat<'_> {
    /// What the sound is written in, if we can read it.
    pub(super) fn read(&self) -> Result<Format, Fault> {
        let codec = match self.encoding.to_ascii_lowercase().as_str() {
            "audio/x-mulaw" => Some(Codec::Ulaw),
            "audio/x-alaw" => Some(Codec::Alaw),
            _ => None,
        };
        match (codec, self.sample_rate, self.channels) {
            (Some(codec), 8000, 1) => Ok(Format {
                codec,
                rate: Rate::Hz8000,
            }),
            (_, rate, channels) => {
                let encoding: String = self.encoding.chars().take(40).collect();
                let fault = Fault::new(
                    Blame::Config,
                    code::STREAM_FORMAT,
                    format!("a stream carries {encoding:?} at {rate} Hz in {channels} channels"),
                );
                Err(fault.hint("leave `<Stream>` at Twilio's default: mono µ-law at 8000 Hz"))
            }
        }
    }
}
