//! What calls come to.

use super::LoadReport;
use super::times::Histogram;

/// What one call, or all of them, came to.
pub(super) struct Tally {
    pub(super) report: LoadReport,
    pub(super) echo: Histogram,
    pub(super) lateness: Histogram,
    pub(super) set_up_time: Histogram,
    pub(super) first_echo: Histogram,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            report: LoadReport::default(),
            echo: Histogram::new(),
            lateness: Histogram::new(),
            set_up_time: Histogram::new(),
            first_echo: Histogram::new(),
        }
    }

    pub(super) fn fail(&mut self, reason: String) {
        *self.report.failed.entry(reason).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        let (mine, more) = (&mut self.report, &other.report);
        mine.set_up += more.set_up;
        mine.frames_sent += more.frames_sent;
        mine.frames_back += more.frames_back;
        mine.frames_late += more.frames_late;
        mine.frames_repeated += more.frames_repeated;
        mine.odd_messages += more.odd_messages;
        for (reason, count) in &more.failed {
            *mine.failed.entry(reason.clone()).or_default() += count;
        }
        self.echo.add(&other.echo);
        self.lateness.add(&other.lateness);
        self.set_up_time.add(&other.set_up_time);
        self.first_echo.add(&other.first_echo);
    }

    pub(super) fn into_report(mut self) -> LoadReport {
        self.report.frames_lost = self.report.frames_sent - self.report.frames_back;
        self.report.echo = self.echo.percentiles();
        self.report.lateness = self.lateness.percentiles();
        self.report.set_up_time = self.set_up_time.percentiles();
        self.report.first_echo = self.first_echo.percentiles();
        self.report
    }
}
