//! Where one answer of a program ends and the next begins, in plain text.

/// Finds it: at a blank line, or where the program asks for the next line with its prompt.
#[derive(Debug)]
pub(super) struct Blocks {
    /// What the program writes when it waits, if it writes something.
    prompt: Option<String>,
    /// The beginning of a line, as long as it may be the prompt.
    held: String,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Within,
}

/// A piece of what a program writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Words(String),
    End,
}

impl Blocks {
    pub(super) fn new(prompt: Option<String>) -> Self {
        Self {
            prompt,
            held: String::new(),
            at: At::Start,
        }
    }

    /// Takes what comes next.
    pub(super) fn push(&mut self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut words = String::new();
        for letter in text.chars().filter(|it| *it != '\r') {
            if self.ends(letter, &mut words) {
                if !words.is_empty() {
                    pieces.push(Piece::Words(std::mem::take(&mut words)));
                }
                pieces.push(Piece::End);
            }
        }
        if !words.is_empty() {
            pieces.push(Piece::Words(words));
        }
        pieces
    }

    /// Whether an answer ends with this letter; if not, what of it can be told is added to the words.
    fn ends(&mut self, letter: char, words: &mut String) -> bool {
        match (&self.prompt, self.at) {
            (Some(prompt), At::Start) => {
                self.held.push(letter);
                if self.held == *prompt {
                    self.held.clear();
                    return true;
                }
                if prompt.starts_with(&self.held) {
                    return false;
                }
                words.push_str(&std::mem::take(&mut self.held));
            }
            (None, At::Start) if letter == '\n' => return true,
            (None, At::Start) | (_, At::Within) => words.push(letter),
        }
        self.at = if letter == '\n' {
            At::Start
        } else {
            At::Within
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prompt: Option<&str>, text: &str, cut: usize) -> Vec<String> {
        let mut blocks = Blocks::new(prompt.map(str::to_owned));
        let letters: Vec<char> = text.chars().collect();
        let (mut read, mut block) = (Vec::new(), String::new());
        for letters in letters.chunks(cut) {
            for piece in blocks.push(&letters.iter().collect::<String>()) {
                match piece {
                    Piece::Words(words) => block += &words,
                    Piece::End => read.push(std::mem::take(&mut block)),
                }
            }
        }
        read
    }

    #[test]
    fn an_answer_ends_at_a_blank_line() {
        let text = "On Friday.\r\nOr Monday.\n\n\nYes.\n\nmore";
        for cut in 1..text.len() {
            assert_eq!(
                read(None, text, cut),
                ["On Friday.\nOr Monday.\n", "", "Yes.\n"],
                "{cut}"
            );
        }
    }

    #[test]
    fn an_answer_ends_at_the_prompt() {
        let text = "welcome\n>> On >> Friday.\n\n> no\n>> ";
        for cut in 1..text.len() {
            let expected = ["welcome\n", "On >> Friday.\n\n> no\n"];
            assert_eq!(read(Some(">> "), text, cut), expected, "{cut}");
        }
    }
}
