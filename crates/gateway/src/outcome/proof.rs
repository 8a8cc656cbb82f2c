//! Looks words up in a transcript that are said to stand in it.

use call::Private;
use call::event::Proof;

use super::{Claim, GOAL};
use crate::transcript::Line;

/// The words of a claim as they stand in the line that it names; `None`: they do not.
pub(super) fn find(claim: &Claim, lines: &[Line]) -> Option<Proof> {
    let line = lines.iter().find(|it| it.number == claim.line)?;
    let text = span(line.text.reveal(), &claim.quote)?;
    Some(Proof {
        of: Private::from(claim.of.as_deref().unwrap_or(GOAL)),
        line: line.number,
        who: line.who,
        text: text.into(),
        ms: line.ms,
    })
}

/// Where words stand in a text, whatever their case and the signs between them; whole words, where words are written
/// apart.
fn span<'t>(text: &'t str, quote: &str) -> Option<&'t str> {
    let (text_signs, quote) = (signs(text), signs(quote));
    let quote: Vec<char> = quote.iter().map(|it| it.low).collect();
    if quote.is_empty() || quote.len() > LONGEST {
        return None;
    }
    let found = text_signs
        .windows(quote.len())
        .enumerate()
        .find(|(at, it)| {
            let same = it.iter().map(|sign| sign.low).eq(quote.iter().copied());
            let before = at.checked_sub(1).map(|it| text_signs[it].low);
            let after = text_signs.get(at + quote.len()).map(|it| it.low);
            same && !runs_on(before, quote.first()) && !runs_on(after, quote.last())
        });
    let (_, found) = found?;
    text.get(found.first()?.from..found.last()?.to)
}

/// A letter or a digit, or what stands between words.
struct Sign {
    low: char,
    from: usize,
    to: usize,
}

/// The letters and digits of a text, with one space for all that stands between two of them.
fn signs(text: &str) -> Vec<Sign> {
    let mut signs: Vec<Sign> = Vec::new();
    let mut apart = false;
    for (from, sign) in text.char_indices() {
        if !sign.is_alphanumeric() {
            apart = true;
            continue;
        }
        if apart && !signs.is_empty() {
            signs.push(Sign {
                low: ' ',
                from,
                to: from,
            });
        }
        apart = false;
        let to = from + sign.len_utf8();
        signs.extend(sign.to_lowercase().map(|low| Sign { low, from, to }));
    }
    signs
}

/// Whether a word goes on over the edge of a quotation. Where words are not written apart, none does.
fn runs_on(beyond: Option<char>, edge: Option<&char>) -> bool {
    let apart = |it: char| it.is_alphanumeric() && it < WRITTEN_TOGETHER;
    beyond.is_some_and(apart) && edge.is_some_and(|it| apart(*it))
}

/// In characters, of what is quoted.
const LONGEST: usize = 1_000;
/// From here on scripts write words without spaces.
const WRITTEN_TOGETHER: char = '\u{2e80}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_they_stand_there() {
        for (text, quote, found) in [
            (
                "Yes. Friday at nine.",
                "friday, at NINE",
                Some("Friday at nine"),
            ),
            ("It's Ann's.", "its", None),
            ("It's Ann's.", "It’s", Some("It's")),
            ("I am unable to come.", "able to come", None),
            (
                "I am not able to come.",
                "able to come",
                Some("able to come"),
            ),
            ("No one two.", "no on", None),
            ("Straße 5", "straße", Some("Straße")),
            ("星期五九点可以", "五九点", Some("五九点")),
            ("Yes.", "", None),
            ("Yes.", "...", None),
            ("", "yes", None),
        ] {
            assert_eq!(span(text, quote), found, "{quote:?} in {text:?}");
        }
        let long = "a ".repeat(LONGEST);
        assert_eq!(span(&long, &long), None);
    }
}
