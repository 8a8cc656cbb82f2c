use std::collections::VecDeque;
use std::time::Duration;

use crate::marks::{Mark, Marks};
use crate::speech::{Speech, Stage};
use crate::timeline::Timeline;
use crate::tones::Tones;
use crate::{Encoder, Format, Outgoing, Rate};

/// Names one stretch of agent speech. Later utterances have greater ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtteranceId(pub u32);

/// How much of an utterance the caller has heard, as far as we can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which utterance.
    pub utterance: UtteranceId,
    /// How much of it has been heard.
    pub played: Duration,
    /// All of it has been heard.
    pub done: bool,
}

/// What was lost when speech was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The utterance the caller was hearing.
    pub utterance: UtteranceId,
    /// How much of it was heard.
    pub played: Duration,
}

/// The agent's audio on its way to the caller.
///
/// Frames leave by absolute deadlines: each is booked to play where the one before it ends, and
/// leaves when that is less than the lead away. All times are counted in samples since the call's
/// sound began, so nothing drifts.
///
/// Cutting is final: audio that arrives later for a cut utterance is dropped on arrival, so a slow
/// synthesizer can never speak over the caller. There is no flush to race with.
#[derive(Debug)]
pub(crate) struct Playout {
    rate: Rate,
    /// A frame may leave so many samples before it plays.
    ahead: u64,
    queue: VecDeque<Speech>,
    /// The buffers of utterances past, to be used again.
    spare: Vec<VecDeque<i16>>,
    /// Every utterance up to this one was cut, or was heard long ago.
    barred: Option<UtteranceId>,
    /// The last few that were heard to their end: they do not begin again either.
    over: VecDeque<UtteranceId>,
    /// What was sent ends here.
    tail: u64,
    /// What was sent and may not have been heard yet.
    unheard: VecDeque<Piece>,
    supply: Supply,
    tones: Tones,
    others: Others,
    marks: Marks,
    finished: VecDeque<Progress>,
    line: Timeline,
    wire: Wire,
    underruns: u64,
    dropped: u64,
}

/// Some samples of an utterance, booked to play at a time.
#[derive(Clone, Copy, Debug)]
struct Piece {
    utterance: UtteranceId,
    at: u64,
    len: u64,
}

/// Keys that somebody else presses at the far end. Positions are in samples.
#[derive(Debug, Default)]
struct Others {
    /// So often nobody has said yet whether they are pressed.
    asked: u32,
    /// What we sent before them ends here, and so do those that are known of.
    before: u64,
    /// Nothing of ours is heard before this.
    until: u64,
}

/// Whether the synthesizer is faster than speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supply {
    /// Audio leaves as it comes.
    Live,
    /// Audio has had to wait. When it runs out, that is a gap in something fluent.
    Ahead,
    /// It has run out, and was faded out; it must fade in again.
    Broken,
}

/// Writes frames in the caller's codec.
#[derive(Debug)]
struct Wire {
    encoder: Encoder,
    frame: Box<[i16]>,
    bytes: Vec<u8>,
}

impl Playout {
    pub(crate) fn new(format: Format, rate: Rate, lead: Duration) -> Self {
        let frame = rate.samples_per_frame();
        let lead = rate.samples_in(lead.min(LONGEST_LEAD));
        Self {
            rate,
            ahead: lead.saturating_sub(frame) as u64,
            queue: VecDeque::new(),
            spare: Vec::new(),
            barred: None,
            over: VecDeque::with_capacity(OVER),
            tail: 0,
            unheard: VecDeque::with_capacity(16),
            supply: Supply::Live,
            tones: Tones::default(),
            others: Others::default(),
            marks: Marks::new(),
            finished: VecDeque::new(),
            line: Timeline::new(lead + rate.samples_in(REMEMBERED)),
            wire: Wire {
                encoder: Encoder::new(format, rate),
                frame: vec![0; frame].into(),
                bytes: Vec::with_capacity(format.bytes_per_frame()),
            },
            underruns: 0,
            dropped: 0,
        }
    }

