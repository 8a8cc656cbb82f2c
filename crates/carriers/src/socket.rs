//! What the messages on carriers' media sockets have in common: JSON objects whose every kind but
//! one is rare, read without copying.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use base64::alphabet;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use ports::{Blame, Fault, code};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A message of which only the kind is read.
#[derive(Deserialize)]
pub(crate) struct Named<'m> {
    #[serde(borrow)]
    pub(crate) event: Text<'m>,
}

/// A message of sound.
#[derive(Deserialize)]
pub(crate) struct WithMedia<'m> {
    #[serde(borrow)]
    pub(crate) media: Media<'m>,
}

/// The sound in it.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Media<'m> {
    #[serde(borrow)]
    pub(crate) track: Text<'m>,
    #[serde(deserialize_with = "number")]
    pub(crate) chunk: u64,
    #[serde(borrow)]
    pub(crate) payload: Text<'m>,
}

/// Text that is copied only if it is escaped, which serde does by itself only outside an `Option`.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Text<'m>(#[serde(borrow)] pub(crate) Cow<'m, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Reads JSON of any spelling. What went wrong is told without repeating what was said.
pub(crate) fn read<'m, T: Deserialize<'m>>(message: &'m str) -> Result<T, Fault> {
    serde_json::from_str(message).map_err(|error| {
        malformed(format!(
            "a message on the media socket is not what it should be, at character {}",
            error.column()
        ))
    })
}

/// Reads a whole number, which carriers write sometimes as a number and sometimes as a string.
pub(crate) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    struct Number;

    impl Visitor<'_> for Number {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, or a string that holds one")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            whole(text).ok_or_else(|| E::custom("not a whole number"))
        }
    }

    from.deserialize_any(Number)
}

/// Reads digits alone: no sign, no spaces.
pub(crate) fn whole<T: FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Reads a sound message that is spelled without spaces and escapes, its fields in any order.
/// `None` says nothing about a message but that this cannot read it.
///
/// It saves two passes of a general JSON reader, fifty times a second in every call.
pub(crate) fn compact_media(message: &str) -> Option<Media<'_>> {
    let (mut event, mut media) = (None, None);
    let mut rest = message.strip_prefix('{')?;
    loop {
        let (key, after) = plain_string(rest)?;
        let after = after.strip_prefix(':')?;
        rest = if key == "media" {
            let (value, after) = compact_sound(after)?;
            only(&mut media, value)?;
            after
        } else if key == "event" {
            let (value, after) = plain_string(after)?;
            only(&mut event, value)?;
            after
        } else {
            plain_value(after)?.1
        };
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => break,
        }
    }
    (rest == "}" && event == Some("media")).then_some(media?)
}

/// Reads the inner object of a sound message, as [`compact_media`] does.
fn compact_sound(text: &str) -> Option<(Media<'_>, &str)> {
    let (mut track, mut chunk, mut payload) = (None, None, None);
    let mut rest = text.strip_prefix('{')?;
    loop {
        let (key, after) = plain_string(rest)?;
        let text = after.strip_prefix(':')?;
        let (value, after) = match key {
            "track" | "payload" => plain_string(text)?,
            _ => plain_value(text)?,
        };
        match key {
            "track" => only(&mut track, value)?,
            "chunk" => only(&mut chunk, whole(value)?)?,
            "payload" => only(&mut payload, value)?,
            _ => {}
        }
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => {
                let media = Media {
                    track: Text(Cow::Borrowed(track?)),
                    chunk: chunk?,
                    payload: Text(Cow::Borrowed(payload?)),
                };
                return Some((media, after.strip_prefix('}')?));
            }
        }
    }
}

/// Reads a string that is written as it is, and gives what comes after it.
fn plain_string(text: &str) -> Option<(&str, &str)> {
    let (value, rest) = text.strip_prefix('"')?.split_once('"')?;
    // Every byte is looked at, whatever the others were, so that many can be looked at at once.
    let odd = (value.bytes()).fold(false, |odd, b| odd | (b < b' ') | (b == b'\\'));
    (!odd).then_some((value, rest))
}

