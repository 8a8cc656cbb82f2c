//! Calls that a gateway before us did not live to see the end of. Nobody is ever dialled here.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use call::event::{End, Party, Why};
use call::memory::{Elsewhere, Talk};
use call::{Attestation, Direction, Machine, Memory, Mode, Number, Place, Trust};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use policy::Proof;
use ports::agent::{Line, Objective};
use ports::carrier::{Leg, Orders, Status};
use ports::{Blame, Fault, code};
use tokio::sync::mpsc;

use super::life::{Begin, Broken, Given, Kept, Part, Voiced, open_turn};
use super::pairing::Entrance;
use super::record::{Born, Talks};
use super::renewed::Renewed;
use super::said::Said;
use super::wish::answerer;
use super::{CONTROL, CallId, Record, Switchboard};
use crate::journal::{Past, Reader, Summary, Wanted};
use crate::memory::Remembered;

/// Calls that could not be taken up again.
pub struct Lost(Vec<Summary>);

impl Switchboard {
    /// Takes up the calls that have no end in the journal, where they broke off: asks their carriers
    /// for their sound, or learns from them that they are over. To be done before carriers can ask
    /// about them. There was a gateway until `alive`, if that is known. Returns those that are beyond
    /// that.
    pub async fn resume(self: &Arc<Self>, alive: Option<SystemTime>) -> Lost {
        let lost = async {
            let reader = self.journal.reader()?;
            let mut lost = reader.calls(MOST).await?;
            lost.retain(|it| it.ended.is_none());
            // However many calls there have been since.
            for call in reader.remembered().await? {
                if lost.iter().all(|it| it.id != call) {
                    let older = reader.call(call).await?;
                    lost.extend(older.filter(|it| it.ended.is_none()));
                }
            }
            Ok::<_, Fault>((reader, lost))
        };
        let (reader, lost) = match lost.await {
            Ok(found) => found,
            Err(fault) => {
                let code = fault.code;
                tracing::error!(code, "lost calls cannot be looked for: {fault}");
                return Lost(Vec::new());
            }
        };
        let mut beyond = Vec::new();
        for call in lost {
            if let Err(fault) = self.take_up(&reader, &call, alive).await {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::warn!(
                    call = call.id,
                    code,
                    hint,
                    "a call of a gateway that was lost cannot be taken up: {fault}"
                );
                beyond.push(call);
            }
        }
        self.settle_dials(&reader).await;
        Lost(beyond)
    }

    /// Ends calls that could not be taken up, by the carrier's word where it has one: their sound is
    /// lost, and they must not go on costing money. What cannot be settled now is left to the next
    /// start.
    pub async fn settle(self: &Arc<Self>, lost: Lost) {
        let reader = match self.journal.reader() {
            Ok(reader) => reader,
            Err(fault) => {
                let code = fault.code;
                tracing::error!(code, "lost calls cannot be looked for: {fault}");
                return;
            }
        };
        // One whose carrier does not answer holds up none of the others.
        let ending = futures_util::stream::iter(lost.0);
        let ended = ending.for_each_concurrent(AT_ONCE, |call| self.settle_one(&reader, call));
        ended.await;
    }

    async fn settle_one(self: &Arc<Self>, reader: &Reader, call: Summary) {
        match self.end(reader, &call).await {
            Ok(end) => {
                tracing::warn!(call = call.id, by = ?end.by, why = ?end.why, "a call of a gateway that was lost is over");
                self.journal.pen().close(&call, Timestamp::now(), end);
                self.judge_aside(call.id);
            }
            Err(fault) => {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(
                    call = call.id,
                    code,
                    hint,
                    "what became of a call is not known: {fault}"
                );
            }
        }
    }

