//! What owners see of calls, and ask for.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use agents::sse::Events;
use exchange::mischief::Mischief;
use gateway::access::{Scope, Tokens};
use serde_json::Value;

use crate::house::{House, STRANGER, THEIRS, soon};
use crate::listener;

pub(crate) fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().build();
    client.expect("a provider is installed by the exchange")
}

pub(crate) async fn get(house: &House, path: &str, last: Option<u64>) -> (u16, String) {
    let mut request = client().get(format!("{}{path}", house.public));
    request = request.bearer_auth(house.gateway.token.reveal());
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last.to_string());
    }
    let answer = soon(request.send()).await.expect("it answers");
    let status = answer.status().as_u16();
    (status, soon(answer.text()).await.expect("it ends"))
}

fn events(text: &str) -> Vec<(u64, Value)> {
    let mut events = Events::default();
    events.push(text.as_bytes()).expect("it is short");
    let read = std::iter::from_fn(|| events.next()).map(|it| {
        let id = it.id.parse().expect("an id is a number");
        (
            id,
            serde_json::from_str(&it.data).expect("an event is JSON"),
        )
    });
    read.collect()
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
    for it in &listed {
        // A call that this process had and one that only the journal knows look the same.
        let name = it["id"].as_str().expect("it has a name");
        let (_, text) = get(&house, &format!("/v1/calls/{name}"), None).await;
        let shown: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(*it, shown);
        assert!(it["time"].is_string() && it["ended"]["ms"].is_u64(), "{it}");
    }
    assert_eq!(get(&house, "/v1/calls?up=true", None).await.1, "[]");
    let names = listed.iter().filter_map(|it| it["id"].as_str());
    assert_eq!(names.map(str::to_owned).collect::<BTreeSet<_>>(), calls);
    assert!(
        listed.iter().all(|it| it["ended"]["why"] == "completed"),
        "{text}"
    );
    assert_eq!(get(&house, "/v1/calls/nobody/events", None).await.0, 404);
    assert_eq!(get(&house, "/v1/calls/nobody", None).await.0, 404);
    assert_eq!(get(&house, "/v1/calls/nobody/recording", None).await.0, 404);
    assert_eq!(get(&house, "/readyz", None).await.0, 200);
    for file in std::fs::read_dir(house.gateway.board.state()).expect("it is there") {
        let file = file.expect("it is there");
        let mode = file.metadata().expect("it is there").permissions().mode();
        let secret = file.file_name() != "journal.lock";
        assert!(!secret || mode & 0o077 == 0, "{file:?} is {mode:o}");
    }
    let reader = house.gateway.board.journal().reader().expect("it is there");
    let verified = reader.verify().await.expect("it can be read");
    assert_eq!(verified, Ok(all.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_calls_nobody_twice() {
    let house = House::new(listener(), Mischief::default()).await;
    let order = |say: &str| serde_json::json!({ "to": THEIRS, "say": say });
    let post = async |key: &str, order: Value| {
        let request = client()
            .post(format!("{}/v1/calls", house.public))
            .bearer_auth(house.gateway.token.reveal())
            .header("Idempotency-Key", key)
            .json(&order);
        let answer = soon(request.send()).await.expect("it answers");
        let status = answer.status().as_u16();
        let body: Value = soon(answer.json()).await.expect("it is JSON");
        (status, body)
    };
    // Refused by the rules: the key is not used up.
    let stranger = serde_json::json!({ "to": STRANGER, "say": "Hi!" });
    assert_eq!(post("one", stranger).await.0, 403);
    let (first, again) = tokio::join!(post("one", order("Hi!")), post("one", order("Hi!")));
    let mut statuses = [first.0, again.0];
    statuses.sort_unstable();
    assert!(
        matches!(statuses, [200, 201] | [201, 409]),
        "{first:?} {again:?}"
    );
    soon(house.exchange.next_outcome()).await;
    let (status, late) = post("one", order("Hi!")).await;
    let made = if first.0 == 201 { &first.1 } else { &again.1 };
    assert_eq!((status, &late["id"]), (200, &made["id"]));
    assert_eq!(post("one", order("Something else.")).await.0, 422);
    assert_eq!(post("", order("Hi!")).await.0, 400);
    let dials = house.exchange.requests();
    let dials = dials.iter().filter(|it| it.path.ends_with("/Calls.json"));
    assert_eq!(dials.count(), 1);
}

/// Asks for something by a key: the status, whether it was done before, and what is answered.
pub(crate) async fn post(
    house: &House,
    path: &str,
    key: &str,
    order: &Value,
) -> (u16, bool, Value) {
    let request = client()
        .post(format!("{}{path}", house.public))
        .bearer_auth(house.gateway.token.reveal())
        .header("Idempotency-Key", key)
        .json(order);
    let answer = soon(request.send()).await.expect("it answers");
    let again = answer.headers().contains_key("idempotent-replayed");
    let status = answer.status().as_u16();
    let text = soon(answer.text()).await.expect("it is text");
    (
        status,
        again,
        serde_json::from_str(&text).unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_asked_for_again_by_its_key_calls_nobody_twice() {
    let house = House::new(listener(), Mischief::default()).await;
    let meeting = |to: &str| serde_json::json!({ "people": [{ "to": to }] });
    let open = async |order: Value| post(&house, "/v1/meetings", "one", &order).await;
    // Refused by the rules: the key is not used up.
    assert_eq!(open(meeting(STRANGER)).await.0, 403);
    let (first, other) = tokio::join!(open(meeting(THEIRS)), open(meeting(THEIRS)));
    let (made, other) = if first.0 == 201 {
        (first, other)
    } else {
        (other, first)
    };
    assert_eq!(made.0, 201, "{made:?}");
    assert!([200, 409].contains(&other.0), "{other:?}");
    let (status, again, late) = open(meeting(THEIRS)).await;
    assert_eq!((status, again), (200, true));
    assert_eq!(late["id"], made.2["id"]);
    assert_eq!(
        open(serde_json::json!({ "people": [{ "to": THEIRS }], "announce": false }))
            .await
            .0,
        422
    );

    let path = format!(
        "/v1/meetings/{}/people",
        late["id"].as_str().expect("a name")
    );
    let one_more = serde_json::json!({ "to": THEIRS });
    let invite = async |key: &str| post(&house, &path, key, &one_more).await;
    assert_eq!(invite("").await.0, 400);
    assert_eq!(invite("one").await.0, 422, "that is the meeting's");
    let (status, again, _) = invite("two").await;
    assert_eq!((status, again), (202, false));
    let (status, again, _) = invite("two").await;
    assert_eq!((status, again), (202, true));
    for _ in 0..2 {
        soon(house.exchange.next_outcome()).await;
    }
    let dials = house.exchange.requests();
    let dials = dials.iter().filter(|it| it.path.ends_with("/Calls.json"));
    assert_eq!(dials.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_it_is_for() {
    let house = House::new(listener(), Mischief::default()).await;
    let make = |scope| {
        let mut tokens = Tokens::open(house.gateway.board.state()).expect("the folder is ours");
        let made = tokens.create(scope, jiff::Timestamp::now());
        made.expect("it can be written").1
    };
    let (read, call) = (make(Scope::Read), make(Scope::Call));
    let url = format!("{}/v1/calls", house.public);
    let status = async |request: reqwest::RequestBuilder| {
        let answer = soon(request.send()).await.expect("it answers");
        answer.status().as_u16()
    };
    assert_eq!(status(client().get(&url).bearer_auth(&read)).await, 200);
    let order = serde_json::json!({ "to": THEIRS, "say": "Hi!" });
    let post = |token| client().post(&url).json(&order).bearer_auth(token);
    assert_eq!(status(post(&read)).await, 403);
    assert!(house.exchange.requests().is_empty());
    assert_eq!(status(post(&call)).await, 201);
    soon(house.exchange.next_outcome()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_heard_at_the_far_end_while_something_is_said() {
    let house = House::new(listener(), Mischief::default()).await;
    let text = "This sentence is long enough to be in the way of what is pressed meanwhile.";
    let record = house.notify(THEIRS, text).await.expect("listed");
    let press = async |digits: &str| {
        let url = format!("{}/v1/calls/{}/digits", house.public, record.id);
        let keys = serde_json::json!({ "digits": digits });
        let asked = client().post(url).bearer_auth(house.gateway.token.reveal());
        let answer = soon(asked.json(&keys).send()).await.expect("it answers");
        answer.status().as_u16()
    };
    for nonsense in ["", "w", "12 34", "+1"] {
        assert_eq!(press(nonsense).await, 422, "{nonsense}");
    }
    // It may be picked up just then.
    let early = press("1").await;
    let nobody = early == 409;
    assert!(
        nobody || early == 202 && record.log.is_connected(),
        "nobody would hear it"
    );
    let mut seen = 0;
    let speaks = async {
        while !record.log.is_connected() {
            seen += record.log.wait(seen).await.len();
        }
    };
    soon(speaks).await;
    assert_eq!(press("159w*#D").await, 202);
    let outcome = house.outcome().await;
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    let pressed = if nobody { "159*#D" } else { "1159*#D" };
    assert_eq!(keys(outcome.ear.agent()), pressed);
    soon(record.log.ended()).await;
    assert_eq!(press("1").await, 409, "the call is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_an_exchange_would_dial_are_not_pressed() {
    let house = House::new(listener(), Mischief::default()).await;
    let text = "This sentence is long enough to be in the way of what is pressed meanwhile.";
    let record = house.notify(THEIRS, text).await.expect("listed");
    soon(record.log.connected()).await;
    let press = async |digits: &str| {
        let url = format!("{}/v1/calls/{}/digits", house.public, record.id);
        let asked = client().post(url).bearer_auth(house.gateway.token.reveal());
        let keys = serde_json::json!({ "digits": digits });
        let answer = soon(asked.json(&keys).send()).await.expect("it answers");
        answer.status().as_u16()
    };
    assert_eq!(press("9").await, 202);
    assert_eq!(press("1900").await, 202);
    assert_eq!(
        press("5551234").await,
        403,
        "a number that costs, in pieces"
    );
    assert_eq!(press("#").await, 202);
    assert_eq!(press("911").await, 403);
    assert_eq!(press("2").await, 202);
    let outcome = house.outcome().await;
    assert_eq!(keys(outcome.ear.agent()), "91900#2");
    let reader = house.gateway.board.journal().reader().expect("it is there");
    let told = reader.verdicts(10).await.expect("it can be read");
    let refused = |code: &str| {
        let rule = "keys on a call";
        let is = |it: &&Value| it["type"] == "policy.refused" && it["rule"] == rule;
        told.iter().filter(is).any(|it| it["code"] == code)
    };
    assert!(
        refused("policy.dangerous") && refused("policy.number"),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_asks_and_asks_is_told_when_to_ask_again() {
    let slow = |_: &std::path::Path, text: String| {
        text.replace("[server]\n", "[server]\ncalls_per_minute = 2\n")
            .replace("max_calls = 2", "max_calls = 100")
    };
    let house = House::with(listener(), Mischief::default(), slow).await;
    let make = || {
        let mut tokens = Tokens::open(house.gateway.board.state()).expect("the folder is ours");
        let made = tokens.create(Scope::Call, jiff::Timestamp::now());
        made.expect("it can be written").1
    };
    let order = |to: &str| serde_json::json!({ "to": to, "say": "Hi!" });
    let post = async |token: &str, to: &str| {
        let asked = client().post(format!("{}/v1/calls", house.public));
        let asked = asked.bearer_auth(token).json(&order(to)).send();
        soon(asked).await.expect("it answers")
    };
    let token = make();
    for _ in 0..3 {
        let refused = post(&token, STRANGER).await.status().as_u16();
        assert_eq!(refused, 403, "nobody is called, so nothing is counted");
    }
    for _ in 0..2 {
        assert_eq!(post(&token, THEIRS).await.status().as_u16(), 201);
    }
    for _ in 0..20 {
        let answer = post(&token, THEIRS).await;
        assert_eq!(answer.status().as_u16(), 429);
        let wait = answer.headers().get("retry-after");
        let wait = wait.and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
        assert!(wait.is_some_and(|it| (1..=60).contains(&it)), "{wait:?}");
        let problem: Value = soon(answer.json()).await.expect("it is JSON");
        assert_eq!(problem["code"], "policy.too_often");
    }
    let other = post(&make(), THEIRS).await.status().as_u16();
    assert_eq!(other, 201, "each token has its own minute");
    let dials = house.exchange.requests().into_iter();
    let dials = dials.filter(|it| it.path.ends_with("/Calls.json"));
    assert!(dials.count() <= 3);
}

/// The keys that can be heard in some sound of 8 kHz.
pub(crate) fn keys(sound: &[i16]) -> String {
    let (codec, rate) = (media::Codec::Ulaw, media::Rate::Hz8000);
    let format = media::Format { codec, rate };
    let mut ear = media::Session::new(media::Setup {
        format,
        spoken: format,
        line: media::Line::Ordered,
        detector: media::Detector::Energy,
        lead: media::FRAME,
        echo: media::Echo::Expected,
    });
    let mut heard = String::new();
    let mut payload = Vec::new();
    for (index, frame) in (0..).zip(sound.chunks_exact(160)) {
        payload.clear();
        media::Law::Mu.encode_into(frame, &mut payload);
        let payload = &payload;
        ear.receive(media::Packet { index, payload });
        heard.extend(ear.tick(media::FRAME * index as u32, |_| {}).key);
    }
    heard
}
