//! How well words were heard.

/// How many of the words of `reference` were heard wrongly, were missed, or were added, per word of
/// the reference: 0 is perfect, and more than 1 is possible. Case, punctuation, digits or words for
/// numbers, and common ways to write the same thing make no difference.
pub fn error_rate(reference: &str, heard: &str) -> f64 {
    let (reference, heard) = (normalise(reference), normalise(heard));
    if reference.is_empty() {
        return if heard.is_empty() { 0.0 } else { 1.0 };
    }
    distance(&reference, &heard) as f64 / reference.len() as f64
}

/// How many words count in a reference, as [`error_rate`] counts them.
pub fn count(text: &str) -> usize {
    normalise(text).len()
}

/// The words of a text, each in the one form in which it is compared.
pub fn normalise(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
    let text: Vec<String> = text.split_whitespace().map(money).collect();
    let text = marks(&text.join(" "));
    let mut words = Vec::new();
    // Whether a decimal point is said, written or taken for a colon is anyone's guess.
    for word in text.split_whitespace().filter(|it| *it != "point") {
        match word.bytes().all(|it| it.is_ascii_digit()) {
            true => words.extend(spell(word)),
            false => words.extend(same(word).split(' ').map(str::to_owned)),
        }
    }
    join(words)
}

/// Writes money in the order it is said in: `$5.50` is `5 dollars 50`.
fn money(word: &str) -> String {
    let Some(amount) = word.strip_prefix('$') else {
        return word.to_owned();
    };
    let whole = amount
        .find(|it: char| !(it.is_ascii_digit() || it == ','))
        .unwrap_or(amount.len());
    format!(
        "{} dollars {}",
        &amount[..whole],
        amount[whole..].trim_start_matches('.')
    )
}

/// Puts a space where a mark stood, a word where a sign stood for one, and nothing for an apostrophe.
fn marks(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (n, it) in chars.iter().enumerate() {
        let digit = |at: Option<usize>| {
            let it = at.and_then(|at| chars.get(at));
            it.is_some_and(char::is_ascii_digit)
        };
        let inside = digit(n.checked_sub(1)) && digit(Some(n + 1));
        match it {
            '\'' => {}
            ',' if inside => {}
            '%' => out.push_str(" percent "),
            '&' => out.push_str(" and "),
            '#' => out.push_str(" pound "),
            '*' => out.push_str(" star "),
            it if it.is_alphanumeric() => out.push(*it),
            _ => out.push(' '),
        }
    }
    out
}

/// A number as it is read: short ones as a quantity, long ones digit by digit.
fn spell(digits: &str) -> Vec<String> {
    let quantity = digits.parse::<u32>().ok();
    let short =
        quantity.filter(|it| *it < 10_000 && !(digits.len() > 1 && digits.starts_with('0')));
    let Some(number) = short else {
        let digit = |it: u8| UNITS[usize::from(it - b'0')].to_owned();
        return digits.bytes().map(digit).collect();
    };
    let mut words = Vec::new();
    let mut rest = number as usize;
    for (size, name) in [(1_000, "thousand"), (100, "hundred")] {
        if rest >= size {
            words.extend([UNITS[rest / size], name]);
            rest %= size;
        }
    }
    if rest >= 20 {
        words.push(TENS[rest / 10]);
        rest %= 10;
    }
    if rest > 0 || words.is_empty() {
        words.push(UNITS[rest]);
    }
    words.into_iter().map(str::to_owned).collect()
}

fn same(word: &str) -> &str {
    let found = SAME.iter().find(|(written, _)| *written == word);
    found.map_or(word, |(_, meant)| meant)
}

/// Makes one word of what some write as two.
fn join(words: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let whole = joined.last().map(|before| format!("{before}{word}"));
        match whole.filter(|it| JOINED.contains(&it.as_str())) {
            Some(whole) => {
                joined.pop();
                joined.push(whole);
            }
            None => joined.push(word),
        }
    }
    joined
}

/// The fewest words to change, drop or add.
fn distance(one: &[String], other: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, left) in one.iter().enumerate() {
        let mut corner = row[0];
        row[0] = n + 1;
        for (m, right) in other.iter().enumerate() {
            let change = corner + usize::from(left != right);
            corner = row[m + 1];
            row[m + 1] = change.min(row[m] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

const SAME: &[(&str, &str)] = &[
    ("1st", "first"),
    ("2nd", "second"),
    ("3rd", "third"),
    ("cancelled", "canceled"),
    ("colour", "color"),
    ("dr", "doctor"),
    ("grey", "gray"),
    ("hash", "pound"),
    ("hullo", "hello"),
    ("im", "i am"),
    ("its", "it is"),
    ("mr", "mister"),
    ("ok", "okay"),
    ("thats", "that is"),
    ("whats", "what is"),
    ("youre", "you are"),
];

const JOINED: &[&str] = &[
    "callback",
    "cannot",
    "email",
    "extention",
    "goodbye",
    "hangup",
    "inbox",
    "login",
    "logoff",
    "logon",
    "mailbox",
    "online",
    "setup",
    "voicemail",
    "voicemails",
    "website",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_the_same_words_are_the_same() {
        let cases = [
            ("Good-bye, Mr. O'Neil!", "goodbye mister oneil"),
            ("Press 1 for e-mail.", "press one for email"),
            ("It's 25% off", "it is twenty-five percent off"),
            ("$5.50, at 3.30", "five dollars fifty at 3:30"),
            (
                "1,250 people, 3.5 days",
                "one thousand two hundred fifty people three point five days",
            ),
            (
                "call 5551234567",
                "call five five five one two three four five six seven",
            ),
            ("your voice mail can not", "your voicemail cannot"),
        ];
        for (one, other) in cases {
            assert_eq!(normalise(one), normalise(other));
        }
    }

    #[test]
    fn wrong_missing_and_added_words_count() {
        assert_eq!(error_rate("we open at nine", "we open at nine."), 0.0);
        assert_eq!(error_rate("we open at nine", "we opened at nine"), 0.25);
        assert_eq!(error_rate("we open at nine", "open at nine"), 0.25);
        assert_eq!(error_rate("we open at nine", "we open at about nine"), 0.25);
        assert_eq!(error_rate("hello", ""), 1.0);
        assert_eq!(error_rate("", ""), 0.0);
        assert_eq!(error_rate("", "thank you"), 1.0);
    }
}
