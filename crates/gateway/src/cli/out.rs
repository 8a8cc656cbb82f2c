//! What commands print, for people or for programs.

use std::error::Error;
use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use ports::Fault;
use serde::Serialize;

use crate::plain::{coloured, plain};

/// Where a command prints.
#[derive(Debug)]
pub struct Out {
    json: bool,
}

impl Out {
    /// Prints JSON if `json`, else text.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read this.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line for people. Programs do not get it.
    pub fn line(&mut self, text: impl Display) {
        if !self.json {
            // A reader that went away does not want to know.
            let _ = writeln!(anstream::stdout(), "{}", coloured(&text.to_string()));
        }
    }

    /// A line for people who watch a program: on the side, so that its output stays clean.
    pub fn aside(&mut self, text: impl Display) {
        let _ = writeln!(anstream::stderr(), "{}", coloured(&text.to_string()));
    }

    /// An object for programs, on one line. People do not get it.
    pub fn json(&mut self, value: &impl Serialize) {
        if self.json {
            let text =
                serde_json::to_string(value).expect("what commands print has strings for keys");
            let _ = writeln!(anstream::stdout(), "{text}");
        }
    }

    /// Something made for a program whatever was asked for, as it is.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = anstream::stdout().write_all(bytes);
    }

    /// What went wrong, and what to do.
    pub fn fault(&mut self, fault: &Fault) {
        if self.json {
            self.json(&serde_json::json!({ "error": crate::switchboard::Report::from(fault) }));
        }
        let (red, bold) = (
            Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Style::new().bold(),
        );
        let mut err = anstream::stderr();
        let _ = writeln!(err, "{red}error:{red:#} {}", plain(&fault.to_string()));
        let mut source = fault.source.as_deref().map(|it| it as &dyn Error);
        while let Some(cause) = source {
            let _ = writeln!(err, "  because: {}", plain(&cause.to_string()));
            source = cause.source();
        }
        let _ = writeln!(err, "  code: {}", fault.code);
        if let Some(hint) = &fault.hint {
            let _ = writeln!(err, "\n{bold}hint:{bold:#} {}", plain(hint));
        }
    }

    /// Something about the configuration; `kind` is `error` or `warning`.
    pub fn problem(&mut self, kind: &str, problem: &impl Display) {
        if self.json {
            self.json(&serde_json::json!({ kind: problem.to_string() }));
            return;
        }
        let _ = writeln!(anstream::stderr(), "{}\n", coloured(&problem.to_string()));
    }
}
