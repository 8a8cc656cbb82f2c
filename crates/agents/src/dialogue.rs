//! A conversation with an agent that is told of it, and answers, in letters: one JSON object each. Whoever carries the
//! letters may break in the middle of a call: then turns fail until it is there again, and is told of the call anew.

use std::collections::VecDeque;
use std::future::pending;

use call::{Private, Trust, TurnId};
use ports::agent::{Answer, Carries, Introduction, Tell};
use ports::{Fault, Link};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::letters;
use crate::past::{Past, ROOM};
use crate::patience::{Awaited, Patience, late, unreachable, until};

/// In which words an agent is told what happens, and answers.
pub(crate) trait Tongue: Send {
    /// The first that it is told, whenever it is there anew.
    fn call(&mut self, call: &Introduction, past: &Past) -> Value;

    /// What it is told of something, if it is.
    fn tell(&mut self, tell: &Tell) -> Option<Value>;

    /// The last that it is told.
    fn ended(&mut self) -> Option<Value>;

    /// What it means by what it wrote.
    ///
    /// # Errors
    /// It makes no sense.
    fn read(&mut self, line: &str) -> Result<Vec<Answer>, Fault>;

    /// What it is told of something that makes no sense.
    fn complain(&mut self, _: &Fault) -> Option<Value> {
        None
    }
}

/// Our own letters.
pub(crate) struct Letters {
    /// Which call they are about.
    call: String,
}

impl Letters {
    pub(crate) fn about(call: &Introduction) -> Self {
        let call = call.call.clone();
        Self { call }
    }
}

impl Tongue for Letters {
    fn call(&mut self, call: &Introduction, past: &Past) -> Value {
        json!({
            "type": "call",
            "call": letters::call(call, call.trust),
            "tools": letters::tools(&call.tools),
            "past": letters::past(past.lines()),
        })
    }

    fn tell(&mut self, tell: &Tell) -> Option<Value> {
        let mut letter = letters::told(tell);
        letter["call"] = json!(self.call);
        Some(letter)
    }

    fn ended(&mut self) -> Option<Value> {
        Some(json!({ "type": "ended", "call": self.call }))
    }

    fn read(&mut self, line: &str) -> Result<Vec<Answer>, Fault> {
        letters::read(line).map(|it| vec![it])
    }
}

/// How long an agent is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// For the whole of a call.
    Call,
    /// For one turn.
    Turn,
}

/// A conversation.
pub(crate) struct Dialogue {
    call: Introduction,
    link: Link<Answer, Tell>,
    carrier: Box<dyn Carries>,
    tongue: Box<dyn Tongue>,
    kept: Kept,
    /// While it is carried.
    letters: Option<Link<String, String>>,
    past: Past,
    patience: Patience,
    awaited: Awaited,
    /// What the call has no room for yet. Nothing more is read meanwhile.
    waiting: VecDeque<Answer>,
}

/// What happens.
enum Happened {
    Told(Option<Tell>),
    Wrote(Option<String>),
    Late,
    /// The call has room again.
    Room,
}

impl Dialogue {
    pub(crate) fn new(
        mut call: Introduction,
        link: Link<Answer, Tell>,
        (carrier, tongue): (Box<dyn Carries>, Box<dyn Tongue>),
        (kept, patience): (Kept, Patience),
    ) -> Self {
        let past = Past::new(std::mem::take(&mut call.past), ROOM);
        Self {
            call,
            link,
            carrier,
            tongue,
            kept,
            letters: None,
            past,
            patience,
            awaited: Awaited::new(patience),
            waiting: VecDeque::new(),
        }
    }

    /// Until the call hangs up.
    pub(crate) async fn run(mut self) {
        if self.kept == Kept::Call
            && let Err(fault) = self.reach().await
        {
            tracing::info!(call = %self.call.call, code = fault.code, "an agent is not there yet: {fault}");
        }
        loop {
            match self.happens().await {
                Happened::Told(Some(tell)) => self.told(tell).await,
                Happened::Told(None) => break,
                Happened::Wrote(Some(line)) => self.wrote(&line),
                Happened::Wrote(None) => self.lost("has gone"),
                Happened::Late => {
                    if let Some(turn) = self.awaited.give_up() {
                        self.fail(turn, late("did not answer in time"));
                    }
                }
                Happened::Room => {
                    if let Some(answer) = self.waiting.pop_front() {
                        let _ = self.link.tx.try_send(answer);
                    }
                }
            }
        }
        let ended = self.tongue.ended();
        self.write_if(ended);
    }

