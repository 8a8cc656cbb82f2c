//! What a person at a phone does, as the program's arguments write it.

use exchange::phone::Step;
use exchange::wav;
use std::error::Error;
use std::time::Duration;

/// A script, step by step. A WAV file alone is a turn: the person lets the agent finish, and says it. Without waiting
/// for anybody: `say:FILE`, `wait:MILLISECONDS`, `keys:KEYS`, `hang-up`; and `after:MILLISECONDS`, once so much of the
/// agent's speech has been heard. At the end the person waits for the agent to hang up.
///
/// # Errors
/// When a file cannot be read, a time is not a number, or a key is not on a telephone.
pub(crate) fn script<'a>(
    words: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Step>, Box<dyn Error>> {
    let mut script = Vec::new();
    for word in words {
        match word.split_once(':') {
            Some(("say", file)) => script.push(Step::Say(wav::read(file)?)),
            Some(("wait", time)) => script.push(Step::Wait(milliseconds(time)?)),
            Some(("after", time)) => script.push(Step::InterruptAfter {
                speech: milliseconds(time)?,
                timeout: PATIENCE,
            }),
            Some(("keys", keys)) => {
                if let Some(stranger) = keys.chars().find(|key| !KEYS.contains(*key)) {
                    return Err(format!("{word}: no telephone has the key {stranger:?}").into());
                }
                script.extend(keys.chars().map(Step::Press));
            }
            Some(_) | None if word == "hang-up" => script.push(Step::HangUp),
            Some(_) | None => {
                script.push(Step::WaitForAgent {
                    quiet: POLITE,
                    timeout: PATIENCE,
                });
                script.push(Step::Say(wav::read(word)?));
            }
        }
    }
    script.push(Step::WaitForHangUp { timeout: PATIENCE });
    script.push(Step::HangUp);
    Ok(script)
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().map(Duration::from_millis);
    time.map_err(|why| format!("{text:?} are no milliseconds: {why}"))
}

const KEYS: &str = "0123456789*#ABCD";
const POLITE: Duration = Duration::from_millis(1_200);
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::script;
    use exchange::phone::Step;
    use std::time::Duration;

    #[test]
    fn reads_what_a_person_does_without_waiting() {
        let steps =
            script(["wait:250", "after:1000", "keys:1#", "hang-up"]).expect("all of it is known");
        let [
            Step::Wait(time),
            Step::InterruptAfter { speech, .. },
            Step::Press('1'),
            Step::Press('#'),
            Step::HangUp,
            ..,
        ] = steps.as_slice()
        else {
            panic!("{steps:?}");
        };
        assert_eq!(*time, Duration::from_millis(250));
        assert_eq!(*speech, Duration::from_secs(1));
    }

    #[test]
    fn refuses_what_no_phone_can_do() {
        for wrong in [
            "wait:a while",
            "after:",
            "keys:1x",
            "no such file.wav",
            "say:no such file.wav",
        ] {
            assert!(script([wrong]).is_err(), "{wrong}");
        }
    }
}
