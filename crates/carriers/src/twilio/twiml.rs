use std::borrow::Cow;
use std::io;

use ports::carrier::{Reply, Response, Stream};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, Event};

/// Writes the TwiML for a reply.
///
/// After `<Connect><Stream>` comes nothing, so that the call ends when the socket does
/// ([`<Stream>`](https://www.twilio.com/docs/voice/twiml/stream)). `<Reject>` costs nothing,
/// because the call is not answered ([`<Reject>`](https://www.twilio.com/docs/voice/twiml/reject)).
pub(super) fn response(reply: Reply<'_>) -> Response {
    let mut writer = Writer::new(Vec::new());
    write(&mut writer, reply).expect("a Vec can always be written to");
    Response {
        content_type: "text/xml",
        body: String::from_utf8(writer.into_inner()).expect("the writer is given only strings"),
    }
}

fn write(to: &mut Writer<Vec<u8>>, reply: Reply<'_>) -> io::Result<()> {
    match reply {
        Reply::Connect(stream) => inside(to, "Response", |to| {
            inside(to, "Connect", |to| write_stream(to, stream))
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
    }
}

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

fn inside(
    to: &mut Writer<Vec<u8>>,
    name: &str,
    content: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>,
) -> io::Result<()> {
    to.create_element(name)
        .write_inner_content(content)
        .map(drop)
}

/// Leaves out what [XML cannot hold](https://www.w3.org/TR/xml/#charsets) even escaped, so that
/// the whole document is not refused for it. No address or token of ours has such characters.
fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|&c| is_xml(c)).collect())
    }
}

fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
