use call::event::{Who, Why};
use call::{Attestation, Private};
use ports::carrier::{Door, Genuine, Imprint, Leg, News, Reply, Request, Response, Tape, Webhook};
use ports::{Blame, Fault, Secret, code};

use super::status::{CallStatus, Cause, Direction};
use super::{is_sid, signature, twiml};
use crate::imprint::imprint;
use signature::{Doubt, Fields};

/// Reads Twilio's webhooks.
///
/// Sources: [voice](https://www.twilio.com/docs/voice/twiml#request-parameters) and
/// [status](https://www.twilio.com/docs/voice/api/call-resource#statuscallback) requests.
#[derive(Debug)]
pub(super) struct Webhooks {
    account_sid: String,
    /// Webhooks may be signed with any of these.
    tokens: Vec<Secret>,
}

impl Webhooks {
    pub(super) fn new(account_sid: &str, tokens: Vec<Secret>) -> Self {
        Self {
            account_sid: account_sid.to_owned(),
            tokens,
        }
    }
}

impl ports::carrier::Webhooks for Webhooks {
    fn verify<'r>(&self, request: &'r Request) -> Result<Genuine<'r>, Fault> {
        if request.body.len() > MAX_BODY {
            return Err(malformed("the body of a webhook is longer than 64 KiB"));
        }
        let doubt = signature::check(request, &self.tokens).err();
        let genuine = Genuine::check(request, doubt.is_none());
        genuine.ok_or_else(|| forged(doubt.unwrap_or(Doubt::Mismatch)))
    }

    fn verify_socket(&self, request: &Request) -> Result<(), Fault> {
        self.verify(request).map(drop)
    }

    /// Names and values are signed without anything in between, so that one text can be read in several
    /// ways. Twilio's own id of a request is in a header, which is not signed.
    fn imprint(&self, request: &Genuine<'_>) -> Imprint {
        let signed = signature::signed(request.request());
        imprint(signed.as_bytes(), signed.as_bytes())
    }

    fn decode(&self, door: Door, request: Genuine<'_>) -> Result<Webhook, Fault> {
        let fields = signature::fields(&request.request().body);
        if let (Door::Status, Some(event)) = (door, field(&fields, "StatusCallbackEvent")) {
            return conferred(&fields, &self.account_sid, event);
        }
        let form = Form::new(&fields, &self.account_sid)?;
        // Not by `RecordingSid`: the end of a call may have one too.
        if let (Door::Status, Some(status)) = (door, field(&fields, "RecordingStatus")) {
            return form.recorded(status);
        }
        if let (Door::Status, Some(parent)) = (door, form.parent()?) {
            return Ok(Webhook {
                dialled: parent.clone(),
                leg: parent,
                notice: form.status_notice(),
                news: form.dialled_news(),
            });
        }
        Ok(match door {
            Door::Voice => Webhook {
                leg: form.leg(),
                dialled: form.leg(),
                notice: form.voice_notice(),
                news: form.voice_news()?,
            },
            Door::Again => Webhook {
                leg: form.leg(),
                dialled: form.leg(),
                notice: form.again_notice(request.request()),
                news: form.again_news(),
            },
            Door::Status => Webhook {
                leg: form.leg(),
                dialled: form.leg(),
                notice: form.status_notice(),
                news: form.status_news(),
            },
        })
    }

    fn reply(&self, reply: Reply<'_>) -> Response {
        twiml::response(reply)
    }
}

/// What happened in a room
/// ([its callback](https://www.twilio.com/docs/voice/twiml/conference#attributes-statuscallback)). It is
/// about whoever it happened to, who need not be on a call of ours, and not every event is about somebody.
/// That somebody left is told where their call goes on.
fn conferred(fields: &Fields<'_>, account_sid: &str, event: &str) -> Result<Webhook, Fault> {
    check_account(field(fields, "AccountSid").unwrap_or_default(), account_sid)?;
    let call_sid = field(fields, "CallSid").unwrap_or_default();
    let news = match event {
        "participant-join" => {
            check_call(call_sid)?;
            News::Joined
        }
        _ => {
            if !call_sid.is_empty() {
                check_call(call_sid)?;
            }
            News::Nothing
        }
    };
    let leg = Leg(call_sid.to_owned());
    let room = field(fields, "ConferenceSid").unwrap_or("-");
    let number = field(fields, "SequenceNumber").unwrap_or("-");
    Ok(Webhook {
        dialled: leg.clone(),
        leg,
        notice: format!("{call_sid}/{room}/{number}/{event}"),
        news,
    })
}

fn check_account(said: &str, account_sid: &str) -> Result<(), Fault> {
    if said == account_sid {
        return Ok(());
    }
    Err(malformed("a webhook is about another account")
        .hint("give this account's numbers and subaccounts their own `account_sid`"))
}

