//! What a caller means, from the words a transcriber heard: names, yes and no, messages.
//!
//! English, and rules of thumb: what is not understood is asked again, so a rule that is unsure
//! says nothing rather than something wrong.

use crate::phrases::{
    ADDING, AFTER_NAME, AGREEING, ANEW, ASKING, CORRECTING, DECLINING, DISAGREEING, ENOUGH,
    FILLERS, GREETINGS, INTRODUCING, ITS, JOINING, LEADING_OVER, NO, NOT_A_NAME, PARDON,
    PERHAPS_INTRODUCING, THANKS, TITLES, UMS, UNFINISHED, WAIT, WANTING, WILLING, YES,
    YES_IN_SPITE_OF_NO,
};

/// One word of what the caller said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// As transcribed, with its punctuation.
    raw: String,
    /// In lower case, without punctuation at its ends.
    pub(crate) low: String,
    /// Whether a pause follows: it ends in a punctuation mark that ends a clause.
    pause: bool,
}

impl Word {
    /// As transcribed, with its punctuation.
    pub(crate) fn raw(&self) -> &str {
        &self.raw
    }
}

/// A caller's name, and what else was said with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// As the caller gave it.
    pub name: String,
    /// The words around it.
    pub rest: Vec<Word>,
}

/// An answer to a question that wants a yes or a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    No,
    Neither,
}

/// Splits what was said into words.
pub(crate) fn words(said: &str) -> Vec<Word> {
    said.replace(['\u{2019}', '\u{2018}'], "'")
        .split_whitespace()
        .filter_map(word)
        .collect()
}

fn word(raw: &str) -> Option<Word> {
    let low = raw
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    if low.is_empty() {
        return None;
    }
    let stop = raw.ends_with([',', '.', '!', '?', ';', ':', '…']) || raw.ends_with("--");
    let shortened = TITLES.contains(&low.as_str()) || low.chars().count() == 1;
    let pause = stop && !(raw.ends_with('.') && shortened);
    Some(Word {
        raw: raw.to_owned(),
        low,
        pause,
    })
}

/// The caller's name, if they said it in so many words: “this is Anna Smith calling”, “my name is
/// Bob”, “it's Joe”, “Maria here”.
pub(crate) fn introduction(words: &[Word]) -> Option<Named> {
    let before = (0..words.len()).find_map(|at| spoken_before(words, at));
    before.or_else(|| spoken_after(words))
}

/// The caller's name, as the answer to the question for it: an introduction, or nothing but a name.
pub(crate) fn name(words: &[Word]) -> Option<Named> {
    introduction(words).or_else(|| bare(words))
}

/// Reads a yes or a no from the beginning of an answer, and what follows it.
pub(crate) fn verdict(words: &[Word]) -> (Verdict, &[Word]) {
    let mut words = after_any(words, &[FILLERS]);
    if words.len() > 1 && words[0].low == "sorry" {
        words = &words[1..];
    }
    for (phrases, verdict, same) in [
        (YES_IN_SPITE_OF_NO, Verdict::Yes, AGREEING),
        (NO, Verdict::No, DISAGREEING),
        (YES, Verdict::Yes, AGREEING),
    ] {
        if let Some(rest) = after_one(words, phrases) {
            let only_repeats = rest.iter().all(|word| same.contains(&word.low.as_str()));
            let rest = after_any(rest, &[phrases, FILLERS]);
            return (verdict, if only_repeats { &[] } else { rest });
        }
    }
    let agrees = words
        .iter()
        .all(|word| AGREEING.contains(&word.low.as_str()));
    if !words.is_empty() && (agrees || after_any(words, &[ENOUGH, THANKS]).is_empty()) {
        return (Verdict::Yes, &[]);
    }
    (Verdict::Neither, words)
}

/// The message in what was said, without greetings before it and thanks after it.
pub(crate) fn message(words: &[Word]) -> &[Word] {
    let words = after_any(words, &[GREETINGS, UMS, WILLING, ASKING]);
    without_thanks(words)
}

