//! `<Conference>`: named rooms of the account, who is in them, and what is told of that.
//!
//! Source: the carrier's pages on the Conference element, on its callbacks and on the Conference API. Sounds for those who
//! come, leave and wait are not played here.

use super::life::{Ask, Conversation, News, Turn};
use super::rest::{Answered, refusal};
use super::webhook::{self, Notices};
use super::xml::{Afterwards, Conference};
use super::{Call, digits, uuid};
use crate::ledger::{Direction, Status};
use crate::office::lock;
use crate::room::{Room, Seat};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The rooms of an account in which somebody is.
#[derive(Default)]
pub(crate) struct Conferences(Mutex<BTreeMap<String, Arc<Kept>>>);

/// One of them.
struct Kept {
    id: String,
    since: Instant,
    room: Arc<Room>,
    people: Mutex<People>,
    /// True once it is closed.
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct People {
    come: u32,
    here: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    id: u32,
    call: Arc<Call>,
    since: Instant,
    muted: bool,
}

/// There is no place for another.
struct Full;

impl Conferences {
    fn enter(&self, call: &Arc<Call>, wanted: &Conference) -> Result<(Arc<Kept>, Member), Full> {
        let mut rooms = lock(&self.0);
        let kept = rooms.entry(wanted.name.clone()).or_insert_with(|| {
            Arc::new(Kept {
                id: uuid(),
                since: Instant::now(),
                room: Arc::default(),
                people: Mutex::default(),
                closed: watch::Sender::new(false),
            })
        });
        let mut people = lock(&kept.people);
        if people.here.len() >= wanted.most {
            return Err(Full);
        }
        people.come += 1;
        let member = Member {
            id: people.come,
            call: Arc::clone(call),
            since: Instant::now(),
            muted: wanted.muted,
        };
        people.here.push(member.clone());
        drop(people);
        Ok((Arc::clone(kept), member))
    }

    /// Whether the room is empty now.
    fn leave(&self, name: &str, kept: &Kept, (member, ends): (&Member, bool)) -> bool {
        let mut rooms = lock(&self.0);
        let mut people = lock(&kept.people);
        people.here.retain(|it| it.id != member.id);
        let empty = people.here.is_empty();
        drop(people);
        if empty || ends {
            kept.closed.send_replace(true);
            if rooms.get(name).is_some_and(|it| it.id == kept.id) {
                rooms.remove(name);
            }
        }
        empty
    }

    /// A room as the API shows it.
    pub(super) fn describe(&self, name: &str) -> Answered {
        let rooms = lock(&self.0);
        let kept = rooms
            .get(name)
            .ok_or_else(|| refusal(404, "conference not found"))?;
        let people = lock(&kept.people);
        let members: Vec<Value> = people.here.iter().map(Member::describe).collect();
        let room = json!({
            "conference_name": name,
            "conference_run_time": kept.since.elapsed().as_secs().to_string(),
            "conference_member_count": members.len().to_string(),
            "members": members,
        });
        Ok((200, Some(room)))
    }

    /// Closes a room for all who are in it.
    pub(super) fn close(&self, name: &str) -> Answered {
        let kept = lock(&self.0).remove(name);
        let kept = kept.ok_or_else(|| refusal(404, "conference not found"))?;
        kept.closed.send_replace(true);
        Ok((204, None))
    }
}

impl Member {
    fn describe(&self) -> Value {
        let direction = match self.call.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        };
        json!({
            "member_id": self.id.to_string(),
            "muted": self.muted,
            "deaf": false,
            "from": digits(&self.call.from),
            "to": digits(&self.call.to),
            "caller_name": self.call.from,
            "direction": direction,
            "call_uuid": self.call.id,
            "join_time": self.since.elapsed().as_secs().to_string(),
        })
    }
}

impl Conversation {
    /// Puts the caller into a room until they leave it, are taken elsewhere, or it is closed; then asks the application what
    /// to do, if it is to be asked.
    pub(super) async fn confer(&mut self, wanted: Conference) -> Result<(), Turn> {
        let carrier = Arc::clone(&self.carrier);
        let Ok((kept, member)) = carrier.conferences.enter(&self.call, &wanted) else {
            self.warn("<Conference>: the room is full");
            let said = webhook::owned(&[("ConferenceName", &wanted.name)]);
            return self.go_on(&wanted, said);
        };
        let said = webhook::owned(&[
            ("ConferenceMemberID", &member.id.to_string()),
            ("ConferenceName", &wanted.name),
            ("ConferenceUUID", &kept.id),
        ]);
        let mischief = carrier.office.mischief().callbacks;
        let notices = Notices::new(&carrier, &self.call, mischief);
        let tell = |name, action: &str, more: (&str, bool)| {
            if let Some(there) = &wanted.callback {
                let mut form = said.clone();
                let truth = more.1.to_string();
                form.extend(webhook::owned(&[("ConferenceAction", action), (more.0, &truth)]));
                notices.tell(name, there.clone(), form);
            }
        };
        tell("ConferenceEnter", "enter", ("ConferenceFirstMember", member.id == 1));
        let seat = kept.room.sit();
        let done = self.talk(&wanted, &kept, &seat).await;
        drop(seat);
        let ends = (&member, wanted.ends);
        let empty = carrier.conferences.leave(&wanted.name, &kept, ends);
        tell("ConferenceExit", "exit", ("ConferenceLastMember", empty));
        carrier.office.spawn(notices.finish());
        self.line.restart();
        match done {
            Ok(()) => self.go_on(&wanted, said),
            Err(turn) => {
                if let (Turn::Ended(_), Some(action)) = (&turn, wanted.action) {
                    let (ledger, talked) = (&self.carrier.office.ledger, self.line.clock());
                    self.call.change(ledger, Status::Completed, talked);
                    self.tell_action(action, said);
                }
                Err(turn)
            }
        }
    }

    fn go_on(&self, wanted: &Conference, said: Vec<(String, String)>) -> Result<(), Turn> {
        match (&wanted.action, wanted.afterwards) {
            (Some(action), Afterwards::Redirected) => {
                Err(Turn::Onward(Ask::action(action.clone(), said)))
            }
            (Some(action), Afterwards::GoesOn) => {
                self.tell_action(action.clone(), said);
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    async fn talk(&mut self, wanted: &Conference, kept: &Kept, seat: &Seat) -> Result<(), Turn> {
        let mut closed = kept.closed.subscribe();
        let until = kept.since + wanted.time_limit;
        loop {
            tokio::select! {
                command = self.commands.recv() => self.take(News::Asked(command))?,
                news = self.streaming.next() => self.take(news)?,
                () = sleep_until(self.deadline.0) => self.take(News::Deadline)?,
                () = sleep_until(self.line.next_tick()) => {
                    self.line.play(seat.hear().to_vec());
                    let tick = self.hear_person()?;
                    if !wanted.muted {
                        seat.say(&tick.sound);
                    }
                    self.speak(tick);
                }
                // Its sender is here, so it is there.
                _ = closed.wait_for(|it| *it) => return Ok(()),
                () = sleep_until(until) => return Ok(()),
            }
        }
    }
}
