use std::collections::VecDeque;
use std::time::{Duration, Instant};

use call::input::{Carrier, Command, Input, Media, Speech};
use call::{ANNOUNCEMENT, Digit, Event, Output, Plan, output};
use media::{
    Codec, Detector, Edge, FRAME, Format, Line, Outgoing, Packet, Rate, Session, Setup, UtteranceId,
};

use crate::agent::Agents;
use crate::ears::Listening;
use crate::far::{Far, Sent};
use crate::mouth::{Speaking, Spoken};
use crate::{Ears, Mouth, Network, Reply, Watched};

/// One call and everything around it.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    call: Watched,
    session: Session,
    start: Instant,
    now: Instant,
    /// What will happen, and when.
    script: Vec<(Duration, Happening)>,
    caller: Caller,
    agents: Agents,
    listening: Listening,
    speaking: Speaking,
    far: Far,
    network: Network,
    past: Vec<(Duration, Known)>,
    /// The last utterance of which there is sound.
    begun: Option<UtteranceId>,
    /// Whether the announcement was ever to be heard.
    announced: bool,
}

/// Something that the call made known or asked for.
#[derive(Debug)]
enum Known {
    Event(Event),
    Agent(output::Agent),
    Carrier(output::Carrier),
}

/// Something the world does to the call.
#[derive(Clone, Debug)]
pub enum Happening {
    /// The carrier says this.
    Carrier(Carrier),
    /// The owner wants this.
    Command(Command),
    /// The caller makes a sound of this length, which is heard as these words.
    Speak(Duration, &'static str),
    /// The same, and the turn detector says how likely the turn is over.
    Judged(Duration, &'static str, f32),
    /// The ears tell this.
    Speech(Speech),
    /// The agent says this.
    Agent(call::input::Agent),
    /// This happens at the meeting.
    Meeting(call::input::Meeting),
    /// The process dies. Another takes the call up this much later; for the story no time passes.
    Killed(Duration),
}

#[derive(Debug)]
struct Caller {
    /// Packets sent so far.
    sent: u64,
    talks_until: Option<Instant>,
    /// Verdicts to give when the speech that is under way has ended.
    verdict: Option<f32>,
    noise: u32,
}

impl World {
    /// A call that is about to start. Packets flow from the first moment.
    pub fn new(start: Instant, plan: Plan, replies: Vec<Reply>) -> Self {
        let (call, out) = Watched::start(start, plan.clone());
        let mut world = Self {
            plan,
            call,
            session: session(Network::default()),
            start,
            now: start,
            script: Vec::new(),
            caller: Caller {
                sent: 0,
                talks_until: None,
                verdict: None,
                noise: 1,
            },
            agents: Agents::new(replies),
            listening: Listening::new(Ears::default(), start),
            speaking: Speaking::new(Mouth::default()),
            far: Far::default(),
            network: Network::default(),
            past: Vec::new(),
            begun: None,
            announced: false,
        };
        world.perform(out);
        world
    }

    /// With this line instead of a perfect one.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self.session = session(network);
        self
    }

    /// With these ears instead of the usual ones.
    #[must_use]
    pub fn ears(mut self, ears: Ears) -> Self {
        self.listening = Listening::new(ears, self.start);
        self
    }

    /// With this mouth instead of the usual one.
    #[must_use]
    pub fn mouth(mut self, mouth: Mouth) -> Self {
        self.speaking = Speaking::new(mouth);
        self
    }

    /// Adds to the script.
    #[must_use]
    pub fn at(mut self, ms: u64, happening: Happening) -> Self {
        self.script.push((Duration::from_millis(ms), happening));
        self
    }

    /// Lets time pass, frame by frame, until the call is over or `ms` have passed.
    #[must_use]
    pub fn run(mut self, ms: u64) -> Self {
        let end = self.start + Duration::from_millis(ms);
        while self.now < end && !self.call.is_over() {
            self.happen();
            self.caller_sends();
            self.far_end_plays();
            self.tick();
            self.hear();
            self.speak();
            for answer in self.agents.answers(self.now) {
                self.tell(Input::Agent(answer));
            }
            while self.call.deadline().is_some_and(|(at, _)| at <= self.now) {
                self.tell(Input::Timeout);
            }
            self.now += FRAME;
        }
        self
    }

    /// The story so far, one line for each event, for what the agent was told, and for what the
    /// carrier was asked, each behind its milliseconds. How long turns took is not told:
    /// [`World::timed`] does.
    pub fn story(&self) -> String {
        let line = |(at, line): &(Duration, Known)| {
            let line = match line {
                Known::Event(event) => publish(event),
                Known::Agent(told) => format!("  agent: {}", spell(told)),
                Known::Carrier(order) => format!("  carrier: {order:?}"),
            };
            format!("{:06}  {line}\n", at.as_millis())
        };
        let told = self.past.iter();
        let told = told.filter(|it| !matches!(it.1, Known::Event(Event::AgentTurnTimed(_))));
        told.map(line).collect()
    }

    /// How long each turn took, stage by stage, one line for each.
    pub fn timed(&self) -> String {
        let mut lines = String::new();
        for event in self.events() {
            if let Event::AgentTurnTimed(timed) = event {
                lines += &serde_json::to_string(&timed).expect("figures are plain data");
                lines.push('\n');
            }
        }
        lines
    }

    /// The events, without their times.
    pub fn events(&self) -> Vec<Event> {
        let event = |(_, line): &(Duration, Known)| match line {
            Known::Event(event) => Some(event.clone()),
            Known::Agent(_) | Known::Carrier(_) => None,
        };
        self.past.iter().filter_map(event).collect()
    }

    /// How long the far end has played anything at all.
    pub fn played(&self) -> Duration {
        FRAME * self.far.played as u32
    }

    /// The longest that the far end played nothing, between these two times.
    pub fn longest_silence(&self, from: Duration, to: Duration) -> Duration {
        let step = |at: Duration| (at.as_millis() / FRAME.as_millis()) as usize;
        let steps = &self.far.steps[step(from)..step(to).min(self.far.steps.len())];
        let longest = steps.split(|it| *it).map(<[bool]>::len).max();
        FRAME * longest.unwrap_or_default() as u32
    }

    fn happen(&mut self) {
        let elapsed = self.now - self.start;
        let (due, later) = self.script.drain(..).partition(|(at, _)| *at <= elapsed);
        self.script = later;
        let due: Vec<(Duration, Happening)> = due;
        for (_, happening) in due {
            match happening {
                Happening::Carrier(news) => self.tell(Input::Carrier(news)),
                Happening::Command(command) => self.tell(Input::Command(command)),
                Happening::Meeting(news) => self.tell(Input::Meeting(news)),
                Happening::Speak(length, words) => self.talk(length, words),
                Happening::Judged(length, words, probability) => {
                    self.talk(length, words);
                    self.caller.verdict = Some(probability);
                }
                Happening::Speech(speech) => self.tell(Input::Speech(speech)),
                Happening::Agent(answer) => self.tell(Input::Agent(answer)),
                Happening::Killed(gone) => self.restart(gone),
            }
        }
    }

    /// Nothing but what is remembered of the call is left; its agent has the rest of its answers.
    fn restart(&mut self, gone: Duration) {
        let memory = self.call.memory(self.now);
        let (call, out) = Watched::resume(self.now, self.plan.clone(), memory, gone);
        self.call = call;
        self.session = session(self.network);
        self.speaking = self.speaking.again();
        self.far.clear();
        self.agents.forget();
        self.perform(out);
    }

    fn talk(&mut self, length: Duration, words: &'static str) {
        self.caller.talks_until = Some(self.now + length);
        self.listening.speech(self.now, length, words);
    }

    fn caller_sends(&mut self) {
        let index = self.caller.sent;
        self.caller.sent += 1;
        for index in self.network.carry(index) {
            let payload = self.caller.payload(self.now);
            self.session.receive(Packet {
                index,
                payload: &payload,
            });
        }
    }

    fn far_end_plays(&mut self) {
        for mark in self.far.play() {
            if let Some(progress) = self.session.marked(self.now - self.start, mark) {
                self.tell(Input::Media(Media::Progress(progress)));
            }
        }
    }

    fn tick(&mut self) {
        let far = &mut self.far;
        let tick = self
            .session
            .tick(self.now - self.start, |it| far.send(sent(it)));
        let (edge, key, finished) = (tick.edge, tick.key, tick.finished);
        let answerer = tick.answerer;
        if let Some(progress) = finished {
            self.tell(Input::Media(Media::Progress(progress)));
        }
        if let Some(finding) = answerer {
            self.tell(Input::Media(Media::Answerer(finding)));
        }
        if let Some(edge) = edge {
            self.tell(Input::Media(Media::Edge(edge)));
            if matches!(edge, Edge::SpeechEnded { .. })
                && let Some(probability) = self.caller.verdict.take()
            {
                self.listening.judge(self.now, probability);
            }
        }
        if let Some(digit) = key.and_then(Digit::new) {
            self.tell(Input::Carrier(Carrier::Pressed(digit)));
        }
    }

    fn hear(&mut self) {
        for told in self.listening.hear(self.now) {
            self.tell(Input::Speech(told));
        }
    }

    fn speak(&mut self) {
        for spoken in self.speaking.speak(self.now, FRAME) {
            match spoken {
                Spoken::Audio(id, samples) => {
                    self.session.play(id, &samples);
                    if self.begun.replace(id) != Some(id) {
                        self.tell(Input::Speech(Speech::Begun(id)));
                    }
                }
                Spoken::Done(id, length) => {
                    self.session.complete(id);
                    self.tell(Input::Speech(Speech::Length(id, length)));
                }
                Spoken::Failed(id) => {
                    let failed = Speech::MouthFailed(id, "speech.failed");
                    self.tell(Input::Speech(failed));
                }
            }
        }
    }

    /// The announcement is there before the call is, and is a hum.
    fn announce(&mut self) {
        // Another line: the one before took what it had of it along.
        if std::mem::replace(&mut self.announced, true) {
            self.session = session(self.network);
            self.far.clear();
        }
        let length = self.plan.announcement.as_ref().map(|it| it.length);
        let samples = Rate::Hz8000.samples_in(length.unwrap_or_default());
        let hum = |at: usize| {
            if (at / 8).is_multiple_of(2) {
                5_000
            } else {
                -5_000
            }
        };
        let hum: Vec<i16> = (0..samples).map(hum).collect();
        self.session.play(ANNOUNCEMENT, &hum);
        self.session.complete(ANNOUNCEMENT);
    }

    /// Tells the call one thing, and does everything that follows from it.
    fn tell(&mut self, input: Input) {
        // A decision never rests on an old figure of what was heard.
        let mut outputs = Vec::new();
        if let Some(progress) = self.session.progress(self.now - self.start) {
            let progress = Input::Media(Media::Progress(progress));
            outputs.extend(self.call.handle(self.now, progress));
        }
        outputs.extend(self.call.handle(self.now, input));
        self.perform(outputs);
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        let elapsed = self.now - self.start;
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Event(event) => self.past.push((elapsed, Known::Event(event))),
                Output::Carrier(order) => self.past.push((elapsed, Known::Carrier(order))),
                Output::Agent(told) => {
                    if let output::Agent::Turn { turn, .. } | output::Agent::Open { turn } = &told {
                        self.agents.turn(self.now, *turn);
                    }
                    self.past.push((elapsed, Known::Agent(told)));
                }
                // Nobody else is at the table.
                Output::Meeting(_) => {}
                Output::Media(output::Media::Announce) => self.announce(),
                // Its event says so.
                Output::Media(output::Media::Record) => {}
                Output::Media(output::Media::JudgeAnswerer) => self.session.judge_answerer(),
                Output::Media(output::Media::Press(keys)) => self.session.press(keys.as_str()),
                Output::Media(output::Media::Cut(last)) => {
                    let answer = self.cut(last);
                    for output in answer.into_iter().rev() {
                        outputs.push_front(output);
                    }
                }
                Output::Speech(output::Speech::Synthesize(id, text)) => {
                    self.speaking.synthesize(self.now, id, text.reveal());
                }
                Output::Speech(output::Speech::Pulse(id)) => self.speaking.pulse(self.now, id),
                Output::Speech(output::Speech::Finalize) => self.listening.finalize(self.now),
                // This mouth never cancels: cut audio arrives anyway and must be dropped.
                Output::Speech(output::Speech::Cancel(_)) => {}
            }
        }
    }

    fn cut(&mut self, last: UtteranceId) -> Vec<Output> {
        let elapsed = self.now - self.start;
        let cleared = self.far.clear();
        let far = &mut self.far;
        let cut = self.session.cut(elapsed, last, |it| far.send(sent(it)));
        // Marks come back because they were cleared, and must not pass for heard.
        for mark in cleared {
            assert_eq!(self.session.marked(elapsed, mark), None, "a cleared mark");
        }
        self.call.handle(self.now, Input::Media(Media::Cut(cut)))
    }
}

