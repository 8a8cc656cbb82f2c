//! The sound of a call from end to end: what goes in, what comes out, and what never happens.

mod held;
mod line;
mod machines;
mod prompts;
mod strange;
mod tones;
