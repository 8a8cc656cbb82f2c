//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use call::Event;
use call::event::End;
use jiff::Timestamp;
use ports::{Blame, Fault, code};
use tokio::sync::{oneshot, watch};

use super::Keep;
use super::log::{Entry, Parties};
use super::mark::Mark;
use super::reader::Summary;
use super::store::{Line, Note, Store};
use crate::metrics::metrics;

/// Writes entries. Clones write to the same journal.
#[derive(Clone, Debug)]
pub struct Pen(Nib);

#[derive(Clone, Debug)]
enum Nib {
    /// Nothing is kept: for calls that are tried out.
    Dry,
    Wet {
        lines: SyncSender<Note>,
        sick: Arc<AtomicBool>,
    },
}

impl Pen {
    /// A pen that keeps nothing.
    pub fn dry() -> Self {
        Self(Nib::Dry)
    }

    /// Whether new calls may begin: what happens on them would be kept.
    ///
    /// # Errors
    /// The journal cannot be written at the moment.
    pub fn check(&self) -> Result<(), Fault> {
        match &self.0 {
            Nib::Wet { sick, .. } if sick.load(Ordering::Relaxed) => {
                let message = "what happens on calls cannot be written down, so none begins";
                let fault = Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message);
                Err(fault.hint("is the disk full? the log says what is wrong"))
            }
            Nib::Wet { .. } | Nib::Dry => Ok(()),
        }
    }

    /// Hands an entry over. Never waits: if the disk has been gone for long, it is lost, and no
    /// new call begins.
    pub(super) fn write(&self, entry: &Entry) {
        self.hand_over(|| {
            Note::Entry(Line {
                call: entry.call.clone(),
                seq: entry.seq,
                at: entry.time.as_millisecond(),
                entry: serde_json::to_string(entry).expect("an entry has only strings for keys"),
            })
        });
    }

    /// Writes what happened beside a call, or before there was one: it is no event of the call's own, and
    /// has no number within it.
    pub fn beside(&self, call: &str, parties: Option<Parties>, event: Event) {
        self.write(&Entry {
            v: 1,
            call: call.to_owned(),
            seq: 0,
            ms: 0,
            time: Timestamp::now(),
            parties,
            event,
        });
    }

    /// Notes how its carrier calls a call.
    pub fn bind(&self, call: &str, leg: &str) {
        self.hand_over(|| Note::Leg {
            call: call.to_owned(),
            leg: leg.to_owned(),
        });
    }

    /// Remembers how a call stands, instead of what was remembered before.
    pub fn remember(&self, call: &str, memory: impl FnOnce() -> String) {
        self.hand_over(|| Note::Memory {
            call: call.to_owned(),
            at: Timestamp::now().as_millisecond(),
            memory: memory(),
        });
    }

    /// Whether anything is kept.
    pub fn is_dry(&self) -> bool {
        matches!(self.0, Nib::Dry)
    }

    /// Forgets how a call stood: it is over.
    pub(super) fn forget(&self, call: &str) {
        self.hand_over(|| Note::Forget {
            call: call.to_owned(),
        });
    }

    /// Writes the end of a call that a gateway before us did not live to see.
    pub fn close(&self, call: &Summary, now: Timestamp, end: End) {
        let began = call.began["time"].as_str().and_then(|it| it.parse().ok());
        let began: Timestamp = began.unwrap_or(now);
        self.write(&Entry {
            v: 1,
            call: call.id.clone(),
            seq: call.seq + 1,
            ms: u64::try_from(now.duration_since(began).as_millis()).unwrap_or_default(),
            time: now,
            parties: None,
            event: Event::Ended(end),
        });
        self.forget(&call.id);
    }

    /// Waits until all that was written before is durable, or until there is no hope of it.
    pub async fn flush(&self) {
        let (done, durable) = oneshot::channel();
        self.hand_over(|| Note::Flush(done));
        let _ = durable.await;
    }

    fn hand_over(&self, note: impl FnOnce() -> Note) {
        let Nib::Wet { lines, sick } = &self.0 else {
            return;
        };
        metrics().journal_waiting.inc();
        if lines.try_send(note()).is_ok() {
            return;
        }
        metrics().journal_waiting.dec();
        if !sick.swap(true, Ordering::Relaxed) {
            tracing::error!(
                code = code::JOURNAL_BROKEN,
                "events are lost: the journal cannot be written"
            );
        }
    }
}

