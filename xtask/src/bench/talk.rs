//! Whole conversations with local speech: how long a caller waits for an answer, and how long the
//! agent speaks on when interrupted. Both are taken at the far ear, from what the phone recorded.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::table::{Goal, Row, quantile};

/// How much to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Conversations {
    /// Conversations, one after the other.
    #[arg(long, default_value_t = Self::default().conversations, value_parser = clap::value_parser!(u32).range(1..))]
    conversations: u32,
}

impl Default for Conversations {
    fn default() -> Self {
        Self { conversations: 5 }
    }
}

impl fmt::Display for Conversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of them, as `offhook demo`", self.conversations)
    }
}

/// What the demo prints of a conversation, as far as it is a figure.
#[derive(Clone, Debug, Deserialize)]
struct Heard {
    turns: Vec<Turn>,
    silence_ms: f64,
    barge_in: Option<BargeIn>,
    heard_wer: f64,
    understood_wer: f64,
    underruns: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Turn {
    gap_ms: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct BargeIn {
    stop_ms: f64,
    stop_after_decision_ms: Option<f64>,
}

/// Has the conversations and takes their figures.
pub(crate) fn measure(release: &Path, some: Conversations) -> Result<Vec<Row>, String> {
    let mut heard = Vec::new();
    for round in 1..=some.conversations {
        eprintln!("talk: conversation {round} of {}", some.conversations);
        heard.push(converse(release)?);
    }
    Ok(rows(&heard))
}

fn converse(release: &Path) -> Result<Heard, String> {
    let program = release.join("offhook");
    let scratch = release.join("bench/talk");
    let made = fs::create_dir_all(&scratch);
    made.map_err(|fault| format!("cannot make {}: {fault}", scratch.display()))?;
    let mut command = Command::new(&program);
    command.args(["demo", "--json", "--out"]).arg(&scratch);
    let out = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let out = out.map_err(|fault| format!("cannot run {}: {fault}", program.display()))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last)
        .map_err(|fault| format!("the conversation left no figures: {fault}: {last}"))
}

fn rows(heard: &[Heard]) -> Vec<Row> {
    let gaps = || {
        heard
            .iter()
            .flat_map(|it| it.turns.iter().filter_map(|turn| turn.gap_ms))
    };
    let silence = quantile(0.5, heard.iter().map(|it| it.silence_ms));
    let beyond = || {
        heard.iter().flat_map(|it| {
            let gaps = it.turns.iter().filter_map(|turn| turn.gap_ms);
            gaps.map(|gap| gap - it.silence_ms)
        })
    };
    let cuts = || heard.iter().filter_map(|it| it.barge_in);
    let obeyed = || cuts().filter_map(|it| it.stop_after_decision_ms);
    let most = |of: fn(&Heard) -> f64| quantile(1.0, heard.iter().map(of));
    let row = |what, figure, goal| Row::new(what, figure, Goal::AtMost(goal));
    vec![
        Row::new("answers", gaps().count() as f64, Goal::None),
        Row::with_reference(
            "gap p50, ms",
            quantile(0.5, gaps()),
            silence,
            Goal::AtMost(900.0),
        ),
        Row::with_reference(
            "gap, longest, ms",
            quantile(1.0, gaps()),
            silence,
            Goal::None,
        ),
        row("beyond the silence p50, ms", quantile(0.5, beyond()), 250.0),
        Row::new(
            "interruptions",
            cuts().count() as f64,
            Goal::AtLeast(heard.len() as f64),
        ),
        row(
            "silent after, longest, ms",
            quantile(1.0, cuts().map(|it| it.stop_ms)),
            350.0,
        ),
        row("after the decision, ms", quantile(1.0, obeyed()), 60.0),
        row("words misheard by the ear", most(|it| it.heard_wer), 0.10),
        row("words misunderstood", most(|it| it.understood_wer), 0.10),
        row("underruns", most(|it| it.underruns), 0.0),
    ]
}
