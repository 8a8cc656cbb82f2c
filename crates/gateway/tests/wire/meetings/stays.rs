//! Agents that stay with the callers they have put through.

use std::sync::Arc;

use call::meeting::After;
use call::{Event, Referral};
use exchange::EndedBy;
use exchange::phone::{PhonePlan, Pickup, Step};
use expect_test::expect;
use gateway::config::AgentThen;
use gateway::meeting::Attention;
use gateway::switchboard::{Record, Referred, Target};

use super::{HUM, TONES, Town, lines, power_at, tone};
use crate::house::{events, hearing, soon};
use crate::ms;

/// The agent sits with the two it has brought together: it knows what was said before, is told who
/// says what, and both hear what it says. It keeps no call up.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_stays_with_the_caller_it_put_through() {
    let town = Town::of(&lines(), put_through(), || hearing("this is Anna")).await;
    let record = town.talk(0).await;
    soon(answered(&record)).await;
    let referral = Referral {
        to: "ben-beside-us".to_owned(),
        about: "the order".to_owned().into(),
    };
    let referred = town.gateway.board.refer(&record, referral).await;
    let Ok(Referred::Here(room)) = referred else {
        panic!("{referred:?}");
    };
    let caller = soon(town.sides[0].exchange.next_outcome()).await;
    let ben = soon(town.sides[1].exchange.next_outcome()).await;
    assert_eq!(caller.ended_by, EndedBy::Api, "as `after` says");
    soon(room.until(|view| view.over)).await;
    soon(town.all_over()).await;
    let agent = town.host().expect("it sat there");
    let said = said(&agent);
    let expected = expect![[r#"
        caller: Ben: this is Anna
        agent: Thank you.
        agent: The message from Anna is: Ben: this is Anna.
        agent: Is that right?
    "#]];
    expected.assert_eq(&said);
    let ear = caller.ear.agent();
    let tone = last(ear, TONES[1]).expect("the caller hears Ben");
    assert!(hummed(&ear[tone..]) >= 10, "and then the agent");
    let ear = ben.ear.agent();
    let spoke = ben.ear.utterances().last().expect("he spoke").to;
    let spoke = usize::try_from(spoke.as_millis() * 8).expect("short");
    assert!(hummed(&ear[spoke..]) >= 10, "as Ben does");
}

/// The agent that sits there leaves before its caller comes back to it.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stayed_has_its_caller_back() {
    let town = Town::of(&lines(), put_through(), || hearing("this is Anna")).await;
    let record = town.talk(0).await;
    soon(answered(&record)).await;
    let target = Target {
        after: After::Return,
        agent: AgentThen::Stays,
        ..town.target(1, "Ben")
    };
    let board = &town.gateway.board;
    let room = board.put_through(&record, target).await;
    let room = room.expect("he may be called");
    soon(room.until(|view| view.people.iter().any(|it| it.agent && it.here))).await;
    soon(room.until(|view| view.over)).await;
    let back = async {
        while !said(&record).ends_with("agent: Ben has hung up.\n") {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(back).await;
    let host = town.host().expect("it sat there");
    soon(host.log.ended()).await;
    assert!(!record.log.is_closed());
    record.hang_up().await;
    soon(town.all_over()).await;
}

/// An agent that only listens says nothing, and has heard all of it once it may talk.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_listens_says_nothing_until_it_may() {
    let mut phones = put_through();
    let again = [Step::Say(tone(TONES[2], ms(1_000))), Step::Wait(ms(5_000))];
    let hangs_up = phones[1].script.len() - 1;
    phones[1].script.splice(hangs_up..hangs_up, again);
    let town = Town::of(&lines(), phones, || hearing("this is Anna")).await;
    let record = town.talk(0).await;
    soon(answered(&record)).await;
    let target = Target {
        agent: AgentThen::Listens,
        ..town.target(1, "Ben")
    };
    let board = &town.gateway.board;
    let room = board.put_through(&record, target).await;
    let room = room.expect("he may be called");
    soon(town.ben_speaks(&record)).await;
    let host = town.host().expect("it sits there");
    assert!(events(&host).contains(&Event::Connected));
    // The table hears of that at its next tick, and the agent would be about to answer.
    tokio::time::sleep(ms(500)).await;
    assert_eq!(said(&host), "");
    assert!(room.attend(Attention::Talk).await);
    let caller = soon(town.sides[0].exchange.next_outcome()).await;
    soon(town.all_over()).await;
    let told = "caller: Ben: this is Anna Ben: this is Anna\nagent: ";
    assert!(said(&host).starts_with(told), "{}", said(&host));
    let ear = caller.ear.agent();
    let first = last(ear, TONES[1]).expect("the caller hears Ben");
    let second = last(ear, TONES[2]).expect("and once more");
    assert_eq!(hummed(&ear[first..second]), 0);
    assert!(hummed(&ear[second..]) >= 10, "and then the agent");
}

/// Whoever does not take the call brings no agent to the table, nor does one who is to leave.
#[tokio::test(flavor = "multi_thread")]
async fn no_agent_sits_where_none_is_wanted() {
    let [caller, ben, nobody] = put_through();
    let refuses = [Step::Wait(ms(1_000)), Step::HangUp];
    let refuses = PhonePlan::answers(ms(300), refuses);
    for (ben, agent) in [(refuses, AgentThen::Stays), (ben, AgentThen::Leaves)] {
        let phones = [caller.clone(), ben, nobody.clone()];
        let town = Town::of(&lines(), phones, || hearing("this is Anna")).await;
        let record = town.talk(0).await;
        soon(answered(&record)).await;
        let target = Target {
            agent,
            ..town.target(1, "Ben")
        };
        let room = town.gateway.board.put_through(&record, target).await;
        let room = room.expect("he may be called");
        soon(room.until(|view| view.over)).await;
        record.hang_up().await;
        soon(town.all_over()).await;
        assert!(town.host().is_none(), "{agent:?}");
    }
}

/// A caller who says something to the agent and then waits, and one who takes the call, says
/// something too and hangs up once that was answered.
fn put_through() -> [PhonePlan; 3] {
    let answer = Step::WaitForAgent {
        quiet: ms(700),
        timeout: ms(6_000),
    };
    let timeout = ms(25_000);
    let caller = [
        answer.clone(),
        Step::Say(tone(TONES[0], ms(1_000))),
        Step::WaitForHangUp { timeout },
    ];
    let ben = [
        Step::Wait(ms(1_500)),
        Step::Press('1'),
        answer,
        Step::Wait(ms(500)),
        Step::Say(tone(TONES[1], ms(1_000))),
        Step::Wait(ms(5_000)),
        Step::HangUp,
    ];
    [
        PhonePlan::answers(ms(200), caller),
        PhonePlan::answers(ms(300), ben),
        PhonePlan::never_talks(Pickup::Busy),
    ]
}

/// Waits until the agent has answered the caller's first words.
async fn answered(record: &Record) {
    let answer = |said: String| {
        said.split_once("caller: ")?
            .1
            .split_once("agent: ")
            .map(drop)
    };
    while answer(said(record)).is_none() {
        tokio::time::sleep(ms(10)).await;
    }
}

/// What was asked and answered on a call, a line each.
fn said(record: &Record) -> String {
    let lines = events(record).into_iter().filter_map(|event| {
        if let Event::AgentTurnStarted { text } = event {
            return Some(format!("caller: {}\n", text.reveal()));
        }
        if let Event::AgentSaid { text } = event {
            return Some(format!("agent: {}\n", text.reveal()));
        }
        None
    });
    lines.collect()
}

/// For how many tenths of a second an agent's voice is heard.
fn hummed(samples: &[i16]) -> usize {
    let tenths = samples.chunks(8 * 100);
    tenths.filter(|it| power_at(it, HUM) > 0.3).count()
}

/// The end of the last tenth of a second in which that tone is heard.
fn last(samples: &[i16], hz: f64) -> Option<usize> {
    let mut tenths = samples.chunks(8 * 100).enumerate();
    let heard = tenths.rfind(|(_, it)| power_at(it, hz) > 0.3)?;
    Some((heard.0 + 1) * 8 * 100)
}

impl Town {
    /// The call of the agent that sits at a meeting.
    pub(super) fn host(&self) -> Option<Arc<Record>> {
        let mut calls = self.gateway.board.calls().into_iter();
        calls.find(|it| it.carrier == "house")
    }

    /// Waits until the one whom the caller was put through to has said something.
    async fn ben_speaks(&self, caller: &Record) {
        let spoke = |it: &Arc<Record>| {
            let others = it.id != caller.id && it.carrier != "house";
            others
                && events(it)
                    .iter()
                    .any(|it| matches!(it, Event::CallerSaid { .. }))
        };
        while !self.gateway.board.calls().iter().any(spoke) {
            tokio::time::sleep(ms(10)).await;
        }
    }

    /// Waits until no call is up, and no meeting.
    async fn all_over(&self) {
        for record in self.gateway.board.calls() {
            record.log.ended().await;
        }
        while !self.gateway.board.meetings().is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
    }
}
