//! A call told as a story: a caller, an agent, a far end that plays what it is sent.

use std::time::Duration;

use media::{
    Codec, Cut, Detector, Edge, Format, Line, Mark, Outgoing, Packet, Progress, Rate, Session,
    Setup, UtteranceId,
};

pub(crate) const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};

pub(crate) fn setup() -> Setup {
    Setup {
        format: ULAW,
        line: Line::Ordered,
        detector: Detector::Energy,
        lead: ms(100),
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn tone(rate: Rate, hz: f64, amplitude: f64, length: Duration) -> Vec<i16> {
    let step = hz * std::f64::consts::TAU / f64::from(rate.hz());
    (0..rate.samples_in(length))
        .map(|i| ((i as f64 * step).sin() * amplitude) as i16)
        .collect()
}

/// One call and its far end.
pub(crate) struct Call {
    pub(crate) session: Session,
    pub(crate) now: Duration,
    packets: u64,
    /// When each frame was sent, and what it was.
    pub(crate) sent: Vec<(Duration, Vec<i16>)>,
    pub(crate) marks: Vec<(Duration, Mark)>,
    pub(crate) edges: Vec<(Duration, Edge)>,
    pub(crate) finished: Vec<(Duration, Progress)>,
    pub(crate) heard: Vec<i16>,
    pub(crate) playing: Vec<i16>,
    pub(crate) keys: String,
}

impl Call {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            session: Session::new(setup),
            now: Duration::ZERO,
            packets: 0,
            sent: Vec::new(),
            marks: Vec::new(),
            edges: Vec::new(),
            finished: Vec::new(),
            heard: Vec::new(),
            playing: Vec::new(),
            keys: String::new(),
        }
    }

    /// The caller says this, frame by frame, and the call moves on in step.
    pub(crate) fn hears(&mut self, samples: &[i16]) -> &mut Self {
        let format = self.session.setup().format;
        for frame in samples.chunks(format.rate.samples_per_frame()) {
            self.now += media::FRAME;
            let mut payload = Vec::new();
            format.codec.encode_into(frame, &mut payload);
            self.session.receive(Packet {
                index: self.packets,
                payload: &payload,
            });
            self.packets += 1;
            self.tick();
        }
        self
    }

    pub(crate) fn silence(&mut self, length: Duration) -> &mut Self {
        let samples = self.session.setup().format.rate.samples_in(length);
        self.hears(&vec![0; samples])
    }

    pub(crate) fn tick(&mut self) {
        let codec = self.session.setup().format.codec;
        let (now, sent, marks) = (self.now, &mut self.sent, &mut self.marks);
        let tick = self
            .session
            .tick(now, |out| write(out, codec, now, sent, marks));
        self.heard.extend(tick.heard);
        self.playing.extend(tick.playing);
        self.edges.extend(tick.edge.map(|it| (now, it)));
        self.finished.extend(tick.finished.map(|it| (now, it)));
        self.keys.extend(tick.key);
    }

    pub(crate) fn speak(&mut self) -> &mut Self {
        let codec = self.session.setup().format.codec;
        let (now, sent, marks) = (self.now, &mut self.sent, &mut self.marks);
        let finished = self
            .session
            .speak(now, |out| write(out, codec, now, sent, marks));
        self.finished.extend(finished.map(|it| (now, it)));
        self
    }

    pub(crate) fn cut(&mut self, last: u32) -> Option<Cut> {
        let codec = self.session.setup().format.codec;
        let (now, sent, marks) = (self.now, &mut self.sent, &mut self.marks);
        self.session.cut(now, UtteranceId(last), |out| {
            write(out, codec, now, sent, marks)
        })
    }

    pub(crate) fn says(&mut self, utterance: u32, samples: &[i16]) -> &mut Self {
        self.session.play(UtteranceId(utterance), samples);
        self.session.complete(UtteranceId(utterance));
        self.speak()
    }

    pub(crate) fn sent_samples(&self) -> Vec<i16> {
        self.sent
            .iter()
            .flat_map(|it| it.1.iter().copied())
            .collect()
    }
}

fn write(
    out: Outgoing<'_>,
    codec: Codec,
    now: Duration,
    sent: &mut Vec<(Duration, Vec<i16>)>,
    marks: &mut Vec<(Duration, Mark)>,
) {
    match out {
        Outgoing::Audio(bytes) => {
            let mut samples = Vec::new();
            codec.decode_into(bytes, &mut samples);
            sent.push((now, samples));
        }
        Outgoing::Mark(mark) => marks.push((now, mark)),
    }
}

