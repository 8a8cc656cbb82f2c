//! The file: a head, what the call was told, the events that came of it, and a seal.
//!
//! Every line is JSON. The last one holds a hash of all the others, so that a file which was cut
//! short or changed is refused before anything of it is believed.

use std::str::Lines;

use call::{Private, Trust};
use jiff::Timestamp;
use ports::agent::Objective;
use ports::{Blame, Fault, code};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tape::Full;
use super::wire::{Beginning, Read, Step};
use super::{Snapshot, tape};
use crate::journal::{CallLog, Parties};

/// Goes up whenever what is written changes.
const FORMAT: u32 = 6;

/// No recording is larger than this, whatever it says.
pub const MOST_BYTES: u64 = 4 * tape::MOST as u64;

/// A flight recording: what a call was told, and what came of it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Which version of offhook made it.
    pub build: String,
    /// Our name for the call.
    pub call: String,
    /// When the call began.
    pub began: Timestamp,
    /// Who talked to whom.
    pub parties: Parties,
    /// Where it begins.
    pub beginning: Beginning,
    /// What the call was told.
    pub steps: Vec<Step>,
    /// Where it ends before the call did, if it does.
    pub full: Option<Full>,
    /// The events that came of it, in their public form.
    pub events: Vec<Private<String>>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    offhook_flight: u32,
    build: String,
    call: String,
    began: Timestamp,
    direction: String,
    number: String,
    caller: Option<String>,
    carrier: String,
    agent: String,
    allowed_by: String,
    trust: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    objective: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    brief: Value,
    beginning: Beginning,
}

#[derive(Deserialize)]
struct Format {
    offhook_flight: u32,
}

#[derive(Serialize, Deserialize)]
struct Foot {
    steps: usize,
    events: usize,
    full: Option<Full>,
}

#[derive(Serialize)]
struct Seal {
    sha256: String,
}

impl Snapshot {
    /// The recording as a file holds it.
    pub fn seal(&self, log: &CallLog) -> Vec<u8> {
        let parties = log.parties();
        let objective = parties.objective.as_ref();
        let mut bytes = Vec::with_capacity(self.tape.len() * 2);
        line(
            &mut bytes,
            &Head {
                offhook_flight: FORMAT,
                build: BUILD.to_owned(),
                call: log.call().to_owned(),
                began: log.began().time,
                direction: parties.direction.to_owned(),
                number: parties.number.reveal().clone(),
                caller: parties.caller.as_ref().map(|it| it.reveal().clone()),
                carrier: parties.carrier.clone(),
                agent: parties.agent.clone(),
                allowed_by: parties.allowed_by.clone(),
                trust: parties.trust.as_str().to_owned(),
                objective: objective.map(|it| it.goal.reveal().clone()),
                brief: objective.and_then(Objective::brief).unwrap_or_default(),
                beginning: self.tape.beginning().clone(),
            },
        );
        for lines in self.tape.lines() {
            bytes.extend_from_slice(lines);
        }
        for entry in &self.entries {
            line(&mut bytes, entry);
        }
        let foot = Foot {
            steps: self.tape.steps(),
            events: self.entries.len(),
            full: self.tape.full(),
        };
        line(&mut bytes, &foot);
        let seal = seal(&bytes);
        bytes.extend_from_slice(seal.as_bytes());
        bytes
    }
}

impl Recording {
    /// Reads what [`Snapshot::seal`] wrote.
    ///
    /// # Errors
    /// It is something else, was cut short or changed, or is of another version.
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|error| broken().because(error))?;
        let format: Format = parse(text.lines().next().unwrap_or_default())?;
        if format.offhook_flight != FORMAT {
            return Err(other(format!(
                "this recording has format {}, and this build reads {FORMAT}",
                format.offhook_flight
            )));
        }
        let body = body(text).ok_or_else(broken)?;
        let mut lines = body.lines();
        let head: Head = believed(lines.next())?;
        let foot: Foot = believed(lines.next_back())?;
        let direction = match head.direction.as_str() {
            "inbound" => "inbound",
            "outbound" => "outbound",
            _ => return Err(broken()),
        };
        let trust = Trust::parse(&head.trust).ok_or_else(broken)?;
        Ok(Self {
            build: head.build,
            call: head.call,
            began: head.began,
            parties: Parties {
                direction,
                number: Private::from(head.number),
                caller: head.caller.map(Private::from),
                carrier: head.carrier,
                agent: head.agent,
                allowed_by: head.allowed_by,
                trust,
                objective: Objective::read(&head.objective.into(), &head.brief),
                // Who asked for a call makes nothing of it.
                asked_by: None,
            },
            beginning: head.beginning,
            steps: steps(&mut lines, foot.steps)?,
            full: foot.full,
            events: lines.map(Private::from).collect(),
        })
    }

    /// Whether another version of offhook made it.
    pub fn is_foreign(&self) -> bool {
        self.build != BUILD
    }
}

/// What made this.
pub(crate) const BUILD: &str = env!("CARGO_PKG_VERSION");

fn line(bytes: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(&mut *bytes, value).expect("it has only strings for keys");
    bytes.push(b'\n');
}

fn seal(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let seal = serde_json::to_string(&Seal { sha256 }).expect("a seal is plain data");
    seal + "\n"
}

/// What the seal vouches for; `None`: it does not.
fn body(text: &str) -> Option<&str> {
    let end = text.strip_suffix('\n')?.rfind('\n')? + 1;
    let (body, sealed) = text.split_at(end);
    (seal(body.as_bytes()) == sealed).then_some(body)
}

fn steps(lines: &mut Lines<'_>, count: usize) -> Result<Vec<Step>, Fault> {
    lines
        .by_ref()
        .take(count)
        .map(|it| believed::<Read>(Some(it)).map(Step::from))
        .collect()
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T, Fault> {
    serde_json::from_str(line).map_err(|error| broken().because(error))
}

/// Reads a line that the seal vouches for: if it makes no sense here, another build wrote it.
fn believed<T: DeserializeOwned>(line: Option<&str>) -> Result<T, Fault> {
    let line = line.ok_or_else(broken)?;
    serde_json::from_str(line).map_err(|error| {
        let message = "this recording holds something that this build does not know";
        other(message.to_owned()).because(error)
    })
}

fn broken() -> Fault {
    let message = "this is no flight recording, or it was cut short or changed";
    Fault::new(Blame::Caller, code::FLIGHT_BROKEN, message)
        .hint("copy it again from where offhook wrote it; it cannot be mended by hand")
}

fn other(message: String) -> Fault {
    Fault::new(Blame::Caller, code::FLIGHT_FORMAT, message)
        .hint("run it again with the offhook that made it: its first line says which")
}
