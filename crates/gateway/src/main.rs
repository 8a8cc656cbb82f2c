//! The command `offhook`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::cli::main()
}