#[test]
fn what_arrives_is_heard_at_once() {
    let mut call = Call::new(setup());
    assert!(!call.session.ready());
    call.session.receive(Packet {
        index: 7,
        payload: &[0x80; 160],
    });
    assert!(call.session.ready());
    call.tick();
    assert!(!call.session.ready());
    assert_eq!(
        call.heard[20..],
        [Codec::Ulaw.decode(0x80); 140],
        "after a millisecond's fading in"
    );
}

#[test]
fn an_utterance_leaves_with_a_lead_and_ends_with_its_mark() {
    let mut call = Call::new(setup());
    let speech = tone(Rate::Hz8000, 400.0, 8_000.0, ms(500));
    call.silence(ms(1_000));
    call.says(1, &speech);
    assert_eq!(call.sent.len(), 5, "100 ms at once");
    call.silence(ms(400));
    assert_eq!(call.sent.len(), 25);
    let last = call.marks.last().map(|it| it.1).expect("the end is marked");
    assert_eq!(
        call.session.progress(call.now).map(|it| it.played),
        Some(ms(400))
    );
    call.now += ms(100);
    let done = call.session.marked(call.now, last);
    assert_eq!(
        done,
        Some(Progress {
            utterance: UtteranceId(1),
            played: ms(500),
            done: true
        })
    );
    call.silence(ms(1_000));
    assert_eq!(call.finished, [], "once is enough");
    assert_eq!(call.session.deadline(), None);
}

#[test]
fn without_marks_an_utterance_ends_when_it_must_have_been_heard() {
    let mut call = Call::new(setup());
    call.says(1, &tone(Rate::Hz8000, 400.0, 8_000.0, ms(200)));
    call.silence(ms(1_000));
    let done = Progress {
        utterance: UtteranceId(1),
        played: ms(200),
        done: true,
    };
    assert_eq!(call.finished, [(ms(500), done)]);
}

#[test]
fn a_cut_is_a_short_fade_and_then_nothing() {
    let mut call = Call::new(setup());
    let speech = tone(Rate::Hz8000, 400.0, 8_000.0, ms(5_000));
    call.session.play(UtteranceId(1), &speech);
    call.silence(ms(1_000));
    let before = call.sent.len();
    assert_eq!(
        call.cut(1),
        Some(Cut {
            utterance: UtteranceId(1),
            played: ms(1_000 - 20)
        })
    );
    assert_eq!(call.sent.len(), before + 1, "the fade");
    let fade = call.sent[before].1.clone();
    assert!(fade[..40].iter().any(|it| it.abs() > 5_000));
    assert!(
        fade[140..].iter().all(|it| it.abs() < 1_200),
        "{:?}",
        &fade[140..]
    );
    call.says(1, &speech);
    call.silence(ms(1_000));
    assert_eq!(
        call.sent.len(),
        before + 1,
        "a late synthesizer is not heard"
    );
    assert_eq!(call.finished, []);
    assert!(
        call.playing[call.playing.len() - 40_00..]
            .iter()
            .all(|&it| it == 0)
    );
    call.says(2, &speech[..160]);
    assert_eq!(
        call.sent.len(),
        before + 2,
        "the next utterance is unaffected"
    );
}

#[test]
fn marks_of_a_time_before_a_cut_mean_nothing() {
    let mut call = Call::new(setup());
    call.says(1, &tone(Rate::Hz8000, 400.0, 8_000.0, ms(100)));
    let old = call.marks[0].1;
    call.cut(0);
    assert_eq!(call.session.marked(call.now, old), None);
    call.silence(ms(2_000));
    assert_eq!(
        call.finished.len(),
        1,
        "what was cleared was sent again, and heard"
    );
    assert_eq!(call.finished[0].1.played, ms(100));
}

#[test]
fn speech_is_noticed_and_dated() {
    let mut call = Call::new(setup());
    call.silence(ms(1_000))
        .hears(&tone(Rate::Hz8000, 300.0, 4_000.0, ms(600)))
        .silence(ms(600));
    let edges = [
        (ms(1_060), Edge::SpeechStarted { ago: ms(60) }),
        (ms(1_800), Edge::SpeechEnded { ago: ms(200) }),
    ];
    assert_eq!(call.edges, edges);
}
