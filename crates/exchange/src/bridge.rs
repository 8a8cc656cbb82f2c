//! A second phone that a call is put through to: it rings, and then the two people hear one another.
//!
//! The first line is ticked by whoever has the call; the second one is ticked here. Both keep grids of their own, and are
//! moved on strictly in the order of their times, so that each 20 ms of one are there when the other needs them.

use crate::call::Recorded;
use crate::ear::{FRAME, RATE};
use crate::line::{Band, Fit, Line, Tick};
use crate::phone::{Deed, PhonePlan, Rung, Step};
use std::f64::consts::TAU;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The second phone and what goes between the two.
pub(crate) struct Bridge {
    band: Band,
    /// How long the two may talk.
    limit: Duration,
    stage: Stage,
}

enum Stage {
    Ringing {
        ringing: Pin<Box<dyn Future<Output = Rung> + Send>>,
        script: Vec<Step>,
        tone: RingingTone,
    },
    Talking {
        line: Box<Line>,
        until: Instant,
    },
    /// Nobody took the call.
    Silent,
}

/// What happens next on a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is time for the first line's tick, which [`Bridge::pass`] is to have.
    Tick,
    /// Somebody picked up: the two hear one another from now on.
    Answered,
    /// Nobody did, for this reason: the bridge is over.
    Unanswered(Rung),
    /// The second person pressed a key; the first one hears its tone.
    Pressed(char),
    /// The second person hung up.
    HungUp,
    /// The two have talked for as long as they may.
    TimeLimit,
}

impl Bridge {
    /// Begins to ring a phone, for at most so long.
    pub(crate) fn ring(plan: PhonePlan, band: Band, longest: Duration, limit: Duration) -> Self {
        let PhonePlan { pickup, script } = plan;
        let tone = if pickup.rings() {
            RingingTone::Rings { at: 0 }
        } else {
            RingingTone::Silence
        };
        Self {
            band,
            limit,
            stage: Stage::Ringing {
                ringing: Box::pin(pickup.ring(longest)),
                script,
                tone,
            },
        }
    }

    /// Waits for what is next; until then the second person lives. Nothing is lost when this is cancelled.
    pub(crate) async fn next(&mut self, first: &mut Line) -> Came {
        loop {
            let came = match &mut self.stage {
                Stage::Silent => {
                    sleep_until(first.next_tick()).await;
                    Came::Tick
                }
                Stage::Ringing { ringing, .. } => tokio::select! {
                    biased;
                    rung = ringing => return self.rung(rung, first),
                    () = sleep_until(first.next_tick()) => Came::Tick,
                },
                Stage::Talking { line, until } => {
                    let (near, far) = (first.next_tick(), line.next_tick());
                    sleep_until(near.min(far).min(*until)).await;
                    if *until <= near.min(far) {
                        return Came::TimeLimit;
                    }
                    if near <= far {
                        return Came::Tick;
                    }
                    let tick = line.tick();
                    give(first, &tick);
                    match tick.deed {
                        Deed::HangsUp => return Came::HungUp,
                        Deed::Presses(key) => return Came::Pressed(key),
                        Deed::Nothing | Deed::Starts | Deed::Ends => continue,
                    }
                }
            };
            if let Stage::Ringing { tone, .. } = &mut self.stage {
                tone.sound(first);
            }
            return came;
        }
    }

    /// Lets the second person hear what the first one said.
    pub(crate) fn pass(&mut self, tick: &Tick) {
        match &mut self.stage {
            Stage::Talking { line, .. } => give(line, tick),
            Stage::Ringing { .. } | Stage::Silent => {}
        }
    }

    /// Plays sound to the second person.
    pub(crate) fn play(&mut self, sound: Vec<i16>) {
        match &mut self.stage {
            Stage::Talking { line, .. } => {
                line.play(sound);
            }
            Stage::Ringing { .. } | Stage::Silent => {}
        }
    }

    /// Whether the two talk, or have talked.
    pub(crate) fn is_answered(&self) -> bool {
        match self.stage {
            Stage::Talking { .. } => true,
            Stage::Ringing { .. } | Stage::Silent => false,
        }
    }

    /// Takes the two apart: nothing that the second person said is left to be heard. What was recorded at their phone.
    pub(crate) fn part(self, first: &mut Line) -> Recorded {
        first.restart();
        match self.stage {
            Stage::Talking { line, .. } => Recorded::on(*line, Vec::new()),
            Stage::Ringing { .. } | Stage::Silent => Recorded::default(),
        }
    }

    fn rung(&mut self, rung: Rung, first: &mut Line) -> Came {
        first.restart();
        let stage = std::mem::replace(&mut self.stage, Stage::Silent);
        match (rung, stage) {
            (Rung::Answered, Stage::Ringing { script, .. }) => {
                let answered = Instant::now();
                self.stage = Stage::Talking {
                    line: Box::new(Line::of(self.band, script, answered)),
                    until: answered + self.limit,
                };
                Came::Answered
            }
            (rung, Stage::Ringing { .. } | Stage::Talking { .. } | Stage::Silent) => {
                Came::Unanswered(rung)
            }
        }
    }
}

/// Plays to one person what the other one said. Both lines go at the same pace, so the buffer holds two frames at most.
fn give(line: &mut Line, tick: &Tick) {
    let fit = if tick.wide.is_empty() {
        line.play(tick.sound.to_vec())
    } else {
        line.play_wide(tick.wide.clone())
    };
    debug_assert_eq!(fit, Fit::Fits);
}

