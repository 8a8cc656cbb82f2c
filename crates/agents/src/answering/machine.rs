//! The answering machine's head: words in, words out. It knows no clock, no call and no turn ids.
//!
//! Every answer is only proposed. The call may take it back before the caller heard any of it, and
//! then the same words come again with more behind them; so what was understood counts once the
//! answer was heard, and not before.

use crate::words::{self, Verdict, Word};

/// What the machine is told beforehand.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The owner's own greeting.
    pub greeting: Option<String>,
    /// Whose line this is.
    pub owner: Option<String>,
}

/// What the machine says, and what then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// Its words.
    pub say: String,
    /// What follows them.
    pub then: Then,
    /// A message that is complete.
    pub taken: Option<Taken>,
}

/// What follows the machine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The caller's turn.
    Listen,
    /// The end of the call.
    HangUp,
}

/// A message for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Who left it.
    pub name: String,
    /// What they said.
    pub text: String,
}

/// An answering machine in one call.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    script: Script,
    /// What the caller knows us to have understood.
    settled: State,
    /// What we will have understood once our answer is heard.
    proposed: State,
    /// The last message handed to the owner, so that none is handed over twice.
    handed: Option<Taken>,
}

/// All that was understood so far.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    greeted: Greeted,
    stage: Stage,
    name: Option<String>,
    text: String,
    /// How often in a row the caller was not understood.
    unclear: u8,
    /// Whether a key was pressed since we last spoke.
    keys: Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeted {
    NotYet,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    None,
    Pressed,
}

/// What the caller was asked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Name,
    Message,
    Confirm,
    Change,
    Bye,
}

impl Machine {
    /// A machine that has just picked up.
    pub(super) fn new(script: Script) -> Self {
        let state = State {
            greeted: Greeted::NotYet,
            stage: Stage::Name,
            name: None,
            text: String::new(),
            unclear: 0,
            keys: Keys::None,
        };
        Self {
            script,
            settled: state.clone(),
            proposed: state,
            handed: None,
        }
    }

    /// Speaks first.
    pub(super) fn open(&mut self) -> Reply {
        let mut next = self.settled.clone();
        next.greeted = Greeted::Done;
        let say = self.greeting();
        self.propose(next, listen(say))
    }

    /// Someone greeted the caller in our name.
    pub(super) fn opened(&mut self) {
        self.settle();
        self.settled.greeted = Greeted::Done;
        self.proposed = self.settled.clone();
    }

    /// Answers the caller.
    pub(super) fn turn(&mut self, said: &str) -> Reply {
        self.settle();
        let mut next = self.settled.clone();
        let words = words::words(said);
        let greeted = next.greeted;
        let mut reply = match next.stage {
            Stage::Name => self.name(&mut next, &words),
            Stage::Message => self.message(&mut next, &words),
            Stage::Confirm => self.confirm(&mut next, &words),
            Stage::Change => self.change(&mut next, &words),
            Stage::Bye => self.afterwards(&mut next, &words),
        };
        if greeted == Greeted::NotYet {
            next.greeted = Greeted::Done;
            let asks = next.stage == Stage::Name;
            reply.say = if asks {
                self.greeting()
            } else {
                format!("{} {}", self.hello(), reply.say)
            };
        }
        self.propose(next, reply)
    }

    /// Our last answer was heard, at least its beginning: what it rests on is settled.
    pub(super) fn settle(&mut self) {
        self.settled = self.proposed.clone();
    }

    /// Our last answer was taken back, unheard.
    pub(super) fn abandon(&mut self) {
        self.proposed = self.settled.clone();
    }

    /// A key was pressed. It means nothing to us, and the next question says so.
    pub(super) fn pressed(&mut self) {
        self.settled.keys = Keys::Pressed;
        self.proposed.keys = Keys::Pressed;
    }

    fn propose(&mut self, next: State, mut reply: Reply) -> Reply {
        self.proposed = next;
        match &reply.taken {
            Some(taken) if self.handed.as_ref() == Some(taken) => reply.taken = None,
            Some(taken) => self.handed = Some(taken.clone()),
            None => {}
        }
        reply
    }

