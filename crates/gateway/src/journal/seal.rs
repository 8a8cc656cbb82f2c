//! What is private in an entry, encrypted before it reaches the disk.
//!
//! Everything in an entry is sealed but the fields named in [`OPEN`]: what nobody thought of is
//! private. A sealed field stands where its value would, as `{"sealed":"KEY.TEXT"}`, with `KEY` the
//! name of the key and `TEXT` a nonce of 24 bytes and what XChaCha20-Poly1305 makes of the value,
//! in Base64. The call, the entry's place in it and the field's name are bound to it: moved
//! elsewhere, it does not open. The rest of an entry can be read, listed, verified and forgotten
//! without a key.
//!
//! What is kept beside the entries is not sealed: how carriers call our calls tells nothing to those
//! who cannot ask the carrier, and of requests that must not be carried out twice only hashes are kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use rand::RngCore as _;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::hex;

/// The fields that are kept readable: what happened and when, but not who said what to whom.
const OPEN: &[&str] = &[
    "v",
    "call",
    "seq",
    "ms",
    "time",
    "type",
    "direction",
    "carrier",
    "agent",
    "by",
    "why",
    "code",
    "gap_ms",
    "meeting",
    "to",
    "who",
    "judged_ms",
    "speech_ms",
    "greeting_ms",
    "pause_ms",
    "silence_ms",
    "bursts",
    "beep_ms",
    "beep_hz",
    "beep",
    "allowed_by",
    "what",
    "rule",
    "more",
    "trust",
    "needs",
    "turn",
    "transcribed_ms",
    "told_ms",
    "first_token_ms",
    "first_clause_ms",
    "first_audio_ms",
    "at_ear_ms",
    "sha256",
    "bytes",
    "consent",
    "reached",
    "judged_by",
    "unjudged",
];

/// What stands for a value whose key is not at hand.
pub const HIDDEN: &str = "•••";

/// A key: 32 bytes that are kept elsewhere.
#[derive(Clone)]
pub struct SealKey {
    name: String,
    cipher: XChaCha20Poly1305,
}

/// The keys of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// With which new entries are sealed; `None`: they are not.
    pub seal: Option<SealKey>,
    /// With which older entries were.
    pub old: Vec<SealKey>,
}

impl SealKey {
    /// Reads a key: 32 bytes in Base64 or hexadecimal. `None`: it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let engines = [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD];
        let mut read = engines.iter().filter_map(|it| it.decode(text).ok());
        let bytes = read
            .find(|it| it.len() == LENGTH)
            .or_else(|| from_hex(text))?;
        let digest = Sha256::digest([b"offhook journal key ", &bytes[..]].concat());
        Some(Self {
            name: hex::of(&digest[..4]),
            cipher: XChaCha20Poly1305::new_from_slice(&bytes).ok()?,
        })
    }

    /// Makes a key and returns it as it is to be written down.
    pub fn random() -> String {
        let mut bytes = [0u8; LENGTH];
        rand::rng().fill_bytes(&mut bytes);
        STANDARD.encode(bytes)
    }

    /// What it is called, which tells nothing about it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn seal(&self, place: &str, value: &Value) -> Value {
        let mut nonce = [0u8; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let text = value.to_string();
        let payload = Payload {
            msg: text.as_bytes(),
            aad: place.as_bytes(),
        };
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.expect("an entry is shorter than 256 GiB");
        let text = STANDARD_NO_PAD.encode([&nonce[..], &sealed[..]].concat());
        json!({ MARK: format!("{}.{text}", self.name) })
    }

    fn open(&self, place: &str, text: &str) -> Option<Value> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let payload = Payload {
            msg: sealed,
            aad: place.as_bytes(),
        };
        let opened = self.cipher.decrypt(XNonce::from_slice(nonce), payload);
        serde_json::from_slice(&opened.ok()?).ok()
    }
}

impl Keys {
    /// An entry as it is kept: sealed, if there is a key for that. It must be a JSON object.
    pub fn seal(&self, entry: &str) -> Option<String> {
        let key = self.seal.as_ref()?;
        let fields = serde_json::from_str(entry);
        let mut fields: Fields = fields.expect("an entry is an object, and we wrote it");
        let place = fields.place();
        for (name, value) in &mut fields.0 {
            if !OPEN.contains(&name.as_str()) {
                *value = key.seal(&format!("{place}{name}"), value);
            }
        }
        Some(serde_json::to_string(&fields).expect("its keys are strings"))
    }

    /// An entry as it was before it was sealed, and whether something in it could not be opened.
    pub fn open(&self, entry: String) -> (String, bool) {
        // Inside a text the quotation mark would have a stroke before it.
        if !entry.contains(BEGINS) {
            return (entry, false);
        }
        let Ok(mut fields) = serde_json::from_str::<Fields>(&entry) else {
            return (entry, false);
        };
        let (place, mut hidden) = (fields.place(), false);
        for (name, value) in &mut fields.0 {
            let Some(sealed) = value.get(MARK).and_then(Value::as_str) else {
                continue;
            };
            let opened = self.open_one(&format!("{place}{name}"), sealed);
            hidden |= opened.is_none();
            *value = opened.unwrap_or_else(|| HIDDEN.into());
        }
        let opened = serde_json::to_string(&fields);
        (opened.unwrap_or(entry), hidden)
    }

