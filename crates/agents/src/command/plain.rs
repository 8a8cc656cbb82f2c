//! A conversation with a program in plain text: what the caller says is written to it, and what it writes is spoken.

use std::future::pending;

use call::{Private, Trust, TurnId};
use ports::agent::{Answer, Introduction, Tell};
use ports::{Fault, Link};
use tokio::time::Instant;

use super::blocks::{Blocks, Piece};
use super::child::{Program, Running, Well, Wrote};
use crate::dialogue::Kept;
use crate::marker::{Marker, Wish};
use crate::past::{MOST_KEYS, Past, ROOM, text, who};
use crate::patience::{Awaited, Patience, late, nonsense, unreachable, until};
use crate::utf8::letters;

/// How a program is talked to.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) kept: Kept,
    /// What a program that is kept for a call writes when it waits.
    pub(super) prompt: Option<String>,
    /// What one that is run for each turn is told before all else.
    pub(super) instructions: Option<String>,
    /// How much of the past one that is run for each turn is told.
    pub(super) told: Told,
    pub(super) patience: Patience,
}

/// What a program that is run for a turn is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// All that was said, with who said it.
    Everything,
    /// What the caller said just now.
    Said,
}

/// A conversation.
pub(super) struct Plain {
    program: Program,
    manner: Manner,
    call: Introduction,
    link: Link<Answer, Tell>,
    past: Past,
    pressed: String,
    running: Option<Running>,
    reading: Reading,
    awaited: Awaited,
    /// The turn that is being answered.
    turn: Option<TurnId>,
}

/// What has been read.
struct Reading {
    /// Of a letter that was cut.
    cut: Vec<u8>,
    blocks: Blocks,
    /// So many answers are to turns that are over.
    stale: usize,
    marker: Marker,
    /// How much was written in this answer.
    length: usize,
}

enum Happened {
    Told(Option<Tell>),
    Wrote(Option<Wrote>),
    Late,
}

impl Plain {
    pub(super) fn new(
        (program, manner): (Program, Manner),
        mut call: Introduction,
        link: Link<Answer, Tell>,
    ) -> Self {
        let past = Past::new(std::mem::take(&mut call.past), ROOM);
        let reading = Reading::new(&manner);
        let awaited = Awaited::new(manner.patience);
        Self {
            program,
            manner,
            call,
            link,
            past,
            pressed: String::new(),
            running: None,
            reading,
            awaited,
            turn: None,
        }
    }

    /// Until the call hangs up.
    pub(super) async fn run(mut self) {
        if self.manner.kept == Kept::Call
            && let Err(fault) = self.start(None)
        {
            tracing::info!(call = %self.call.call, code = fault.code, "an agent is not there yet: {fault}");
        }
        loop {
            let late = self.awaited.deadline();
            let happened = tokio::select! {
                told = self.link.rx.recv() => Happened::Told(told),
                wrote = next(&mut self.running) => Happened::Wrote(wrote),
                () = until(late) => Happened::Late,
            };
            match happened {
                Happened::Told(Some(tell)) => self.told(tell).await,
                Happened::Told(None) => return,
                Happened::Wrote(Some(Wrote::Bytes(bytes))) => self.read(&bytes).await,
                Happened::Wrote(Some(Wrote::Ended(well))) => self.ended(well).await,
                Happened::Wrote(None) => self.ended(Well::No(None)).await,
                Happened::Late => self.fail(late_answer()).await,
            }
        }
    }

    async fn told(&mut self, tell: Tell) {
        match tell {
            Tell::Open { turn } => self.ask(turn, Private::default()).await,
            Tell::Turn { turn, said } => self.ask(turn, said).await,
            Tell::Heard { turn, text } | Tell::Interrupted { turn, heard: text } => {
                self.past.heard(turn, text);
                self.over(turn);
            }
            Tell::Abandon(turn) => {
                self.past.abandon(turn);
                self.over(turn);
            }
            Tell::Opened { text } => self.past.opened(text),
            Tell::Pressed(digit) => {
                if self.pressed.len() < MOST_KEYS {
                    self.pressed.push(digit.as_char());
                }
            }
            Tell::Proved => self.call.trust = Trust::Proven,
            // It has nothing done.
            Tell::Refused(_) | Tell::Used { .. } => {}
        }
    }

    async fn ask(&mut self, turn: TurnId, said: Private<String>) {
        if let Some(before) = self.turn {
            self.over(before);
        }
        let written = self.written(&said);
        self.past.turn(turn, said);
        self.turn = Some(turn);
        self.awaited.asked(turn, Instant::now());
        self.say(Answer::Working(turn, self.manner.patience.first_token))
            .await;
        let asked = match self.manner.kept {
            Kept::Turn => self.start(Some(turn)).map(|()| written),
            Kept::Call if self.running.is_none() => self.start(None).map(|()| written),
            Kept::Call => Ok(written),
        };
        let written = match asked {
            Ok(written) => written,
            Err(fault) => return self.fail(fault).await,
        };
        let sent = self.running.as_ref().map(|it| it.tx.try_send(written));
        match (sent, self.manner.kept) {
            (Some(Ok(())), Kept::Call) => {}
            // Its input ends with what it is asked.
            (Some(Ok(())), Kept::Turn) => self.close(),
            (Some(Err(_)) | None, _) => self.fail(unreachable("does not listen")).await,
        }
    }

