use crate::Rate;

/// So many seats a [`Mixer`] has.
pub const SEATS: usize = 16;

/// Mixes the sound of several who speak at once, so that each hears the others and never itself.
///
/// Every twenty milliseconds each seat gives a frame at the mixer's rate with [`Mixer::put`], or
/// nothing, which is silence; then [`Mixer::mix`] makes what each is to hear. Who hears whom is a
/// table of [`Mixer::hears`], and changes without a click. Sums never wrap: above three quarters of
/// full scale they are bent so that they never reach it.
#[derive(Debug)]
pub struct Mixer {
    samples: usize,
    seats: Box<[Seat; SEATS]>,
    sum: Vec<i32>,
    floor: Floor,
}

#[derive(Debug, Default)]
struct Seat {
    /// What it says in this tick; silence once that is mixed.
    says: Vec<i16>,
    speaks: bool,
    /// Whom it hears, and heard in the tick before: a bit for each.
    hears: u16,
    heard: u16,
    out: Vec<i16>,
    voice: Loudness,
}

impl Mixer {
    /// For frames at this rate, of twenty milliseconds.
    pub fn new(rate: Rate) -> Self {
        let samples = rate.samples_per_frame();
        let seat = || Seat {
            says: vec![0; samples],
            out: vec![0; samples],
            ..Seat::default()
        };
        Self {
            samples,
            seats: Box::new(std::array::from_fn(|_| seat())),
            sum: vec![0; samples],
            floor: Floor::default(),
        }
    }

    /// A seat gives its next frame. What is more than a frame is left out, what is less is silence.
    ///
    /// # Panics
    /// There is no such seat.
    pub fn put(&mut self, seat: usize, frame: &[i16]) {
        let seat = &mut self.seats[seat];
        let given = frame.len().min(seat.says.len());
        seat.says[..given].copy_from_slice(&frame[..given]);
        seat.says[given..].fill(0);
        seat.speaks = true;
    }

    /// From the next tick on, this seat hears these: a bit for each, and its own is ignored.
    ///
    /// # Panics
    /// There is no such seat.
    pub fn hears(&mut self, listener: usize, seats: u16) {
        self.seats[listener].hears = seats & !bit(listener);
    }

    /// Mixes what was put since the last time. Seats that are in `voices` may have the floor.
    pub fn mix(&mut self, voices: u16) {
        for listener in 0..SEATS {
            let (hears, heard) = (self.seats[listener].hears, self.seats[listener].heard);
            if hears | heard == 0 {
                self.seats[listener].out.fill(0);
                continue;
            }
            self.sum.fill(0);
            for (other, seat) in self.seats.iter().enumerate().filter(|(_, it)| it.speaks) {
                match (heard & bit(other) != 0, hears & bit(other) != 0) {
                    (true, true) => add(&mut self.sum, &seat.says),
                    (false, true) => ramp(&mut self.sum, &seat.says, Fade::In),
                    (true, false) => ramp(&mut self.sum, &seat.says, Fade::Out),
                    (false, false) => {}
                }
            }
            let seat = &mut self.seats[listener];
            for (out, sum) in seat.out.iter_mut().zip(&self.sum) {
                *out = bend(*sum);
            }
            seat.heard = hears;
        }
        for seat in self.seats.iter_mut() {
            seat.voice.push(&seat.says);
            if std::mem::take(&mut seat.speaks) {
                seat.says.fill(0);
            }
        }
        let loudness = std::array::from_fn(|it| match voices & bit(it) {
            0 => 0.0,
            _ => self.seats[it].voice.speech(),
        });
        self.floor.push(&loudness);
    }

    /// What a seat is to hear of the tick that was mixed: one frame.
    ///
    /// # Panics
    /// There is no such seat.
    pub fn heard(&self, listener: usize) -> &[i16] {
        &self.seats[listener].out
    }

    /// Who has the floor: the one who speaks, or did a moment ago.
    pub fn speaker(&self) -> Option<usize> {
        self.floor.holder
    }

    /// How many samples a frame has.
    pub fn samples(&self) -> usize {
        self.samples
    }
}

fn bit(seat: usize) -> u16 {
    1 << seat
}

fn add(sum: &mut [i32], says: &[i16]) {
    for (sum, it) in sum.iter_mut().zip(says) {
        *sum += i32::from(*it);
    }
}

#[derive(Clone, Copy)]
enum Fade {
    In,
    Out,
}

/// Adds a frame that begins, or ends, to be heard.
fn ramp(sum: &mut [i32], says: &[i16], fade: Fade) {
    let length = says.len() as i32;
    for (at, (sum, it)) in (0..).zip(sum.iter_mut().zip(says)) {
        let part = match fade {
            Fade::In => at,
            Fade::Out => length - at,
        };
        *sum += i32::from(*it) * part / length;
    }
}

/// A sum as a sample: as it is up to the knee, and above it ever closer to full scale.
fn bend(sum: i32) -> i16 {
    let loud = sum.abs();
    if loud <= KNEE {
        return sum as i16;
    }
    let (over, room) = (i64::from(loud - KNEE), i64::from(FULL - KNEE));
    let bent = KNEE + (over * room / (over + room)) as i32;
    (bent * sum.signum()) as i16
}

/// How loud a seat is, and how loud it is when nobody speaks there.
#[derive(Debug, Default)]
struct Loudness {
    power: f32,
    noise: f32,
}

impl Loudness {
    fn push(&mut self, frame: &[i16]) {
        let sum: i64 = frame.iter().map(|it| i64::from(*it) * i64::from(*it)).sum();
        let power = sum as f32 / frame.len().max(1) as f32;
        self.power += (power - self.power) * SMOOTH;
        self.noise = if power < self.noise {
            power
        } else {
            // Twice as loud in about four seconds, at least by something.
            (self.noise * NOISE_RISES).max(1.0)
        };
    }

