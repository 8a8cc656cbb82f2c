//! What the owner decides, and what is written down of it.

use call::meeting::Announcing;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Exchange};
use gateway::ledger::Ledger;
use gateway::switchboard::{Guest, Meet};
use ports::code;
use serde_json::{Value, json};

use crate::contract::is_dial;
use crate::house::{House, OURS, STRANGER, THEIRS, soon};
use crate::owners::client;
use crate::{listener, ms};

async fn house(policy: &str) -> House {
    let policy = format!("{policy}\n[turns]");
    let text = |_: &std::path::Path, text: String| text.replace("[turns]", &policy);
    House::with(listener(), Mischief::default(), text).await
}

async fn ask(house: &House, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = method.parse().expect("it is a method");
    let asked = client()
        .request(method, format!("{}{path}", house.public))
        .bearer_auth(house.gateway.token.reveal())
        .json(&body);
    let answer = soon(asked.send()).await.expect("it answers");
    let status = answer.status().as_u16();
    let text = soon(answer.text()).await.expect("it is text");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

fn dials(house: &House) -> usize {
    house
        .exchange
        .requests()
        .iter()
        .filter(|it| is_dial(it))
        .count()
}

/// What was said beside calls so far, the latest last: its type, what about, and its code or rule.
async fn verdicts(house: &House) -> Vec<Value> {
    let journal = house.gateway.board.journal();
    soon(journal.pen().flush()).await;
    let reader = journal.reader().expect("it is there");
    let mut verdicts = reader.verdicts(100).await.expect("it can be read");
    verdicts.reverse();
    verdicts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_stays_so_also_after_a_restart_and_hanging_up_goes_on() {
    let house = house("").await;
    let script = [Step::WaitForHangUp {
        timeout: ms(15_000),
    }];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let up = async {
        while !house
            .gateway
            .board
            .calls()
            .iter()
            .any(|it| it.log.is_connected())
        {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(up).await;
    let (status, stopped) = ask(&house, "POST", "/v1/stop-all", Value::Null).await;
    assert_eq!((status, &stopped["ended"]), (200, &json!(1)), "{stopped}");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Api);

    let house = house.with_another_gateway().await;
    let board = &house.gateway.board;
    assert!(board.is_stopped());
    let fault = house
        .notify(THEIRS, "Hi!")
        .await
        .expect_err("it is stopped");
    assert_eq!(fault.code, code::POLICY_STOPPED, "{fault}");
    assert!(fault.hint.is_some_and(|it| it.contains("--lift")));
    let guest = Guest {
        to: THEIRS.into(),
        ..Guest::default()
    };
    let meet = Meet {
        guests: vec![guest],
        agent: None,
        announcing: Announcing::Off,
    };
    let fault = board.meet(meet).await.expect_err("it is stopped");
    assert_eq!(fault.code, code::POLICY_STOPPED, "{fault}");
    let (status, _) = ask(
        &house,
        "POST",
        "/v1/calls",
        json!({ "to": THEIRS, "say": "Hi!" }),
    )
    .await;
    assert_eq!(status, 403);
    let caller = house
        .exchange
        .call_in(THEIRS, OURS, [Step::HangUp])
        .expect("ours");
    assert_eq!(
        soon(house.exchange.call(&caller)).await.ended_by,
        EndedBy::Rejected
    );
    assert_eq!(dials(&house), 0);

    let (status, _) = ask(&house, "POST", "/v1/stop-all/lift", Value::Null).await;
    assert_eq!(status, 200);
    let record = house.notify(THEIRS, "Hi!").await.expect("it goes on");
    soon(record.log.ended()).await;
    assert_eq!(dials(&house), 1);
    let told = verdicts(&house).await;
    let everything: Vec<_> = told
        .iter()
        .filter(|it| it["what"] == "everything")
        .collect();
    assert_eq!(everything[0]["type"], "policy.refused");
    assert_eq!(everything[1]["type"], "policy.allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_its_owner_and_is_made_once_they_say_yes() {
    let house = house("approve = \"always\"\nmax_minutes = 1\n[rates]\n\"+1\" = 0.05\n").await;
    let order = json!({ "to": THEIRS, "say": "Hi!" });
    let (status, plan) = ask(&house, "POST", "/v1/calls?plan", order.clone()).await;
    assert_eq!((status, &plan["allowed"]), (200, &json!(true)), "{plan}");
    let rule = plan["asks"].as_str().expect("it says so");
    assert!(rule.starts_with("`approve` in [policy]"), "{rule}");
    let token = json!({ "token": plan["token"] });
    let (status, held) = ask(&house, "POST", "/v1/calls", token.clone()).await;
    assert_eq!((status, &held["state"]), (202, &json!("waiting")), "{held}");
    // Whoever asks again is told the same.
    let (status, again) = ask(&house, "POST", "/v1/calls", token.clone()).await;
    assert_eq!((status, &again["id"]), (202, &held["id"]));
    let fault = house.notify(THEIRS, "Hi!").await.expect_err("it waits");
    assert_eq!(fault.code, code::POLICY_APPROVAL, "{fault}");

    // It waits also for the next gateway.
    let house = house.with_another_gateway().await;
    let (_, waiting) = ask(&house, "GET", "/v1/approvals", Value::Null).await;
    let waiting = waiting.as_array().expect("a list").clone();
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    assert_eq!(
        (&waiting[0]["id"], &waiting[0]["to"]),
        (&held["id"], &json!(THEIRS))
    );
    assert_eq!(waiting[0]["price_ceiling"], json!(0.1));
    assert_eq!(dials(&house), 0, "nobody was called yet");
    let answer =
        |id: &Value, word: &str| format!("/v1/approvals/{}/{word}", id.as_str().expect("a name"));
    let no = answer(&waiting[1]["id"], "refuse");
    assert_eq!(ask(&house, "POST", &no, Value::Null).await.0, 204);
    let yes = answer(&held["id"], "approve");
    let (status, call) = ask(&house, "POST", &yes, Value::Null).await;
    assert_eq!((status, &call["id"]), (201, &held["id"]), "{call}");
    for late in [&yes, &no] {
        assert_eq!(ask(&house, "POST", late, Value::Null).await.0, 404);
    }
    house.outcome().await;
    let (status, made) = ask(&house, "POST", "/v1/calls", token).await;
    assert_eq!((status, &made["id"]), (200, &held["id"]));
    assert_eq!(dials(&house), 1);
    let told = verdicts(&house).await;
    let words = |it: &Value| {
        format!(
            "{} {}",
            it["type"].as_str().unwrap_or_default(),
            it["what"].as_str().unwrap_or_default()
        )
    };
    assert_eq!(
        told.iter().map(words).collect::<Vec<_>>(),
        [
            "policy.held dial",
            "policy.held dial",
            "policy.refused approval",
            "policy.allowed approval",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_does_not_say_yes_to_its_own_calls() {
    let house = house("approve = \"always\"").await;
    house.notify(THEIRS, "Hi!").await.expect_err("it waits");
    let waiting = house
        .gateway
        .board
        .approvals()
        .await
        .expect("it can be read");
    let mut tokens =
        gateway::access::Tokens::open(&house.file("state")).expect("the folder is ours");
    let token = tokens.create(gateway::access::Scope::Call, jiff::Timestamp::now());
    let (_, token) = token.expect("it can be made");
    drop(tokens);
    for path in [
        format!("/v1/approvals/{}/approve", waiting[0].id),
        format!("/v1/approvals/{}/refuse", waiting[0].id),
        "/v1/stop-all/lift".to_owned(),
    ] {
        let asked = client().post(format!("{}{path}", house.public));
        let answer = soon(asked.bearer_auth(&token).send())
            .await
            .expect("it answers");
        assert_eq!(answer.status(), 403, "{path}");
    }
    assert_eq!(dials(&house), 0);
}

/// Somebody has the agent dial one number of a country after the other. None is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_calls_to_strangers_waits_for_the_owner() {
    let exchange = Exchange::builder()
        .account("AC00000000000000000000000000000000", crate::house::TOKEN)
        .anyone(PhonePlan::never_talks(Pickup::Busy));
    let text = |_: &std::path::Path, text: String| {
        let policy = "calls_per_hour = 100\nhours = \"00:00-24:00\"\nmax_minutes = 1\n\
                      [rates]\n\"+1\" = 0.01\n[turns]";
        let classes = format!("call = [\"{THEIRS}\", \"US\"]");
        text.replace(&format!("call = [\"{THEIRS}\"]"), &classes)
            .replace("max_calls = 2", "max_calls = 50")
            .replace("[turns]", policy)
    };
    let house = House::beside(exchange, listener(), Mischief::default(), text).await;
    let (mut made, mut held) = (0, 0);
    for last in 0..20 {
        let to = format!("+1202555{:04}", 1_000 + last);
        match house.notify(&to, "Hi!").await {
            Ok(_) => made += 1,
            Err(fault) => {
                assert_eq!(fault.code, code::POLICY_APPROVAL, "{fault}");
                assert!(fault.rule.is_some_and(|it| it.contains("new_numbers")));
                held += 1;
            }
        }
    }
    assert_eq!((made, held), (3, 17));
    // Who is named is no stranger.
    house
        .notify(THEIRS, "Hi!")
        .await
        .expect("they may be called");
    let told = verdicts(&house).await;
    assert_eq!(
        told.iter().filter(|it| it["type"] == "policy.held").count(),
        17
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_written_down_and_a_flood_of_it_is_counted() {
    let house = house("").await;
    house
        .notify("+19005551234", "Hi!")
        .await
        .expect_err("it is never dialled");
    house
        .notify(STRANGER, "Hi!")
        .await
        .expect_err("they are not listed");
    for _ in 0..3 {
        let caller = house
            .exchange
            .call_in(STRANGER, OURS, [Step::HangUp])
            .expect("ours");
        soon(house.exchange.call(&caller)).await;
    }
    let told = verdicts(&house).await;
    let first = &told[0];
    assert_eq!(first["type"], "policy.refused");
    assert_eq!(first["code"], code::POLICY_DANGEROUS);
    assert_eq!(
        (&first["caller"], &first["direction"]),
        (&json!("+19005551234"), &json!("outbound"))
    );
    assert_eq!(told[1]["code"], code::POLICY_NOT_ALLOWED);
    let rule = told[1]["rule"].as_str().expect("a rule decided");
    assert!(rule.starts_with("`call` in [policy], "), "{rule}");
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(
        told[2..]
            .iter()
            .all(|it| it["what"] == "answer" && it["code"] == code::POLICY_CALLER)
    );
    // They are no calls, and are in the chain.
    let reader = house.gateway.board.journal().reader().expect("it is there");
    assert!(reader.calls(10).await.is_ok_and(|it| it.is_empty()));
    assert!(matches!(reader.verify().await, Ok(Ok(5))));
    for _ in 0..100 {
        let _ = house.notify(STRANGER, "Hi!").await;
    }
    let told = verdicts(&house).await;
    assert!(told.len() < 50, "{}", told.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_written_down_stops_a_gateway_too() {
    let house = House::new(listener(), Mischief::default()).await;
    let stays = [Step::WaitForHangUp {
        timeout: ms(15_000),
    }];
    let call = house.exchange.call_in(THEIRS, OURS, stays).expect("ours");
    let up = async {
        let board = &house.gateway.board;
        while !board.calls().iter().any(|it| it.log.is_connected()) {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(up).await;
    let now = jiff::Timestamp::now().as_millisecond();
    let ledger = Ledger::open(house.gateway.board.state(), now).expect("it is there");
    ledger.stop(now).await.expect("it can be written");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    assert!(house.gateway.board.is_stopped());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_to_a_meeting_without_a_purpose_where_one_is_required() {
    let text = |_: &std::path::Path, text: String| {
        let bo = format!("[contacts.bo]\nnumber = \"{STRANGER}\"\nconsent = \"in writing\"\n");
        text.replace("[policy]", &format!("{bo}[policy]\nconsent = \"required\""))
    };
    let house = House::with(listener(), Mischief::default(), text).await;
    let people = json!([{ "to": STRANGER }]);
    let order = json!({ "people": people });
    let (status, problem) = ask(&house, "POST", "/v1/meetings", order).await;
    assert_eq!(
        (status, &problem["code"]),
        (403, &json!(code::POLICY_CONSENT))
    );
    assert_eq!(dials(&house), 0);
    let order = json!({ "people": people, "purpose": "the roof" });
    let (status, room) = ask(&house, "POST", "/v1/meetings", order).await;
    assert_eq!(status, 201, "{room}");
    let told = verdicts(&house).await;
    assert!(
        told.iter().any(|it| it["purpose"] == "the roof"),
        "{told:?}"
    );
}
