use std::io;

use ports::carrier::{Conference, Reply, Response, Stream, Transfer};
use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::api::bare;
use super::sound::Sound;
use crate::rest::seconds;
use crate::xml::{document, inside, printable};

/// Writes the XML for a reply.
///
/// What comes after `<Stream>` is reached when the socket is gone and the call is not, but only with
/// `keepCallAlive`, which is not Plivo's default
/// ([`<Stream>`](https://docs.plivo.com/docs/voice/xml/audiostream)): the caller waits in silence for
/// as long as it takes to start a gateway, and then we are asked again. If nobody answers, the call
/// ends there.
pub(super) fn response(reply: Reply<'_>, sound: Sound) -> Response {
    document("application/xml", |to| write(to, reply, sound))
}

fn write(to: &mut Writer<Vec<u8>>, reply: Reply<'_>, sound: Sound) -> io::Result<()> {
    match reply {
        Reply::Admit(conference) => inside(to, "Response", |to| write_conference(to, conference)),
        Reply::Connect(stream) => inside(to, "Response", |to| {
            write_stream(to, stream, sound)?;
            to.create_element("Wait")
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
            let reject = to.create_element("Hangup");
            reject
                .with_attribute(("reason", "rejected"))
                .write_empty()?;
            Ok(())
        }),
        Reply::Taken => to.create_element("Response").write_empty().map(drop),
        Reply::Transfer(transfer) => inside(to, "Response", |to| write_dial(to, transfer)),
    }
}

fn write_stream(to: &mut Writer<Vec<u8>>, stream: &Stream, sound: Sound) -> io::Result<()> {
    let token = format!("token={}", stream.token.reveal());
    to.create_element("Stream")
        .with_attribute(("bidirectional", "true"))
        .with_attribute(("audioTrack", "inbound"))
        .with_attribute(("keepCallAlive", "true"))
        .with_attribute(("contentType", sound.content_type()))
        .with_attribute(("extraHeaders", &*printable(&token)))
        .write_text_content(BytesText::new(&printable(&stream.url)))
        .map(drop)
}

/// With `redirect` the reply to its `action` is what the call does next; without it the call would end
/// ([`<Dial>`](https://docs.plivo.com/docs/voice/xml/dial)).
fn write_dial(to: &mut Writer<Vec<u8>>, transfer: &Transfer<'_>) -> io::Result<()> {
    let (action, report) = (
        format!("{}{RETRIES}", transfer.back),
        format!("{}{RETRIES}", transfer.report),
    );
    to.create_element("Dial")
        .with_attribute(("callerId", bare(transfer.from)))
        .with_attribute(("timeout", &*seconds(transfer.ring).to_string()))
        .with_attribute(("timeLimit", &*seconds(transfer.limit).to_string()))
        .with_attribute(("action", &*printable(&action)))
        .with_attribute(("method", "POST"))
        .with_attribute(("redirect", "true"))
        .with_attribute(("callbackUrl", &*printable(&report)))
        .with_attribute(("callbackMethod", "POST"))
        .write_inner_content(|to| {
            to.create_element("Number")
                .write_text_content(BytesText::new(bare(transfer.to)))
                .map(drop)
        })
        .map(drop)
}

/// Each who comes says where their own coming is reported. The `timeLimit` is not theirs but everybody's, so
/// none is said: how long they may be there, only we know
/// ([`<Conference>`](https://docs.plivo.com/docs/voice/xml/conference)).
fn write_conference(to: &mut Writer<Vec<u8>>, conference: &Conference<'_>) -> io::Result<()> {
    let (action, report) = (
        format!("{}{RETRIES}", conference.back),
        format!("{}{RETRIES}", conference.report),
    );
    to.create_element("Conference")
        .with_attribute(("startConferenceOnEnter", "true"))
        .with_attribute(("endConferenceOnExit", "false"))
        .with_attribute(("enterSound", "beep:1"))
        .with_attribute(("action", &*printable(&action)))
        .with_attribute(("method", "POST"))
        .with_attribute(("redirect", "true"))
        .with_attribute(("callbackUrl", &*printable(&report)))
        .with_attribute(("callbackMethod", "POST"))
        .write_text_content(BytesText::new(&printable(conference.name)))
        .map(drop)
}

/// In seconds. A gateway that is back sooner takes the call out of this itself.
const PATIENCE: &str = "15";

/// Plivo's own way to say how often it should try: not part of what is asked for or signed
/// ([callback configurations](https://docs.plivo.com/docs/voice/concepts/callback-configurations)).
pub(super) const RETRIES: &str = "#rc=5&rp=5xx,ct,rt";
