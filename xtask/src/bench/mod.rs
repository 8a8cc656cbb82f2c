//! The figures, each beside its target, and where that makes sense beside a reference measured in
//! the same run.

pub(crate) mod bare;
mod process;
