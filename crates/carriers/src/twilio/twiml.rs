use std::io;

use ports::carrier::{Conference, Reply, Response, Stream, Transfer};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::rest::seconds;
use crate::xml::{document, inside, printable};

/// Writes the TwiML for a reply.
///
/// What comes after `<Connect><Stream>` is reached when the socket is gone and the call is not
/// ([`<Stream>`](https://www.twilio.com/docs/voice/twiml/stream)): the caller waits in silence for
/// as long as it takes to start a gateway, and then we are asked again. If nobody answers, the call
/// ends there: it does not outlive its gateway. `<Reject>` costs nothing,
/// because the call is not answered ([`<Reject>`](https://www.twilio.com/docs/voice/twiml/reject)).
pub(super) fn response(reply: Reply<'_>) -> Response {
    document("text/xml", |to| write(to, reply))
}

fn write(to: &mut Writer<Vec<u8>>, reply: Reply<'_>) -> io::Result<()> {
    match reply {
        Reply::Admit(conference) => inside(to, "Response", |to| write_conference(to, conference)),
        Reply::Connect(stream) => inside(to, "Response", |to| {
            inside(to, "Connect", |to| write_stream(to, stream))?;
            to.create_element("Pause")
                .with_attribute(("length", PATIENCE))
                .write_empty()?;
            let back = format!("{}{RETRIES}", stream.back);
            to.create_element("Redirect")
                .with_attribute(("method", "POST"))
                .write_text_content(BytesText::new(&printable(&back)))
                .map(drop)
        }),
        Reply::HangUp => inside(to, "Response", |to| {
            to.create_element("Hangup").write_empty().map(drop)
        }),
        Reply::Reject => inside(to, "Response", |to| {
            let reject = to.create_element("Reject");
            reject
                .with_attribute(("reason", "rejected"))
                .write_empty()?;
            Ok(())
        }),
        Reply::Taken => to.create_element("Response").write_empty().map(drop),
        Reply::Transfer(transfer) => inside(to, "Response", |to| write_dial(to, transfer)),
    }
}

/// In seconds. A gateway that is back sooner takes the call out of this itself.
const PATIENCE: &str = "15";

/// Twilio's own way to say how often it should try: not part of what is asked for or signed
/// ([connection overrides](https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides)).
pub(super) const RETRIES: &str = "#rc=5&rp=5xx,ct,rt";

/// The caller hears it ring until somebody picks up. Without an `action` the call would end with the
/// dial, also when nobody came.
fn write_dial(to: &mut Writer<Vec<u8>>, transfer: &Transfer<'_>) -> io::Result<()> {
    let ring = seconds(transfer.ring).clamp(MIN_RING, MAX_RING);
    let limit = seconds(transfer.limit).min(MAX_LIMIT);
    let action = format!("{}{RETRIES}", transfer.back);
    let report = format!("{}{RETRIES}", transfer.report);
    to.create_element("Dial")
        .with_attribute(("answerOnBridge", "true"))
        .with_attribute(("callerId", transfer.from.as_str()))
        .with_attribute(("timeout", &*ring.to_string()))
        .with_attribute(("timeLimit", &*limit.to_string()))
        .with_attribute(("action", &*printable(&action)))
        .with_attribute(("method", "POST"))
        .write_inner_content(|to| {
            to.create_element("Number")
                .with_attribute(("statusCallback", &*printable(&report)))
                .with_attribute(("statusCallbackMethod", "POST"))
                .with_attribute(("statusCallbackEvent", "answered"))
                .write_text_content(BytesText::new(transfer.to.as_str()))
                .map(drop)
        })
        .map(drop)
}

/// The caller waits with music until there is somebody else, and whoever is there hears a beep. Nobody is
/// sent away when they leave. Only whoever comes first says where the room is reported of
/// ([`<Conference>`](https://www.twilio.com/docs/voice/twiml/conference)), and to us only arrivals matter.
fn write_conference(to: &mut Writer<Vec<u8>>, conference: &Conference<'_>) -> io::Result<()> {
    let limit = seconds(conference.limit).min(MAX_LIMIT);
    let action = format!("{}{RETRIES}", conference.back);
    let report = format!("{}{RETRIES}", conference.report);
    to.create_element("Dial")
        .with_attribute(("timeLimit", &*limit.to_string()))
        .with_attribute(("action", &*printable(&action)))
        .with_attribute(("method", "POST"))
        .write_inner_content(|to| {
            to.create_element("Conference")
                .with_attribute(("startConferenceOnEnter", "true"))
                .with_attribute(("endConferenceOnExit", "false"))
                .with_attribute(("beep", "true"))
                .with_attribute(("statusCallback", &*printable(&report)))
                .with_attribute(("statusCallbackMethod", "POST"))
                .with_attribute(("statusCallbackEvent", "join"))
                .write_text_content(BytesText::new(&printable(conference.name)))
                .map(drop)
        })
        .map(drop)
}

/// Twilio's own bounds to how long `<Dial>` rings, in seconds.
const MIN_RING: u64 = 5;
const MAX_RING: u64 = 600;

/// Twilio's own bound to how long those it connected may talk, in seconds.
const MAX_LIMIT: u64 = 86_400;

fn write_stream(to: &mut Writer<Vec<u8>>, stream: &Stream) -> io::Result<()> {
    let url = printable(&stream.url);
    let token = printable(stream.token.reveal());
    let start = BytesStart::new("Stream").with_attributes([("url", &*url)]);
    to.write_event(Event::Start(start))?;
    to.create_element("Parameter")
        .with_attribute(("name", "token"))
        .with_attribute(("value", &*token))
        .write_empty()?;
    to.write_event(Event::End(BytesEnd::new("Stream")))
}
