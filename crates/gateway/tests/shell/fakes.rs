//! The other ends of a call's links. A fake is not a mock: it is simply the far side.

use std::time::Duration;

use call::event::{End, Event, Party, Why};
use call::{Direction, Machine, Mode, Phrases, Plan, Policy, input};
use gateway::flight::{Flight, Landing, Recording, Snapshot};
use gateway::journal::{CallLog, Parties, Pen};
use gateway::line::{Incoming, Line, Weight};
use gateway::presses::Presses;
use gateway::runner::{Attached, Control, Order, Parts, Talk, run};
use media::{Codec, Format, Mark, Packet, Rate};
use ports::agent::{Answer, Tell};
use ports::carrier::{StreamCommand, StreamEvent, StreamProtocol};
use ports::speech::{Hearing, Listen, Speak, Spoken, Synthesizer, Transcriber, Voice};
use ports::{Fault, Link, pair};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A line whose far end is in the test's hands.
pub(crate) struct FakeLine {
    incoming: mpsc::UnboundedReceiver<String>,
    outgoing: mpsc::UnboundedSender<String>,
}

impl Line for FakeLine {
    async fn recv(&mut self) -> Incoming {
        match self.incoming.recv().await {
            Some(text) => Incoming::Text(text.into()),
            None => Incoming::Closed,
        }
    }

    fn push(&mut self, text: &str, _: Weight) {
        let _ = self.outgoing.send(text.to_owned());
    }

    fn flush(&mut self) {}

    async fn close(self) {}

    fn dropped(&self) -> u64 {
        0
    }
}

/// A dialect made of words: `audio INDEX BYTE`, `speech INDEX`, `mark G I`, `press K`, `stop`.
struct Plain {
    payload: Vec<u8>,
}

impl StreamProtocol for Plain {
    fn decode<'m>(&'m mut self, message: &'m str) -> Result<StreamEvent<'m>, Fault> {
        let words: Vec<&str> = message.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().expect("the test writes numbers");
        Ok(match words[0] {
            "audio" => {
                self.payload = vec![number(2) as u8; 160];
                StreamEvent::Audio(Packet {
                    index: number(1),
                    payload: &self.payload,
                })
            }
            "speech" => {
                // Loud noise, different in every frame: nothing an echo could be mistaken for.
                let mut noise = number(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                self.payload = std::iter::repeat_with(|| {
                    noise = noise
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (noise >> 56) as u8 & 0x9f
                })
                .take(160)
                .collect();
                StreamEvent::Audio(Packet {
                    index: number(1),
                    payload: &self.payload,
                })
            }
            "mark" => StreamEvent::Marked(Mark {
                generation: number(1) as u32,
                index: number(2) as u32,
            }),
            "press" => StreamEvent::Pressed(
                call::Digit::new(words[1].chars().next().expect("a key")).expect("a key"),
            ),
            "stop" => StreamEvent::Stopped,
            _ => StreamEvent::Unknown,
        })
    }

    fn stops_by_closing(&self) -> bool {
        false
    }
    fn encode(&mut self, command: StreamCommand<'_>, out: &mut String) {
        use std::fmt::Write;
        match command {
            StreamCommand::Audio(sound) => write!(out, "audio {}", sound[80]),
            StreamCommand::Clear => write!(out, "clear"),
            StreamCommand::Mark(mark) => write!(out, "mark {} {}", mark.generation, mark.index),
        }
        .expect("a string takes everything");
    }
}

/// Ears and mouth whose far ends are in the test's hands, each opened once.
struct FakeVoice {
    ears: Mutex<Option<Link<Listen, Hearing>>>,
    mouth: Mutex<Option<Link<Speak, Spoken>>>,
}

#[async_trait::async_trait]
impl Transcriber for FakeVoice {
    async fn open(&self, _: &str, _: Rate) -> Result<Link<Listen, Hearing>, Fault> {
        Ok(self
            .ears
            .lock()
            .expect("one test, one thread")
            .take()
            .expect("ears are opened once"))
    }
}

#[async_trait::async_trait]
impl Synthesizer for FakeVoice {
    async fn open(&self, _: Rate) -> Result<Link<Speak, Spoken>, Fault> {
        Ok(self
            .mouth
            .lock()
            .expect("one test, one thread")
            .take()
            .expect("a mouth is opened once"))
    }
}

fn attached(line: FakeLine) -> Attached<FakeLine> {
    Attached {
        line,
        protocol: Box::new(Plain {
            payload: Vec::new(),
        }),
        format: ULAW,
        spoken: ULAW,
        order: media::Line::Ordered,
    }
}

/// A call that is running, and everything around it.
pub(crate) struct World {
    pub(crate) to_call: mpsc::UnboundedSender<String>,
    pub(crate) from_call: mpsc::UnboundedReceiver<String>,
    pub(crate) transcriber: Link<Hearing, Listen>,
    pub(crate) synthesizer: Link<Spoken, Speak>,
    pub(crate) brain: Link<Answer, Tell>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) control: mpsc::Sender<Control<FakeLine>>,
    pub(crate) log: CallLog,
    landing: Landing,
    pub(crate) running: JoinHandle<()>,
    sent: u64,
}

