//! A call told as a story: a caller, an agent, a far end that plays what it is sent.

use std::time::Duration;

use media::{
    Codec, Counts, Cut, Decoder, Detector, Edge, Encoder, Format, Law, Line, Mark, Outgoing,
    Packet, Progress, Rate, Session, Setup, Stereo, UtteranceId,
};

pub(crate) const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};

pub(crate) fn setup() -> Setup {
    Setup {
        format: ULAW,
        spoken: ULAW,
        line: Line::Ordered,
        detector: Detector::Energy,
        lead: ms(100),
        echo: media::Echo::Guarded,
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
    caller: Encoder,
    far: Decoder,
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
            caller: Encoder::new(setup.format, setup.rate()),
            far: Decoder::new(setup.spoken, setup.rate()),
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
        let rate = self.session.setup().rate();
        for frame in samples.chunks(rate.samples_per_frame()) {
            self.wait_for_frame();
            let mut payload = Vec::new();
            self.caller.encode_into(frame, &mut payload);
            self.session.receive(Packet {
                index: self.packets,
                payload: &payload,
            });
            self.packets += 1;
            self.tick();
        }
        self
    }

    /// Goes on to when the caller's next frame comes, keeping the session's deadlines.
    fn wait_for_frame(&mut self) {
        let next = self.now.as_millis() as u64 / 20 * 20 + 20;
        while let Some(at) = self.session.deadline().filter(|&it| it < ms(next)) {
            self.now = self.now.max(at);
            self.speak();
        }
        self.now = ms(next);
    }

    pub(crate) fn silence(&mut self, length: Duration) -> &mut Self {
        let samples = self.session.setup().rate().samples_in(length);
        self.hears(&vec![0; samples])
    }

    pub(crate) fn tick(&mut self) {
        let (now, far, sent, marks) = (self.now, &mut self.far, &mut self.sent, &mut self.marks);
        let tick = self
            .session
            .tick(now, |out| write(out, far, now, sent, marks));
        self.heard.extend(tick.heard);
        self.playing.extend(tick.playing);
        self.edges.extend(tick.edge.map(|it| (now, it)));
        self.finished.extend(tick.finished.map(|it| (now, it)));
        self.keys.extend(tick.key);
    }

    pub(crate) fn speak(&mut self) -> &mut Self {
        let (now, far, sent, marks) = (self.now, &mut self.far, &mut self.sent, &mut self.marks);
        let finished = self
            .session
            .speak(now, |out| write(out, far, now, sent, marks));
        self.finished.extend(finished.map(|it| (now, it)));
        self
    }

    pub(crate) fn cut(&mut self, last: u32) -> Option<Cut> {
        let (now, far, sent, marks) = (self.now, &mut self.far, &mut self.sent, &mut self.marks);
        self.session.cut(now, UtteranceId(last), |out| {
            write(out, far, now, sent, marks)
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
    far: &mut Decoder,
    now: Duration,
    sent: &mut Vec<(Duration, Vec<i16>)>,
    marks: &mut Vec<(Duration, Mark)>,
) {
    match out {
        Outgoing::Audio(bytes) => {
            let mut samples = Vec::new();
            far.decode_into(bytes, &mut samples);
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
        [Law::Mu.decode(0x80); 140],
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
            played: ms(1_000)
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

fn payload(value: u8) -> [u8; 160] {
    [value; 160]
}

#[test]
fn packets_of_any_size_make_whole_frames() {
    let sound = tone(Rate::Hz8000, 400.0, 8_000.0, ms(600));
    let mut bytes = Vec::new();
    Law::Mu.encode_into(&sound, &mut bytes);
    for size in [1, 33, 80, 160, 240, 400, 4_800] {
        let mut call = Call::new(setup());
        for (index, payload) in bytes.chunks(size).enumerate() {
            call.session.receive(Packet {
                index: index as u64 + 99,
                payload,
            });
            while call.session.ready() {
                call.tick();
            }
        }
        let heard: Vec<i16> = bytes.iter().map(|&it| Law::Mu.decode(it)).collect();
        assert_eq!(call.heard[8..], heard[8..], "{size}");
        assert_eq!(call.session.counts(), Counts::default(), "{size}");
    }
}

#[test]
fn on_a_socket_doubles_are_dropped_and_holes_are_filled_and_noted() {
    let mut call = Call::new(setup());
    let sound = tone(Rate::Hz8000, 200.0, 8_000.0, ms(400));
    call.hears(&sound);
    let mut next = Vec::new();
    Law::Mu.encode_into(&sound[..160], &mut next);
    for index in [19, 3, 20, 23, 22] {
        call.session.receive(Packet {
            index,
            payload: &next,
        });
    }
    let mut frames = 0;
    while call.session.ready() {
        call.tick();
        frames += 1;
    }
    assert_eq!(frames, 4, "one, two made up, one");
    let counts = Counts {
        lost: 2,
        late: 3,
        concealed: 2,
        ..Counts::default()
    };
    assert_eq!(call.session.counts(), counts);
    assert!(
        call.heard
            .windows(2)
            .all(|it| it[0].abs_diff(it[1]) < 3_000),
        "no click"
    );
    let power = |at: usize| {
        call.heard[at..at + 160]
            .iter()
            .map(|&it| f64::from(it).powi(2))
            .sum::<f64>()
    };
    assert!(
        power(20 * 160 + 160) > 0.7 * power(20 * 160),
        "the voice goes on in the hole"
    );
}

#[test]
fn a_hole_that_a_timer_has_filled_is_not_filled_again() {
    let mut call = Call::new(setup());
    call.hears(&tone(Rate::Hz8000, 200.0, 8_000.0, ms(400)));
    call.tick();
    call.tick();
    call.session.receive(Packet {
        index: 22,
        payload: &payload(0x80),
    });
    call.tick();
    assert!(!call.session.ready());
}

#[test]
fn a_silent_line_is_heard_as_silence() {
    let mut call = Call::new(setup());
    call.hears(&tone(Rate::Hz8000, 200.0, 8_000.0, ms(400)));
    (0..50).for_each(|_| call.tick());
    assert!(
        call.heard[400 * 8..410 * 8]
            .iter()
            .any(|it| it.abs() > 4_000),
        "first it is concealed"
    );
    assert!(call.heard[460 * 8..].iter().all(|&it| it == 0));
}

#[test]
fn a_flood_is_bounded_and_the_newest_is_kept() {
    for line in [
        Line::Ordered,
        Line::Shuffled { depth: 3 },
        Line::Jittery { depth: 3 },
    ] {
        let mut call = Call::new(Setup { line, ..setup() });
        for index in 0..10_000u64 {
            call.session.receive(Packet {
                index,
                payload: &payload(index as u8),
            });
        }
        let mut frames = 0;
        while call.session.ready() {
            call.tick();
            frames += 1;
        }
        assert!((45..=50).contains(&frames), "{line:?}: {frames} frames");
        assert_eq!(call.session.counts().dropped, 10_000 - frames, "{line:?}");
        assert_eq!(
            call.heard.last(),
            Some(&Law::Mu.decode(9_999u64 as u8)),
            "{line:?}"
        );
        call.session.receive(Packet {
            index: 10_000,
            payload: &[0x80; 1_000_000],
        });
        let frames = std::iter::from_fn(|| call.session.ready().then(|| call.tick())).count();
        assert!(frames <= 50, "{line:?}: {frames} frames of one huge packet");
    }
}

#[test]
fn a_jittery_line_is_put_in_order() {
    let mut call = Call::new(Setup {
        line: Line::Jittery { depth: 3 },
        ..setup()
    });
    let order = [5u64, 4, 6, 8, 7, 9, 11, 10, 12, 13];
    for (i, &index) in order.iter().enumerate() {
        call.session.receive(Packet {
            index,
            payload: &payload(0x80 + index as u8),
        });
        if i >= 2 {
            assert!(call.session.ready());
            call.tick();
        }
    }
    call.tick();
    call.tick();
    let heard: Vec<i16> = call.heard.chunks(160).map(|it| it[159]).collect();
    let sent: Vec<i16> = (4..14).map(|it| Law::Mu.decode(0x80 + it)).collect();
    assert_eq!(heard, sent);
    assert_eq!(call.session.counts(), Counts::default());
    call.tick();
    assert_eq!(call.session.counts().concealed, 1, "it has run dry");
}

#[test]
fn utterances_follow_one_another_without_a_gap() {
    let mut call = Call::new(setup());
    let sound = tone(Rate::Hz8000, 400.0, 8_000.0, ms(1_000));
    for (utterance, part) in sound.chunks(1_111).enumerate() {
        call.says(utterance as u32 + 1, part);
    }
    call.silence(ms(2_000));
    let sent = call.sent_samples();
    assert_eq!(sent.len(), 8_000);
    let wire: Vec<i16> = sound
        .iter()
        .map(|&it| Law::Mu.decode(Law::Mu.encode(it)))
        .collect();
    assert_eq!(sent, wire);
    let ended: Vec<u32> = call.finished.iter().map(|it| it.1.utterance.0).collect();
    assert_eq!(ended, [1, 2, 3, 4, 5, 6, 7, 8]);
    let heard: Duration = call.finished.iter().map(|it| it.1.played).sum();
    assert!(heard.abs_diff(ms(1_000)) < ms(1));
}

#[test]
fn frames_leave_by_absolute_deadlines_and_catch_up_within_the_lead() {
    let mut call = Call::new(setup());
    call.says(1, &tone(Rate::Hz8000, 400.0, 8_000.0, ms(60_000)));
    let mut late = [0, 3, 17, 1, 0, 29, 5, 0, 79, 2].into_iter().cycle();
    while let Some(at) = call.session.deadline().filter(|_| call.sent.len() < 3_000) {
        call.now = at + ms(late.next().unwrap());
        call.speak();
    }
    assert_eq!(call.sent.len(), 3_000);
    for (k, (at, _)) in call.sent.iter().enumerate() {
        let plays = ms(20) * k as u32;
        assert!(*at + ms(80) >= plays, "frame {k} left at {at:?}, too early");
        assert!(*at <= plays, "frame {k} left at {at:?}, too late");
    }
    assert_eq!(call.session.counts().underruns, 0);
}

#[test]
fn a_slow_synthesizer_makes_a_gap_but_no_click() {
    let sound = tone(Rate::Hz8000, 400.0, 8_000.0, ms(600));
    let mut call = Call::new(setup());
    call.session.play(UtteranceId(1), &sound[..300 * 8 - 37]);
    call.silence(ms(500));
    assert_eq!(
        call.sent.last().map(|it| it.0),
        Some(ms(270)),
        "just before it runs dry"
    );
    call.says(1, &sound[300 * 8 - 37..]);
    call.silence(ms(1_000));
    assert_eq!(call.session.counts().underruns, 1);
    let played = &call.playing;
    let steepest = played.windows(2).map(|it| it[0].abs_diff(it[1])).max();
    assert!(
        steepest < Some(3_000),
        "{steepest:?}: the tone's own is 2500"
    );
    let gap = 8 * 350..8 * 520;
    assert!(played[gap].iter().all(|&it| it == 0));
    assert_eq!(call.finished.len(), 1);
    assert!(
        call.finished[0].1.played.abs_diff(ms(600)) < ms(1),
        "made-up sound is not counted"
    );
}

#[test]
fn the_recording_holds_what_was_heard_when_it_was_heard() {
    let mut call = Call::new(setup());
    let sound = tone(Rate::Hz8000, 400.0, 8_000.0, ms(500));
    let mut stereo = Vec::new();
    call.silence(ms(300));
    call.says(1, &sound);
    call.silence(ms(200));
    call.cut(1);
    call.silence(ms(300));
    // The recording is two frames behind: 300 ms are frames 0 to 14, so it begins in frame 17.
    let began = call.playing.iter().position(|&it| it != 0).map(|it| it / 8);
    assert_eq!(began, Some(340));
    let ended = call
        .playing
        .iter()
        .rposition(|&it| it != 0)
        .map(|it| it / 8);
    assert!(
        ended.is_some_and(|it| (550..=560).contains(&it)),
        "{ended:?}: the cut, and a fade"
    );
    let mut session = Session::new(setup());
    session.receive(Packet {
        index: 0,
        payload: &payload(0x80),
    });
    stereo.extend_from_slice(Stereo::new().frame(&session.tick(ms(20), |_| {})));
    assert_eq!(stereo.len(), 320);
    assert_eq!(
        stereo[200..202],
        [Law::Mu.decode(0x80), 0],
        "the caller left, the agent right"
    );
}

#[test]
fn held_up_sound_does_not_put_the_recording_out_of_step() {
    let mut call = Call::new(setup());
    call.silence(ms(1_000));
    // For 300 ms nothing comes, and a timer ticks; then it all comes at once.
    for _ in 0..15 {
        call.now += media::FRAME;
        call.tick();
    }
    call.now += ms(1);
    for index in 0..15 {
        call.session.receive(Packet {
            index: 50 + index,
            payload: &payload(0xff),
        });
        call.tick();
    }
    let before = call.playing.len();
    let sound = tone(Rate::Hz8000, 400.0, 8_000.0, ms(100));
    call.says(1, &sound);
    let index = 65;
    for i in 0..50 {
        call.now += media::FRAME;
        call.session.receive(Packet {
            index: index + i,
            payload: &payload(0xff),
        });
        call.tick();
    }
    let recorded = &call.playing[before..];
    assert!(
        recorded.windows(sound.len()).any(|it| it == sound),
        "all of it was recorded"
    );
}
