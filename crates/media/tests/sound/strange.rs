//! Strange calls: everything happens at random, and some things never happen.

use std::time::Duration;

use media::{
    Codec, Detector, Endian, FRAME, Format, Line, Mark, Outgoing, Packet, Rate, Session, Setup,
    UtteranceId,
};

/// Random numbers, the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }
}

/// A call, what was promised about it, and what is known.
struct Walk {
    seed: u64,
    dice: Dice,
    setup: Setup,
    session: Session,
    now: Duration,
    index: u64,
    /// How many samples of each utterance were handed in before it was complete or cut.
    given: Vec<Given>,
    out: Out,
    windows: Vec<u64>,
    finished: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Given {
    samples: u64,
    begun: bool,
    complete: bool,
    cut: bool,
    finished: bool,
}

/// What went out, as the far end sees it: its buffer empties in real time.
#[derive(Default)]
struct Out {
    buffered_until: Duration,
    most_ahead: Duration,
    frames: u64,
    marks: Vec<Mark>,
}

impl Out {
    fn take(&mut self, now: Duration, spoken: Format, out: Outgoing<'_>) {
        match out {
            Outgoing::Audio(bytes) => {
                let whole = spoken.bytes_per_frame();
                match spoken.codec {
                    Codec::Opus => assert!((1..=whole).contains(&bytes.len())),
                    Codec::Ulaw | Codec::Alaw | Codec::L16(_) | Codec::G722 => {
                        assert_eq!(bytes.len(), whole, "frames are whole");
                    }
                }
                self.buffered_until = self.buffered_until.max(now) + FRAME;
                self.most_ahead = self.most_ahead.max(self.buffered_until - now);
                self.frames += 1;
            }
            Outgoing::Mark(mark) => {
                assert!(
                    self.marks.last().is_none_or(|it| it.index < mark.index),
                    "marks count up"
                );
                self.marks.push(mark);
            }
        }
    }
}

/// Mostly what calls are, and now and then anything.
fn format(dice: &mut Dice) -> Format {
    let rate = dice.pick(&[
        Rate::Hz8000,
        Rate::Hz8000,
        Rate::Hz8000,
        Rate::Hz16000,
        Rate::Hz24000,
    ]);
    let codec = dice.pick(&[
        Codec::Ulaw,
        Codec::Ulaw,
        Codec::Ulaw,
        Codec::Ulaw,
        Codec::Ulaw,
        Codec::Ulaw,
        Codec::Ulaw,
        Codec::Ulaw,
        Codec::Alaw,
        Codec::Alaw,
        Codec::Alaw,
        Codec::Alaw,
        Codec::L16(Endian::Big),
        Codec::L16(Endian::Little),
        Codec::G722,
        Codec::Opus,
    ]);
    Format { codec, rate }
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let setup = Setup {
            format: format(&mut dice),
            spoken: format(&mut dice),
            line: dice.pick(&[
                Line::Ordered,
                Line::Shuffled { depth: 3 },
                Line::Jittery { depth: 1 },
                Line::Jittery { depth: 4 },
            ]),
            detector: dice.pick(&[Detector::Energy, Detector::Model]),
            lead: Duration::from_millis(dice.pick(&[0, 20, 50, 100, 100])),
            echo: media::Echo::Guarded,
        };
        Self {
            seed,
            setup,
            session: Session::new(setup),
            now: Duration::ZERO,
            index: dice.roll(1 << 40),
            dice,
            given: vec![Given::default()],
            out: Out::default(),
            windows: Vec::new(),
            finished: Vec::new(),
        }
    }

    fn step(&mut self) {
        match self.dice.roll(16) {
            0..=4 => self.packet(),
            5..=8 => self.tick(),
            9 => self.wait(),
            10..=11 => self.play(),
            12 => self.complete(),
            13 if self.dice.roll(6) == 0 => self.cut(),
            13 => self.deadline(),
            14 => self.mark(),
            _ => self.verdict(),
        }
        self.check();
    }

