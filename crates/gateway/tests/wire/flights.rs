//! Flight recordings of calls over the real wire.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup};
use gateway::access::{Scope, Tokens};
use gateway::flight::{Shelf, open, replay};
use gateway::http::FlightView;

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
