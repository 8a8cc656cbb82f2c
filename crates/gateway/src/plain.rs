//! Text for a terminal that somebody else may have written: a caller, an agent, a carrier.
//!
//! A terminal obeys what it is shown. So of what is printed only letters are left, line breaks and tabs,
//! and the few colours that are ours.

use std::borrow::Cow;

/// Text without anything that a terminal obeys, or that turns its direction.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_obeyed) {
        Cow::Owned(text.chars().filter(|it| !is_obeyed(*it)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The same of text that we have coloured.
pub(crate) fn coloured(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ESCAPE) {
        shown.push_str(&plain(&rest[..at]));
        rest = &rest[at..];
        let end = rest.find('m').filter(|end| is_colour(&rest[..*end]));
        let (colour, after) = rest.split_at(end.map_or(ESCAPE.len_utf8(), |end| end + 1));
        if end.is_some() {
            shown.push_str(colour);
        }
        rest = after;
    }
    shown.push_str(&plain(rest));
    shown
}

/// Whether this is what a colour of ours begins with, up to its last letter. None of them hides anything.
fn is_colour(text: &str) -> bool {
    let Some(codes) = text.strip_prefix("\u{1b}[") else {
        return false;
    };
    let ours =
        |it: &str| matches!(it.parse::<u8>(), Ok(0..=4 | 31..=37 | 91..=97)) || it.is_empty();
    codes.split(';').all(ours)
}

fn is_obeyed(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Line separators, and what turns the direction of writing, or marks where it turns.
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
            true
        }
        c => c.is_control(),
    }
}

const ESCAPE: char = '\u{1b}';

#[cfg(test)]
mod tests {
    use super::*;

    /// What people have sent to terminals.
    const HOSTILE: &[&str] = &[
        "\u{1b}]0;owned\u{7}",
        "\u{1b}]52;c;cm0gLXJm\u{7}",
        "\u{1b}]8;;http://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\",
        "\u{1b}[2J\u{1b}[H",
        "\u{1b}[8mhidden\u{1b}[0m",
        "\u{1b}[6n",
        "\u{1b}P$q\u{1b}\\",
        "\u{1b}c",
        "\u{9b}2J",
        "\u{9d}0;owned\u{9c}",
        "overwritten\rnothing happened",
        "back\u{8}\u{8}\u{8}\u{8}",
        "\u{7}\u{0}\u{7f}",
        "\u{202e}gnp.exe",
        "a\u{2028}b",
        "\u{1b}\u{1b}[31m[2J",
        "\u{1b}[38;2;0;0;0mblack",
        "\u{1b}[31",
        "\u{1b}",
    ];

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for hostile in HOSTILE {
            for text in [plain(hostile).into_owned(), coloured(&plain(hostile))] {
                assert!(!text.chars().any(is_obeyed), "{hostile:?} became {text:?}");
            }
            // Where somebody forgot to take them out of one word, no more than a colour is left.
            let line = coloured(hostile);
            let bare = line.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
            assert!(!bare.chars().any(is_obeyed), "{hostile:?} became {line:?}");
        }
    }

    #[test]
    fn letters_stay_as_they_are() {
        for text in ["Grüße,\n\t東京 👩‍👩‍👧 ☎", "", "a [31m b"] {
            assert_eq!(plain(text), text);
            assert_eq!(coloured(text), text);
        }
        let ours = "\u{1b}[1m\u{1b}[36mcaller:\u{1b}[0m hello";
        assert_eq!(coloured(ours), ours);
    }
}
