//! What the agent does in a conversation.

use std::time::Duration;

use super::{Conversation, HUNG_UP, MOST_FAILURES, gateway, put_through, timed};
use crate::event::{End, Why};
use crate::floor::Floor;
use crate::input::Agent;
use crate::moment::Moment;
use crate::turn::{More, Speaker, Turn};
use crate::voice::{Stopped, Whose};
use crate::{Event, Referral, TurnId, output};

/// Nobody waits longer on the phone, whatever an agent does.
const MOST_WORK: Duration = Duration::from_secs(300);

impl Conversation {
    pub(super) fn agent(&mut self, input: Agent, at: &mut Moment<'_>) -> Option<End> {
        match input {
            Agent::Failed(turn, code) => {
                self.current(turn)?;
                self.agent_failed(code, at)
            }
            Agent::Finish(turn) => self.finish(turn, More::Nothing, at),
            Agent::HangUp(turn) => self.hang_up(turn, at),
            Agent::PutThrough(turn, referral) => self.refer(turn, referral, at),
            // Taken down by the call itself, whatever the floor.
            Agent::Message { .. } | Agent::Note(_) => None,
            Agent::CallsTool(turn, name, most) => {
                self.current(turn)?;
                at.event(Event::AgentCalledTool { name });
                self.works(turn, most, at)
            }
            Agent::Working(turn, most) => self.works(turn, most, at),
            Agent::Say(turn, text) => {
                // An agent that speaks to a turn we took back, or that it has finished, is
                // talking to itself.
                let turn = self.current(turn)?;
                if let Some(stages) = &mut turn.stages {
                    stages.token(at.now);
                }
                let clauses = turn.feed(text.reveal(), at.now);
                self.say(clauses, at);
                self.settle(at)
            }
        }
    }

    /// The agent is at work in its turn. What it said before that is all there is to say for now.
    fn works(&mut self, turn: TurnId, most: Duration, at: &mut Moment<'_>) -> Option<End> {
        let turn = self.current(turn)?;
        turn.work(at.now + most.min(MOST_WORK));
        let said = turn.finish();
        self.say(said, at);
        self.settle(at)
    }

    /// The agent failed in its turn, or thought for too long.
    pub(super) fn agent_failed(&mut self, code: &'static str, at: &mut Moment<'_>) -> Option<End> {
        let turn = self.floor.turn_mut()?;
        at.event(Event::AgentFailed { code });
        let rest = turn.finish();
        if turn.spoke {
            // What it said so far is its answer.
            turn.more = More::Nothing;
            self.say(rest, at);
            return self.settle(at);
        }
        let turn = self.floor.take().into_turn();
        timed(turn.as_ref(), at);
        if let Some(Turn {
            speaker: Speaker::Agent { id, said },
            ..
        }) = turn
        {
            at.agent(output::Agent::Abandon(id));
            self.hearing.put_back(said);
        }
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            return self.close(gateway(Why::Fault), at);
        }
        let apology = at.plan.phrases.apology.reveal();
        self.voice.say_all(Whose::Ours, apology, at);
        self.free(at.now, at);
        None
    }

    fn finish(&mut self, turn: TurnId, more: More, at: &mut Moment<'_>) -> Option<End> {
        let turn = self.current(turn)?;
        turn.more = more;
        let rest = turn.finish();
        self.say(rest, at);
        self.settle(at)
    }

    fn hang_up(&mut self, turn: TurnId, at: &mut Moment<'_>) -> Option<End> {
        // It may think of it only after it has finished, or after all was heard.
        let id = turn;
        if let Some(turn) = self.floor.turn_mut().filter(|it| it.is(id)) {
            if turn.more == More::Nothing {
                turn.more = More::HangUp;
            }
            return self
                .finish(id, More::HangUp, at)
                .or_else(|| self.settle(at));
        }
        let said_all = self.heard == id && matches!(self.floor, Floor::Open { .. });
        said_all.then_some(HUNG_UP)
    }

    fn refer(&mut self, id: TurnId, referral: Referral, at: &mut Moment<'_>) -> Option<End> {
        // It may think of it only after it has finished, or after all was heard.
        if let Some(turn) = self.floor.turn_mut().filter(|it| it.is(id)) {
            return match turn.more {
                More::Words => self.finish(id, More::PutThrough(referral), at),
                More::Nothing => {
                    turn.more = More::PutThrough(referral);
                    self.settle(at)
                }
                // The last word counts no more than the first.
                More::HangUp | More::PutThrough(_) => None,
            };
        }
        if self.heard == id && matches!(self.floor, Floor::Open { .. }) {
            put_through(referral, at);
        }
        None
    }

    /// The turn, if it is this one and may still be added to.
    fn current(&mut self, turn: TurnId) -> Option<&mut Turn> {
        let current = self.floor.turn_mut()?;
        (current.is(turn) && current.more == More::Words).then_some(current)
    }

    fn say(&mut self, clauses: Vec<String>, at: &mut Moment<'_>) {
        for clause in clauses {
            let asked = self.voice.say(Whose::Turn, clause, at);
            if let (Some(id), Some(stages)) = (asked, self.stages()) {
                stages.clause(id, at.now);
            }
        }
    }

    /// The caller took the floor.
    pub(super) fn barge_in(&mut self, at: &mut Moment<'_>) {
        match self.floor.take().into_turn() {
            Some(turn) => self.stop(turn, at),
            None => self.voice.cut(Stopped::Nobody, at),
        }
    }
}
