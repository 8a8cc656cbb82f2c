//! Two gateways' agents on one line: each hears what the other says, and nobody else is there.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use call::event::{Party, Why};
use call::input::{Agent, Carrier, Input, Media, Speech};
use call::{
    ANNOUNCEMENT, Announcement, Direction, Event, Opening, Output, Plan, Recording, output,
};
use media::{Edge, Progress, UtteranceId};
use sim::Watched;

use crate::script::{ms, plan};

/// What an agent answers in its so manyth turn, told this.
type Brain = fn(usize, &str) -> String;

/// One end of the line.
struct Side {
    call: Watched,
    brain: Brain,
    turns: usize,
    /// What it says and the other hears, one after the other.
    saying: VecDeque<(UtteranceId, String)>,
    /// What it has heard and nobody asked for yet.
    heard: String,
    past: Vec<Event>,
}

/// What is still to happen, in order.
struct Line {
    now: Instant,
    sides: [Side; 2],
    due: BTreeMap<(Instant, u64), (usize, Due)>,
    next: u64,
}

enum Due {
    Tell(Input),
    /// It has said the first of what it says.
    Said(UtteranceId),
}

impl Line {
    /// The first calls the second.
    fn between(brains: [Brain; 2], announcement: Option<&str>) -> Self {
        let now = Instant::now();
        let side = |direction, opening, brain| {
            let plan = Plan {
                announcement: announcement.map(|text| Announcement {
                    text: text.into(),
                    sha256: "c0ffee".into(),
                    bytes: 32_000,
                    length: ms(2_500),
                }),
                recording: Recording::Never,
                ..plan(direction, opening)
            };
            let (call, _) = Watched::start(now, plan);
            Side {
                call,
                brain,
                turns: 0,
                saying: VecDeque::new(),
                heard: String::new(),
                past: Vec::new(),
            }
        };
        let [caller, called] = brains;
        let sides = [
            side(Direction::Outbound, Opening::Wait, caller),
            side(Direction::Inbound, Opening::Ask, called),
        ];
        let mut line = Self {
            now,
            sides,
            due: BTreeMap::new(),
            next: 0,
        };
        for side in [0, 1] {
            line.later(Duration::ZERO, side, Input::Carrier(Carrier::Answered));
            line.later(Duration::ZERO, side, Input::Carrier(Carrier::Connected));
        }
        line
    }

    /// Lets them talk until one hangs up, for at most an hour. Returns for how long they did.
    fn run(&mut self) -> Duration {
        let begun = self.now;
        while !self.sides.iter().any(|it| it.call.is_over()) {
            let deadlines = self.sides.iter().enumerate();
            let deadlines = deadlines.filter_map(|(side, it)| Some((it.call.deadline()?.0, side)));
            let timeout = deadlines.min();
            let first = self.due.first_key_value().map(|((at, _), _)| *at);
            match (first, timeout) {
                (Some(at), timeout) if timeout.is_none_or(|(due, _)| at <= due) => {
                    let (_, (side, due)) = self.due.pop_first().expect("it is there");
                    self.now = self.now.max(at);
                    self.happen(side, due);
                }
                (_, Some((at, side))) => {
                    self.now = self.now.max(at);
                    self.tell(side, Input::Timeout);
                }
                (_, None) => break,
            }
            assert!(self.now - begun < Duration::from_secs(3_600), "for an hour");
        }
        self.now - begun
    }

    fn later(&mut self, after: Duration, side: usize, input: Input) {
        self.schedule(after, side, Due::Tell(input));
    }

    fn schedule(&mut self, after: Duration, side: usize, due: Due) {
        self.next += 1;
        self.due.insert((self.now + after, self.next), (side, due));
    }

    fn happen(&mut self, side: usize, due: Due) {
        match due {
            Due::Tell(input) => self.tell(side, input),
            Due::Said(id) => self.said(side, id),
        }
    }

    /// Begins to say what is first, which the other side hears.
    fn speak(&mut self, side: usize) {
        let Some((id, text)) = self.sides[side].saying.front().cloned() else {
            return;
        };
        let length = length(id, &text);
        if id != ANNOUNCEMENT {
            self.tell(side, Input::Speech(Speech::Begun(id)));
            self.tell(side, Input::Speech(Speech::Length(id, length)));
        }
        self.schedule(length, side, Due::Said(id));
        let played = Progress {
            utterance: id,
            played: ms(20),
            done: false,
        };
        self.later(ms(20), side, Input::Media(Media::Progress(played)));
    }

    fn said(&mut self, side: usize, id: UtteranceId) {
        let other = 1 - side;
        let Some((_, text)) = self.sides[side].saying.pop_front_if(|it| it.0 == id) else {
            return;
        };
        self.sides[other].heard += " ";
        self.sides[other].heard += &text;
        let played = Progress {
            utterance: id,
            played: length(id, &text),
            done: true,
        };
        self.tell(side, Input::Media(Media::Progress(played)));
        if self.sides[side].saying.is_empty() {
            let ended = Edge::SpeechEnded { ago: ms(200) };
            self.later(ms(200), other, Input::Media(Media::Edge(ended)));
        } else {
            self.speak(side);
        }
    }

