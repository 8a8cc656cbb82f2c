//! What an agent with a phone may not do, tried with a carrier that would.

use std::sync::Arc;

use call::Event;
use call::event::{End, Party, Why};
use exchange::Trouble;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Step};
use gateway::switchboard::{Guest, Meet, Purpose, Record, Wish};
use jiff::{Timestamp, ToSpan as _};
use ports::code;
use serde_json::json;

use crate::house::{House, OURS, THEIRS, events, hearing, soon};
use crate::owners::client;
use crate::{listener, ms};

/// A house whose owner wrote this in `[policy]`, and these tables.
async fn house(policy: &str, tables: &str) -> House {
    house_with(listener(), policy, tables).await
}

async fn house_with(phone: PhonePlan, policy: &str, tables: &str) -> House {
    let text = |_: &std::path::Path, text: String| {
        let policy = format!("{policy}\n[turns]");
        format!("{}{tables}\n", text.replace("[turns]", &policy))
    };
    House::with(phone, Mischief::default(), text).await
}

async fn over(house: &House, record: &Arc<Record>) {
    soon(record.log.ended()).await;
    // Its cost is settled before its place is free.
    while house.gateway.board.is_busy() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_set_aside_before_anyone_is_dialled() {
    // A call may last a minute, and its carrier ends it half a minute later: two are paid for.
    let limits = "max_minutes = 1\nspend_per_day = 0.15\n[rates]\n\"+1\" = 0.05\n";
    let house = house(limits, "").await;
    let first = house.notify(THEIRS, "One.").await.expect("there is money");
    let fault = house
        .notify(THEIRS, "Two.")
        .await
        .expect_err("it is set aside");
    assert_eq!(fault.code, code::POLICY_SPEND, "{fault}");
    assert!(fault.hint.is_some_and(|it| it.contains("spend_per_day")));
    over(&house, &first).await;
    drop(first);
    // It took seconds: a minute is paid for, and what else was set aside is there again.
    let house = house.with_another_gateway().await;
    let second = house
        .notify(THEIRS, "Two.")
        .await
        .expect("there is money again");
    over(&house, &second).await;
    let fault = house
        .notify(THEIRS, "Three.")
        .await
        .expect_err("two minutes are paid for");
    assert_eq!(fault.code, code::POLICY_SPEND, "{fault}");
    let dials = house.exchange.requests().into_iter();
    assert_eq!(
        dials.filter(|it| it.path.ends_with("/Calls.json")).count(),
        2
    );
}

/// The carrier takes no hang-up for a while, so that the call goes on there when it is long over here.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_hung_up_keeps_its_place() {
    let stays = [Step::WaitForHangUp {
        timeout: ms(60_000),
    }];
    let house = house_with(PhonePlan::answers(ms(100), stays), "", "").await;
    let text = "This is said for long enough that somebody hangs up meanwhile.";
    let calls = [
        house.notify(THEIRS, text).await,
        house.notify(THEIRS, text).await,
    ];
    let [first, second] = calls.map(|it| it.expect("there is room for two"));
    for record in [&first, &second] {
        soon(record.log.connected()).await;
    }
    for _ in 0..16 {
        house.exchange.trouble(Trouble::Unavailable);
    }
    first.hang_up().await;
    soon(first.log.ended()).await;
    let fault = house.notify(THEIRS, "Hi!").await;
    let fault = fault.expect_err("it is up at its carrier");
    assert_eq!(fault.code, code::POLICY_TOO_MANY_CALLS, "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_called_by_name_when_they_are_awake() {
    let soon_there = Timestamp::now()
        .checked_add(2.hours())
        .expect("it is not the end of time");
    let hour = soon_there.to_zoned(jiff::tz::TimeZone::UTC).hour();
    let asleep = format!("{hour:02}:00-{:02}:00", hour + 1);
    let contacts = format!(
        "[contacts.ann]\nnumber = \"{THEIRS}\"\n\
         [contacts.bo]\nnumber = \"+15551230002\"\nzone = \"UTC\"\nhours = \"{asleep}\"\n"
    );
    let house = house("", &contacts).await;
    let record = house.notify("ann", "Hi!").await.expect("she may be called");
    assert_eq!(record.caller.as_ref().map(|it| it.as_str()), Some(THEIRS));
    let fault = house.notify("bo", "Hi!").await.expect_err("he sleeps");
    assert_eq!(fault.code, code::POLICY_HOURS, "{fault}");
    let fault = house
        .notify("cy", "Hi!")
        .await
        .expect_err("nobody knows him");
    assert_eq!(fault.code, code::POLICY_NUMBER, "{fault}");
    over(&house, &record).await;
    assert_eq!(
        house
            .exchange
            .requests()
            .iter()
            .filter(|it| it.path.ends_with("/Calls.json"))
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_dialled_is_not_dialled_by_any_name() {
    let contacts = "[contacts.quiz]\nnumber = \"+19005551234\"\n";
    let house = house("calls_per_number = 1", contacts).await;
    for (to, expected) in [
        ("quiz", code::POLICY_DANGEROUS),
        ("+19005551234", code::POLICY_DANGEROUS),
        ("+881612345678", code::POLICY_DANGEROUS),
        ("+12129761234", code::POLICY_DANGEROUS),
        (OURS, code::POLICY_NOT_ALLOWED),
        ("112", code::POLICY_NUMBER),
    ] {
        let fault = house
            .notify(to, "Hi!")
            .await
            .expect_err("it may not be dialled");
        assert_eq!(fault.code, expected, "{to}: {fault}");
        let told = format!("{fault} {}", fault.hint.clone().unwrap_or_default());
        assert!(!told.contains("5551234"), "{told}");
    }
    let record = house
        .notify(THEIRS, "Hi!")
        .await
        .expect("they may be called");
    over(&house, &record).await;
    let fault = house.notify(THEIRS, "Hi!").await.expect_err("once an hour");
    assert_eq!(fault.code, code::POLICY_TOO_OFTEN, "{fault}");
}

/// The call was ended for what was said on it, and there is never another.
async fn never_again(house: House, record: Arc<Record>) {
    over(&house, &record).await;
    let told = events(&record);
    assert!(told.contains(&Event::CallerOptedOut), "{told:?}");
    let end = End {
        by: Party::Gateway,
        why: Why::Policy,
    };
    assert_eq!(told.last(), Some(&Event::Ended(end)));
    drop(record);
    let fault = house.notify(THEIRS, "Hi!").await.expect_err("they said so");
    assert_eq!(fault.code, code::POLICY_DO_NOT_CALL, "{fault}");
    let house = house.with_another_gateway().await;
    let fault = house.notify(THEIRS, "Hi!").await.expect_err("they said so");
    assert_eq!(fault.code, code::POLICY_DO_NOT_CALL, "{fault}");
    let dials = house.exchange.requests().into_iter();
    assert_eq!(
        dials.filter(|it| it.path.ends_with("/Calls.json")).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_presses_the_key_is_never_called_again() {
    let script = [
        Step::Press('4'),
        Step::Press('9'),
        Step::WaitForHangUp { timeout: ms(8_000) },
    ];
    let phone = PhonePlan::answers(ms(100), script);
    let house = house_with(phone, "opt_out_key = \"9\"", "").await;
    let text = "This is a message that is long enough for somebody to press a key meanwhile.";
    let record = house
        .notify(THEIRS, text)
        .await
        .expect("they may be called");
    never_again(house, record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_so_is_never_called_again() {
    let speech = (0..12_000_u32).map(|it| if it / 20 % 2 == 0 { 9_000 } else { -9_000 });
    let script = [
        Step::WaitForAgent {
            quiet: ms(500),
            timeout: ms(8_000),
        },
        Step::Say(speech.collect()),
        Step::WaitForHangUp {
            timeout: ms(12_000),
        },
    ];
    let agent = "[agents.reception]\nkind = \"answering-service\"\n";
    let house = house_with(PhonePlan::answers(ms(100), script), "", agent).await;
    let board = &house.gateway.board;
    board.want_voice(hearing("I told you to stop calling me."));
    board.renew_voice().await.expect("it loads");
    let wish = Wish {
        to: THEIRS.into(),
        agent: Some("reception".into()),
        purpose: Purpose::Converse,
        ..Wish::default()
    };
    let record = board.dial(wish).await.expect("they may be called");
    never_again(house, record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_planned_is_made_exactly_once() {
    let house = house("max_minutes = 1\n[rates]\n\"+1\" = 0.05\n", "").await;
    let post = async |path: &str, order: serde_json::Value| {
        let asked = client()
            .post(format!("{}{path}", house.public))
            .json(&order);
        let asked = asked.bearer_auth(house.gateway.token.reveal());
        let answer = soon(asked.send()).await.expect("it answers");
        let status = answer.status().as_u16();
        let body: serde_json::Value = soon(answer.json()).await.expect("it is JSON");
        (status, body)
    };
    let (status, plan) = post("/v1/calls?plan", json!({ "to": THEIRS, "say": "Hi!" })).await;
    assert_eq!((status, &plan["allowed"]), (200, &json!(true)), "{plan}");
    assert_eq!(plan["price_ceiling"], json!(0.1));
    assert!(
        plan["rule"]
            .as_str()
            .is_some_and(|it| it.contains("`call` in [policy]")),
        "{plan}"
    );
    let (status, refused) = post(
        "/v1/calls?plan=true",
        json!({ "to": "+19005551234", "say": "Hi!" }),
    )
    .await;
    assert_eq!((status, &refused["allowed"]), (200, &json!(false)));
    assert_eq!(
        (&refused["rule"], &refused["token"]),
        (&json!(code::POLICY_DANGEROUS), &json!(null))
    );
    assert!(
        house.exchange.requests().is_empty(),
        "nobody was called yet"
    );

    let token = json!({ "token": plan["token"] });
    let (first, again) = tokio::join!(
        post("/v1/calls", token.clone()),
        post("/v1/calls", token.clone())
    );
    let mut statuses = [first.0, again.0];
    statuses.sort_unstable();
    assert!(
        matches!(statuses, [200, 201] | [201, 409]),
        "{first:?} {again:?}"
    );
    soon(house.exchange.next_outcome()).await;
    let made = if first.0 == 201 { &first.1 } else { &again.1 };
    let (status, later) = post("/v1/calls", token).await;
    assert_eq!((status, &later["id"]), (200, &made["id"]));
    for (wrong, expected) in [
        (json!({ "token": "a".repeat(64) }), 409),
        (json!({ "token": plan["token"], "to": THEIRS }), 422),
        (json!({ "say": "Hi!" }), 422),
    ] {
        assert_eq!(
            post("/v1/calls", wrong.clone()).await.0,
            expected,
            "{wrong}"
        );
    }
    let dials = house.exchange.requests().into_iter();
    assert_eq!(
        dials.filter(|it| it.path.ends_with("/Calls.json")).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_was_asked_for_is_held_also_when_whoever_asked_has_gone() {
    let house = house("", "").await;
    let guest = Guest {
        to: THEIRS.into(),
        ..Guest::default()
    };
    let meet = Meet {
        guests: vec![guest],
        ..Meet::default()
    };
    let mut asked = Box::pin(house.gateway.board.meet(meet));
    assert!(futures_util::poll!(&mut asked).is_pending());
    drop(asked);
    let called = async {
        while house.exchange.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(called).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_so_while_nothing_can_be_written_is_not_called_either() {
    let script = [Step::Press('9'), Step::WaitForHangUp { timeout: ms(8_000) }];
    let phone = PhonePlan::answers(ms(100), script);
    let house = house_with(phone, "opt_out_key = \"9\"", "").await;
    let file = house.gateway.board.state().join("ledger.db");
    let ledger = rusqlite::Connection::open(&file).expect("it is there");
    let full = "CREATE TRIGGER full BEFORE INSERT ON do_not_call
        BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    ledger.execute_batch(full).expect("it is ours");
    let text = "This is a message that is long enough for somebody to press a key meanwhile.";
    let record = house
        .notify(THEIRS, text)
        .await
        .expect("they may be called");
    soon(record.log.ended()).await;
    assert!(events(&record).contains(&Event::CallerOptedOut));
    drop(record);
    let fault = house.notify(THEIRS, "Hi!").await.expect_err("they said so");
    assert_eq!(fault.code, code::POLICY_DO_NOT_CALL, "{fault}");

    // Whoever heard it is gone before it could be written, and the next reads what happened.
    let listed = |ledger: &rusqlite::Connection| -> u64 {
        let count = ledger.query_row("SELECT COUNT(*) FROM do_not_call", [], |row| row.get(0));
        count.expect("it can be read")
    };
    assert_eq!(listed(&ledger), 0);
    let house = house.with_another_gateway().await;
    let fault = house.notify(THEIRS, "Hi!").await.expect_err("they said so");
    assert_eq!(fault.code, code::POLICY_DO_NOT_CALL, "{fault}");

    // Once there is room it is written by itself.
    ledger
        .execute_batch("DROP TRIGGER full")
        .expect("it is ours");
    let written = async {
        while listed(&ledger) == 0 {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(written).await;
    let dials = house.exchange.requests().into_iter();
    assert_eq!(
        dials.filter(|it| it.path.ends_with("/Calls.json")).count(),
        1
    );
}