    fn name(&self, next: &mut State, said: &[Word]) -> Reply {
        if let Some(named) = words::name(said) {
            let thanks = format!("Thank you, {}.", named.name);
            next.name = Some(named.name);
            if words::asks_for_someone(&named.rest) {
                return self.ask_message(next, &format!("{thanks} {}", self.nobody()));
            }
            add(next, words::message(&named.rest));
            return self.ask_message(next, &thanks);
        }
        if words::asks_for_someone(said) {
            return self.unclear(
                next,
                &format!("{} I can take a message. {ASK_NAME}", self.nobody()),
            );
        }
        if words::only_greets(said) && !said.is_empty() {
            return self.unclear(next, &format!("Hello. {ASK_NAME}"));
        }
        if words::only_asks(said) {
            return self.unclear(next, &format!("Of course. {ASK_NAME}"));
        }
        if words::declines(said) && !said.is_empty() {
            return self.ask_message(next, "That is all right.");
        }
        if said.len() >= A_MESSAGE_AT_LEAST && !words::asks_again(said) {
            add(next, words::message(said));
            if !next.text.is_empty() {
                return self.unclear(next, "I will pass that on. May I have your name, please?");
            }
        }
        self.unclear(
            next,
            "Sorry, I did not catch your name. Could you say it again?",
        )
    }

    fn ask_message(&self, next: &mut State, before: &str) -> Reply {
        next.unclear = 0;
        if !next.text.is_empty() {
            return self.read_back(next, before);
        }
        next.stage = Stage::Message;
        listen(format!("{before} What is your message?"))
    }

    fn message(&self, next: &mut State, said: &[Word]) -> Reply {
        if next.text.is_empty() && words::declines(said) && !said.is_empty() {
            next.stage = Stage::Bye;
            let taken = taken(next, NO_MESSAGE);
            return goodbye("All right, I will say that you called.", Some(taken));
        }
        if next.text.is_empty() && words::asks_again(said) {
            return self.unclear(next, "What is your message? I will pass it on.");
        }
        if next.text.is_empty() && words::asks_for_someone(said) {
            return self.unclear(next, &format!("{} What is your message?", self.nobody()));
        }
        if words::breaks_off(said) {
            next.unclear = 0;
            begin(next, said);
            return listen("Go on, please.");
        }
        add(next, words::message(said));
        if next.text.is_empty() {
            let asked = !said.is_empty() && !words::says_enough(said);
            let before = if asked {
                "Of course."
            } else {
                "Sorry, I did not hear a message."
            };
            return self.unclear(next, &format!("{before} What should I pass on?"));
        }
        self.read_back(next, "Thank you.")
    }

    fn confirm(&self, next: &mut State, said: &[Word]) -> Reply {
        let (verdict, rest) = words::verdict(said);
        if let Some(named) = self.renamed(verdict, rest) {
            next.name = Some(named);
            return self.read_back(next, "I am sorry.");
        }
        match verdict {
            Verdict::Yes if rest.is_empty() => take(next),
            Verdict::Yes => self.more(next, rest),
            Verdict::No if rest.is_empty() => {
                next.stage = Stage::Change;
                next.unclear = 0;
                listen("I am sorry. What should I change, your name or the message?")
            }
            Verdict::No => self.correct(next, rest),
            Verdict::Neither if words::adds(said) || words::says_anew(said) => {
                self.more(next, said)
            }
            Verdict::Neither if words::corrects(said) => self.correct(next, said),
            Verdict::Neither if words::asks_again(said) => self.read_back(next, "I said:"),
            Verdict::Neither if words::says_enough(said) || words::takes_leave(said) => take(next),
            Verdict::Neither if next.unclear + 1 >= AS_IT_IS_AFTER => take(next),
            Verdict::Neither => self.unclear(next, "Sorry, is that right? Please say yes or no."),
        }
    }

    /// The caller's right name, where they correct it while a message is read back.
    fn renamed(&self, verdict: Verdict, rest: &[Word]) -> Option<String> {
        let named = words::introduction(rest)?;
        let of_name = words::speaks_of(rest).0;
        // “It's Joe” corrects the name after a no; alone it may correct anything.
        let sure = of_name || (verdict == Verdict::No && named.rest.is_empty());
        sure.then_some(named.name)
    }

    fn more(&self, next: &mut State, rest: &[Word]) -> Reply {
        let before = next.text.len();
        add(next, words::addition(rest));
        if next.text.len() == before {
            return take(next);
        }
        self.read_back(next, "All right.")
    }

