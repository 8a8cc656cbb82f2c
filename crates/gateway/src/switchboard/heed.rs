//! People who do not want to be called any more, and people who need help that no agent can give.

use std::sync::Arc;
use std::time::Duration;

use call::Direction;
use call::event::Event;
use call::input::Command;
use tokio::time::Instant;

use super::adopt::command;
use super::host::HOUSE;
use super::{Record, Switchboard};

impl Switchboard {
    /// Listens to what is said on a call until it is over. Who speaks of an emergency is told at once to call
    /// for help, and no agent answers that. Whoever says that they are not to be called
    /// any more is not, from that word on; a call that we made ends then with a goodbye. One that they
    /// made goes on: they may be speaking of it.
    pub(super) async fn heed(self: &Arc<Self>, record: &Arc<Record>) {
        let (mut seen, mut helped) = (0, None);
        loop {
            let entries = record.log.wait(seen).await;
            if entries.is_empty() {
                return;
            }
            seen += entries.len();
            // Whoever sits at a table has a call of their own, on which they are heard.
            let words = entries.iter().find_map(|it| needs_help(&it.event));
            if let Some(words) = words.filter(|_| record.carrier != HOUSE) {
                // Said once, it need not be said again to every word of theirs.
                if helped.is_none_or(|at: Instant| at.elapsed() >= AGAIN) {
                    helped = Some(Instant::now());
                    command(record, Command::Help(words.to_owned().into()));
                }
            }
            let Some(number) = &record.caller else {
                continue;
            };
            if !entries.iter().any(|it| self.is_opting_out(&it.event)) {
                continue;
            }
            tracing::info!(call = %record.id, "a number is not to be called any more");
            self.never_call(number).await;
            if record.direction == Direction::Outbound {
                return command(record, Command::OptOut);
            }
        }
    }

    fn is_opting_out(&self, event: &Event) -> bool {
        if let Event::CallerSaid { text } = event {
            return policy::opts_out(text.reveal());
        }
        let key = self.plan().rules.opt_out_key;
        let pressed = |key: call::Digit| matches!(event, Event::CallerPressed { digit } if *digit.reveal() == key.as_char());
        key.is_some_and(pressed)
    }
}

/// What somebody is to be told who said this, if it was that they need help.
fn needs_help(event: &Event) -> Option<&'static str> {
    let Event::CallerSaid { text } = event else {
        return None;
    };
    policy::emergency(text.reveal())
}

/// Who goes on to speak of it hears it again after this long.
const AGAIN: Duration = Duration::from_secs(20);
