//! A switchboard without a gateway around it, and calls on it whose carrier is in the test's hands.

use std::sync::Arc;
use std::time::Duration;

use call::{Attestation, Direction, Number, Trust};
use policy::{Money, Standing};
use ports::{Blame, Fault, code};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::pairing::Entrance;
use super::record::{Born, Talks};
use super::spending::Terms;
use super::{CallId, LoadVoice, Record, Switchboard};
use crate::config::fakes::LISTS;
use crate::config::{Plan, load};
use crate::gateway::Gateway;
use crate::rulebook::Source;

pub(super) const OURS: &str = "+15550002222";
pub(super) const THEIRS: &str = "+15557654321";

pub(super) struct House {
    pub(super) board: Arc<Switchboard>,
    files: TempDir,
}

impl House {
    /// One whose owner wrote this in `[policy]`, and these tables.
    pub(super) fn new(policy: &str) -> Self {
        Self::of("north", policy)
    }

    /// The same with this carrier.
    pub(super) fn of(coop: &str, policy: &str) -> Self {
        let files = tempfile::tempdir().expect("a folder can be made");
        let plan = plan(&files, coop, policy);
        let state = files.path().join("state");
        let board = Switchboard::new(plan, mute(), state).expect("the folder is ours");
        Self { board, files }
    }

    /// The owner writes something else.
    pub(super) fn rewrite(&self, policy: &str) {
        self.board.adopt(plan(&self.files, "north", policy));
    }

    /// The same switchboard's files, with a gateway that was started on them.
    pub(super) async fn with_a_gateway(self) -> (Gateway, Self) {
        let Self { board, files } = self;
        drop(board);
        let source = Source {
            path: files.path().join("offhook.toml"),
            lists: LISTS,
            voice: Arc::new(|_| mute()),
        };
        let loaded = load(&source.path, &LISTS).unwrap_or_else(|it| panic!("{it:#?}"));
        let state = files.path().join("state");
        let started = Gateway::start_from(source, loaded, state).await;
        let (gateway, _) = started.expect("the gateway starts");
        let board = gateway.board.clone();
        (gateway, Self { board, files })
    }

    /// A call that is allowed, and not dialled yet.
    pub(super) async fn dialled(&self, to: &str) -> Arc<Record> {
        let id = CallId::random();
        let reserved = self
            .board
            .reserve(id.to_string(), to, "cave", Terms::OWNERS);
        let (permit, seat) = reserved.await.expect("they may be called");
        let born = Born {
            direction: Direction::Outbound,
            attestation: Attestation::Nothing,
            entrance: Entrance::Listed,
            trust: Trust::Unknown,
            caller: Some(permit.number),
            number: number(OURS),
            carrier: "pigeon".into(),
            agent: "cave".into(),
            talk: Talks::Otherwise,
            allowed_by: permit.rule,
            objective: None,
            asked_by: None,
        };
        let (control, _) = mpsc::channel(1);
        let record = Record::new(id, born, control, self.board.journal.pen());
        let record = self.board.desk().add(record);
        drop(seat);
        record
    }

    /// What is spent or set aside, and how many calls are up.
    pub(super) async fn stands(&self) -> (Money, usize) {
        (self.standing().await.day, self.board.desk().up)
    }

    pub(super) async fn standing(&self) -> Standing {
        let entry = self.board.entry(String::new(), THEIRS, "cave");
        let standing = self.board.ledger.standing(entry.expect("it is a number"));
        standing.await.expect("it can be read")
    }

    /// Waits until things stand like that, where time is wound by hand.
    pub(super) async fn until(&self, wanted: (Money, usize)) {
        let mut stands = self.stands().await;
        for _ in 0..1_000 {
            if stands == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            stands = self.stands().await;
        }
        assert_eq!(stands, wanted);
    }

    /// What a minute costs.
    pub(super) fn minute(&self) -> Money {
        let known = policy::Known::of(&number(THEIRS));
        self.board.plan().rules.rates.per_minute(&known)
    }

    /// What any call may cost.
    pub(super) fn ceiling(&self) -> Money {
        let known = policy::Known::of(&number(THEIRS));
        self.board.plan().rules.ceiling(&known)
    }
}

pub(super) fn number(text: &str) -> Number {
    Number::parse(text).expect("it is a number")
}

fn mute() -> LoadVoice {
    let message = "nobody speaks here";
    Arc::new(move || {
        let fault = Fault::new(Blame::Config, code::SPEECH_MODEL_MISSING, message);
        Err(fault)
    })
}

fn plan(files: &TempDir, coop: &str, policy: &str) -> Plan {
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
public_url = "https://voice.example.com"
[carriers.pigeon]
coop = "{coop}"
whistle = "file:whistle"
[numbers."{OURS}"]
carrier = "pigeon"
agent = "cave"
[agents.cave]
kind = "cave"
[policy]
answer = ["any"]
call = ["{THEIRS}"]
max_minutes = 5
{policy}
"#
    );
    let whistle = files.path().join("whistle");
    std::fs::write(&whistle, "tweet").expect("the folder is ours");
    let alone = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&whistle, alone).expect("the file is ours");
    let path = files.path().join("offhook.toml");
    std::fs::write(&path, text).expect("the folder is ours");
    let loaded = load(&path, &LISTS);
    loaded.unwrap_or_else(|it| panic!("{it:#?}")).plan
}
