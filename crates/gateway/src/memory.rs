//! What is remembered of a call, as it is written down: private to this build, and to whoever may
//! read the journal.

use std::time::Duration;

use call::event::{End, Party, Why};
use call::meeting::{After, Announcing, Attention};
use call::memory::{Answering, Elsewhere, Holder, Memory, Name, Talk, Thread, Unheard};
use call::{BlindTransfer, Mode, Opening, Place, Private, Regrets, Side, Through, TurnId};
use media::UtteranceId;
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};

/// Everything another process needs to take a call up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What the call is for.
    pub mode: Mode,
    /// How it stands.
    pub memory: Memory,
}

impl Remembered {
    /// As it is written down.
    pub fn write(&self) -> String {
        let written = Written {
            v: VERSION,
            mode: (&self.mode).into(),
            stage: (&self.memory).into(),
        };
        serde_json::to_string(&written).expect("it has only strings for keys")
    }

    /// Reads what was written down.
    ///
    /// # Errors
    /// It was written by another version of offhook, or not by offhook.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let unreadable = |error: serde_json::Error| {
            let message = "what another gateway remembered of a call cannot be read";
            Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
                .hint("calls cannot be handed to an offhook of another version")
                .because(error)
        };
        let written: Written = serde_json::from_str(text).map_err(unreadable)?;
        Ok(Self {
            mode: written.mode.into(),
            memory: written.stage.into(),
        })
    }
}

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    mode: Kind,
    stage: Stage,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Say(String),
    Ask,
    Wait,
    Notify(String),
    Seat(SavedPlace),
    Loopback,
}

/// A place at a meeting.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedPlace {
    meeting: String,
    name: String,
    agent: Option<String>,
    #[serde(default)]
    announcing: Heralds,
    #[serde(default)]
    through: Option<SavedThrough>,
}

/// A transfer that a place is for.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedThrough {
    side: Whom,
    target: String,
    after: Then,
    attention: Manner,
}

impl From<&Through> for SavedThrough {
    fn from(through: &Through) -> Self {
        Self {
            side: through.side.into(),
            target: plain(&through.target),
            after: through.after.into(),
            attention: through.attention.into(),
        }
    }
}

impl From<SavedThrough> for Through {
    fn from(saved: SavedThrough) -> Self {
        Self {
            side: saved.side.into(),
            target: saved.target.into(),
            after: saved.after.into(),
            attention: saved.attention.into(),
        }
    }
}

impl From<&Place> for SavedPlace {
    fn from(place: &Place) -> Self {
        Self {
            meeting: place.meeting.clone(),
            name: plain(&place.name),
            agent: place.agent.clone(),
            announcing: place.announcing.into(),
            through: place.through.as_ref().map(SavedThrough::from),
        }
    }
}

impl From<SavedPlace> for Place {
    fn from(saved: SavedPlace) -> Self {
        Self {
            meeting: saved.meeting,
            name: saved.name.into(),
            agent: saved.agent,
            announcing: saved.announcing.into(),
            through: saved.through.map(Through::from),
        }
    }
}

/// How a call stands.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Waiting,
    Answered,
    Up {
        left: Duration,
        broken: String,
        talk: Saved,
    },
    Elsewhere {
        left: Duration,
        thread: Box<SavedThread>,
        to: SavedTransfer,
        stage: Far,
    },
    Ending(Reason),
    Over,
}

/// Whom a call's carrier puts it through to.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedTransfer {
    to: String,
    patience: Duration,
    nobody: String,
    busy: String,
    declined: String,
}

impl From<&BlindTransfer> for SavedTransfer {
    fn from(transfer: &BlindTransfer) -> Self {
        let regrets = &transfer.regrets;
        Self {
            to: transfer.to.clone(),
            patience: transfer.patience,
            nobody: plain(&regrets.nobody),
            busy: plain(&regrets.busy),
            declined: plain(&regrets.declined),
        }
    }
}

