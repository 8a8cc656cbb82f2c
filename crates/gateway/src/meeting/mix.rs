//! A meeting's sound: what each has sent and has not been mixed, and what each is to get.

use std::collections::VecDeque;

use call::meeting::{Audience, MOST, PartyId, Seats};
use media::{Frame, Mixer, Music, Rate, Resampler, SEATS};

use super::inner::{FORMAT, FromAgent, OuterEnd};
use crate::runner::ASSUMED;

/// Everybody's sound, on its way to everybody else: at the rate of the best line there is.
pub(super) struct Mix {
    rate: Rate,
    mixer: Mixer,
    parts: [Part; SEATS],
    /// Who may have the floor of the meeting: people, and an agent that may speak.
    voices: u16,
    announced: Announced,
    frame: Vec<i16>,
}

/// What is said in the meeting's own name, and to whom.
struct Announced {
    waiting: VecDeque<(Audience, Vec<i16>)>,
    /// At which of the first one's samples we are.
    at: usize,
    resampler: Resampler,
}

/// One line.
struct Part {
    /// What it has sent, at the meeting's rate.
    waiting: VecDeque<i16>,
    /// Between its rate and ours; `None`: they are the same.
    turned: Option<Turned>,
    rate: Rate,
    /// What an agent has sent and has not been heard, with the marks in it.
    said: VecDeque<Piece>,
    hears: u16,
    music: Option<Music>,
}

struct Turned {
    from: Resampler,
    to: Resampler,
    /// What is for it, at its rate.
    waiting: Vec<i16>,
}

enum Piece {
    Sample(i16),
    Mark(String),
}

impl Mix {
    pub(super) fn new() -> Self {
        let rate = ASSUMED;
        Self {
            rate,
            mixer: Mixer::new(rate),
            parts: std::array::from_fn(|_| Part::new(rate, rate)),
            voices: 0,
            announced: Announced::new(rate),
            frame: Vec::with_capacity(rate.samples_per_frame()),
        }
    }

    /// Who hears whom from now on.
    pub(super) fn hear(&mut self, seats: &Seats) {
        self.voices = 0;
        for party in (0..MOST).map(PartyId) {
            let index = usize::from(party.0);
            let part = &mut self.parts[index];
            part.hears = seats.heard_by(party).bits();
            self.mixer.hears(index, part.hears);
            self.voices |= u16::from(seats.is_heard(party)) << index;
            // Nobody who sits there is left in silence.
            if seats.is_seated(party) && !seats.is_kept_company(party) {
                part.music.get_or_insert_with(|| Music::new(self.rate));
            } else {
                part.music = None;
            }
        }
    }

    /// Takes a frame of someone's, at the rate of their line.
    pub(super) fn put(&mut self, party: PartyId, frame: &Frame) {
        if frame.rate().hz() > self.rate.hz() {
            self.widen(frame.rate());
        }
        self.place(party, frame);
    }

    /// The same where it does not matter how good the line is.
    fn place(&mut self, party: PartyId, frame: &Frame) {
        let (rate, most) = (self.rate, BEHIND * self.rate.samples_per_frame());
        let part = &mut self.parts[usize::from(party.0)];
        part.is_at(frame.rate(), rate);
        match &mut part.turned {
            None => part.waiting.extend(frame.samples()),
            Some(turned) => {
                self.frame.clear();
                turned.from.push(frame.samples(), &mut self.frame);
                part.waiting.extend(&self.frame);
            }
        }
        // Whoever sends faster than time passes is heard from where they are now.
        let late = part.waiting.len().saturating_sub(most);
        part.waiting.drain(..late);
    }

    /// Takes what an agent has sent, and a frame of what is to be heard of it. Of what nobody hears it
    /// is not said that it was played.
    pub(super) fn hear_agent(&mut self, party: PartyId, line: &mut OuterEnd) {
        let heard = self.voices & (1 << party.0) != 0;
        let part = &mut self.parts[usize::from(party.0)];
        while let Some(news) = line.take() {
            match news {
                FromAgent::Sound(samples) => {
                    part.said.extend(samples.into_iter().map(Piece::Sample));
                }
                FromAgent::Mark(mark) => part.said.push_back(Piece::Mark(mark)),
                FromAgent::Clear => {
                    let marks = part.said.drain(..).filter_map(Piece::into_mark);
                    marks.for_each(|it| line.played(&it));
                }
            }
        }
        if !heard {
            part.said.clear();
        }
        let samples = FORMAT.rate.samples_per_frame();
        let mut frame = Vec::with_capacity(samples);
        while frame.len() < samples {
            match part.said.pop_front() {
                Some(Piece::Sample(sample)) => frame.push(sample),
                Some(Piece::Mark(mark)) => line.played(&mark),
                None => break,
            }
        }
        self.place(party, &Frame::from_samples(FORMAT.rate, &frame));
    }

