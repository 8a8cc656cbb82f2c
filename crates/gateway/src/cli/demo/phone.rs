//! The person on the demo's phone.

use std::path::PathBuf;
use std::time::Duration;

use exchange::phone::{PhonePlan, Step};
use exchange::wav;
use media::Rate;
use ports::{Blame, Fault, code};
use speech::local::Reader;
use speech::models::Store;

/// What the person will say, turn by turn.
pub(super) struct Caller {
    turns: Vec<Turn>,
}

struct Turn {
    manner: Manner,
    sound: Step,
}

#[derive(Clone, Copy)]
enum Manner {
    /// Waits until the agent has finished.
    Polite,
    /// Speaks over the agent.
    Interrupting,
}

/// A person who leaves a message, notices a mistake in the middle of its being read back, and says
/// so at once.
const SCRIPT: &[(Manner, &str)] = &[
    (Manner::Polite, "Hello. My name is Robert."),
    (
        Manner::Polite,
        "Please tell her that the meeting on Thursday has been moved to the large room.",
    ),
    (
        Manner::Interrupting,
        "No, wait. It is the meeting on Friday.",
    ),
    (Manner::Polite, "Yes, that is right."),
];

/// How much of a voice the line carries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Band {
    Narrow,
    Wide,
}

impl Caller {
    /// Speaks with the best voice of this machine, raised so that nobody takes it for the agent's.
    pub(super) fn spoken(store: &Store, band: Band) -> Result<Self, Fault> {
        let reader = Reader::best(store)?;
        let turn = |(manner, text): &(Manner, &str)| {
            let sound = match band {
                Band::Narrow => {
                    let sound = reader.speak(text, Rate::Hz8000)?;
                    Step::Say(wav::to_line_rate(&sound, RAISED))
                }
                Band::Wide => {
                    let sound = reader.speak(text, Rate::Hz16000)?;
                    Step::SayWide(wav::to_wide_rate(&sound, 2 * RAISED))
                }
            };
            Ok(Turn {
                manner: *manner,
                sound,
            })
        };
        Ok(Self {
            turns: SCRIPT.iter().map(turn).collect::<Result<_, Fault>>()?,
        })
    }

    /// Speaks with recordings, one file a turn; the third turn interrupts.
    pub(super) fn recorded(files: &[PathBuf]) -> Result<Self, Fault> {
        let turn = |(at, file): (usize, &PathBuf)| {
            let sound = wav::read(file).map_err(|error| {
                let message = format!("cannot read {} as a recording", file.display());
                Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                    .hint("give mono WAV files")
                    .because(error)
            })?;
            let manner = if at == 2 {
                Manner::Interrupting
            } else {
                Manner::Polite
            };
            let sound = Step::Say(sound);
            Ok(Turn { manner, sound })
        };
        Ok(Self {
            turns: files
                .iter()
                .enumerate()
                .map(turn)
                .collect::<Result<_, Fault>>()?,
        })
    }

    /// As the exchange wants it.
    pub(super) fn plan(&self) -> PhonePlan {
        let mut steps = Vec::new();
        for turn in &self.turns {
            steps.push(match turn.manner {
                Manner::Polite => Step::WaitForAgent {
                    quiet: POLITE,
                    timeout: PATIENCE,
                },
                Manner::Interrupting => Step::InterruptAfter {
                    speech: ENOUGH,
                    timeout: PATIENCE,
                },
            });
            steps.push(turn.sound.clone());
        }
        steps.push(Step::WaitForHangUp { timeout: PATIENCE });
        steps.push(Step::HangUp);
        PhonePlan::answers(RINGS, steps)
    }
}

/// Sound of 8,000 samples a second taken for this many is higher, and a little quicker.
const RAISED: u32 = 8_800;
/// How long the phone rings.
const RINGS: Duration = Duration::from_millis(1_200);
/// After so much silence a person takes it that the other has finished.
const POLITE: Duration = Duration::from_millis(900);
/// How much an impatient person lets the agent say.
const ENOUGH: Duration = Duration::from_millis(2_200);
/// How long a person waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);
