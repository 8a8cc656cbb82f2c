//! Calls that are held by hand: what the caller says waits here for whoever asks for it, and is answered from here.
//!
//! One task a call stands between the call and those who ask. While a turn waits to be answered, the call is told that
//! its agent is at work.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::time::Duration;

use call::{Digit, Private, TurnId};
use ports::agent::{Answer, Introduction, Tell};
use ports::{Link, pair};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// The calls that are held by hand.
#[derive(Debug, Default)]
pub struct Hands(watch::Sender<Held>);

type Held = HashMap<String, mpsc::Sender<Ask>>;

/// What there was to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The caller said this, and waits for an answer.
    Said(Private<String>),
    /// The caller pressed a key.
    Pressed(Digit),
    /// Nothing, for as long as was asked.
    Nothing,
    /// The call is over.
    Over,
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The caller heard all of it.
    Whole(Private<String>),
    /// The caller began to speak, and heard only this.
    Interrupted(Private<String>),
    /// The caller had gone on speaking before it began: what they said comes with what they say next.
    TakenBack,
    /// There is no turn to answer in: nobody has said anything since the last answer.
    NoTurn,
    /// The call is over.
    Over,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The caller speaks.
    Listen,
    /// The call ends, once it was heard.
    HangUp,
}

/// What somebody asks of a call.
#[derive(Debug)]
pub enum Ask {
    /// What is there to hear, within so long?
    Listen(Duration, oneshot::Sender<Heard>),
    /// Answer this.
    Answer(Private<String>, Then, oneshot::Sender<Answered>),
}

impl Hands {
    /// Takes a call in hand.
    pub fn open(&self, call: &Introduction) -> Link<Tell, Answer> {
        let (near, far) = pair(ROOM);
        let (tx, asks) = mpsc::channel(ASKS);
        self.0.send_modify(|held| {
            held.retain(|_, it| !it.is_closed());
            held.insert(call.call.clone(), tx);
        });
        tokio::spawn(Hand::new(far, asks).hold());
        near
    }

    /// Until a call is in hand.
    pub async fn taken(&self, call: &str) {
        let mut held = self.0.subscribe();
        let _ = held.wait_for(|it| it.contains_key(call)).await;
    }

    /// The next that there is to hear on a call, within so long.
    pub async fn listen(&self, call: &str, within: Duration) -> Heard {
        let (tx, rx) = oneshot::channel();
        self.ask(call, Ask::Listen(within, tx)).await;
        rx.await.unwrap_or(Heard::Over)
    }

    /// Answers the caller, and waits until it is known what they heard of it.
    pub async fn answer(&self, call: &str, text: Private<String>, then: Then) -> Answered {
        let (tx, rx) = oneshot::channel();
        self.ask(call, Ask::Answer(text, then, tx)).await;
        rx.await.unwrap_or(Answered::Over)
    }

    async fn ask(&self, call: &str, ask: Ask) {
        let hand = self.0.borrow().get(call).cloned();
        if let Some(hand) = hand {
            // One that is over lets go of who asks.
            let _ = hand.send(ask).await;
        }
    }
}

/// One call in hand.
struct Hand {
    link: Link<Answer, Tell>,
    asks: mpsc::Receiver<Ask>,
    /// What nobody has asked for yet.
    heard: VecDeque<Heard>,
    turn: Turn,
    listener: Option<(Instant, oneshot::Sender<Heard>)>,
}

/// The turn that is to be answered.
enum Turn {
    /// There is none.
    None,
    /// Nobody knows yet what was said in it.
    Waits(TurnId),
    /// Somebody has been told, and may think about it.
    Told(TurnId),
    /// It was answered, and this one waits to know what was heard of it.
    Answered(TurnId, oneshot::Sender<Answered>),
}

enum Happened {
    Told(Option<Tell>),
    Asked(Option<Ask>),
    Late,
}

impl Hand {
    fn new(link: Link<Answer, Tell>, asks: mpsc::Receiver<Ask>) -> Self {
        Self {
            link,
            asks,
            heard: VecDeque::new(),
            turn: Turn::None,
            listener: None,
        }
    }

