use call::event::{End, Who, Why};
use call::{Attestation, Private};
use ports::carrier::{Door, Genuine, Imprint, Leg, News, Reply, Request, Response, Tape, Webhook};
use ports::{Blame, Fault, Secret, code};

use super::cause::{self, Direction};
use super::signature::{self, Doubt, Fields};
use super::sound::Sound;
use super::{REQUEST, is_id, xml};
use crate::imprint::imprint;

/// Reads Plivo's webhooks.
///
/// Source: [requests to your server](https://docs.plivo.com/docs/voice/xml/request).
#[derive(Debug)]
pub(super) struct Webhooks {
    token: Secret,
    sound: Sound,
}

impl Webhooks {
    pub(super) fn new(token: Secret, sound: Sound) -> Self {
        Self { token, sound }
    }
}

impl ports::carrier::Webhooks for Webhooks {
    fn verify<'r>(&self, request: &'r Request) -> Result<Genuine<'r>, Fault> {
        if request.body.len() > MAX_BODY {
            return Err(malformed("the body of a webhook is longer than 64 KiB"));
        }
        // All that we read is in the form, and only a POST has its form signed.
        let doubt = match request.method.as_str() {
            "POST" => signature::check(request, &self.token).err(),
            _ => Some(Doubt::Unsigned),
        };
        let genuine = Genuine::check(request, doubt.is_none());
        genuine.ok_or_else(|| forged(doubt.unwrap_or(Doubt::Mismatch)))
    }

    fn verify_socket(&self, request: &Request) -> Result<(), Fault> {
        signature::check_socket(request, &self.token).map_err(forged)
    }

    /// Each time it is sent with another nonce. Between the form and the nonce is a dot, of which there
    /// may be others: whoever moves that one makes another form of it, signed as before.
    fn imprint(&self, request: &Genuine<'_>) -> Imprint {
        let (notice, proof) = signature::signed(request.request());
        imprint(notice.as_bytes(), proof.as_bytes())
    }

    fn decode(&self, door: Door, request: Genuine<'_>) -> Result<Webhook, Fault> {
        let request = request.request();
        let fields = signature::fields(&request.body);
        let form = Form::new(&fields)?;
        let news = match door {
            Door::Voice => form.voice_news()?,
            Door::Again => form.again_news(),
            Door::Status => form.status_news()?,
        };
        Ok(Webhook {
            leg: form.leg(),
            dialled: form.dialled()?,
            notice: form.notice(door, request),
            news,
        })
    }

    fn reply(&self, reply: Reply<'_>) -> Response {
        xml::response(reply, self.sound)
    }
}

/// What all webhooks have in common, checked.
struct Form<'f> {
    fields: &'f Fields,
    call: &'f str,
    status: &'f str,
    event: &'f str,
    direction: Direction,
}

impl<'f> Form<'f> {
    fn new(fields: &'f Fields) -> Result<Self, Fault> {
        // What a `<Dial>` says is about the call that it is part of, whatever else it names.
        let named = ["DialALegUUID", "CallUUID", "call_uuid"];
        let mut named = named.iter().filter_map(|it| field(fields, it));
        let call = named.find(|it| !it.is_empty()).unwrap_or_default();
        if !is_id(call) {
            return Err(malformed("a webhook has no good `CallUUID`"));
        }
        Ok(Self {
            fields,
            call,
            status: field(fields, "CallStatus").unwrap_or_default(),
            event: field(fields, "Event").unwrap_or_default(),
            direction: Direction::parse(field(fields, "Direction").unwrap_or_default()),
        })
    }

    fn leg(&self) -> Leg {
        Leg(self.call.to_owned())
    }

    /// A call that we made was first named by its request.
    fn dialled(&self) -> Result<Leg, Fault> {
        let named = ["RequestUUID", "ALegRequestUUID"];
        let mut named = named.iter().filter_map(|it| field(self.fields, it));
        match (self.direction, named.find(|it| !it.is_empty())) {
            (Direction::Outbound, Some(request)) if is_id(request) => {
                Ok(Leg(format!("{REQUEST}{request}")))
            }
            (Direction::Outbound, Some(_)) => {
                Err(malformed("the `RequestUUID` of a webhook is not an id"))
            }
            (Direction::Outbound, None) | (Direction::Inbound, _) => Ok(self.leg()),
        }
    }

    fn voice_news(&self) -> Result<News, Fault> {
        Ok(match (self.event, self.direction, self.status) {
            ("StartApp", Direction::Inbound, "ringing") => News::Offered {
                from: self.party("From")?,
                to: self.party("To")?,
                attestation: self.attestation(),
            },
            ("StartApp", Direction::Outbound, "in-progress") => News::Answered,
            // Otherwise Plivo asks only where an XML of ours sends it, and none does.
            _ => self.ended().map_or(News::Nothing, News::Ended),
        })
    }

    /// Who vouches for the caller's number. Plivo has one word for level A, and one for everything less
    /// ([STIR/SHAKEN](https://docs.plivo.com/docs/voice/concepts/stir-shaken)).
    fn attestation(&self) -> Attestation {
        match field(self.fields, "STIRVerification").unwrap_or_default() {
            "Verified" => Attestation::Full,
            "Not Verified" => Attestation::Failed,
            _ => Attestation::Nothing,
        }
    }

