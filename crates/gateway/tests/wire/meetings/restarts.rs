//! Tables whose gateway is killed, or is stopped and started again.

use std::sync::Arc;

use call::Event;
use exchange::EndedBy;
use exchange::phone::{PhonePlan, Pickup, Step};
use gateway::config::AgentThen;
use gateway::meeting::{Room, View};
use gateway::switchboard::{Record, Target};

use super::{TONES, Town, power_at, tone};
use crate::house::{events, hearing, soon};
use crate::ms;

#[tokio::test(flavor = "multi_thread")]
async fn two_who_were_put_through_talk_on_when_their_gateway_is_killed() {
    let town = put_through().await;
    they_talk_on(town.with_its_gateway_killed().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_were_put_through_talk_on_when_their_gateway_is_stopped_and_started() {
    let town = put_through().await;
    they_talk_on(town.with_its_gateway_stopped().await).await;
}

/// Nobody could ask Ben a second time: the caller is back with the agent, and is not hung up on, as they would
/// be once the two had talked.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_comes_back_whose_gateway_was_lost_while_someone_was_asked() {
    let stays = || [Step::Wait(ms(60_000)), Step::HangUp];
    let phones = [
        PhonePlan::answers(ms(200), stays()),
        PhonePlan::answers(ms(300), stays()),
        PhonePlan::never_talks(Pickup::Busy),
    ];
    let (town, _) = begun(phones, AgentThen::Leaves).await;
    let asked = async {
        let asks = |it: &Arc<Record>| {
            let said = events(it).into_iter();
            it.number.as_str() == town.sides[1].ours
                && said.clone().any(|it| matches!(it, Event::AgentSaid { .. }))
        };
        while !town.gateway.board.calls().iter().any(asks) {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(asked).await;
    let town = town.with_its_gateway_killed().await;
    let back = async {
        let said = |it: &Event| matches!(it, Event::AgentSaid { text } if text.reveal() == "Nobody else is here any more.");
        loop {
            let calls = town.gateway.board.calls();
            if let Some(caller) = calls.iter().find(|it| events(it).iter().any(said)) {
                return caller.clone();
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    let caller = tokio::time::timeout(ms(40_000), back).await;
    let caller = caller.expect("they are told");
    assert!(!caller.log.is_closed(), "and may talk to the agent");
    caller.hang_up().await;
}

/// A caller talks to Ben, and the agent has stayed with them.
async fn put_through() -> Town {
    let timeout = ms(60_000);
    let talks = |hz| [Step::Say(tone(hz, timeout)), Step::HangUp];
    let ben = [Step::Wait(ms(1_500)), Step::Press('1'), Step::Wait(ms(300))];
    let ben: Vec<_> = ben.into_iter().chain(talks(TONES[1])).collect();
    let phones = [
        PhonePlan::answers(ms(200), talks(TONES[0])),
        PhonePlan::answers(ms(300), ben),
        PhonePlan::never_talks(Pickup::Busy),
    ];
    let (town, room) = begun(phones, AgentThen::Stays).await;
    soon(room.until(all_three)).await;
    // Everything is written down within this time.
    tokio::time::sleep(ms(500)).await;
    town
}

/// The caller is on the line, and Ben is called.
async fn begun(phones: [PhonePlan; 3], agent: AgentThen) -> (Town, Arc<Room>) {
    let town = Town::mortal(phones, || hearing("this is Anna")).await;
    let target = Target {
        agent,
        ..town.target(1, "Ben")
    };
    let (to, from) = (town.sides[0].theirs.clone(), town.sides[0].ours.clone());
    let board = town.gateway.board.clone();
    let begun = async move {
        let wish = gateway::switchboard::Wish {
            to,
            from: Some(from),
            ..gateway::switchboard::Wish::default()
        };
        let record = board.dial(wish).await.expect("it may be dialled");
        record.log.connected().await;
        let room = board.put_through(&record, target).await;
        room.expect("he may be called")
    };
    let room = soon(town.asks(begun)).await;
    (town, room)
}

async fn they_talk_on(town: Town) {
    let board = &town.gateway.board;
    let room = async {
        loop {
            if let [room] = &board.meetings()[..] {
                return room.clone();
            }
            tokio::time::sleep(ms(10)).await;
        }
    };
    let room = soon(room).await;
    soon(room.until(all_three)).await;
    assert!(!room.is_over());
    let host = town.host().expect("the agent is back");
    let seats: Vec<_> = room.view().people.into_iter().map(|it| it.name).collect();
    assert_eq!(
        seats
            .iter()
            .map(|it| it.reveal().as_str())
            .collect::<Vec<_>>(),
        ["the caller", "Ben", "service"]
    );
    tokio::time::sleep(ms(2_000)).await;
    assert!(
        !events(&host)
            .iter()
            .any(|it| matches!(it, Event::AgentSaid { .. })),
        "it greets nobody anew"
    );
    let caller = &room.view().people[0].call;
    let calls = board.calls().into_iter();
    let caller: Vec<Arc<_>> = calls.filter(|it| it.id.to_string() == *caller).collect();
    caller[0].hang_up().await;
    let caller = soon(town.sides[0].exchange.next_outcome()).await;
    let ben = tokio::time::timeout(ms(8_000), town.sides[1].exchange.next_outcome());
    let ben = ben.await.expect("nobody leaves him alone there");
    assert_eq!(ben.ended_by, EndedBy::Api);
    for (outcome, hz) in [(&caller, TONES[1]), (&ben, TONES[0])] {
        let ear = outcome.ear.agent();
        // Late enough that it was heard from this gateway, and before anyone hung up.
        let heard = &ear[ear.len() - 8 * 2_000..ear.len() - 8 * 1_000];
        assert!(power_at(heard, hz) > 0.3, "{hz}");
    }
    soon(room.until(|view| view.over)).await;
}

fn all_three(view: &View) -> bool {
    view.people.iter().filter(|it| it.here).count() == 3
}
