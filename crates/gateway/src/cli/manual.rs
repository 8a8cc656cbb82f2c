//! `offhook completions` and `offhook man`: what a shell and `man` know of the commands, from the
//! same source as `--help`.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;
use ports::{Blame, Fault, code};

use super::{Cli, Done, Out};

/// For which shell.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Where to.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The folder, such as ~/.local/share/man/man1. It is made if need be.
    dir: PathBuf,
}

/// Prints what a shell needs to complete the commands.
pub(super) fn completions(args: CompletionsArgs, out: &mut Out) -> Result<Done, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "offhook", &mut script);
    out.raw(&script);
    Ok(Done::Well)
}

/// Writes a page of the manual for each command.
pub(super) fn man(args: ManArgs, out: &mut Out) -> Result<Done, Fault> {
    let written = std::fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.dir));
    written.map_err(|error| {
        let message = format!("cannot write into {}", args.dir.display());
        Fault::new(Blame::Caller, code::CONFIG_INVALID, message)
            .hint("name a folder you may write to")
            .because(error)
    })?;
    out.json(&serde_json::json!({ "written_to": args.dir }));
    out.line(format_args!("the pages are in {}", args.dir.display()));
    Ok(Done::Well)
}