    /// Goes on with a call from what is remembered of it.
    async fn take_up(
        self: &Arc<Self>,
        reader: &Reader,
        call: &Summary,
        alive: Option<SystemTime>,
    ) -> Result<(), Fault> {
        // What the owner stopped while there was no gateway is ended, and not talked on with.
        self.goes_on()?;
        let (plan, (id, mut born)) = (self.plan(), self.born(call)?);
        born.entrance = self.still_in(&born).await?;
        let (at, remembered) = reader
            .memory(call.id.clone())
            .await?
            .ok_or_else(|| lost("nothing is remembered of it"))?;
        let Remembered { mode, mut memory } = Remembered::read(&remembered)?;
        born.talk = Talks::of(&mode);
        let leg = reader.leg(call.id.clone()).await?.map(Leg);
        let now = Timestamp::now().as_millisecond();
        let old = Duration::from_millis(u64::try_from(now - at).unwrap_or_default());
        // While nothing happens on a call, nothing new is remembered of it.
        let alone = alive.and_then(|it| it.elapsed().ok());
        let gone = alone.map_or(old, |it| it.min(old));
        // The rules may have become stricter meanwhile.
        let most = plan.rules.limit().saturating_sub(age(call, now));
        let asked_after = leg.is_some() || old <= plan.patience.ring;
        grow_older(&mut memory, old, most, asked_after)?;
        let answerer = answerer(&plan, &born.agent)?;
        let (broken, proof) = self.broken(reader, call, (memory, gone)).await?;
        let voice = match mode {
            Mode::Loopback => Voiced::Ready(None),
            Mode::Conversation { .. } | Mode::Notify { .. } | Mode::Seat(_) => Voiced::Loading,
        };
        let memory = broken.memory.clone();
        let seat = seat(&mode, &memory);
        let connected = matches!(memory, Memory::Up { .. } | Memory::Elsewhere { .. });
        let past = Past {
            entries: call.seq,
            age: age(call, now),
            connected,
            seated: connected && seat.is_some(),
        };
        let (control, heard) = mpsc::channel(CONTROL);
        // Later than any number that was given out before.
        let numbers = u64::try_from(now).unwrap_or_default();
        let record = Record::resume(id, born, control, self.journal.pen(), (past, numbers));
        record.remind(broken.past.clone());
        record.remind_of_proof(proof);
        let record = self.desk().add(record);
        if let Some(leg) = leg {
            self.bind(&record, &leg);
        }
        let given = Given {
            plan,
            control: heard,
            voice,
            part: Part {
                mode,
                machine: Machine::Talk,
                answerer,
                begin: Begin::Again(Box::new(broken)),
                chair: None,
                kept: Kept::AcrossProcesses,
            },
        };
        tracing::warn!(call = %record.id, ?gone, "a call of a gateway that was lost is taken up again");
        self.start(&record, given);
        if let Some(place) = seat {
            let (board, record) = (self.clone(), record.clone());
            tokio::spawn(async move { board.sit_again(&record, &place).await });
        }
        self.look_after(&record, &memory).await;
        Ok(())
    }

    /// A call that asks for nothing may be over, or its carrier may be about to ask.
    async fn look_after(self: &Arc<Self>, record: &Arc<Record>, memory: &Memory) {
        match memory {
            Memory::Waiting => {
                let (board, record) = (self.clone(), record.clone());
                tokio::spawn(async move { board.ask_after(&record).await });
            }
            Memory::Elsewhere { to, stage, .. } => {
                let handover = match stage {
                    Elsewhere::Rings => self.handover_again(record, &to.to),
                    Elsewhere::Talks => None,
                };
                record.divert(handover.clone());
                let plan = self.plan();
                if let Some(handover) = handover
                    && plan.carriers.contains_key(&record.carrier)
                {
                    let carrier = Renewed {
                        plan,
                        carrier: record.carrier.clone(),
                        board: self.clone(),
                    };
                    handover.watch(&carrier, record);
                }
                let (board, record) = (self.clone(), record.clone());
                tokio::spawn(async move { board.ask_whether_over(&record).await });
            }
            Memory::Answered | Memory::Up { .. } | Memory::Ending(_) | Memory::Over => {}
        }
    }

    /// Perhaps it ended while there was no gateway to be told.
    async fn ask_whether_over(&self, record: &Record) {
        let plan = self.plan();
        let (Some(leg), Some(carrier)) = (record.leg(), plan.carriers.get(&record.carrier)) else {
            return;
        };
        if let Ok(Status::Ended(end)) = carrier.calls.status(&leg).await {
            record.tell_over(end).await;
        }
    }

    /// Perhaps it ended while there was no gateway to be told. If not, a carrier that asks nothing
    /// twice is told again what to do with it.
    async fn ask_after(&self, record: &Record) {
        let plan = self.plan();
        let (Some(leg), Some(carrier)) = (record.leg(), plan.carriers.get(&record.carrier)) else {
            return;
        };
        let status = carrier.calls.status(&leg).await;
        if let Ok(Status::Ended(end)) = status {
            return record.tell_over(end).await;
        }
        let Orders::Requested(offers) = &carrier.orders else {
            return;
        };
        let stream = self.stream(record);
        let told = match record.direction {
            Direction::Inbound => offers.answer(&leg, &stream).await,
            // One that still rings is refused its sound, and asked about by its carrier later.
            Direction::Outbound => carrier.calls.reconnect(&leg, &stream).await,
        };
        if let Err(fault) = told {
            let code = fault.code;
            tracing::info!(call = %record.id, code, "a call that waits was not taken up: {fault}");
        }
    }

    /// A call that stood like this so long ago, and what was proved on it.
    async fn broken(
        &self,
        reader: &Reader,
        call: &Summary,
        (memory, gone): (Memory, Duration),
    ) -> Result<(Broken, Proof), Fault> {
        let (past, recorded, proof) = self.said(reader, call, &memory).await?;
        let broken = Broken {
            since: began_before(gone),
            past,
            recorded,
            memory,
        };
        Ok((broken, proof))
    }

    /// By which right whoever is on a call is still on it.
    async fn still_in(&self, born: &Born) -> Result<Entrance, Fault> {
        let (plan, caller) = (self.plan(), born.caller.as_ref());
        if plan.rules.still_allows(born.direction, caller) {
            return Ok(Entrance::Listed);
        }
        let asked = born.direction == Direction::Inbound && plan.rules.pairing;
        match caller.filter(|_| asked) {
            Some(caller) if self.pairings.is_paired(caller).await? => Ok(Entrance::Paired),
            Some(_) | None => Err(lost("the rules no longer allow it")),
        }
    }

