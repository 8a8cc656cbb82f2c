//! One suite of stories, the same for every carrier: what a call is told as must not say over whose
//! wire it went.

mod away;
mod dials;
mod ends;
mod recordings;
pub(crate) mod transfers;
mod turns;
mod unsaid;

use std::sync::Arc;

use exchange::mischief::{Abrupt, Callbacks, Mischief, Order, Socket, Wire};
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{Answer, EndedBy, Kind, Request, Status};
use expect_test::{Expect, expect};
use gateway::switchboard::{OnMachine, Purpose, Record, Wish};
use serde_json::Value;

use self::away::{
    a_transfer_left_by_someone_we_called, a_transfer_nobody_takes_that_outlives_its_gateway,
    a_transfer_of_someone_we_called, a_transfer_that_outlives_its_gateway,
};
use self::dials::{
    a_dial_that_is_found_again, a_dial_that_its_gateway_did_not_live_to_see_answered,
    a_dial_that_never_was, a_dial_that_was_over_before_anyone_asked, a_dial_without_an_answer,
};
use self::ends::{
    a_call_that_lasts_too_long, an_end_that_nobody_reports,
    hung_up_by_a_caller_as_soon_as_we_answer, hung_up_by_both,
    hung_up_by_them_as_soon_as_they_pick_up, hung_up_by_us_at_once, keys_before_anyone_answers,
};
use self::recordings::{a_recording, a_recording_by_the_carrier};
use self::transfers::{a_transfer, a_transfer_nobody_takes, a_transfer_that_the_caller_leaves};
use self::turns::{a_barge_in, an_opening_line};
use self::unsaid::calls_of_which_nothing_is_heard;
use crate::house::{House, OURS, STRANGER, THEIRS, soon};
use crate::{listener, ms, restart};

/// Tells every story over every carrier's wire.
macro_rules! conformance {
    (stories $stories:tt $($carrier:ident),*) => {
        $(conformance!(@one $carrier $stories);)*
    };
    (@one $carrier:ident { $($story:ident,)* }) => {
        mod $carrier {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    super::$story(stringify!($carrier)).await;
                }
            )*
        }
    };
}

conformance! {
    stories {
        an_answered_call,
        a_busy_phone,
        a_dial_without_an_answer,
        a_dial_that_is_found_again,
        a_dial_that_never_was,
        a_dial_that_was_over_before_anyone_asked,
        a_dial_that_its_gateway_did_not_live_to_see_answered,
        a_phone_that_is_declined,
        a_phone_that_nobody_picks_up,
        a_phone_that_cannot_be_reached,
        a_caller_who_may,
        a_caller_who_may_not,
        keys_from_the_caller,
        keys_to_the_caller,
        keys_before_anyone_answers,
        an_opening_line,
        a_barge_in,
        hung_up_by_us_at_once,
        hung_up_by_us_while_it_rings,
        hung_up_by_us_in_mid_sentence,
        hung_up_by_them_as_soon_as_they_pick_up,
        hung_up_by_a_caller_as_soon_as_we_answer,
        hung_up_by_them_in_mid_sentence,
        hung_up_by_both,
        a_call_that_lasts_too_long,
        an_end_that_nobody_reports,
        calls_of_which_nothing_is_heard,
        webhooks_in_every_order,
        a_caller_offered_again_and_again,
        a_socket_that_is_lost,
        a_gateway_killed_twice,
        a_gateway_killed_on_a_call_it_made,
        a_gateway_stopped_and_started,
        a_transfer,
        a_transfer_nobody_takes,
        a_transfer_that_the_caller_leaves,
        a_transfer_of_someone_we_called,
        a_transfer_left_by_someone_we_called,
        a_transfer_that_outlives_its_gateway,
        a_transfer_nobody_takes_that_outlives_its_gateway,
        a_recording,
        a_recording_by_the_carrier,
        a_second_account,
        a_machine_is_left_a_message,
        a_machine_is_hung_up_on,
        a_human_is_not_kept_waiting,
        a_machine_the_carrier_knows,
    }
    plivo, plivo_wide, telnyx, telnyx_wide, twilio
}

