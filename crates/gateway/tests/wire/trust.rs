//! Who is on the line, how sure we are of that, and what an agent may do for them.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use call::event::Refused;
use call::{Event, Trust};
use exchange::EndedBy;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Step};
use exchange::standing::Vouched;
use gateway::access::{Scope, Tokens};
use gateway::switchboard::{Purpose, Record, Wish};
use ports::code;

use crate::canaries::files;
use crate::contract::is_dial;
use crate::house::{House, OURS, STRANGER, THEIRS, events, exchange_of, hearing, soon};
use crate::owners::client;
use crate::{listener, ms};

const BEN: &str = "+15557654321";

/// An answering service that may put people through to Ben, who must be trusted so much.
async fn desk(carrier: &str, phone: PhonePlan, trust: &str) -> House {
    let text = |_: &std::path::Path, text: String| with_ben(text, trust);
    House::of(carrier, phone, Mischief::default(), text).await
}

fn with_ben(text: String, trust: &str) -> String {
    let tables = format!(
        "[agents.desk]\nkind = \"answering-service\"\ntransfer_to = [\"ben\"]\n\
         [transfers.ben]\nnumber = \"{BEN}\"\n{trust}\n\
         [contacts.ann]\nnumber = \"{THEIRS}\"\n[policy]"
    );
    text.replace("agent = \"echo\"", "agent = \"desk\"")
        .replace("[policy]", &tables)
        .replace("\ncall = [", &format!("\ncall = [\"{BEN}\", "))
        .replace(&format!("answer = [\"{THEIRS}\"]"), "answer = [\"any\"]")
}

/// Someone who calls from there and asks for Ben.
async fn asks_for_ben(house: &House, from: &str) -> Arc<Record> {
    let board = &house.gateway.board;
    board.want_voice(hearing("Please put me through to Ben."));
    board.renew_voice().await.expect("it loads");
    house.exchange.call_in(from, OURS, asking()).expect("ours");
    soon(first(house)).await
}

fn asking() -> [Step; 3] {
    let speech = (0..12_000_u32).map(|it| if it / 20 % 2 == 0 { 9_000 } else { -9_000 });
    let timeout = ms(15_000);
    [
        Step::WaitForAgent {
            quiet: ms(500),
            timeout,
        },
        Step::Say(speech.collect()),
        Step::WaitForHangUp { timeout },
    ]
}

async fn first(house: &House) -> Arc<Record> {
    loop {
        if let Some(record) = house.gateway.board.calls().last() {
            return record.clone();
        }
        tokio::time::sleep(ms(10)).await;
    }
}

async fn until(record: &Record, what: impl Fn(&Event) -> bool) {
    let seen = async {
        let mut seen = 0;
        loop {
            let entries = record.log.wait(seen).await;
            seen += entries.len();
            if entries.is_empty() || entries.iter().any(|it| what(&it.event)) {
                return !entries.is_empty();
            }
        }
    };
    assert!(soon(seen).await, "{:?}", events(record));
}

fn dials(house: &House) -> usize {
    let requests = house.exchange.requests();
    requests.iter().filter(|it| is_dial(it)).count()
}

fn refusals(record: &Record) -> Vec<Refused> {
    let mut refusals = Vec::new();
    for event in events(record) {
        if let Event::AgentRefused(refused) = event {
            refusals.push(refused);
        }
    }
    refusals
}