fn check_call(sid: &str) -> Result<(), Fault> {
    let message = "the `CallSid` of a webhook is not CA and 32 hex digits";
    is_sid("CA", sid)
        .then_some(())
        .ok_or_else(|| malformed(message))
}

/// What both kinds of webhook have in common, checked.
struct Form<'f> {
    fields: &'f Fields<'f>,
    call_sid: &'f str,
    status: &'f str,
    direction: Direction,
}

impl<'f> Form<'f> {
    fn new(fields: &'f Fields<'f>, account_sid: &str) -> Result<Self, Fault> {
        let need = |name: &str| {
            let found = field(fields, name).filter(|it| !it.is_empty());
            found.ok_or_else(|| malformed(format!("a webhook has no `{name}`")))
        };
        check_account(need("AccountSid")?, account_sid)?;
        let call_sid = need("CallSid")?;
        check_call(call_sid)?;
        Ok(Self {
            fields,
            call_sid,
            // What became of the detection of machines, and of a recording, is told without it.
            status: match field(fields, "AnsweredBy").or_else(|| field(fields, "RecordingStatus")) {
                Some(_) => field(fields, "CallStatus").unwrap_or_default(),
                None => need("CallStatus")?,
            },
            direction: Direction::parse(field(fields, "Direction").unwrap_or_default()),
        })
    }

    fn leg(&self) -> Leg {
        Leg(self.call_sid.to_owned())
    }

    /// What became of a recording
    /// ([its callback](https://www.twilio.com/docs/voice/api/recording#recordingstatuscallback)).
    fn recorded(&self, status: &str) -> Result<Webhook, Fault> {
        let sid = field(self.fields, "RecordingSid").unwrap_or_default();
        if !is_sid("RE", sid) {
            let message = "the `RecordingSid` of a webhook is not RE and 32 hex digits";
            return Err(malformed(message));
        }
        Ok(Webhook {
            leg: self.leg(),
            dialled: self.leg(),
            notice: format!("{}/{sid}/{status}", self.call_sid),
            news: match status {
                "completed" => News::Recorded(Tape(sid.to_owned().into())),
                // It goes on, or nothing was recorded.
                _ => News::Nothing,
            },
        })
    }

    fn voice_news(&self) -> Result<News, Fault> {
        use CallStatus::{InProgress, Ringing};
        let status = CallStatus::parse(self.status);
        Ok(match (self.direction, status) {
            (Direction::Inbound, Some(Ringing)) => News::Offered {
                from: self.party("From")?,
                to: self.party("To")?,
                attestation: self.attestation(),
            },
            (Direction::Outbound, Some(InProgress)) => News::Answered,
            // Otherwise Twilio asks only where a TwiML of ours sends it, and none does.
            (Direction::Inbound | Direction::Outbound | Direction::Other, status) => status
                .and_then(|it| self.ended(it))
                .unwrap_or(News::Nothing),
        })
    }

    /// Who vouches for the caller's number
    /// ([`StirVerstat`](https://www.twilio.com/docs/voice/trusted-calling-with-shakenstir)).
    fn attestation(&self) -> Attestation {
        match field(self.fields, "StirVerstat").unwrap_or_default() {
            "TN-Validation-Passed-A" => Attestation::Full,
            "TN-Validation-Passed-B" | "TN-Validation-Passed-C" => Attestation::Partial,
            failed if failed.starts_with("TN-Validation-Failed") => Attestation::Failed,
            _ => Attestation::Nothing,
        }
    }

    /// Asked at the end of a stream, and at that of a `<Dial>`
    /// ([its `action`](https://www.twilio.com/docs/voice/twiml/dial#action)).
    fn again_news(&self) -> News {
        let status = CallStatus::parse(self.status);
        if let Some(ended) = status.and_then(|it| self.ended(it)) {
            return ended;
        }
        match field(self.fields, "DialCallStatus") {
            None => News::Adrift,
            Some("completed" | "answered") => News::Parted,
            Some("busy") => News::PutBack(Why::Busy),
            Some("no-answer") => News::PutBack(Why::NoAnswer),
            // `failed`, `canceled`, and what did not exist when this was written.
            Some(_) => News::PutBack(Why::Fault),
        }
    }

    /// The call that this one was made for by a `<Dial>` of ours.
    fn parent(&self) -> Result<Option<Leg>, Fault> {
        match field(self.fields, "ParentCallSid") {
            None | Some("") => Ok(None),
            Some(sid) if is_sid("CA", sid) => Ok(Some(Leg(sid.to_owned()))),
            Some(_) => Err(malformed(
                "the `ParentCallSid` of a webhook is not CA and 32 hex digits",
            )),
        }
    }

