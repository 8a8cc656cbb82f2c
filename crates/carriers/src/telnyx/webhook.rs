use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::event::{Who, Why};
use call::{self, Attestation, Private};
use ports::carrier::{Door, Genuine, Imprint, Leg, News, Reply, Request, Response, Tape, Webhook};
use ports::{Blame, Fault, code};
use serde::Deserialize;

use super::api::command_id;
use super::signature::{self, Doubt, Key};
use super::{cause, is_call};
use crate::imprint::imprint;

/// Reads Telnyx's webhooks, which come all to one address and want no answer but a thank-you.
///
/// Source: [voice webhooks](https://developers.telnyx.com/docs/voice/programmable-voice/receiving-webhooks).
#[derive(Debug)]
pub(super) struct Webhooks {
    key: Key,
}

/// Who called whom, as Telnyx sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Someone called one of our numbers.
    Incoming,
    /// We made the call.
    Outgoing,
}

/// What Telnyx repeats in every webhook of a call that we dialled, and wherever it lists it: it tells
/// which dial it was, and nothing about it.
pub(super) fn dialled(name: &str) -> String {
    STANDARD.encode(format!("{DIALLED}#{}", command_id("call", name)))
}

/// The same for a call that we answered.
pub(super) fn answered() -> String {
    STANDARD.encode(ANSWERED)
}

/// The same from when a call is recorded: its last one may not name it otherwise.
pub(super) fn recorded(leg: &Leg, direction: call::Direction) -> String {
    let word = match direction {
        call::Direction::Inbound => ANSWERED,
        call::Direction::Outbound => DIALLED,
    };
    STANDARD.encode(format!("{word}/{}", leg.0))
}

/// The same for the call that is made when this one is put through.
pub(super) fn put_through(leg: &Leg) -> String {
    STANDARD.encode(format!("{PUT_THROUGH}{}", leg.0))
}

impl Webhooks {
    pub(super) fn new(key: Key) -> Self {
        Self { key }
    }
}

impl ports::carrier::Webhooks for Webhooks {
    fn verify<'r>(&self, request: &'r Request) -> Result<Genuine<'r>, Fault> {
        if request.body.len() > MAX_BODY {
            return Err(malformed("the body of a webhook is longer than 64 KiB"));
        }
        let doubt = signature::check(request, &self.key).err();
        let genuine = Genuine::check(request, doubt.is_none());
        genuine.ok_or_else(|| forged(doubt.unwrap_or(Doubt::Mismatch)))
    }

    /// Telnyx does not sign these.
    fn verify_socket(&self, _request: &Request) -> Result<(), Fault> {
        Ok(())
    }

    /// The body is signed to the byte, and says of itself which event it is; what is sent again says
    /// besides that it is.
    fn imprint(&self, request: &Genuine<'_>) -> Imprint {
        let body = &request.request().body;
        let named: Option<Named<'_>> = serde_json::from_slice(body).ok();
        let id = named.map(|it| it.data.id);
        let id = id.as_deref().filter(|it| !it.is_empty());
        imprint(id.map_or(body.as_slice(), str::as_bytes), body)
    }

    /// One address takes all, so the door says nothing.
    fn decode(&self, _door: Door, request: Genuine<'_>) -> Result<Webhook, Fault> {
        let envelope: Envelope<'_> =
            serde_json::from_slice(&request.request().body).map_err(|error| {
                malformed(format!(
                    "a webhook is not what it should be, at character {}",
                    error.column()
                ))
                .hint("let the application send webhooks of API version 2")
            })?;
        let Event {
            event_type,
            id,
            payload,
        } = envelope.data;
        let Some(leg) = payload.leg() else {
            // About a conference, a number: nothing of ours.
            return Err(malformed("a webhook names no call"));
        };
        if let Some(leg) = payload.made_for() {
            return Ok(Webhook {
                dialled: leg.clone(),
                leg,
                notice: id.into_owned(),
                news: payload.news_of_other(&event_type),
            });
        }
        Ok(Webhook {
            dialled: leg.clone(),
            leg,
            notice: id.into_owned(),
            news: payload.news(&event_type)?,
        })
    }

    fn reply(&self, _reply: Reply<'_>) -> Response {
        Response {
            content_type: "application/json",
            body: "{}".to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'m> {
    #[serde(borrow)]
    data: Event<'m>,
}

/// Which event it is, whatever else it says.
#[derive(Deserialize)]
struct Named<'m> {
    #[serde(borrow)]
    data: Name<'m>,
}

