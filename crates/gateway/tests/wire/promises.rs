//! What an agent writes down for its owner, and calls back that it promises.

use call::Event;
use gateway::switchboard::Callback;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::house::{House, THEIRS, events, soon};
use crate::ms;
use crate::owners::client;
use crate::tools::{ANN, Desk, asks, calls, house_of, result, says, until_said, uses};

async fn house(model: std::net::SocketAddr, contact: &str) -> House {
    let tables = format!(
        "[agents.model]\nkind = \"openai\"\nbase_url = \"http://{model}/v1\"\nmodel = \"small\"\n\
         tools = [\"note\", \"call_back_later\"]\n{contact}{}",
        if contact.contains("[policy]") {
            ""
        } else {
            "[policy]"
        }
    );
    house_of(asks([]), &tables).await
}

async fn promised(house: &House) -> Vec<Callback> {
    house
        .gateway
        .board
        .callbacks()
        .await
        .expect("they can be read")
}

/// Asks the API, and gives the status and what comes.
async fn ask(house: &House, method: &str, path: &str) -> (u16, Value) {
    let method = method.parse().expect("a method");
    let url = format!("{}{path}", house.public);
    let asked = client().request(method, url);
    let asked = asked.bearer_auth(house.gateway.token.reveal()).send();
    let answer = soon(asked).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_for_the_owner_alone() {
    let answers = [
        uses("", "note", &json!({ "text": "Ann sounded tired." })),
        says("All right."),
    ];
    let (desk, model) = Desk::serve(answers, ms(0)).await;
    let house = house(model, ANN).await;
    let record = calls(&house).await;
    until_said(&record, "All right.").await;
    assert!(result(&desk.asked()[1]).contains("It is written down."));
    let text = "Ann sounded tired.".into();
    assert!(events(&record).contains(&Event::AgentNoted { text }));
    record.hang_up().await;
    soon(record.log.ended()).await;
    let (status, call) = ask(&house, "GET", &format!("/v1/calls/{}", record.id)).await;
    assert_eq!(status, 200);
    assert!(call.to_string().contains("Ann sounded tired."), "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promised_call_is_made_when_it_is_due_and_told_what_for() {
    let takes = json!({ "when": "30", "why": "Ann wants to know the price." });
    let answers = [
        uses("", "call_back_later", &takes),
        says("I will call you."),
        says("Hello again."),
    ];
    let (desk, model) = Desk::serve(answers, ms(0)).await;
    let house = house(model, ANN).await;
    let record = calls(&house).await;
    until_said(&record, "I will call you.").await;
    let told = result(&desk.asked()[1]);
    assert!(told.contains("They will be called at"), "{told}");
    record.hang_up().await;
    soon(record.log.ended()).await;

    let (status, list) = ask(&house, "GET", "/v1/callbacks").await;
    assert_eq!((status, &list[0]["state"]), (200, &json!("waiting")));
    assert_eq!(list[0]["to"], THEIRS);
    assert_eq!(list[0]["call"], record.id.to_string());
    let board = &house.gateway.board;
    let now = Timestamp::now();
    board.call_back(now).await.expect("it can be looked at");
    assert_eq!(promised(&house).await[0].state, "waiting", "it is not due");
    let due = now + SignedDuration::from_mins(31);
    // Whoever keeps it keeps it once.
    let (one, other) = tokio::join!(board.call_back(due), board.call_back(due));
    assert!(one.is_ok() && other.is_ok());
    let promise = promised(&house).await.remove(0);
    assert_eq!(promise.state, "made");
    let again: Vec<_> = board
        .calls()
        .into_iter()
        .filter(|it| it.id != record.id)
        .collect();
    let [again] = &again[..] else {
        panic!("one call is made: {}", again.len());
    };
    assert_eq!(again.id.to_string(), promise.id);
    until_said(again, "Hello again.").await;
    let asked = desk.asked();
    let system = asked[2]["messages"][0]["content"].as_str().expect("a text");
    assert!(system.contains("Ann wants to know the price."), "{system}");
    again.hang_up().await;
    soon(again.log.ended()).await;
    let (status, _) = ask(&house, "DELETE", &format!("/v1/callbacks/{}", promise.id)).await;
    assert_eq!(status, 404, "it does not wait any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_takes_a_promised_call_off() {
    let takes = json!({ "when": "30", "why": "The price." });
    let answers = [
        uses("", "call_back_later", &takes),
        uses("", "call_back_later", &takes),
        says("I will call you."),
    ];
    let (desk, model) = Desk::serve(answers, ms(0)).await;
    let house = house(model, ANN).await;
    let record = calls(&house).await;
    until_said(&record, "I will call you.").await;
    let twice = result(&desk.asked()[2]);
    assert!(twice.contains("promised a call already"), "{twice}");
    let id = promised(&house).await.remove(0).id;
    let (status, _) = ask(&house, "DELETE", &format!("/v1/callbacks/{}", &id[20..])).await;
    assert_eq!(status, 204);
    let due = Timestamp::now() + SignedDuration::from_mins(31);
    let board = &house.gateway.board;
    board.call_back(due).await.expect("it can be looked at");
    assert_eq!(promised(&house).await[0].state, "cancelled");
    assert_eq!(board.calls().len(), 1);
    record.hang_up().await;
    soon(record.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_be_called_is_promised_nothing() {
    let answers = [
        uses(
            "",
            "call_back_later",
            &json!({ "when": "soon", "why": "The price." }),
        ),
        uses(
            "",
            "call_back_later",
            &json!({ "when": "30", "why": "The price." }),
        ),
        says("I cannot."),
    ];
    let (desk, model) = Desk::serve(answers, ms(0)).await;
    // This call is the one that may be made.
    let house = house(model, &format!("{ANN}[policy]\ncalls_per_number = 1\n")).await;
    let record = calls(&house).await;
    until_said(&record, "I cannot.").await;
    let asked = desk.asked();
    assert!(result(&asked[1]).contains("whole number of minutes"));
    assert!(
        result(&asked[2]).starts_with("It failed"),
        "{}",
        result(&asked[2])
    );
    assert!(promised(&house).await.is_empty());
    record.hang_up().await;
    soon(record.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_what_they_are_called_back_with() {
    let answers = [
        uses("Let me look.", "calendar", &json!({ "day": "Friday" })),
        says("I will call you back."),
        says("You are free."),
    ];
    let (desk, model) = Desk::serve(answers, ms(4_000)).await;
    let tables = format!(
        "[agents.model]\nkind = \"openai\"\nbase_url = \"http://{model}/v1\"\nmodel = \"small\"\n\
         tools = [\"calendar\", \"call_back_later\"]\ncall_back_after_s = 1\n\
         [tools.calendar]\nurl = \"http://{model}/calendar\"\nabout = \"When the owner is free\"\n\
         [tools.calendar.takes]\nday = \"which day\"\n{ANN}[policy]"
    );
    let house = house_of(asks([]), &tables).await;
    let record = calls(&house).await;
    until_said(&record, "I will call you back.").await;
    let told = result(&desk.asked()[1]);
    assert!(told.contains("They will be called back"), "{told}");
    let board = &house.gateway.board;
    let due = Timestamp::now() + SignedDuration::from_mins(5);
    board.call_back(due).await.expect("it can be looked at");
    assert_eq!(
        promised(&house).await[0].state,
        "waiting",
        "they are on the phone"
    );
    record.hang_up().await;
    soon(record.log.ended()).await;
    let answered = async {
        while !promised(&house).await[0]
            .why
            .reveal()
            .contains("Friday is free.")
        {
            tokio::time::sleep(ms(50)).await;
        }
    };
    soon(answered).await;
    board
        .call_back(Timestamp::now())
        .await
        .expect("it can be looked at");
    let others = board.calls().into_iter();
    let again: Vec<_> = others.filter(|it| it.id != record.id).collect();
    let [again] = &again[..] else {
        panic!("one call is made: {}", again.len());
    };
    until_said(again, "You are free.").await;
    let asked = desk.asked();
    let system = asked[2]["messages"][0]["content"].as_str().expect("a text");
    assert!(system.contains("<result>\nFriday is free."), "{system}");
    assert_eq!(system.matches("</result>").count(), 1);
    assert_eq!(desk.used().len(), 1);
    again.hang_up().await;
    soon(again.log.ended()).await;
}