impl World {
    /// Someone calls us, and their sound has arrived.
    pub(crate) async fn new(mode: Mode) -> Self {
        Self::pressed_by(mode, Presses::InSound).await
    }

    /// The same where these keys are pressed by the carrier.
    pub(crate) async fn pressed_by(mode: Mode, presses: Presses) -> Self {
        let (ears, transcriber) = pair(256);
        let (mouth, synthesizer) = pair(64);
        let (agent, brain) = pair(64);
        let voice = Arc::new(FakeVoice {
            ears: Mutex::new(Some(ears)),
            mouth: Mutex::new(None),
        });
        let talk = (mode != Mode::Loopback).then(|| Talk {
            toolbox: None,
            voice: Voice {
                ears: voice.clone(),
                mouth: voice,
                detector: None,
            },
            mouth,
            rate: Rate::Hz8000,
            agent,
            language: "en".into(),
            prepare: Vec::new(),
            transfers: Vec::new(),
        });
        let (to_call, incoming) = mpsc::unbounded_channel();
        let (outgoing, from_call) = mpsc::unbounded_channel();
        let (control, controlled) = mpsc::channel(64);
        let (ordered, orders) = mpsc::channel(8);
        let log = CallLog::new("call".into(), parties(), Pen::dry());
        let plan = called_in(mode.clone());
        let (now, landing) = (Instant::now().into_std(), Landing::default());
        let (flight, first) = Flight::start(now, plan, &log, landing.clone());
        let parts = Parts {
            talk,
            control: controlled,
            orders: ordered,
            presses,
            pad: None,
            log: log.clone(),
            recording: None,
            clip: None,
            mode: Some(mode),
            chair: None,
            pulse: Arc::default(),
        };
        let running = tokio::spawn(run(flight, (now, first), parts));
        let attached = attached(FakeLine { incoming, outgoing });
        control
            .send(Control::Sound(Box::new(attached)))
            .await
            .expect("the call runs");
        let world = Self {
            to_call,
            from_call,
            transcriber,
            synthesizer,
            brain,
            orders,
            control,
            log,
            landing,
            running,
            sent: 0,
        };
        world.until(|event| matches!(event, Event::Connected)).await;
        world
    }

    /// The line breaks, and another comes.
    pub(crate) async fn reconnect(&mut self) {
        let (to_call, incoming) = mpsc::unbounded_channel();
        let (outgoing, from_call) = mpsc::unbounded_channel();
        (self.to_call, self.from_call) = (to_call, from_call);
        self.until(|event| matches!(event, Event::Disconnected))
            .await;
        let attached = attached(FakeLine { incoming, outgoing });
        let sound = Control::Sound(Box::new(attached));
        self.control.send(sound).await.expect("the call runs");
        self.until(|event| matches!(event, Event::Reconnected { .. }))
            .await;
    }

    /// The caller speaks, or is silent, for so many frames, twenty milliseconds apart.
    pub(crate) async fn send(&mut self, frames: u64, what: Sent) {
        for _ in 0..frames {
            self.sent += 1;
            let message = match what {
                Sent::Speech => format!("speech {}", self.sent),
                Sent::Silence => format!("audio {} 255", self.sent),
            };
            let _ = self.to_call.send(message);
            tokio::time::sleep(Duration::from_millis(20)).await;
            while self.transcriber.rx.try_recv().is_ok() {}
        }
    }

