//! The house rules as a check of source text: what Cargo and Clippy cannot guard.
//!
//! A rule is a function from the project to its findings. It reads text, not types: strings and
//! comments are blanked before code is searched, and that is all it understands of Rust.

mod arrows;
mod length;
mod source;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use anyhow::{Result, ensure};

use source::Project;

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// First line is 1; 0 stands for the whole file.
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

type Rule = fn(&Project) -> Vec<Finding>;

/// Every rule.
const RULES: [Rule; 13] = [
    arrows::crates,
    arrows::modules,
    arrows::host_errors,
    arrows::device_writers,
    arrows::unsafety,
    text::heads,
    text::columns,
    text::stubs,
    text::unchecked,
    text::names,
    text::places,
    length::files,
    length::functions,
];

/// Fails with every place that breaks a rule.
pub fn check(root: &Path) -> Result<()> {
    let project = Project::load(root)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&project)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "{} places break the house rules", findings.len());
    println!("tidy: {} files keep the house rules", project.sources.len());
    Ok(())
}

/// Writes down the functions that are too long today.
pub fn bless(root: &Path) -> Result<()> {
    let project = Project::load(root)?;
    Ok(std::fs::write(root.join(length::RATCHET), length::ratchet(&project))?)
}
