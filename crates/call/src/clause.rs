//! Where a stream of tokens can be cut into speech.
//!
//! A clause is the unit of what is said and what is heard. The first one of a turn is cut as early
//! as it makes sense, for somebody is waiting; the others where a reader would breathe. Where a
//! text is cut depends on the text alone, never on how it was cut into tokens: a place is decided
//! about only once everything it depends on is there.

use crate::words::has_words;

/// Cuts a text that is known in full into what is said in one go: itself, if it is short.
///
/// The gateway uses this to have phrases made into sound before they are needed.
pub fn clauses(text: &str) -> Vec<String> {
    let whole = clean(text);
    if !has_words(&whole) {
        return Vec::new();
    }
    if whole.chars().count() <= SHORT {
        return vec![whole];
    }
    let mut cutter = Clauses {
        stage: Stage::Later,
        ..Clauses::default()
    };
    let mut clauses = cutter.push(text);
    clauses.extend(cutter.finish());
    clauses
}

/// Cuts one turn's tokens into clauses.
#[derive(Debug, Default)]
pub(crate) struct Clauses {
    stage: Stage,
    /// What is not cut yet.
    text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing has been cut: be quick.
    #[default]
    First,
    /// Something is being said: there is time.
    Later,
}

/// Whether more text may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Unknown,
    Nothing,
}

impl Clauses {
    /// Takes a few more words, and returns the clauses that are complete.
    pub(crate) fn push(&mut self, text: &str) -> Vec<String> {
        self.text.push_str(text);
        self.cut(Rest::Unknown)
    }

    /// Returns the clauses that are left. After this, a new text begins.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        let mut clauses = self.cut(Rest::Nothing);
        let last = clean(&std::mem::take(&mut self.text));
        if has_words(&last) {
            clauses.push(last);
        }
        self.stage = Stage::First;
        clauses
    }

    fn cut(&mut self, rest: Rest) -> Vec<String> {
        let mut clauses = Vec::new();
        while let Some(end) = first_cut(&self.text, self.stage, rest) {
            let left = self.text.split_off(end);
            let clause = clean(&std::mem::replace(&mut self.text, left));
            if has_words(&clause) {
                clauses.push(clause);
                self.stage = Stage::Later;
            }
        }
        clauses
    }
}

/// Where the first clause of `text` ends, in bytes, if that is certain.
fn first_cut(text: &str, stage: Stage, rest: Rest) -> Option<usize> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = 0;
    let mut in_word = false;
    for (i, &c) in chars.iter().enumerate() {
        if c.is_alphanumeric() && !in_word {
            words += 1;
            in_word = true;
        }
        let end = if c.is_whitespace() {
            in_word = false;
            let long = i >= LONG || (stage == Stage::First && words >= FIRST_AT_MOST);
            match (c, long) {
                ('\n', _) => Place::Cut(i + 1),
                (_, true) => space(&chars, i, rest),
                (_, false) => Place::No,
            }
        } else if SENTENCE_ENDS.contains(&c) {
            sentence_end(&chars, i, rest)
        } else if COMMAS.contains(&c) && words >= stage.words_at_comma() {
            comma(&chars, i, rest)
        } else {
            Place::No
        };
        match end {
            Place::Cut(end) if words > 0 => return Some(bytes(&chars[..end])),
            Place::Unknown => return None,
            Place::Cut(_) | Place::No => {}
        }
        if i + 1 >= LONGEST {
            return Some(bytes(&chars[..=i]));
        }
    }
    None
}

/// What a place in a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A clause ends here, before this character.
    Cut(usize),
    /// No clause ends here.
    No,
    /// That depends on text that is not there yet.
    Unknown,
}

impl Stage {
    fn words_at_comma(self) -> usize {
        match self {
            Self::First => FIRST_AT_LEAST,
            Self::Later => LATER_AT_LEAST,
        }
    }
}

