//! The `untorn` command: arguments in, library calls, words out.
//!
//! ```text
//! arguments -> commands (one a file) -> show (words, columns, JSON)
//! ```
//! Never here: policy of the filesystem, or bytes of its format.

mod arguments;
mod commands;
mod failure;
mod progress;
mod show;
mod size;
mod target;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    failure::to_exit(commands::run(&arguments::Arguments::parse()))
}
