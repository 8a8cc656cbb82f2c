//! The ears of an agent at a meeting: it hears in words what each of the others said, with their name.

use std::collections::VecDeque;

use async_trait::async_trait;
use call::Private;
use call::meeting::PartyId;
use media::Rate;
use ports::speech::{Hearing, Listen, Transcriber};
use ports::{Blame, Fault, Link, code};
use tokio::sync::mpsc;

use super::room::{Attention, Wanted};

/// Ears whose words come from the others' calls, which have ears each.
pub(crate) struct TableEars(pub(crate) mpsc::Sender<Wanted>);

#[async_trait]
impl Transcriber for TableEars {
    async fn open(&self, _: &str, _: Rate) -> Result<Link<Listen, Hearing>, Fault> {
        let (near, far) = ports::pair(WORDS);
        let sent = self.0.send(Wanted::Ears(far)).await;
        sent.map_err(|_| Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, "the meeting is over"))?;
        Ok(near)
    }
}

/// What the agent is told of what is said.
#[derive(Debug)]
pub(super) struct Minutes {
    ears: Option<Link<Hearing, Listen>>,
    attention: Attention,
    /// Nobody would hear an answer of the agent's.
    muted: bool,
    /// Those who speak, or have and their words are awaited.
    open: u16,
    /// The agent has asked for the last words.
    asked: bool,
    /// What it has not been told, because it is to listen only, or is muted.
    untold: VecDeque<String>,
}

impl Minutes {
    pub(super) fn new() -> Self {
        Self {
            ears: None,
            attention: Attention::Talk,
            muted: false,
            open: 0,
            asked: false,
            untold: VecDeque::new(),
        }
    }

    pub(super) fn open(&mut self, ears: Link<Hearing, Listen>) {
        self.ears = Some(ears);
        self.asked = false;
    }

    pub(super) fn attend(&mut self, attention: Attention) {
        self.attention = attention;
    }

    /// The agent is heard by nobody, and is told nothing until it is heard again.
    pub(super) fn mute(&mut self) {
        self.muted = true;
    }

    pub(super) fn unmute(&mut self) {
        self.muted = false;
    }

    /// Whether the agent has asked for something since. To be looked at in every tick.
    pub(super) fn listen(&mut self) {
        let Some(ears) = &mut self.ears else {
            return;
        };
        while let Ok(listen) = ears.rx.try_recv() {
            match listen {
                Listen::Finalize => self.asked = true,
                // It is told in words.
                Listen::Frame(_) | Listen::Edge(_) => {}
            }
        }
        self.answer();
    }

    pub(super) fn speaks(&mut self, party: PartyId) {
        self.open |= bit(party);
    }

    /// Someone has said this, or nothing.
    pub(super) fn said(&mut self, party: PartyId, line: Option<String>) {
        self.open &= !bit(party);
        if let Some(line) = line {
            match self.attention {
                Attention::Talk if !self.muted => {
                    let mut lines: Vec<_> = self.untold.drain(..).collect();
                    lines.push(line);
                    self.tell(lines.join(" "));
                    self.asked = self.asked && self.open != 0;
                }
                Attention::Talk | Attention::Listen => {
                    if self.untold.len() == MOST_UNTOLD {
                        self.untold.pop_front();
                    }
                    self.untold.push_back(line);
                }
            }
        }
        self.answer();
    }

    /// Nothing is awaited of someone any more.
    pub(super) fn give_up(&mut self, party: PartyId) {
        self.open &= !bit(party);
        self.answer();
    }

    /// Says that there is no more, once there is no more to come.
    fn answer(&mut self) {
        if self.asked && self.open == 0 {
            self.asked = false;
            self.tell(String::new());
        }
    }

    fn tell(&mut self, text: String) {
        if let Some(ears) = &self.ears {
            // An agent that reads nothing for so long has other troubles.
            let _ = ears.tx.try_send(Hearing::Final(Private::from(text)));
        }
    }
}

fn bit(party: PartyId) -> u16 {
    1_u16.checked_shl(u32::from(party.0)).unwrap_or(0)
}

/// Messages that may wait either way.
const WORDS: usize = 100;

/// What an agent that only listens remembers: so many utterances, the latest.
const MOST_UNTOLD: usize = 200;