    /// What was said on a call, by its events, whether it was recorded, and what that proved.
    async fn said(
        &self,
        reader: &Reader,
        call: &Summary,
        memory: &Memory,
    ) -> Result<(Vec<Line>, bool, Proof), Fault> {
        let mut said = Said::nothing(&self.plan().phrases);
        let mut wanted = Wanted {
            call: Some(call.id.clone()),
            ..Wanted::default()
        };
        loop {
            let rows = reader.after(&wanted).await?;
            let Some(last) = rows.last() else {
                break;
            };
            wanted.after = last.id;
            for row in &rows {
                let event = serde_json::from_str(&row.entry).unwrap_or_default();
                said.read(&event);
            }
        }
        let recorded = said.recorded();
        let connected = matches!(memory, Memory::Up { .. } | Memory::Elsewhere { .. });
        let proof = said.proof(connected);
        let mut lines = said.lines();
        if open_turn(memory).is_none() {
            // What the caller said last has no answer yet, and is asked again.
            while let Some(Line::Caller(_)) = lines.last() {
                lines.pop();
            }
        }
        Ok((lines, recorded, proof))
    }

    /// Who talks to whom, by the call's first event and the configuration of today.
    fn born(&self, call: &Summary) -> Result<(CallId, Born), Fault> {
        let text = |name: &str| call.began[name].as_str().unwrap_or_default().to_owned();
        let id = CallId::parse(&call.id).ok_or_else(|| lost("its name is not one of ours"))?;
        let number = Number::parse(&text("number"));
        let number = number.map_err(|_| lost("its number is not known"))?;
        let direction = match text("direction").as_str() {
            "inbound" => Direction::Inbound,
            _ => Direction::Outbound,
        };
        let trust = Trust::parse(&text("trust")).unwrap_or(Trust::Unknown);
        let born = Born {
            direction,
            caller: Number::parse(&text("caller")).ok(),
            number,
            carrier: text("carrier"),
            agent: text("agent"),
            talk: Talks::Otherwise,
            allowed_by: text("allowed_by"),
            // What a phone company said once is not said again.
            attestation: match trust {
                Trust::Attested => Attestation::Full,
                Trust::Unknown | Trust::CallerId | Trust::Proven => Attestation::Nothing,
            },
            trust,
            entrance: Entrance::Listed,
            objective: Objective::read(&call.began["objective"], &call.began["brief"]),
            asked_by: call.began["asked_by"].as_str().map(str::to_owned),
        };
        if !self.plan().carriers.contains_key(&born.carrier) {
            return Err(lost("its carrier is not in the configuration any more"));
        }
        Ok((id, born))
    }

    /// How a lost call ended, having seen to it that it did.
    async fn end(&self, reader: &Reader, call: &Summary) -> Result<End, Fault> {
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
                self.end_and_see(name, &leg).await?;
                Ok(LOST)
            }
        }
    }
}

/// Takes the time into account for which nobody had a call, which may last at most that long yet.
fn grow_older(
    memory: &mut Memory,
    old: Duration,
    most: Duration,
    asked_after: bool,
) -> Result<(), Fault> {
    match memory {
        Memory::Up { left, .. } | Memory::Elsewhere { left, .. } => {
            *left = left.saturating_sub(old).min(most)
        }
        // Perhaps it never reached its carrier. If it did, its carrier will ask about it soon.
        Memory::Waiting if !asked_after => return Err(lost("nobody asked about it")),
        Memory::Waiting | Memory::Answered | Memory::Ending(_) => {}
        Memory::Over => return Err(lost("it was over")),
    }
    Ok(())
}

/// Where at a meeting a call sat, or was to.
fn seat(mode: &Mode, memory: &Memory) -> Option<Place> {
    match (mode, memory) {
        (
            _,
            Memory::Up {
                talk: Talk::Seat { place, .. },
                ..
            },
        ) => Some((**place).clone()),
        (Mode::Seat(place), Memory::Waiting | Memory::Answered) => Some(place.clone()),
        (_, Memory::Up { .. } | Memory::Waiting | Memory::Answered)
        | (_, Memory::Elsewhere { .. } | Memory::Ending(_) | Memory::Over) => None,
    }
}

/// So long ago, or as long as this machine has been up.
fn began_before(gone: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(gone).unwrap_or(now)
}

fn age(call: &Summary, now: i64) -> Duration {
    let began = call.began["time"].as_str().and_then(|it| it.parse().ok());
    let began = began.map_or(now, |it: Timestamp| it.as_millisecond());
    Duration::from_millis(u64::try_from(now - began).unwrap_or_default())
}

fn lost(why: &str) -> Fault {
    Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, why).hint("it is ended at its carrier")
}

const LOST: End = End {
    by: Party::Gateway,
    why: Why::Fault,
};

/// So many calls are looked through, the latest first.
const MOST: usize = 2_000;

/// So many of those that cannot be taken up are ended at the same time.
const AT_ONCE: usize = 8;
