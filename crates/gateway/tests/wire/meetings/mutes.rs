//! People and agents at a meeting whom nobody is to hear.

use std::sync::Arc;

use call::Event;
use call::meeting::{Command, PartyId};
use exchange::phone::{PhonePlan, Step};
use gateway::meeting::Room;
use gateway::switchboard::Record;

use super::{TONES, Town, lines, tone};
use crate::house::{events, hearing, soon};
use crate::ms;

/// Nobody hears who is muted, and the agent is told nothing of what they say.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_not_told_what_someone_says_who_is_muted() {
    let town = Town::of(&lines(), table(), || hearing("when do you open")).await;
    let room = town.meet(Some("service")).await;
    let host = soon(town.seated(&room)).await;
    let ben = room.party("Ben").expect("he is there");
    assert!(room.command(Command::Mute(ben)).await);
    let record = town.record_of(&room, ben);
    soon(said(&record, 1)).await;
    // The table has it within a tick, and the agent would be asked at once.
    tokio::time::sleep(ms(1_000)).await;
    assert_eq!(asked(&host), [""; 0]);
    assert!(room.command(Command::Unmute(ben)).await);
    soon(said(&record, 2)).await;
    let told = async {
        while asked(&host).is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(told).await;
    assert_eq!(asked(&host), ["Ben: when do you open"]);
    assert!(room.command(Command::End).await);
}

/// An agent that is muted in the middle of a sentence has not said the rest of it, and answers nobody until
/// it is heard again. Then it knows what was said meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_muted_agent_does_not_take_itself_for_heard() {
    let town = Town::of(&lines(), table(), || hearing("when do you open")).await;
    let room = town.meet(Some("service")).await;
    let host = soon(town.seated(&room)).await;
    let seat = room.view().people.into_iter().find(|it| it.agent);
    let seat = PartyId(seat.expect("it is there").seat);
    soon(room.until(|view| view.people.iter().any(|it| it.agent && it.speaking))).await;
    assert!(room.command(Command::Mute(seat)).await);
    let before = heard(&host);
    let ben = room.party("Ben").expect("he is there");
    let record = town.record_of(&room, ben);
    soon(said(&record, 1)).await;
    tokio::time::sleep(ms(1_000)).await;
    let told = events(&host);
    assert_eq!(heard(&host), before, "nobody heard the rest");
    let cut = |it: &Event| matches!(it, Event::AgentInterrupted { unheard, .. } if !unheard.reveal().is_empty());
    assert!(told.iter().any(cut), "{told:?}");
    assert_eq!(asked(&host), [""; 0]);
    assert!(room.command(Command::Unmute(seat)).await);
    soon(said(&record, 2)).await;
    let told = async {
        while asked(&host).is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(told).await;
    assert_eq!(
        asked(&host),
        ["Ben: when do you open Ben: when do you open"]
    );
    assert!(room.command(Command::End).await);
}

/// Two who are there, and Ben, who says something twice.
fn table() -> [PhonePlan; 3] {
    let stays = || PhonePlan::answers(ms(100), [Step::Wait(ms(30_000)), Step::HangUp]);
    let ben = [
        Step::Wait(ms(9_000)),
        Step::Say(tone(TONES[1], ms(1_000))),
        Step::Wait(ms(4_000)),
        Step::Say(tone(TONES[1], ms(1_000))),
        Step::Wait(ms(20_000)),
        Step::HangUp,
    ];
    [stays(), PhonePlan::answers(ms(100), ben), stays()]
}

/// What the agent at a meeting was asked.
fn asked(host: &Record) -> Vec<String> {
    let events = events(host).into_iter();
    let asked = events.filter_map(|event| {
        let Event::AgentTurnStarted { text } = event else {
            return None;
        };
        Some(text.into_revealed())
    });
    asked.collect()
}

/// How many clauses of its the agent takes to have been heard to their end.
fn heard(host: &Record) -> usize {
    let said = |it: &&Event| matches!(it, Event::AgentSaid { .. });
    events(host).iter().filter(said).count()
}

/// Waits until someone has said that many things.
async fn said(record: &Record, times: usize) {
    let said = |it: &&Event| matches!(it, Event::CallerSaid { .. });
    while events(record).iter().filter(said).count() < times {
        tokio::time::sleep(ms(10)).await;
    }
}

impl Town {
    /// The call of the agent at a meeting, once all four are there.
    async fn seated(&self, room: &Room) -> Arc<Record> {
        let here = |it: &gateway::meeting::View| it.people.iter().filter(|it| it.here).count() == 4;
        room.until(here).await;
        self.host().expect("it sits there")
    }

    fn record_of(&self, room: &Room, party: PartyId) -> Arc<Record> {
        let people = room.view().people;
        let person = people.iter().find(|it| it.seat == party.0);
        let call = &person.expect("they are there").call;
        let calls = self.gateway.board.calls().into_iter();
        calls
            .filter(|it| it.id.to_string() == *call)
            .last()
            .expect("they have a call")
    }
}
