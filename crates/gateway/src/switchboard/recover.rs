//! Calls that a gateway before us did not live to see the end of. Nobody is ever dialled here.

use call::event::{End, Party, Why};
use jiff::Timestamp;
use ports::carrier::{Leg, Status};
use ports::{Blame, Fault, code};

use super::{CallId, Switchboard};
use crate::journal::{Reader, Summary};

impl Switchboard {
    /// Asks the carriers about calls that have no end in the journal, hangs up those that are still
    /// up (their sound is lost, and they must not go on costing money), and writes their ends down.
    /// What cannot be settled now is left to the next start.
    pub async fn recover(&self) {
        let lost = async {
            let reader = self.journal.reader()?;
            let mut lost = reader.calls(MOST).await?;
            lost.retain(|it| it.ended.is_none() && !self.is_ours(&it.id));
            Ok::<_, Fault>((reader, lost))
        };
        let (reader, lost) = match lost.await {
            Ok(found) => found,
            Err(fault) => {
                tracing::error!(
                    code = fault.code,
                    "lost calls cannot be looked for: {fault}"
                );
                return;
            }
        };
        for call in lost {
            match self.settle(&reader, &call).await {
                Ok(end) => {
                    tracing::warn!(call = call.id, by = ?end.by, why = ?end.why, "a call of a gateway that was lost is over");
                    self.journal.pen().close(&call, Timestamp::now(), end);
                }
                Err(fault) => {
                    tracing::error!(
                        call = call.id,
                        code = fault.code,
                        hint = fault.hint,
                        "what became of a call is not known: {fault}"
                    );
                }
            }
        }
    }

    /// How a lost call ended, having seen to it that it did.
    async fn settle(&self, reader: &Reader, call: &Summary) -> Result<End, Fault> {
        let Some(leg) = reader.leg(call.id.clone()).await? else {
            // The carrier never told us its name; if it rings us up about it, it is hung up on.
            return Ok(LOST);
        };
        let name = call.began["carrier"].as_str().unwrap_or_default();
        let plan = self.plan();
        let carrier = plan.carriers.get(name).ok_or_else(|| {
            let message = format!("its carrier {name:?} is not in the configuration any more");
            Fault::new(Blame::Config, code::CARRIER_NO_SUCH_CALL, message)
                .hint("look whether the call is still up at the carrier, and end it there")
        })?;
        let leg = Leg(leg);
        match carrier.calls.status(&leg).await? {
            Status::Ended(end) => Ok(end),
            Status::Pending | Status::Up => {
                carrier.calls.hang_up(&leg).await?;
                Ok(LOST)
            }
        }
    }

    fn is_ours(&self, id: &str) -> bool {
        CallId::parse(id).is_some_and(|id| self.call(id).is_some())
    }
}

const LOST: End = End {
    by: Party::Gateway,
    why: Why::Fault,
};

/// So many calls are looked through, the latest first.
const MOST: usize = 2_000;
