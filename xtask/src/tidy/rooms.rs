//! Who may use whom, read from the manifests.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::{File, Tree};

/// Every crate uses only the rooms it may, and every crate is a room we know.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let manifests = tree.below("crates/").filter(|file| is_manifest(file));
    for file in manifests {
        match room(name_of(file)) {
            Some(room) => found.extend(judge(file, room)),
            None => {
                let message = format!("`{}` is a room that is not in the plan", name_of(file));
                found.push(Finding::new(&file.path, 1, message, NEW_ROOM));
            }
        }
    }
    found
}

/// The names under these tables of a manifest, with the lines they stand in.
pub(super) fn dependencies<'f>(file: &'f File, tables: &[&str]) -> Vec<(usize, &'f str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (at, line) in file.lines() {
        if let Some(table) = line.trim().strip_prefix('[') {
            let table = table.trim_end_matches(']');
            // `[dependencies.name]` is the long way to write a line of `[dependencies]`.
            let (head, name) = table.rsplit_once('.').unwrap_or((table, ""));
            if tables.contains(&head) && !name.is_empty() {
                found.push((at, name));
            }
            inside = tables.contains(&table);
        } else if inside && let Some(name) = key(line) {
            found.push((at, name));
        }
    }
    found
}

/// The part of a line before its first dot or equals sign.
fn key(line: &str) -> Option<&str> {
    let line = line.trim();
    let end = line.find(['.', '=', ' '])?;
    (!line.starts_with('#')).then(|| line[..end].trim_matches('"'))
}

struct Room {
    name: &'static str,
    /// Rooms it may use.
    uses: &'static [&'static str],
    /// Rooms its tests may use besides.
    tests_use: &'static [&'static str],
}

fn judge(file: &File, room: &Room) -> Vec<Finding> {
    let used = dependencies(file, &["dependencies", "build-dependencies"]);
    let tested = dependencies(file, &["dev-dependencies"]);
    let for_tests: BTreeSet<_> = room.uses.iter().chain(room.tests_use).copied().collect();
    let bad = used.iter().filter(|(_, it)| !room.uses.contains(it));
    let bad = bad.chain(tested.iter().filter(|(_, it)| !for_tests.contains(it)));
    let ours = bad.filter(|(_, it)| *it != room.name && self::room(it).is_some());
    ours.map(|(at, it)| {
        let message = format!("`{}` may not use `{it}`", room.name);
        Finding::new(&file.path, *at, message, WRONG_WAY)
    })
    .collect()
}

fn is_manifest(file: &File) -> bool {
    file.path.ends_with("/Cargo.toml") && file.path.matches('/').count() == 2
}

fn name_of(file: &File) -> &str {
    file.path.split('/').nth(1).unwrap_or_default()
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

const EVERYTHING: &[&str] = &[
    "agents", "call", "carriers", "egress", "exchange", "media", "policy", "ports", "sim", "speech",
];

/// The picture in ARCHITECTURE.md, as a table.
const ROOMS: &[Room] = &[
    Room {
        name: "media",
        uses: &[],
        tests_use: &[],
    },
    Room {
        name: "call",
        uses: &["media"],
        tests_use: &[],
    },
    Room {
        name: "policy",
        uses: &["call"],
        tests_use: &[],
    },
    Room {
        name: "ports",
        uses: &["call", "media"],
        tests_use: &[],
    },
    Room {
        name: "egress",
        uses: &["ports"],
        tests_use: &[],
    },
    Room {
        name: "carriers",
        uses: &["call", "egress", "media", "ports"],
        tests_use: &["exchange"],
    },
    Room {
        name: "speech",
        uses: &["call", "media", "ports"],
        tests_use: &[],
    },
    Room {
        name: "agents",
        uses: &["call", "egress", "media", "ports"],
        tests_use: &[],
    },
    Room {
        name: "exchange",
        uses: &[],
        tests_use: &[],
    },
    Room {
        name: "sim",
        uses: &["call", "media", "ports"],
        tests_use: &[],
    },
    Room {
        name: "gateway",
        uses: EVERYTHING,
        tests_use: &[],
    },
];

const WRONG_WAY: &str =
    "the arrows in ARCHITECTURE.md point the other way; put the shared type where both may see it";
const NEW_ROOM: &str = "a new crate needs a sentence in ARCHITECTURE.md that says what breaks without it, and a line in xtask/src/tidy/rooms.rs";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::check;

    #[test]
    fn an_adapter_that_uses_another_is_found() {
        let manifest = "[package]\nname = \"speech\"\n[dependencies]\ncarriers.workspace = true\n";
        let files = [("crates/speech/Cargo.toml", manifest)];
        assert_eq!(places(check, &files), ["crates/speech/Cargo.toml:4"]);
    }

    #[test]
    fn an_adapter_that_tests_with_the_gateway_is_found() {
        let manifest = "[dev-dependencies]\ngateway = { path = \"../gateway\" }\n";
        let files = [("crates/agents/Cargo.toml", manifest)];
        assert_eq!(places(check, &files), ["crates/agents/Cargo.toml:2"]);
    }

    #[test]
    fn an_exchange_that_knows_our_internals_is_found_in_the_long_spelling() {
        let manifest =
            "[dependencies]\nserde = \"1\"\n\n[dependencies.media]\npath = \"../media\"\n";
        let files = [("crates/exchange/Cargo.toml", manifest)];
        assert_eq!(places(check, &files), ["crates/exchange/Cargo.toml:4"]);
    }

    #[test]
    fn an_eighth_room_is_found() {
        let files = [("crates/glue/Cargo.toml", "[package]\n")];
        assert_eq!(places(check, &files), ["crates/glue/Cargo.toml:1"]);
    }

    #[test]
    fn the_plan_itself_is_fine() {
        let files = [
            (
                "crates/call/Cargo.toml",
                "[dependencies]\nmedia.workspace = true\nserde.workspace = true\n",
            ),
            (
                "crates/carriers/Cargo.toml",
                "[dependencies]\nports.workspace = true\n[dev-dependencies]\nexchange.workspace = true\n",
            ),
            (
                "crates/gateway/Cargo.toml",
                "[dependencies]\nspeech.workspace = true\nexchange.workspace = true\n",
            ),
        ];
        assert!(places(check, &files).is_empty());
    }
}
