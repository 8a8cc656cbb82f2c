//! What is wrong with a configuration, and where.

use std::fmt;

use ports::{Blame, Fault, code};

/// Something wrong with the configuration.
///
/// It never repeats a secret, nor a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// How bad it is.
    pub severity: Severity,
    /// One of [`ports::code`].
    pub code: &'static str,
    /// The file, as it is shown to people.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but probably does not mean this.
    Warning,
}

/// A place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as such.
    File,
    /// A line, counted from one.
    Line(usize),
    /// A table that has no line of its own, because it is not there: `[policy]`.
    Table(String),
}

impl ConfigProblem {
    /// A problem with the file as such; [`ConfigProblem::in_file`] says which.
    pub(super) fn whole_file(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            file: String::new(),
            place: Place::File,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The same problem in the file called `name`.
    pub(super) fn in_file(mut self, name: &str) -> Self {
        name.clone_into(&mut self.file);
        self
    }

    /// Such as `offhook.toml:14`.
    pub fn at(&self) -> String {
        self.place.in_file(&self.file)
    }
}

impl Place {
    /// Such as `offhook.toml:14`, or `offhook.toml, [policy]` where there is no line.
    pub(crate) fn in_file(&self, file: &str) -> String {
        match self {
            Self::File => file.to_owned(),
            Self::Line(line) => format!("{file}:{line}"),
            Self::Table(table) => format!("{file}, {table}"),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at();
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{severity}: {}\n  at {at}\n\nhint: {}",
            self.message, self.hint
        )
    }
}

impl From<ConfigProblem> for Fault {
    fn from(problem: ConfigProblem) -> Self {
        let message = format!("{} (at {})", problem.message, problem.at());
        Self::new(Blame::Config, problem.code, message).hint(problem.hint)
    }
}

/// What was found while reading one file.
pub(super) struct Findings {
    file: String,
    problems: Vec<ConfigProblem>,
    warnings: Vec<ConfigProblem>,
}

impl Findings {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The configuration cannot be used.
    pub(super) fn problem(
        &mut self,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let problem = self.invalid(Severity::Error, place, message.into(), hint.into());
        self.problems.push(problem);
    }

    /// The configuration can be used, but probably does not mean this.
    pub(super) fn warning(
        &mut self,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let warning = self.invalid(Severity::Warning, place, message.into(), hint.into());
        self.warnings.push(warning);
    }

    /// How a place is written beside a value that came from it.
    pub(super) fn at(&self, place: &Place) -> String {
        place.in_file(&self.file)
    }

    /// How many problems there are by now, to see whether some step added one.
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }

    /// The warnings, or all problems in the order of the file.
    pub(super) fn into_result(mut self) -> Result<Vec<ConfigProblem>, Vec<ConfigProblem>> {
        if self.problems.is_empty() {
            self.warnings.sort_by_key(|it| line(&it.place));
            return Ok(self.warnings);
        }
        self.problems.sort_by_key(|it| line(&it.place));
        Err(self.problems)
    }

    fn invalid(
        &self,
        severity: Severity,
        place: Place,
        message: String,
        hint: String,
    ) -> ConfigProblem {
        ConfigProblem {
            severity,
            code: code::CONFIG_INVALID,
            file: self.file.clone(),
            place,
            message,
            hint,
        }
    }
}

fn line(place: &Place) -> usize {
    match place {
        Place::File => 0,
        Place::Line(line) => *line,
        Place::Table(_) => usize::MAX,
    }
}
