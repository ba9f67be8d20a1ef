//! `untorn find` and `untorn du`: what lies below a path, and how much space it takes.

use super::met::Met;
use crate::arguments::{Du, Find, Sort};
use crate::failure::{End, Outcome};
use crate::{show, target};
use std::collections::HashSet;
use std::io::Write;
use untorn::{Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Visits what is at `path` and all below it, a directory before what is in it.
fn walk(
    volume: &Volume,
    path: &str,
    mut visit: impl FnMut(&[u8], Ino, &Metadata) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut met = Met::default();
    let mut todo = vec![(path.as_bytes().to_vec(), volume.lookup(path)?)];
    while let Some((path, ino)) = todo.pop() {
        let found = volume.metadata_of(ino)?;
        visit(&path, ino, &found)?;
        if found.kind != FileKind::Directory {
            continue;
        }
        met.enter(ino)?;
        let mut below = volume.entries_of(ino)?;
        below.retain(|entry| entry.name != b"." && entry.name != b"..");
        below.sort_unstable_by(|a, b| b.name.cmp(&a.name));
        let start = path.strip_suffix(b"/").unwrap_or(&path).to_vec();
        todo.extend(
            below
                .into_iter()
                .map(|entry| ([start.as_slice(), b"/", &entry.name].concat(), entry.ino)),
        );
    }
    Ok(())
}

/// Prints the paths that are asked for.
pub fn run(arguments: &Find, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let wanted = |path: &[u8], found: &Metadata| {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let named = arguments.name.as_ref().is_none_or(|glob| matches(glob.as_bytes(), name));
        named && arguments.sort.is_none_or(|sort| sort == Sort::of(found.kind))
    };
    let mut tell = |path: &[u8], found: &Metadata| match wanted(path, found) {
        true => Ok(writeln!(out, "{}", show::printable(path))?),
        false => Ok(()),
    };
    let number = arguments.inode.map(Ino);
    match number.and_then(|ino| volume.paths_of(ino).ok()) {
        Some(paths) => {
            let found = volume.metadata_of(number.unwrap_or(volume.root()))?;
            let top = arguments.path.trim_end_matches('/').as_bytes();
            let mut below = paths.iter().filter(|path| lies_below(path, top));
            below.try_for_each(|path| tell(path, &found))?;
        }
        None => walk(&volume, &arguments.path, |path, ino, found| {
            if number.is_none_or(|number| number == ino) { tell(path, found) } else { Ok(()) }
        })?,
    }
    Ok(End::Well)
}

fn lies_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Whether `name` is what the pattern says: `*` for any bytes, `?` for any one.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut at, mut pattern, mut star) = (0, 0, None);
    while at < name.len() {
        match glob.get(pattern) {
            Some(b'*') => {
                star = Some((pattern, at));
                pattern += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[at] => {
                (at, pattern) = (at + 1, pattern + 1);
            }
            _ => match star {
                Some((begin, seen)) => {
                    star = Some((begin, seen + 1));
                    (at, pattern) = (seen + 1, begin + 1);
                }
                None => return false,
            },
        }
    }
    glob[pattern..].iter().all(|&byte| byte == b'*')
}

/// Prints how many KiB each path takes, files of several names counted once.
pub fn space(arguments: &Du, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let block = u64::from(volume.space()?.block_size);
    let mut seen = HashSet::new();
    for path in &arguments.paths {
        let mut blocks = 0;
        walk(&volume, path, |_, ino, found| {
            if found.inode.nlink < 2 || found.kind == FileKind::Directory || seen.insert(ino) {
                blocks += found.inode.blocks;
            }
            Ok(())
        })?;
        writeln!(out, "{}\t{path}", blocks * block / 1024)?;
    }
    Ok(End::Well)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (glob, name) in [("*", ""), ("*.rs", "a.rs"), ("a?c*", "abc"), ("*a*b", "xaab")] {
            assert!(matches(glob.as_bytes(), name.as_bytes()), "{glob} {name}");
        }
        for (glob, name) in [("", "a"), ("*.rs", "a.r"), ("a?", "a"), ("*a*b", "ba")] {
            assert!(!matches(glob.as_bytes(), name.as_bytes()), "{glob} {name}");
        }
    }
}