    /// Asked at the end of a stream, and at that of a `<Dial>`
    /// ([its `action`](https://docs.plivo.com/docs/voice/xml/dial)).
    fn again_news(&self) -> News {
        if let Some(end) = self.ended() {
            return News::Ended(end);
        }
        match field(self.fields, "DialStatus") {
            // Asked at the end of a `<Conference>`; whoever was not let in was nobody there.
            None if self.room().is_some() => match field(self.fields, "ConferenceMemberID") {
                None | Some("") => News::PutBack(Why::Fault),
                Some(_) => News::Parted,
            },
            None => News::Adrift,
            Some("completed") => News::Parted,
            Some("busy") => News::PutBack(Why::Busy),
            Some("no-answer" | "timeout") => News::PutBack(Why::NoAnswer),
            // `failed`, `cancel`, and what did not exist when this was written.
            Some(_) => News::PutBack(Why::Fault),
        }
    }

    fn status_news(&self) -> Result<News, Fault> {
        if let Some(id) = self.recording() {
            if !is_id(id) {
                return Err(malformed("the name of a recording is not an id"));
            }
            return Ok(News::Recorded(Tape(id.to_owned().into())));
        }
        Ok(self.call_news())
    }

    /// What a recording is called, where this tells of one. Plivo's pages write the same fields in two
    /// ways ([the API's](https://plivo.com/docs/voice/api/call/record-calls), and
    /// [the element's](https://docs.plivo.com/docs/voice/xml/record)).
    fn recording(&self) -> Option<&'f str> {
        if self.event == "Hangup" {
            return None;
        }
        let named = ["RecordingID", "recording_id"];
        let mut named = named.iter().filter_map(|it| field(self.fields, it));
        named.find(|it| !it.is_empty())
    }

    fn call_news(&self) -> News {
        // What a `<Conference>` reports, of whoever it happened to; that they left is told where it leads.
        match field(self.fields, "ConferenceAction") {
            Some("enter") => return News::Joined,
            Some(_) => return News::Nothing,
            None => {}
        }
        // What a `<Dial>` reports; its end is told where it leads.
        match field(self.fields, "DialAction") {
            Some("answer" | "connected") => return News::Joined,
            Some(_) => return News::Nothing,
            None => {}
        }
        match self.event {
            "Ring" => News::Ringing,
            "MachineDetection" if field(self.fields, "Machine") == Some("true") => {
                News::AnsweredBy(Who::Machine)
            }
            "Hangup" => {
                let status = || cause::by_status(self.status, self.direction);
                let end = self.cause().or_else(status);
                News::Ended(end.unwrap_or(cause::UNSAID))
            }
            // Not all pages say that the hangup of a call that was offered is named.
            "" => self.ended().map_or(News::Nothing, News::Ended),
            // How a stream is doing.
            _ => News::Nothing,
        }
    }

    /// The room that is spoken of.
    fn room(&self) -> Option<&str> {
        let named = ["ConferenceUUID", "ConferenceName"];
        let mut named = named.iter().filter_map(|it| field(self.fields, it));
        named.find(|it| !it.is_empty())
    }

    /// How the call ended, if its status is one that it ends with.
    fn ended(&self) -> Option<End> {
        let status = cause::by_status(self.status, self.direction)?;
        Some(self.cause().unwrap_or(status))
    }

    /// How it ended, by its cause.
    fn cause(&self) -> Option<End> {
        let code = field(self.fields, "HangupCauseCode")?.parse().ok()?;
        let source = field(self.fields, "HangupSource").unwrap_or_default();
        cause::by_code(code, source, self.direction)
    }

    /// Plivo leaves out the `+` of a number.
    fn party(&self, name: &str) -> Result<Private<String>, Fault> {
        let found = field(self.fields, name);
        let found = found.ok_or_else(|| malformed(format!("an offered call has no `{name}`")))?;
        let digits = !found.is_empty() && found.bytes().all(|b| b.is_ascii_digit());
        let plus = if digits { "+" } else { "" };
        Ok(format!("{plus}{found}").into())
    }

    /// Made of what is signed and repeated when Plivo asks again; its nonce changes. A leg that nobody
    /// answered has no name, so one `<Dial>` is told from the next by the address that it leads to.
    fn notice(&self, door: Door, request: &Request) -> String {
        let place = match door {
            Door::Again => request.url.split_once('?').map_or("", |(_, query)| query),
            Door::Voice | Door::Status => "",
        };
        let dialled = field(self.fields, "DialBLegUUID").unwrap_or_default();
        let member = field(self.fields, "ConferenceMemberID").unwrap_or_default();
        let room = self.room().unwrap_or_default();
        let recording = self.recording().unwrap_or_default();
        format!(
            "{}/{door:?}/{}/{}{dialled}{room}{member}/{place}{recording}",
            self.call, self.event, self.status
        )
    }
}

/// The first value of a field.
fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    let found = fields.iter().find(|(it, _)| it == name);
    found.map(|(_, value)| &**value)
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new(Blame::Carrier, code::WEBHOOK_MALFORMED, message)
}

/// Nobody but the operator can mend it, if it is Plivo after all.
fn forged(doubt: Doubt) -> Fault {
    let (message, hint) = match doubt {
        Doubt::Unsigned => (
            "a request has no `X-Plivo-Signature-V3` and nonce that cover what it says",
            "Plivo signs all its requests: either this is someone else, or a proxy in front of \
             offhook removes the headers; set the methods of the application to POST",
        ),
        Doubt::Mismatch => (
            "the signature of a request is not Plivo's",
            "if this was a real call, compare `auth_token` with the account's, and \
             `server.public_url` with the address in the application's settings, to the letter",
        ),
    };
    Fault::new(Blame::Config, code::WEBHOOK_FORGED, message).hint(hint)
}

/// A form of Plivo's has at most a few KiB.
const MAX_BODY: usize = 64 * 1024;