    fn correct(&self, next: &mut State, rest: &[Word]) -> Reply {
        if let Some((right, wrong)) = words::instead(rest)
            && self.exchange(next, &right, &wrong)
        {
            return self.read_back(next, "I am sorry.");
        }
        let (of_name, of_message) = words::speaks_of(rest);
        if rest.len() <= SHORT && (of_name || of_message) {
            return self.ask_anew(next, of_name, of_message);
        }
        if words::says_anew(rest) {
            next.text.clear();
            add(next, words::message(rest));
            return self.read_back(next, "I am sorry.");
        }
        if words::adds(rest) {
            return self.more(next, rest);
        }
        // Not sure what it corrects: keep both, so that nothing the caller said is lost.
        let correction = words::words(&format!(
            "Correction: {}",
            words::said(words::message(rest))
        ));
        add(next, &correction);
        self.read_back(next, "I am sorry.")
    }

    /// Puts what is right in the place of what is wrong, if that was said before.
    fn exchange(&self, next: &mut State, right: &str, wrong: &str) -> bool {
        if let Some(text) = replaced(&next.text, wrong, right) {
            next.text = text;
            return true;
        }
        let name = next
            .name
            .as_deref()
            .and_then(|name| replaced(name, wrong, right));
        let found = name.is_some();
        next.name = name.or(next.name.take());
        found
    }

    fn change(&self, next: &mut State, said: &[Word]) -> Reply {
        let (verdict, rest) = words::verdict(said);
        if let Some(named) = words::introduction(rest) {
            next.name = Some(named.name);
            return self.read_back(next, "Thank you.");
        }
        let (of_name, of_message) = words::speaks_of(rest);
        if rest.len() <= SHORT && (of_name || of_message) {
            return self.ask_anew(next, of_name, of_message);
        }
        if verdict == Verdict::Yes || words::declines(said) && !said.is_empty() {
            return self.read_back(next, "All right.");
        }
        if rest.is_empty() || words::asks_again(rest) {
            if next.unclear + 1 >= AS_IT_IS_AFTER {
                return take(next);
            }
            return self.unclear(next, "What should I change, your name or the message?");
        }
        self.correct(next, rest)
    }

    fn ask_anew(&self, next: &mut State, of_name: bool, of_message: bool) -> Reply {
        next.unclear = 0;
        if of_message {
            next.text.clear();
        }
        if of_name {
            next.stage = Stage::Name;
            return listen("All right. What is your name?");
        }
        next.stage = Stage::Message;
        listen("All right. What is your message?")
    }

    /// The caller takes the floor once more while we say goodbye.
    fn afterwards(&self, next: &mut State, said: &[Word]) -> Reply {
        let (verdict, rest) = words::verdict(said);
        let adds = rest.len() >= SHORT && !words::takes_leave(said) && !next.text.is_empty();
        match verdict {
            Verdict::No if !next.text.is_empty() => {
                next.stage = Stage::Confirm;
                self.confirm(next, said)
            }
            Verdict::Yes | Verdict::Neither if adds => {
                next.stage = Stage::Confirm;
                self.more(next, rest)
            }
            Verdict::Yes | Verdict::No | Verdict::Neither => goodbye("", None),
        }
    }

    fn read_back(&self, next: &mut State, before: &str) -> Reply {
        next.unclear = 0;
        if next.text.is_empty() {
            return self.ask_message(next, before);
        }
        next.stage = Stage::Confirm;
        let from = next.name.as_ref().map(|name| format!(" from {name}"));
        let (from, text) = (from.unwrap_or_default(), &next.text);
        listen(format!(
            "{before} The message{from} is: {text} Is that right?"
        ))
    }

    /// Asks once more, or gives up asking.
    fn unclear(&self, next: &mut State, ask: &str) -> Reply {
        next.unclear += 1;
        if next.unclear > ASKED_AGAIN {
            return self.go_without(next);
        }
        let keys = match next.keys {
            Keys::Pressed => "I cannot use keys, please just speak. ",
            Keys::None => "",
        };
        next.keys = Keys::None;
        listen(format!("{keys}{ask}"))
    }

    fn go_without(&self, next: &mut State) -> Reply {
        match next.stage {
            Stage::Name => self.ask_message(next, "Never mind the name."),
            Stage::Confirm | Stage::Change => take(next),
            Stage::Message | Stage::Bye => {
                next.stage = Stage::Bye;
                goodbye("I am sorry, I cannot hear you. Please call again.", None)
            }
        }
    }

    /// Its first words in every call.
    pub(super) fn greeting(&self) -> String {
        let hello = self.hello();
        // An owner who asks in their own words need not be repeated.
        if hello.contains('?') {
            hello
        } else {
            format!("{hello} {ASK_NAME}")
        }
    }