#[derive(Deserialize)]
struct Name<'m> {
    #[serde(borrow)]
    id: Cow<'m, str>,
}

#[derive(Deserialize)]
struct Event<'m> {
    #[serde(borrow)]
    event_type: Cow<'m, str>,
    /// The same when it is sent again.
    #[serde(borrow)]
    id: Cow<'m, str>,
    #[serde(borrow)]
    payload: Payload<'m>,
}

#[derive(Deserialize)]
struct Payload<'m> {
    #[serde(borrow, default)]
    call_control_id: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    client_state: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    direction: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    from: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    to: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    hangup_cause: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    hangup_source: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    result: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    shaken_stir_attestation: Option<Cow<'m, str>>,
    /// Whatever it is: what is no plain yes vouches for nobody.
    #[serde(default)]
    shaken_stir_validated: Option<serde_json::Value>,
    #[serde(borrow, default)]
    failure_reason: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    recording_id: Option<Cow<'m, str>>,
    #[serde(borrow, default)]
    recording_urls: Option<Addresses<'m>>,
}

#[derive(Deserialize)]
struct Addresses<'m> {
    #[serde(borrow, default)]
    wav: Option<Cow<'m, str>>,
}

impl Payload<'_> {
    fn news(&self, event: &str) -> Result<News, Fault> {
        Ok(match (event, self.direction()) {
            ("call.initiated", Direction::Incoming) => News::Offered {
                from: party(self.from.as_deref(), "from")?,
                to: party(self.to.as_deref(), "to")?,
                attestation: self.attestation(),
            },
            // The nearest that Telnyx comes to saying that it rings: it has begun to call.
            ("call.initiated", Direction::Outgoing) => News::Ringing,
            ("call.answered", Direction::Outgoing) => News::Answered,
            ("call.bridged", _) => News::Joined,
            ("call.machine.detection.ended" | "call.machine.premium.detection.ended", _) => {
                News::AnsweredBy(match self.result.as_deref().unwrap_or_default() {
                    "human" | "human_residence" | "human_business" => Who::Human,
                    "machine" | "fax_detected" => Who::Machine,
                    _ => Who::Unknown,
                })
            }
            ("call.hangup", direction) => {
                let cause = self.hangup_cause.as_deref().unwrap_or_default();
                let source = self.hangup_source.as_deref().unwrap_or_default();
                News::Ended(cause::end(cause, source, direction))
            }
            ("call.recording.saved", _) => match self.tape() {
                Some(tape) => News::Recorded(tape),
                None => return Err(malformed("a recording has neither a name nor an address")),
            },
            ("streaming.failed", _) => {
                let why = self.failure_reason.as_deref().unwrap_or_default();
                News::Unconnected(why.to_owned())
            }
            // Keys come on the media socket; a stream that stops is noticed there too.
            _ => News::Nothing,
        })
    }

    /// Who vouches for the caller's number, where the application has Telnyx say so: a level that was not
    /// validated is one that anyone can write.
    fn attestation(&self) -> Attestation {
        let validated = self.shaken_stir_validated == Some(serde_json::Value::Bool(true));
        match self.shaken_stir_attestation.as_deref().unwrap_or_default() {
            "A" if validated => Attestation::Full,
            "B" | "C" if validated => Attestation::Partial,
            "A" | "B" | "C" => Attestation::Failed,
            _ => Attestation::Nothing,
        }
    }

    /// Whose webhook it is.
    fn leg(&self) -> Option<Leg> {
        let named = self.call_control_id.as_deref().filter(|it| !it.is_empty());
        let leg = match named {
            Some(leg) => leg.to_owned(),
            // By the documentation, that of a recording is named by no more than our own words.
            None => {
                let state = self.state()?;
                let (_, leg) = state
                    .split_once('/')
                    .filter(|(it, _)| *it == DIALLED || *it == ANSWERED)?;
                leg.to_owned()
            }
        };
        // It becomes a part of addresses.
        is_call(&leg).then_some(Leg(leg))
    }

    /// A recording's name, which stays good; else where it is for now.
    fn tape(&self) -> Option<Tape> {
        let there = |it: &&str| !it.is_empty();
        let address = || self.recording_urls.as_ref()?.wav.as_deref().filter(there);
        let name = self.recording_id.as_deref().filter(there);
        name.or_else(address).map(|it| Tape(it.to_owned().into()))
    }

    /// What we gave Telnyx to repeat.
    fn state(&self) -> Option<String> {
        let state = STANDARD.decode(self.client_state.as_deref()?).ok()?;
        String::from_utf8(state).ok()
    }

    /// The call that this one was made for, if it was: we put that one through.
    fn made_for(&self) -> Option<Leg> {
        let state = self.state()?;
        let leg = state.strip_prefix(PUT_THROUGH)?;
        is_call(leg).then(|| Leg(leg.to_owned()))
    }

    /// What a call that was made for another says to that one. Telnyx ends that one with it, and its
    /// own webhooks say so; who of the two hung up is said here alone.
    fn news_of_other(&self, event: &str) -> News {
        match (event, self.hangup_cause.as_deref().unwrap_or_default()) {
            ("call.bridged", _) => News::Joined,
            ("call.hangup", "normal_clearing") if self.callee_hung_up() => News::Parted,
            ("call.hangup", "normal_clearing" | "time_limit") => News::Nothing,
            ("call.hangup", "user_busy") => News::PutBack(Why::Busy),
            ("call.hangup", "call_rejected") => News::PutBack(Why::Rejected),
            ("call.hangup", "timeout" | "no_answer") => News::PutBack(Why::NoAnswer),
            // The caller hung up while it rang: their own call says so.
            ("call.hangup", "originator_cancel") => News::Nothing,
            ("call.hangup", _) => News::PutBack(Why::Fault),
            _ => News::Nothing,
        }
    }

    fn callee_hung_up(&self) -> bool {
        self.hangup_source.as_deref() == Some("callee")
    }

    /// Said in so many words only when a call begins; later, what we gave Telnyx to repeat says it.
    fn direction(&self) -> Direction {
        let word = |it: String| it.split(['/', '#']).next() == Some(DIALLED);
        let ours = self.state().is_some_and(word);
        match self.direction.as_deref() {
            Some("incoming") => Direction::Incoming,
            Some("outgoing") => Direction::Outgoing,
            Some(_) | None if ours => Direction::Outgoing,
            Some(_) | None => Direction::Incoming,
        }
    }
}