    /// What a call that was made for another says to that one: its end is told by the other's own.
    fn dialled_news(&self) -> News {
        match CallStatus::parse(self.status) {
            Some(CallStatus::InProgress) => News::Joined,
            Some(
                CallStatus::Queued
                | CallStatus::Initiated
                | CallStatus::Ringing
                | CallStatus::Completed
                | CallStatus::Busy
                | CallStatus::NoAnswer
                | CallStatus::Failed
                | CallStatus::Canceled,
            )
            | None => News::Nothing,
        }
    }

    fn status_news(&self) -> News {
        use CallStatus::{
            Busy, Canceled, Completed, Failed, InProgress, Initiated, NoAnswer, Queued, Ringing,
        };
        if let ("", Some(who)) = (self.status, field(self.fields, "AnsweredBy")) {
            return News::AnsweredBy(answered_by(who));
        }
        match CallStatus::parse(self.status) {
            Some(Ringing) => News::Ringing,
            Some(InProgress) => News::Answered,
            Some(status @ (Completed | Busy | NoAnswer | Failed | Canceled)) => {
                self.ended(status).unwrap_or(News::Nothing)
            }
            Some(Queued | Initiated) | None => News::Nothing,
        }
    }

    fn ended(&self, status: CallStatus) -> Option<News> {
        let cause = Cause::from_sip(field(self.fields, "SipResponseCode"));
        status.end(self.direction, cause).map(News::Ended)
    }

    fn party(&self, name: &str) -> Result<Private<String>, Fault> {
        let found = field(self.fields, name);
        let found = found.ok_or_else(|| malformed(format!("an offered call has no `{name}`")))?;
        Ok(found.into())
    }

    /// The id of a question that may come after each `<Dial>`: one that called nobody has no name, and
    /// is told from the next by the address that it leads to, which is signed.
    fn again_notice(&self, request: &Request) -> String {
        let place = request.url.split_once('?').map_or("", |(_, query)| query);
        format!("{}/{place}", self.voice_notice())
    }

    /// The id of a question: asked once for each state of a call, and after each `<Dial>`.
    ///
    /// Twilio sends an id with each request (`I-Twilio-Idempotency-Token`), but in a header, which
    /// is not signed: who replays a request could give it a new one. So the id is made of signed
    /// fields, and only of those that Twilio repeats when it asks again.
    fn voice_notice(&self) -> String {
        let dialled = field(self.fields, "DialCallSid").unwrap_or_default();
        format!("{}/voice/{}{dialled}", self.call_sid, self.status)
    }

    /// The id of a report: its place in the call's sequence of them.
    ///
    /// Where Twilio does not count, a call can have each status only once.
    fn status_notice(&self) -> String {
        let source = field(self.fields, "CallbackSource").unwrap_or("-");
        let number = field(self.fields, "SequenceNumber").unwrap_or("-");
        format!("{}/{source}/{number}/{}", self.call_sid, self.status)
    }
}

/// Who picked up, as Twilio says it ([answering machine
/// detection](https://www.twilio.com/docs/voice/answering-machine-detection)).
fn answered_by(who: &str) -> Who {
    match who {
        "human" => Who::Human,
        "fax" => Who::Machine,
        machine if machine.starts_with("machine_") => Who::Machine,
        _ => Who::Unknown,
    }
}

/// The first value of a field.
fn field<'f>(fields: &'f Fields<'f>, name: &str) -> Option<&'f str> {
    let found = fields.iter().find(|(it, _)| it == name);
    found.map(|(_, value)| &**value)
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new(Blame::Carrier, code::WEBHOOK_MALFORMED, message)
}

/// Nobody but the operator can mend it, if it is Twilio after all.
fn forged(doubt: Doubt) -> Fault {
    let (message, hint) = match doubt {
        Doubt::Unsigned => (
            "a request has no `X-Twilio-Signature`",
            "Twilio signs all its requests: either this is someone else, or a proxy in front of \
             offhook removes the header",
        ),
        Doubt::Algorithm => (
            "a request is signed with an algorithm or a key that was not agreed on",
            "sign webhooks with the account's auth token, which is Twilio's default",
        ),
        Doubt::Body => (
            "the body of a request is not the one that was signed",
            "make sure that no proxy in front of offhook rewrites bodies",
        ),
        Doubt::Mismatch => (
            "the signature of a request is not Twilio's",
            "if this was a real call, compare `auth_token` with the account's, and \
             `server.public_url` with the address in the number's settings, to the letter",
        ),
    };
    Fault::new(Blame::Config, code::WEBHOOK_FORGED, message).hint(hint)
}

/// A form of Twilio's has at most a few KiB.
const MAX_BODY: usize = 64 * 1024;
