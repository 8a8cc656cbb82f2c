//! What is known of a call from outside it.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, OnceLock};

use call::input::{self, Command};
use call::{Direction, Keys, Number, Private};
use ports::carrier::{Leg, Stream};
use ports::{Blame, Fault};
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::journal::{CallLog, Parties, Pen};
use crate::line::SocketLine;
use crate::runner::Control;

/// Our name for a call. Later calls have greater names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Uuid);

impl CallId {
    /// A new name.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads a name as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// One call.
#[derive(Debug)]
pub struct Record {
    /// Our name for it.
    pub id: CallId,
    /// Who called whom.
    pub direction: Direction,
    /// The person's number, if it is known.
    pub caller: Option<Number>,
    /// Our number.
    pub number: Number,
    /// A key of [`crate::config::Plan::carriers`].
    pub carrier: String,
    /// A key of [`crate::config::Plan::agents`].
    pub agent: String,
    /// What happened.
    pub log: CallLog,
    pub(super) control: mpsc::Sender<Control<SocketLine>>,
    leg: OnceLock<Leg>,
    pub(super) stream: OnceLock<Stream>,
    fault: OnceLock<Report>,
    notices: Mutex<HashSet<String>>,
}

/// A fault as people see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// One of [`ports::code`].
    pub code: &'static str,
    /// Whose it is.
    pub blame: &'static str,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl From<&Fault> for Report {
    fn from(fault: &Fault) -> Self {
        Self {
            code: fault.code,
            blame: match fault.blame {
                Blame::Agent => "agent",
                Blame::Caller => "caller",
                Blame::Carrier => "carrier",
                Blame::Config => "config",
                Blame::Gateway => "gateway",
                Blame::Vendor => "vendor",
            },
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        }
    }
}

/// What a call is made of before anything happens on it.
pub(super) struct Born {
    pub(super) direction: Direction,
    pub(super) caller: Option<Number>,
    pub(super) number: Number,
    pub(super) carrier: String,
    pub(super) agent: String,
    pub(super) allowed_by: String,
}

/// A carrier sends a handful of notices about a call; more than this and it is not one we know.
const NOTICES: usize = 256;

impl Record {
    pub(super) fn new(
        id: CallId,
        born: Born,
        control: mpsc::Sender<Control<SocketLine>>,
        pen: Pen,
    ) -> Self {
        let text = |number: &Number| Private::from(number.as_str().to_owned());
        let parties = Parties {
            direction: match born.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            },
            number: text(&born.number),
            caller: born.caller.as_ref().map(text),
            carrier: born.carrier.clone(),
            agent: born.agent.clone(),
            allowed_by: born.allowed_by,
        };
        Self {
            id,
            direction: born.direction,
            caller: born.caller,
            number: born.number,
            carrier: born.carrier,
            agent: born.agent,
            log: CallLog::new(id.to_string(), parties, pen),
            control,
            leg: OnceLock::new(),
            stream: OnceLock::new(),
            fault: OnceLock::new(),
            notices: Mutex::default(),
        }
    }

    /// The carrier's name for the call, once it is known.
    pub fn leg(&self) -> Option<&Leg> {
        self.leg.get()
    }

    /// Learns the carrier's name for the call. `false`: it already has another.
    pub(super) fn bind(&self, leg: &Leg) -> bool {
        let learned = self.leg.get_or_init(|| {
            self.log.pen().bind(self.log.call(), &leg.0);
            leg.clone()
        });
        learned == leg
    }

    /// Where the call's sound goes. Made once: a carrier that asks again is told the same.
    pub(super) fn stream(&self, make: impl FnOnce() -> Stream) -> &Stream {
        self.stream.get_or_init(make)
    }

    /// What went wrong, if something did before there was a call to tell.
    pub fn fault(&self) -> Option<&Report> {
        self.fault.get()
    }

    pub(super) fn fail(&self, fault: &Fault) {
        let _ = self.fault.set(Report::from(fault));
    }

    /// Whether this notice is heard for the first time.
    pub(super) fn is_news(&self, notice: &str) -> bool {
        let mut notices = self
            .notices
            .lock()
            .expect("no one panics while adding a notice");
        notices.len() < NOTICES && notices.insert(notice.to_owned())
    }

    /// Tells the call what its carrier said. A call that is over does not listen.
    pub(super) async fn tell(&self, news: input::Carrier) {
        let _ = self.control.send(Control::News(news)).await;
    }

    /// Ends the call. Always allowed, in any state, more than once.
    pub async fn hang_up(&self) {
        let _ = self.control.send(Control::Command(Command::HangUp)).await;
    }

    /// Presses keys. `false`: the call is over.
    pub async fn press(&self, keys: Keys) -> bool {
        let command = Control::Command(Command::Press(keys));
        self.control.send(command).await.is_ok()
    }

    /// Says something to the caller. `false`: the call is over.
    pub async fn say(&self, text: Private<String>) -> bool {
        self.control
            .send(Control::Command(Command::Say(text)))
            .await
            .is_ok()
    }
}