    /// Until the call is over; whoever still asks is let go of then.
    async fn hold(mut self) {
        loop {
            let late = self.listener.as_ref().map(|(until, _)| *until);
            let happened = tokio::select! {
                told = self.link.rx.recv() => Happened::Told(told),
                asked = self.asks.recv() => Happened::Asked(asked),
                () = until(late) => Happened::Late,
            };
            match happened {
                Happened::Told(Some(tell)) => self.told(tell).await,
                // The gateway does not go before its calls; nobody can ask any more.
                Happened::Told(None) | Happened::Asked(None) => return,
                Happened::Asked(Some(Ask::Listen(within, tx))) => self.listen(within, tx).await,
                Happened::Asked(Some(Ask::Answer(text, then, tx))) => {
                    self.answer(text, then, tx).await;
                }
                Happened::Late => {
                    if let Some((_, tx)) = self.listener.take() {
                        let _ = tx.send(Heard::Nothing);
                    }
                }
            }
        }
    }

    async fn told(&mut self, tell: Tell) {
        match tell {
            Tell::Turn { turn, said } => {
                self.turn = Turn::Waits(turn);
                self.say(Answer::Working(turn, PATIENCE)).await;
                self.hear(Heard::Said(said));
            }
            // A turn that was taken back is asked for again, with what was added to it.
            Tell::Abandon(over) => {
                self.heard.retain(|it| !matches!(it, Heard::Said(_)));
                self.over(over, Answered::TakenBack);
            }
            Tell::Heard { turn, text } => self.over(turn, Answered::Whole(text)),
            Tell::Interrupted { turn, heard } => self.over(turn, Answered::Interrupted(heard)),
            Tell::Pressed(digit) => self.hear(Heard::Pressed(digit)),
            // Whoever holds it speaks first by themselves, if at all.
            Tell::Open { turn } => self.say(Answer::Finish(turn)).await,
            Tell::Opened { .. } | Tell::Proved | Tell::Refused(_) | Tell::Used { .. } => {}
        }
    }

    /// There is something to hear.
    fn hear(&mut self, heard: Heard) {
        let said = matches!(heard, Heard::Said(_));
        let left = match self.listener.take() {
            Some((_, tx)) => tx.send(heard).err(),
            None => Some(heard),
        };
        match left {
            Some(heard) => {
                if self.heard.len() >= MOST_HEARD {
                    self.heard.pop_front();
                }
                self.heard.push_back(heard);
            }
            None if said => self.is_told(),
            None => {}
        }
    }

    async fn listen(&mut self, within: Duration, tx: oneshot::Sender<Heard>) {
        // Whoever was told and listens again has nothing to say to it.
        if let Turn::Told(turn) = self.turn {
            self.turn = Turn::None;
            self.say(Answer::Finish(turn)).await;
        }
        if let Some(heard) = self.heard.pop_front() {
            let said = matches!(heard, Heard::Said(_));
            match tx.send(heard) {
                Ok(()) if said => self.is_told(),
                Ok(()) => {}
                Err(heard) => self.heard.push_front(heard),
            }
            return;
        }
        if let Some((_, before)) = self.listener.replace((Instant::now() + within, tx)) {
            let _ = before.send(Heard::Nothing);
        }
    }

    fn is_told(&mut self) {
        if let Turn::Waits(turn) = self.turn {
            self.turn = Turn::Told(turn);
        }
    }

    async fn answer(&mut self, text: Private<String>, then: Then, tx: oneshot::Sender<Answered>) {
        let turn = match self.turn {
            Turn::Waits(turn) | Turn::Told(turn) => turn,
            Turn::None | Turn::Answered(..) => {
                let _ = tx.send(Answered::NoTurn);
                return;
            }
        };
        // Who answers without having asked knows what was said some other way.
        self.heard.retain(|it| !matches!(it, Heard::Said(_)));
        self.turn = Turn::Answered(turn, tx);
        self.say(Answer::Text(turn, text)).await;
        self.say(match then {
            Then::Listen => Answer::Finish(turn),
            Then::HangUp => Answer::HangUp(turn),
        })
        .await;
    }