/// What was added to a message, without the words that only lead over to it.
pub(crate) fn addition(words: &[Word]) -> &[Word] {
    let mut words = after_any(words, &[UMS, LEADING_OVER]);
    while let Some(rest) = after_one(words, WAIT) {
        let pause = words[words.len() - rest.len() - 1].pause;
        if !pause {
            break;
        }
        words = after_any(rest, &[UMS, LEADING_OVER]);
    }
    message(words)
}

/// Whether there is nothing but the wish to leave a message.
pub(crate) fn only_asks(words: &[Word]) -> bool {
    let rest = after_any(words, &[GREETINGS, UMS, WILLING]);
    !rest.is_empty() && after_any(rest, &[ASKING, THANKS, UMS]).is_empty()
}

/// Whether the caller has said that this was all.
pub(crate) fn says_enough(words: &[Word]) -> bool {
    let ends = (0..words.len()).any(|at| {
        let rest = after_one(&words[at..], ENOUGH);
        rest.is_some_and(|rest| after_any(rest, &[ENOUGH, THANKS]).is_empty())
    });
    let rest = after_any(words, &[FILLERS, YES]);
    ends || (!rest.is_empty() && after_any(rest, &[FILLERS, THANKS]).is_empty())
}

/// Whether what was said breaks off, so that more will come.
pub(crate) fn breaks_off(words: &[Word]) -> bool {
    let Some(last) = words.last() else {
        return false;
    };
    let sentence_over = last.raw.ends_with(['.', '!', '?']);
    after_any(words, &[WAIT, FILLERS]).is_empty()
        || last.raw.ends_with("...")
        || last.raw.ends_with(['…', ','])
        || (!sentence_over && UNFINISHED.contains(&last.low.as_str()))
}

/// Whether the caller declines to give what was asked for.
pub(crate) fn declines(words: &[Word]) -> bool {
    let words = after_any(words, &[FILLERS]);
    after_one(words, DECLINING).is_some() || after_any(words, &[NO, THANKS]).is_empty()
}

/// Whether the caller did not hear or understand us.
pub(crate) fn asks_again(words: &[Word]) -> bool {
    let words = after_any(words, &[FILLERS]);
    after_one(words, PARDON).is_some_and(|rest| rest.len() <= 3)
}

/// Whether the caller wants to know who or what answers, or to be put through.
pub(crate) fn asks_for_someone(words: &[Word]) -> bool {
    let start = words.len() - after_any(words, &[GREETINGS, FILLERS, YES]).len();
    let begins = |at: &usize| *at == start || (*at > 0 && words[at - 1].pause);
    (0..words.len())
        .filter(begins)
        .any(|at| after_one(&words[at..], WANTING).is_some())
}

/// Whether there is nothing but a greeting.
pub(crate) fn only_greets(words: &[Word]) -> bool {
    after_any(words, &[GREETINGS, FILLERS]).is_empty()
}

/// Whether the caller takes leave.
pub(crate) fn takes_leave(words: &[Word]) -> bool {
    words
        .iter()
        .any(|word| matches!(word.low.as_str(), "bye" | "goodbye" | "bye-bye"))
}

/// Whether the caller adds to what they said before.
pub(crate) fn adds(words: &[Word]) -> bool {
    after_one(words, ADDING).is_some()
}

/// Whether the caller puts something right: “make that Tuesday”, “Tuesday, not Monday”.
pub(crate) fn corrects(words: &[Word]) -> bool {
    let actually = words.first().is_some_and(|word| word.low == "actually");
    let rest = after_any(words, &[FILLERS]);
    let leads = after_one(rest, CORRECTING).is_some_and(|rest| !rest.is_empty());
    (actually && !rest.is_empty()) || leads || instead(words).is_some()
}

/// Whether the caller says the message anew.
pub(crate) fn says_anew(words: &[Word]) -> bool {
    after_one(words, ANEW).is_some()
}

/// “Tuesday, not Monday”: what is right and what is wrong.
pub(crate) fn instead(words: &[Word]) -> Option<(String, String)> {
    let words = after_any(words, &[FILLERS, ITS]);
    let at = words.iter().position(|word| word.low == "not")?;
    let (right, wrong) = (&words[..at], without_thanks(&words[at + 1..]));
    let short = (1..=4).contains(&right.len()) && (1..=4).contains(&wrong.len());
    short.then(|| (plain(right), plain(wrong)))
}

