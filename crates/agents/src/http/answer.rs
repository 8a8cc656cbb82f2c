//! What an address answers to a turn, from bytes to words: as one JSON body, as events, or as plain text.

use std::collections::VecDeque;

use ports::Fault;
use ports::agent::Use;
use serde::Deserialize;

use crate::letters::Wanted;
use crate::marker::{Marker, Wish};
use crate::patience::nonsense;
use crate::sse::Events;
use crate::utf8::letters;

/// Reads one answer, its bytes cut anywhere.
pub(super) struct Reader {
    form: Form,
    read: usize,
    words: VecDeque<String>,
    wants: Wants,
}

/// How it is written.
enum Form {
    /// One JSON body.
    Json(Vec<u8>),
    /// Events, each of them a piece of it in JSON.
    Events(Events),
    /// Words alone, with the letter that was cut.
    Plain(Vec<u8>, Marker),
}

/// What is wanted besides words.
#[derive(Default)]
struct Wants {
    then: Option<Then>,
    uses: Vec<Use>,
}

/// How an answer ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The caller speaks.
    Listen,
    /// The call is over, once all was heard.
    HangUp,
    /// It goes on when these were done.
    Uses(Vec<Use>),
}

impl Reader {
    /// By what the answer is said to be; where nothing is said, it is plain text.
    pub(super) fn of(kind: Option<&str>) -> Result<Self, Fault> {
        let kind = kind.unwrap_or("text/plain");
        let plain = kind.split(';').next().unwrap_or_default().trim();
        let form = match plain.to_ascii_lowercase().as_str() {
            "application/json" => Form::Json(Vec::new()),
            "text/event-stream" => Form::Events(Events::default()),
            "text/plain" => Form::Plain(Vec::new(), Marker::default()),
            _ => return Err(nonsense("answered neither JSON, events nor plain text")),
        };
        Ok(Self {
            form,
            read: 0,
            words: VecDeque::new(),
            wants: Wants::default(),
        })
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.read += bytes.len();
        if self.read > LONGEST {
            return Err(nonsense("sent an answer without end"));
        }
        match &mut self.form {
            Form::Json(body) => body.extend_from_slice(bytes),
            Form::Events(events) => {
                let endless = |_| nonsense("sent an event without end");
                events.push(bytes).map_err(endless)?;
                self.events()?;
            }
            Form::Plain(cut, marker) => {
                cut.extend_from_slice(bytes);
                let text = marker.push(&letters(cut));
                self.say(text);
            }
        }
        Ok(())
    }

    /// The next that can be spoken by now.
    pub(super) fn next(&mut self) -> Option<String> {
        self.words.pop_front()
    }

    /// Whether it said by itself that there is no more.
    pub(super) fn is_over(&self) -> bool {
        let events = matches!(self.form, Form::Events(_));
        events && (self.wants.then.is_some() || !self.wants.uses.is_empty())
    }

    /// All of it came: what is left to say, and how it ends.
    pub(super) fn finish(mut self) -> Result<(VecDeque<String>, Ending), Fault> {
        match std::mem::replace(&mut self.form, Form::Json(Vec::new())) {
            Form::Json(body) => {
                let piece = serde_json::from_slice(&body);
                self.piece(
                    piece.map_err(|_| nonsense("sent an answer that is not as it should be"))?,
                )?;
            }
            Form::Events(mut events) => {
                let endless = |_| nonsense("sent an event without end");
                events.finish().map_err(endless)?;
                self.form = Form::Events(events);
                self.events()?;
            }
            Form::Plain(cut, mut marker) => {
                let text = marker.push(&String::from_utf8_lossy(&cut));
                self.say(text);
                let (rest, wish) = marker.finish();
                self.say(rest);
                self.wants.then = match wish {
                    Wish::HangUp => Some(Then::HangUp),
                    Wish::Talk | Wish::Silence => Some(Then::Listen),
                };
            }
        }
        let ending = match (self.wants.uses, self.wants.then) {
            (uses, _) if !uses.is_empty() => Ending::Uses(uses),
            (_, Some(Then::HangUp)) => Ending::HangUp,
            (_, Some(Then::Listen) | None) => Ending::Listen,
        };
        Ok((self.words, ending))
    }

