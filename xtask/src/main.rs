//! Checks and measures the house: `cargo xtask tidy | docs | ci | advisories | contract | bench | drill | fuzz | fuzz-api | mutants | pipecat | prism | sdks`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for people at a terminal: printing is its whole output"
)]

mod bench;
mod ci;
mod contract;
mod decoders;
mod deny;
mod drill;
mod errors;
mod fuzz;
mod mutants;
mod pipecat;
mod prism;
mod restart;
mod sdks;
mod tidy;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tree::Tree;

/// Checks and measures the house.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// What is known against the packages we use, by the RustSec database. Takes the network, so no other command
    /// does it.
    Advisories,
    /// The fast checks: who may name whom, who may use whom, sizes, leftovers, error codes.
    Tidy,
    /// Writes docs/errors.md from the codes' own documentation.
    Docs,
    /// Everything but the tests, cheapest first: format, tidy, clippy, documentation, licences and sources of what we
    /// use, and where the tools are there, the WebAssembly build of the pure crates.
    Ci,
    /// Tells every story of the contract over every carrier's line, and prints which hold.
    Contract,
    /// The figures, each beside its target.
    Bench(bench::Arguments),
    /// What is promised for the worst moments, tried in many of them: each figure beside its target.
    Drill(drill::Arguments),
    /// Tells every decoder of what comes from outside things at random. Takes `cargo install cargo-fuzz` and a
    /// C++ compiler, and no nightly one of Rust's.
    Fuzz(decoders::Arguments),
    /// Asks the control API of a running gateway at random, and checks its answers against what it
    /// says of itself. Takes schemathesis: `pip install schemathesis`.
    FuzzApi(fuzz::Arguments),
    /// Breaks the code that decides who may do what, a little at a time, and sees that some test notices each time.
    /// Takes `cargo install cargo-mutants`.
    Mutants(mutants::Arguments),
    /// Puts Pipecat's serializers for our carriers in front of the exchange, and beside our own dialects: the
    /// same must be heard and written. Takes Pipecat: `pip install pipecat-ai==1.14.0`.
    Pipecat(pipecat::Arguments),
    /// Sends every request that the carriers' adapters can make to mocks made from the carriers' own
    /// descriptions, and the same ones spoiled. Takes npm, which fetches prism.
    Prism(prism::Arguments),
    /// Kills a gateway in the middle of what it says, again and again, and asks the other end of the
    /// wire what became of the calls.
    Restart(restart::Arguments),
    /// Signs webhooks with carriers' own SDKs, and has a running gateway tell them from everything that can be made of
    /// them. Takes a Python with the SDKs, and says which.
    Sdks(sdks::Arguments),
    /// The echo the gateway is measured against; `bench echo` starts it.
    #[command(hide = true)]
    BareEcho,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Advisories => deny::advisories(&root()),
        Task::Tidy => tidy::run(&root()),
        Task::Docs => errors::write(&root()),
        Task::Ci => ci::run(&root()),
        Task::Contract => contract::run(&root()),
        Task::Bench(arguments) => bench::run(&root(), &arguments),
        Task::Drill(arguments) => drill::run(&root(), &arguments),
        Task::Fuzz(arguments) => decoders::run(&root(), &arguments),
        Task::FuzzApi(arguments) => fuzz::run(&root(), &arguments),
        Task::Mutants(arguments) => mutants::run(&root(), &arguments),
        Task::Pipecat(arguments) => pipecat::run(&root(), &arguments),
        Task::Prism(arguments) => prism::run(&root(), &arguments),
        Task::Restart(arguments) => restart::run(&root(), arguments),
        Task::Sdks(arguments) => sdks::run(&root(), &arguments),
        Task::BareEcho => bench::bare::serve(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the checkout this tool was built from.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().expect("xtask lies in the workspace");
    root.to_path_buf()
}

/// Every file that belongs to the house.
fn house(root: &Path) -> Result<Tree, String> {
    Tree::read(root).map_err(|fault| format!("cannot read {}: {fault}", root.display()))
}
