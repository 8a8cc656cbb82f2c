//! `offhook latency`.

use std::path::PathBuf;

use ports::Fault;
use serde_json::{Value, json};

use super::calls::{self, MOST};
use super::{Done, Out, journal};

/// Over which calls.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Over how many calls, the latest first.
    #[arg(long, value_name = "N", default_value_t = 100)]
    most: usize,
    /// Over this call alone: its name, or how it ends.
    #[arg(long, value_name = "CALL", conflicts_with = "most")]
    call: Option<String>,
}

/// The stages of an answer: as the event has them, and as people call them.
pub(super) const STAGES: [(&str, &str); 6] = [
    ("transcribed_ms", "transcribed"),
    ("told_ms", "agent told"),
    ("first_token_ms", "first token"),
    ("first_clause_ms", "first clause"),
    ("first_audio_ms", "first audio"),
    ("at_ear_ms", "at the ear"),
];

/// Tells how long answers took, stage by stage, from the end of the caller's speech.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let reader = journal::reader(config.as_deref(), out)?;
    let calls = match &args.call {
        Some(call) => vec![calls::find(&reader, call).await?],
        None => reader.calls(args.most.min(MOST)).await?,
    };
    let mut took: [Vec<u64>; STAGES.len()] = Default::default();
    for call in &calls {
        for event in reader.whole(&call.id).await? {
            gather(&event, &mut took);
        }
    }
    for stage in &mut took {
        stage.sort_unstable();
    }
    let stages = STAGES.iter().zip(&took);
    let stages = stages.map(|((key, _), took)| {
        let at = |share| quantile(took, share);
        let stage = key.trim_end_matches("_ms");
        json!({ "stage": stage, "turns": took.len(), "p50_ms": at(50), "p90_ms": at(90), "p99_ms": at(99) })
    });
    out.json(&json!({ "calls": calls.len(), "stages": stages.collect::<Vec<_>>() }));
    if took.iter().all(Vec::is_empty) {
        out.line("no agent has answered a caller yet");
        return Ok(Done::Well);
    }
    out.line("from the end of the caller's speech, in milliseconds");
    out.line(format_args!(
        "{:<14}{:>7}{:>8}{:>8}{:>8}",
        "", "turns", "p50", "p90", "p99"
    ));
    for ((_, name), took) in STAGES.iter().zip(&took) {
        let at = |share| quantile(took, share).map_or("—".to_owned(), |it| it.to_string());
        let (turns, p50, p90, p99) = (took.len(), at(50), at(90), at(99));
        out.line(format_args!("{name:<14}{turns:>7}{p50:>8}{p90:>8}{p99:>8}"));
    }
    Ok(Done::Well)
}

fn gather(event: &Value, took: &mut [Vec<u64>; STAGES.len()]) {
    if event["type"] != "agent.turn_timed" {
        return;
    }
    for ((key, _), took) in STAGES.iter().zip(took) {
        took.extend(event[key].as_u64());
    }
}

/// The least that so many in a hundred do not exceed.
fn quantile(sorted: &[u64], share: usize) -> Option<u64> {
    let rank = (sorted.len() * share).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_figures() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&sorted, 50), Some(50));
        assert_eq!(quantile(&sorted, 99), Some(99));
        assert_eq!(quantile(&sorted[..1], 99), Some(1));
        assert_eq!(quantile(&sorted[..3], 50), Some(2));
        assert_eq!(quantile(&[], 50), None);
    }

    #[test]
    fn only_what_was_timed_counts_and_only_the_stages_that_were_reached() {
        let mut took: [Vec<u64>; STAGES.len()] = Default::default();
        gather(&json!({ "type": "agent.said", "told_ms": 1 }), &mut took);
        let timed = json!({ "type": "agent.turn_timed", "turn": 1, "told_ms": 600 });
        gather(&timed, &mut took);
        assert_eq!(took.map(|it| it.len()), [0, 1, 0, 0, 0, 0]);
    }
}