    fn tell(&mut self, side: usize, input: Input) {
        let mut outputs = VecDeque::from(self.sides[side].call.handle(self.now, input));
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Event(event) => self.sides[side].past.push(event),
                Output::Media(output::Media::Cut(last)) => {
                    self.cut(side, last);
                    let input = Input::Media(Media::Cut(None));
                    let more = self.sides[side].call.handle(self.now, input);
                    for output in more.into_iter().rev() {
                        outputs.push_front(output);
                    }
                }
                Output::Media(output::Media::Announce) => {
                    let text = "Hello. You are speaking with an AI assistant.";
                    self.say(side, ANNOUNCEMENT, text.to_owned());
                }
                Output::Speech(output::Speech::Synthesize(id, text)) => {
                    self.say(side, id, text.into_revealed());
                }
                Output::Speech(output::Speech::Finalize) => {
                    let heard = std::mem::take(&mut self.sides[side].heard);
                    let words = Speech::Final(heard.trim().into());
                    self.later(ms(50), side, Input::Speech(words));
                }
                Output::Agent(output::Agent::Turn { turn, said }) => {
                    self.answer(side, turn, said.reveal());
                }
                Output::Agent(output::Agent::Open { turn }) => self.answer(side, turn, ""),
                // These two never think for so long.
                Output::Speech(output::Speech::Pulse(_) | output::Speech::Cancel(_))
                | Output::Agent(_)
                | Output::Carrier(_)
                | Output::Meeting(_)
                | Output::Media(_) => {}
            }
        }
    }

    fn answer(&mut self, side: usize, turn: call::TurnId, said: &str) {
        let it = &mut self.sides[side];
        let answer = (it.brain)(it.turns, said);
        it.turns += 1;
        let say = Input::Agent(Agent::Say(turn, answer.into()));
        self.later(ms(400), side, say);
        self.later(ms(401), side, Input::Agent(Agent::Finish(turn)));
    }

    fn say(&mut self, side: usize, id: UtteranceId, text: String) {
        let silent = self.sides[side].saying.is_empty();
        self.sides[side].saying.push_back((id, text));
        if silent {
            let began = Input::Media(Media::Edge(Edge::SpeechStarted { ago: ms(0) }));
            self.later(ms(220), 1 - side, began);
            self.speak(side);
        }
    }

    fn cut(&mut self, side: usize, last: UtteranceId) {
        let it = &mut self.sides[side];
        let cut = it.saying.front().filter(|(id, _)| *id <= last).cloned();
        it.saying.retain(|(id, _)| *id > last);
        let silent = it.saying.is_empty();
        if let Some((_, text)) = cut.filter(|_| silent) {
            // Half of it was heard.
            let half: String = text.chars().take(text.len() / 2).collect();
            self.sides[1 - side].heard += &format!(" {half}");
            let ended = Edge::SpeechEnded { ago: ms(200) };
            self.later(ms(220), 1 - side, Input::Media(Media::Edge(ended)));
        }
    }
}

fn length(id: UtteranceId, text: &str) -> Duration {
    if id == ANNOUNCEMENT {
        ms(2_500)
    } else {
        ms(300 + 60 * text.len() as u64)
    }
}

/// Whoever hung up first said goodbye for this reason; in so many turns of both, and so long.
#[expect(clippy::print_stdout, reason = "figures for whoever wants to see them")]
fn ended(name: &str, brains: [Brain; 2], announcement: Option<&str>) -> Why {
    let mut line = Line::between(brains, announcement);
    let lasted = line.run();
    let turns: usize = line.sides.iter().map(|it| it.turns).sum();
    let end = line.sides.iter().find_map(|it| match it.past.last() {
        Some(Event::Ended(end)) => Some((*end, &it.past)),
        Some(_) | None => None,
    });
    let (end, past) = end.expect("one of them hung up");
    println!("{name}: {turns} turns, {lasted:?}, {:?}", end.why);
    assert!(turns > 4, "they never talked: {past:#?}");
    assert!(turns <= 30, "{name}: {turns} turns");
    assert!(lasted <= Duration::from_secs(600), "{name}: {lasted:?}");
    assert_eq!(end.by, Party::Gateway);
    let bye =
        |it: &&Event| matches!(it, Event::AgentSaid { text } if text.reveal().contains("Goodbye."));
    assert!(past.iter().any(|it| bye(&it)), "without a goodbye");
    end.why
}

fn did_not_get_that(_: usize, _: &str) -> String {
    "Sorry, I did not get that. Could you say it again?".to_owned()
}

fn offers_help(_: usize, _: &str) -> String {
    "How can I help you today?".to_owned()
}

fn is_polite(turn: usize, _: &str) -> String {
    let all = [
        "Thank you so much!",
        "You are most welcome!",
        "Take care, goodbye!",
    ];
    all[turn % all.len()].to_owned()
}

fn echoes(_: usize, said: &str) -> String {
    let said: String = said.chars().take(60).collect();
    format!("You said {said}. Is that right?")
}

/// It never runs out of something new, as a language model does not.
fn is_inventive(turn: usize, _: &str) -> String {
    let word = |at: usize| {
        let letters = (0..6).map(|it| (b'a' + ((turn * 7 + at * 11 + it * 5) % 26) as u8) as char);
        letters.collect::<String>()
    };
    format!(
        "Let us talk about {}, {} and {}.",
        word(1),
        word(2),
        word(3)
    )
}

#[test]
fn two_agents_who_lead_each_other_nowhere_are_parted() {
    let loops: [(&str, [Brain; 2]); 5] = [
        ("neither gets it", [did_not_get_that, did_not_get_that]),
        ("both offer help", [offers_help, offers_help]),
        ("both are polite", [is_polite, is_polite]),
        (
            "one offers, one does not get it",
            [offers_help, did_not_get_that],
        ),
        ("one echoes", [echoes, offers_help]),
    ];
    for (name, brains) in loops {
        assert_eq!(ended(name, brains, None), Why::Loop, "{name}");
    }
}

#[test]
fn two_agents_who_never_tire_of_each_other_are_parted_because_they_say_what_they_are() {
    let text = "Hello. You are speaking with an AI assistant.";
    let brains: [Brain; 2] = [is_inventive, is_inventive];
    assert_eq!(ended("both invent", brains, Some(text)), Why::Loop);
}