    /// A turn is over.
    fn over(&mut self, over: TurnId, how: Answered) {
        match std::mem::replace(&mut self.turn, Turn::None) {
            Turn::Answered(turn, tx) if turn == over => {
                let _ = tx.send(how);
            }
            Turn::Waits(turn) | Turn::Told(turn) if turn == over => {}
            turn @ (Turn::Answered(..) | Turn::Waits(_) | Turn::Told(_) | Turn::None) => {
                self.turn = turn;
            }
        }
    }

    async fn say(&self, answer: Answer) {
        // A call that is gone says so itself.
        let _ = self.link.tx.send(answer).await;
    }
}

async fn until(late: Option<Instant>) {
    match late {
        Some(late) => sleep_until(late).await,
        None => pending().await,
    }
}

const ROOM: usize = 64;
const ASKS: usize = 16;
/// What nobody asks for is not kept for ever.
const MOST_HEARD: usize = 256;
/// How long whoever holds a call may take to answer: they may have to look something up.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use call::{Direction, Number, Trust};
    use ports::agent::{Company, Past};

    use super::*;

    fn introduction() -> Introduction {
        Introduction {
            call: "c1".to_owned(),
            session: "c1".to_owned(),
            direction: Direction::Outbound,
            caller: None,
            contact: None,
            trust: Trust::Unknown,
            number: Number::parse("+15550001111").expect("it is one"),
            transfers: Vec::new(),
            tools: Vec::new(),
            objective: None,
            company: Company::Caller,
            past: Past::default(),
        }
    }

    fn said(turn: u32, text: &str) -> Tell {
        Tell::Turn {
            turn: TurnId(turn),
            said: text.into(),
        }
    }

    async fn next(link: &mut Link<Tell, Answer>) -> String {
        format!("{:?}", link.rx.recv().await.expect("it answers"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_waits_to_be_heard_and_is_answered() {
        let hands = Hands::default();
        let mut call = hands.open(&introduction());
        assert_eq!(
            hands.listen("c1", Duration::from_secs(5)).await,
            Heard::Nothing,
            "nobody spoke"
        );
        call.tx.send(said(1, "Hello?")).await.expect("it listens");
        assert!(next(&mut call).await.starts_with("Working(TurnId(1)"));
        let heard = hands.listen("c1", Duration::from_secs(5)).await;
        assert_eq!(heard, Heard::Said("Hello?".into()));
        let answer = hands.answer("c1", "Hi! It is me.".into(), Then::Listen);
        let heard = async {
            assert!(next(&mut call).await.starts_with("Text(TurnId(1)"));
            assert!(next(&mut call).await.starts_with("Finish(TurnId(1)"));
            let (turn, heard) = (TurnId(1), Private::from("Hi!"));
            let interrupted = Tell::Interrupted { turn, heard };
            call.tx.send(interrupted).await.expect("it listens");
        };
        let (answered, ()) = tokio::join!(answer, heard);
        assert_eq!(answered, Answered::Interrupted("Hi!".into()));
        let again = hands.answer("c1", "Hello?".into(), Then::Listen).await;
        assert_eq!(again, Answered::NoTurn, "nobody said anything since");
        drop(call);
        assert_eq!(hands.listen("c1", PATIENCE).await, Heard::Over);
    }

    #[tokio::test(start_paused = true)]
    async fn who_listens_again_has_nothing_to_say() {
        let hands = Hands::default();
        let mut call = hands.open(&introduction());
        call.tx
            .send(said(1, "For sales, press one."))
            .await
            .expect("it listens");
        assert!(next(&mut call).await.starts_with("Working"));
        hands.listen("c1", PATIENCE).await;
        let (heard, ()) = tokio::join!(hands.listen("c1", PATIENCE), async {
            assert!(next(&mut call).await.starts_with("Finish(TurnId(1)"));
            call.tx
                .send(said(2, "For help, two."))
                .await
                .expect("it listens");
        });
        assert_eq!(heard, Heard::Said("For help, two.".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_taken_back_comes_once_and_whole() {
        let hands = Hands::default();
        let call = hands.open(&introduction());
        for tell in [
            said(1, "Is it"),
            Tell::Abandon(TurnId(1)),
            said(2, "Is it open?"),
        ] {
            call.tx.send(tell).await.expect("it listens");
        }
        // All of it was told before anybody asks.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let heard = hands.listen("c1", PATIENCE).await;
        assert_eq!(heard, Heard::Said("Is it open?".into()));
    }
}
