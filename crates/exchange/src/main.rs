//! The exchange as a program.
fn main() {}