    /// Lets some hear this, at the rate of the meeting's own mouth, after what is being announced.
    pub(super) fn announce(&mut self, audience: Audience, samples: &[i16]) {
        let mut turned = Vec::with_capacity(2 * samples.len());
        self.announced.resampler.push(samples, &mut turned);
        self.announced.waiting.push_back((audience, turned));
    }

    pub(super) fn leave(&mut self, party: PartyId) {
        self.parts[usize::from(party.0)] = Part::new(self.rate, self.rate);
    }

    /// Moves everybody's sound on by a frame.
    pub(super) fn mix(&mut self) {
        let samples = self.rate.samples_per_frame();
        for (index, part) in self.parts.iter_mut().enumerate() {
            if part.waiting.len() >= samples {
                self.frame.clear();
                self.frame.extend(part.waiting.drain(..samples));
                self.mixer.put(index, &self.frame);
            }
        }
        self.mixer.mix(self.voices);
        self.announced.next(samples);
    }

    /// What someone is to get of it, at the rate of their line.
    pub(super) fn take(&mut self, party: PartyId) -> Option<Frame> {
        self.compose(party);
        let part = &mut self.parts[usize::from(party.0)];
        match &mut part.turned {
            None => Some(Frame::from_samples(self.rate, &self.frame)),
            Some(turned) => {
                turned.to.push(&self.frame, &mut turned.waiting);
                let samples = part.rate.samples_per_frame();
                (turned.waiting.len() >= samples).then(|| {
                    let frame = Frame::from_samples(part.rate, &turned.waiting);
                    turned.waiting.drain(..samples);
                    frame
                })
            }
        }
    }

    /// The same for an agent.
    pub(super) fn play_to(&mut self, party: PartyId, line: &OuterEnd) {
        if let Some(frame) = self.take(party) {
            line.play(frame.samples());
        }
    }

    /// Who has the floor.
    pub(super) fn speaker(&self) -> Option<PartyId> {
        let seat = self.mixer.speaker()?;
        u8::try_from(seat).ok().map(PartyId)
    }

    /// The others, with music and announcements.
    fn compose(&mut self, party: PartyId) {
        let index = usize::from(party.0);
        self.frame.clear();
        self.frame.extend_from_slice(self.mixer.heard(index));
        if let Some(music) = &mut self.parts[index].music {
            music.add_to(&mut self.frame);
        }
        let announced = self.announced.now(self.frame.len());
        if let Some((audience, samples)) = announced
            && audience.has(party)
        {
            for (sample, it) in self.frame.iter_mut().zip(samples) {
                *sample = sample.saturating_add(*it);
            }
        }
    }

    /// A better line has come: from now on the meeting is at its rate.
    fn widen(&mut self, rate: Rate) {
        self.rate = rate;
        self.mixer = Mixer::new(rate);
        for (index, part) in self.parts.iter_mut().enumerate() {
            let (hears, music) = (part.hears, part.music.is_some());
            let said = std::mem::take(&mut part.said);
            *part = Part {
                said,
                hears,
                music: music.then(|| Music::new(rate)),
                ..Part::new(part.rate, rate)
            };
            self.mixer.hears(index, hears);
        }
        self.announced = Announced::new(rate);
    }
}

impl Part {
    fn new(own: Rate, rate: Rate) -> Self {
        Self {
            waiting: VecDeque::new(),
            turned: (own != rate).then(|| Turned::new(own, rate)),
            rate: own,
            said: VecDeque::new(),
            hears: 0,
            music: None,
        }
    }

    /// Its line is at this rate, and the meeting at that.
    fn is_at(&mut self, own: Rate, rate: Rate) {
        if self.rate != own {
            self.rate = own;
            self.turned = (own != rate).then(|| Turned::new(own, rate));
        }
    }
}

impl Turned {
    fn new(own: Rate, rate: Rate) -> Self {
        Self {
            from: Resampler::new(own.hz(), rate.hz()),
            to: Resampler::new(rate.hz(), own.hz()),
            waiting: Vec::with_capacity(2 * own.samples_per_frame()),
        }
    }
}

impl Announced {
    fn new(rate: Rate) -> Self {
        Self {
            waiting: VecDeque::new(),
            at: 0,
            resampler: Resampler::new(MOUTH.hz(), rate.hz()),
        }
    }

    /// What is to be heard of it in this tick.
    fn now(&self, samples: usize) -> Option<(Audience, &[i16])> {
        let (audience, sound) = self.waiting.front()?;
        let from = self.at.checked_sub(samples)?;
        let to = self.at.min(sound.len());
        Some((*audience, sound.get(from..to)?))
    }

    fn next(&mut self, samples: usize) {
        let Some((_, sound)) = self.waiting.front() else {
            return;
        };
        if self.at >= sound.len() {
            self.waiting.pop_front();
            self.at = 0;
        }
        if !self.waiting.is_empty() {
            self.at += samples;
        }
    }
}

