//! `offhook replay`.

use std::path::PathBuf;

use ports::{Blame, Fault, code};
use serde_json::Value;

use super::{Done, Out, calls};
use crate::flight::{self, Recording, Replayed};
use crate::journal::Summary;

/// Which recording, and what to make of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recording, as `offhook flight`, `offhook demo` or a fault left it.
    file: PathBuf,
    /// Print a test for crates/sim/tests/sim instead, which tells the same story.
    #[arg(long)]
    story: bool,
}

/// Runs a recorded call again, prints what came of it, and says where that is not what came of it
/// then.
pub(super) fn run(args: &Args, out: &mut Out) -> Result<Done, Fault> {
    let recording = flight::open(&args.file)?;
    if recording.is_foreign() {
        out.aside(format_args!(
            "warning: offhook {} made this recording, and this is {}: a call may do otherwise here\n",
            recording.build,
            flight::BUILD
        ));
    }
    let replayed = flight::replay(&recording);
    if args.story {
        let story = flight::story(&recording)?;
        out.json(&serde_json::json!({ "story": story }));
        out.line(story.trim_end());
    } else {
        tell(&recording, &replayed, out);
    }
    Ok(judge(&recording, &replayed, out))
}

fn tell(recording: &Recording, replayed: &Replayed, out: &mut Out) {
    for entry in &replayed.entries {
        out.json(entry);
    }
    if out.is_json() {
        return;
    }
    let events: Vec<Value> = replayed
        .entries
        .iter()
        .map(|it| serde_json::to_value(it).expect("an entry has only strings for keys"))
        .collect();
    let last = events.last().filter(|it| it["type"] == "call.ended");
    let call = Summary {
        id: recording.call.clone(),
        began: events.first().cloned().unwrap_or_default(),
        ended: last.cloned(),
        seq: events.len() as u64,
    };
    calls::tell(&call, &events, out);
}

/// Whether all went as it did then.
fn judge(recording: &Recording, replayed: &Replayed, out: &mut Out) -> Done {
    if let Some(step) = replayed.broke {
        out.aside(format_args!(
            "\nthe call broke when it was told thing {step} of {}",
            recording.steps.len()
        ));
    }
    if let Some((at, then, again)) = replayed.differs(recording) {
        let message = format!("event {at} is not as it was");
        let hint = format!(
            "then:  {}\n      again: {}",
            then.unwrap_or("nothing more"),
            again.as_deref().unwrap_or("nothing more")
        );
        out.fault(&Fault::new(Blame::Gateway, code::FLIGHT_DIFFERS, message).hint(hint));
        return Done::CallFailed;
    }
    let count = replayed.entries.len();
    match recording.full {
        None => out.aside(format_args!("\nall {count} events are as they were")),
        Some(full) => out.aside(format_args!(
            "\nthe first {count} events are as they were; the recording was full after {} s, and the \
             journal has the rest",
            full.seconds
        )),
    }
    Done::Well
}
