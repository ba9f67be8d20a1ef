//! How long files and functions may be. What was too long when it was measured is written down in
//! the ratchet: it may shrink, then its entry must shrink too, and nothing may join it.

use std::collections::BTreeMap;

use super::Finding;
use super::source::{Project, Source, braced};

/// Lines that a file may have.
const FILE: usize = 800;

/// Lines that a function may have.
const FUNCTION: usize = 60;

/// Lines that a test may have: a table of cases is long, and that is well.
const TEST: usize = 120;

/// The list of longer functions, one a line: lines, path, name.
pub(super) const RATCHET: &str = "xtask/long-functions.txt";

/// No file is longer than 800 lines.
pub(super) fn files(project: &Project) -> Vec<Finding> {
    let lengths = project.sources.iter().map(|source| (source, source.text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > FILE);
    let told = long.map(|(source, lines)| Finding {
        path: source.path.clone(),
        line: 0,
        what: format!("{lines} lines, not {FILE}"),
    });
    told.collect()
}

/// Functions longer than 60 lines are those of the ratchet, at the lengths written there.
pub(super) fn functions(project: &Project) -> Vec<Finding> {
    let long = long_functions(project);
    let recorded = recorded(project);
    let mut found = Vec::new();
    for (key @ (path, name), (line, lines)) in &long {
        let limit = recorded.get(key).copied().unwrap_or(0);
        if *lines > limit {
            let limit = limit.max(FUNCTION);
            let what = format!("{name} has {lines} lines, not {limit}");
            found.push(Finding { path: path.clone(), line: *line, what });
        }
    }
    for (key @ (path, name), limit) in &recorded {
        let lines = long.get(key).map_or(0, |(_, lines)| *lines);
        if lines < *limit {
            let what = format!("{name} of {path} is shorter now: cargo xtask tidy --bless");
            found.push(Finding { path: RATCHET.to_owned(), line: 0, what });
        }
    }
    found
}

/// The text of the ratchet for the functions that are too long today.
pub(super) fn ratchet(project: &Project) -> String {
    let long = long_functions(project);
    long.iter().map(|((path, name), (_, lines))| format!("{lines} {path} {name}\n")).collect()
}

type Key = (String, String);

fn recorded(project: &Project) -> BTreeMap<Key, usize> {
    let text = project.texts.get(RATCHET).map(String::as_str).unwrap_or_default();
    let entries = text.lines().filter_map(|line| {
        let mut parts = line.split(' ');
        let lines = parts.next()?.parse().ok()?;
        Some(((parts.next()?.to_owned(), parts.next()?.to_owned()), lines))
    });
    entries.collect()
}

fn limit_of(source: &Source) -> usize {
    if source.is_test() { TEST } else { FUNCTION }
}

/// First line and number of lines of every function that is too long. Of several of one name in a
/// file, the longest.
fn long_functions(project: &Project) -> BTreeMap<Key, (usize, usize)> {
    let mut found: BTreeMap<Key, (usize, usize)> = BTreeMap::new();
    for source in &project.sources {
        for (name, line, lines) in
            measured(source).into_iter().filter(|each| each.2 > limit_of(source))
        {
            let longest = found.entry((source.path.clone(), name)).or_default();
            if lines > longest.1 {
                *longest = (line, lines);
            }
        }
    }
    found
}

/// Name, first line and number of lines of every function with a body.
fn measured(source: &Source) -> Vec<(String, usize, usize)> {
    let code = &source.code;
    let starts = code
        .match_indices("fn ")
        .map(|(at, _)| at)
        .filter(|&at| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let functions = starts.filter_map(|at| {
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let open = body(rest)?;
        let length = braced(&rest[open..]);
        let line = code[..at].matches('\n').count() + 1;
        let lines = rest[..open + length].matches('\n').count() + 1;
        (!name.is_empty()).then_some((name, line, lines))
    });
    functions.collect()
}

/// Where the body of a function begins; none when it has none.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in signature.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}
