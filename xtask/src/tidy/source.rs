//! The project as text: files, manifests, and Rust code with strings and comments blanked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{command, output};

/// All that the rules look at.
#[derive(Debug, Default)]
pub(super) struct Project {
    /// Rust files.
    pub sources: Vec<Source>,
    /// Crate name and what its manifest's `[dependencies]` name.
    pub dependencies: BTreeMap<String, Vec<String>>,
    /// Every text file by path, Rust files included.
    pub texts: BTreeMap<String, String>,
}

/// A Rust file.
#[derive(Debug)]
pub(super) struct Source {
    /// Path from the root of the project.
    pub path: String,
    /// The file.
    pub text: String,
    /// The file with the insides of strings, and comments, as spaces: same lines, same columns.
    pub code: String,
}

impl Project {
    /// Reads every file that git knows of or would add.
    pub fn load(root: &Path) -> Result<Self> {
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let list = output(command(root, "git", &arguments)).context("tidy asks git for files")?;
        let mut texts = BTreeMap::new();
        for path in list.lines() {
            if let Ok(text) = fs::read_to_string(root.join(path)) {
                texts.insert(path.to_owned(), text);
            }
        }
        Ok(Self::of(texts))
    }

    /// The project that consists of these files.
    pub fn of(texts: BTreeMap<String, String>) -> Self {
        let rust = texts.iter().filter(|(path, _)| path.ends_with(".rs"));
        let sources = rust.map(|(path, text)| Source::new(path, text)).collect();
        let manifests = texts.iter().filter(|(path, _)| path.ends_with("/Cargo.toml"));
        let dependencies = manifests.map(|(_, text)| manifest(text)).collect();
        Self { sources, dependencies, texts }
    }
}

impl Source {
    /// A file and its code.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// The crate that the file belongs to: the folder below `crates`, or `xtask`.
    pub fn krate(&self) -> &str {
        let rest = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The module that the file is: `["ag", "space"]` for `src/ag/space.rs`, none for the root.
    pub fn module(&self) -> Vec<&str> {
        let Some((_, inside)) = self.path.split_once("/src/") else { return Vec::new() };
        let inside = inside.trim_end_matches(".rs").trim_end_matches("/mod");
        match inside {
            "lib" | "main" => Vec::new(),
            other => other.split('/').collect(),
        }
    }

    /// Whether the whole file is tests.
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Code lines outside of tests, with their numbers from 1.
    pub fn lines_outside_tests(&self) -> Vec<(usize, &str)> {
        if self.is_test() {
            return Vec::new();
        }
        let tests = test_modules(&self.code);
        let mut start = 0;
        let mut found = Vec::new();
        for (number, line) in (1..).zip(self.code.split_inclusive('\n')) {
            if !tests.iter().any(|range| range.contains(&start)) {
                found.push((number, line));
            }
            start += line.len();
        }
        found
    }
}

/// Name of a package and of what it depends on outside of tests.
fn manifest(text: &str) -> (String, Vec<String>) {
    let mut section = "";
    let (mut name, mut dependencies) = (String::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            // A dependency may have a section of its own.
            dependencies.extend(section.strip_prefix("dependencies.").map(str::to_owned));
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.trim().trim_end_matches(".workspace");
        match section {
            "package" if key == "name" => name = value.trim().trim_matches('"').to_owned(),
            "dependencies" => dependencies.push(key.to_owned()),
            _ => {}
        }
    }
    (name, dependencies)
}

/// Byte ranges of modules under `#[cfg(test)]`.
fn test_modules(code: &str) -> Vec<std::ops::Range<usize>> {
    let starts = code.match_indices("#[cfg(test)]").map(|(at, _)| at);
    let ranges = starts.filter_map(|at| {
        let rest = &code[at..];
        let open = rest.find('{')?;
        // `mod tests;` is a file of its own.
        let ends_before = rest.find(';').is_some_and(|semicolon| semicolon < open);
        (!ends_before).then(|| at..at + open + braced(&rest[open..]))
    });
    ranges.collect()
}

/// Length of the block that begins with the brace at the start of `code`.
pub(super) fn braced(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// What the bytes at the cursor belong to.
enum Inside {
    Code,
    Line,
    Comment { depth: u32 },
    Text,
    Raw { hashes: usize },
}

/// Replaces what is inside comments and strings by spaces; quotation marks stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let (mut at, mut inside) = (0, Inside::Code);
    while at < bytes.len() {
        let (length, keep, next) = step(&bytes[at..], code.last().copied(), inside);
        for &byte in &bytes[at..at + length] {
            code.push(if keep || byte == b'\n' { byte } else { b' ' });
        }
        at += length;
        inside = next;
    }
    // Only ASCII was put in the place of whole characters' bytes, each for each.
    String::from_utf8_lossy(&code).into_owned()
}

/// How many bytes to take from the front of `rest`, whether they are code, and what follows.
fn step(rest: &[u8], before: Option<u8>, inside: Inside) -> (usize, bool, Inside) {
    match inside {
        Inside::Code => step_code(rest, before),
        Inside::Line if rest[0] == b'\n' => (1, true, Inside::Code),
        Inside::Line => (1, false, Inside::Line),
        Inside::Comment { depth } if rest.starts_with(b"/*") => {
            (2, false, Inside::Comment { depth: depth + 1 })
        }
        Inside::Comment { depth: 1 } if rest.starts_with(b"*/") => (2, false, Inside::Code),
        Inside::Comment { depth } if rest.starts_with(b"*/") => {
            (2, false, Inside::Comment { depth: depth - 1 })
        }
        Inside::Comment { depth } => (1, false, Inside::Comment { depth }),
        Inside::Text if rest[0] == b'\\' => (rest.len().min(2), false, Inside::Text),
        Inside::Text if rest[0] == b'"' => (1, true, Inside::Code),
        Inside::Text => (1, false, Inside::Text),
        Inside::Raw { hashes } if ends_raw(rest, hashes) => (1 + hashes, true, Inside::Code),
        Inside::Raw { hashes } => (1, false, Inside::Raw { hashes }),
    }
}

fn ends_raw(rest: &[u8], hashes: usize) -> bool {
    rest[0] == b'"' && rest[1..].iter().take_while(|&&byte| byte == b'#').count() >= hashes
}

fn step_code(rest: &[u8], before: Option<u8>) -> (usize, bool, Inside) {
    if rest.starts_with(b"//") {
        return (2, false, Inside::Line);
    }
    if rest.starts_with(b"/*") {
        return (2, false, Inside::Comment { depth: 1 });
    }
    let in_name = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest[0] {
        b'"' => (1, true, Inside::Text),
        b'r' if !in_name || before == Some(b'b') => match raw_start(rest) {
            Some(hashes) => (2 + hashes, true, Inside::Raw { hashes }),
            None => (1, true, Inside::Code),
        },
        b'\'' => match character(rest) {
            Some(length) => (length, false, Inside::Code),
            None => (1, true, Inside::Code),
        },
        _ => (1, true, Inside::Code),
    }
}

/// Number of `#` when `rest` begins a raw string.
fn raw_start(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    (rest.get(1 + hashes) == Some(&b'"')).then_some(hashes)
}

/// Length of the character literal that `rest` begins; none for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let escaped = rest.get(1) == Some(&b'\\');
    let from = if escaped { 3 } else { 2 };
    let within = rest.iter().take(14).skip(from).position(|&byte| byte == b'\'')?;
    let one_character = || std::str::from_utf8(&rest[1..from + within]).ok()?.chars().nth(1);
    (escaped || one_character().is_none()).then_some(from + within + 1)
}
