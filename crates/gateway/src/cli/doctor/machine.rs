//! What this machine must have: models, a folder that can be written to, a clock.

use std::path::Path;

use jiff::Timestamp;
use speech::models::{State, Store};

use super::{Finding, Health};

/// Whether any agent works with words, and so needs models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talking {
    Somebody,
    Nobody,
    Unknown,
}

pub(super) async fn models(talking: Talking) -> Finding {
    let states = tokio::task::spawn_blocking(|| Store::of_user().list()).await;
    let states = states.unwrap_or_default();
    let missing: Vec<&str> = states
        .iter()
        .filter(|model| !matches!(model.state, State::Present(_)))
        .map(|model| model.name.as_str())
        .collect();
    if missing.is_empty() {
        let message = format!("all {} are here", states.len());
        return Finding::ok("models", message);
    }
    let health = match talking {
        Talking::Somebody => Health::Fail,
        Talking::Nobody | Talking::Unknown => Health::Warn,
    };
    Finding {
        what: "models".to_owned(),
        health,
        message: format!("not here, or not right: {}", missing.join(", ")),
        hint: Some("run `offhook models fetch`".to_owned()),
    }
}

pub(super) fn recordings(dir: &Path) -> Finding {
    let shown = dir.display();
    let probe = dir.join(".offhook-doctor");
    let tried = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&probe, "may I?"));
    // It was only there to be tried.
    let _ = std::fs::remove_file(&probe);
    match tried {
        Ok(()) => Finding::ok("recordings", format!("kept in {shown}")),
        Err(error) => Finding::fail(
            "recordings",
            format!("{shown} cannot be written to: {error}"),
            "change `dir` in [recordings], or grant access to it",
        ),
    }
}

/// A clock that is far off makes every certificate look wrong.
pub(super) fn clock(now: Timestamp) -> Finding {
    let year = now.to_string().chars().take(4).collect::<String>();
    match year.parse::<u32>() {
        Ok(2026..=2099) => Finding::ok("clock", format!("{now:.0}")),
        Ok(_) | Err(_) => Finding::fail(
            "clock",
            format!("says {now:.0}, which cannot be"),
            "set it, or let it be set: `timedatectl set-ntp true`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_cannot_be_right_is_wrong() {
        assert_eq!(clock(Timestamp::UNIX_EPOCH).health, Health::Fail);
        let now: Timestamp = "2026-11-22T14:08:11Z".parse().expect("it is a time");
        assert_eq!(clock(now), Finding::ok("clock", "2026-11-22T14:08:11Z"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_found() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        assert_eq!(recordings(&folder.path().join("new")).health, Health::Ok);
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("the folder is ours");
        assert_eq!(recordings(&file.join("below")).health, Health::Fail);
    }
}