    fn packet(&mut self) {
        let sizes = [0, 1, 80, 160, 160, 160, 240, 4_000];
        let size = self.dice.pick(&sizes);
        let seed = self.dice.roll(256) as u8;
        let payload: Vec<u8> = (0..size).map(|i| seed.wrapping_mul(i as u8)).collect();
        let jump = self
            .dice
            .pick(&[0, 0, 0, 0, 1, 2, 30, 1_000_000, u64::MAX / 2]);
        let back = self.dice.pick(&[0, 0, 0, 0, 1, 2, 30, 1_000_000]);
        self.index = self.index.wrapping_add(jump).wrapping_sub(back);
        self.session.receive(Packet {
            index: self.index,
            payload: &payload,
        });
        self.index = self.index.wrapping_add(1);
    }

    fn tick(&mut self) {
        let frame = self.setup.rate().samples_per_frame();
        let (now, out, spoken) = (self.now, &mut self.out, self.setup.spoken);
        let ready = self.session.ready();
        let made_up = self.session.counts().concealed;
        let tick = self.session.tick(now, |it| out.take(now, spoken, it));
        assert_eq!(tick.heard.len(), frame);
        assert_eq!(tick.playing.len(), frame);
        self.windows.extend(tick.window.map(|it| it.0));
        let finished = tick.finished;
        self.note(finished);
        if ready && self.setup.line == Line::Ordered {
            assert_eq!(
                self.session.counts().concealed,
                made_up,
                "seed {}: ready means heard",
                self.seed
            );
        }
        self.now += Duration::from_micros(self.dice.pick(&[0, 15_000, 20_000, 20_000, 27_000]));
    }

    fn wait(&mut self) {
        self.now += Duration::from_micros(self.dice.roll(400_000));
    }

    fn speak(&mut self) {
        let (now, out, spoken) = (self.now, &mut self.out, self.setup.spoken);
        let finished = self.session.speak(now, |it| out.take(now, spoken, it));
        self.note(finished);
    }

    fn deadline(&mut self) {
        if let Some(at) = self.session.deadline() {
            self.now = self.now.max(at);
            self.speak();
        }
    }

    fn utterance(&mut self) -> usize {
        if self.dice.roll(4) == 0 {
            self.given.push(Given::default());
        }
        let back = self.dice.roll(3) as usize;
        (self.given.len() - 1).saturating_sub(back)
    }

    fn play(&mut self) {
        let id = self.utterance();
        let samples = self.dice.pick(&[1, 100, 160, 1_000, 8_000]);
        let given = &mut self.given[id];
        given.begun = true;
        if !(given.complete || given.cut || given.finished) {
            given.samples += samples;
        }
        self.session
            .play(UtteranceId(id as u32), &vec![1_000; samples as usize]);
        self.speak();
    }

    fn complete(&mut self) {
        let id = self.utterance();
        self.given[id].begun = true;
        self.given[id].complete = true;
        self.session.complete(UtteranceId(id as u32));
        self.speak();
    }

    fn cut(&mut self) {
        let last = self.dice.roll(self.given.len() as u64) as usize;
        let before = self.out.frames;
        self.out.buffered_until = self.now;
        self.out.marks.clear();
        let (now, out, spoken) = (self.now, &mut self.out, self.setup.spoken);
        let cut = self.session.cut(now, UtteranceId(last as u32), |it| {
            out.take(now, spoken, it)
        });
        assert!(
            self.out.frames <= before + 1,
            "a cut sends a fade and nothing else"
        );
        for given in &mut self.given[..=last] {
            given.cut = true;
        }
        if let Some(cut) = cut {
            let given = self.given[cut.utterance.0 as usize];
            assert!(cut.utterance.0 as usize <= last);
            assert!(cut.played <= self.setup.rate().duration_of(given.samples as usize));
        }
        // Nothing but what was not cut may follow.
        if self.given.len() == last + 1 {
            let before = self.out.frames;
            self.play_late(last);
            self.now += Duration::from_secs(1);
            self.speak();
            assert_eq!(
                self.out.frames, before,
                "seed {}: a cut utterance spoke",
                self.seed
            );
        }
    }

