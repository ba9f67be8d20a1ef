//! `untorn mv`: gives files another name.

use crate::arguments::Mv;
use crate::failure::{End, Outcome};
use crate::target;
use anyhow::{Context, bail};
use untorn::{Rename, Volume};
use untorn_format::inode::FileKind;

/// Renames, or moves into a directory.
pub fn run(arguments: &Mv) -> Outcome {
    target::write(&arguments.image, |volume| {
        let Some((to, from)) = arguments.paths.split_last() else { bail!("nothing to move") };
        if arguments.exchange {
            let [from] = from else { bail!("--exchange takes two paths") };
            return Ok(volume.rename(from, to, Rename::Exchange).map(drop)?);
        }
        let how = if arguments.no_clobber { Rename::NoReplace } else { Rename::Replace };
        match is_directory(volume, to) {
            true => from.iter().try_for_each(|from| {
                let into = inside(to, from)?;
                Ok(volume.rename(from, &into, how).map(drop)?)
            }),
            false => {
                let [from] = from else { bail!("{to}: is not a directory") };
                Ok(volume.rename(from, to, how).map(drop)?)
            }
        }
    })?;
    Ok(End::Well)
}

pub(super) fn is_directory(volume: &Volume, path: &str) -> bool {
    volume.metadata(path).is_ok_and(|found| found.kind == FileKind::Directory)
}

/// The path of `from`'s last part in the directory `to`.
pub(super) fn inside(to: &str, from: &str) -> anyhow::Result<String> {
    let name = from.trim_end_matches('/').rsplit('/').next();
    let name = name.filter(|name| !name.is_empty());
    let name = name.with_context(|| format!("{from}: has no name to move"))?;
    Ok(format!("{}/{name}", to.trim_end_matches('/')))
}
