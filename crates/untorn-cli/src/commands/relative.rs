//! The way from a directory of a volume to a path, for symbolic links.

use super::dangling::Hops;
use crate::arguments::VolumePath;
use untorn::Volume;

/// What a link in the directory `from` says to lead to `to`.
pub fn from_to(volume: &Volume, from: &VolumePath, to: &VolumePath) -> anyhow::Result<VolumePath> {
    let (from, to) = (real(volume, from)?, real(volume, to)?);
    let same = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from.iter().skip(same).map(|_| &b".."[..]);
    let down = to.iter().skip(same).map(Vec::as_slice);
    let parts: Vec<&[u8]> = up.chain(down).collect();
    Ok(VolumePath::new(match parts.is_empty() {
        true => b".".to_vec(),
        false => parts.join(&b'/'),
    }))
}

/// The names on the way from the root, without links; what is not there counts as it is written.
fn real(volume: &Volume, path: &VolumePath) -> anyhow::Result<Vec<Vec<u8>>> {
    let parts = |path: &[u8]| path.split(|&b| b == b'/').rev().map(<[u8]>::to_vec).collect();
    let (mut todo, mut names): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (parts(path.as_ref()), Vec::new());
    let mut hops = Hops::default();
    while let Some(part) = todo.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                names.pop();
                continue;
            }
            _ => names.push(part),
        }
        let Ok(target) = volume.read_link([b"/", &names.join(&b'/')[..]].concat()) else {
            continue;
        };
        hops.follow(path)?;
        match target.starts_with(b"/") {
            true => names.clear(),
            false => drop(names.pop()),
        }
        let behind: Vec<Vec<u8>> = parts(&target);
        todo.extend(behind);
    }
    Ok(names)
}
