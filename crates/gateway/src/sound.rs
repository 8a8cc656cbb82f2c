//! One call's sound on its socket: the road that fifty frames a second travel, each way.

use std::time::{Duration, Instant};

use call::{Digit, Keys};
use media::machine::Finding;
use media::{
    Cut, Detector, Echo, Edge, FRAME, Format, Frame, Mark, Outgoing, Progress, Rate, Session,
    Setup, UtteranceId,
};
use ports::Fault;
use ports::carrier::{StreamCommand, StreamEvent, StreamProtocol};
use ports::speech::{Listen, Verdict, Windows};
use tokio::sync::mpsc;

use crate::keypad::{Keypad, Way};
use crate::line::{Line, Weight};
use crate::meeting::Said;
use crate::metrics::metrics;
use crate::recorder::Recorder;
use crate::runner::Others;

/// A socket whose token was good and whose stream has introduced itself.
pub struct Attached<L> {
    /// The socket.
    pub line: L,
    /// Its dialect, which has read the introduction.
    pub protocol: Box<dyn StreamProtocol>,
    /// What the caller's sound is written in.
    pub format: Format,
    /// What ours is written in.
    pub spoken: Format,
    /// Whether packets may overtake one another.
    pub order: media::Line,
}

impl<L> Attached<L> {
    /// The rate that the call runs at: of its recording, its ears and its mouth.
    pub(crate) fn rate(&self) -> Rate {
        self.format.rate.max(self.spoken.rate)
    }
}

/// What the sound is for.
pub(crate) struct Wiring {
    /// The caller's sound comes back to the caller, and nothing is made of it.
    pub(crate) loopback: bool,
    /// Where the caller's sound is turned into words; `None`: nowhere.
    pub(crate) ears: Option<mpsc::Sender<Listen>>,
    /// What tells speech from noise; `None`: loudness does.
    pub(crate) windows: Option<Box<dyn Windows>>,
    /// Where it is recorded; `None`: it is not.
    pub(crate) recorder: Option<Recorder>,
    /// Whether what others at a meeting say is recorded with it.
    pub(crate) others: Others,
}

/// Something the call should know.
#[derive(Debug)]
pub(crate) enum Found {
    Answerer(Finding),
    Edge(Edge),
    Finished(Progress),
    Pressed(Digit),
    /// The carrier says that the sound is over.
    Stopped,
    /// The socket is gone without a word.
    Broke,
}

/// What went wrong on the socket without ending the call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Oddities {
    pub(crate) unknown: u64,
    pub(crate) malformed: u64,
    pub(crate) unheard_frames: u64,
}

/// The sound of a call, attached.
pub(crate) struct Sound<L> {
    pub(crate) line: L,
    protocol: Box<dyn StreamProtocol>,
    session: Session,
    rate: Rate,
    wiring: Wiring,
    began: Instant,
    /// After this long without a frame of the caller's, a timer stands in for them.
    step_in: Duration,
    /// When it does.
    next_tick: Instant,
    keypad: Keypad,
    /// Where the caller's sound goes while they sit at a meeting.
    table: Option<mpsc::Sender<Said>>,
    /// What is recorded and listened to instead, while nothing may be: silence.
    hushed: Option<Vec<i16>>,
    oddities: Oddities,
    /// When the caller's last frame came.
    arrived: Option<Instant>,
    /// The message being written, and the frame being passed on: kept to be used again.
    message: String,
    frame: Vec<i16>,
}

/// The caller's frames are the clock; after this long without one, a timer is. Less than the lead,
/// so the agent is never heard to stumble because the caller's side did.
const STEP_IN: Duration = Duration::from_millis(60);

/// The same where nobody talks but the caller: late sound can only come back late, and making some
/// up meanwhile would put more of it between the two.
const STEP_IN_ALONE: Duration = Duration::from_secs(1);

/// How far ahead of real time sound is sent: what the far end may have buffered when it is cut.
pub(crate) const LEAD: Duration = Duration::from_millis(100);

/// The same where nobody is cut short: what came late in a burst goes on at once, instead of keeping
/// all that follows waiting.
const LEAD_ALONE: Duration = Duration::from_millis(300);

/// In a call whose sound comes back, all of it is one endless utterance.
const ECHO: UtteranceId = UtteranceId(1);

impl<L: Line> Sound<L> {
    pub(crate) fn new(now: Instant, attached: Attached<L>, wiring: Wiring) -> Self {
        let detector = match wiring.windows {
            Some(_) => Detector::Model,
            None => Detector::Energy,
        };
        let (echo, lead, step_in) = if wiring.loopback {
            (Echo::Expected, LEAD_ALONE, STEP_IN_ALONE)
        } else {
            (Echo::Guarded, LEAD, STEP_IN)
        };
        let setup = Setup {
            format: attached.format,
            spoken: attached.spoken,
            line: attached.order,
            detector,
            lead,
            echo,
        };
        Self {
            line: attached.line,
            protocol: attached.protocol,
            session: Session::new(setup),
            rate: setup.rate(),
            wiring,
            began: now,
            step_in,
            next_tick: now + step_in,
            keypad: Keypad::default(),
            table: None,
            hushed: None,
            oddities: Oddities::default(),
            arrived: None,
            message: String::with_capacity(512),
            frame: Vec::with_capacity(setup.rate().samples_per_frame()),
        }
    }

