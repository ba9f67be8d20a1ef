//! What xfs_db prints, as fields and tables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use untorn_torture::kernel::xfs_db;

/// xfs_db on one image.
pub struct Database {
    path: PathBuf,
}

/// Fields by name, as printed.
pub struct Fields(HashMap<String, String>);

/// What separates the answers of a batch.
const MARK: &str = "~~~~";

impl Database {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
    /// What `commands` print.
    pub fn text(&self, commands: &[&str]) -> String {
        xfs_db(&self.path, commands).unwrap()
    }
    /// The fields that `commands` print.
    pub fn fields(&self, commands: &[&str]) -> Fields {
        Fields::parse(&self.text(commands))
    }
    /// What each batch of commands prints, in one run of xfs_db for many.
    pub fn texts(&self, batches: &[Vec<String>]) -> Vec<String> {
        batches.chunks(150).flat_map(|batches| self.run(batches)).collect()
    }
    fn run(&self, batches: &[Vec<String>]) -> Vec<String> {
        let mark = format!("echo {MARK}");
        let mut commands = Vec::new();
        for batch in batches {
            commands.extend(batch.iter().map(String::as_str));
            commands.push(&mark);
        }
        let text = self.text(&commands);
        let mut answers: Vec<_> = text.split(MARK).map(str::to_owned).collect();
        answers.pop();
        assert_eq!(answers.len(), batches.len());
        answers
    }
}

impl Fields {
    pub fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(" = "));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("xfs_db prints no {name}"))
    }
    /// A number; `null` is all ones, and what the volume does not have is zero.
    pub fn number(&self, name: &str) -> u64 {
        let text = self.text(name);
        if text.is_empty() {
            return 0;
        }
        let word = text.split(' ').next().and_then(number);
        word.unwrap_or_else(|| panic!("xfs_db prints {name} = {text}"))
    }
}

/// A number as xfs_db writes one: decimal, hexadecimal, octal, negative or null.
pub fn number(word: &str) -> Option<u64> {
    if word == "null" {
        return Some(u64::MAX);
    }
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    if word.len() > 1 && word.starts_with('0') {
        return u64::from_str_radix(word, 8).ok();
    }
    word.parse::<i64>().ok().map(|n| n as u64).or_else(|| word.parse().ok())
}

/// The rows of a table `1:[a,b,c]` that follows the line that begins with `name`.
pub fn rows(text: &str, name: &str) -> Vec<Vec<u64>> {
    let from = text.lines().skip_while(|line| !line.starts_with(name)).skip(1);
    let lines = from.take_while(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    lines.map(row).collect()
}

fn row(line: &str) -> Vec<u64> {
    let inner = line.split_once(":[").unwrap().1.trim_end().trim_end_matches(']');
    inner.split(',').map(|word| number(word).unwrap()).collect()
}