/// Whether the words speak of the name, and whether of the message.
pub(crate) fn speaks_of(words: &[Word]) -> (bool, bool) {
    let has = |these: &[&str]| words.iter().any(|word| these.contains(&word.low.as_str()));
    let both = has(&["both", "everything", "all"]);
    (both || has(&["name"]), both || has(&["message"]))
}

/// The words again, as they were said.
pub(crate) fn said(words: &[Word]) -> String {
    let text: Vec<&str> = words.iter().map(|word| word.raw.as_str()).collect();
    text.join(" ")
}

/// What was said before it broke off, to be continued.
pub(crate) fn begun(words: &[Word]) -> String {
    let mut end = words.len();
    while end > 0 && UMS.contains(&words[end - 1].low.as_str()) {
        end -= 1;
    }
    if after_any(&words[..end], &[WAIT]).is_empty() {
        return String::new();
    }
    said(&words[..end])
        .trim_end_matches(['.', '…', '-'])
        .to_owned()
}

/// What is left after as many of these phrases as begin the words.
fn after_any<'w>(mut words: &'w [Word], phrases: &[&[&str]]) -> &'w [Word] {
    while let Some(rest) = phrases.iter().find_map(|them| after_one(words, them)) {
        words = rest;
    }
    words
}

/// What is left after the longest of these phrases that begins the words.
fn after_one<'w>(words: &'w [Word], phrases: &[&str]) -> Option<&'w [Word]> {
    let longest = phrases.iter().filter_map(|phrase| {
        let parts = phrase.split(' ');
        let length = parts.clone().count();
        let same = words.len() >= length && parts.zip(words).all(|(part, word)| part == word.low);
        same.then_some(length)
    });
    longest.max().map(|length| &words[length..])
}

fn without_thanks(words: &[Word]) -> &[Word] {
    // Only what stands by itself: “tell her thank you” keeps its thanks.
    for at in 0..words.len() {
        let rest = &words[at..];
        let alone = at == 0 || words[at - 1].pause;
        let enough = after_one(rest, ENOUGH).is_some();
        if (alone || enough) && after_any(rest, &[FILLERS, ENOUGH, THANKS]).is_empty() {
            return &words[..at];
        }
    }
    words
}

/// A name after an introduction that begins at `at`.
fn spoken_before(words: &[Word], at: usize) -> Option<Named> {
    let named = &words[at..];
    let sure = after_one(named, INTRODUCING);
    let from = sure.or_else(|| after_one(named, PERHAPS_INTRODUCING))?;
    let start = words.len() - from.len();
    let begins_clause =
        at == 0 || words[at - 1].pause || GREETINGS.contains(&words[at - 1].low.as_str());
    if sure.is_none() && !begins_clause && !soft(&words[at - 1]) {
        return None;
    }
    let length = length_of_name(from)?;
    if sure.is_none() && lower_case_among_capitals(words, &from[0]) {
        return None;
    }
    let mut end = start + length;
    while words
        .get(end)
        .is_some_and(|word| AFTER_NAME.contains(&word.low.as_str()))
    {
        end += 1;
    }
    let rest = [&words[..at], &words[end..]].concat();
    Some(Named {
        name: capitals(&from[..length]),
        rest,
    })
}

/// Where the transcriber writes capitals, a name has one: “It's blue” introduces nobody.
fn lower_case_among_capitals(words: &[Word], name: &Word) -> bool {
    let capital = |word: &Word| word.raw.chars().any(char::is_uppercase) && word.low != "i";
    words.iter().any(capital) && name.raw.chars().next().is_some_and(char::is_lowercase)
}

/// “Maria here.”, “Anna Smith speaking, please call me back.”
fn spoken_after(words: &[Word]) -> Option<Named> {
    let start = words.len() - after_any(words, &[GREETINGS, FILLERS]).len();
    let said = &words[start..];
    let length = length_of_name(said)?;
    let here = said
        .get(length)
        .filter(|word| matches!(word.low.as_str(), "here" | "speaking"))?;
    let ends = here.pause || said.len() == length + 1;
    let rest = said[length + 1..].to_vec();
    ends.then(|| Named {
        name: capitals(&said[..length]),
        rest,
    })
}