    pub(crate) fn play(&mut self, utterance: UtteranceId, samples: &[i16]) {
        let most = self.rate.samples_in(LONGEST_QUEUE);
        let waiting: usize = self.queue.iter().map(|it| it.samples.len()).sum();
        let fits = samples.len().min(most.saturating_sub(waiting));
        self.dropped += (samples.len() - fits) as u64;
        if let Some(speech) = self.speech(utterance)
            && speech.stage == Stage::Arriving
        {
            speech.samples.extend(&samples[..fits]);
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.tones.press(keys, self.rate);
    }

    /// Keeps everything back, but not for ever.
    pub(crate) fn hold(&mut self, now: Duration) {
        let now = self.samples(now);
        if self.others.asked == 0 || self.others.until <= now {
            self.others.before = self.tail;
        }
        self.others.asked += 1;
        self.book(now + self.samples(LONGEST_HOLD));
    }

    /// Lets everything go on behind keys of this length.
    pub(crate) fn make_room(&mut self, now: Duration, length: Duration) {
        let now = self.samples(now);
        let waits = self.others.asked > 0 && now < self.others.until;
        let before = if waits { self.others.before } else { self.tail };
        let end = before.max(now) + self.samples(length);
        self.others.asked = self.others.asked.saturating_sub(1);
        if waits && self.others.asked > 0 {
            // The next ones come behind these, and are waited for as long again.
            self.others.before = end;
            self.book(end + self.samples(LONGEST_HOLD));
        } else {
            self.tail = end;
            self.book(end);
        }
    }

    pub(crate) fn is_held(&self, now: Duration) -> bool {
        let until = self.others.until;
        self.samples(now) < until && self.unheard.iter().all(|it| it.at < until)
    }

    pub(crate) fn complete(&mut self, utterance: UtteranceId) {
        if let Some(speech) = self.speech(utterance)
            && speech.stage == Stage::Arriving
        {
            speech.stage = Stage::Complete;
        }
    }

    /// Sends everything that is due at `now`.
    pub(crate) fn send(&mut self, now: Duration, mut send: impl FnMut(Outgoing<'_>)) {
        let now = self.samples(now);
        while let Some(next) = self.next() {
            match next {
                Next::End => self.end_all(now.max(self.tail), &mut send),
                Next::Tone if self.tail > now + self.ahead => break,
                Next::Tone => self.tone(now, &mut send),
                Next::Frame if self.tail > now + self.ahead => {
                    self.supply = match self.supply {
                        Supply::Live | Supply::Ahead => Supply::Ahead,
                        Supply::Broken => Supply::Broken,
                    };
                    break;
                }
                Next::Frame => self.frame(now, &mut send),
                Next::Gap if self.tail > now + self.last_chance() => break,
                Next::Gap => self.gap(now, &mut send),
            }
        }
        self.time_out(now);
    }

    /// When [`Playout::send`] has something to do next.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        if !self.finished.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = self.next().map(|next| match next {
            Next::End => 0,
            Next::Tone | Next::Frame => self.tail.saturating_sub(self.ahead),
            Next::Gap => self.tail.saturating_sub(self.last_chance()),
        });
        let heard = self.queue.front().and_then(|front| match front.stage {
            Stage::Sent { at, .. } => Some(at + self.grace()),
            Stage::Arriving | Stage::Complete => None,
        });
        let due = match (next, heard) {
            (Some(next), Some(heard)) => next.min(heard),
            (next, heard) => next.or(heard)?,
        };
        // Rounded up: at the deadline it must be due, not almost.
        Some(Duration::from_micros(
            (due * 1_000_000).div_ceil(u64::from(self.rate.hz())),
        ))
    }

    pub(crate) fn finished(&mut self) -> Option<Progress> {
        self.finished.pop_front()
    }

    pub(crate) fn cut(
        &mut self,
        now: Duration,
        last: UtteranceId,
        mut send: impl FnMut(Outgoing<'_>),
    ) -> Option<Cut> {
        let cut = self.progress(now).filter(|it| it.utterance <= last);
        let now = self.samples(now);
        self.barred = self.barred.max(Some(last));
        while let Some(at) = self.queue.iter().position(|it| it.utterance <= last) {
            if let Some(speech) = self.queue.remove(at) {
                self.recycle(speech.samples);
            }
        }
        self.tones
            .call_back(unheard(&self.unheard, TONES, now) as usize);
        // What the far end threw away of later utterances has to be sent again.
        for speech in &mut self.queue {
            speech.call_back(unheard(&self.unheard, speech.utterance, now));
        }
        self.unheard.clear();
        self.marks.cut();
        self.supply = Supply::Live;
        self.fade(now, &mut send);
        cut.map(|it| Cut {
            utterance: it.utterance,
            played: it.played,
        })
    }

    pub(crate) fn marked(&mut self, now: Duration, mark: Mark) -> Option<Progress> {
        let (utterance, sent) = self.marks.back(mark)?;
        if let Some(speech) = self.queue.iter_mut().find(|it| it.utterance == utterance) {
            speech.reported = speech.reported.max(sent);
        }
        while let Some(Stage::Sent { mark: end, .. }) = self.queue.front().map(|it| it.stage) {
            if (end.generation, end.index) > (mark.generation, mark.index) {
                break;
            }
            self.finish();
        }
        self.finished.pop_front().or_else(|| self.progress(now))
    }

    /// How much has been heard of the earliest utterance that is not over.
    pub(crate) fn progress(&self, now: Duration) -> Option<Progress> {
        let now = self.samples(now);
        let speech = self.queue.front()?;
        let guess = speech.sent - unheard(&self.unheard, speech.utterance, now);
        Some(Progress {
            utterance: speech.utterance,
            played: self.duration(guess.max(speech.reported)),
            done: false,
        })
    }

    /// Reads what the caller hears from `at` on.
    pub(crate) fn hear(&self, at: u64, out: &mut [i16]) {
        self.line.read(at, out);
    }

    pub(crate) fn underruns(&self) -> u64 {
        self.underruns
    }

    /// Samples that came when far too many were waiting already.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What the queue allows next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// An utterance is over without another sample.
    End,
    /// Keys are to be heard, before anything else is.
    Tone,
    /// A frame can be filled, or the last one of all can be padded.
    Frame,
    /// An utterance that was fluent has run out of audio.
    Gap,
}

