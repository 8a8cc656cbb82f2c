//! Callers who are put through to a number where a machine picks up.

use call::Event;
use call::event::{End, Party, Why};
use exchange::phone::{PhonePlan, Pickup, Step};
use gateway::config::AgentThen;
use gateway::switchboard::Target;

use super::{Town, lines};
use crate::contract::machine;
use crate::house::{events, hearing, soon};
use crate::ms;

/// A machine is not asked whether it takes the call, and does not keep the caller waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_picks_up_is_nobody_who_takes_the_call() {
    let stays = [Step::Wait(ms(18_000)), Step::HangUp];
    let phones = [
        PhonePlan::answers(ms(200), stays),
        machine(),
        PhonePlan::never_talks(Pickup::Busy),
    ];
    let town = Town::of(&lines(), phones, || hearing("")).await;
    let record = town.talk(0).await;
    let target = Target {
        agent: AgentThen::Leaves,
        ..town.target(1, "Ben")
    };
    let room = town.gateway.board.put_through(&record, target).await;
    let room = room.expect("he may be called");
    soon(room.until(|view| view.over)).await;
    let machine = soon(town.sides[1].exchange.next_outcome()).await;
    let heard = machine.ear.agent();
    assert!(
        heard.iter().all(|it| it.unsigned_abs() < 200),
        "it was told nothing"
    );
    let theirs = town.gateway.board.calls().into_iter();
    let theirs = theirs.filter(|it| it.id != record.id).map(|it| events(&it));
    let end = End {
        by: Party::Gateway,
        why: Why::Machine,
    };
    assert_eq!(
        theirs.map(|it| it.last().cloned()).collect::<Vec<_>>(),
        [Some(Event::Ended(end))]
    );
    let sorry = "I am sorry, Ben does not answer.";
    let said = |it: &Event| matches!(it, Event::AgentSaid { text } if text.reveal() == sorry);
    let told = async {
        while !events(&record).iter().any(said) {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(told).await;
    record.hang_up().await;
}