/// Nothing but a name, with the little words around it.
fn bare(said: &[Word]) -> Option<Named> {
    let words = after_any(said, &[GREETINGS, FILLERS, YES, &["just", "it's", "from"]]);
    let length = length_of_name(words)?;
    if lower_case_among_capitals(said, &words[0]) {
        return None;
    }
    let after = after_any(
        &words[length..],
        &[THANKS, &["please", "here", "calling", "speaking"]],
    );
    // “Anna, A N N A”, “Smith, John Smith”: what follows only says it again.
    let again = after.iter().all(|word| {
        word.low.chars().count() == 1
            || word.low.contains('-')
            || words[..length].iter().any(|it| it.low == word.low)
            || (after.len() <= 3 && may_be_name(word))
    });
    again.then(|| {
        let spelled = after
            .first()
            .is_none_or(|word| word.low.chars().count() == 1 || word.low.contains('-'));
        let whole = if spelled { &words[..length] } else { words };
        let rest = Vec::new();
        Named {
            name: capitals(&whole[..whole.len().min(5)]),
            rest,
        }
    })
}

/// How many words from the start are a name; `None` if the first is none.
fn length_of_name(words: &[Word]) -> Option<usize> {
    let mut length = 0;
    let mut from = false;
    for word in words.iter().take(LONGEST_NAME) {
        let joins =
            length > 0 && (word.low == "from" || (from && JOINING.contains(&word.low.as_str())));
        if !joins && !may_be_name(word) {
            break;
        }
        from |= word.low == "from";
        length += 1;
        if word.pause {
            break;
        }
    }
    // “Anna from the” is not where a name ends.
    while length > 0
        && (words[length - 1].low == "from" || JOINING.contains(&words[length - 1].low.as_str()))
    {
        length -= 1;
    }
    (length > 0).then_some(length)
}

fn may_be_name(word: &Word) -> bool {
    let letters = word
        .low
        .chars()
        .all(|c| c.is_alphabetic() || c == '\'' || c == '-' || c == '.');
    letters && !NOT_A_NAME.contains(&word.low.as_str())
}

fn soft(word: &Word) -> bool {
    FILLERS.contains(&word.low.as_str())
        || YES.contains(&word.low.as_str())
        || NO.contains(&word.low.as_str())
}

/// Names as people write them, also where the transcriber writes all in lower case. What stands
/// behind “from” is left as it is: it may be a name or “the dental office”.
fn capitals(words: &[Word]) -> String {
    let from = words
        .iter()
        .position(|word| word.low == "from")
        .unwrap_or(words.len());
    let written: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(at, word)| {
            let title = TITLES.contains(&word.low.as_str()) || word.low.chars().count() == 1;
            let raw = word
                .raw
                .trim_matches(if title { MARKS } else { MARKS_AND_DOTS });
            let mut letters = raw.chars();
            match letters.next() {
                Some(first) if at < from && !raw.chars().any(char::is_uppercase) => {
                    format!("{}{}", first.to_uppercase(), letters.as_str())
                }
                Some(_) | None => raw.to_owned(),
            }
        })
        .collect();
    written.join(" ")
}

fn plain(words: &[Word]) -> String {
    said(words)
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_owned()
}

