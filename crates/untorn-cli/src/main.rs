//! The `untorn` command: arguments in, library calls, words out.
//!
//! ```text
//! arguments -> commands (one a file) -> show (words, columns, JSON)
//! ```
//! Never here: policy of the filesystem, or bytes of its format.

mod accounts;
mod arguments;
mod capability;
mod commands;
mod failure;
mod permissions;
mod progress;
mod show;
mod size;
mod target;
mod when;

use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments::typed(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage(error),
    };
    show::ask(arguments.json);
    failure::to_exit(commands::run(&arguments))
}
