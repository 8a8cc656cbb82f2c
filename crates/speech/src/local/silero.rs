//! Silero v6 at 8 kHz: how likely 32 ms of sound hold speech, for many calls at once.

use media::WINDOW;
use ort::value::TensorRef;
use ports::Fault;

use super::onnx::{self, Model, failed};
use crate::models::Store;

/// One copy of the model.
pub(super) struct Silero {
    judge: Model,
    /// Reused from run to run.
    input: Vec<f32>,
    state: Vec<f32>,
}

/// What the model remembers of one call.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    state: [f32; 2 * STATE],
    context: [f32; CONTEXT],
}

/// One window of one call.
pub(super) struct Question<'a> {
    /// Of that call, before; and after the run.
    pub(super) memory: &'a mut Memory,
    /// The window.
    pub(super) samples: &'a [i16; WINDOW],
    /// The answer, after the run: 0 to 1.
    pub(super) probability: f32,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            state: [0.0; 2 * STATE],
            context: [0.0; CONTEXT],
        }
    }
}

impl Silero {
    /// Loads it.
    pub(super) fn load(store: &Store) -> Result<Self, Fault> {
        Ok(Self {
            judge: onnx::open(store, "silero/silero_vad.onnx")?,
            input: Vec::new(),
            state: Vec::new(),
        })
    }

    /// Answers all questions in one run. No two may be of the same call.
    pub(super) fn ask(&mut self, questions: &mut [Question<'_>]) -> Result<(), Fault> {
        self.run(questions).map_err(failed)
    }

    fn run(&mut self, questions: &mut [Question<'_>]) -> ort::Result<()> {
        let n = questions.len();
        self.input.clear();
        self.state.clear();
        for question in questions.iter() {
            self.input.extend_from_slice(&question.memory.context);
            let samples = question.samples.iter().map(|it| f32::from(*it) / 32_768.0);
            self.input.extend(samples);
        }
        for half in 0..2 {
            for question in questions.iter() {
                let from = half * STATE;
                self.state
                    .extend_from_slice(&question.memory.state[from..from + STATE]);
            }
        }
        let inputs = ort::inputs![
            "input" => TensorRef::from_array_view(([n, CONTEXT + WINDOW], self.input.as_slice()))?,
            "state" => TensorRef::from_array_view(([2, n, STATE], self.state.as_slice()))?,
            "sr" => TensorRef::from_array_view(([0_usize; 0], &RATE[..]))?,
        ];
        let out = self.judge.run(inputs)?;
        let (_, probabilities) = out["output"].try_extract_tensor::<f32>()?;
        let (_, state) = out["stateN"].try_extract_tensor::<f32>()?;
        for (row, question) in questions.iter_mut().enumerate() {
            question.probability = probabilities[row];
            for half in 0..2 {
                let from = (half * n + row) * STATE;
                let to = &mut question.memory.state[half * STATE..(half + 1) * STATE];
                to.copy_from_slice(&state[from..from + STATE]);
            }
            let end = (row + 1) * (CONTEXT + WINDOW);
            question
                .memory
                .context
                .copy_from_slice(&self.input[end - CONTEXT..end]);
        }
        Ok(())
    }
}

const STATE: usize = 128;
const CONTEXT: usize = 32;
const RATE: [i64; 1] = [8_000];