    /// The carrier closed the socket as one should.
    pub(crate) fn closed(&self) -> Found {
        if self.protocol.stops_by_closing() {
            Found::Stopped
        } else {
            Found::Broke
        }
    }

    /// Takes one message from the socket.
    pub(crate) fn receive(&mut self, now: Instant, text: &str, found: &mut Vec<Found>) {
        match self.protocol.decode(text) {
            Ok(StreamEvent::Audio(packet)) => {
                self.session.receive(packet);
                if let Some(before) = self.arrived.replace(now) {
                    let late = (now - before).saturating_sub(FRAME);
                    metrics().frame_late.observe(late.as_secs_f64());
                }
                self.next_tick = now + self.step_in;
                while self.session.ready() {
                    self.tick(now, found);
                }
            }
            Ok(StreamEvent::Marked(mark)) => {
                let finished = self.session.marked(now - self.began, mark);
                found.extend(finished.map(Found::Finished));
            }
            Ok(StreamEvent::Pressed(digit)) => {
                if self.keypad.is_press(now, digit, Way::Message) {
                    found.push(Found::Pressed(digit));
                }
            }
            Ok(StreamEvent::Stopped) => found.push(Found::Stopped),
            // A second introduction changes nothing.
            Ok(StreamEvent::Idle | StreamEvent::Started(_)) => {}
            Ok(StreamEvent::Unknown) => self.oddities.unknown += 1,
            Err(fault) => self.complain(&fault),
        }
    }

    /// A message that cannot be read, or in which the far end says what it did not like: of each call
    /// the first is worth a line.
    fn complain(&mut self, fault: &Fault) {
        if self.oddities.malformed == 0 {
            let (code, hint) = (fault.code, fault.hint.as_deref());
            tracing::warn!(
                code,
                hint,
                "a message about a call's sound is not as it should be: {fault}"
            );
        }
        self.oddities.malformed += 1;
    }

    /// Does what time alone demands: goes on without the caller's frames, sends what is due.
    pub(crate) fn wake(&mut self, now: Instant, found: &mut Vec<Found>) {
        let late = now.saturating_duration_since(self.deadline());
        metrics().wake_late.observe(late.as_secs_f64());
        while self.next_tick <= now {
            self.next_tick += FRAME;
            self.tick(now, found);
        }
        self.speak(now, found);
    }

    /// When to [`Sound::wake`] even if nothing happens.
    pub(crate) fn deadline(&self) -> Instant {
        match self.session.deadline() {
            Some(at) => self.next_tick.min(self.began + at),
            None => self.next_tick,
        }
    }

    /// Plays agent audio after what is already queued for this utterance.
    pub(crate) fn play(
        &mut self,
        now: Instant,
        id: UtteranceId,
        samples: &[i16],
        found: &mut Vec<Found>,
    ) {
        self.session.play(id, samples);
        self.speak(now, found);
    }

    /// Finds out from now on who picked up.
    pub(crate) fn judge_answerer(&mut self) {
        self.session.judge_answerer();
    }

    /// Lets the far end hear keys.
    pub(crate) fn press(&mut self, now: Instant, keys: &Keys, found: &mut Vec<Found>) {
        self.session.press(keys.as_str());
        self.speak(now, found);
    }