async fn an_answered_call(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    let record = notify(&house, "Hi! This is a test call.").await;
    let outcome = house.outcome().await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    let spoke = outcome.report.agent_spoke;
    assert!(spoke.abs_diff(ms(24 * 50)) < ms(60), "{spoke:?}");
    // One may be the machine's own, which has other things to do; a call that stutters has many.
    assert!(outcome.report.underruns.len() <= 1);
    let requests = house.exchange.requests();
    assert_eq!(requests.iter().filter(|it| is_dial(it)).count(), 1);
    let rings = told(&record).await.contains("call.ringing");
    assert!(rings, "every carrier has a word for it");
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"agent.said","text":"Hi! This is a test call."}
            {"type":"call.ended","by":"agent","why":"completed"}
        "#]],
    )
    .await;
}

async fn a_busy_phone(carrier: &str) {
    let record = not_picked_up(carrier, Pickup::Busy).await;
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.ended","by":"caller","why":"busy"}
        "#]],
    )
    .await;
}

/// Carriers report it as busy or as rejected; either way nobody wants to talk.
async fn a_phone_that_is_declined(carrier: &str) {
    let record = not_picked_up(carrier, Pickup::Reject(ms(50))).await;
    let story = told(&record).await.replace("\"rejected\"", "\"busy\"");
    let end = r#"{"type":"call.ended","by":"caller","why":"busy"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
}

async fn a_phone_that_nobody_picks_up(carrier: &str) {
    let record = not_picked_up(carrier, Pickup::NoAnswer).await;
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.ended","by":"gateway","why":"no_answer"}
        "#]],
    )
    .await;
}

async fn a_phone_that_cannot_be_reached(carrier: &str) {
    let record = not_picked_up(carrier, Pickup::Unreachable).await;
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.ended","by":"carrier","why":"fault"}
        "#]],
    )
    .await;
}

async fn a_caller_who_may(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    let script = [
        Step::Wait(ms(500)),
        Step::Say(tone()),
        Step::Wait(ms(600)),
        Step::HangUp,
    ];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Caller)
    );
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    assert!(
        outcome.report.agent_spoke >= ms(950),
        "{:?}",
        outcome.report
    );
    is_told(
        &house.gateway.board.calls()[0],
        &expect![[r#"
            {"type":"call.offered"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    )
    .await;
}

async fn a_caller_who_may_not(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    for from in [STRANGER, "anonymous", ""] {
        let script = [Step::HangUp];
        let call = house.exchange.call_in(from, OURS, script).expect("ours");
        let outcome = soon(house.exchange.call(&call)).await;
        assert_eq!(outcome.ended_by, EndedBy::Rejected, "{from}");
        assert_eq!(outcome.talked, ms(0), "{from}");
    }
    assert!(house.gateway.board.calls().is_empty());
}

async fn keys_from_the_caller(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    let mut script = vec![Step::Wait(ms(400))];
    for key in ['1', '#', '9'] {
        script.extend([Step::Press(key), Step::Wait(ms(300))]);
    }
    script.push(Step::HangUp);
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    soon(house.exchange.call(&call)).await;
    let story = told(&house.gateway.board.calls()[0]).await;
    let pressed: Vec<_> = story.lines().filter(|it| it.contains("pressed")).collect();
    assert_eq!(
        pressed,
        [
            r#"{"type":"caller.pressed","digit":"1"}"#,
            r##"{"type":"caller.pressed","digit":"#"}"##,
            r#"{"type":"caller.pressed","digit":"9"}"#,
        ],
        "each once, though it comes as a message and as a tone"
    );
}

async fn keys_to_the_caller(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    let record = notify(&house, "One moment, please. I am about to press some keys.").await;
    connected(&record).await;
    for keys in ["42#", "w7", "0"] {
        let keys = call::Keys::parse(keys).expect("they are keys");
        let pressed = house.gateway.board.press(&record, keys).await;
        assert!(pressed.expect("they may be pressed"));
    }
    let outcome = house.outcome().await;
    assert_eq!(crate::owners::keys(outcome.ear.agent()), "42#70");
    // Whoever can press keys is asked to, and what it has no word for are tones all the same.
    let plan = house.gateway.board.plan();
    let can = plan.carriers.values().any(|it| it.presses.is_some());
    let requests = house.exchange.requests();
    let presses: Vec<_> = requests.iter().filter(|it| is_press(it)).collect();
    assert_eq!(can, !presses.is_empty(), "{requests:?}");
    assert!(presses.iter().all(|it| it.status < 300), "{presses:?}");
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"agent.pressed","digits":"42#"}
            {"type":"agent.pressed","digits":"w7"}
            {"type":"agent.pressed","digits":"0"}
            {"type":"agent.said","text":"One moment, please. I am about to press some keys."}
            {"type":"call.ended","by":"agent","why":"completed"}
        "#]],
    )
    .await;
}

