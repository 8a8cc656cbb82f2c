//! The configuration in force, and the file it came from: read again while calls are up.

mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use ports::code;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as Turnstile;
use tokio::sync::watch::Sender;

use crate::config::{self, ConfigProblem, Lists, Loaded, Marks, Place, Plan, Recordings, Severity};
use crate::state::make_folder;
use crate::switchboard::{LoadVoice, Switchboard, Tightened};

/// Where a configuration is, and what it needs to be read.
#[derive(Clone)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// What may be named in it.
    pub lists: Lists,
    /// How the ears and the mouth of a plan are loaded.
    pub voice: Arc<dyn Fn(&Plan) -> LoadVoice + Send + Sync>,
}

/// The configuration in force, and the file it came from.
pub struct Rulebook {
    source: Source,
    board: Arc<Switchboard>,
    /// What the file in force says. Held while it is read again: one reload at a time.
    marks: Turnstile<Marks>,
    standing: Mutex<Standing>,
    /// Whether what changed while it was started has been noticed.
    caught_up: Sender<bool>,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reloaded {
    /// The keys that are different now.
    pub changed: Vec<String>,
    /// The keys that are different in the file, and will be in force at the next start.
    pub at_next_start: Vec<String>,
    /// How many calls that were up are being ended, because they are not allowed any more.
    pub ended: usize,
    /// How many calls that were up may not last as long any more.
    pub shortened: usize,
    /// What the file probably does not mean.
    pub warnings: Vec<Trouble>,
}

/// How the file and what is in force stand to each other.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Standing {
    /// The file.
    pub file: String,
    /// When what is in force came into force.
    #[schema(value_type = String, format = DateTime)]
    pub in_force_since: Timestamp,
    /// Why the file, as it is now, is not in force.
    pub refused: Option<Refused>,
    /// What of it is in force only after the next start.
    pub at_next_start: Vec<String>,
    /// Why the ears and the mouth that it asks for are not used.
    pub voice: Option<Trouble>,
}

/// Why a file is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Refused {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What is wrong with it.
    pub problems: Vec<Trouble>,
}

