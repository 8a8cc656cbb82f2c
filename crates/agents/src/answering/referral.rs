//! A caller who asks for somebody by name.

use call::{Private, Referral};

use crate::words::{Word, words};

/// To whom the caller wants to be put through, if it is one of these names: “put me through to Ben”,
/// “could I speak to the sales desk about my order, please”.
pub(super) fn referral(said: &str, names: &[String]) -> Option<Referral> {
    let said = words(said);
    let asked = ASKING
        .iter()
        .filter_map(|it| after(&said, it))
        .max_by_key(|it| it.len())?;
    let found = names.iter().find_map(|name| {
        let spoken = name.replace(['-', '_'], " ").to_lowercase();
        after_name(asked, &spoken).map(|rest| (name, rest))
    });
    let (to, rest) = found?;
    let about = after(rest, "about").or_else(|| after(rest, "regarding"));
    let about = about.unwrap_or_default().iter();
    let about: Vec<_> = about.map(Word::raw).collect();
    let about = about.join(" ");
    let about = about.trim_end_matches(|it: char| !it.is_alphanumeric());
    let about = about.strip_suffix("please").unwrap_or(about);
    let about = about.trim_end_matches(|it: char| !it.is_alphanumeric());
    Some(Referral {
        to: to.clone(),
        about: Private::from(about.to_owned()),
    })
}

/// What comes after the first place where these words stand.
fn after<'w>(said: &'w [Word], phrase: &str) -> Option<&'w [Word]> {
    let phrase: Vec<_> = phrase.split_whitespace().collect();
    let at = said.windows(phrase.len()).position(|it| {
        it.iter()
            .map(|word| word.low.as_str())
            .eq(phrase.iter().copied())
    })?;
    Some(&said[at + phrase.len()..])
}

/// The same for a name, of which each word may have been heard a letter wrong: “been” is Ben.
fn after_name<'w>(said: &'w [Word], name: &str) -> Option<&'w [Word]> {
    let name: Vec<_> = name.split_whitespace().collect();
    let alike = |heard: &str, meant: &str| {
        heard == meant || (meant.len() >= 3 && strsim::damerau_levenshtein(heard, meant) <= 1)
    };
    let at = said.windows(name.len()).position(|it| {
        it.iter()
            .zip(&name)
            .all(|(word, meant)| alike(&word.low, meant))
    })?;
    Some(&said[at + name.len()..])
}

const ASKING: &[&str] = &[
    "put me through",
    "transfer me",
    "connect me",
    "speak to",
    "speak with",
    "talk to",
    "talk with",
    "pass me to",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_asked_for_by_name_is_found() {
        let names = ["ben".to_owned(), "sales-desk".to_owned()];
        for (said, meant) in [
            (
                "Could you put me through to Ben, please?",
                Some(("ben", "")),
            ),
            (
                "Hi, I would like to speak to Ben about the order of last week, please.",
                Some(("ben", "the order of last week")),
            ),
            ("Can I talk to the sales desk?", Some(("sales-desk", ""))),
            (
                "Transfer me to Ben regarding my bill.",
                Some(("ben", "my bill")),
            ),
            ("Please tell Ben to call me back.", None),
            ("Put me through to been, please.", Some(("ben", ""))),
            ("I want to speak to somebody.", None),
            ("My name is Ben.", None),
        ] {
            let found = referral(said, &names);
            let found = found
                .as_ref()
                .map(|it| (it.to.as_str(), it.about.reveal().as_str()));
            assert_eq!(found, meant, "{said}");
        }
    }
}