/// A full stop, or the like, at `i`.
fn sentence_end(chars: &[char], i: usize, rest: Rest) -> Place {
    let follows = |c: &char| SENTENCE_ENDS.contains(c) || CLOSERS.contains(c);
    let after = chars[i + 1..].iter().take_while(|c| follows(c)).count() + i + 1;
    if WIDE_SENTENCE_ENDS.contains(&chars[i]) && after < chars.len() {
        return Place::Cut(after);
    }
    match chars.get(after) {
        None if rest == Rest::Unknown => Place::Unknown,
        None => Place::Cut(after),
        // Inside a number, a time, an address.
        Some(c) if !c.is_whitespace() => Place::No,
        Some(_) if chars[i] != '.' => Place::Cut(after),
        Some(_) => match full_stop(chars, i) {
            Stop::Sentence => Place::Cut(after),
            Stop::Abbreviation => Place::No,
            Stop::BeforeNumber => match next_solid(chars, after) {
                None if rest == Rest::Unknown => Place::Unknown,
                Some(c) if c.is_numeric() => Place::No,
                Some(_) | None => Place::Cut(after),
            },
        },
    }
}

/// A comma, or the like, at `i`.
fn comma(chars: &[char], i: usize, rest: Rest) -> Place {
    if WIDE_COMMAS.contains(&chars[i]) {
        return Place::Cut(i + 1);
    }
    match chars.get(i + 1) {
        None if rest == Rest::Unknown => Place::Unknown,
        None => Place::No,
        Some(c) if c.is_whitespace() => between_numbers(chars, i, i + 1, rest),
        Some(_) => Place::No,
    }
}

/// A space at `i`, where the clause has become long.
fn space(chars: &[char], i: usize, rest: Rest) -> Place {
    let before = chars[..i].iter().rposition(|c| !c.is_whitespace());
    match before {
        Some(stop) if chars[stop] == '.' && full_stop(chars, stop) != Stop::Sentence => Place::No,
        Some(last) => between_numbers(chars, last + 1, i, rest),
        None => Place::No,
    }
}

/// Cuts at `end`, unless a number ends right before `i` and another follows: "May 5, 2026".
fn between_numbers(chars: &[char], i: usize, end: usize, rest: Rest) -> Place {
    if i == 0 || !chars[i - 1].is_numeric() {
        return Place::Cut(end);
    }
    match next_solid(chars, end) {
        None if rest == Rest::Unknown => Place::Unknown,
        Some(c) if c.is_numeric() => Place::No,
        Some(_) | None => Place::Cut(end),
    }
}

/// What a full stop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Sentence,
    Abbreviation,
    /// "No. 5", but also "No. We are closed."
    BeforeNumber,
}

fn full_stop(chars: &[char], i: usize) -> Stop {
    let start = chars[..i].iter().rposition(|c| c.is_whitespace());
    let start = start.map_or(0, |it| it + 1);
    let word: String = chars[start..i].iter().collect();
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_lowercase();
    let first_word = chars[..start].iter().all(|c| !c.is_alphanumeric());
    let mut letters = word.split('.');
    if lower == "no" || lower == "nos" {
        Stop::BeforeNumber
    } else if ABBREVIATIONS.contains(&lower.as_str())
        // "U.S.", "p.m.", "J. Smith", but not "I."
        || (!word.is_empty() && word != "I" && letters.all(is_letter))
        // "1. Press the button."
        || (first_word && !word.is_empty() && word.chars().all(char::is_numeric))
    {
        Stop::Abbreviation
    } else {
        Stop::Sentence
    }
}

fn is_letter(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
}

fn next_solid(chars: &[char], from: usize) -> Option<char> {
    let mut rest = chars[from..].iter().copied();
    rest.find(|c| !c.is_whitespace() && !CLOSERS.contains(c))
}

fn bytes(chars: &[char]) -> usize {
    chars.iter().map(|c| c.len_utf8()).sum()
}

