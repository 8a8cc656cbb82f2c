//! Code that decides who may do what, broken in every small way that cargo-mutants knows: some test has to notice,
//! or somebody says in `survivors.md` why none can.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::builder::PossibleValuesParser;

use crate::tree::Tree;

/// Which, and how.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which rooms; none: all, one after the other.
    #[arg(value_parser = PossibleValuesParser::new(ROOMS.iter().map(|it| it.name)))]
    rooms: Vec<String>,
    /// Only those mutants whose description has this in it.
    #[arg(long)]
    only: Option<String>,
}

/// Files that are broken together, and who has to notice.
struct Room {
    name: &'static str,
    package: &'static str,
    /// Below the package's `src`; empty: all.
    files: &'static [&'static str],
    /// What `cargo test` is told besides the package.
    tests: &'static [&'static str],
    /// Where a room's tests take longer than it takes to build it, it is built to be fast.
    optimised: &'static str,
}

#[rustfmt::skip]
const ROOMS: &[Room] = &[
    Room { name: "policy", package: "policy", files: &[], tests: &["--lib"], optimised: "1" },
    Room { name: "numbers", package: "call", files: &["number.rs", "emergency.rs", "keys.rs"], tests: &["--lib"], optimised: "1" },
    Room { name: "twilio", package: "carriers", files: &["twilio/signature.rs", "twilio/webhook.rs"], tests: &["--lib", "--test", "twilio"], optimised: "1" },
    Room { name: "telnyx", package: "carriers", files: &["telnyx/signature.rs", "telnyx/webhook.rs"], tests: &["--lib", "--test", "telnyx"], optimised: "1" },
    Room { name: "plivo", package: "carriers", files: &["plivo/signature.rs", "plivo/webhook.rs"], tests: &["--lib", "--test", "plivo"], optimised: "1" },
    Room { name: "ledgers", package: "gateway", files: &["ledger.rs", "claims.rs", "access.rs", "switchboard/tokens.rs", "journal/seal.rs"], tests: &["--lib"], optimised: "0" },
    Room { name: "doors", package: "gateway", files: &["http/guard.rs"], tests: &["--test", "wire", "surface"], optimised: "0" },
];

/// Breaks each room's code, a mutant at a time, and counts what no test noticed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let explained = explained(root)?;
    let copy = Copy::of(root)?;
    let chosen = |it: &&Room| {
        arguments.rooms.is_empty() || arguments.rooms.iter().any(|name| name == it.name)
    };
    let mut left = Vec::new();
    for room in ROOMS.iter().filter(chosen) {
        let out = copy.mutate(room, arguments.only.as_deref())?;
        let of = |list: &str| lines(&out.join(list));
        let (caught, unviable) = (
            of("caught.txt").len() + of("timeout.txt").len(),
            of("unviable.txt").len(),
        );
        let (known, unknown): (Vec<_>, Vec<_>) = of("missed.txt")
            .into_iter()
            .partition(|it| explained.contains_key(it));
        println!(
            "{}: {caught} caught, {} explained, {} not noticed, {unviable} that do not compile",
            room.name,
            known.len(),
            unknown.len()
        );
        left.extend(unknown);
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(format!(
        "no test notices:\n  {}\nwrite one, or say in {SURVIVORS} why none can",
        left.join("\n  ")
    ))
}

/// A checkout of its own, which is built from run to run.
struct Copy {
    tree: PathBuf,
}