    /// Something that is no entry, as it is kept elsewhere: sealed for its place, if there is a key.
    pub(crate) fn seal_alone(&self, place: &str, value: Value) -> Value {
        match &self.seal {
            Some(key) => key.seal(place, &value),
            None => value,
        }
    }

    /// The same as it was before; `None`: its key is gone.
    pub(crate) fn open_alone(&self, place: &str, value: Value) -> Option<Value> {
        match value.get(MARK).and_then(Value::as_str) {
            Some(sealed) => self.open_one(place, sealed),
            None => Some(value),
        }
    }

    fn open_one(&self, place: &str, sealed: &str) -> Option<Value> {
        let (name, text) = sealed.split_once('.')?;
        let key = self.all().find(|it| it.name == name)?;
        key.open(place, text)
    }

    /// All there are.
    pub(super) fn all(&self) -> impl Iterator<Item = &SealKey> {
        self.seal.iter().chain(&self.old)
    }
}

/// The fields of an entry, in their order.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn place(&self) -> String {
        let of = |name: &str| {
            let field = self.0.iter().find(|(it, _)| it == name);
            field.map_or(&Value::Null, |(_, value)| value)
        };
        format!("{} {} ", of("call"), of("seq"))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an entry")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        from.deserialize_map(InOrder)
    }
}

impl PartialEq for SealKey {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for SealKey {}

/// The name alone.
impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.name)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * LENGTH || !text.is_ascii() {
        return None;
    }
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

const MARK: &str = "sealed";
const BEGINS: &str = "{\"sealed\":\"";
const LENGTH: usize = 32;
const NONCE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealKey {
        SealKey::parse(&SealKey::random()).expect("it is a key")
    }

    fn keys() -> Keys {
        Keys {
            seal: Some(key()),
            old: Vec::new(),
        }
    }

    const ENTRY: &str = r#"{"v":1,"call":"c1","seq":3,"type":"agent.interrupted","heard":"so {\"sealed\":\"x\"}","unheard":"me"}"#;

    #[test]
    fn what_was_sealed_opens_as_it_was_with_its_key_alone() {
        let keys = keys();
        let sealed = keys.seal(ENTRY).expect("there is a key");
        assert!(sealed.starts_with(
            r#"{"v":1,"call":"c1","seq":3,"type":"agent.interrupted","heard":{"sealed":""#
        ));
        assert!(
            !sealed.contains("so ") && !sealed.contains("me\""),
            "{sealed}"
        );
        assert_eq!(keys.open(sealed.clone()), (ENTRY.to_owned(), false));
        let (hidden, some) = Keys::default().open(sealed.clone());
        assert!(
            some && hidden.contains(r#""heard":"•••","unheard":"•••""#),
            "{hidden}"
        );
        assert_eq!(self::keys().open(sealed.clone()), (hidden, true));
        let later = Keys {
            seal: Some(key()),
            old: vec![keys.seal.clone().expect("there is a key")],
        };
        assert_eq!(later.open(sealed), (ENTRY.to_owned(), false));
    }

    #[test]
    fn what_is_not_sealed_stays_as_it_is() {
        assert_eq!(keys().open(ENTRY.to_owned()), (ENTRY.to_owned(), false));
        assert_eq!(Keys::default().seal(ENTRY), None);
    }

    #[test]
    fn a_sealed_field_opens_nowhere_else() {
        let keys = keys();
        let sealed = keys.seal(ENTRY).expect("there is a key");
        for (from, to) in [
            ("\"seq\":3", "\"seq\":4"),
            ("\"c1\"", "\"c2\""),
            ("\"heard\"", "\"text\""),
        ] {
            let (opened, hidden) = keys.open(sealed.replacen(from, to, 1));
            assert!(hidden, "{opened}");
        }
    }

    #[test]
    fn a_key_is_read_as_people_write_it() {
        let bytes: Vec<u8> = (0..32).map(|it| it * 8 + 7).collect();
        let read = |text: &str| SealKey::parse(text).map(|it| it.name);
        let name = read(&hex::of(&bytes));
        assert!(name.is_some());
        assert_eq!(read(&STANDARD.encode(&bytes)), name);
        assert_eq!(read(&format!("{}\n", URL_SAFE_NO_PAD.encode(&bytes))), name);
        assert_eq!(read(&hex::of(&bytes[1..])), None);
        assert_eq!(read("a password"), None);
        let printed = format!("{:?}", SealKey::parse(&hex::of(&bytes)));
        assert!(!printed.contains("0707") && printed.contains(&name.expect("some")));
    }
}