/// Takes out what is written for the eye: emphasis, headings, code marks, bullets, line breaks.
fn clean(text: &str) -> String {
    let text = text.trim_start();
    let bullet = text.strip_prefix(['-', '–', '•']);
    let text = bullet
        .filter(|it| it.starts_with(char::is_whitespace))
        .unwrap_or(text);
    let mut cleaned = String::with_capacity(text.len());
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let number = |c: Option<char>| c.is_some_and(|it| it.is_numeric());
        match c {
            '*' if number(before) && number(chars.peek().copied()) => cleaned.push_str(" times "),
            '*' | '#' | '`' => {}
            c if c.is_whitespace() => {
                if !cleaned.is_empty() && !cleaned.ends_with(' ') {
                    cleaned.push(' ');
                }
            }
            c => cleaned.push(c),
        }
        before = Some(c);
    }
    cleaned.truncate(cleaned.trim_end().len());
    cleaned
}

const SENTENCE_ENDS: &[char] = &['.', '!', '?', '…', '。', '！', '？'];
const WIDE_SENTENCE_ENDS: &[char] = &['。', '！', '？'];
const COMMAS: &[char] = &[',', ';', ':', '—', '，', '；', '：', '、'];
const WIDE_COMMAS: &[char] = &['，', '；', '：', '、'];
const CLOSERS: &[char] = &['"', '\'', ')', ']', '}', '”', '’', '»', '*', '_', '`'];

/// In words: a first clause is cut at a comma from here…
const FIRST_AT_LEAST: usize = 4;
/// … and at any space from here.
const FIRST_AT_MOST: usize = 12;
/// In words: a later clause is cut at a comma from here.
const LATER_AT_LEAST: usize = 12;
/// In characters: up to here nobody waits long for the sound of the whole, and one breath sounds best.
const SHORT: usize = 80;
/// In characters: any clause is cut at any space from here…
const LONG: usize = 200;
/// … and anywhere here.
const LONGEST: usize = 300;

