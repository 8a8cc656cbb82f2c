//! People who do not want to be called any more.

use std::sync::Arc;

use call::event::Event;
use call::input::Command;
use call::{Direction, Number};
use jiff::Timestamp;

use super::adopt::command;
use super::{Record, Switchboard};

impl Switchboard {
    /// Listens to what is said on a call until it is over. Whoever says that they are not to be called
    /// any more is not, from that word on; a call that we made ends then with a goodbye. One that they
    /// made goes on: they may be speaking of it.
    pub(super) async fn heed(&self, record: &Arc<Record>) {
        let Some(number) = record.caller.clone() else {
            return;
        };
        let mut seen = 0;
        loop {
            let entries = record.log.wait(seen).await;
            if entries.is_empty() {
                return;
            }
            seen += entries.len();
            if !entries.iter().any(|it| self.is_opting_out(&it.event)) {
                continue;
            }
            self.never_call(record, &number).await;
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

    async fn never_call(&self, record: &Record, number: &Number) {
        let now = Timestamp::now().as_millisecond();
        match self.ledger.do_not_call(number, now).await {
            Ok(_) => tracing::info!(call = %record.id, "a number is not to be called any more"),
            Err(fault) => {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(call = %record.id, code, hint, "who is not to be called is not written down: {fault}");
            }
        }
    }
}
