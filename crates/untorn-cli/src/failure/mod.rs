//! How a command ends: exit status, and what standard error is told.
//!
//! ```text
//! library, host, command -> anyhow error -> code, message, remedy -> a line of words or of JSON
//! ```
//! Invariants: a failure or warning is one line; with `--json` that line is JSON. Code words never
//! change their meaning. Where standard error takes nothing, the exit status alone tells.

mod code;
mod refusal;

pub use code::Code;
pub use refusal::{At, Refusal};

use crate::show;
use anyhow::Chain;
use clap::error::ContextKind;
use code::{code, remedy};
use serde_json::json;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use untorn_device::{DeviceError, Operation};

/// How a command that could do its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Well: 0.
    Well,
    /// It found what it was to find wrong, or could do only a part: 1.
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
        Err(error) => {
            tell(&error);
            ExitCode::from(if code(error.chain()) == Code::Usage { 2 } else { 1 })
        }
    }
}

/// What was typed is no command: clap's own words, or JSON where that was among them.
pub fn usage(mut error: clap::Error) -> ExitCode {
    // Nobody who mistypes a letter means a path of that name.
    error.remove(ContextKind::Suggested);
    let asked = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !asked {
        error.exit();
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let message = lines.collect::<Vec<_>>().join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let remedy = "see `untorn help` and the command's --help";
    report("error", Code::Usage, message, Some(remedy), Form::Json);
    ExitCode::from(2)
}

/// One line on standard error: what went wrong and what to do.
pub fn tell(error: &anyhow::Error) {
    let remedy = remedy(error.chain());
    report("error", code(error.chain()), &one_line(error.chain()), remedy.as_deref(), form());
}

/// The same of an error that somebody else has.
pub fn tell_of(error: &(dyn std::error::Error + 'static)) {
    let chain = || Chain::new(error);
    report("error", code(chain()), &one_line(chain()), remedy(chain()).as_deref(), form());
}

/// Whether an error is of the one thing that was asked for: another can still succeed. So is a
/// place that a device cannot read; where it cannot write, or what is said goes nowhere, the rest
/// would fail too.
pub fn is_of_one(error: &anyhow::Error) -> bool {
    code(error.chain()) != Code::Io || error.chain().any(is_unreadable)
}

fn is_unreadable(cause: &(dyn std::error::Error + 'static)) -> bool {
    let device = match cause.downcast_ref() {
        Some(untorn::Error::Device(error)) => Some(error),
        _ => cause.downcast_ref(),
    };
    matches!(device, Some(DeviceError::Io { operation: Operation::Read, .. }))
}

/// One line on standard error about something that does not end the command.
pub fn warn(code: Code, message: impl Display) {
    report("warning", code, &message.to_string(), None, form());
}

enum Form {
    Words,
    Json,
}

fn form() -> Form {
    if show::is_json() { Form::Json } else { Form::Words }
}

fn report(kind: &str, code: Code, message: &str, remedy: Option<&str>, form: Form) {
    let line = match (form, remedy) {
        (Form::Json, remedy) => {
            let what = json!({"code": code.word(), "message": message, "remedy": remedy});
            json!({ kind: what }).to_string()
        }
        (Form::Words, Some(remedy)) => format!("untorn: {}; {remedy}", harmless(message)),
        (Form::Words, None) => format!("untorn: {}", harmless(message)),
    };
    // Who cannot be told must not keep the rest of the work from being done.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Without control characters, which a name of an archive or a volume may have brought: they could
/// change what a terminal shows.
fn harmless(message: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    message.chars().map(shown).collect()
}

/// What is told of an error, without what to do.
pub fn told(error: &anyhow::Error) -> String {
    one_line(error.chain())
}

/// The error and its causes on one line, none of them twice.
fn one_line(mut chain: Chain<'_>) -> String {
    let mut line = chain.next().map(ToString::to_string).unwrap_or_default();
    for cause in chain.map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use std::sync::Arc;

    fn of_device(operation: Operation) -> anyhow::Error {
        let source = Arc::new(io::Error::other("medium"));
        let error = DeviceError::Io { operation, offset: 0, length: 512, source };
        anyhow::Error::from(untorn::Error::Device(error))
    }

    #[test]
    fn a_place_that_cannot_be_read_ends_one_thing_and_a_failing_output_all() {
        assert!(is_of_one(&of_device(Operation::Read)));
        assert!(is_of_one(&Err::<(), _>(of_device(Operation::Read)).context("/a").unwrap_err()));
        assert!(!is_of_one(&of_device(Operation::Write)));
        assert!(!is_of_one(&io::Error::from(io::ErrorKind::StorageFull).into()));
        let full = serde_json::to_writer(&mut [0_u8; 0][..], &1).unwrap_err();
        assert!(!is_of_one(&full.into()));
    }
}
