//! Server-sent events, read from bytes as they come ([WHATWG HTML, 9.2.6]).
//!
//! Only `data` and `id` matter here. Lines may end in CR, LF or both; an event may have several lines of
//! data; bytes may be cut anywhere, also inside a letter. What never ends is refused.
//!
//! [WHATWG HTML, 9.2.6]: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

use std::collections::VecDeque;

/// Reads one stream of events.
#[derive(Debug, Default)]
pub struct Events {
    /// The line that has begun.
    line: Vec<u8>,
    /// The data of the event that has begun.
    data: Option<String>,
    /// The last name that was given.
    id: String,
    /// Events that are complete.
    ready: VecDeque<Event>,
    last: LastByte,
    at: At,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name, or that of the last event before it that had one; empty where none had.
    pub id: String,
    /// What it says.
    pub data: String,
}

/// A line or an event is longer than anyone needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endless;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastByte {
    Return,
    #[default]
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    FirstLine,
    Later,
}

impl Events {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Endless> {
        for &byte in bytes {
            let after_return = std::mem::take(&mut self.last) == LastByte::Return;
            match byte {
                b'\n' if after_return => {}
                b'\n' => self.end_line()?,
                b'\r' => {
                    self.last = LastByte::Return;
                    self.end_line()?;
                }
                _ if self.line.len() >= LONGEST => return Err(Endless),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// The stream has ended. An event without its empty line still counts: some servers forget it.
    pub fn finish(&mut self) -> Result<(), Endless> {
        self.end_line()?;
        self.end_event();
        Ok(())
    }

    /// The next event that is complete.
    #[expect(
        clippy::should_implement_trait,
        reason = "there may be more after `None`"
    )]
    pub fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) -> Result<(), Endless> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let mut line = line.as_ref();
        if std::mem::replace(&mut self.at, At::Later) == At::FirstLine {
            line = line.trim_start_matches('\u{feff}');
        }
        if line.is_empty() {
            self.end_event();
            return Ok(());
        }
        // A line that begins with a colon is a comment: its field has no name.
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.add(value),
            "id" => {
                value.clone_into(&mut self.id);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, value: &str) -> Result<(), Endless> {
        match &mut self.data {
            Some(data) if data.len() + value.len() > LONGEST => return Err(Endless),
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
        Ok(())
    }

    fn end_event(&mut self) {
        let id = self.id.clone();
        self.ready
            .extend(self.data.take().map(|data| Event { id, data }));
    }
}

/// In bytes, of a line and of an event.
const LONGEST: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_the_bytes_are_cut() {
        let text = "\u{feff}: hello\r\ndata: {\"a\":\"é€😀\"}\r\n\r\nevent: x\ndata:one\ndata:  two\nid: 7\n\n\
                    retry: 3\r\rdata\r\rdata: [DONE]\n\n";
        let expected = ["{\"a\":\"é€😀\"}", "one\n two", "", "[DONE]"];
        for size in 1..text.len() {
            let mut events = Events::default();
            for bytes in text.as_bytes().chunks(size) {
                events.push(bytes).expect("it is short");
            }
            let read: Vec<Event> = std::iter::from_fn(|| events.next()).collect();
            let data: Vec<&str> = read.iter().map(|it| it.data.as_str()).collect();
            let ids: Vec<&str> = read.iter().map(|it| it.id.as_str()).collect();
            assert_eq!(ids, ["", "7", "7", "7"], "cut every {size} bytes");
            assert_eq!(data, expected, "cut every {size} bytes");
        }
    }

    #[test]
    fn an_event_that_is_not_closed_counts_at_the_end() {
        let mut events = Events::default();
        events.push(b"data: a\ndata: b").expect("it is short");
        assert_eq!(events.next(), None);
        events.finish().expect("it is short");
        assert_eq!(events.next().map(|it| it.data).as_deref(), Some("a\nb"));
        assert_eq!(events.next(), None);
    }

    #[test]
    fn what_never_ends_is_refused() {
        let mut events = Events::default();
        assert_eq!(events.push(&vec![b'x'; LONGEST + 1]), Err(Endless));
        let mut events = Events::default();
        let line = format!("data: {}\n", "x".repeat(100_000));
        let pushed: Vec<_> = (0..4).map(|_| events.push(line.as_bytes())).collect();
        assert_eq!(pushed[3], Err(Endless));
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let mut events = Events::default();
        events
            .push(b"data: \xff\xfe\n\n\x00\x80\n\n")
            .expect("it is short");
        assert_eq!(
            events.next().map(|it| it.data).as_deref(),
            Some("\u{fffd}\u{fffd}")
        );
    }
}
