//! Paths of fields as they are typed: `u3.bmx[0-2].startblock`.

use crate::{Result, refuse};

/// One name of a path, and which elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The field.
    pub name: String,
    /// First and last index; all elements otherwise.
    pub range: Option<(usize, usize)>,
}

/// The steps of a path.
pub fn parse(typed: &str) -> Result<Vec<Step>> {
    typed.split('.').map(step).collect()
}

fn step(typed: &str) -> Result<Step> {
    let Some((name, rest)) = typed.split_once('[') else {
        return named(typed, None);
    };
    let range = rest.strip_suffix(']').and_then(range);
    match range {
        Some(range) => named(name, Some(range)),
        None => refuse(format!("bad range in {typed:?}: write name[3] or name[3-5]")),
    }
}

fn named(name: &str, range: Option<(usize, usize)>) -> Result<Step> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !name.is_empty() && name.chars().all(is_word) {
        true => Ok(Step { name: name.to_owned(), range }),
        false => refuse(format!("bad field name {name:?}")),
    }
}

fn range(typed: &str) -> Option<(usize, usize)> {
    let (low, high) = typed.split_once('-').unwrap_or((typed, typed));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_names_and_ranges() {
        let steps = parse("u3.bmx[0-2].startblock").unwrap();
        let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["u3", "bmx", "startblock"]);
        assert_eq!(steps[1].range, Some((0, 2)));
        assert_eq!(parse("recs[7]").unwrap()[0].range, Some((7, 7)));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for typed in ["", ".", "a.", "a[", "a[]", "a[2-1]", "a[x]", "a[1]b", "[1]", "a b"] {
            assert!(parse(typed).is_err(), "{typed}");
        }
    }
}