#[tokio::test(flavor = "multi_thread")]
async fn who_vouches_for_a_caller_is_heard_over_every_carrier() {
    for carrier in exchange::CARRIERS {
        for (vouched, trust) in [
            (Vouched::Unsigned, Trust::CallerId),
            (Vouched::Failed, Trust::CallerId),
            (Vouched::Gateway, Trust::CallerId),
            (Vouched::Partial, Trust::CallerId),
            (Vouched::Full, Trust::Attested),
        ] {
            let house = House::of(carrier, listener(), Mischief::default(), |_, it| it).await;
            house.exchange.set_vouched(vouched);
            let script = [Step::Wait(ms(300)), Step::HangUp];
            house.exchange.call_in(THEIRS, OURS, script).expect("ours");
            let record = soon(first(&house)).await;
            assert_eq!(
                house.gateway.board.trust(&record),
                trust,
                "{carrier} {vouched:?}"
            );
            soon(record.log.ended()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_put_through_however_their_number_is_vouched_for() {
    let house = desk("twilio", listener(), "").await;
    house.exchange.set_vouched(Vouched::Full);
    let record = asks_for_ben(&house, STRANGER).await;
    until(&record, |it| matches!(it, Event::AgentRefused(_))).await;
    let refused = Refused {
        code: code::POLICY_TRUST,
        needs: Trust::CallerId,
        trust: Trust::Unknown,
    };
    assert_eq!(refusals(&record), [refused]);
    // They are told, and the agent has them again.
    until(&record, |it| {
        matches!(it, Event::AgentSaid { text } if text.reveal().contains("cannot put you through"))
    })
    .await;
    assert_eq!(dials(&house), 0);
    record.hang_up().await;
    soon(record.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_id_unlocks_nothing_sensitive_and_no_attestation_does() {
    for vouched in [Vouched::Unsigned, Vouched::Full] {
        let house = desk("twilio", listener(), "trust = \"proven\"").await;
        house.exchange.set_vouched(vouched);
        let record = asks_for_ben(&house, THEIRS).await;
        until(&record, |it| matches!(it, Event::AgentRefused(_))).await;
        let refused = refusals(&record);
        assert!(
            refused
                .iter()
                .all(|it| it.needs == Trust::Proven && it.trust < Trust::Proven),
            "{refused:?}"
        );
        assert_eq!(dials(&house), 0, "{vouched:?}");
        record.hang_up().await;
        soon(record.log.ended()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_put_through_where_their_number_is_enough() {
    let house = desk("twilio", listener(), "").await;
    let record = asks_for_ben(&house, THEIRS).await;
    let rang = async {
        while dials(&house) == 0 {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(rang).await;
    assert_eq!(refusals(&record), []);
    record.hang_up().await;
    soon(record.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_whom_we_called_and_who_picked_up_has_proven_who_they_are() {
    let house = desk(
        "twilio",
        PhonePlan::answers(ms(300), asking()),
        "trust = \"proven\"",
    )
    .await;
    let board = &house.gateway.board;
    board.want_voice(hearing("Please put me through to Ben."));
    board.renew_voice().await.expect("it loads");
    let wish = Wish {
        to: "ann".to_owned(),
        purpose: Purpose::Converse,
        ..Wish::default()
    };
    let record = board.dial(wish).await.expect("she may be called");
    assert_eq!(board.trust(&record), Trust::CallerId, "it rings");
    let rang = async {
        while dials(&house) < 2 {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(rang).await;
    assert_eq!(board.trust(&record), Trust::Proven);
    record.hang_up().await;
    soon(record.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_who_ring_once_are_not_called_back() {
    let house = House::new(listener(), Mischief::default()).await;
    for batch in 0..20 {
        let calls: Vec<_> = (0..50)
            .map(|at| {
                // Spread over the numbers of the country, and never the same.
                let from = format!("+1555{:07}", (batch * 50 + at) * 7_919 % 10_000_000);
                house
                    .exchange
                    .call_in(&from, OURS, [Step::HangUp])
                    .expect("ours")
            })
            .collect();
        for call in calls {
            let outcome = soon(house.exchange.call(&call)).await;
            assert_eq!(outcome.ended_by, EndedBy::Rejected, "{}", outcome.from);
        }
    }
    assert!(house.exchange.requests().is_empty(), "nobody was dialled");
    assert!(house.gateway.board.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_puts_nobody_through_whom_an_agent_may_not() {
    let house = desk("twilio", listener(), "").await;
    let stays = [Step::WaitForHangUp {
        timeout: ms(15_000),
    }];
    house.exchange.call_in(STRANGER, OURS, stays).expect("ours");
    let record = soon(first(&house)).await;
    until(&record, is_question).await;
    let mut tokens = Tokens::open(house.gateway.board.state()).expect("the folder is ours");
    let made = tokens.create(Scope::Call, jiff::Timestamp::now());
    let token = made.expect("it can be written").1;
    let put_through = async |token: &str| {
        let asked = client().post(format!("{}/v1/calls/{}/transfer", house.public, record.id));
        let to = serde_json::json!({ "to": "ben" });
        let answer = soon(asked.bearer_auth(token).json(&to).send()).await;
        let answer = answer.expect("it answers");
        let status = answer.status().as_u16();
        (status, soon(answer.text()).await.expect("it ends"))
    };
    let (status, problem) = put_through(&token).await;
    assert_eq!(status, 403, "{problem}");
    assert!(problem.contains(code::POLICY_TRUST), "{problem}");
    assert_eq!(dials(&house), 0);
    let (status, problem) = put_through(house.gateway.token.reveal()).await;
    assert_eq!(status, 202, "the owner's own: {problem}");
    record.hang_up().await;
    soon(record.log.ended()).await;
}

const PIN: &str = "918273645546";

/// The same desk, with a PIN, and with recordings. Ben is for those who know it.
async fn desk_with_pin() -> House {
    House::of("twilio", listener(), Mischief::default(), with_pin).await
}

fn with_pin(folder: &std::path::Path, text: String) -> String {
    let file = folder.join("pin");
    std::fs::write(&file, PIN).expect("the folder can be written");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, private).expect("it is ours");
    let text = with_ben(text, "trust = \"proven\"");
    let text = text.replace("max_calls", "pin = \"file:pin\"\nmax_calls");
    text + "\n[recordings]\ndir = \"recordings\"\n"
}

fn keys(text: &str) -> impl Iterator<Item = Step> {
    text.chars().map(Step::Press)
}

fn listening() -> Step {
    Step::WaitForAgent {
        quiet: ms(500),
        timeout: ms(15_000),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_proves_who_somebody_is_and_nobody_learns_it() {
    let house = desk_with_pin().await;
    let board = house.gateway.board.clone();
    board.want_voice(hearing("Please put me through to Ben."));
    board.renew_voice().await.expect("it loads");
    let script: Vec<_> = [listening()]
        .into_iter()
        .chain(keys(&format!("*{PIN}#")))
        .chain(asking())
        .collect();
    // No number that anyone knows is shown.
    house
        .exchange
        .call_in("anonymous", OURS, script)
        .expect("ours");
    let record = soon(first(&house)).await;
    assert_eq!(board.trust(&record), Trust::Unknown);
    until(&record, |it| *it == Event::CallerProved).await;
    assert_eq!(board.trust(&record), Trust::Proven);
    let rang = async {
        while dials(&house) == 0 {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(rang).await;
    let told = events(&record);
    assert!(
        !told
            .iter()
            .any(|it| matches!(it, Event::CallerPressed { .. })),
        "{told:?}"
    );
    let snapshot = board.flight(&record).await.expect("it is up");
    let tape = String::from_utf8(snapshot.seal(&record.log)).expect("it is text");
    assert!(!tape.contains("pressed"), "no key is on it");
    record.hang_up().await;
    soon(record.log.ended()).await;
    let (wav, state) = (
        house.file(&format!("recordings/{}.wav", record.id)),
        house.file("state"),
    );
    house.gateway.close(ms(2_000)).await;
    let wav = hound::WavReader::open(wav).expect("it was recorded");
    let samples: Vec<i16> = wav.into_samples().map_while(Result::ok).collect();
    let silent = samples
        .split(|it| *it != 0)
        .map(<[i16]>::len)
        .max()
        .unwrap_or_default();
    // Two sides at 8 kHz: the keys took longer than half a second.
    assert!(
        silent > 8_000,
        "{silent} samples of silence while it was keyed"
    );
    for file in files(&state) {
        let bytes = std::fs::read(&file).expect("it can be read");
        let found = bytes.windows(PIN.len()).any(|it| it == PIN.as_bytes());
        assert!(!found, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_was_asked_for_is_one_without_its_star() {
    let house = desk_with_pin().await;
    let board = house.gateway.board.clone();
    board.want_voice(hearing("Please put me through to Ben."));
    board.renew_voice().await.expect("it loads");
    let script: Vec<_> = asking()
        .into_iter()
        .take(2)
        .chain([listening()])
        .chain(keys(&format!("{PIN}#")))
        .chain([Step::WaitForHangUp {
            timeout: ms(15_000),
        }])
        .collect();
    house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let record = soon(first(&house)).await;
    until(&record, |it| *it == Event::CallerProved).await;
    let told = events(&record);
    assert!(!told.iter().any(is_key), "{told:?}");
    record.hang_up().await;
    soon(record.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_pin_is_nobodys_business_after_a_restart() {
    let exchange = exchange_of("twilio");
    let house = House::mortal(exchange, listener(), with_pin).await;
    // The first of them long before the agent has said anything to its end.
    let script: Vec<_> = keys("*111")
        .chain([Step::Wait(ms(6_000))])
        .chain(keys("222#"))
        .chain([Step::WaitForHangUp {
            timeout: ms(15_000),
        }])
        .collect();
    house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let record = soon(first(&house)).await;
    until(&record, |it| matches!(it, Event::AgentSaid { .. })).await;
    drop(record);
    let house = house.with_its_gateway_stopped().await;
    let record = soon(first(&house)).await;
    until(&record, |it| *it == Event::CallerFailedProof).await;
    let told = events(&record);
    assert!(!told.iter().any(is_key), "{told:?}");
    record.hang_up().await;
    soon(record.log.ended()).await;
}

fn is_key(event: &Event) -> bool {
    matches!(event, Event::CallerPressed { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guessed_three_times_is_not_let_in_by_the_right_pin_either() {
    let house = desk_with_pin().await;
    let wrong = |pin: &str, wait: u64| keys(pin).chain([Step::Wait(ms(wait))]).collect::<Vec<_>>();
    let script: Vec<_> = [
        vec![listening()],
        wrong("*1#", 1_300),
        wrong("*2#", 2_300),
        wrong("*3#", 4_300),
        wrong(&format!("*{PIN}#"), 1_000),
        vec![Step::HangUp],
    ]
    .concat();
    house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let record = soon(first(&house)).await;
    soon(record.log.ended()).await;
    let told = events(&record);
    let failed = told
        .iter()
        .filter(|it| **it == Event::CallerFailedProof)
        .count();
    assert_eq!(failed, 4, "{told:?}");
    assert!(!told.contains(&Event::CallerProved), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_needs_help_hears_that_they_must_call_for_it() {
    let house = desk("twilio", listener(), "").await;
    let board = &house.gateway.board;
    board.want_voice(hearing("I need an ambulance."));
    board.renew_voice().await.expect("it loads");
    house
        .exchange
        .call_in("anonymous", OURS, asking())
        .expect("ours");
    let record = soon(first(&house)).await;
    let words = "I cannot send help. Please hang up now and dial your emergency number.";
    until(
        &record,
        |it| matches!(it, Event::AgentSaid { text } if words.ends_with(text.reveal().as_str())),
    )
    .await;
    let told = events(&record);
    let heard = told
        .iter()
        .position(|it| matches!(it, Event::CallerSaid { .. }));
    let after = &told[heard.expect("they said so")..];
    assert!(after.contains(&Event::CallerInEmergency), "{after:?}");
    let said = |it: &Event, ours: &str| matches!(it, Event::AgentSaid { text } if !ours.contains(text.reveal().as_str()));
    assert!(!after.iter().any(|it| said(it, words)), "{after:?}");
    record.hang_up().await;
    soon(record.log.ended()).await;
}

/// A line that answers nobody but those who are paired.
async fn door() -> House {
    let text = |_: &std::path::Path, text: String| {
        with_ben(text, "").replace("answer = [\"any\"]", "answer = [\"pairing\"]")
    };
    House::of("twilio", listener(), Mischief::default(), text).await
}

/// Somebody calls from there, and keys this once they were asked to.
fn keys_at_the_door(house: &House, from: &str, keyed: &str) -> String {
    let script: Vec<_> = [listening()]
        .into_iter()
        .chain(keys(keyed))
        .chain([Step::WaitForHangUp { timeout: ms(8_000) }, Step::HangUp])
        .collect();
    house.exchange.call_in(from, OURS, script).expect("ours")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_a_code_may_call_once_the_owner_says_so() {
    let house = door().await;
    let board = house.gateway.board.clone();
    let code = board.pairings().new_code(now()).await.expect("it is made");
    let call = keys_at_the_door(&house, STRANGER, &format!("{code}#"));
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(
        outcome.ended_by,
        EndedBy::Api,
        "they are told, and hung up on"
    );
    let record = board.calls()[0].clone();
    let told = events(&record);
    let said = told.iter().any(|it| {
        matches!(it, Event::AgentSaid { text } if text.reveal().contains("must now confirm you"))
    });
    assert!(said, "{told:?}");
    assert!(
        !told
            .iter()
            .any(|it| matches!(it, Event::CallerPressed { .. })),
        "{told:?}"
    );
    assert_eq!(board.trust(&record), Trust::Unknown);
    drop(record);

    // Until the owner has, nobody answers them but the door.
    let again = keys_at_the_door(&house, STRANGER, "");
    soon(house.exchange.call(&again)).await;
    let record = board.calls()[0].clone();
    assert!(!asked_who(&record), "{:?}", events(&record));

    let answer = |path: String| {
        let asked = client().post(format!("{}{path}", house.public));
        let asked = asked.bearer_auth(house.gateway.token.reveal());
        async move {
            soon(asked.send())
                .await
                .expect("it answers")
                .status()
                .as_u16()
        }
    };
    let waiting = board
        .pairings()
        .callers()
        .await
        .expect("they can be read")
        .waiting;
    assert_eq!(waiting.len(), 1);
    assert_eq!(answer("/v1/pairing/nobody/confirm".into()).await, 404);
    assert_eq!(
        answer(format!("/v1/pairing/{}/confirm", waiting[0].id)).await,
        200
    );
    // Whoever holds the switchboard or a call of it holds its journal.
    drop((board, record));
    let house = house.with_another_gateway().await;
    let stays = [Step::WaitForHangUp {
        timeout: ms(18_000),
    }];
    house.exchange.call_in(STRANGER, OURS, stays).expect("ours");
    let record = soon(first(&house)).await;
    until(&record, is_question).await;
    assert_eq!(house.gateway.board.trust(&record), Trust::CallerId);
    record.hang_up().await;
    soon(record.log.ended()).await;

    let number = call::Number::parse(STRANGER).expect("it is a number");
    let removed = house.gateway.board.pairings().remove(&number).await;
    assert!(removed.expect("it can be written"));
    let call = keys_at_the_door(&house, STRANGER, "");
    soon(house.exchange.call(&call)).await;
    let record = house.gateway.board.calls()[0].clone();
    assert!(!asked_who(&record), "{:?}", events(&record));
}

/// Whether the answering service spoke.
fn asked_who(record: &Record) -> bool {
    events(record).iter().any(is_question)
}

fn is_question(event: &Event) -> bool {
    let asks = |text: &str| text.contains("name") || text.contains("message");
    matches!(event, Event::AgentSaid { text } if asks(text.reveal()))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_code_or_no_number_gets_no_further_than_the_door() {
    let house = door().await;
    let board = house.gateway.board.clone();
    for hidden in ["anonymous", "", "+266696687"] {
        let call = house
            .exchange
            .call_in(hidden, OURS, [Step::HangUp])
            .expect("ours");
        let outcome = soon(house.exchange.call(&call)).await;
        assert_eq!(outcome.ended_by, EndedBy::Rejected, "{hidden}");
    }
    let first = keys_at_the_door(&house, STRANGER, "000000#");
    // One stranger at a time: the next finds the line engaged.
    soon(self::first(&house)).await;
    let second = house
        .exchange
        .call_in("+15559990001", OURS, [Step::HangUp])
        .expect("ours");
    let outcome = soon(house.exchange.call(&second)).await;
    assert_eq!(outcome.ended_by, EndedBy::Rejected);
    let record = board.calls()[0].clone();
    until(&record, |it| *it == Event::CallerFailedProof).await;
    let callers = board.pairings().callers().await.expect("they can be read");
    assert!(callers.waiting.is_empty() && callers.paired.is_empty());
    record.hang_up().await;
    soon(house.exchange.call(&first)).await;
    assert_eq!(dials(&house), 0);
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