impl Copy {
    fn of(root: &Path) -> Result<Self, String> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        let folder = root.join(target).join("mutants");
        let tree = folder.join("tree");
        let cannot = |fault: std::io::Error| format!("cannot write {}: {fault}", tree.display());
        let house = Tree::read(root).map_err(|fault| format!("cannot read the source: {fault}"))?;
        for file in house.files() {
            let path = tree.join(&file.path);
            let text = if file.path == LISTED {
                unrolled(&file.text)
            } else {
                file.text.clone()
            };
            // What did not change is not built again.
            if fs::read_to_string(&path).is_ok_and(|it| it == text) {
                continue;
            }
            let parent = path.parent().unwrap_or(&tree);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, text))
                .map_err(cannot)?;
        }
        // Some tests read what lies beside the checkout.
        let shared = folder.join("shared");
        if !shared.exists() {
            std::os::unix::fs::symlink(root.join("../shared"), &shared).map_err(cannot)?;
        }
        Ok(Self { tree })
    }

    /// Where the lists of what became of the mutants are.
    fn mutate(&self, room: &Room, only: Option<&str>) -> Result<PathBuf, String> {
        let out = self.tree.with_file_name(room.name);
        fs::create_dir_all(&out)
            .map_err(|fault| format!("cannot make {}: {fault}", out.display()))?;
        let mut command = Command::new("nice");
        command
            .args([
                "-n",
                "19",
                "cargo",
                "mutants",
                "--in-place",
                "--no-shuffle",
                "--timeout",
                "300",
            ])
            .args(["--package", room.package, "--test-package", room.package])
            .arg("--output")
            .arg(&out)
            .env_remove("CARGO_TARGET_DIR")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", room.optimised)
            .current_dir(&self.tree);
        for file in room.files {
            command
                .arg("--file")
                .arg(format!("crates/{}/src/{file}", room.package));
        }
        command.args(only.into_iter().flat_map(|it| ["--re", it]));
        command.arg("--").args(room.tests);
        let done = command.status();
        match done
            .map_err(|fault| format!("cannot run cargo: {fault}"))?
            .code()
        {
            // All were noticed; some were not; some took too long.
            Some(0 | 2 | 3) => Ok(out.join("mutants.out")),
            _ => Err(format!(
                "{} cannot be broken; it takes `cargo install cargo-mutants`",
                room.name
            )),
        }
    }
}

/// The carriers' folders are declared by a macro, and cargo-mutants follows none.
fn unrolled(text: &str) -> String {
    let Some((_, list)) = text.split_once("\ncarriers! {\n") else {
        return text.to_owned();
    };
    let names: Vec<&str> = list
        .split([',', '}'])
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    let modules: String = names.iter().map(|it| format!("pub mod {it};\n")).collect();
    let entries: String = names.iter().map(|it| format!("{it}::ENTRY, ")).collect();
    let head = text.split("/// Declares").next().unwrap_or_default();
    format!("{head}{modules}\n/// All.\npub const LIST: &[Entry] = &[{entries}];\n")
}

/// Mutants that live, as cargo-mutants calls them but without their place, each with the reason.
fn explained(root: &Path) -> Result<BTreeMap<String, String>, String> {
    let path = root.join(SURVIVORS);
    let text =
        fs::read_to_string(&path).map_err(|fault| format!("cannot read {SURVIVORS}: {fault}"))?;
    let lines = text
        .lines()
        .filter_map(|it| it.strip_prefix("- `")?.split_once("`: "));
    Ok(lines
        .map(|(mutant, why)| (mutant.to_owned(), why.to_owned()))
        .collect())
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(placeless).collect()
}

/// Without line and column, which any change moves.
fn placeless(mutant: &str) -> String {
    let Some((file, rest)) = mutant.split_once(".rs:") else {
        return mutant.to_owned();
    };
    let what = rest.trim_start_matches(|it: char| it.is_ascii_digit() || it == ':');
    format!("{file}.rs:{what}")
}

const LISTED: &str = "crates/carriers/src/lib.rs";
const SURVIVORS: &str = "docs/survivors.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_known_wherever_it_stands() {
        let mutant = "crates/policy/src/hours.rs:51:20: replace < with <= in Hours::allow";
        let known = "crates/policy/src/hours.rs: replace < with <= in Hours::allow";
        assert_eq!(placeless(mutant), known);
    }

    #[test]
    fn a_list_of_carriers_is_unrolled() {
        let text = "use a;\n\n/// Declares.\nmacro_rules! carriers {}\n\ncarriers! {\n    one,\n    two,\n}\n";
        let plain = unrolled(text);
        assert!(
            plain.starts_with("use a;\n\npub mod one;\npub mod two;\n"),
            "{plain}"
        );
        assert!(plain.ends_with("&[one::ENTRY, two::ENTRY, ];\n"), "{plain}");
    }
}
