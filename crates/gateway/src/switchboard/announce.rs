//! What everyone hears first, made before any call is allowed, and whether a call may be recorded.

use std::sync::Arc;

use call::{Direction, Memory, Mode, Number};
use ports::Fault;

use super::life::{Begin, Part};
use super::{Record, Switchboard, host};
use crate::clips::Clip;
use crate::config::{Consent, Plan};
use crate::runner::{Begins, Others, Tape};

impl Switchboard {
    /// What this one is to hear before anything is said. `None`: nothing, because it is the owner, or hears
    /// nobody but themselves.
    ///
    /// # Errors
    /// It cannot be had: they are not to be talked to.
    pub(super) async fn announcement(
        &self,
        plan: &Plan,
        (direction, caller): (Direction, Option<&Number>),
        mode: &Mode,
    ) -> Result<Option<Arc<Clip>>, Fault> {
        let text = match mode {
            Mode::Loopback => None,
            Mode::Conversation { .. } | Mode::Notify { .. } | Mode::Seat(_) => {
                plan.announced(direction, caller)
            }
        };
        match text {
            Some(text) => self.clip(plan, &text).await.map(Some),
            None => Ok(None),
        }
    }

    /// What is to be heard on this call before anything is said, if it has not been.
    pub(super) async fn heard_first(
        &self,
        record: &Record,
        plan: &Plan,
        part: &Part,
    ) -> Result<Option<Arc<Clip>>, Fault> {
        let unsaid = match &part.begin {
            Begin::Now | Begin::Beside { .. } => true,
            Begin::Again(broken) => match broken.memory {
                Memory::Waiting | Memory::Answered => true,
                Memory::Up { .. } | Memory::Elsewhere { .. } | Memory::Ending(_) | Memory::Over => {
                    false
                }
            },
        };
        if !unsaid || record.carrier == host::HOUSE {
            return Ok(None);
        }
        let whose = (record.direction, record.caller.as_ref());
        self.announcement(plan, whose, &part.mode).await
    }

    /// Makes all that anybody may be told, so that it is there when it is needed.
    ///
    /// # Errors
    /// Some of it can be had neither from the disk nor from the voice.
    pub(super) async fn make_announcements(&self) -> Result<(), Fault> {
        let plan = self.plan();
        for text in plan.announcements() {
            self.clip(&plan, &text).await?;
        }
        Ok(())
    }

    async fn clip(&self, plan: &Plan, text: &str) -> Result<Arc<Clip>, Fault> {
        // Secrets in it are dots.
        let voice = format!("{:?}", plan.speech);
        self.clips.get(text, &voice, self.voices.get()).await
    }
}

/// Whether a call is recorded, and where.
pub(super) fn recording(
    plan: &Plan,
    record: &Record,
    part: &Part,
) -> (call::Recording, Option<Tape>) {
    let Some(recordings) = &plan.recordings else {
        return (call::Recording::Never, None);
    };
    let dir = plan.recorded_here();
    let tape = |begins| {
        let path = dir?.join(record.recording());
        let others = match recordings.consent {
            Consent::Announce => Others::MayBe,
            Consent::Ask => Others::MayNotBe,
        };
        Some(Tape {
            path,
            begins,
            others,
        })
    };
    if let Begin::Again(broken) = &part.begin
        && let Memory::Up { .. } | Memory::Elsewhere { .. } = broken.memory
    {
        // It was settled before, or will never be.
        let tape = tape(Begins::AtOnce).filter(|_| broken.recorded);
        return (call::Recording::Never, tape);
    }
    let recording = match (&part.mode, recordings.consent) {
        // It is a place at a table of others, who are asked on their own calls.
        _ if record.carrier == host::HOUSE => call::Recording::Never,
        _ if plan.rules.is_owner(record.caller.as_ref()) => call::Recording::AtOnce,
        // It has no voice to say it with.
        (Mode::Loopback, _) => call::Recording::Never,
        (_, Consent::Announce) => call::Recording::Announced,
        (_, Consent::Ask) => call::Recording::Asked,
    };
    (recording, tape(Begins::WhenTold))
}