impl Piece {
    fn into_mark(self) -> Option<String> {
        match self {
            Self::Mark(mark) => Some(mark),
            Self::Sample(_) => None,
        }
    }
}

/// At what rate the meeting's own mouth speaks: that of the best line there can be.
pub(crate) const MOUTH: Rate = FORMAT.rate;

/// So many frames of someone's may wait: what comes later pushes the oldest out.
const BEHIND: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use call::meeting::{Announcing, Input, Kind, Phrases};
    use call::{Meeting, Regrets};
    use ports::carrier::{StreamCommand, StreamProtocol};

    use super::*;
    use crate::line::{Line, Weight};
    use crate::meeting::{Inner, line};

    /// What no telephone line carries, a wide one does.
    #[test]
    fn a_wide_line_carries_all_of_an_agent_and_of_what_is_announced() {
        assert!(heard_of_agent(Rate::Hz16000) > 0.5);
        assert!(heard_of_announcement(Rate::Hz16000) > 0.5);
        assert!(heard_of_agent(Rate::Hz8000) < 0.1, "nor is it folded");
        assert!(heard_of_announcement(Rate::Hz8000) < 0.1);
    }

    #[test]
    fn an_agent_makes_no_narrow_table_wide() {
        let (mut mix, _) = table();
        let (_near, mut far) = line();
        mix.hear_agent(HOST, &mut far);
        mix.mix();
        let frame = mix.take(ANNA).expect("she hears something");
        assert_eq!(frame.rate(), ASSUMED);
    }

    fn heard_of_agent(rate: Rate) -> f64 {
        let (mut mix, _) = table();
        let (mut near, mut far) = line();
        let mut sound = tone();
        on(rate, &mut mix, |mix| {
            let frame: Vec<i16> = sound.by_ref().take(320).collect();
            let bytes: Vec<_> = frame.iter().flat_map(|it| it.to_le_bytes()).collect();
            let mut message = String::new();
            Inner::default().encode(StreamCommand::Audio(&bytes), &mut message);
            near.push(&message, Weight::Sound);
            mix.hear_agent(HOST, &mut far);
        })
    }

    fn heard_of_announcement(rate: Rate) -> f64 {
        let (mut mix, seats) = table();
        let mut sound = tone();
        on(rate, &mut mix, |mix| {
            let frame: Vec<i16> = sound.by_ref().take(320).collect();
            mix.announce(seats.all(), &frame);
        })
    }

    /// How loud the tone is for someone on a line of that rate, of all they hear.
    fn on(rate: Rate, mix: &mut Mix, mut tick: impl FnMut(&mut Mix)) -> f64 {
        let mut heard = Vec::new();
        for _ in 0..50 {
            mix.put(ANNA, &Frame::silence(rate));
            tick(mix);
            mix.mix();
            heard.extend(mix.take(ANNA).iter().flat_map(|it| it.samples().to_vec()));
        }
        let late = &heard[heard.len() / 2..];
        // What is folded would be heard at the mirror of it.
        let hz = if rate == Rate::Hz16000 {
            HZ
        } else {
            8_000.0 - HZ
        };
        let step = std::f64::consts::TAU * hz / f64::from(rate.hz());
        let (mut re, mut im) = (0.0, 0.0);
        for (index, sample) in late.iter().enumerate() {
            let (sample, angle) = (f64::from(*sample), step * index as f64);
            re += sample * angle.cos();
            im += sample * angle.sin();
        }
        2.0 * (re * re + im * im).sqrt() / (late.len() as f64 * LOUD)
    }

    fn tone() -> impl Iterator<Item = i16> {
        let step = std::f64::consts::TAU * HZ / f64::from(MOUTH.hz());
        (0..).map(move |at| (LOUD * (f64::from(at) * step).sin()) as i16)
    }

    /// Anna and an agent.
    fn table() -> (Mix, Seats) {
        let now = Instant::now();
        let quiet = || call::Private::from(String::new());
        let phrases = Phrases {
            regrets: Regrets {
                nobody: quiet(),
                busy: quiet(),
                declined: quiet(),
            },
            left: quiet(),
            alone: quiet(),
        };
        let patience = Duration::from_secs(60);
        let mut meeting = Meeting::open(now, phrases, patience, Announcing::Off);
        for (party, kind) in [(ANNA, Kind::Person), (HOST, Kind::Agent)] {
            let _ = meeting.handle(now, Input::Awaited(party, kind));
            let _ = meeting.handle(now, Input::Joined(party));
        }
        let mut mix = Mix::new();
        mix.hear(meeting.seats());
        (mix, meeting.seats().clone())
    }

    const ANNA: PartyId = PartyId(0);
    const HOST: PartyId = PartyId(1);
    const HZ: f64 = 5_500.0;
    const LOUD: f64 = 6_000.0;
}
