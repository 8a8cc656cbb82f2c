//! XML that carriers read, written by a writer alone: no text can change its tree.

use std::borrow::Cow;
use std::io;

use ports::carrier::Response;
use quick_xml::Writer;

/// A whole document.
pub(crate) fn document(
    content_type: &'static str,
    write: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>,
) -> Response {
    let mut writer = Writer::new(Vec::new());
    write(&mut writer).expect("a Vec can always be written to");
    Response {
        content_type,
        body: String::from_utf8(writer.into_inner()).expect("the writer is given only strings"),
    }
}

/// An element with others in it.
pub(crate) fn inside(
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
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|&c| is_xml(c)).collect())
    }
}

fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
