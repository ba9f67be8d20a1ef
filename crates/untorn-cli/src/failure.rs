//! How a command ends: exit status, and one line on standard error.
//!
//! Invariants: a reader that went away (a broken pipe) is no failure.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;
use untorn::Error;

/// How a command that could do its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Well: 0.
    Well,
    /// It found what it was to find wrong: 1.
    Found,
    /// `fsx` could not run: 2.
    NotRun,
    /// `check` could not check: 8.
    Unchecked,
}

/// Result of a command.
pub type Outcome = anyhow::Result<End>;

/// The exit status; tells the failure.
pub fn to_exit(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(End::Well) => ExitCode::SUCCESS,
        Ok(End::Found) => ExitCode::from(1),
        Ok(End::NotRun) => ExitCode::from(2),
        Ok(End::Unchecked) => ExitCode::from(8),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(1)
        }
    }
}

/// One line on standard error: what went wrong and what to do.
pub fn tell(error: &anyhow::Error) {
    let step = error.chain().find_map(|cause| cause.downcast_ref().and_then(next_step));
    let step = step.map(|step| format!("; {step}")).unwrap_or_default();
    eprintln!("untorn: {}{step}", one_line(error));
}

/// The error and its causes on one line, none of them twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.replace('\n', " ")
}

/// What to do next, where the error does not say it itself.
fn next_step(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::NotFound(_) => "list the directory with `untorn ls`",
        Error::NotDirectory(_) | Error::NotRegular(_) => "see what it is with `untorn stat`",
        Error::IsDirectory(_) => "give the path of a file",
        Error::NotEmpty(_) => "remove it with all that is in it with `untorn rm -r`",
        Error::Exists(_) => "choose another name or remove it with `untorn rm`",
        Error::NoSpace { .. } => "remove files with `untorn rm`",
        Error::TooLarge { .. } => "nothing was changed: write smaller pieces",
        Error::SymlinkLoop(_) => "see the links with `untorn ls -l`",
        _ => return None,
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(is_pipe)
            || cause.downcast_ref::<serde_json::Error>().is_some_and(|error| {
                error.source().and_then(|s| s.downcast_ref::<io::Error>()).is_some_and(is_pipe)
                    || error.io_error_kind() == Some(io::ErrorKind::BrokenPipe)
            })
    })
}