impl Playout {
    fn next(&self) -> Option<Next> {
        if self.tones.left() > 0 {
            return Some(Next::Tone);
        }
        let mut have = 0;
        let mut begun = false;
        for speech in &self.queue {
            let left = speech.left();
            match speech.stage {
                Stage::Sent { .. } => continue,
                Stage::Complete if left == 0 && have == 0 => return Some(Next::End),
                Stage::Complete => begun |= speech.sent > 0,
                Stage::Arriving => {
                    have += left;
                    begun |= speech.sent > 0;
                    return if have >= self.wire.frame.len() {
                        Some(Next::Frame)
                    } else {
                        (begun && self.supply == Supply::Ahead).then_some(Next::Gap)
                    };
                }
            }
            have += left;
            if have >= self.wire.frame.len() {
                break;
            }
        }
        (have > 0).then_some(Next::Frame)
    }

    fn tone(&mut self, now: u64, send: &mut impl FnMut(Outgoing<'_>)) {
        let at = self.tail.max(now);
        let keep = self.ahead as usize + self.wire.frame.len();
        let filled = self.tones.take(&mut self.wire.frame, keep);
        self.wire.frame[filled..].fill(0);
        self.unheard.push_back(Piece {
            utterance: TONES,
            at,
            len: filled as u64,
        });
        self.emit(at, send);
        self.forget(now);
    }

    fn frame(&mut self, now: u64, send: &mut impl FnMut(Outgoing<'_>)) {
        if self.tail < now {
            // The far end has run dry. Within an utterance that was a gap.
            let broken = self
                .queue
                .iter()
                .find(|it| it.left() > 0)
                .is_some_and(|it| it.sent > 0);
            self.underruns += u64::from(broken);
            self.supply = match self.supply {
                Supply::Ahead if broken => Supply::Broken,
                Supply::Live | Supply::Ahead => Supply::Live,
                Supply::Broken => Supply::Broken,
            };
        }
        let at = self.tail.max(now);
        let filled = self.fill(at, now);
        let joint = self.rate.samples_in(JOINT);
        if self.supply == Supply::Broken {
            fade_in(&mut self.wire.frame[..filled.min(joint)]);
            self.supply = Supply::Live;
        }
        if filled < self.wire.frame.len() {
            fade_out(&mut self.wire.frame[filled.saturating_sub(joint)..filled]);
            self.wire.frame[filled..].fill(0);
        }
        self.emit(at, send);
        self.end_all(self.tail, send);
        if self.marks.is_due() {
            self.mark(send);
        }
    }

    /// The audio has run out in mid-speech: what was sent would end in a click. Sends what is left
    /// and lets it die away.
    fn gap(&mut self, now: u64, send: &mut impl FnMut(Outgoing<'_>)) {
        self.supply = Supply::Broken;
        if self.tail <= now {
            return;
        }
        let at = self.tail;
        let filled = self.fill(at, now);
        let tail = self
            .rate
            .samples_in(DYING)
            .min(self.wire.frame.len() - filled);
        // The sound just before, mirrored in time, goes on where it stopped.
        let mut before = [0; 512];
        let before = &mut before[..tail];
        let known = filled.min(tail);
        self.line.read(
            at - ((tail - known) as u64).min(at),
            &mut before[..tail - known],
        );
        before[tail - known..].copy_from_slice(&self.wire.frame[filled - known..filled]);
        let dying = &mut self.wire.frame[filled..filled + tail];
        dying
            .iter_mut()
            .zip(before.iter().rev())
            .for_each(|(to, from)| *to = *from);
        fade_out(dying);
        self.wire.frame[filled + tail..].fill(0);
        self.emit(at, send);
    }

    /// Takes audio for a frame that plays at `at`, from one utterance after another.
    fn fill(&mut self, at: u64, now: u64) -> usize {
        self.forget(now);
        let keep = self.ahead as usize + self.wire.frame.len();
        let mut filled = 0;
        for speech in &mut self.queue {
            let take = speech.left().min(self.wire.frame.len() - filled);
            if take > 0 {
                speech.take(&mut self.wire.frame[filled..filled + take], keep);
                self.unheard.push_back(Piece {
                    utterance: speech.utterance,
                    at: at + filled as u64,
                    len: take as u64,
                });
                filled += take;
            }
            if filled == self.wire.frame.len() || speech.stage == Stage::Arriving {
                break;
            }
        }
        filled
    }

    /// Forgets what has been heard.
    fn forget(&mut self, now: u64) {
        let heard = |it: &mut Piece| it.at + it.len <= now;
        while self.unheard.pop_front_if(heard).is_some() {}
    }

    fn emit(&mut self, at: u64, send: &mut impl FnMut(Outgoing<'_>)) {
        self.line.write(at, &self.wire.frame);
        self.tail = at + self.wire.frame.len() as u64;
        self.marks.frame();
        send(Outgoing::Audio(self.wire.encode()));
    }

    /// Marks the end of every utterance that has none of its audio left.
    fn end_all(&mut self, at: u64, send: &mut impl FnMut(Outgoing<'_>)) {
        let over = |it: &Speech| it.stage == Stage::Complete && it.left() == 0;
        let mut ended = false;
        let mark = self.marks.peek();
        for speech in self.queue.iter_mut() {
            match speech.stage {
                Stage::Sent { .. } => continue,
                Stage::Complete if over(speech) => speech.stage = Stage::Sent { at, mark },
                Stage::Arriving | Stage::Complete => break,
            }
            ended = true;
        }
        if ended {
            self.mark(send);
        }
    }

    fn mark(&mut self, send: &mut impl FnMut(Outgoing<'_>)) {
        let last = self
            .queue
            .iter()
            .rev()
            .find(|it| it.sent > 0)
            .or(self.queue.front());
        let Some(last) = last else { return };
        let mark = self.marks.set(last.utterance, last.sent);
        send(Outgoing::Mark(mark));
    }

    /// Ends utterances whose mark should have come back long ago.
    fn time_out(&mut self, now: u64) {
        while let Some(Stage::Sent { at, .. }) = self.queue.front().map(|it| it.stage) {
            if now < at + self.grace() {
                break;
            }
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(speech) = self.queue.pop_front() {
            if self.over.len() == OVER {
                self.barred = self.barred.max(self.over.pop_front());
            }
            self.over.push_back(speech.utterance);
            self.finished.push_back(Progress {
                utterance: speech.utterance,
                played: self.duration(speech.sent),
                done: true,
            });
            self.recycle(speech.samples);
        }
    }

    /// Lets what the caller is hearing at `now` die away instead of breaking off.
    fn fade(&mut self, now: u64, send: &mut impl FnMut(Outgoing<'_>)) {
        let playing = now < self.tail;
        if playing {
            self.line.read(now, &mut self.wire.frame);
        }
        self.line.truncate(now);
        self.tail = self.tail.min(now);
        if playing && self.wire.frame.iter().any(|&it| it != 0) {
            fade_out(&mut self.wire.frame);
            self.emit(now, send);
        }
        self.tail = self.tail.max(self.others.until);
    }

    /// Sends nothing that would be heard before `until`.
    fn book(&mut self, until: u64) {
        self.others.until = until;
        self.tail = self.tail.max(until);
        self.supply = match self.supply {
            Supply::Live => Supply::Live,
            // What was broken off fades in again.
            Supply::Ahead | Supply::Broken => Supply::Broken,
        };
    }

    fn speech(&mut self, utterance: UtteranceId) -> Option<&mut Speech> {
        if Some(utterance) <= self.barred || self.over.contains(&utterance) {
            return None;
        }
        let known = self.queue.iter().position(|it| it.utterance == utterance);
        let at = known.unwrap_or_else(|| {
            // In its turn, but never before what has begun.
            let before = self
                .queue
                .iter()
                .rposition(|it| it.utterance < utterance || it.has_begun());
            let at = before.map_or(0, |it| it + 1);
            let samples = self.spare.pop().unwrap_or_default();
            self.queue.insert(at, Speech::new(utterance, samples));
            at
        });
        self.queue.get_mut(at)
    }

    fn recycle(&mut self, mut samples: VecDeque<i16>) {
        if self.spare.len() < SPARE && samples.capacity() <= self.rate.hz() as usize {
            samples.clear();
            self.spare.push(samples);
        }
    }

    fn samples(&self, time: Duration) -> u64 {
        self.rate.samples_in(time) as u64
    }

    fn duration(&self, samples: u64) -> Duration {
        self.rate.duration_of(samples as usize)
    }

    fn grace(&self) -> u64 {
        self.samples(GRACE)
    }

    fn last_chance(&self) -> u64 {
        self.ahead.min(self.samples(LAST_CHANCE))
    }
}

impl Wire {
    fn encode(&mut self) -> &[u8] {
        self.bytes.clear();
        self.encoder.encode_into(&self.frame, &mut self.bytes);
        &self.bytes
    }
}

fn unheard(pieces: &VecDeque<Piece>, utterance: UtteranceId, now: u64) -> u64 {
    let own = pieces.iter().filter(|it| it.utterance == utterance);
    own.map(|it| (it.at + it.len).saturating_sub(now).min(it.len))
        .sum()
}

fn fade_out(samples: &mut [i16]) {
    let n = samples.len() as i32;
    for (i, sample) in samples.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * (n - i as i32) / (n + 1)) as i16;
    }
}

fn fade_in(samples: &mut [i16]) {
    let n = samples.len() as i32;
    for (i, sample) in samples.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * (i as i32 + 1) / (n + 1)) as i16;
    }
}

/// What key sound is booked under.
const TONES: UtteranceId = UtteranceId(u32::MAX);
/// More lead than this makes no sense on a phone call.
const LONGEST_LEAD: Duration = Duration::from_secs(1);
/// What was played is remembered for so long, for the recording.
const REMEMBERED: Duration = Duration::from_millis(150);
/// More audio than this waiting means that the synthesizer has gone mad.
const LONGEST_QUEUE: Duration = Duration::from_secs(600);
/// Whoever was asked to press keys has given up by then.
const LONGEST_HOLD: Duration = Duration::from_secs(5);
/// A mark that takes longer than this is not coming.
const GRACE: Duration = Duration::from_millis(300);
/// How long before the far end runs dry we give up waiting for the synthesizer.
const LAST_CHANCE: Duration = Duration::from_millis(10);
/// How long speech that was broken off takes to fade.
const DYING: Duration = Duration::from_millis(6);
/// How long the fade is where padding or a gap meets speech.
const JOINT: Duration = Duration::from_millis(2);
const SPARE: usize = 4;
/// Utterances are made side by side, so one may come a few places after its turn.
const OVER: usize = 16;