    fn events(&mut self) -> Result<(), Fault> {
        while !self.is_over() {
            let Form::Events(events) = &mut self.form else {
                return Ok(());
            };
            let Some(event) = events.next() else {
                return Ok(());
            };
            match event.data.as_str() {
                "" => {}
                "[DONE]" => self.wants.then = Some(Then::Listen),
                data => {
                    let piece = serde_json::from_str(data);
                    let wrong = |_| nonsense("sent an event that is not as it should be");
                    self.piece(piece.map_err(wrong)?)?;
                }
            }
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece) -> Result<(), Fault> {
        self.say(piece.say.unwrap_or_default());
        self.wants.then = piece.then.or(self.wants.then);
        for wanted in piece.uses.unwrap_or_default() {
            if self.wants.uses.len() >= MOST_USES {
                return Err(nonsense("wants more done at once than anybody could"));
            }
            let at = self.wants.uses.len();
            self.wants.uses.push(wanted.into_use(at));
        }
        Ok(())
    }

    fn say(&mut self, text: String) {
        if !text.is_empty() {
            self.words.push_back(text);
        }
    }
}

/// A piece of an answer, or the whole of it.
#[derive(Deserialize)]
struct Piece {
    say: Option<String>,
    then: Option<Then>,
    #[serde(rename = "use")]
    uses: Option<Vec<Wanted>>,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Then {
    /// The caller speaks.
    Listen,
    /// The call is over.
    HangUp,
}

const LONGEST: usize = 1 << 20;
const MOST_USES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, body: &str, cut: usize) -> (String, Ending) {
        let mut reader = Reader::of(Some(kind)).expect("it is known");
        let mut said = String::new();
        for bytes in body.as_bytes().chunks(cut) {
            reader.push(bytes).expect("it makes sense");
            while let Some(text) = reader.next() {
                said += &text;
            }
        }
        let (rest, ending) = reader.finish().expect("it makes sense");
        (said + &rest.into_iter().collect::<String>(), ending)
    }

    #[test]
    fn an_answer_is_read_in_every_form_however_it_is_cut() {
        let json = r#"{"say":"Grüße.","then":"hang_up"}"#;
        let events = "data: {\"say\":\"Grü\"}\n\ndata: {\"say\":\"ße.\"}\n\ndata: {\"then\":\"hang_up\"}\n\n";
        let plain = "Grüße.[[hangup]]";
        for (kind, body) in [
            ("application/json; charset=utf-8", json),
            ("text/event-stream", events),
            ("text/plain", plain),
        ] {
            for cut in 1..body.len() {
                let expected = ("Grüße.".to_owned(), Ending::HangUp);
                assert_eq!(read(kind, body, cut), expected, "{kind} {cut}");
            }
        }
    }

    #[test]
    fn what_is_wanted_done_comes_before_what_follows() {
        let body = r#"{"say":"Let me look.","use":[{"tool":"calendar","takes":{"day":"Friday"}}]}"#;
        let (said, ending) = read("application/json", body, 7);
        assert_eq!(said, "Let me look.");
        let Ending::Uses(uses) = ending else {
            panic!("it wants something done");
        };
        assert_eq!(uses[0].takes.reveal(), r#"{"day":"Friday"}"#);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(Reader::of(Some("text/html")).is_err());
        let mut reader = Reader::of(Some("application/json")).expect("it is known");
        reader
            .push(b"{\"say\":1}")
            .expect("it may become something");
        assert!(reader.finish().is_err());
        let mut reader = Reader::of(None).expect("it is plain text");
        assert!(reader.push(&vec![b'x'; LONGEST + 1]).is_err());
    }
}
