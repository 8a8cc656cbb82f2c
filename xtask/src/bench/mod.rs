//! The figures, each beside its target, and where that makes sense beside a reference measured in
//! the same run. They are printed, never asserted: a busy machine must not fail a correct change.

pub(crate) mod bare;
mod carriers;
pub(crate) mod echo;
mod journal;
mod phone;
pub(crate) mod process;
mod reload;
pub(crate) mod table;
mod talk;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use clap::Subcommand;
use serde_json::json;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print one JSON object on the last line.
    #[arg(long, global = true)]
    json: bool,
    /// Measure what was built before, as it is.
    #[arg(long, global = true)]
    no_build: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Calls that hear themselves, beside a bare websocket echo.
    Echo(echo::Load),
    /// Calls that hear themselves, over the wire of each carrier in turn.
    Carriers(carriers::Load),
    /// Calls that hear themselves while the configuration is saved again and again.
    Reload(reload::Load),
    /// Calls beside a journal that is kept busy, and how soon it is seen and calls are dialled.
    Journal(journal::Load),
    /// People and answering machines told apart, on a corpus of greetings; fails where the figure is
    /// missed. Takes Debian's asterisk-core-sounds-en-wav, flite and espeak-ng.
    Machines,
    /// A telephone's keys heard in its sound, and speech taken for one; fails where the figure is missed.
    /// Takes Debian's asterisk-core-sounds-en-wav, flite and espeak-ng.
    Keys,
    /// Calls with the speech model on every one of them, on one core.
    Silero,
    /// Conversations with local speech: gaps and interruptions, as the ear hears them.
    Talk(talk::Conversations),
    /// The phone as a tool: how soon a call that a host wants is asked of its carrier, and how soon a host that listens
    /// is told. Takes Debian's espeak-ng.
    Phone(phone::Calls),
    /// Everything: the conversations, the reloads, the journal, the carriers, the echo, and what each
    /// crate measures of itself.
    All(echo::Load),
}

/// Measures.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    match &arguments.what {
        What::Echo(load) => echo(root, *load, arguments),
        What::Carriers(load) => carriers(root, *load, arguments),
        What::Reload(load) => reload(root, *load, arguments),
        What::Talk(conversations) => talk(root, *conversations, arguments),
        What::Journal(load) => journal(root, *load, arguments),
        What::Phone(calls) => phone(root, *calls, arguments),
        What::Machines => on_one_core(root, "media", "machines"),
        What::Keys => on_one_core(root, "media", "keys"),
        What::Silero => on_one_core(root, "speech", "detector"),
        What::All(load) => {
            on_one_core(root, "media", "tick")?;
            on_one_core(root, "media", "machines")?;
            on_one_core(root, "media", "keys")?;
            on_one_core(root, "carriers", "stream")?;
            on_one_core(root, "speech", "detector")?;
            talk(root, talk::Conversations::default(), arguments)?;
            reload(root, reload::Load::default(), arguments)?;
            journal(root, journal::Load::default(), arguments)?;
            carriers(root, carriers::Load::default(), arguments)?;
            echo(root, *load, arguments)
        }
    }
}

/// Runs what a crate measures of itself, having built it on all cores.
fn on_one_core(root: &Path, package: &str, bench: &str) -> Result<(), String> {
    let arguments = [
        "bench",
        "--quiet",
        "--locked",
        "--package",
        package,
        "--bench",
        bench,
    ];
    cargo(root, &[&arguments[..], &["--no-run"]].concat())?;
    println!("\n{package}: {bench}");
    let mut command = process::pinned(0, Path::new("cargo"));
    let status = command.args(arguments).current_dir(root).status();
    ended(status, &arguments)
}

fn echo(root: &Path, load: echo::Load, arguments: &Arguments) -> Result<(), String> {
    if !arguments.no_build {
        cargo(root, BUILD)?;
    }
    if !process::can_pin() {
        eprintln!("echo: server and callers share their cores here (no taskset, or one core)");
    }
    let rows = echo::measure(&release(root), load)?;
    println!("\necho test, {load}");
    table::print(&rows, "bare echo");
    if arguments.json {
        println!("{}", json!({ "echo": rows }));
    }
    Ok(())
}

fn carriers(root: &Path, load: carriers::Load, arguments: &Arguments) -> Result<(), String> {
    if !arguments.no_build {
        cargo(root, BUILD)?;
    }
    let measured = carriers::measure(&release(root), load)?;
    println!("\nechoes of each carrier, {load}");
    for it in &measured {
        table::print_beside(&it.rows, it.carrier, carriers::REFERENCE);
    }
    if arguments.json {
        println!("{}", json!({ "carriers": measured }));
    }
    Ok(())
}

fn reload(root: &Path, load: reload::Load, arguments: &Arguments) -> Result<(), String> {
    if !arguments.no_build {
        cargo(root, BUILD)?;
    }
    let rows = reload::measure(&release(root), load)?;
    println!("\nreloads, {load}");
    table::print(&rows, "no reload");
    if arguments.json {
        println!("{}", json!({ "reload": rows }));
    }
    Ok(())
}

fn journal(root: &Path, load: journal::Load, arguments: &Arguments) -> Result<(), String> {
    if !arguments.no_build {
        cargo(root, BUILD)?;
        cargo(root, BUSY)?;
    }
    let rows = journal::measure(&release(root), load)?;
    println!("\njournal, {load}");
    table::print(&rows, "no events");
    if arguments.json {
        println!("{}", json!({ "journal": rows }));
    }
    Ok(())
}

fn phone(root: &Path, calls: phone::Calls, arguments: &Arguments) -> Result<(), String> {
    if !arguments.no_build {
        cargo(root, BUILD)?;
    }
    let rows = phone::measure(&release(root), calls)?;
    println!("\nthe phone as a tool");
    table::print(&rows, "nothing");
    if arguments.json {
        println!("{}", json!({ "phone": rows }));
    }
    Ok(())
}

fn talk(root: &Path, some: talk::Conversations, arguments: &Arguments) -> Result<(), String> {
    if !arguments.no_build {
        cargo(root, BUILD)?;
    }
    let rows = talk::measure(&release(root), some)?;
    println!("\nconversations, {some}");
    table::print(&rows, "silence");
    if arguments.json {
        println!("{}", json!({ "talk": rows }));
    }
    Ok(())
}

/// Where cargo puts what it builds for release.
pub(crate) fn release(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root.join(target.unwrap_or_else(|| "target".into()))
        .join("release")
}

pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("cargo")
        .args(arguments)
        .current_dir(root)
        .status();
    ended(status, arguments)
}

fn ended(status: io::Result<ExitStatus>, arguments: &[&str]) -> Result<(), String> {
    let status = status.map_err(|fault| format!("cannot run cargo: {fault}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("cargo {} failed", arguments.join(" ")))
}

pub(crate) const BUILD: &[&str] = &[
    "build",
    "--release",
    "--locked",
    "--package",
    "gateway",
    "--package",
    "exchange",
    "--package",
    "xtask",
    "--bins",
];

/// The gateway whose journal is kept busy.
const BUSY: &[&str] = &[
    "build",
    "--release",
    "--locked",
    "--package",
    "gateway",
    "--example",
    "busy",
];