/// What somebody hears whose call rings elsewhere.
enum RingingTone {
    /// The phone does not ring.
    Silence,
    Rings {
        /// Samples that were played.
        at: usize,
    },
}

impl RingingTone {
    /// Plays the next 20 ms.
    fn sound(&mut self, line: &mut Line) {
        let Self::Rings { at } = self else {
            return;
        };
        let from = *at;
        *at += FRAME;
        if from % CYCLE >= SOUNDING {
            return;
        }
        let wave = |frequency: f64, index: usize| {
            (TAU * frequency * index as f64 / f64::from(RATE)).sin() * LEVEL
        };
        let sound = (from..from + FRAME)
            .map(|index| (wave(440.0, index) + wave(480.0, index)) as i16)
            .collect();
        line.play(sound);
    }
}

/// The North American ringing tone: 440 and 480 Hz at -19 dBm0 each, two seconds of it and four of silence.
const CYCLE: usize = 6 * RATE as usize;
const SOUNDING: usize = 2 * RATE as usize;
const LEVEL: f64 = 2_550.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::loudness;
    use crate::phone::{Person, Pickup};

    /// Lives until the bridge is over, or the first person hangs up.
    async fn talk(first: &mut Line, bridge: &mut Bridge) -> Vec<Came> {
        let mut came = Vec::new();
        loop {
            match bridge.next(first).await {
                Came::Tick => {
                    let tick = first.tick();
                    bridge.pass(&tick);
                    if tick.deed == Deed::HangsUp {
                        return came;
                    }
                }
                going_on @ (Came::Answered | Came::Pressed(_)) => came.push(going_on),
                over @ (Came::Unanswered(_) | Came::HungUp | Came::TimeLimit) => {
                    came.push(over);
                    return came;
                }
            }
        }
    }

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// A sound of which every sample is another.
    fn ramp(from: i16) -> Vec<i16> {
        (from..from + 1_600).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_hears_every_sample_of_the_other() {
        for band in [Band::Narrow, Band::Wide] {
            let script = vec![
                Step::Wait(ms(500)),
                Step::Say(ramp(1_000)),
                Step::Wait(ms(2_000)),
            ];
            let mut first = Line::of(band, script, Instant::now());
            tokio::time::sleep(ms(7)).await;
            let plan = PhonePlan::answers(
                ms(113),
                [Step::Say(ramp(5_000)), Step::Wait(ms(600)), Step::HangUp],
            );
            let mut bridge = Bridge::ring(plan, band, ms(1_000), ms(10_000));
            assert_eq!(
                talk(&mut first, &mut bridge).await,
                [Came::Answered, Came::HungUp]
            );
            assert!(bridge.is_answered());
            let second = bridge.part(&mut first);
            assert!(
                (ms(800)..ms(900)).contains(&second.talked),
                "{:?}",
                second.talked
            );
            let (ear, _) = first.into_parts();
            if band == Band::Narrow {
                let heard =
                    |sound: &[i16], ramp: Vec<i16>| sound.windows(ramp.len()).any(|it| it == ramp);
                assert!(heard(ear.agent(), ramp(5_000)));
                assert!(heard(second.ear().agent(), ramp(1_000)));
            } else {
                let loud = |sound: &[i16]| sound.iter().filter(|it| **it > 900).count();
                assert!((3_100..3_400).contains(&loud(second.ear().wide_agent())));
                assert!(loud(ear.wide_agent()) > 3_100);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_hears_it_ring() {
        let mut first = Line::new(Person::new(Vec::new()), Instant::now());
        let plan = PhonePlan::never_talks(Pickup::NoAnswer);
        let mut bridge = Bridge::ring(plan, Band::Narrow, ms(3_000), ms(10_000));
        let came = talk(&mut first, &mut bridge).await;
        assert_eq!(came, [Came::Unanswered(Rung::Unanswered)]);
        assert!(!bridge.is_answered());
        bridge.part(&mut first);
        let (ear, _) = first.into_parts();
        let tone = loudness(&ear.agent()[8_000..16_000]);
        assert!((2_300.0..2_800.0).contains(&tone), "{tone}");
        assert_eq!(loudness(&ear.agent()[16_400..]), 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_heard_and_time_runs_out() {
        let mut first = Line::new(Person::new(Vec::new()), Instant::now());
        let plan = PhonePlan::answers(Duration::ZERO, [Step::Press('5')]);
        let mut bridge = Bridge::ring(plan, Band::Narrow, ms(1_000), ms(400));
        let came = talk(&mut first, &mut bridge).await;
        assert_eq!(came, [Came::Answered, Came::Pressed('5'), Came::TimeLimit]);
        let (ear, _) = first.into_parts();
        assert!(loudness(&ear.agent()[320..1_000]) > 1_000.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_phone_that_does_not_ring_is_not_heard_to() {
        for (pickup, rung) in [
            (Pickup::Busy, Rung::Busy),
            (Pickup::Unreachable, Rung::Unreachable),
        ] {
            let mut first = Line::new(Person::new(Vec::new()), Instant::now());
            let mut bridge = Bridge::ring(
                PhonePlan::never_talks(pickup),
                Band::Narrow,
                ms(3_000),
                ms(1_000),
            );
            assert_eq!(
                talk(&mut first, &mut bridge).await,
                [Came::Unanswered(rung)]
            );
        }
    }
}