    async fn happens(&mut self) -> Happened {
        let (late, full) = (self.awaited.deadline(), !self.waiting.is_empty());
        let (letters, link) = (&mut self.letters, &mut self.link);
        tokio::select! {
            told = link.rx.recv() => Happened::Told(told),
            _ = link.tx.reserve(), if full => Happened::Room,
            wrote = next(letters), if !full => Happened::Wrote(wrote),
            () = until(late) => Happened::Late,
        }
    }

    async fn told(&mut self, tell: Tell) {
        let over = match &tell {
            Tell::Open { turn } => return self.ask(*turn, Private::default(), &tell).await,
            Tell::Turn { turn, said } => return self.ask(*turn, said.clone(), &tell).await,
            Tell::Heard { turn, text } => {
                self.past.heard(*turn, text.clone());
                Some(*turn)
            }
            Tell::Interrupted { turn, heard } => {
                self.past.heard(*turn, heard.clone());
                Some(*turn)
            }
            Tell::Abandon(turn) => {
                self.past.abandon(*turn);
                Some(*turn)
            }
            Tell::Opened { text } => {
                self.past.opened(text.clone());
                None
            }
            Tell::Proved => {
                self.call.trust = Trust::Proven;
                None
            }
            Tell::Used { turn, .. } => {
                self.awaited.used(*turn, Instant::now());
                None
            }
            Tell::Pressed(_) | Tell::Refused(_) => None,
        };
        let letter = self.tongue.tell(&tell);
        self.write_if(letter);
        if let Some(turn) = over {
            self.awaited.over(turn);
            self.waiting
                .retain(|it| !matches!(it, Answer::Text(it, _) if *it == turn));
            self.turn_is_over();
        }
    }

    async fn ask(&mut self, turn: TurnId, said: Private<String>, tell: &Tell) {
        let reached = self.reach().await;
        self.past.turn(turn, said);
        if let Err(fault) = reached {
            return self.fail(turn, fault);
        }
        let Some(letter) = self.tongue.tell(tell) else {
            // Whoever has no message for it has nothing to say.
            return self.waiting.push_back(Answer::Finish(turn));
        };
        self.awaited.asked(turn, Instant::now());
        self.waiting
            .push_back(Answer::Working(turn, self.patience.first_token));
        self.write(&letter);
    }

    /// Has it carried, and it told of the call, where that is not so yet.
    async fn reach(&mut self) -> Result<(), Fault> {
        if self.letters.is_some() {
            return Ok(());
        }
        self.letters = Some(self.carrier.begin().await?);
        let told = self.tongue.call(&self.call, &self.past);
        self.write(&told);
        Ok(())
    }

    fn wrote(&mut self, line: &str) {
        let answers = match self.tongue.read(line) {
            Ok(answers) => answers,
            Err(fault) => {
                tracing::debug!(call = %self.call.call, "{fault}");
                let complaint = self.tongue.complain(&fault);
                if let Some(turn) = self.awaited.give_up() {
                    self.fail(turn, fault);
                }
                return self.write_if(complaint);
            }
        };
        for answer in answers {
            // What it says to a turn that is over, nobody waits for.
            if self.awaited.answers(&answer, Instant::now()) {
                let last = matches!(answer, Answer::Finish(_) | Answer::HangUp(_));
                self.waiting.push_back(answer);
                if last {
                    self.turn_is_over();
                }
            }
        }
    }

    fn write_if(&mut self, letter: Option<Value>) {
        if let Some(letter) = letter {
            self.write(&letter);
        }
    }

    fn write(&mut self, letter: &Value) {
        let Some(letters) = &self.letters else {
            return;
        };
        // Whoever does not read for so long has gone.
        if letters.tx.try_send(letter.to_string()).is_err() {
            self.lost("does not listen");
        }
    }

    fn lost(&mut self, how: &str) {
        self.letters = None;
        if let Some(turn) = self.awaited.give_up() {
            self.fail(turn, unreachable(how));
        }
    }

    fn fail(&mut self, turn: TurnId, fault: Fault) {
        self.waiting.push_back(Answer::Failed(turn, fault));
        self.turn_is_over();
    }

    fn turn_is_over(&mut self) {
        match self.kept {
            Kept::Turn => self.letters = None,
            Kept::Call => {}
        }
    }
}

async fn next(letters: &mut Option<Link<String, String>>) -> Option<String> {
    match letters {
        Some(letters) => letters.rx.recv().await,
        None => pending().await,
    }
}
