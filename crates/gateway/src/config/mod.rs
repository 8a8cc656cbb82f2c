//! What the owner wrote, read, checked and resolved.

pub mod plan;

pub use plan::Plan;
