//! XML as carriers read instructions: a small tree, refused when it is not well-formed.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// An element, what is in it, and the text directly in it.
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

/// Why a document cannot be performed at all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Warns of every attribute that is not among the known ones.
    pub(crate) fn warn_of_strangers(&self, known: &[&str], warnings: &mut Vec<String>) {
        for (name, _) in &self.attributes {
            if !known.contains(&name.as_str()) {
                warnings.push(format!("<{}> has no attribute {name}", self.name));
            }
        }
    }
}

/// The document as a tree, or why it is not well-formed.
pub(crate) fn tree(text: &str) -> Result<Element, Unreadable> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader
            .read_event()
            .map_err(|why| Unreadable(why.to_string()))?;
        match event {
            Event::Start(start) => {
                if open.len() >= DEEPEST || (open.is_empty() && root.is_some()) {
                    return Err(Unreadable(
                        "more than one root, or nested too deep".to_owned(),
                    ));
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) if !open.is_empty() || root.is_none() => {
                adopt(element(&start)?, &mut open, &mut root);
            }
            Event::End(_) => match open.pop() {
                Some(closed) => adopt(closed, &mut open, &mut root),
                None => return Err(Unreadable("an element ends that never began".to_owned())),
            },
            Event::Text(part) => say(&part.xml10_content(), &mut open)?,
            Event::CData(part) => say(&part.xml10_content(), &mut open)?,
            Event::GeneralRef(reference) => say(&resolve(&reference)?, &mut open)?,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err(Unreadable("a DOCTYPE is not allowed".to_owned())),
            Event::Empty(_) => return Err(Unreadable("more than one root".to_owned())),
            Event::Eof => break,
        }
    }
    match (root, open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(Unreadable("the document ends in the middle".to_owned())),
    }
}

fn adopt(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn say(text: &str, open: &mut [Element]) -> Result<(), Unreadable> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(Unreadable("there is text outside the root".to_owned())),
    }
    Ok(())
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, Unreadable> {
    let name: &str = reference;
    let known = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference
            .resolve_char_ref()
            .map_err(|why| Unreadable(why.to_string()))?,
    };
    known
        .map(String::from)
        .ok_or_else(|| Unreadable(format!("&{name}; is not known")))
}

fn element(start: &BytesStart<'_>) -> Result<Element, Unreadable> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|why| Unreadable(why.to_string()))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|why| Unreadable(why.to_string()))?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: start.name().as_ref().to_owned(),
        attributes,
        children: Vec::new(),
        text: String::new(),
    })
}

const DEEPEST: usize = 16;