    fn hello(&self) -> String {
        match (&self.script.greeting, &self.script.owner) {
            (Some(greeting), _) => greeting.trim().to_owned(),
            (None, Some(owner)) => format!(
                "Hello, this is the answering service of {owner}, who cannot come to the phone. \
                 I can take a message."
            ),
            (None, None) => "Hello, this is the answering service. Nobody can come to the phone \
                             right now, but I can take a message."
                .to_owned(),
        }
    }

    fn nobody(&self) -> String {
        match &self.script.owner {
            Some(owner) => {
                format!("I am the answering service, and {owner} cannot come to the phone.")
            }
            None => "I am the answering service, and nobody can come to the phone.".to_owned(),
        }
    }
}

fn take(next: &mut State) -> Reply {
    next.stage = Stage::Bye;
    let taken = taken(next, &next.text);
    goodbye("Thank you. I will pass it on.", Some(taken))
}

fn listen(say: impl Into<String>) -> Reply {
    Reply {
        say: say.into(),
        then: Then::Listen,
        taken: None,
    }
}

fn goodbye(before: &str, taken: Option<Taken>) -> Reply {
    let say = format!("{before} Goodbye.").trim_start().to_owned();
    Reply {
        say,
        then: Then::HangUp,
        taken,
    }
}

fn taken(state: &State, text: &str) -> Taken {
    let name = state.name.clone().unwrap_or_else(|| NO_NAME.to_owned());
    Taken {
        name,
        text: text.to_owned(),
    }
}

/// Adds whole sentences to the message.
fn add(state: &mut State, words: &[Word]) {
    if words.is_empty() {
        return;
    }
    append(state, &words::said(words));
    let text = state.text.trim_end_matches([',', ';', ':', '-', ' ']).len();
    state.text.truncate(text);
    if !state.text.ends_with(['.', '!', '?', '…']) {
        state.text.push('.');
    }
}

/// Adds words to the message that go on in the caller's next turn.
fn begin(state: &mut State, words: &[Word]) {
    let begun = words::begun(words);
    if !begun.is_empty() {
        append(state, &begun);
    }
}

/// Adds to a message, as long as there is room. A new sentence has a capital.
fn append(state: &mut State, more: &str) {
    let text = &mut state.text;
    if text.len() + more.len() >= LONGEST_MESSAGE {
        return;
    }
    let fresh = text.is_empty() || text.ends_with(['.', '!', '?', '…']);
    if !text.is_empty() {
        text.push(' ');
    }
    let mut letters = more.chars();
    match letters.next() {
        Some(first) if fresh => {
            text.extend(first.to_uppercase());
            text.push_str(letters.as_str());
        }
        Some(_) | None => text.push_str(more),
    }
}

/// `text` with the first `wrong` in it replaced, in whatever case it was said; whole words only.
fn replaced(text: &str, wrong: &str, right: &str) -> Option<String> {
    let (text_low, wrong_low) = (text.to_lowercase(), wrong.to_lowercase());
    // Lower case may have other lengths than what was said; then positions mean nothing.
    if text_low.len() != text.len() || wrong_low.is_empty() {
        return None;
    }
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole = |at: &usize| {
        let end = at + wrong_low.len();
        !letter(text_low[..*at].chars().next_back()) && !letter(text_low[end..].chars().next())
    };
    let at = text_low
        .match_indices(&wrong_low)
        .map(|(at, _)| at)
        .find(whole)?;
    let (before, after) = (text.get(..at)?, text.get(at + wrong_low.len()..)?);
    let mut letters = right.chars();
    let first = letters.next()?;
    // A capital that only began the caller's sentence is not taken over.
    let inside = text_low[at..].starts_with(|c: char| text[at..].starts_with(c));
    let first: String = if inside {
        first.to_lowercase().collect()
    } else {
        first.into()
    };
    Some(format!("{before}{first}{}{after}", letters.as_str()))
}

const ASK_NAME: &str = "May I have your name, please?";
const NO_NAME: &str = "Unknown caller";
const NO_MESSAGE: &str = "Called, and left no message.";
/// How often one question is asked again.
const ASKED_AGAIN: u8 = 2;
/// A message that was given is not lost because “is that right?” was not understood this often.
const AS_IT_IS_AFTER: u8 = 2;
/// From this many words on, what is no name is probably the message.
const A_MESSAGE_AT_LEAST: usize = 5;
/// As many words as it takes to name what to change.
const SHORT: usize = 4;
/// In bytes.
const LONGEST_MESSAGE: usize = 4_000;
