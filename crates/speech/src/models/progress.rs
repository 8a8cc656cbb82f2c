use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How to tell people what is going on. Everything goes to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bars that move.
    Bar,
    /// A line when something begins and when it is done.
    Lines,
    /// Nothing at all.
    Quiet,
}

impl Progress {
    /// Bars on a terminal, lines in a pipe.
    pub fn detect() -> Self {
        if io::stderr().is_terminal() {
            Self::Bar
        } else {
            Self::Lines
        }
    }

    /// Begins a piece of work of which `total` bytes can be watched; 0 if none can.
    pub(super) fn begin(self, what: &str, total: u64) -> Work {
        let bar = match self {
            Self::Bar => bar(what, total),
            Self::Lines => {
                line(&format!("{what} …"));
                ProgressBar::hidden()
            }
            Self::Quiet => ProgressBar::hidden(),
        };
        Work {
            progress: self,
            what: what.to_owned(),
            bar,
        }
    }

    /// Says one thing.
    pub(super) fn say(self, what: &str) {
        match self {
            Self::Bar | Self::Lines => line(what),
            Self::Quiet => {}
        }
    }
}

/// A piece of work under way.
#[derive(Debug)]
pub(super) struct Work {
    progress: Progress,
    what: String,
    bar: ProgressBar,
}

impl Work {
    /// How many bytes are here by now.
    pub(super) fn at(&self, bytes: u64) {
        // Packages are copied once more when they are complete.
        let total = self.bar.length().unwrap_or(bytes);
        self.bar.set_position(bytes.min(total));
    }

    /// It is done.
    pub(super) fn done(self) {
        self.bar.finish_and_clear();
        self.progress.say(&format!("{}: done", self.what));
    }
}

fn bar(what: &str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let shape = if total > 0 { MEASURED } else { UNMEASURED };
    let style = ProgressStyle::with_template(shape).expect("the templates below are well formed");
    bar.set_style(style);
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn line(text: &str) {
    // Where standard error is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

const MEASURED: &str = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}";
const UNMEASURED: &str = "{msg} {spinner} {elapsed}";
