//! Flight recordings of calls over the real wire.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup};
use gateway::access::{Scope, Tokens};
use gateway::flight::{Shelf, open, replay};
use gateway::http::FlightView;
use gateway::journal::Wanted;

use crate::house::{House, THEIRS, soon};
use crate::listener;
use crate::owners::client;

/// Reads a recording back, and sees that it tells what the call's log holds.
fn runs_again(path: &Path, log: &gateway::journal::CallLog) {
    let mode = std::fs::metadata(path).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let recording = open(path).expect("it was just written");
    assert!(!recording.is_foreign());
    let replayed = replay(&recording);
    assert_eq!(replayed.differs(&recording), None);
    let public = |entry: &gateway::journal::Entry| {
        serde_json::to_string(entry).expect("an entry is plain data")
    };
    let log: Vec<String> = log.after(0).iter().map(public).collect();
    let again: Vec<String> = replayed.entries.iter().map(public).collect();
    assert_eq!(again, log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_every_right_has_a_call_written_down() {
    let house = House::new(listener(), Mischief::default()).await;
    let record = house.notify(THEIRS, "Hi!").await;
    let record = record.expect("it may be dialled");
    let state = house.gateway.board.state();
    let make = |scope| {
        let mut tokens = Tokens::open(state).expect("the folder is ours");
        let made = tokens.create(scope, jiff::Timestamp::now());
        made.expect("it can be written").1
    };
    let (call, admin) = (make(Scope::Call), make(Scope::Admin));
    let post = async |id: &str, token: &str| {
        let url = format!("{}/v1/calls/{id}/flight", house.public);
        let asked = client().post(url).bearer_auth(token).send();
        let answer = soon(asked).await.expect("it answers");
        let status = answer.status().as_u16();
        (status, soon(answer.text()).await.expect("it ends"))
    };
    let id = record.id.to_string();
    assert_eq!(post(&id, &call).await.0, 403);
    assert_eq!(post("nobody", &admin).await.0, 404);
    // While it is up, and when it is over.
    let (status, _) = post(&id, &admin).await;
    assert_eq!(status, 201);
    soon(record.log.ended()).await;
    let (status, body) = post(&id, &admin).await;
    assert_eq!(status, 201, "{body}");
    let view: FlightView = serde_json::from_str(&body).expect("it is JSON");
    assert_eq!(view.events, record.log.after(0).len());
    runs_again(&view.path, &record.log);
    let kept = Shelf::of(state).ending(&id[20..]).expect("it is there");
    assert_eq!(kept, [view.path]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_by_a_fault_is_written_by_itself() {
    let nobody = PhonePlan {
        pickup: Pickup::Unreachable,
        ..listener()
    };
    let house = House::new(nobody, Mischief::default()).await;
    let record = house.notify(THEIRS, "Hi!").await;
    let record = record.expect("it may be dialled");
    soon(record.log.ended()).await;
    let shelf = Shelf::of(house.gateway.board.state());
    let id = record.id.to_string();
    let path = soon(async {
        loop {
            if let Some(path) = shelf.ending(&id).expect("it can be read").pop() {
                return path;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    runs_again(&path, &record.log);
}

/// Runs a command of the gateway's owner: whether it went well, and what it printed.
async fn offhook(home: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(args).env("XDG_STATE_HOME", home);
    let ran = soon(command.output()).await.expect("it runs");
    let printed = [ran.stdout, ran.stderr].concat();
    (
        ran.status.code(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_command_line_a_call_is_written_down_and_run_again() {
    let house = House::new(listener(), Mischief::default()).await;
    let home = tempfile::tempdir().expect("there is a temporary folder");
    let note = serde_json::json!({
        "url": house.public,
        "token": house.gateway.token.reveal(),
        "pid": 1,
        "config": "offhook.toml",
    });
    let folder = home.path().join("offhook");
    std::fs::create_dir(&folder).expect("the folder is ours");
    std::fs::write(folder.join("gateway.json"), note.to_string()).expect("the folder is ours");

    let record = house.notify(THEIRS, "Hi!").await;
    let record = record.expect("it may be dialled");
    soon(record.log.ended()).await;
    let id = record.id.to_string();
    // All of it is in the journal before anything is compared with it.
    crate::owners::get(&house, &format!("/v1/calls/{id}/events"), None).await;
    let (code, printed) = offhook(home.path(), &["--json", "flight", &id[24..]]).await;
    assert_eq!(code, Some(0), "{printed}");
    let view: FlightView = serde_json::from_str(&printed).expect("it is JSON");
    let file = view.path.to_str().expect("it is text").to_owned();

    let (code, printed) = offhook(home.path(), &["replay", &file, "--json"]).await;
    assert_eq!(code, Some(0), "{printed}");
    let reader = house.gateway.board.journal().reader().expect("it is there");
    let rows = reader.after(&Wanted::default()).await;
    let rows = rows.expect("it can be read");
    assert_eq!(rows.len(), view.events);
    for row in rows {
        assert!(printed.contains(&format!("{}\n", row.entry)), "{printed}");
    }
    let (code, printed) = offhook(home.path(), &["replay", &file]).await;
    assert_eq!(code, Some(0), "{printed}");
    for line in [
        "ended    the agent had said it all",
        "agent:",
        "all 6 events are as they were",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let (code, printed) = offhook(home.path(), &["replay", &file, "--story"]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("Recorded::start("), "{printed}");

    let mut bytes = std::fs::read(&file).expect("it is there");
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&file, bytes).expect("it is ours");
    let (code, printed) = offhook(home.path(), &["replay", &file]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(
        printed.contains("flight.broken") && printed.contains("hint:"),
        "{printed}"
    );
    let (code, printed) = offhook(home.path(), &["flight", "nobody"]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("flight.none"), "{printed}");
}
