//! Checks, without a network, that everything linked in may be used under a permissive licence.
//!
//! The licence of a package is an SPDX expression in its manifest; `cargo metadata` tells it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::{command, output};

/// Licences that ask for no more than a notice.
const PERMISSIVE: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Fails with the packages that may not be used.
pub fn check(root: &Path) -> Result<()> {
    let packages = packages(root)?;
    let refused: Vec<String> = packages
        .iter()
        .filter(|(_, licence)| !is_permissive(licence))
        .map(|(name, licence)| format!("  {name}: {licence}"))
        .collect();
    ensure!(refused.is_empty(), "not known to be permissive:\n{}", refused.join("\n"));
    println!("licences: {} packages, all permissive", packages.len());
    Ok(())
}

/// Name and licence expression of every package built for this machine.
fn packages(root: &Path) -> Result<Vec<(String, String)>> {
    let version = output(command(root, "rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say which machine this is")?;
    let arguments =
        ["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&output(command(root, "cargo", &arguments))?)?;
    let Some(packages) = metadata["packages"].as_array() else {
        bail!("cargo metadata has no list of packages");
    };
    let text = |value: &Value| value.as_str().unwrap_or("no licence named").to_owned();
    Ok(packages.iter().map(|each| (text(&each["name"]), text(&each["license"]))).collect())
}

/// Whether one of the choices that the expression offers needs only permissive licences.
///
/// `AND` binds more tightly than `OR`; the old form `A/B` means `A OR B`.
fn is_permissive(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words };
    parser.alternatives() == Some(true) && parser.words.is_empty()
}

struct Parser<'a> {
    words: &'a [&'a str],
}

impl Parser<'_> {
    fn accept(&mut self, word: &str) -> bool {
        let found = self.words.first().is_some_and(|first| *first == word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn alternatives(&mut self) -> Option<bool> {
        let mut allowed = self.requirements()?;
        while self.accept("OR") {
            allowed |= self.requirements()?;
        }
        Some(allowed)
    }

    fn requirements(&mut self) -> Option<bool> {
        let mut allowed = self.term()?;
        while self.accept("AND") {
            allowed &= self.term()?;
        }
        Some(allowed)
    }

    fn term(&mut self) -> Option<bool> {
        if self.accept("(") {
            let allowed = self.alternatives()?;
            return self.accept(")").then_some(allowed);
        }
        let (name, rest) = self.words.split_first()?;
        self.words = rest;
        if self.accept("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            return Some(PERMISSIVE.contains(&format!("{name} WITH {exception}").as_str()));
        }
        Some(PERMISSIVE.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::is_permissive;

    #[test]
    fn one_permissive_choice_is_enough() {
        for expression in ["MIT", "MIT OR GPL-2.0", "GPL-2.0 OR (MIT AND ISC)", "MIT/Apache-2.0"] {
            assert!(is_permissive(expression), "{expression}");
        }
    }

    #[test]
    fn every_part_of_a_choice_must_be_permissive() {
        for expression in ["GPL-2.0", "MIT AND GPL-2.0", "MIT AND (GPL-2.0 OR LGPL-3.0)", ""] {
            assert!(!is_permissive(expression), "{expression}");
        }
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        assert!(is_permissive("Apache-2.0 WITH LLVM-exception"));
        assert!(!is_permissive("MIT WITH strings-attached"));
    }

    #[test]
    fn what_is_not_an_expression_is_refused() {
        for expression in ["(MIT", "MIT)", "MIT OR", "MIT MIT", "no licence named"] {
            assert!(!is_permissive(expression), "{expression}");
        }
    }
}
