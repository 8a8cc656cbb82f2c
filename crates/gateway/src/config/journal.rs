//! `[journal]`: how much of what happened is kept.

use std::time::Duration;

use super::problem::Findings;
use super::section::Section;
use crate::journal::Keep;

/// Reads `[journal]`.
pub(super) fn keep(mut section: Section<'_>, found: &mut Findings) -> Keep {
    let mut keep = Keep::default();
    if let Some(days) = section.number("days", 1..=36_500, found) {
        keep.age = DAY * u32::try_from(days.value).unwrap_or(u32::MAX);
    }
    if let Some(room) = section.number("max_mib", 16..=16_777_216, found) {
        keep.room = room.value * MIB;
    }
    section.close(found);
    keep
}

/// The defaults of `[journal]`: days, and MiB.
pub(crate) fn defaults() -> [u64; 2] {
    let keep = Keep::default();
    [keep.age.as_secs() / DAY.as_secs(), keep.room / MIB]
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MIB: u64 = 1_024 * 1_024;
