//! Configuration files of mkfs.xfs: `[section]`, then `name=value` lines; `#` and `;` begin
//! comments.

use super::choice::Choice;
use super::letters::LETTERS;
use anyhow::{Context, bail, ensure};
use std::fs;
use std::path::Path;

/// More than any configuration needs.
const LONGEST: u64 = 1 << 20;

/// The choices in the file at `path`.
pub fn read(path: &Path) -> anyhow::Result<Vec<Choice>> {
    let name = || format!("options file {}", path.display());
    let length = fs::metadata(path).with_context(name)?.len();
    ensure!(length <= LONGEST, "{}: longer than {LONGEST} bytes", name());
    parse(&fs::read_to_string(path).with_context(name)?).with_context(name)
}

fn parse(text: &str) -> anyhow::Result<Vec<Choice>> {
    let mut choices = Vec::new();
    let mut letter = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        match line.strip_prefix('[') {
            Some(section) => letter = Some(section_letter(section, number)?),
            None => {
                let letter =
                    letter.with_context(|| format!("line {number}: before any section"))?;
                choices.push(choice(letter, line, number)?);
            }
        }
    }
    Ok(choices)
}

fn section_letter(section: &str, number: usize) -> anyhow::Result<char> {
    let name = section.strip_suffix(']').map(str::trim);
    let name = name.with_context(|| format!("line {number}: a section without its ]"))?;
    let known = LETTERS.iter().find(|letter| letter.section == name);
    match known {
        Some(letter) => Ok(letter.letter),
        None => {
            let names: Vec<_> = LETTERS.iter().map(|letter| letter.section).collect();
            bail!("line {number}: no section [{name}]; there are {}", names.join(", "))
        }
    }
}

fn choice(letter: char, line: &str, number: usize) -> anyhow::Result<Choice> {
    let (name, rest) =
        line.split_once('=').with_context(|| format!("line {number}: not name=value: {line:?}"))?;
    let (name, rest) = (name.trim(), rest.trim());
    ensure!(!name.is_empty(), "line {number}: a value without a name");
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        // The first blank ends a value.
        None => rest.split_whitespace().next(),
    };
    let value = Some(value.unwrap_or_default().to_owned());
    Ok(Choice { letter, name: name.to_owned(), value, line: Some(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(char, String, String)> {
        let choices = parse(text).unwrap();
        choices.into_iter().map(|c| (c.letter, c.name, c.value.unwrap_or_default())).collect()
    }

    #[test]
    fn sections_are_letters() {
        let text =
            "# example\n[block]\nsize=4k\n\n[metadata]\n rmapbt = 0 # no\n[naming]\nsize=\"8k\"\n";
        let expected = [('b', "size", "4k"), ('m', "rmapbt", "0"), ('n', "size", "8k")];
        let expected: Vec<_> =
            expected.iter().map(|(l, n, v)| (*l, (*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_line() {
        let cases = [
            ("size=4k\n", "line 1: before any section"),
            ("[blocks]\n", "line 1: no section [blocks]"),
            ("[block\n", "line 1: a section without its ]"),
            ("[block]\nsize\n", "line 2: not name=value"),
            ("[block]\n=4\n", "line 2: a value without a name"),
        ];
        for (text, words) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
