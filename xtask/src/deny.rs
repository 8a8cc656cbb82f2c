//! Which code may come into the house: `deny.toml`, as cargo-deny reads it.

use std::path::Path;
use std::process::{Command, Stdio};

/// Licences, sources and what nobody may bring, where cargo-deny is installed: a built one of unknown
/// origin is not fetched for it.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    if !runs(Path::new(PROGRAM)) {
        println!(
            "\n── deny: skipped, cargo-deny is not installed (`cargo install --locked cargo-deny`)"
        );
        return Ok(());
    }
    run(root, &["bans", "licenses", "sources"])
}

/// What is known of the packages in the lock file, by the RustSec database: a repository that is fetched each time,
/// so that this is a command of its own.
pub(crate) fn advisories(root: &Path) -> Result<(), String> {
    run(root, &["advisories"])
}

fn run(root: &Path, checks: &[&str]) -> Result<(), String> {
    println!("\n── deny: cargo deny --locked check {}", checks.join(" "));
    let mut command = Command::new(PROGRAM);
    // It is told what cargo tells its subcommands.
    command.args(["deny", "--locked", "check"]).args(checks);
    match command.current_dir(root).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("deny failed: {status}")),
        Err(fault) => Err(format!("cannot run {PROGRAM}: {fault}")),
    }
}

const PROGRAM: &str = "cargo-deny";

fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}