impl Caller {
    /// 20 ms of µ-law: loud noise, or silence.
    fn payload(&mut self, now: Instant) -> Vec<u8> {
        let talks = self.talks_until.is_some_and(|it| now < it);
        let mut noise = || {
            self.noise = self
                .noise
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            // Large, of either sign.
            (self.noise >> 24) as u8 & 0x8f
        };
        // Now louder, now softer, as voices are.
        let loudness = if (self.sent / 4).is_multiple_of(2) {
            0x10
        } else {
            0x20
        };
        let sample = |_| if talks { noise() | loudness } else { 0xff };
        (0..160).map(sample).collect()
    }
}

fn session(network: Network) -> Session {
    Session::new(Setup {
        format: ULAW,
        spoken: ULAW,
        line: if network.is_ordered() {
            Line::Ordered
        } else {
            Line::Jittery { depth: 3 }
        },
        detector: Detector::Energy,
        lead: Duration::from_millis(100),
        echo: media::Echo::Guarded,
    })
}

fn sent(outgoing: Outgoing<'_>) -> Sent {
    match outgoing {
        Outgoing::Audio(_) => Sent::Frame,
        Outgoing::Mark(mark) => Sent::Mark(mark),
    }
}

/// An event, as the world reads it, but without the quotes and braces.
fn publish(event: &Event) -> String {
    let event = serde_json::to_value(event).expect("an event is plain data");
    let fields = event.as_object().expect("an event has fields");
    let other = fields.iter().filter(|(name, _)| *name != "type");
    let other = other.map(|(name, value)| match name.as_str() {
        "text" => format!(" {value}"),
        name => format!(" {name}={value}"),
    });
    let kind = fields["type"].as_str().expect("an event has a type");
    kind.to_owned() + &other.collect::<String>()
}

/// What the agent is told, readable. It says the words, which printing does not.
fn spell(told: &output::Agent) -> String {
    match told {
        output::Agent::Abandon(turn) => format!("{} abandon", turn.0),
        output::Agent::Heard { turn, text } => format!("{} heard {:?}", turn.0, text.reveal()),
        output::Agent::Interrupted { turn, heard } => {
            format!("{} interrupted {:?}", turn.0, heard.reveal())
        }
        output::Agent::Open { turn } => format!("{} open", turn.0),
        output::Agent::Opened { text } => format!("opened {:?}", text.reveal()),
        output::Agent::Pressed(digit) => format!("pressed {}", digit.as_char()),
        output::Agent::Proved => "proved".to_owned(),
        output::Agent::Refused(refused) => format!("refused {}", refused.code),
        output::Agent::Turn { turn, said } => format!("{} turn {:?}", turn.0, said.reveal()),
    }
}

const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};
