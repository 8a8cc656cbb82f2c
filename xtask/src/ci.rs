//! Everything but the tests, in order of cheapness.

use std::path::Path;
use std::process::Command;

use crate::deny;
use crate::tidy;
use crate::tree::Tree;

/// Runs every check, stopping at the first that fails.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    step(root, "fmt", &["fmt", "--all", "--check"], &[])?;
    formatted_by_name(root)?;
    println!("\n── tidy");
    tidy::run(root)?;
    step(root, "clippy", CLIPPY, &[])?;
    step(root, "doc", DOC, &[("RUSTDOCFLAGS", "-D warnings")])?;
    deny::check(root)?;
    if has_wasm() {
        step(root, "wasm", PURE_FOR_WASM, &[])?;
    } else {
        println!("\n── wasm: skipped, the target {WASM} is not installed");
    }
    Ok(())
}

/// Checks the carriers' files by name: a macro declares them, and the formatter follows none.
fn formatted_by_name(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root).map_err(|fault| format!("cannot read the source: {fault}"))?;
    let listed = tree.rust().filter(|it| it.path.starts_with(LISTED));
    let files: Vec<_> = listed.map(|it| root.join(&it.path)).collect();
    println!(
        "\n── fmt: rustfmt --check, {} files of {LISTED}",
        files.len()
    );
    let mut command = Command::new("rustfmt");
    command.args(["--check", "--edition", "2024"]).args(files);
    match command.current_dir(root).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("fmt failed: {status}")),
        Err(fault) => Err(format!("cannot run rustfmt: {fault}")),
    }
}

fn step(root: &Path, name: &str, arguments: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
    println!("\n── {name}: cargo {}", arguments.join(" "));
    let mut command = Command::new(CARGO);
    command.args(arguments).current_dir(root);
    command.envs(env.iter().copied());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} failed: {status}")),
        Err(fault) => Err(format!("cannot run cargo: {fault}")),
    }
}

/// Whether the standard library for WebAssembly is there, without asking rustup, which may not be.
fn has_wasm() -> bool {
    let out = Command::new("rustc").args(["--print", "sysroot"]).output();
    out.ok().is_some_and(|out| {
        let sysroot = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        Path::new(&sysroot).join("lib/rustlib").join(WASM).is_dir()
    })
}

const LISTED: &str = "crates/carriers/src";
const CARGO: &str = "cargo";
const WASM: &str = "wasm32-unknown-unknown";

const CLIPPY: &[&str] = &[
    "clippy",
    "--locked",
    "--workspace",
    "--all-targets",
    "--",
    "-D",
    "warnings",
];

const DOC: &[&str] = &[
    "doc",
    "--locked",
    "--workspace",
    "--no-deps",
    "--document-private-items",
];

const PURE_FOR_WASM: &[&str] = &[
    "check",
    "--locked",
    "--package",
    "media",
    "--package",
    "call",
    "--target",
    WASM,
];