/// Something wrong, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Trouble {
    /// One of [`ports::code`].
    pub code: String,
    /// Such as `offhook.toml:14`.
    pub at: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Rulebook {
    /// What was loaded from a file, in force on a switchboard.
    pub fn new(source: Source, marks: Marks, board: Arc<Switchboard>) -> Arc<Self> {
        let standing = Standing {
            file: source.path.display().to_string(),
            in_force_since: Timestamp::now(),
            refused: None,
            at_next_start: Vec::new(),
            voice: None,
        };
        Arc::new(Self {
            source,
            board,
            marks: Turnstile::new(marks),
            standing: Mutex::new(standing),
            caught_up: Sender::new(false),
        })
    }

    /// How the file and what is in force stand to each other.
    pub fn standing(&self) -> Standing {
        self.stand().clone()
    }

    /// Waits until whoever [watches](Self::watch) the file has looked at it once. From then on it is read
    /// again for changes alone.
    pub async fn caught_up(&self) {
        let mut caught_up = self.caught_up.subscribe();
        let _ = caught_up.wait_for(|it| *it).await;
    }

    /// Reads the file again and puts it in force, with the secrets behind it.
    ///
    /// # Errors
    /// Everything that is wrong with it. Then all stays as it was.
    pub async fn reload(self: &Arc<Self>) -> Result<Reloaded, Vec<Trouble>> {
        let mut marks = self.marks.lock().await;
        let source = self.source.clone();
        let read = tokio::task::spawn_blocking(move || read(&source)).await;
        let read = read.unwrap_or_else(|error| Err(vec![broken(&self.source, &error)]));
        match read {
            Ok(loaded) => Ok(self.enforce(loaded, &mut marks)),
            Err(problems) => {
                let problems: Vec<_> = problems.iter().map(Trouble::from).collect();
                self.refuse(&problems);
                Err(problems)
            }
        }
    }

    fn enforce(self: &Arc<Self>, loaded: Loaded, marks: &mut Marks) -> Reloaded {
        let Loaded {
            mut plan,
            warnings,
            marks: new,
        } = loaded;
        let old = self.board.plan();
        let changed = marks.differing(&new);
        let mut at_next_start = Vec::new();
        if plan.listen != old.listen {
            // Carriers and owners know us by the address we have.
            plan.listen = old.listen;
            at_next_start.push(LISTEN.to_owned());
        }
        // What was opened with the old ones stays as it was opened.
        let (later, changed): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|it| is_for_next_start(it));
        at_next_start.extend(later.into_iter().filter(|it| it != LISTEN && it != EXPOSE));
        if plan.expose != old.expose {
            at_next_start.push(EXPOSE.to_owned());
        }
        if plan.expose != old.expose || plan.expose.is_some() {
            // The tunnel that is open says where we are, not the file.
            (plan.expose, plan.public_url) = (old.expose, old.public_url.clone());
        }
        let lines_moved = plan.rules != old.rules;
        keep(&mut plan.carriers, &old.carriers, |name| {
            marks.agree_on(&new, "carriers", name)
        });
        keep(&mut plan.agents, &old.agents, |name| {
            marks.agree_on(&new, "agents", name)
        });
        let voice = changed.iter().any(|it| it.starts_with("speech."));
        let load = (self.source.voice)(&plan);
        let mut tightened = Tightened::default();
        if !changed.is_empty() || lines_moved {
            if voice {
                self.board.want_voice(load);
            }
            tightened = self.board.adopt(plan);
        }
        *marks = new;
        let reloaded = Reloaded {
            ended: tightened.forbidden,
            shortened: tightened.shortened,
            warnings: warnings.iter().map(Trouble::from).collect(),
            changed,
            at_next_start,
        };
        self.note(&reloaded);
        self.renew_voice();
        reloaded
    }

    /// Loads other ears and another mouth, if that is what is wanted now; calls go on meanwhile.
    fn renew_voice(self: &Arc<Self>) {
        let book = self.clone();
        tokio::spawn(async move {
            let renewed = book.board.renew_voice().await;
            let trouble = renewed.err().map(|fault| {
                let code = fault.code;
                tracing::warn!(
                    code,
                    hint = fault.hint,
                    "the ears and the mouth that [speech] asks for cannot be loaded: {fault}"
                );
                Trouble {
                    code: code.to_owned(),
                    at: format!("{}, [speech]", config::shown(&book.source.path)),
                    message: fault.message,
                    hint: fault.hint.unwrap_or_default(),
                }
            });
            book.stand().voice = trouble;
        });
    }

    fn note(&self, reloaded: &Reloaded) {
        let mut standing = self.stand();
        let mended = standing.refused.take().is_some();
        let waits = reloaded.at_next_start != standing.at_next_start;
        standing.at_next_start.clone_from(&reloaded.at_next_start);
        if !reloaded.changed.is_empty() {
            standing.in_force_since = Timestamp::now();
        }
        drop(standing);
        if !reloaded.changed.is_empty() {
            let (ended, shortened) = (reloaded.ended, reloaded.shortened);
            let changed = reloaded.changed.join(", ");
            tracing::info!(
                ended,
                shortened,
                "the configuration was reloaded: {changed}"
            );
            for warning in &reloaded.warnings {
                let hint = warning.hint.as_str();
                tracing::warn!(at = warning.at, hint, "warning: {}", warning.message);
            }
        } else if mended {
            tracing::info!("the configuration in the file is the one in force again");
        }
        if waits && !reloaded.at_next_start.is_empty() {
            let keys = reloaded.at_next_start.join(", ");
            tracing::warn!("{keys} takes effect at the next start");
        }
    }

    /// Remembers why, and says so once.
    fn refuse(&self, problems: &[Trouble]) {
        let mut standing = self.stand();
        if standing
            .refused
            .as_ref()
            .is_some_and(|it| it.problems == problems)
        {
            return;
        }
        standing.refused = Some(Refused {
            since: Timestamp::now(),
            problems: problems.to_vec(),
        });
        drop(standing);
        tracing::warn!("the configuration was not reloaded: the one before stays in force");
        for problem in problems {
            let hint = problem.hint.as_str();
            tracing::warn!(at = problem.at, hint, "error: {}", problem.message);
        }
    }

    fn stand(&self) -> MutexGuard<'_, Standing> {
        self.standing
            .lock()
            .expect("no one panics while noting how things stand")
    }
}

/// What did not change is kept as it is, with the connections it has.
fn keep<T: Clone>(
    new: &mut BTreeMap<String, T>,
    old: &BTreeMap<String, T>,
    is_same: impl Fn(&str) -> bool,
) {
    for (name, it) in new.iter_mut() {
        if let Some(old) = old.get(name).filter(|_| is_same(name)) {
            *it = old.clone();
        }
    }
}

/// Reads the file and makes what must be there. Blocks.
fn read(source: &Source) -> Result<Loaded, Vec<ConfigProblem>> {
    let loaded = config::load(&source.path, &source.lists)?;
    if let Some(Recordings { dir, .. }) = &loaded.plan.recordings
        && let Err(error) = make_folder(dir)
    {
        let message = format!("cannot make {} for recordings: {error}", dir.display());
        let hint = "change `dir` in [recordings], or grant access to it";
        return Err(vec![problem(source, "[recordings]", message, hint)]);
    }
    Ok(loaded)
}

fn broken(source: &Source, error: &tokio::task::JoinError) -> ConfigProblem {
    let message = format!("reading the configuration broke: {error}");
    problem(source, "[server]", message, "please report this")
}

fn problem(source: &Source, table: &str, message: String, hint: &str) -> ConfigProblem {
    ConfigProblem {
        severity: Severity::Error,
        code: code::GATEWAY_BROKEN,
        file: config::shown(&source.path),
        place: Place::Table(table.to_owned()),
        message,
        hint: hint.to_owned(),
    }
}

impl From<&ConfigProblem> for Trouble {
    fn from(problem: &ConfigProblem) -> Self {
        Self {
            code: problem.code.to_owned(),
            at: problem.at(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

/// Cannot be changed while it is in use.
/// Whether a key is read only when the gateway starts.
fn is_for_next_start(key: &str) -> bool {
    let opened = ["journal.", "telemetry.", "reports."];
    key == LISTEN || key == EXPOSE || opened.iter().any(|it| key.starts_with(it))
}

const LISTEN: &str = "server.listen";
const EXPOSE: &str = "server.expose";
