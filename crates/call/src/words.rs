//! Small questions about words.

/// Joins two stretches of words.
pub(crate) fn join(mut left: String, right: &str) -> String {
    let right = right.trim();
    if !left.is_empty() && !right.is_empty() {
        left.push(' ');
    }
    left.push_str(right);
    left
}

/// Whether `text` is only what people say to show that they listen, not to take the floor.
pub(crate) fn is_backchannel(text: &str) -> bool {
    let mut count = 0;
    let all = plain(text).all(|word| {
        count += 1;
        BACKCHANNEL.contains(&word.as_str())
    });
    all && (1..=LONGEST_BACKCHANNEL).contains(&count)
}

/// An answer to a question that wants one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yes {
    Yes,
    No,
}

/// What else was said with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    NothingElse,
    More,
}

/// Whether `text` says yes or no. Yes is only what is nothing but a yes: where much hangs on it, a
/// doubt is no consent. Any word of refusal is a no.
pub(crate) fn answer(text: &str) -> Option<(Yes, Said)> {
    let words: Vec<String> = plain(text).collect();
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    let said = if words
        .iter()
        .all(|it| is(YES, it) || is(NO, it) || is(POLITE, it))
    {
        Said::NothingElse
    } else {
        Said::More
    };
    if words.iter().any(|it| is(NO, it)) {
        return Some((Yes::No, said));
    }
    let yes = words.iter().any(|it| is(YES, it)) && said == Said::NothingElse;
    yes.then_some((Yes::Yes, said))
}

/// Whether `text` has any word in it.
pub(crate) fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The words of `text` after `used`, if `text` begins with `used`. The last used word may have
/// been caught half said ("to" of "tomorrow"), so it need only be a beginning.
pub(crate) fn after<'t>(text: &'t str, used: &str) -> Option<&'t str> {
    let used: Vec<String> = plain(used).collect();
    let mut rest = text;
    for (i, word) in used.iter().enumerate() {
        let (next, left) = first_word(rest)?;
        let next: String = letters(next);
        let last = i + 1 == used.len();
        if next != *word && !(last && next.starts_with(word.as_str())) {
            return None;
        }
        rest = left;
    }
    Some(rest.trim())
}

/// Whether at least half of the words of `used` are at the beginning of `text`.
pub(crate) fn resembles(text: &str, used: &str) -> bool {
    let used: Vec<String> = plain(used).collect();
    let head: Vec<String> = plain(text).take(used.len() + 2).collect();
    let common = used.iter().filter(|it| head.contains(it)).count();
    common * 2 >= used.len().max(1)
}

/// The words of `text` in lower case and without punctuation.
pub(crate) fn plain(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .map(letters)
        .filter(|it| !it.is_empty())
}

fn letters(word: &str) -> String {
    let kept = word
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '\'' || *c == '-');
    let lower: String = kept.flat_map(char::to_lowercase).collect();
    lower.trim_matches(['-', '\'']).to_owned()
}

/// The first word that has letters, and what follows it.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let mut rest = text.trim_start();
    loop {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, left) = rest.split_at(end);
        if !letters(word).is_empty() {
            return Some((word, left));
        }
        rest = left.trim_start();
    }
}

/// "yes" and "no" are answers, and are not here.
const BACKCHANNEL: &[&str] = &[
    "ah", "aha", "ahh", "alright", "gotcha", "hm", "hmm", "hmmm", "huh", "mhm", "mhmm", "mm",
    "mm-hm", "mm-hmm", "mmhm", "mmhmm", "mmm", "oh", "ok", "okay", "ooh", "right", "sure", "uh",
    "uh-huh", "uhhuh", "um", "umm", "yeah", "yep", "yup",
];

/// In words. "Yeah yeah okay right" is a murmur; more is a remark.
const LONGEST_BACKCHANNEL: usize = 4;

const YES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "sure",
    "okay",
    "ok",
    "agreed",
    "certainly",
    "absolutely",
    "ja",
    "gerne",
    "oui",
    "sí",
    "si",
];

const NO: &[&str] = &[
    "no", "nope", "nah", "not", "don't", "dont", "never", "won't", "cannot", "can't", "refuse",
    "nein", "nicht", "non",
];

/// What goes with either and says nothing more.
const POLITE: &[&str] = &[
    "please", "thanks", "thank", "you", "of", "course", "fine", "that's", "it's", "go", "ahead",
    "bitte", "danke", "merci", "gracias", "well", "oh", "um", "uh",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_murmur_is_a_murmur_and_an_answer_is_not() {
        for murmur in ["uh-huh", "Yeah.", "Okay, yeah", "Mm-hmm!", " hmm… "] {
            assert!(is_backchannel(murmur), "{murmur:?}");
        }
        for words in [
            "",
            "…",
            "no",
            "yes",
            "okay stop",
            "yeah but",
            "okay okay okay okay okay",
        ] {
            assert!(!is_backchannel(words), "{words:?}");
        }
    }

    #[test]
    fn only_a_yes_and_nothing_else_is_consent() {
        for yes in [
            "Yes.",
            "yeah sure",
            "Oh, yes please!",
            "Ja, gerne.",
            "OK, that's fine",
        ] {
            assert_eq!(answer(yes), Some((Yes::Yes, Said::NothingElse)), "{yes:?}");
        }
        for no in ["No.", "no thanks", "Nein, danke."] {
            assert_eq!(answer(no), Some((Yes::No, Said::NothingElse)), "{no:?}");
        }
        for no in [
            "Yes, no, I do not want that",
            "I don't think so",
            "please never do that",
        ] {
            assert_eq!(answer(no), Some((Yes::No, Said::More)), "{no:?}");
        }
        for neither in [
            "",
            "Hello?",
            "fine",
            "Yes, I want to book a table",
            "Who is this?",
        ] {
            assert_eq!(answer(neither), None, "{neither:?}");
        }
    }

    #[test]
    fn what_follows_used_words_is_found_whatever_the_punctuation() {
        assert_eq!(after("When do you open?", "when do you open"), Some(""));
        assert_eq!(
            after("When do you open, tomorrow?", "when do you open"),
            Some("tomorrow?")
        );
        assert_eq!(after("I want it tomorrow now", "i want it to"), Some("now"));
        assert_eq!(after("for two", "when do you open"), None);
        assert_eq!(after("when", "when do you"), None);
        assert_eq!(after("anything", ""), Some("anything"));
    }

    #[test]
    fn a_revised_text_resembles_what_it_revises() {
        assert!(resembles("Um, when do you open", "when to you open"));
        assert!(!resembles("for two please", "when do you open"));
    }
}
