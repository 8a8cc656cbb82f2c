//! What owners see of calls, and ask for.

use std::collections::BTreeSet;

use exchange::mischief::Mischief;
use serde_json::Value;

use crate::house::{House, THEIRS, soon};
use crate::listener;

async fn get(house: &House, path: &str, last: Option<u64>) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a provider is installed by the exchange");
    let mut request = client.get(format!("{}{path}", house.public));
    request = request.bearer_auth(house.gateway.token.reveal());
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last.to_string());
    }
    let answer = soon(request.send()).await.expect("it answers");
    let status = answer.status().as_u16();
    (status, soon(answer.text()).await.expect("it ends"))
}

fn events(text: &str) -> Vec<(u64, Value)> {
    let mut found = Vec::new();
    let mut id = 0;
    for line in text.lines() {
        if let Some(it) = line.strip_prefix("id: ") {
            id = it.parse().expect("an id is a number");
        } else if let Some(it) = line.strip_prefix("data: ") {
            found.push((id, serde_json::from_str(it).expect("an event is JSON")));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_can_be_read_again_from_any_place_on() {
    let house = House::new(listener(), Mischief::default()).await;
    let mut calls = BTreeSet::new();
    for _ in 0..2 {
        let record = house
            .notify(THEIRS, "Hi!")
            .await
            .expect("it may be dialled");
        soon(record.log.ended()).await;
        // The stream of a call ends with the call, by itself, once all of it is durable.
        let (status, text) = get(&house, &format!("/v1/calls/{}/events", record.id), None).await;
        assert_eq!(status, 200);
        let told = events(&text);
        assert_eq!(told.last().expect("there are some").1["type"], "call.ended");
        let first = &told[0].1;
        assert_eq!(
            (&first["caller"], &first["seq"]),
            (&THEIRS.into(), &1.into()),
            "{first}"
        );
        assert!(told.iter().all(|it| it.1["call"] == record.id.to_string()));
        calls.insert(record.id.to_string());
    }
    let (_, text) = get(&house, "/v1/events?past=true", None).await;
    let all = events(&text);
    let ids: Vec<u64> = all.iter().map(|it| it.0).collect();
    assert_eq!(ids, (1..=all.len() as u64).collect::<Vec<_>>());
    let half = all.len() as u64 / 2;
    let (_, text) = get(&house, "/v1/events?past=true", Some(half)).await;
    assert_eq!(events(&text), all[half as usize..]);
    let (_, text) = get(&house, "/v1/calls", None).await;
    let listed: Vec<Value> = serde_json::from_str(&text).expect("it is JSON");
    let names = listed.iter().filter_map(|it| it["id"].as_str());
    assert_eq!(names.map(str::to_owned).collect::<BTreeSet<_>>(), calls);
    assert!(
        listed.iter().all(|it| it["ended"]["why"] == "completed"),
        "{text}"
    );
    assert_eq!(get(&house, "/v1/calls/nobody/events", None).await.0, 404);
    assert_eq!(get(&house, "/v1/calls/nobody", None).await.0, 404);
    let reader = house.gateway.board.journal().reader().expect("it is there");
    let verified = reader.verify().await.expect("it can be read");
    assert_eq!(verified, Ok(all.len() as u64));
}