    /// What is written to the program.
    fn written(&mut self, said: &Private<String>) -> String {
        let pressed = std::mem::take(&mut self.pressed);
        let said = said
            .reveal()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let said = match (pressed.as_str(), said.as_str()) {
            ("", _) => said,
            (keys, "") => format!("(pressed {keys})"),
            (keys, said) => format!("(pressed {keys}) {said}"),
        };
        if self.manner.kept == Kept::Call || self.manner.told == Told::Said {
            return said + "\n";
        }
        let mut written = String::new();
        if let Some(instructions) = &self.manner.instructions {
            written = format!("{}\n\n", instructions.trim());
        }
        if let Some(objective) = &self.call.objective {
            written += &format!("{}\n\n", objective.told());
        }
        for line in self.past.lines() {
            written += &format!("{}: {}\n", who(line), text(line).trim());
        }
        written + "caller: " + &said + "\n"
    }

    fn start(&mut self, turn: Option<TurnId>) -> Result<(), Fault> {
        self.reading = Reading::new(&self.manner);
        self.running = None;
        self.running = Some(self.program.start(&self.call, turn)?);
        Ok(())
    }

    /// Closes the program's input.
    fn close(&mut self) {
        if let Some(running) = &mut self.running {
            let (closed, _) = tokio::sync::mpsc::channel(1);
            running.tx = closed;
        }
    }

    async fn read(&mut self, bytes: &[u8]) {
        self.reading.cut.extend_from_slice(bytes);
        let text = letters(&mut self.reading.cut);
        let pieces = match self.manner.kept {
            Kept::Call => self.reading.blocks.push(&text),
            Kept::Turn => vec![Piece::Words(text)],
        };
        for piece in pieces {
            match piece {
                Piece::Words(_) if self.reading.stale > 0 => {}
                Piece::Words(words) => self.words(&words).await,
                Piece::End if self.reading.stale > 0 => self.reading.stale -= 1,
                Piece::End => self.finish().await,
            }
        }
    }

    async fn words(&mut self, words: &str) {
        self.reading.length += words.len();
        if self.reading.length > LONGEST {
            return self.fail(nonsense("answers without end")).await;
        }
        let Some(turn) = self.turn else {
            return;
        };
        let words = self.reading.marker.push(words);
        if !words.is_empty() {
            self.say(Answer::Text(turn, words.into())).await;
        }
    }

    /// The answer is whole.
    async fn finish(&mut self) {
        let (rest, wish) = self.reading.answered();
        let Some(turn) = self.turn.take() else {
            return;
        };
        if !rest.is_empty() {
            self.say(Answer::Text(turn, rest.into())).await;
        }
        self.say(match wish {
            Wish::Talk | Wish::Silence => Answer::Finish(turn),
            Wish::HangUp => Answer::HangUp(turn),
        })
        .await;
    }

    /// The program has ended.
    async fn ended(&mut self, well: Well) {
        self.running = None;
        match (self.manner.kept, well) {
            (Kept::Turn, Well::Yes) => self.finish().await,
            (Kept::Turn, Well::No(status)) => {
                let how = status.map_or("was ended".to_owned(), |it| {
                    format!("ended with status {it}")
                });
                self.fail(
                    nonsense(&how).hint("what it complained of is in the log, at level debug"),
                )
                .await;
            }
            (Kept::Call, _) => self.fail(unreachable("has gone")).await,
        }
    }

    /// The turn that waits is answered by nobody. A program that still may is asked no more.
    async fn fail(&mut self, fault: Fault) {
        self.running = None;
        self.awaited.give_up();
        if let Some(turn) = self.turn.take() {
            self.say(Answer::Failed(turn, fault)).await;
        }
    }

    /// Nobody waits for an answer to this turn.
    fn over(&mut self, over: TurnId) {
        self.awaited.over(over);
        if self.turn.take_if(|it| *it == over).is_none() {
            return;
        }
        match self.manner.kept {
            Kept::Turn => self.running = None,
            // It has begun to answer, or will.
            Kept::Call => {
                self.reading.stale += 1;
                self.reading.answered();
            }
        }
    }

    async fn say(&mut self, answer: Answer) {
        self.awaited.answers(&answer, Instant::now());
        // A call that is gone says so itself.
        let _ = self.link.tx.send(answer).await;
    }
}

impl Reading {
    fn new(manner: &Manner) -> Self {
        Self {
            cut: Vec::new(),
            blocks: Blocks::new(manner.prompt.clone()),
            // What comes before the first prompt is a greeting for a terminal.
            stale: usize::from(manner.prompt.is_some() && manner.kept == Kept::Call),
            marker: Marker::default(),
            length: 0,
        }
    }

    /// What is left of an answer that is over.
    fn answered(&mut self) -> (String, Wish) {
        self.length = 0;
        std::mem::take(&mut self.marker).finish()
    }
}

fn late_answer() -> Fault {
    late("did not answer in time")
}

async fn next(running: &mut Option<Running>) -> Option<Wrote> {
    match running {
        Some(running) => running.rx.recv().await,
        None => pending().await,
    }
}

const LONGEST: usize = 1 << 20;
