//! One turn of an agent that is asked and answers: its request, and what it has done in the middle of it.

use std::future::Future;

use call::TurnId;
use ports::agent::{Answer, Then, Tool, Use, Used};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The request under way. Dropping it ends the request, and with it its cost.
pub(crate) enum Answering {
    Nothing,
    Turn {
        turn: TurnId,
        _request: JoinSet<()>,
        /// Where what came of tools is waited for.
        results: mpsc::Sender<(String, Used)>,
    },
}

impl Answering {
    /// Begins to answer a turn, with these tools.
    pub(crate) fn begin<F>(
        turn: TurnId,
        tools: &[Tool],
        tx: &mpsc::Sender<Answer>,
        answer: impl FnOnce(Round) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (results, came) = mpsc::channel(CAPACITY);
        let ends = tools.iter().filter(|it| it.then == Then::Ends);
        let round = Round {
            turn,
            ends: ends.map(|it| it.name.clone()).collect(),
            tx: tx.clone(),
            came,
        };
        let mut request = JoinSet::new();
        request.spawn(answer(round));
        Self::Turn {
            turn,
            _request: request,
            results,
        }
    }

    /// Something came of a tool that was used in a turn.
    pub(crate) async fn used(&self, over: TurnId, id: String, used: Used) {
        match self {
            Self::Turn { turn, results, .. } if *turn == over => {
                // An answer that is over wants to know nothing.
                let _ = results.send((id, used)).await;
            }
            Self::Turn { .. } | Self::Nothing => {}
        }
    }

    /// Nobody waits for this turn's answer any more.
    pub(crate) fn stop(&mut self, over: TurnId) {
        match self {
            Self::Turn { turn, .. } if *turn == over => *self = Self::Nothing,
            Self::Turn { .. } | Self::Nothing => {}
        }
    }
}

/// Where an answer goes, and what comes of what it wants done.
pub(crate) struct Round {
    pub(crate) turn: TurnId,
    /// The tools that end a turn.
    ends: Vec<String>,
    tx: mpsc::Sender<Answer>,
    came: mpsc::Receiver<(String, Used)>,
}

impl Round {
    /// Says it. A call that has gone needs no words: the request is ended from outside.
    pub(crate) fn say(&self, text: String) -> impl Future<Output = ()> + Send + use<> {
        self.answer(Answer::Text(self.turn, text.into()))
    }

    /// Answers so. The same.
    pub(crate) fn answer(&self, answer: Answer) -> impl Future<Output = ()> + Send + use<> {
        let tx = self.tx.clone();
        async move { drop(tx.send(answer).await) }
    }

    /// Asks for all of it; what ends the turn comes last.
    pub(crate) async fn have_done(&self, uses: &[Use]) -> Then {
        let ends = |it: &&Use| self.ends.contains(&it.tool);
        let last = uses.iter().find(ends);
        let others = uses.iter().filter(|it| !ends(it));
        for it in others.chain(last) {
            self.answer(Answer::Use(self.turn, it.clone())).await;
        }
        last.map_or(Then::GoesOn, |_| Then::Ends)
    }

    /// Waits for what comes of each, in the order in which they were wanted. Whoever does things says so of every
    /// one, in time; `None` is for what nobody said anything of because the call is over.
    pub(crate) async fn results(&mut self, uses: &[Use]) -> Vec<Option<Used>> {
        let mut came: Vec<Option<Used>> = vec![None; uses.len()];
        while came.iter().any(Option::is_none) {
            let Some((id, used)) = self.came.recv().await else {
                break;
            };
            let open = uses.iter().zip(&mut came);
            let mut open = open.filter(|(it, came)| it.id == id && came.is_none());
            if let Some((_, came)) = open.next() {
                *came = Some(used);
            }
        }
        came
    }
}

/// So often an agent may want things done before it answers.
pub(crate) const MOST_ROUNDS: usize = 8;
const CAPACITY: usize = 64;
