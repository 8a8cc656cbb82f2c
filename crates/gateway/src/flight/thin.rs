//! Leaving out of a recording what makes it hard to read and changes nothing.

use std::time::Duration;

use call::Input;
use call::input::{Media, Speech};
use media::{Cut, Edge, Progress};

use super::Recording;
use super::replay::replay;
use super::wire::{Beginning, Step};

/// The same call: the same events, each in its millisecond, from fewer and rounder figures.
pub(super) fn thin(recording: &Recording) -> Recording {
    let mut thin = finished(recording.clone());
    let truth = told(&thin);
    let coarse = rounded(&thin);
    if told(&coarse) == truth {
        thin = coarse;
    }
    // From the end, so that what is left of the rest keeps its place.
    let figures: Vec<usize> = (0..thin.steps.len())
        .filter(|at| is_figure(&thin.steps[*at]))
        .collect();
    for at in figures.into_iter().rev().take(TRIED) {
        let step = thin.steps.remove(at);
        if told(&thin) != truth {
            thin.steps.insert(at, step);
        }
    }
    thin
}

/// Each is a call run again.
const TRIED: usize = 2_000;

/// Without the moment in which a full tape broke off, if it did so in the middle of one.
fn finished(mut recording: Recording) -> Recording {
    if recording.full.take().is_some_and(|it| it.waiting > 0) {
        while let Some(Step::Told { waiting, .. }) = recording.steps.pop()
            && waiting > 0
        {}
    }
    recording
}

/// A figure that the next one corrects.
fn is_figure(step: &Step) -> bool {
    matches!(
        step,
        Step::Told {
            waiting: 0,
            input: Input::Media(Media::Progress(Progress { done: false, .. })),
            ..
        }
    )
}

pub(super) fn told(recording: &Recording) -> Vec<(u64, String)> {
    let entries = replay(recording).entries;
    let event = |event| serde_json::to_string(event).expect("an event is plain data");
    let told = entries.iter().map(|it| (it.ms, event(&it.event)));
    told.collect()
}

/// All times of what happened, rounded down to milliseconds. What was decided before stays.
fn rounded(recording: &Recording) -> Recording {
    let mut beginning = recording.beginning.clone();
    match &mut beginning {
        Beginning::Start { at, .. } | Beginning::Resume { at, .. } => *at = whole(*at),
    }
    let steps = recording.steps.iter().map(|step| match step {
        Step::Told { at, waiting, input } => Step::Told {
            at: whole(*at),
            waiting: *waiting,
            input: input_rounded(input.clone()),
        },
        Step::Broke { at } => Step::Broke { at: whole(*at) },
    });
    Recording {
        beginning,
        steps: steps.collect(),
        ..recording.clone()
    }
}

fn input_rounded(input: Input) -> Input {
    match input {
        Input::Media(Media::Cut(cut)) => Input::Media(Media::Cut(cut.map(|it| Cut {
            played: whole(it.played),
            ..it
        }))),
        Input::Media(Media::Edge(Edge::SpeechStarted { ago })) => {
            Input::Media(Media::Edge(Edge::SpeechStarted { ago: whole(ago) }))
        }
        Input::Media(Media::Edge(Edge::SpeechEnded { ago })) => {
            Input::Media(Media::Edge(Edge::SpeechEnded { ago: whole(ago) }))
        }
        Input::Media(Media::Progress(progress)) => Input::Media(Media::Progress(Progress {
            played: whole(progress.played),
            ..progress
        })),
        Input::Speech(Speech::Length(id, length)) => {
            Input::Speech(Speech::Length(id, whole(length)))
        }
        input @ (Input::Agent(_)
        | Input::Carrier(_)
        | Input::Command(_)
        | Input::Meeting(_)
        // What was found is told in whole frames.
        | Input::Media(Media::Answerer(_))
        | Input::Speech(
            Speech::Begun(_)
            | Speech::EndOfTurn { .. }
            | Speech::EarsFailed(_)
            | Speech::Final(_)
            | Speech::MouthFailed(..)
            | Speech::Partial(_),
        )
        | Input::Timeout) => input,
    }
}

fn whole(it: Duration) -> Duration {
    Duration::from_millis(it.as_millis() as u64)
}
