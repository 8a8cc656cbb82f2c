//! Questions to the owner, while a caller waits. They end with their call, so nothing of them is kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use call::Private;
use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

/// The questions that wait for the owner.
#[derive(Debug, Default)]
pub struct Questions(Mutex<Waiting>);

/// By our name for each, with where its answer goes.
type Waiting = BTreeMap<String, (Question, oneshot::Sender<Private<String>>)>;

/// One of them.
#[derive(Clone, Debug)]
pub struct Question {
    /// Our name for it.
    pub id: String,
    /// On which call.
    pub call: String,
    /// What the agent wants to know.
    pub text: Private<String>,
    /// Since when.
    pub since: Timestamp,
}

/// A question that waits; dropped, it does not any more.
#[derive(Debug)]
pub struct Asked<'q> {
    questions: &'q Questions,
    id: String,
    answer: oneshot::Receiver<Private<String>>,
}

impl Questions {
    /// Asks the owner something. `None`: more wait already than anyone would answer.
    pub fn ask(&self, call: String, text: Private<String>) -> Option<Asked<'_>> {
        let (tx, answer) = oneshot::channel();
        let id = Uuid::now_v7().simple().to_string();
        let question = Question {
            id: id.clone(),
            call,
            text,
            since: Timestamp::now(),
        };
        let mut waiting = self.waiting();
        if waiting.len() >= MOST {
            return None;
        }
        waiting.insert(id.clone(), (question, tx));
        Some(Asked {
            questions: self,
            id,
            answer,
        })
    }

    /// Those that wait, the oldest first.
    pub fn list(&self) -> Vec<Question> {
        let waiting = self.waiting();
        waiting.values().map(|(it, _)| it.clone()).collect()
    }

    /// The owner's answer to one, by its name or the end of that. `false`: it does not wait.
    pub fn answer(&self, id: &str, text: Private<String>) -> bool {
        let mut waiting = self.waiting();
        let named = |it: &&String| !id.is_empty() && it.ends_with(id);
        let mut found: Vec<_> = waiting.keys().filter(named).cloned().collect();
        let one = found.pop().filter(|_| found.is_empty());
        let question = one.and_then(|it| waiting.remove(&it));
        question.is_some_and(|(_, tx)| tx.send(text).is_ok())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    /// The answer, when it comes.
    pub async fn answered(mut self) -> Option<Private<String>> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.questions.waiting().remove(&self.id);
    }
}

const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_waits_until_it_is_answered_or_nobody_wants_to_know() {
        let questions = Questions::default();
        let asked = questions
            .ask("c1".to_owned(), "May I?".into())
            .expect("there is room");
        let id = questions.list()[0].id.clone();
        assert!(!questions.answer("", "Yes.".into()), "it is named");
        assert!(questions.answer(&id[20..], "Yes.".into()));
        assert_eq!(asked.answered().await, Some("Yes.".into()));
        assert!(!questions.answer(&id, "No.".into()), "it was answered");
        let asked = questions.ask("c1".to_owned(), "And now?".into());
        drop(asked);
        assert!(questions.list().is_empty());
    }
}
