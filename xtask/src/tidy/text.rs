//! Rules of single lines: heads, columns, stubs, names, places.

use super::Finding;
use super::source::{Project, Source};

const COLUMNS: usize = 100;

/// Marks of work that is not done.
const STUBS: [&str; 6] = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!"];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "manager"];

/// Signs of the machine on which something was written, or of where packages came from. In two
/// parts, so that this file does not break the rule.
const PLACES: [(&str, &str); 9] = [
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/Use", "rs/"),
    ("index.cra", "tes.io"),
    ("static.cra", "tes.io"),
    ("artifac", "tory"),
    ("ne", "xus."),
    ("127.0", ".0.1"),
];

fn finding(path: &str, line: usize, what: String) -> Finding {
    Finding { path: path.to_owned(), line, what }
}

/// Every Rust file opens with what it owns.
pub(super) fn heads(project: &Project) -> Vec<Finding> {
    let headless = project.sources.iter().filter(|source| !source.text.starts_with("//! "));
    headless.map(|source| finding(&source.path, 1, "does not open with //!".into())).collect()
}

/// No line of Rust or Python is wider than 100 columns.
pub(super) fn columns(project: &Project) -> Vec<Finding> {
    let files = project
        .texts
        .iter()
        .filter(|(path, _)| [".rs", ".py", ".sh"].iter().any(|suffix| path.ends_with(suffix)));
    let mut found = Vec::new();
    for (path, text) in files {
        for (number, line) in (1..).zip(text.lines()) {
            let width = line.chars().count();
            if width > COLUMNS {
                found.push(finding(path, number, format!("{width} columns, not {COLUMNS}")));
            }
        }
    }
    found
}

/// Nothing is left for later, neither in code nor in comments.
pub(super) fn stubs(project: &Project) -> Vec<Finding> {
    let sources = project.sources.iter().filter(|source| source.krate() != "xtask");
    sources.flat_map(|source| marks(source, &STUBS)).collect()
}

fn marks(source: &Source, signs: &[&str]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        for sign in signs.iter().filter(|sign| has_word(line, sign)) {
            found.push(finding(&source.path, number, format!("{sign}: finish it or leave it out")));
        }
    }
    found
}

/// Whether `word` stands in the line with nothing of a name on either side.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_name) && (word.ends_with('!') || !after.starts_with(is_name))
    })
}

/// Outside of tests, nothing is unwrapped.
pub(super) fn unchecked(project: &Project) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &project.sources {
        for (number, line) in source.lines_outside_tests() {
            for sign in [".unwrap()", ".expect(\""].iter().filter(|sign| line.contains(*sign)) {
                found.push(finding(&source.path, number, format!("{sign} outside of tests")));
            }
        }
    }
    found
}

/// Files and functions have names that say something.
pub(super) fn names(project: &Project) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &project.sources {
        let parts = source.path.trim_end_matches(".rs").split('/');
        for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
            found.push(finding(&source.path, 0, format!("{part} is not a name")));
        }
        for (number, _) in source.lines_outside_tests().iter().filter(|(_, line)| is_getter(line)) {
            found.push(finding(&source.path, *number, "no name begins with get_".into()));
        }
    }
    found
}

fn is_getter(line: &str) -> bool {
    line.contains(concat!("fn ", "get_"))
}

/// Nothing names a machine or a place that packages come from.
pub(super) fn places(project: &Project) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in &project.texts {
        for (number, line) in (1..).zip(text.lines()) {
            for place in PLACES.iter().map(|(one, two)| format!("{one}{two}")) {
                if line.contains(&place) {
                    found.push(finding(path, number, format!("{place} names a place")));
                }
            }
        }
    }
    found
}
