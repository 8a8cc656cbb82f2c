//! Recordings that carriers make: begun when a call may be recorded, and fetched once it is over.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ports::carrier::{Recording, Recordings as _, Tape, Webhook};
use ports::{Blame, Fault, Retry, code};
use tokio::sync::mpsc;
use tokio::time::sleep;
use uuid::Uuid;

use super::desk::GOODBYE;
use super::renewed::Renewed;
use super::{CallId, Record, Switchboard};
use crate::blocking::blocking;
use crate::config::{Plan, Recorder, Recordings};
use crate::recorder;

/// Has a call recorded by its carrier as soon as it may be, if that is how calls are recorded.
pub(super) fn begin(board: &Arc<Switchboard>, record: &Arc<Record>, plan: &Arc<Plan>) {
    if !is_recorded_by_carrier(plan) || !plan.carriers.contains_key(&record.carrier) {
        return;
    }
    let carrier = Renewed {
        plan: plan.clone(),
        carrier: record.carrier.clone(),
        board: board.clone(),
    };
    let record = record.clone();
    tokio::spawn(async move {
        record.log.may_be_recorded().await;
        if let Some(leg) = record.leg().filter(|_| !record.log.is_closed()) {
            let (base, id) = (&carrier.plan.public_url, record.id);
            let recording = Recording {
                direction: record.direction,
                limit: carrier.plan.rules.limit() + GOODBYE,
                report: &format!("{base}/{}/status?call={id}", record.carrier),
            };
            if let Err(fault) = carrier.record(&leg, &recording).await {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(call = %id, code, hint, "a call is not recorded: {fault}");
            }
        }
    });
}

/// Whether calls are recorded by whoever carries them.
pub(super) fn is_recorded_by_carrier(plan: &Plan) -> bool {
    let recordings = plan.recordings.as_ref();
    recordings.is_some_and(|it| it.by == Recorder::Carrier)
}

impl Switchboard {
    /// A carrier has recorded a call: its recording is fetched into the folder of recordings, if calls
    /// are still recorded like that. A call that is not remembered any more is looked for in the journal.
    pub(super) async fn recorded(
        self: &Arc<Self>,
        carrier: &str,
        hint: Option<CallId>,
        (webhook, tape): (&Webhook, &Tape),
    ) {
        let plan = self.plan();
        let Some(Recordings { dir, .. }) = plan
            .recordings
            .clone()
            .filter(|_| is_recorded_by_carrier(&plan))
        else {
            return;
        };
        let known = self.find(carrier, hint, (&webhook.leg, &webhook.dialled));
        let id = match (known, hint) {
            // It is being fetched.
            (Some(record), _) if !record.is_news(&webhook.notice) => return,
            (Some(record), _) => record.id,
            (None, Some(id)) if self.was_its(carrier, id, webhook).await => id,
            (None, _) => return,
        };
        let board = self.clone();
        let (carrier, tape) = (carrier.to_owned(), tape.clone());
        tokio::spawn(async move {
            let file = dir.join(recorder::name(&id.to_string(), 0));
            let carrier = Renewed {
                plan,
                carrier,
                board,
            };
            match fetch(&carrier, &tape, &file).await {
                Ok(()) => tracing::info!(call = %id, "the carrier's recording was fetched"),
                Err(fault) => {
                    let (code, hint) = (fault.code, fault.hint.as_deref());
                    tracing::error!(call = %id, code, hint, "a recording stays with its carrier: {fault}");
                }
            }
        });
    }

    /// Whether a call that is not remembered was this carrier's, under this name.
    async fn was_its(&self, carrier: &str, id: CallId, webhook: &Webhook) -> bool {
        let known = async {
            let reader = self.journal.reader()?;
            let call = reader.call(id.to_string()).await?;
            Ok::<_, Fault>((call, reader.leg(id.to_string()).await?))
        };
        match known.await {
            Ok((Some(call), Some(leg))) => {
                call.began["carrier"] == carrier
                    && (leg == webhook.leg.0 || leg == webhook.dialled.0)
            }
            Ok(_) => false,
            Err(fault) => {
                let code = fault.code;
                tracing::error!(call = %id, code, "a recorded call cannot be looked for: {fault}");
                false
            }
        }
    }
}

/// Fetches a recording, unless it is there. Tried a few times: it is told of a moment before it is there.
async fn fetch(carrier: &Renewed, tape: &Tape, file: &Path) -> Result<(), Fault> {
    let mut pauses = PAUSES.into_iter();
    loop {
        if file.exists() {
            return Ok(());
        }
        match (fetch_once(carrier, tape, file).await, pauses.next()) {
            (Err(fault), Some(pause)) if fault.retry != Retry::Never => {
                tracing::debug!(code = fault.code, "a recording is not there yet: {fault}");
                sleep(pause).await;
            }
            (outcome, _) => return outcome,
        }
    }
}

async fn fetch_once(carrier: &Renewed, tape: &Tape, file: &Path) -> Result<(), Fault> {
    let (tx, pieces) = mpsc::channel(AHEAD);
    // The same report may come twice at once: each fetches into a file of its own.
    let part = file.with_extension(format!("{}.part", Uuid::new_v4().simple()));
    let writing = blocking("writing a recording", {
        let part = part.clone();
        move || write(&part, pieces).map_err(unwritten)
    });
    let (fetched, written) = tokio::join!(carrier.fetch(tape, tx), writing);
    let settled = fetched.and(written);
    blocking("putting a recording into its place", {
        let file = file.to_owned();
        move || settle(settled, part, &file)
    })
    .await
}

/// Only what is whole is a recording, and one that is there stays.
fn settle(outcome: Result<(), Fault>, part: PathBuf, file: &Path) -> Result<(), Fault> {
    match outcome {
        Ok(()) if file.exists() => fs::remove_file(part).map_err(unwritten),
        Ok(()) => fs::rename(part, file).map_err(unwritten),
        Err(fault) => {
            let _ = fs::remove_file(part);
            Err(fault)
        }
    }
}

fn write(part: &Path, mut pieces: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = BufWriter::new(options.open(part)?);
    while let Some(piece) = pieces.blocking_recv() {
        file.write_all(&piece)?;
    }
    file.into_inner()?.sync_all()
}

fn unwritten(error: io::Error) -> Fault {
    let message = "a recording cannot be written";
    Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
        .hint("make room in `dir` of [recordings], and grant access to it")
        .because(error)
}

/// So many pieces wait for a slow disk.
const AHEAD: usize = 16;

/// Between one try and the next.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(8),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_is_fetched_twice_at_once_stays_whole() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("call.wav");
        let broke = || Fault::new(Blame::Carrier, code::CARRIER_UNKNOWN, "it broke off");
        let parts = ["a", "b", "c"].map(|it| file.with_extension(format!("{it}.part")));
        for part in &parts {
            fs::write(part, part.to_string_lossy().as_bytes()).expect("it can be written");
        }
        let [first, second, third] = parts;
        settle(Ok(()), first.clone(), &file).expect("it is there");
        settle(Ok(()), second, &file).expect("it is there already");
        assert!(settle(Err(broke()), third, &file).is_err());
        let kept = fs::read(&file).expect("it is there");
        assert_eq!(kept, first.to_string_lossy().as_bytes());
        let left = fs::read_dir(folder.path()).expect("the folder is there");
        assert_eq!(left.count(), 1, "no part is left behind");
    }
}