    /// Says nothing until [`Sound::make_room`]: the carrier is about to press keys.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.session.hold(now - self.began);
    }

    /// Says nothing while the keys sound that the carrier presses now.
    pub(crate) fn make_room(&mut self, now: Instant, length: Duration) {
        self.session.make_room(now - self.began, length);
    }

    /// No more audio will come for this utterance.
    pub(crate) fn complete(&mut self, now: Instant, id: UtteranceId, found: &mut Vec<Found>) {
        self.session.complete(id);
        self.speak(now, found);
    }

    /// From now on the others at a meeting hear the caller.
    pub(crate) fn sit(&mut self, table: mpsc::Sender<Said>) {
        self.table = Some(table);
    }

    /// Not any more.
    pub(crate) fn stand(&mut self) {
        self.table = None;
    }

    /// From now on silence is recorded, and listened to.
    pub(crate) fn hush(&mut self) {
        let silence = || vec![0; self.rate.samples_per_frame()];
        self.hushed.get_or_insert_with(silence);
    }

    /// Not any more.
    pub(crate) fn unhush(&mut self) {
        self.hushed = None;
    }

    /// How many samples a second it has.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Silences the agent, here and in the far end's buffer.
    pub(crate) fn cut(&mut self, now: Instant, last: UtteranceId) -> Option<Cut> {
        let Self {
            session,
            protocol,
            line,
            message,
            ..
        } = self;
        // Where the carrier presses keys, nothing of ours waits there, and perhaps the keys do.
        if !session.is_held(now - self.began) {
            send(protocol, line, message, StreamCommand::Clear);
        }
        let cut = session.cut(now - self.began, last, |outgoing| {
            send_outgoing(protocol, line, message, outgoing);
        });
        line.flush();
        cut
    }

    /// A speech model's verdict on a window.
    pub(crate) fn judged(&mut self, verdict: Verdict) -> Option<Edge> {
        let edge = self.session.judged(verdict.window, verdict.probability)?;
        self.tell_ears(edge);
        Some(edge)
    }

    /// How much has been heard of the utterance now playing.
    pub(crate) fn progress(&self, now: Instant) -> Option<Progress> {
        self.session.progress(now - self.began)
    }

    /// From now on it is recorded.
    pub(crate) fn record(&mut self, recorder: Recorder) {
        self.wiring.recorder = Some(recorder);
    }

    /// The recording goes on without this socket.
    pub(crate) fn take_recorder(&mut self) -> Option<Recorder> {
        self.wiring.recorder.take()
    }

    /// The call is over: hands back what must still be closed.
    pub(crate) fn into_parts(self) -> (L, Option<Recorder>, Oddities) {
        let underruns = self.session.counts().underruns;
        metrics().sound_over(self.oddities, self.line.dropped(), underruns);
        (self.line, self.wiring.recorder, self.oddities)
    }

    /// Moves the call forward by one frame.
    fn tick(&mut self, now: Instant, found: &mut Vec<Found>) {
        let Self {
            session,
            protocol,
            line,
            message,
            frame,
            wiring,
            keypad,
            table,
            hushed,
            ..
        } = self;
        let tick = session.tick(now - self.began, |outgoing| {
            send_outgoing(protocol, line, message, outgoing);
        });
        if let (Some((window, samples)), Some(windows)) = (tick.window, &mut wiring.windows) {
            windows.submit(window, samples);
        }
        let kept = |it| hushed.as_deref().unwrap_or(it);
        let heard = kept(tick.heard);
        if let Some(recorder) = &mut wiring.recorder {
            match (&table, wiring.others) {
                (Some(_), Others::MayNotBe) => recorder.record_alone(heard),
                (Some(_) | None, _) => recorder.record(heard, kept(tick.playing)),
            }
        }
        let edge = tick.edge;
        let answerer = tick.answerer;
        found.extend(tick.finished.map(Found::Finished));
        let key = tick.key.and_then(Digit::new);
        let key = key.filter(|it| keypad.is_press(now, *it, Way::Sound));
        found.extend(key.map(Found::Pressed));
        if let Some(ears) = &wiring.ears {
            let heard = Listen::Frame(Frame::from_samples(self.rate, heard));
            if ears.try_send(heard).is_err() {
                self.oddities.unheard_frames += 1;
            }
        }
        if let Some(table) = table {
            let heard = Said::Sound(Frame::from_samples(self.rate, heard));
            if table.try_send(heard).is_err() {
                self.oddities.unheard_frames += 1;
            }
        }
        if wiring.loopback {
            frame.clear();
            frame.extend_from_slice(tick.heard);
            session.play(ECHO, frame);
            session.speak(now - self.began, |outgoing| {
                send_outgoing(protocol, line, message, outgoing);
            });
        }
        if let Some(edge) = edge {
            self.tell_ears(edge);
            found.push(Found::Edge(edge));
        }
        found.extend(answerer.map(Found::Answerer));
    }

    fn speak(&mut self, now: Instant, found: &mut Vec<Found>) {
        let Self {
            session,
            protocol,
            line,
            message,
            ..
        } = self;
        let finished = session.speak(now - self.began, |outgoing| {
            send_outgoing(protocol, line, message, outgoing);
        });
        found.extend(finished.map(Found::Finished));
    }

    fn tell_ears(&mut self, edge: Edge) {
        if let Some(ears) = &self.wiring.ears
            && ears.try_send(Listen::Edge(edge)).is_err()
        {
            self.oddities.unheard_frames += 1;
        }
    }
}

fn send_outgoing<L: Line>(
    protocol: &mut Box<dyn StreamProtocol>,
    line: &mut L,
    message: &mut String,
    outgoing: Outgoing<'_>,
) {
    let command = match outgoing {
        Outgoing::Audio(sound) => StreamCommand::Audio(sound),
        Outgoing::Mark(mark) => StreamCommand::Mark(mark),
    };
    send(protocol, line, message, command);
}

fn send<L: Line>(
    protocol: &mut Box<dyn StreamProtocol>,
    line: &mut L,
    message: &mut String,
    command: StreamCommand<'_>,
) {
    let weight = match command {
        StreamCommand::Audio(_) => Weight::Sound,
        StreamCommand::Clear | StreamCommand::Mark(Mark { .. }) => Weight::Control,
    };
    message.clear();
    protocol.encode(command, message);
    if !message.is_empty() {
        line.push(message, weight);
    }
}