/// That are followed by something. In lower case, without the last full stop.
const ABBREVIATIONS: &[&str] = &[
    "approx", "apr", "aug", "ave", "blvd", "bros", "capt", "cf", "co", "col", "corp", "dec",
    "dept", "dr", "e.g", "est", "etc", "ext", "feb", "fig", "fr", "gen", "gov", "hr", "hrs", "i.e",
    "inc", "jan", "jr", "jul", "jun", "lt", "ltd", "mar", "max", "messrs", "min", "mr", "mrs",
    "ms", "mt", "nov", "oct", "ph.d", "prof", "rev", "sep", "sept", "sgt", "sr", "st", "tel", "vs",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        for size in [1, 3, 7, text.len().max(1)] {
            assert_eq!(cut_by(text, |_| size), expected, "in tokens of {size}");
        }
    }

    fn cut_by(text: &str, mut size: impl FnMut(usize) -> usize) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        let mut cutter = Clauses::default();
        let mut clauses = Vec::new();
        let mut from = 0;
        while from < chars.len() {
            let to = (from + size(from).max(1)).min(chars.len());
            clauses.extend(cutter.push(&chars[from..to].iter().collect::<String>()));
            from = to;
        }
        clauses.extend(cutter.finish());
        clauses
    }

    #[test]
    fn the_first_clause_comes_early_and_the_others_at_sentence_ends() {
        check(
            "Sure. We open at nine, and we close at five. Goodbye!",
            &[
                "Sure.",
                "We open at nine, and we close at five.",
                "Goodbye!",
            ],
        );
        check(
            "We open at nine o'clock, and we close at five. Bye.",
            &["We open at nine o'clock,", "and we close at five.", "Bye."],
        );
        check("Well, yes, no, maybe", &["Well, yes, no, maybe"]);
        check(
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
            &[
                "one two three four five six seven eight nine ten eleven twelve",
                "thirteen fourteen",
            ],
        );
    }

    #[test]
    fn a_long_later_clause_is_cut_at_a_comma() {
        check(
            "Sure. You may come whenever it suits you on any day of the week, or the next one.",
            &[
                "Sure.",
                "You may come whenever it suits you on any day of the week,",
                "or the next one.",
            ],
        );
    }

    #[test]
    fn numbers_times_addresses_and_abbreviations_stay_whole() {
        for whole in [
            "It is 3.5 miles.",
            "That is $1,000 or so.",
            "We open at 10:30 today.",
            "Ask Dr. Smith at www.example.com/a.b?c=d please.",
            "Come at 9 a.m. or 5 p.m. please.",
            "Bring fruit, e.g. apples.",
            "Room No. 5 please.",
            "J. Smith of the U.S. Army.",
            "1. Press the button.",
            "Dial 555 123 4567 now.",
        ] {
            check(whole, &[whole]);
        }
        check(
            "It is on Monday May 5, 2026 at noon.",
            &["It is on Monday May 5, 2026 at noon."],
        );
        check("No. We are closed.", &["No.", "We are closed."]);
        check("So do I. Really.", &["So do I.", "Really."]);
    }

    #[test]
    fn what_is_written_for_the_eye_is_not_said() {
        check(
            "**Sure.** Here is `what` we have:\n- *apples*\n- pears\n\n# Prices\n2*3",
            &[
                "Sure.",
                "Here is what we have:",
                "apples",
                "pears",
                "Prices",
                "2 times 3",
            ],
        );
        check("***", &[]);
        check("...", &[]);
        check("", &[]);
    }

    #[test]
    fn quotes_stay_with_their_sentence() {
        check(
            "He said \"Stop!\" Then he left (at last.) Fine.",
            &["He said \"Stop!\"", "Then he left (at last.)", "Fine."],
        );
        check("やあ。元気？はい", &["やあ。", "元気？", "はい"]);
    }

    #[test]
    fn no_clause_is_longer_than_a_breath() {
        let endless = "a".repeat(1_000);
        for clause in cut_by(&endless, |_| 9) {
            assert!(clause.chars().count() <= LONGEST);
        }
        let text = "word ".repeat(400);
        for clause in cut_by(&text, |_| 4) {
            assert!(clause.chars().count() <= LONG + 5, "{clause:?}");
        }
    }

    #[test]
    fn a_short_text_is_said_in_one_go() {
        assert_eq!(clauses("Hello. This is *Ann*."), ["Hello. This is Ann."]);
        assert_eq!(clauses("Say it again. ".repeat(20).trim()).len(), 20);
        assert!(clauses(" … ").is_empty());
    }

    proptest! {
        /// However a text is cut into tokens, it is cut into the same clauses, and they say it all.
        #[test]
        fn tokens_do_not_matter(
            text in proptest::collection::vec(
                prop_oneof![
                    4 => "[a-z]{1,9}",
                    1 => "(Dr|Mr|e\\.g|a\\.m|No|J|I)",
                    1 => "[0-9$]{1,4}",
                    3 => "[ ]{1,2}",
                    1 => "[.,;:!?]{1,2}",
                    1 => "[\"')*#`\n—。é]",
                ],
                0..80,
            ).prop_map(|it| it.concat()),
            sizes in proptest::collection::vec(1_usize..12, 1..8),
        ) {
            let whole = cut_by(&text, |_| usize::MAX / 2);
            let pieces = cut_by(&text, |from| sizes[from % sizes.len()]);
            prop_assert_eq!(&whole, &pieces);
            let letters = |text: &str| {
                text.replace("times", "").chars().filter(|c| c.is_alphanumeric()).collect::<String>()
            };
            prop_assert_eq!(letters(&whole.concat()), letters(&text));
            for clause in &whole {
                prop_assert!(clause.chars().count() <= LONGEST + " times ".len() * 8);
                prop_assert!(!clause.contains(['*', '#', '`', '\n']));
            }
        }
    }
}