    /// How loud the speech is; nothing, if it does not stand out.
    fn speech(&self) -> f32 {
        if self.power > QUIET && self.power > self.noise * STANDS_OUT {
            self.power
        } else {
            0.0
        }
    }
}

/// Whose turn it is, by loudness.
#[derive(Debug, Default)]
struct Floor {
    holder: Option<usize>,
    /// For how many ticks the holder has said nothing.
    silent: u32,
    /// Who is louder than the holder, and for how many ticks.
    rival: Option<(usize, u32)>,
}

impl Floor {
    fn push(&mut self, loudness: &[f32; SEATS]) {
        let all = loudness.iter().enumerate();
        let (loudest, power) = all.fold((0, 0.0), |(seat, most), (other, it)| {
            if *it > most {
                (other, *it)
            } else {
                (seat, most)
            }
        });
        let held = self.holder.map_or(0.0, |it| loudness[it]);
        self.silent = if held > 0.0 { 0 } else { self.silent + 1 };
        if power == 0.0 || self.holder == Some(loudest) {
            self.rival = None;
            if self.silent > LETS_GO {
                self.holder = None;
            }
            return;
        }
        let ticks = match self.rival {
            Some((seat, ticks)) if seat == loudest => ticks + 1,
            Some(_) | None => 1,
        };
        self.rival = Some((loudest, ticks));
        let louder = power > held * TAKES;
        let patience = if held > 0.0 { CONTESTS } else { BEGINS };
        if louder && ticks >= patience {
            *self = Self {
                holder: Some(loudest),
                silent: 0,
                rival: None,
            };
        }
    }
}

const FULL: i32 = 32_767;
const KNEE: i32 = 24_576;

/// How much of a new frame goes into how loud somebody is: about 100 ms.
const SMOOTH: f32 = 0.2;
const NOISE_RISES: f32 = 1.0035;
/// Mean square of the quietest speech: about -47 dBm0.
const QUIET: f32 = 10_000.0;
/// So many times louder than the noise of its line speech is: 6 dB.
const STANDS_OUT: f32 = 4.0;
/// So many times louder somebody must be to take the floor from one who speaks: 3 dB.
const TAKES: f32 = 2.0;
/// For so many ticks: half a second, or 60 ms where nobody speaks.
const CONTESTS: u32 = 25;
const BEGINS: u32 = 3;
/// After so many ticks of saying nothing the floor is nobody's: 300 ms, beside the time its loudness takes to fall.
const LETS_GO: u32 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_hears_themselves_and_sums_do_not_wrap() {
        let mut mixer = Mixer::new(Rate::Hz8000);
        for seat in 0..8 {
            // Their own bit too, which is ignored.
            mixer.hears(seat, 0xff);
        }
        for _ in 0..3 {
            for seat in 0..8 {
                mixer.put(seat, &[4_000 * (seat as i16 + 1); 160]);
            }
            mixer.mix(0);
        }
        for seat in 0..8 {
            let others = (1..=8).sum::<i32>() - (seat as i32 + 1);
            let heard = i32::from(mixer.heard(seat)[100]);
            assert_eq!(heard, i32::from(bend(4_000 * others)));
            assert!(heard > 30_000 && heard < FULL);
        }
    }

    #[test]
    fn bending_is_odd_and_never_falls() {
        let mut before = i32::MIN;
        for sum in (-600_000..=600_000).step_by(7) {
            let bent = i32::from(bend(sum));
            assert!(bent >= before && bent.abs() < FULL + 1);
            assert_eq!(bent, -i32::from(bend(-sum)));
            before = bent;
        }
    }

    #[test]
    fn who_is_muted_fades_away_without_a_click() {
        let mut mixer = Mixer::new(Rate::Hz16000);
        mixer.hears(0, 0b10);
        let mut heard = Vec::new();
        for tick in 0..6 {
            if tick == 3 {
                mixer.hears(0, 0);
            }
            mixer.put(1, &[8_000; 320]);
            mixer.mix(0);
            heard.extend_from_slice(mixer.heard(0));
        }
        let steepest = heard.windows(2).map(|it| (it[1] - it[0]).abs()).max();
        assert!(steepest <= Some(26), "a step of {steepest:?}");
        assert_eq!(heard[320 * 2], 8_000);
        assert!(heard[320 * 4..].iter().all(|it| *it == 0));
    }

    #[test]
    fn the_floor_goes_to_whoever_speaks_and_not_to_a_cough() {
        let mut mixer = Mixer::new(Rate::Hz8000);
        let mut story = Vec::new();
        let mut before = None;
        for tick in 0..400_u32 {
            let at = f64::from(tick * 160);
            let speech = |power: f64| -> Vec<i16> {
                (0..160)
                    .map(|it| (power * ((at + f64::from(it)) * 0.3).sin()) as i16)
                    .collect()
            };
            // One speaks, another coughs into it, then answers; a third line only hums.
            if tick < 100 {
                mixer.put(0, &speech(6_000.0));
            }
            if (40..46).contains(&tick) || (180..280).contains(&tick) {
                mixer.put(1, &speech(7_000.0));
            }
            mixer.put(2, &speech(120.0));
            mixer.mix(0b111);
            if mixer.speaker() != before {
                before = mixer.speaker();
                story.push((tick, before));
            }
        }
        let who: Vec<_> = story.iter().map(|it| it.1).collect();
        assert_eq!(who, [Some(0), None, Some(1), None], "{story:?}");
    }
}