const MARKS: &[char] = &[',', '!', '?', ';', ':', '…', '"', '(', ')'];
const MARKS_AND_DOTS: &[char] = &['.', ',', '!', '?', ';', ':', '…', '"', '(', ')'];
const LONGEST_NAME: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_said() {
        for (said, expected) in [
            ("This is Anna Smith calling.", "Anna Smith"),
            ("My name is Bob.", "Bob"),
            ("It's Joe.", "Joe"),
            ("Maria here.", "Maria"),
            ("Anna Smith.", "Anna Smith"),
            ("uh anna", "Anna"),
            (
                "Hello, this is Dr. Brown from the dental office.",
                "Dr. Brown from the dental office",
            ),
            ("Hi there, I'm Jean-Luc Picard", "Jean-Luc Picard"),
            ("Yes, my name's O'Brien.", "O'Brien"),
            (
                "Good morning. You're speaking with Mr. J. Doe",
                "Mr. J. Doe",
            ),
            ("Anna, A N N A.", "Anna"),
            ("Smith. John Smith.", "Smith John Smith"),
            ("Anna Smith speaking, please call me back.", "Anna Smith"),
            ("Yeah, it's Joe again", "Joe"),
            ("Just Bob, please.", "Bob"),
            ("The name\u{2019}s Bond. James Bond.", "Bond"),
            ("Müller", "Müller"),
            (
                "Hello my name is sarah connor and i would like to order",
                "Sarah Connor",
            ),
        ] {
            let found = name(&words(said)).map(|it| it.name);
            assert_eq!(found.as_deref(), Some(expected), "{said}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_taken_for_one() {
        for said in [
            "",
            "Hello?",
            "I'm calling about the car.",
            "It's about tomorrow.",
            "What?",
            "This is a message for Maria.",
            "I'm not sure.",
            "Can I speak to Maria?",
            "it's urgent",
            "I'm sorry, what did you say?",
            "Yes.",
            "No.",
            "Thank you.",
            "It is very important",
            "Please call me back at five five five one two three four.",
            "555 1234",
            "um",
            "I would like to leave a message.",
            "It's blue.",
            "Is this Maria?",
            "Twenty.",
        ] {
            assert_eq!(name(&words(said)), None, "{said}");
        }
    }

    #[test]
    fn what_is_said_with_the_name_is_kept() {
        let named = name(&words(
            "Hi, this is Anna, please tell Tom to call me back. Thanks!",
        ));
        let named = named.expect("there is a name in it");
        assert_eq!(named.name, "Anna");
        assert_eq!(
            said(message(&named.rest)),
            "please tell Tom to call me back."
        );
    }

    #[test]
    fn yes_and_no_are_told_apart() {
        use Verdict::{Neither, No, Yes};
        for (said, expected) in [
            ("Yes.", Yes),
            ("yeah that's right", Yes),
            ("Correct!", Yes),
            ("Yep, perfect, thank you.", Yes),
            ("No, that's right.", Yes),
            ("No problem.", Yes),
            ("Mm-hmm.", Yes),
            ("Thank you, bye.", Yes),
            ("That's all.", Yes),
            ("Okay", Yes),
            ("um, yes", Yes),
            ("Sounds good.", Yes),
            ("Yes, this is correct.", Yes),
            ("It is.", Yes),
            ("yes that sounds right", Yes),
            ("No.", No),
            ("Nope", No),
            ("That's not right.", No),
            ("not quite", No),
            ("No, no, no!", No),
            ("That's wrong.", No),
            ("no, my name is Anna", No),
            ("It isn't.", No),
            ("Incorrect", No),
            ("Sorry, no, that's wrong.", No),
            ("That's not my name.", No),
            ("Purple.", Neither),
            ("It is in room two.", Neither),
            ("Sorry?", Neither),
            ("", Neither),
            ("What?", Neither),
            ("tell him to hurry", Neither),
        ] {
            assert_eq!(verdict(&words(said)).0, expected, "{said}");
        }
    }

    #[test]
    fn thanks_are_no_part_of_a_message() {
        for (said, expected) in [
            (
                "Please call me back. Thank you, bye.",
                "Please call me back.",
            ),
            (
                "um so the car is ready that's all thank you",
                "the car is ready",
            ),
            ("Tell her thank you.", "Tell her thank you."),
            ("Yes, I'd like to leave a message.", ""),
            (
                "Can I leave a message? The keys are under the mat.",
                "The keys are under the mat.",
            ),
            ("That's all, thank you.", ""),
            ("", ""),
            ("Sorry I missed you.", "Sorry I missed you."),
            ("It is in room two.", "It is in room two."),
            ("Wait for me at the station.", "Wait for me at the station."),
        ] {
            assert_eq!(super::said(message(&words(said))), expected, "{said}");
        }
    }

    #[test]
    fn a_sentence_that_breaks_off_is_noticed() {
        for said in [
            "My number is",
            "I will come at five and",
            "Hold on.",
            "um",
            "please tell him,",
            "Well...",
        ] {
            assert!(breaks_off(&words(said)), "{said}");
        }
        for said in [
            "My number is five.",
            "Call me back",
            "Is this what it looks like?",
            "Come in.",
        ] {
            assert!(!breaks_off(&words(said)), "{said}");
        }
    }
}