    fn play_late(&mut self, last: usize) {
        self.session.play(UtteranceId(last as u32), &[1_000; 400]);
        self.session.complete(UtteranceId(last as u32));
    }

    fn mark(&mut self) {
        let known = self.out.marks.len() as u64;
        let mark = match self.dice.roll(4) {
            0 => Mark {
                generation: self.dice.roll(5) as u32,
                index: self.dice.roll(50) as u32,
            },
            _ if known == 0 => return,
            _ => self.out.marks[self.dice.roll(known) as usize],
        };
        let before = self.session.progress(self.now);
        let progress = self.session.marked(self.now, mark);
        if let (Some(before), Some(after)) = (before, progress)
            && before.utterance == after.utterance
        {
            assert!(
                after.played >= before.played,
                "seed {}: a mark took back what was heard",
                self.seed
            );
        }
        self.note(progress.filter(|it| it.done));
    }

    fn verdict(&mut self) {
        let window = match self.windows.len() as u64 {
            0 => self.dice.roll(100),
            n => self.windows[self.dice.roll(n) as usize],
        };
        let probability = self.dice.roll(100) as f32 / 100.0;
        self.session.judged(window, probability);
    }

    fn note(&mut self, finished: Option<media::Progress>) {
        let Some(finished) = finished else { return };
        let id = finished.utterance.0;
        let given = &mut self.given[id as usize];
        assert!(finished.done);
        assert!(
            given.complete,
            "seed {}: {id} ended before it was complete",
            self.seed
        );
        assert!(!given.finished, "seed {}: {id} ended twice", self.seed);
        given.finished = true;
        let length = self.setup.rate().duration_of(given.samples as usize);
        assert!(finished.played <= length, "seed {}: {id}", self.seed);
        if !given.cut {
            assert_eq!(
                finished.played, length,
                "seed {}: {id} was heard whole",
                self.seed
            );
        }
        self.finished.push(id);
    }

    fn check(&mut self) {
        // But for the one sample that the present is in.
        let lead = self.setup.lead.max(FRAME) + Duration::from_micros(125);
        assert!(
            self.out.most_ahead <= lead,
            "seed {}: {:?} ahead",
            self.seed,
            self.out.most_ahead
        );
        if let Some(progress) = self.session.progress(self.now) {
            let given = self.given[progress.utterance.0 as usize];
            assert!(!given.finished && !progress.done);
            assert!(progress.played <= self.setup.rate().duration_of(given.samples as usize));
        }
    }

    /// However strange it was: everything that was not cut is heard to its end.
    fn end(mut self) -> (u64, u64) {
        for (id, given) in self.given.iter_mut().enumerate().filter(|it| it.1.begun) {
            given.complete = true;
            self.session.complete(UtteranceId(id as u32));
        }
        let mut patience = 100_000;
        while let Some(at) = self.session.deadline() {
            self.now = self.now.max(at);
            self.speak();
            patience -= 1;
            assert!(patience > 0, "seed {}: it never ends", self.seed);
        }
        for (id, given) in self.given.iter().enumerate() {
            assert!(
                given.finished || given.cut || !given.begun,
                "seed {}: {id} was neither heard nor cut",
                self.seed
            );
        }
        self.session.speak(self.now + Duration::from_secs(1), |_| {
            panic!("there is nothing left to send")
        });
        (self.out.frames, self.finished.len() as u64)
    }
}

#[test]
fn strange_calls_keep_their_promises() {
    let (mut frames, mut finished) = (0, 0);
    for seed in 0..3_000 {
        let mut walk = Walk::new(seed);
        for _ in 0..200 {
            walk.step();
        }
        let (sent, ended) = walk.end();
        frames += sent;
        finished += ended;
    }
    println!("{frames} frames sent, {finished} utterances heard to their end");
    assert!(frames > 100_000 && finished > 1_000);
}
