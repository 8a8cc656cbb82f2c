//! `offhook models`: the speech models on this machine.

use clap::Subcommand;
use ports::{Blame, Fault, code};
use serde::Serialize;
use speech::models::{ModelState, Progress, Proof, State, Store};

use super::{Done, Out};

/// What to do with the models.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Which models there are, and which are here.
    List,
    /// Fetch what is missing, and nothing else.
    Fetch,
    /// Read every byte of every model, and compare.
    Verify,
}

/// All models.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Where they are kept.
    pub(super) dir: String,
    /// Whether all of them are here, and right.
    pub(super) ok: bool,
    /// Each of them.
    pub(super) models: Vec<ModelReport>,
}

/// One model.
#[derive(Debug, Serialize)]
pub(super) struct ModelReport {
    /// What it is to us.
    pub(super) name: String,
    /// What it is for.
    pub(super) purpose: String,
    /// Under what terms it comes.
    pub(super) licence: String,
    /// The package it comes from, as `name==version`.
    pub(super) source: String,
    /// In bytes.
    pub(super) size: u64,
    /// `present`, `missing` or `broken`.
    pub(super) state: &'static str,
    /// What is wrong, or how far it is proven.
    pub(super) note: Option<String>,
}

/// Lists, fetches or verifies.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    let command = args.command.unwrap_or(Command::List);
    let progress = if out.is_json() {
        Progress::Quiet
    } else {
        Progress::detect()
    };
    // Reading and fetching block, for minutes at worst.
    let work = tokio::task::spawn_blocking(move || {
        let store = Store::of_user();
        let states = match command {
            Command::List => store.list(),
            Command::Verify => store.verify(),
            Command::Fetch => {
                store.fetch(progress)?;
                store.list()
            }
        };
        Ok::<Report, Fault>(Report::of(&store, states))
    });
    let report = work.await.map_err(|error| {
        let message = "looking after the models broke off";
        Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, message).because(error)
    })??;
    out.line(report.render());
    out.json(&report);
    Ok(match command {
        Command::List => Done::Well,
        Command::Fetch | Command::Verify if report.ok => Done::Well,
        Command::Fetch | Command::Verify => Done::Refused,
    })
}

impl Report {
    /// What the store says of its models.
    pub(super) fn of(store: &Store, states: Vec<ModelState>) -> Self {
        let models: Vec<ModelReport> = states.into_iter().map(ModelReport::from).collect();
        Self {
            dir: store.dir().display().to_string(),
            ok: models.iter().all(|model| model.state == PRESENT),
            models,
        }
    }

    /// As a table, for people.
    pub(super) fn render(&self) -> String {
        let wide = |of: fn(&ModelReport) -> &str| {
            let lengths = self.models.iter().map(|model| of(model).chars().count());
            lengths.max().unwrap_or(0)
        };
        let (name, purpose) = (wide(|it| &it.name), wide(|it| &it.purpose));
        let mut text = String::new();
        for it in &self.models {
            let size = it.size.div_ceil(1 << 20);
            text += &format!(
                "{:7}  {:name$}  {:purpose$}  {size:4} MiB  {}\n",
                it.state, it.name, it.purpose, it.licence,
            );
            if let Some(note) = &it.note {
                text += &format!("         {note}\n");
            }
        }
        text += &format!("in {}", self.dir);
        if !self.ok {
            text += "\n`offhook models fetch` brings what is not present";
        }
        text
    }
}

impl From<ModelState> for ModelReport {
    fn from(model: ModelState) -> Self {
        let (state, note) = match model.state {
            State::Present(Proof::Manifest) => (PRESENT, None),
            State::Present(Proof::AsFetched) => (
                PRESENT,
                Some("as it was when it was fetched or made here".to_owned()),
            ),
            State::Missing => ("missing", None),
            State::Broken(why) => ("broken", Some(why)),
        };
        Self {
            name: model.name,
            purpose: model.purpose,
            licence: model.licence,
            source: model.source,
            size: model.size,
            state,
            note,
        }
    }
}

const PRESENT: &str = "present";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_without_models_says_how_to_get_them() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let store = Store::open(folder.path());
        let report = Report::of(&store, store.list());
        assert!(!report.ok && !report.models.is_empty());
        assert!(report.models.iter().all(|model| model.state == "missing"));
        let text = report.render();
        assert!(
            text.ends_with("`offhook models fetch` brings what is not present"),
            "{text}"
        );
        assert_eq!(text.lines().count(), report.models.len() + 2);
    }

    #[test]
    fn what_is_broken_says_why() {
        let model = ModelState {
            name: "ears".into(),
            purpose: "hears".into(),
            licence: "MIT".into(),
            source: "ears==1".into(),
            size: 3 << 20,
            state: State::Broken("it was bitten".into()),
        };
        let report = Report {
            dir: "here".into(),
            ok: false,
            models: vec![model.into()],
        };
        let text = report.render();
        assert!(
            text.starts_with("broken   ears  hears     3 MiB  MIT\n         it was bitten\n"),
            "{text}"
        );
    }
}