/// Starts the thread. It ends when the last pen is gone, having written everything.
pub(super) fn start(store: Store, mark: Mark, keep: Keep) -> (Pen, watch::Receiver<u64>) {
    let (lines, coming) = sync_channel(WAITING);
    let (durable, seen) = watch::channel(store.last());
    let sick = Arc::new(AtomicBool::new(false));
    let writer = Writer {
        store,
        mark,
        keep,
        coming,
        durable,
        sick: sick.clone(),
    };
    let named = thread::Builder::new().name("journal".to_owned());
    let started = named.spawn(move || writer.run());
    started.expect("the system has room for one more thread");
    (Pen(Nib::Wet { lines, sick }), seen)
}

struct Writer {
    store: Store,
    mark: Mark,
    keep: Keep,
    coming: Receiver<Note>,
    durable: watch::Sender<u64>,
    sick: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self) {
        // Whatever the clock says, there must be room.
        let mut due = Instant::now() + self.forget(i64::MIN).unwrap_or(SETTLING);
        let mut clocks = Clocks::now();
        let mut batch = Vec::new();
        loop {
            match self
                .coming
                .recv_timeout(due.saturating_duration_since(Instant::now()))
            {
                Ok(note) => {
                    batch.push(note);
                    batch.extend(self.coming.try_iter().take(TOGETHER));
                    self.commit(&mut batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if Instant::now() >= due {
                let more = self.prune(&mut clocks);
                due = Instant::now() + more.unwrap_or(PRUNED_EVERY);
            }
        }
    }

    /// Writes a batch, and tries again for as long as it cannot be written.
    fn commit(&mut self, batch: &mut Vec<Note>) {
        let mut tries = 0;
        loop {
            let began = Instant::now();
            match self.store.append(batch) {
                Ok(last) => {
                    metrics()
                        .journal_flush
                        .observe(began.elapsed().as_secs_f64());
                    metrics().journal_entries.inc_by(batch.len() as u64);
                    metrics().journal_waiting.sub(batch.len() as i64);
                    if let Err(error) = self.mark.set(last) {
                        tracing::debug!(%error, "the mark beside the journal cannot be set");
                    }
                    self.durable.send_replace(last);
                    for note in batch.drain(..) {
                        if let Note::Flush(done) = note {
                            // Who asked may have stopped waiting.
                            let _ = done.send(());
                        }
                    }
                    if self.sick.swap(false, Ordering::Relaxed) {
                        tracing::info!("the journal can be written again");
                    }
                    return;
                }
                Err(error) => {
                    if !self.sick.swap(true, Ordering::Relaxed) {
                        tracing::error!(code = code::JOURNAL_BROKEN, %error, "the journal cannot be written: no new call begins");
                    }
                    tries += 1;
                    if tries == TRIES {
                        tracing::error!(events = batch.len(), "events are lost");
                        metrics().journal_waiting.sub(batch.len() as i64);
                        batch.clear();
                        return;
                    }
                    thread::park_timeout(PAUSE);
                }
            }
        }
    }

    /// Forgets what is too old or too much, unless the clock cannot be trusted to say what is old.
    /// Returns when to go on, if there is more.
    fn prune(&mut self, clocks: &mut Clocks) -> Option<Duration> {
        let now = Clocks::now();
        let before = std::mem::replace(clocks, now);
        let oldest = if before.agree(&now) {
            now.wall.as_millisecond() - self.keep.age.as_millis() as i64
        } else {
            tracing::warn!("the clock of this machine jumped: old entries are kept for now");
            i64::MIN
        };
        self.forget(oldest)
    }

    fn forget(&mut self, oldest: i64) -> Option<Duration> {
        match self.store.prune(oldest, self.keep.room) {
            Ok(0) => None,
            Ok(entries) => {
                tracing::info!(entries, "old entries of the journal were forgotten");
                Some(PAUSE)
            }
            Err(error) => {
                tracing::warn!(%error, "old entries cannot be forgotten");
                None
            }
        }
    }
}

/// The clock on the wall, which somebody may set, and the one that only goes on.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    wall: Timestamp,
    steady: Instant,
}

impl Clocks {
    fn now() -> Self {
        Self {
            wall: Timestamp::now(),
            steady: Instant::now(),
        }
    }

    /// Whether both say that the same time has passed until `later`.
    fn agree(&self, later: &Self) -> bool {
        let steady = later.steady.saturating_duration_since(self.steady);
        let steady = i128::try_from(steady.as_millis()).unwrap_or(i128::MAX);
        let wall = i128::from(later.wall.as_millisecond() - self.wall.as_millisecond());
        (wall - steady).unsigned_abs() <= APART.as_millis()
    }
}

/// Entries that wait for a slow disk: minutes of a busy gateway's.
const WAITING: usize = 16_384;
/// Made durable together, at most.
const TOGETHER: usize = 1_024;
/// A disk that stays broken for an hour loses what waits.
const TRIES: u32 = 7_200;
const PAUSE: Duration = Duration::from_millis(500);
/// A gateway that has just started looks how the clock goes before it judges by it what is old…
const SETTLING: Duration = Duration::from_secs(5 * 60);
/// … and looks again so often.
const PRUNED_EVERY: Duration = Duration::from_secs(60 * 60);
/// Clocks that are set right by the network may be so far apart.
const APART: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use call::event::{
        Answered, Consent, Judge, Outcome, Party, Proof, Refused, Speaker, Timed, Unrecorded, What,
        Who, Why,
    };
    use call::{Data, Private, Trust};
    use jiff::SignedDuration;
    use ports::agent::Objective;
    use serde_json::Value;

    use super::*;
    use crate::journal::{CallLog, Journal, Keys, Parties, Reader, SealKey, Wanted};

    #[tokio::test]
    async fn what_was_written_before_a_flush_is_durable_after_it() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let journal = Journal::open(folder.path(), Keep::default(), Keys::default());
        let journal = journal.expect("the folder is ours");
        let pen = journal.pen();
        let log = CallLog::new("call-1".to_owned(), parties(), pen.clone());
        for _ in 0..500 {
            log.push(Instant::now(), Event::AgentStalled);
        }
        pen.flush().await;
        assert_eq!(*journal.durable.borrow(), 500);
        Pen::dry().flush().await;
    }

    /// Each with this wherever something private goes.
    const CANARY: &str = "canary";
    const KEY_PRESSED: char = '☎';

    /// Figures only: the compiler asks whoever adds something to look here.
    fn timed() -> Timed {
        Timed {
            turn: 1,
            transcribed_ms: Some(1),
            told_ms: 1,
            first_token_ms: Some(1),
            first_clause_ms: Some(1),
            first_audio_ms: Some(1),
            at_ear_ms: Some(1),
        }
    }

    fn answered() -> Answered {
        Answered {
            who: Who::Machine,
            by: Judge::Gateway,
            judged_ms: Some(1),
            speech_ms: Some(1),
            greeting_ms: Some(1),
            pause_ms: Some(1),
            silence_ms: Some(1),
            bursts: Some(1),
            beep_ms: Some(1),
            beep_hz: Some(1),
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn every_event() -> Vec<Event> {
        let text = || Private::from(CANARY);
        let digit = Private::new(KEY_PRESSED);
        let (by, why) = (Party::Caller, Why::HungUp);
        let code = code::AGENT_TIMEOUT;
        let all = vec![
            Event::Dialed,
            Event::Offered,
            Event::Ringing,
            Event::Answered,
            Event::Connected,
            Event::AnsweredBy(answered()),
            Event::GreetingEnded { beep: true },
            Event::Disconnected,
            Event::Reconnected { gap_ms: 1 },
            Event::CallerSpeechStarted,
            Event::CallerSpeechEnded,
            Event::CallerHearing { text: text() },
            Event::CallerSaid { text: text() },
            Event::CallerPressed { digit },
            Event::CallerOptedOut,
            Event::CallerProved,
            Event::CallerFailedProof,
            Event::CallerInEmergency,
            Event::AgentRefused(refused()),
            Event::AgentTurnStarted { text: text() },
            Event::AgentSaid { text: text() },
            Event::AgentInterrupted {
                heard: text(),
                unheard: text(),
            },
            Event::AgentPressed { digits: text() },
            Event::AgentTookMessage {
                name: text(),
                text: text(),
            },
            Event::AgentNoted { text: text() },
            Event::DisclosurePlayed {
                text: text(),
                sha256: "c0ffee".to_owned(),
                bytes: 64_000,
            },
            Event::RecordingStarted {
                consent: Consent::Announced,
            },
            Event::RecordingRefused {
                why: Unrecorded::Declined,
            },
            Event::AgentTurnTimed(timed()),
            Event::AgentStalled,
            Event::Transferring {
                to: "ben".to_owned(),
            },
            Event::HandedOver {
                to: "ben".to_owned(),
            },
            Event::Transferred {
                to: "ben".to_owned(),
            },
            Event::TransferFailed {
                to: "ben".to_owned(),
                why,
            },
            Event::MeetingJoined {
                meeting: "0192".to_owned(),
            },
            Event::MeetingLeft {
                meeting: "0192".to_owned(),
            },
            Event::MeetingSpeaking,
            Event::MeetingStoppedSpeaking,
            Event::MeetingMuted,
            Event::MeetingUnmuted,
            Event::PolicyAllowed {
                what: What::Dial,
                rule: "`call` in [policy]".to_owned(),
            },
            Event::PolicyRefused {
                what: What::Dial,
                code,
                rule: "`call` in [policy]".to_owned(),
                more: 1,
            },
            Event::PolicyPurpose {
                purpose: Some(text()),
                consent: Some(text()),
            },
            Event::PolicyHeld {
                what: What::Dial,
                rule: "`approve` in [policy]".to_owned(),
            },
            Event::Outcome(Box::new(outcome())),
            Event::AgentFailed { code },
            Event::SpeechFailed { code },
            Event::Ended(End { by, why }),
        ];
        // Here the compiler asks whoever adds an event, or something to one, to add it above too.
        for event in &all {
            match event {
                Event::Dialed
                | Event::Offered
                | Event::Ringing
                | Event::Answered
                | Event::Connected
                | Event::AnsweredBy(_)
                | Event::GreetingEnded { beep: _ }
                | Event::Disconnected
                | Event::Reconnected { gap_ms: _ }
                | Event::Ended(End { by: _, why: _ })
                | Event::CallerSpeechStarted
                | Event::CallerSpeechEnded
                | Event::CallerHearing { text: _ }
                | Event::CallerSaid { text: _ }
                | Event::CallerPressed { digit: _ }
                | Event::CallerOptedOut
                | Event::CallerProved
                | Event::CallerFailedProof
                | Event::CallerInEmergency
                | Event::AgentRefused(Refused {
                    code: _,
                    needs: _,
                    trust: _,
                })
                | Event::AgentTurnStarted { text: _ }
                | Event::AgentSaid { text: _ }
                | Event::AgentInterrupted {
                    heard: _,
                    unheard: _,
                }
                | Event::DisclosurePlayed {
                    text: _,
                    sha256: _,
                    bytes: _,
                }
                | Event::RecordingStarted { consent: _ }
                | Event::RecordingRefused { why: _ }
                | Event::AgentPressed { digits: _ }
                | Event::AgentCalledTool { name: _ }
                | Event::AgentTookMessage { name: _, text: _ }
                | Event::AgentNoted { text: _ }
                | Event::AgentTurnTimed(_)
                | Event::Transferring { to: _ }
                | Event::HandedOver { to: _ }
                | Event::Transferred { to: _ }
                | Event::TransferFailed { to: _, why: _ }
                | Event::MeetingJoined { meeting: _ }
                | Event::MeetingLeft { meeting: _ }
                | Event::MeetingSpeaking
                | Event::MeetingStoppedSpeaking
                | Event::MeetingMuted
                | Event::MeetingUnmuted
                | Event::PolicyAllowed { what: _, rule: _ }
                | Event::PolicyRefused {
                    what: _,
                    code: _,
                    rule: _,
                    more: _,
                }
                | Event::PolicyHeld { what: _, rule: _ }
                | Event::Outcome(_)
                | Event::PolicyPurpose {
                    purpose: _,
                    consent: _,
                }
                | Event::AgentStalled
                | Event::AgentFailed { code: _ }
                | Event::SpeechFailed { code: _ } => {}
            }
        }
        all
    }

    fn outcome() -> Outcome {
        let Outcome {
            reached,
            goal,
            judged_by,
            summary: _,
            facts: _,
            proof: _,
            unproven: _,
            unjudged,
        } = crate::outcome::Known::default().alone(None);
        Outcome {
            reached,
            goal,
            judged_by,
            summary: Some(CANARY.into()),
            facts: Some(Private::new(Data::Text(CANARY.to_owned()))),
            proof: vec![Proof {
                of: CANARY.into(),
                line: 1,
                who: Speaker::Caller,
                text: CANARY.into(),
                ms: 1,
            }],
            unproven: vec![CANARY.into()],
            unjudged,
        }
    }

    fn refused() -> Refused {
        Refused {
            code: code::POLICY_TRUST,
            needs: Trust::Proven,
            trust: Trust::CallerId,
        }
    }

    fn parties() -> Parties {
        Parties {
            direction: "inbound",
            number: CANARY.into(),
            caller: Some(CANARY.into()),
            carrier: "a".to_owned(),
            agent: "b".to_owned(),
            allowed_by: "a rule".to_owned(),
            objective: Some(Objective {
                schema: Some(Private::new(serde_json::json!({ "title": CANARY }))),
                ..Objective::goal(CANARY.into())
            }),
            asked_by: None,
            trust: Trust::CallerId,
        }
    }

    /// Every byte of every file of a folder.
    fn bytes(folder: &Path) -> Vec<u8> {
        let files = std::fs::read_dir(folder).expect("it is there");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            std::fs::read(file.expect("it is there").path()).expect("it is ours")
        };
        files.flat_map(read).collect()
    }

    fn holds(bytes: &[u8], what: &str) -> bool {
        bytes.windows(what.len()).any(|it| it == what.as_bytes())
    }

    fn keys() -> Keys {
        Keys {
            seal: SealKey::parse(&SealKey::random()),
            old: Vec::new(),
        }
    }

    /// Writes a call in which everything happens, and returns all there is as a reader with these keys
    /// sees it, and as it is on the disk.
    async fn written(folder: &Path, keys: &Keys) -> Result<(Vec<String>, Vec<u8>), Fault> {
        let journal = Journal::open(folder, Keep::default(), keys.clone())?;
        let log = CallLog::new("call-1".to_owned(), parties(), journal.pen());
        for event in every_event() {
            log.push(Instant::now(), event);
        }
        // The call has ended; what is remembered of another is kept as well as it is.
        journal.pen().remember("call-2", || CANARY.to_owned());
        journal.pen().flush().await;
        let remembered = journal.reader()?.memory("call-2".to_owned()).await?;
        assert_eq!(remembered.map(|(_, it)| it).as_deref(), Some(CANARY));
        let rows = journal.reader()?.after(&Wanted::default()).await?;
        assert!(journal.reader()?.verify().await?.is_ok());
        // While it is open: what has not found its way into the main file yet is to be seen, too.
        let found = bytes(folder);
        Ok((rows.into_iter().map(|it| it.entry).collect(), found))
    }

    #[tokio::test]
    async fn nothing_private_reaches_the_disk_unless_it_is_sealed() {
        let (open, sealed) = (tempfile::tempdir(), tempfile::tempdir());
        let (open, sealed) = (open.expect("a folder"), sealed.expect("a folder"));
        let plain = written(open.path(), &Keys::default()).await;
        let (plain, found) = plain.expect("the folder is ours");
        // So it would be found.
        assert!(holds(&found, CANARY) && holds(&found, &KEY_PRESSED.to_string()));
        let keys = keys();
        let read = written(sealed.path(), &keys).await;
        let (read, found) = read.expect("the folder is ours");
        assert!(holds(&found, "agent.took_message"), "the file is read");
        assert!(!holds(&found, CANARY) && !holds(&found, &KEY_PRESSED.to_string()));
        let said = |rows: &[String]| {
            let rows = rows.iter().map(|it| {
                let mut row: Value = serde_json::from_str(it).expect("it is JSON");
                let stamps = row.as_object_mut().expect("it is an object");
                stamps.retain(|name, _| name != "time" && name != "ms");
                row
            });
            rows.collect::<Vec<_>>()
        };
        assert_eq!(said(&read), said(&plain), "with the key it is the same");
        let blind = Reader::of_folder(sealed.path()).expect("it is there");
        let rows = blind.after(&Wanted::default()).await.expect("it is ours");
        assert!(blind.hid_something());
        assert!(rows.iter().all(|it| !it.entry.contains(CANARY)));
        assert!(rows[0].entry.contains(r#""caller":"•••""#), "{:?}", rows[0]);
        assert!(rows[0].entry.contains(r#""carrier":"a""#), "{:?}", rows[0]);
    }

    #[tokio::test]
    async fn a_journal_is_not_written_on_with_the_wrong_key() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        // Encryption is turned on later: both kinds can be read.
        let before = written(folder.path(), &Keys::default()).await;
        let before = before.expect("the folder is ours").0.len();
        let keys = keys();
        let (both, _) = written(folder.path(), &keys).await.expect("it is new");
        assert_eq!(both.len(), 2 * before);
        assert!(both.iter().all(|it| !it.contains(crate::journal::HIDDEN)));
        for wrong in [Keys::default(), self::keys()] {
            let fault = written(folder.path(), &wrong).await;
            let fault = fault.expect_err("it is another key");
            assert_eq!(fault.code, code::JOURNAL_KEY);
            let name = keys.seal.as_ref().map(SealKey::name).expect("there is one");
            assert!(fault.message.contains(name) && fault.hint.is_some());
        }
        // Another key, and then none: what was written before can be read with the old ones.
        let second = Keys {
            seal: self::keys().seal,
            old: keys.seal.clone().into_iter().collect(),
        };
        let (all, _) = written(folder.path(), &second).await.expect("it is known");
        assert_eq!(all.len(), 3 * before);
        let none = Keys {
            seal: None,
            old: [keys.seal, second.seal].into_iter().flatten().collect(),
        };
        let (all, _) = written(folder.path(), &none).await.expect("they are known");
        assert_eq!(all.len(), 4 * before);
        assert!(all.iter().all(|it| !it.contains(crate::journal::HIDDEN)));
    }

    #[test]
    fn a_clock_is_trusted_while_it_goes_as_time_does() {
        let begin = Clocks::now();
        let later = |steady: u64, wall: i64| Clocks {
            steady: begin.steady + Duration::from_secs(steady),
            wall: begin.wall + SignedDuration::from_secs(wall),
        };
        assert!(begin.agree(&later(3_600, 3_600)));
        assert!(begin.agree(&later(3_600, 3_570)));
        assert!(!begin.agree(&later(3_600, 90 * 86_400)));
        assert!(!begin.agree(&later(3_600, -7_200)));
    }
}
