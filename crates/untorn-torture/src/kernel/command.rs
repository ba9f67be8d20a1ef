//! Runs the system's commands: arguments in, standard output out, a failure told in full.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

/// Runs a command without standard input and collects what it prints, whatever its exit status.
pub fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<Output> {
    Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))
}

/// Runs a command that must succeed; returns its standard output, or an error with all it printed.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    let output = output(program, arguments)?;
    ensure!(output.status.success(), "{program} failed: {}\n{}", output.status, both(&output));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Standard output, then standard error.
pub fn both(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}
