//! How an agent that works in plain text ends a call, or says nothing: it writes `[[hangup]]` or `[[silent]]`, which is not
//! spoken.

/// Takes the marker out of words that come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Marker {
    /// The end of what came, if it may be the beginning of a marker.
    held: String,
    wish: Wish,
}

/// What the model wants besides what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The call goes on.
    #[default]
    Talk,
    /// The call ends once everything was heard.
    HangUp,
    /// The others are to go on talking.
    Silence,
}

impl Marker {
    /// Takes a piece, and gives what of it can be spoken by now. Behind a marker, nothing is.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        if self.wish != Wish::Talk {
            return String::new();
        }
        self.held.push_str(piece);
        let held = self.held.to_ascii_lowercase();
        let found = MARKERS
            .into_iter()
            .filter_map(|(marker, wish)| Some((held.find(marker)?, wish)));
        if let Some((at, wish)) = found.min_by_key(|(at, _)| *at) {
            self.wish = wish;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let keep = self.begun();
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// All pieces came: what is left to speak, and what the model wants.
    pub(crate) fn finish(self) -> (String, Wish) {
        (self.held, self.wish)
    }

    /// How many bytes at the end may begin a marker.
    fn begun(&self) -> usize {
        let held = self.held.as_bytes();
        let begun = |marker: &str| {
            let longest = held.len().min(marker.len() - 1);
            let fits = |length: &usize| {
                held[held.len() - length..].eq_ignore_ascii_case(&marker.as_bytes()[..*length])
            };
            (1..=longest).rev().find(fits).unwrap_or(0)
        };
        begun(HANGUP).max(begun(SILENT))
    }
}

/// As the instructions tell the model to write them.
pub(crate) const HANGUP: &str = "[[hangup]]";
pub(crate) const SILENT: &str = "[[silent]]";

const MARKERS: [(&str, Wish); 2] = [(HANGUP, Wish::HangUp), (SILENT, Wish::Silence)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_found_however_it_is_cut() {
        let text = "Good [bye] é! [[HangUp]] and more";
        for size in 1..text.len() {
            let mut marker = Marker::default();
            let letters: Vec<char> = text.chars().collect();
            let mut spoken = String::new();
            for piece in letters.chunks(size) {
                spoken += &marker.push(&piece.iter().collect::<String>());
            }
            let (rest, wish) = marker.finish();
            assert_eq!((spoken + &rest).as_str(), "Good [bye] é! ");
            assert_eq!(wish, Wish::HangUp);
        }
    }

    #[test]
    fn a_model_may_say_nothing() {
        let text = "[[Silent]] [[hangup]]";
        for size in 1..text.len() {
            let mut marker = Marker::default();
            for at in (0..text.len()).step_by(size) {
                let piece = &text[at..text.len().min(at + size)];
                assert_eq!(marker.push(piece), "", "{size}");
            }
            assert_eq!(marker.finish(), (String::new(), Wish::Silence));
        }
    }

    #[test]
    fn what_only_looks_like_it_is_spoken() {
        let mut marker = Marker::default();
        let spoken = marker.push("a [[hang") + &marker.push(" on]] b [") + &marker.push("[hangup");
        let (rest, wish) = marker.finish();
        assert_eq!(spoken + &rest, "a [[hang on]] b [[hangup");
        assert_eq!(wish, Wish::Talk);
    }

    #[test]
    fn plain_words_are_not_held_back() {
        let mut marker = Marker::default();
        assert_eq!(marker.push("Hello."), "Hello.");
        assert_eq!(marker.push(" Bye"), " Bye");
    }
}
