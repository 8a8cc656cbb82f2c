//! What is said over the socket: a carrier's side of ConversationRelay, whoever carries the call.
//!
//! It knows no turns: what is written belongs to the turn that waits, and what comes when none does is not spoken.

use std::time::Duration;

use call::{Direction, Number, Private, TurnId};
use ports::Fault;
use ports::agent::{Answer, Introduction, Objective, Tell, Use};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::dialogue::Tongue;
use crate::past::Past;
use crate::patience::nonsense;

/// One call's.
pub(super) struct Relay {
    /// Which language the caller is said to speak.
    language: String,
    /// The turn that is being answered, or was last.
    turn: Option<TurnId>,
    /// When the first word of the answer came.
    began: Option<Instant>,
    /// What the caller said in a turn that was taken back: it comes again, and the server knows it.
    known: Option<Private<String>>,
    /// How often keys were pressed for it.
    pressed: usize,
}

impl Relay {
    pub(super) fn new(language: String) -> Self {
        Self {
            language,
            turn: None,
            began: None,
            known: None,
            pressed: 0,
        }
    }

    fn prompt(&mut self, turn: TurnId, said: &Private<String>) -> Value {
        self.turn = Some(turn);
        self.began = None;
        let said = said.reveal().as_str();
        let known = self.known.take();
        let known = known.as_ref().map_or("", |it| it.reveal().as_str());
        let new = said.strip_prefix(known).map(str::trim);
        let prompt = new.filter(|it| !it.is_empty()).unwrap_or(said);
        json!({ "type": "prompt", "voicePrompt": prompt, "lang": self.language, "last": true })
    }

    fn interrupt(&self, heard: &str) -> Value {
        let lasted = self.began.map_or(Duration::ZERO, |it| it.elapsed());
        json!({
            "type": "interrupt", "utteranceUntilInterrupt": heard,
            "durationUntilInterruptMs": u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn text(&mut self, turn: TurnId, text: Text) -> Vec<Answer> {
        self.began.get_or_insert_with(Instant::now);
        let mut answers = Vec::new();
        if !text.token.is_empty() {
            answers.push(Answer::Text(turn, text.token.into()));
        }
        if text.last.unwrap_or(false) {
            answers.push(Answer::Finish(turn));
        }
        answers
    }

    fn press(&mut self, turn: TurnId, digits: &str) -> Vec<Answer> {
        self.pressed += 1;
        vec![Answer::Use(
            turn,
            Use {
                id: format!("digits_{}", self.pressed),
                tool: PRESS.to_owned(),
                takes: json!({ "keys": digits }).to_string().into(),
            },
        )]
    }
}

impl Tongue for Relay {
    fn call(&mut self, call: &Introduction, _: &Past) -> Value {
        // Whoever is there anew has heard nothing yet.
        self.known = None;
        let person = call.caller.as_ref().map_or("", Number::as_str);
        let ours = call.number.as_str();
        let (direction, from, to) = match call.direction {
            Direction::Inbound => ("inbound", person, ours),
            Direction::Outbound => ("outbound", ours, person),
        };
        json!({
            "type": "setup", "sessionId": call.call, "callSid": call.call, "parentCallSid": "", "accountSid": "",
            "from": from, "to": to, "forwardedFrom": "", "callType": "PSTN", "callerName": call.contact,
            "direction": direction, "callStatus": "IN-PROGRESS",
            "customParameters": {
                "trust": call.trust.as_str(), "contact": call.contact,
                "objective": call.objective.as_ref().map(|it| it.goal.reveal()),
                // Parameters are texts.
                "brief": call.objective.as_ref().and_then(Objective::brief).map(|it| it.to_string()),
            },
        })
    }

    fn tell(&mut self, tell: &Tell) -> Option<Value> {
        match tell {
            Tell::Turn { turn, said } => {
                let prompt = self.prompt(*turn, said);
                self.known = Some(said.clone());
                Some(prompt)
            }
            Tell::Interrupted { heard, .. } => {
                self.known = None;
                Some(self.interrupt(heard.reveal()))
            }
            Tell::Abandon(_) => Some(self.interrupt("")),
            Tell::Heard { .. } => {
                self.known = None;
                None
            }
            Tell::Pressed(digit) => {
                Some(json!({ "type": "dtmf", "digit": digit.as_char().to_string() }))
            }
            // Its first words are ours to say, and the rest is nothing that it has a message for.
            Tell::Open { .. }
            | Tell::Opened { .. }
            | Tell::Proved
            | Tell::Refused(_)
            | Tell::Used { .. } => None,
        }
    }

    fn ended(&mut self) -> Option<Value> {
        None
    }

    fn read(&mut self, line: &str) -> Result<Vec<Answer>, Fault> {
        let wrong = |_| nonsense("sent something that is no message as it should be");
        let message: Message = serde_json::from_str(line).map_err(wrong)?;
        let Some(turn) = self.turn else {
            return Ok(Vec::new());
        };
        Ok(match message {
            Message::Text(text) => self.text(turn, text),
            Message::SendDigits { digits } => self.press(turn, &digits),
            Message::End {} => vec![Answer::HangUp(turn)],
            Message::Play {} | Message::Language {} => {
                tracing::debug!(
                    "an agent wants something played, or another language, which is not done"
                );
                Vec::new()
            }
        })
    }

    fn complain(&mut self, fault: &Fault) -> Option<Value> {
        Some(json!({ "type": "error", "description": format!("Invalid message: {fault}") }))
    }
}

/// What a server sends. What it may say besides is passed over.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Message {
    Text(Text),
    SendDigits { digits: String },
    End {},
    Play {},
    Language {},
}

#[derive(Deserialize)]
struct Text {
    token: String,
    last: Option<bool>,
}

/// The tool by which keys are pressed, where its agent may have it.
const PRESS: &str = "press_keys";
