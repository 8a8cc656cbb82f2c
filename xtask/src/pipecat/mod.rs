//! Our wires beside Pipecat's: its serializers decode what the exchange sends and what it sent to us, and the
//! exchange plays what they write.
//!
//! Three things, for each carrier. An application made of nothing but Pipecat's serializer answers a call of the
//! exchange, in which everything is compared with what was said and heard at the phone. Every message of that
//! call goes through our own dialect too, which must read the same out of it and write the same. And a gateway's
//! call is recorded between it and the exchange: Pipecat must hear in it what the gateway heard, and would have
//! written what the gateway wrote.

mod dialect;
mod real;
mod sound;
mod stage;
mod stand_in;
mod wire;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::stage::Stage;
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
    let mut faults = Vec::new();
    let mut differences = BTreeSet::new();
    let (mut played, mut recorded) = (Vec::new(), Vec::new());
    for wire in WIRES {
        eprintln!("pipecat: {} answers {}", stage::PIN, wire.name());
        let mut apart = Differences::default();
        let finding = stand_in::call(&stage, *wire, &mut apart)?;
        gather(&mut faults, &mut differences, *wire, &finding, apart);
        played.push((*wire, finding));
    }
    for wire in WIRES.iter().filter(|it| it.law == "mu") {
        eprintln!("pipecat: offhook answers {}", wire.name());
        let mut apart = Differences::default();
        let finding = real::call(&stage, *wire, &mut apart)?;
        gather(&mut faults, &mut differences, *wire, &finding, apart);
        recorded.push((*wire, finding));
    }
    println!(
        "\n{} in front of the exchange, and our dialect beside it",
        stage::PIN
    );
    print(stand_in::HEAD, &played);
    println!("\noffhook in front of the exchange, read by {}", stage::PIN);
    print(real::HEAD, &recorded);
    println!("\nwhat differs, and makes no difference to the carrier");
    for difference in &differences {
        println!("  {difference}");
    }
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("  {fault}");
    }
    Err(format!(
        "{} things are not as Pipecat has them",
        faults.len()
    ))
}

/// Takes what is wrong, and what is merely different, from one wire.
fn gather(
    faults: &mut Vec<String>,
    harmless: &mut BTreeSet<String>,
    wire: Wire,
    finding: &Finding,
    apart: Differences,
) {
    let name = wire.name();
    let wrong = finding.faults.iter().chain(&apart.wrong);
    faults.extend(wrong.map(|it| format!("{name}: {it}")));
    let carrier = wire.carrier;
    harmless.extend(apart.harmless.iter().map(|it| format!("{carrier}: {it}")));
}

impl Wire {
    fn name(self) -> String {
        format!("{} {}-law", self.carrier, self.law)
    }
}

impl Finding {
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

/// Pipecat speaks both laws with one carrier, and the gateway asks for one of them.
const WIRES: &[Wire] = &[
    Wire {
        carrier: "plivo",
        law: "mu",
    },
    Wire {
        carrier: "telnyx",
        law: "mu",
    },
    Wire {
        carrier: "telnyx",
        law: "a",
    },
    Wire {
        carrier: "twilio",
        law: "mu",
    },
];