async fn hung_up_by_us_while_it_rings(carrier: &str) {
    let phone = PhonePlan::never_talks(Pickup::NoAnswer);
    let house = house(carrier, phone, Mischief::default()).await;
    let record = notify(&house, "Hi").await;
    let dialled = async {
        while !house.exchange.requests().iter().any(is_dial) || record.leg().is_none() {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(dialled).await;
    record.hang_up().await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    assert_eq!(outcome.talked, ms(0));
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.ended","by":"owner","why":"hung_up"}
        "#]],
    )
    .await;
}

async fn hung_up_by_us_in_mid_sentence(carrier: &str) {
    let (speech, timeout) = (ms(1_000), ms(8_000));
    let script = [
        Step::InterruptAfter { speech, timeout },
        Step::Press('#'),
        Step::WaitForHangUp { timeout },
    ];
    let phone = PhonePlan::answers(ms(100), script);
    let house = house(carrier, phone, Mischief::default()).await;
    let text = "This sentence is too long to be said to its end in time.";
    let record = notify(&house, text).await;
    let heard = async {
        let mut seen = 0;
        loop {
            let news = record.log.wait(seen).await;
            seen += news.len();
            let pressed = |it: &call::Event| matches!(it, call::Event::CallerPressed { .. });
            if news.iter().any(|it| pressed(&it.event)) {
                return;
            }
        }
    };
    soon(heard).await;
    record.hang_up().await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"owner","why":"hung_up"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
    assert!(story.contains("agent.interrupted"), "{story}");
}

async fn hung_up_by_them_in_mid_sentence(carrier: &str) {
    let (speech, timeout) = (ms(400), ms(8_000));
    let script = [Step::InterruptAfter { speech, timeout }, Step::HangUp];
    let phone = PhonePlan::answers(ms(100), script);
    let house = house(carrier, phone, Mischief::default()).await;
    let record = notify(
        &house,
        "This sentence is too long to be said to its end in time.",
    )
    .await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"caller","why":"hung_up"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
    assert!(story.contains("agent.interrupted"), "{story}");
}

async fn webhooks_in_every_order(carrier: &str) {
    let honest = twisted(carrier, Callbacks::default()).await;
    let ways = [
        Callbacks {
            duplicates: 3,
            ..Callbacks::default()
        },
        Callbacks {
            order: Order::Swapped,
            ..Callbacks::default()
        },
        Callbacks {
            delay: ms(500),
            ..Callbacks::default()
        },
        Callbacks {
            forged: 2,
            ..Callbacks::default()
        },
    ];
    for callbacks in ways {
        let story = twisted(carrier, callbacks.clone()).await;
        assert_eq!(story, honest, "{callbacks:?}");
    }
}

/// What a call that goes well is told as, however its webhooks come.
async fn twisted(carrier: &str, callbacks: Callbacks) -> String {
    let forged = callbacks.forged;
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let house = house(carrier, listener(), mischief).await;
    let record = notify(&house, "Hello there.").await;
    let story = told(&record).await;
    house.outcome().await;
    let deliveries = house.exchange.deliveries();
    let fakes = deliveries.iter().filter(|it| it.kind == Kind::Forged);
    let answers: Vec<_> = fakes.map(|it| it.answer.clone()).collect();
    assert!(
        answers.iter().all(|it| *it == Answer::Status(403)),
        "{answers:?}"
    );
    assert_eq!(answers.is_empty(), forged == 0);
    without_ringing(&story)
}

async fn a_caller_offered_again_and_again(carrier: &str) {
    let callbacks = Callbacks {
        duplicates: 3,
        ..Callbacks::default()
    };
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let house = house(carrier, listener(), mischief).await;
    let script = [Step::Wait(ms(800)), Step::HangUp];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    assert_eq!(house.gateway.board.calls().len(), 1);
    is_told(
        &house.gateway.board.calls()[0],
        &expect![[r#"
            {"type":"call.offered"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    )
    .await;
}

async fn a_socket_that_is_lost(carrier: &str) {
    let socket = Socket {
        line: Wire::DropsAt(ms(900)),
        abrupt: Abrupt::Stays,
        ..Socket::default()
    };
    let mischief = Mischief {
        socket,
        ..Mischief::default()
    };
    let house = house(carrier, listener(), mischief).await;
    let script = [Step::Wait(ms(4_000)), Step::HangUp];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    let story = told(&house.gateway.board.calls()[0]).await;
    let regained = story.matches("call.reconnected").count();
    assert!(regained >= 1, "{story}");
}

async fn a_gateway_killed_twice(carrier: &str) {
    restart::survives(carrier, Abrupt::GoesOn).await;
}

async fn a_gateway_killed_on_a_call_it_made(carrier: &str) {
    restart::survives_dialled(carrier).await;
}

async fn a_gateway_stopped_and_started(carrier: &str) {
    restart::goes_on(carrier).await;
}

async fn a_machine_is_left_a_message(carrier: &str) {
    let house = house(carrier, machine(), Mischief::default()).await;
    let record = dial(&house, OnMachine::AsUsual).await;
    let outcome = house.outcome().await;
    let ear = &outcome.ear;
    // The greeting begins with the sound, which is up a moment after the answer.
    let beep_ends = samples_until_quiet(ear.caller());
    let message = ear.agent().iter().position(|it| it.unsigned_abs() > 500);
    let message = message.expect("a message was left");
    assert!(message > beep_ends, "{message} is before {beep_ends}");
    assert!(
        message < beep_ends + 8 * 1_500,
        "{message} is long after {beep_ends}"
    );
    let story = told(&record).await;
    let of = |what: &str| {
        story
            .lines()
            .find(|it| it.contains(what))
            .map(str::to_owned)
    };
    let answered = of("call.answered_by").expect("somebody judged");
    assert!(
        answered.contains(r#""who":"machine","by":"gateway""#),
        "{answered}"
    );
    let ended = of("call.greeting_ended");
    assert_eq!(
        ended.as_deref(),
        Some(r#"{"type":"call.greeting_ended","beep":true}"#)
    );
    assert!(story.ends_with("{\"type\":\"agent.said\",\"text\":\"Your table is ready.\"}\n{\"type\":\"call.ended\",\"by\":\"agent\",\"why\":\"completed\"}\n"), "{story}");
}

async fn a_machine_is_hung_up_on(carrier: &str) {
    let house = house(carrier, machine(), Mischief::default()).await;
    let record = dial(&house, OnMachine::HangUp).await;
    let outcome = house.outcome().await;
    assert!(
        outcome.ear.agent().iter().all(|it| it.unsigned_abs() < 200),
        "it hears nothing"
    );
    let story = told(&record).await;
    let end = "{\"type\":\"call.ended\",\"by\":\"gateway\",\"why\":\"machine\"}\n";
    assert!(story.ends_with(end), "{story}");
}

async fn a_human_is_not_kept_waiting(carrier: &str) {
    let script = [Step::Wait(ms(400)), Step::Say(talk(500))];
    let phone = PhonePlan::answers(ms(50), script);
    let house = house(carrier, phone, Mischief::default()).await;
    let record = dial(&house, OnMachine::AsUsual).await;
    let outcome = house.outcome().await;
    let [turn] = &outcome.report.turns[..] else {
        panic!("they said one thing: {:?}", outcome.report);
    };
    let exchange::stopwatch::Reply::After { gap } = turn.reply else {
        panic!("they were spoken to: {:?}", outcome.report);
    };
    assert!(gap < ms(1_300), "{gap:?}");
    let story = told(&record).await;
    assert!(story.contains(r#""who":"human","by":"gateway""#), "{story}");
    assert!(!story.contains("greeting_ended"), "{story}");
}

/// It does not speak as machines do: only the carrier can know it.
async fn a_machine_the_carrier_knows(carrier: &str) {
    let phone = PhonePlan {
        pickup: Pickup::Machine(ms(50)),
        script: vec![Step::Wait(ms(8_000)), Step::HangUp],
    };
    let asks = |_: &std::path::Path, text: String| {
        let table = text.find("[carriers.").expect("it has a table");
        let line = table + text[table..].find('\n').expect("and that has lines");
        format!("{}\nmachines = \"carrier\"{}", &text[..line], &text[line..])
    };
    let house = House::of(carrier, phone, Mischief::default(), asks).await;
    let record = dial(&house, OnMachine::HangUp).await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"call.answered_by","who":"machine","by":"carrier"}
            {"type":"call.ended","by":"gateway","why":"machine"}
        "#]],
    )
    .await;
}

async fn dial(house: &House, on_machine: OnMachine) -> Arc<Record> {
    let wish = Wish {
        to: THEIRS.into(),
        purpose: Purpose::Notify("Your table is ready.".into()),
        on_machine,
        ..Wish::default()
    };
    house
        .gateway
        .board
        .dial(wish)
        .await
        .expect("it may be dialled")
}

/// A machine: a greeting of five seconds, a beep, and a tape that runs.
pub(crate) fn machine() -> PhonePlan {
    let beep = |at: i32| (6_000.0 * (f64::from(at) * std::f64::consts::TAU / 8.0).sin()) as i16;
    let mut greeting = talk(5_000);
    greeting.extend(vec![0; 4_800]);
    greeting.extend((0..3_200).map(beep));
    PhonePlan::answers(ms(50), [Step::Wait(ms(300)), Step::Say(greeting)])
}

/// Something with the pace of speech.
fn talk(length: u32) -> Vec<i16> {
    let mut phase = 0.0;
    let sample = |at: u32| {
        let time = f64::from(at) / 8_000.0;
        phase += (120.0 + 30.0 * (time * 6.0).sin()) / 8_000.0;
        let overtones = 1..18;
        let voice: f64 = overtones
            .map(|k| (phase * f64::from(k) * std::f64::consts::TAU).sin() / f64::from(k))
            .sum();
        let syllable = (time * 5.0 * std::f64::consts::TAU).sin().max(0.0);
        (voice * syllable * 5_000.0) as i16
    };
    (0..length * 8).map(sample).collect()
}

/// Where the last sound of a track ends.
fn samples_until_quiet(track: &[i16]) -> usize {
    track
        .iter()
        .rposition(|it| it.unsigned_abs() > 200)
        .map_or(0, |it| it + 1)
}

async fn not_picked_up(carrier: &str, pickup: Pickup) -> Arc<Record> {
    let phone = PhonePlan::never_talks(pickup);
    let brief = |_: &std::path::Path, text: String| text.replace("[turns]", "[turns]\nring_s = 5");
    let house = House::of(carrier, phone, Mischief::default(), brief).await;
    let record = notify(&house, "Hi").await;
    soon(record.log.ended()).await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.talked, ms(0));
    record
}

/// A table by another name, beside the carrier's own: webhooks of its own, and its own numbers.
async fn a_second_account(carrier: &str) {
    let second = |_: &std::path::Path, text: String| {
        let carrier = carrier.strip_suffix("_wide").unwrap_or(carrier);
        let (table, number) = (
            format!("[carriers.{carrier}]"),
            format!("carrier = \"{carrier}\""),
        );
        let from = text.find(&table).expect("it has a table");
        let to = text.find("[numbers.").expect("it has a number");
        let again = format!("[carriers.second]\nkind = \"{carrier}\"");
        let again = text[from..to].replace(&table, &again);
        let text = text.replace(&number, "carrier = \"second\"");
        text.replace("[numbers.", &format!("{again}\n[numbers."))
    };
    let house = House::of(carrier, listener(), Mischief::default(), second).await;
    let record = notify(&house, "Hi!").await;
    let dialled = house.outcome().await;
    assert_eq!(dialled.from, OURS);
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"agent.said","text":"Hi!"}
            {"type":"call.ended","by":"agent","why":"completed"}
        "#]],
    )
    .await;
    let asked = house.exchange.deliveries();
    let door = format!("{}/second/", house.public);
    assert!(!asked.is_empty() && asked.iter().all(|it| it.url.starts_with(&door)));

    let doors = ["voice", "status"].map(|it| format!("{door}{it}"));
    house.exchange.set_number(OURS, &doors[0], &doors[1]);
    let script = [Step::Wait(ms(500)), Step::HangUp];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.status, Status::Completed);
    let taken = house.gateway.board.calls().into_iter();
    let taken = taken.filter(|it| it.carrier == "second").count();
    assert_eq!(taken, 2, "the call that came in, and the one that went out");
}

async fn house(carrier: &str, phone: PhonePlan, mischief: Mischief) -> House {
    House::of(carrier, phone, mischief, |_, text| text).await
}

async fn notify(house: &House, text: &str) -> Arc<Record> {
    house.notify(THEIRS, text).await.expect("it may be dialled")
}

async fn connected(record: &Record) {
    let connected = async {
        while !record.log.is_connected() {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(connected).await;
}

/// That a call which is over is told so, but for when it rang: some carriers say that early, some
/// late, and of a phone that is busy some not at all.
async fn is_told(record: &Record, story: &Expect) {
    story.assert_eq(&without_ringing(&told(record).await));
}

/// Everything a call that is over was told as, without times.
pub(crate) async fn told(record: &Record) -> String {
    soon(record.log.ended()).await;
    without_times(record)
}

/// The same of a call so far.
fn without_times(record: &Record) -> String {
    let events = record.log.after(0).into_iter();
    let lines = events.map(|it| {
        let mut event = serde_json::to_value(&it.event).expect("events are plain data");
        if let Value::Object(fields) = &mut event {
            fields.retain(|name, _| !name.ends_with("_ms"));
        }
        format!("{event}\n")
    });
    lines.collect()
}

fn without_ringing(story: &str) -> String {
    let lines = story.lines().filter(|it| !it.contains("call.ringing"));
    lines.map(|it| format!("{it}\n")).collect()
}

/// Whether a request dials, in any carrier's way.
pub(crate) fn is_dial(request: &Request) -> bool {
    let ways = ["/Calls.json", "/calls", "/Call/"];
    request.method == "POST" && ways.iter().any(|it| request.path.ends_with(it))
}

/// Whether a request presses keys, in any carrier's way.
fn is_press(request: &Request) -> bool {
    let ways = ["/actions/send_dtmf", "/DTMF/"];
    ways.iter().any(|it| request.path.ends_with(it))
}

/// A second of it.
fn tone() -> Vec<i16> {
    let wave = |at: i32| (9_000.0 * (f64::from(at) * 0.35).sin()) as i16;
    (0..8_000).map(wave).collect()
}