/// The same, or a whole number, which some carriers write without quotes.
fn plain_value(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('"') {
        return plain_string(text);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (value, rest) = text.split_at(digits);
    // JSON has no leading zeros, and what goes on after the digits is another kind of number.
    let odd = digits == 0 || (digits > 1 && value.starts_with('0'));
    let ends = rest.starts_with([',', '}']);
    (!odd && ends).then_some((value, rest))
}

/// Fills an empty place. A second value is what [`read`] would refuse.
fn only<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

pub(crate) fn malformed(message: impl Into<String>) -> Fault {
    Fault::new(Blame::Carrier, code::STREAM_MALFORMED, message)
}

/// Reads the name of a mark of ours, which is `g`, its generation, `-` and its index.
pub(crate) fn mark(name: &str) -> Option<media::Mark> {
    let (generation, index) = name.strip_prefix('g')?.split_once('-')?;
    Some(media::Mark {
        generation: whole(generation)?,
        index: whole(index)?,
    })
}

/// Reads a key. Which one it was is private, so a fault does not repeat it.
pub(crate) fn digit(text: &str) -> Result<call::Digit, Fault> {
    let mut chars = text.chars();
    let digit = chars.next().and_then(call::Digit::new);
    let digit = digit.filter(|_| chars.next().is_none());
    digit.ok_or_else(|| malformed("a key was pressed that no telephone has"))
}

/// Standard base64, whether or not it is padded.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEDIA: &str = r#"{"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"3","timestamp":"65","payload":"fn7/fg=="},"streamSid":"MZ00000000000000000000000000000001"}"#;

    #[test]
    fn sound_as_carriers_write_it_is_read_the_short_way() {
        for spelling in [MEDIA, &MEDIA.replace(r#""3""#, "3")] {
            let media = compact_media(spelling).expect("carriers' own spelling");
            assert_eq!(
                (&*media.track, media.chunk, &*media.payload),
                ("inbound", 3, "fn7/fg==")
            );
        }
    }

    #[test]
    fn sound_spelled_in_another_way_is_left_to_the_long_way() {
        let spellings = [
            MEDIA.replace(':', ": "),
            MEDIA.replace("fn7/", r"fn7\/"),
            MEDIA.replace(r#""3""#, "03"),
            MEDIA.replace(r#""3""#, "3.0"),
            MEDIA.replace(r#""3""#, "-3"),
            MEDIA.replace(r#""inbound""#, "3"),
            MEDIA.replace(r#""event""#, r#""event":"media","event""#),
            MEDIA.replace("}", "} "),
            MEDIA.replace("\"media\",", "\"mark\","),
        ];
        for spelling in spellings {
            assert_eq!(compact_media(&spelling), None, "{spelling}");
        }
    }

    proptest! {
        /// Wherever the short way answers at all, it answers as the long way does.
        #[test]
        fn the_short_way_agrees_with_the_long_way(
            at in 0..MEDIA.len(),
            cut in 0..12_usize,
            put in prop_oneof![
                r#"[{}":,\\ a-z0-9\x00-\x1f]{0,6}"#,
                Just(r#"","chunk":"9"#.to_owned()),
                Just(r#"","media":{}"#.to_owned()),
            ],
        ) {
            let end = (at + cut).min(MEDIA.len());
            let message = format!("{}{put}{}", &MEDIA[..at], &MEDIA[end..]);
            if let Some(short) = compact_media(&message) {
                let event = read::<Named<'_>>(&message).map(|it| it.event.0.into_owned());
                prop_assert!(event.is_ok_and(|it| it == "media"));
                let long = read::<WithMedia<'_>>(&message).map(|it| it.media);
                prop_assert_eq!(Some(short), long.ok());
            }
        }
    }
}