    /// Waits until something has happened on the call.
    pub(crate) async fn until(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut seen = 0;
        loop {
            let entries = self.log.wait(seen).await;
            assert!(
                !entries.is_empty(),
                "the call ended first: {}",
                self.story()
            );
            seen += entries.len();
            if let Some(entry) = entries.into_iter().find(|it| wanted(&it.event)) {
                return entry.event;
            }
        }
    }

    /// Waits for what the agent is told, passing over everything else.
    pub(crate) async fn told<T>(&mut self, wanted: impl Fn(Tell) -> Option<T>) -> T {
        loop {
            let tell = self
                .brain
                .rx
                .recv()
                .await
                .expect("the call talks to its agent");
            if let Some(found) = wanted(tell) {
                return found;
            }
        }
    }

    /// Waits for the next clause to be spoken.
    pub(crate) async fn clause(&mut self) -> (media::UtteranceId, String) {
        loop {
            match self
                .synthesizer
                .rx
                .recv()
                .await
                .expect("the call has a mouth")
            {
                Speak::Text(id, text) => return (id, text.into_revealed()),
                Speak::Cancel(_) | Speak::Prepare(_) => {}
            }
        }
    }

    /// Makes the next clause into this much sound.
    pub(crate) async fn speak(&mut self, length: Duration) -> (media::UtteranceId, String) {
        let (id, text) = self.clause().await;
        // Loud and soft in turn, as syllables are: sound as even as the caller's would be taken
        // for its echo.
        let count = length.as_millis() as usize * 8;
        let samples: Vec<i16> = (0..count)
            .map(|at| if at / 1_000 % 2 == 0 { 9_000 } else { 300 })
            .collect();
        let _ = self.synthesizer.tx.send(Spoken::Audio(id, samples)).await;
        let _ = self.synthesizer.tx.send(Spoken::Done(id, length)).await;
        (id, text)
    }

    /// The carrier says that the caller has hung up.
    pub(crate) async fn hang_up(&self) {
        let _ = self
            .control
            .send(Control::News(input::Carrier::Ended(CALLER)))
            .await;
        self.log.ended().await;
    }

    /// The call's flight recording, once it is over, as a file holds it.
    pub(crate) async fn sealed(&self) -> Vec<u8> {
        let tape = self.landing.tape().await.expect("the call flew");
        let entries = self.log.after(0);
        Snapshot { tape, entries }.seal(&self.log)
    }

    /// The same, read back.
    pub(crate) async fn recording(&self) -> Recording {
        Recording::read(&self.sealed().await).expect("it was just written")
    }

    /// The flight recording of a call that is up.
    pub(crate) async fn so_far(&self) -> Recording {
        let (asked, told) = tokio::sync::oneshot::channel();
        let asked = Control::Flight(asked);
        self.control.send(asked).await.expect("the call runs");
        let sealed = told.await.expect("the call answers").seal(&self.log);
        Recording::read(&sealed).expect("it was just written")
    }

    /// Everything that was sent to the far end so far.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.from_call.try_recv().ok()).collect()
    }

    /// The events so far, for people.
    pub(crate) fn story(&self) -> String {
        let entries = self.log.after(0);
        let lines = entries
            .iter()
            .map(|it| serde_json::to_string(&it.event).expect("events are JSON"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// What a caller's line carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sent {
    Speech,
    Silence,
}

/// How a caller ends a call.
pub(crate) const CALLER: End = End {
    by: Party::Caller,
    why: Why::HungUp,
};

fn parties() -> Parties {
    Parties {
        direction: "inbound",
        number: "+15550001111".to_owned().into(),
        caller: None,
        carrier: "fake".into(),
        agent: "fake".into(),
        allowed_by: "a rule".into(),
        objective: None,
        asked_by: None,
        trust: call::Trust::CallerId,
    }
}

const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};

/// Someone calls, and nothing is heard first.
fn called_in(mode: Mode) -> Plan {
    Plan {
        direction: Direction::Inbound,
        mode,
        policy: Policy::default(),
        machine: Machine::Talk,
        phrases: Phrases::default(),
        announcement: None,
        recording: call::Recording::Never,
    }
}
