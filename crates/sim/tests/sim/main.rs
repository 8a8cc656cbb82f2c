//! Calls, start to finish. One binary for all of them: linking is slower than dialing.

mod agents;
mod callers;
mod dialling;
mod disclosures;
mod ears;
mod interruptions;
mod lines;
mod liveness;
mod lives;
mod loops;
mod machines;
mod meetings;
mod notices;
mod owners;
mod recorded;
mod restarts;
mod rules;
mod script;
mod strange;
mod transfers;
mod trust;
mod zombies;