fn party(found: Option<&str>, name: &str) -> Result<Private<String>, Fault> {
    let found = found.ok_or_else(|| malformed(format!("an offered call has no `{name}`")))?;
    Ok(found.to_owned().into())
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new(Blame::Carrier, code::WEBHOOK_MALFORMED, message)
}

/// Nobody but the operator can mend it, if it is Telnyx after all.
fn forged(doubt: Doubt) -> Fault {
    let (message, hint) = match doubt {
        Doubt::Unsigned => (
            "a request has no good `telnyx-signature-ed25519` and `telnyx-timestamp`",
            "Telnyx signs all its webhooks: either this is someone else, or a proxy in front of \
             offhook removes the headers",
        ),
        Doubt::Stale => (
            "a request was signed more than five minutes ago, or ahead of time",
            "set this machine's clock: an NTP service keeps it right",
        ),
        Doubt::Get => (
            "a request is no POST, and so nothing that it says is signed",
            "set the webhook method of the application to POST",
        ),
        Doubt::Mismatch => (
            "the signature of a request is not Telnyx's",
            "if this was a real call, compare `public_key` with the one under Keys & Credentials, \
             Public key, on portal.telnyx.com, and make sure that no proxy rewrites bodies",
        ),
    };
    Fault::new(Blame::Config, code::WEBHOOK_FORGED, message).hint(hint)
}

/// What the state of a call that we dialled begins with.
const DIALLED: &str = "dialled";

/// What that of a call that we answered begins with.
const ANSWERED: &str = "answered";

/// What the state of a call that was made for another begins with.
const PUT_THROUGH: &str = "put through/";

/// A webhook of Telnyx's has at most a few KiB.
const MAX_BODY: usize = 64 * 1024;
