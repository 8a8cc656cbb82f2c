use crate::Rate;

/// What says to someone who waits that somebody is at work: two soft knocks, a fifth of a second in all, about
/// 24 dB below the loudest tone a telephone line carries. Begins and ends in silence.
pub fn pulse(rate: Rate) -> Vec<i16> {
    let hz = rate.hz() as f32;
    let length = (hz * LENGTH) as usize;
    (0..length)
        .map(|at| {
            let at = at as f32 / hz;
            let knocks = KNOCKS.iter().filter(|(begin, _)| at >= *begin);
            let sound: f32 = knocks.map(|(begin, tone)| knock(at - begin, *tone)).sum();
            let fade = ((LENGTH - at) / FADE).min(1.0);
            (sound * fade * LEVEL) as i16
        })
        .collect()
}

/// A tone that is struck and dies away.
fn knock(since: f32, tone: f32) -> f32 {
    let rise = (since / 0.004).min(1.0);
    (std::f32::consts::TAU * tone * since).sin() * rise * (-since / 0.03).exp()
}

/// In seconds.
const LENGTH: f32 = 0.22;
const FADE: f32 = 0.02;
const LEVEL: f32 = 2_600.0;
/// When each is struck, in seconds, and its tone, in Hz: none that keys are made of.
const KNOCKS: [(f32, f32); 2] = [(0.0, 392.0), (0.1, 523.25)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_soft_short_and_without_a_click() {
        for rate in [Rate::Hz8000, Rate::Hz16000] {
            let sound = pulse(rate);
            assert_eq!(rate.duration_of(sound.len()).as_millis(), 220);
            let loudest = sound.iter().map(|it| it.unsigned_abs()).max();
            assert!(
                (500..4_000).contains(&loudest.unwrap_or_default()),
                "{loudest:?}"
            );
            let steps = sound.windows(2).map(|it| (it[1] - it[0]).abs()).max();
            assert!(steps < Some(1_500), "a click of {steps:?}");
            assert!(sound[0] == 0 && sound[sound.len() - 1].abs() < 20);
        }
    }
}
