//! `[journal]`: how much of what happened is kept, and what encrypts it.

use std::path::Path;
use std::time::Duration;

use super::problem::{ConfigProblem, Findings};
use super::secret::{Origin, Outside, resolve};
use super::section::{Section, Spot};
use super::{file, outside_env};
use crate::journal::{Keep, Keys, SealKey};
use crate::state;

/// Reads `[journal]`.
pub(super) fn journal(
    mut section: Section<'_>,
    outside: &Outside<'_>,
    found: &mut Findings,
) -> (Keep, Keys) {
    let mut keep = Keep::default();
    if let Some(days) = section.number("days", 1..=36_500, found) {
        keep.age = DAY * u32::try_from(days.value).unwrap_or(u32::MAX);
    }
    if let Some(room) = section.number("max_mib", 16..=16_777_216, found) {
        keep.room = room.value * MIB;
    }
    let key = section.text("key", found);
    let old = section.list("old_keys", found);
    section.close(found);
    let keys = Keys {
        seal: key.and_then(|it| seal_key("`key` in [journal]", it, outside, found)),
        old: old
            .into_iter()
            .flat_map(|it| it.value)
            .filter_map(|it| seal_key("an entry of `old_keys` in [journal]", it, outside, found))
            .collect(),
    };
    (keep, keys)
}

/// The keys of the journal alone, for those who read it while the gateway may not run. Whatever else
/// is wrong with the configuration is not of interest.
///
/// # Errors
/// The file says that there are keys, and not where they can be had.
pub(crate) fn keys(path: &Path) -> Result<Keys, Vec<ConfigProblem>> {
    let Ok(file) = file::File::read(path) else {
        return Ok(Keys::default());
    };
    let outside = Outside {
        env: &outside_env,
        folder: &file.folder,
    };
    let mut found = Findings::new(&file::shown(path));
    let section = Section::root(&file.entries).section("journal", &mut found);
    let (_, keys) = journal(section, &outside, &mut found);
    found.into_result().map(|_| keys)
}

/// The defaults of `[journal]`: days, and MiB.
pub(crate) fn defaults() -> [u64; 2] {
    let keep = Keep::default();
    [keep.age.as_secs() / DAY.as_secs(), keep.room / MIB]
}

fn seal_key(
    what: &str,
    written: Spot<&str>,
    outside: &Outside<'_>,
    found: &mut Findings,
) -> Option<SealKey> {
    let mut wrong = |message: &str, hint: &str| {
        found.problem(written.place(), format!("{what} {message}"), hint);
        None
    };
    let secret = match resolve(written.value, outside) {
        Ok(it) if it.origin == Origin::Here => {
            let message = "stands in the configuration itself";
            return wrong(message, "write it as `env:NAME` or `file:PATH`");
        }
        Ok(it) => it.secret,
        Err(unfound) => return wrong(&unfound.message, &unfound.hint),
    };
    if let Some(path) = written.value.strip_prefix("file:")
        && is_within(&outside.folder.join(path.trim()), &state::folder())
    {
        let message = "is kept beside the journal, so whoever takes the one has the other";
        return wrong(message, "keep the key in another folder");
    }
    let key = SealKey::parse(secret.reveal());
    if key.is_none() {
        let message = "is no key: 32 bytes in Base64 or hexadecimal";
        return wrong(message, "make one with `offhook journal key`");
    }
    key
}

fn is_within(path: &Path, folder: &Path) -> bool {
    let path = path.canonicalize().ok();
    let folder = folder.canonicalize().ok();
    path.zip(folder)
        .is_some_and(|(path, folder)| path.starts_with(folder))
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MIB: u64 = 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_beside_the_journal_is_found_also_behind_a_link() {
        let place = tempfile::tempdir().expect("a folder can be made");
        let (state, elsewhere) = (place.path().join("state"), place.path().join("etc"));
        for folder in [&state, &elsewhere] {
            std::fs::create_dir(folder).expect("the folder is ours");
            std::fs::write(folder.join("key"), "x").expect("the folder is ours");
        }
        let link = elsewhere.join("link");
        std::os::unix::fs::symlink(state.join("key"), &link).expect("the folder is ours");
        assert!(is_within(&state.join("key"), &state));
        assert!(is_within(&link, &state));
        assert!(!is_within(&elsewhere.join("key"), &state));
        assert!(!is_within(
            &elsewhere.join("key"),
            &place.path().join("none")
        ));
    }
}
