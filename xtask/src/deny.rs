//! Which code may come into the house: `deny.toml`, as cargo-deny reads it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Licences, sources and what nobody may bring, where cargo-deny is installed. `make test` builds one from its source:
/// a built one of unknown origin is not fetched for it.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let Some(program) = program(root) else {
        println!(
            "\n── deny: skipped, cargo-deny is not installed (`cargo install --locked cargo-deny`)"
        );
        return Ok(());
    };
    run(root, &program, &["bans", "licenses", "sources"])
}

/// What is known of the packages in the lock file, by the RustSec database: a repository that is fetched each time,
/// so that this is a command of its own.
pub(crate) fn advisories(root: &Path) -> Result<(), String> {
    let program = program(root).unwrap_or_else(|| PROGRAM.into());
    run(root, &program, &["advisories"])
}

/// The one that is built for this house, or one that is on this machine.
fn program(root: &Path) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let own = root.join(target).join("tools/bin").join(PROGRAM);
    [own, PROGRAM.into()].into_iter().find(|it| runs(it))
}

fn run(root: &Path, program: &Path, checks: &[&str]) -> Result<(), String> {
    println!("\n── deny: cargo deny --locked check {}", checks.join(" "));
    let mut command = Command::new(program);
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
