//! Figures for people and for programs, each with its target.

use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    what: String,
    figure: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<f64>,
    goal: Goal,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// It is there to be looked at.
    None,
}

impl Row {
    /// A figure that stands alone.
    pub(crate) fn new(what: &str, figure: f64, goal: Goal) -> Self {
        Self {
            what: what.to_owned(),
            figure,
            reference: None,
            goal,
        }
    }

    /// What it is a figure of.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Whether it is what it should be.
    pub(crate) fn is_reached(&self) -> bool {
        self.goal.verdict(self.figure).1 != MISSED
    }

    /// A figure beside the one of the reference.
    pub(crate) fn with_reference(what: &str, figure: f64, reference: f64, goal: Goal) -> Self {
        Self {
            reference: Some(reference),
            ..Self::new(what, figure, goal)
        }
    }
}

impl Goal {
    fn verdict(self, figure: f64) -> (String, &'static str) {
        let reached = |it| if it { "reached" } else { MISSED };
        match self {
            Self::AtLeast(least) => (format!("≥ {}", short(least)), reached(figure >= least)),
            Self::AtMost(most) => (format!("≤ {}", short(most)), reached(figure <= most)),
            Self::None => (String::new(), ""),
        }
    }
}

const MISSED: &str = "missed";

/// The figure that this part of all, from 0 to 1, is not above; of none, nothing.
pub(crate) fn quantile(part: f64, figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let rank = (part * figures.len() as f64).ceil() as usize;
    figures
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// Prints rows for people.
pub(crate) fn print(rows: &[Row], reference: &str) {
    print_beside(rows, "offhook", reference);
}

/// The same for figures that are not all of what is built here.
pub(crate) fn print_beside(rows: &[Row], ours: &str, reference: &str) {
    println!("{:<28}{ours:>12}{reference:>12}{:>12}", "", "target");
    for row in rows {
        let beside = row.reference.map(short).unwrap_or_default();
        let (target, verdict) = row.goal.verdict(row.figure);
        let figure = short(row.figure);
        println!(
            "{:<28}{figure:>12}{beside:>12}{target:>12}  {verdict}",
            row.what
        );
    }
}

/// Three places where they tell something, none where they do not.
fn short(figure: f64) -> String {
    if figure.fract() == 0.0 || figure.abs() >= 1_000.0 {
        format!("{figure:.0}")
    } else if figure.abs() >= 10.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_long_as_they_tell() {
        assert_eq!(short(500.0), "500");
        assert_eq!(short(1.234_56), "1.235");
        assert_eq!(short(23.45), "23.4");
        assert_eq!(short(12_345.6), "12346");
    }

    #[test]
    fn one_bad_turn_does_not_move_the_median() {
        let of = |part, figures: &[f64]| quantile(part, figures.iter().copied());
        assert_eq!(of(0.5, &[3.0, 900.0, 1.0]), 3.0);
        assert_eq!(of(0.5, &[4.0, 1.0, 2.0, 900.0]), 2.0);
        assert_eq!(of(1.0, &[4.0, 900.0, 2.0]), 900.0);
        assert_eq!(of(0.5, &[]), 0.0);
    }

    #[test]
    fn a_figure_on_its_target_has_reached_it() {
        assert_eq!(Goal::AtMost(1.3).verdict(1.3).1, "reached");
        assert_eq!(Goal::AtMost(1.3).verdict(1.31).1, "missed");
        assert_eq!(Goal::AtLeast(300.0).verdict(299.0).1, "missed");
        assert_eq!(Goal::AtMost(1.0).verdict(f64::NAN).1, "missed");
    }
}