impl From<SavedTransfer> for BlindTransfer {
    fn from(saved: SavedTransfer) -> Self {
        Self {
            to: saved.to,
            patience: saved.patience,
            regrets: Regrets {
                nobody: saved.nobody.into(),
                busy: saved.busy.into(),
                declined: saved.declined.into(),
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Saved {
    Conversation(Box<SavedThread>),
    Notice {
        last: u32,
        unheard: Vec<String>,
    },
    Seat {
        place: SavedPlace,
        last: u32,
        thread: Option<Box<SavedThread>>,
    },
    Loopback,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SavedThread {
    turn: u32,
    heard: u32,
    last: u32,
    untold: String,
    waiting: Vec<String>,
    unheard: Vec<(Whose, String)>,
    floor: Floor,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whose {
    Owner,
    Ours,
    Agent,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Floor {
    Nobody,
    Caller,
    Agent {
        turn: u32,
        said: String,
        heard: String,
        hangs_up: bool,
    },
    Opening(String),
    Closing(Reason),
}

impl Default for Heralds {
    fn default() -> Self {
        Announcing::default().into()
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Reason {
    by: By,
    why: Because,
}

/// Two lists in step: every name here is one there.
macro_rules! same {
    ($ours:ident = $theirs:ident { $($name:ident),+ $(,)? }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $ours { $($name),+ }

        impl From<$theirs> for $ours {
            fn from(it: $theirs) -> Self {
                match it { $($theirs::$name => Self::$name),+ }
            }
        }

        impl From<$ours> for $theirs {
            fn from(it: $ours) -> Self {
                match it { $($ours::$name => Self::$name),+ }
            }
        }
    };
}

same!(Far = Elsewhere { Rings, Talks });
same!(
    Whom = Side {
        Caller,
        Target,
        Beside
    }
);
same!(Then = After { End, Return });
same!(Heralds = Announcing { On, Off });
same!(Manner = Attention { Talk, Listen });
same!(
    By = Party {
        Caller,
        Agent,
        Owner,
        Carrier,
        Gateway
    }
);
same!(
    Because = Why {
        HungUp,
        Completed,
        Busy,
        NoAnswer,
        Rejected,
        Canceled,
        Silence,
        TimeLimit,
        Machine,
        Policy,
        Loop,
        Fault,
    }
);

impl From<End> for Reason {
    fn from(end: End) -> Self {
        Self {
            by: end.by.into(),
            why: end.why.into(),
        }
    }
}

impl From<Reason> for End {
    fn from(reason: Reason) -> Self {
        Self {
            by: reason.by.into(),
            why: reason.why.into(),
        }
    }
}

impl From<&Mode> for Kind {
    fn from(mode: &Mode) -> Self {
        match mode {
            Mode::Conversation { opening } => match opening {
                Opening::Say(text) => Self::Say(plain(text)),
                Opening::Ask => Self::Ask,
                Opening::Wait => Self::Wait,
            },
            Mode::Notify { text } => Self::Notify(plain(text)),
            Mode::Seat(place) => Self::Seat(place.into()),
            Mode::Loopback => Self::Loopback,
        }
    }
}

impl From<Kind> for Mode {
    fn from(kind: Kind) -> Self {
        let conversation = |opening| Self::Conversation { opening };
        match kind {
            Kind::Say(text) => conversation(Opening::Say(text.into())),
            Kind::Ask => conversation(Opening::Ask),
            Kind::Wait => conversation(Opening::Wait),
            Kind::Notify(text) => Self::Notify { text: text.into() },
            Kind::Seat(place) => Self::Seat(place.into()),
            Kind::Loopback => Self::Loopback,
        }
    }
}

impl From<&Memory> for Stage {
    fn from(memory: &Memory) -> Self {
        match memory {
            Memory::Waiting => Self::Waiting,
            Memory::Answered => Self::Answered,
            Memory::Up { left, broken, talk } => Self::Up {
                left: *left,
                broken: plain(broken),
                talk: talk.into(),
            },
            Memory::Elsewhere {
                left,
                thread,
                to,
                stage,
            } => Self::Elsewhere {
                left: *left,
                thread: Box::new((&**thread).into()),
                to: to.into(),
                stage: (*stage).into(),
            },
            Memory::Ending(end) => Self::Ending((*end).into()),
            Memory::Over => Self::Over,
        }
    }
}

impl From<Stage> for Memory {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Waiting => Self::Waiting,
            Stage::Answered => Self::Answered,
            Stage::Up { left, broken, talk } => Self::Up {
                left,
                broken: broken.into(),
                talk: talk.into(),
            },
            Stage::Elsewhere {
                left,
                thread,
                to,
                stage,
            } => Self::Elsewhere {
                left,
                thread: Box::new((*thread).into()),
                to: to.into(),
                stage: stage.into(),
            },
            Stage::Ending(reason) => Self::Ending(reason.into()),
            Stage::Over => Self::Over,
        }
    }
}

impl From<&Talk> for Saved {
    fn from(talk: &Talk) -> Self {
        match talk {
            Talk::Conversation(thread) => Self::Conversation(Box::new(thread.into())),
            Talk::Notice { last, unheard } => Self::Notice {
                last: last.0,
                unheard: unheard.iter().map(plain).collect(),
            },
            Talk::Seat {
                place,
                last,
                thread,
            } => Self::Seat {
                place: (&**place).into(),
                last: last.0,
                thread: thread.as_deref().map(|it| Box::new(it.into())),
            },
            Talk::Loopback => Self::Loopback,
        }
    }
}

impl From<&Thread> for SavedThread {
    fn from(thread: &Thread) -> Self {
        Self {
            turn: thread.turn.0,
            heard: thread.heard.0,
            last: thread.last.0,
            untold: plain(&thread.untold),
            waiting: thread.waiting.iter().map(plain).collect(),
            unheard: thread.unheard.iter().map(whose).collect(),
            floor: (&thread.floor).into(),
        }
    }
}

impl From<SavedThread> for Thread {
    fn from(saved: SavedThread) -> Self {
        Self {
            turn: TurnId(saved.turn),
            heard: TurnId(saved.heard),
            last: UtteranceId(saved.last),
            untold: saved.untold.into(),
            waiting: saved.waiting.into_iter().map(Private::from).collect(),
            unheard: saved.unheard.into_iter().map(clause).collect(),
            floor: saved.floor.into(),
        }
    }
}

impl From<Saved> for Talk {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Conversation(thread) => Self::Conversation((*thread).into()),
            Saved::Seat {
                place,
                last,
                thread,
            } => Self::Seat {
                place: Box::new(place.into()),
                last: UtteranceId(last),
                thread: thread.map(|it| Box::new((*it).into())),
            },
            Saved::Notice { last, unheard } => Self::Notice {
                last: UtteranceId(last),
                unheard: unheard.into_iter().map(Private::from).collect(),
            },
            Saved::Loopback => Self::Loopback,
        }
    }
}

impl From<&Holder> for Floor {
    fn from(holder: &Holder) -> Self {
        match holder {
            Holder::Nobody => Self::Nobody,
            Holder::Caller => Self::Caller,
            Holder::Agent(answering) => Self::Agent {
                turn: answering.turn.0,
                said: plain(&answering.said),
                heard: plain(&answering.heard),
                hangs_up: answering.hangs_up,
            },
            Holder::Opening(heard) => Self::Opening(plain(heard)),
            Holder::Closing(end) => Self::Closing((*end).into()),
        }
    }
}

impl From<Floor> for Holder {
    fn from(floor: Floor) -> Self {
        match floor {
            Floor::Nobody => Self::Nobody,
            Floor::Caller => Self::Caller,
            Floor::Agent {
                turn,
                said,
                heard,
                hangs_up,
            } => Self::Agent(Answering {
                turn: TurnId(turn),
                said: said.into(),
                heard: heard.into(),
                hangs_up,
            }),
            Floor::Opening(heard) => Self::Opening(heard.into()),
            Floor::Closing(reason) => Self::Closing(reason.into()),
        }
    }
}

fn whose(unheard: &Unheard) -> (Whose, String) {
    let whose = match unheard.name {
        Name::Owner => Whose::Owner,
        Name::Ours => Whose::Ours,
        Name::Agent => Whose::Agent,
    };
    (whose, plain(&unheard.text))
}

fn clause((whose, text): (Whose, String)) -> Unheard {
    let name = match whose {
        Whose::Owner => Name::Owner,
        Whose::Ours => Name::Ours,
        Whose::Agent => Name::Agent,
    };
    Unheard {
        name,
        text: text.into(),
    }
}

fn plain(text: &Private<String>) -> String {
    text.reveal().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_what_is_read() {
        let end = End {
            by: Party::Agent,
            why: Why::Completed,
        };
        let thread = |floor| Memory::Up {
            left: Duration::from_millis(90_500),
            broken: "We open".into(),
            talk: Talk::Conversation(said(floor)),
        };
        let answering = Answering {
            turn: TurnId(3),
            said: "when do you open".into(),
            heard: "We open".into(),
            hangs_up: true,
        };
        let memories = [
            Memory::Waiting,
            Memory::Answered,
            thread(Holder::Nobody),
            thread(Holder::Caller),
            thread(Holder::Agent(answering)),
            thread(Holder::Opening("Hi".into())),
            thread(Holder::Closing(end)),
            Memory::Up {
                left: Duration::ZERO,
                broken: "".into(),
                talk: Talk::Notice {
                    last: UtteranceId(2),
                    unheard: vec!["The oven is on.".into()],
                },
            },
            Memory::Up {
                left: Duration::MAX,
                broken: "".into(),
                talk: Talk::Loopback,
            },
            seat(None),
            seat(Some(Side::Target)),
            elsewhere(Elsewhere::Rings),
            elsewhere(Elsewhere::Talks),
            Memory::Ending(end),
            Memory::Over,
        ];
        let say = Opening::Say("Hello.".into());
        let modes = [
            Mode::Conversation { opening: say },
            Mode::Conversation {
                opening: Opening::Ask,
            },
            Mode::Conversation {
                opening: Opening::Wait,
            },
            Mode::Notify {
                text: "The oven is on.".into(),
            },
            Mode::Loopback,
        ];
        for (memory, mode) in memories.into_iter().zip(modes.into_iter().cycle()) {
            let remembered = Remembered { mode, memory };
            assert_eq!(Remembered::read(&remembered.write()).ok(), Some(remembered));
        }
        assert!(Remembered::read("{}").is_err());
    }

    fn said(floor: Holder) -> Thread {
        Thread {
            turn: TurnId(3),
            heard: TurnId(2),
            last: UtteranceId(9),
            untold: "and then".into(),
            waiting: vec!["dinner is ready".into()],
            unheard: vec![
                clause((Whose::Agent, "at nine.".to_owned())),
                clause((Whose::Ours, "Sorry.".to_owned())),
                clause((Whose::Owner, "Now.".to_owned())),
            ],
            floor,
        }
    }

    fn seat(side: Option<Side>) -> Memory {
        let through = side.map(|side| Through {
            side,
            target: "Ben".into(),
            after: After::Return,
            attention: Attention::Listen,
        });
        Memory::Up {
            left: Duration::from_secs(600),
            broken: "".into(),
            talk: Talk::Seat {
                place: Box::new(Place {
                    meeting: "0192".to_owned(),
                    name: "Anna".into(),
                    agent: Some("host".to_owned()),
                    announcing: Announcing::Off,
                    through,
                }),
                last: UtteranceId(2),
                thread: None,
            },
        }
    }

    fn elsewhere(stage: Elsewhere) -> Memory {
        Memory::Elsewhere {
            left: Duration::from_secs(600),
            thread: Box::new(said(Holder::Nobody)),
            to: BlindTransfer {
                to: "ben".to_owned(),
                patience: Duration::from_secs(45),
                regrets: Regrets {
                    nobody: "Ben does not answer.".into(),
                    busy: "Ben is busy.".into(),
                    declined: "Ben does not want to.".into(),
                },
            },
            stage,
        }
    }
}
