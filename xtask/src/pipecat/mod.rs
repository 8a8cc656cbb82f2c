//! Our wires beside Pipecat's: its serializers decode what the exchange sends and what it sent to us, and the
//! exchange plays what they write.
//!
//! Three things, for each carrier. An application made of nothing but Pipecat's serializer answers a call of the
//! exchange, in which everything is compared with what was said and heard at the phone. Every message of that
//! call goes through our own dialect too, which must read the same out of it and write the same. And a gateway's
//! call is recorded between it and the exchange: Pipecat must hear in it what the gateway heard, and would have
//! written what the gateway wrote: once with callers who hear themselves, once with a voice that is interrupted,
//! which takes our own models.

mod dialect;
mod real;
mod sound;
mod stage;
mod stand_in;
mod wire;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::stage::{PIN, Stage};
use self::wire::Differences;

/// Where Pipecat is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The Python that has it.
    #[arg(long, default_value = "python3", value_name = "PYTHON")]
    with: PathBuf,
    /// Use what was built before, as it is.
    #[arg(long)]
    no_build: bool,
}

/// A wire: a carrier, and the law in which sound is written on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    carrier: &'static str,
    law: &'static str,
}

/// What was found on one wire, in the words of the table, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Finding {
    cells: Vec<String>,
    faults: Vec<String>,
}

/// Calls on every wire, and compares.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let stage = Stage::prepare(root, &arguments.with)?;
    if !arguments.no_build {
        Stage::build(root)?;
    }
    let mut found = Found::default();
    let title = format!("{PIN} in front of the exchange, and our dialect beside it");
    found.table(&title, stand_in::HEAD, WIRES, |wire, apart| {
        stand_in::call(&stage, wire, apart)
    });
    let title = format!("offhook's echo in front of the exchange, read by {PIN}");
    found.table(&title, real::ECHO_HEAD, OURS, |wire, apart| {
        real::echo(&stage, wire, apart)
    });
    let title = format!("offhook talking and interrupted, read by {PIN}");
    match real::voice(&stage, OURS[0]) {
        Ok(voice) => found.table(&title, real::TALK_HEAD, OURS, |wire, apart| {
            real::talk(&stage, (wire, &voice), apart)
        }),
        Err(fault) => found
            .faults
            .push(format!("nobody was interrupted: {fault}")),
    }
    found.tell()
}

/// What was found on all wires.
#[derive(Default)]
struct Found {
    faults: Vec<String>,
    /// What differs, and makes no difference to a carrier.
    harmless: BTreeSet<String>,
}

impl Found {
    /// Makes a call on each of the wires, and prints what came of them.
    fn table(
        &mut self,
        title: &str,
        head: &[&str],
        wires: &[Wire],
        call: impl Fn(Wire, &mut Differences) -> Result<Finding, String>,
    ) {
        let mut rows = Vec::new();
        for wire in wires {
            eprintln!("pipecat: {}, {title}", wire.name());
            let mut apart = Differences::default();
            let finding = call(*wire, &mut apart).unwrap_or_else(Finding::failed);
            let wrong = finding.faults.iter().chain(&apart.wrong);
            self.faults
                .extend(wrong.map(|it| format!("{}: {it}", wire.name())));
            let harmless = apart.harmless.iter();
            self.harmless
                .extend(harmless.map(|it| format!("{}: {it}", wire.carrier)));
            rows.push((*wire, finding));
        }
        println!("\n{title}");
        print(head, &rows);
    }

    fn tell(&self) -> Result<(), String> {
        println!("\nwhat differs, and makes no difference to the carrier");
        for difference in &self.harmless {
            println!("  {difference}");
        }
        for fault in &self.faults {
            eprintln!("  {fault}");
        }
        match self.faults.len() {
            0 => Ok(()),
            count => Err(format!("{count} things are not as Pipecat has them")),
        }
    }
}

impl Wire {
    fn name(self) -> String {
        format!("{} {}-law", self.carrier, self.law)
    }
}

impl Finding {
    /// Of a call that came to nothing.
    fn failed(fault: String) -> Self {
        Self {
            cells: vec!["nothing WRONG".to_owned()],
            faults: vec![fault],
        }
    }

    fn cell(&mut self, text: impl ToString) {
        self.cells.push(text.to_string());
    }

    /// Notes what is wrong if it is, and says so in the table.
    fn judge(&mut self, is_right: bool, cell: impl ToString, wrong: impl FnOnce() -> String) {
        if is_right {
            return self.cell(cell);
        }
        self.cell(format!("{} WRONG", cell.to_string()));
        self.faults.push(wrong());
    }

    /// Tells whether the exchange took everything it was sent.
    fn accepted(&mut self, complaints: &[String]) {
        let cell = if complaints.is_empty() {
            "all"
        } else {
            "not all"
        };
        self.judge(complaints.is_empty(), cell, || {
            format!("the exchange complains: {complaints:?}")
        });
    }

    /// Tells how many messages were compared. What is wrong with them is told by whoever gathers it.
    fn compared(&mut self, apart: &Differences) {
        let (compared, wrong) = (apart.compared, apart.wrong.len());
        let cell = match wrong {
            0 => format!("{compared} of {compared}"),
            _ => format!("{wrong} differences WRONG"),
        };
        self.judge(compared > 0, cell, || {
            "no message could be compared".to_owned()
        });
    }
}

fn print(head: &[&str], rows: &[(Wire, Finding)]) {
    let mut lines = vec![
        ["wire"]
            .iter()
            .chain(head)
            .map(ToString::to_string)
            .collect(),
    ];
    for (wire, finding) in rows {
        let mut line: Vec<String> = vec![wire.name()];
        line.extend(finding.cells.iter().cloned());
        lines.push(line);
    }
    let width = |at: usize| {
        lines
            .iter()
            .filter_map(|it| it.get(at))
            .map(|it| it.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..=head.len()).map(|at| width(at).unwrap_or(0)).collect();
    for line in &lines {
        let cells = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

const PLIVO: Wire = Wire {
    carrier: "plivo",
    law: "mu",
};
const TELNYX: Wire = Wire {
    carrier: "telnyx",
    law: "mu",
};
const TELNYX_A: Wire = Wire {
    carrier: "telnyx",
    law: "a",
};
const TWILIO: Wire = Wire {
    carrier: "twilio",
    law: "mu",
};

/// Pipecat speaks both laws with one carrier.
const WIRES: &[Wire] = &[PLIVO, TELNYX, TELNYX_A, TWILIO];
/// Those that the gateway asks for.
const OURS: &[Wire] = &[PLIVO, TELNYX, TWILIO];
