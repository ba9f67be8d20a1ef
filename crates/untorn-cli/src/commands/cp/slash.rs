//! Operands that lack the slash that would make them paths on a volume.

use super::of_image;
use crate::arguments::{Cp, Side};
use crate::failure::{Code, Refusal};
use crate::{show, target};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use untorn_device::Access;

/// Refuses a target that would be a file of the host with the name of an image in it, and where
/// nothing is on a volume the operand that should be: the last one first.
pub(super) fn demand(arguments: &Cp) -> anyhow::Result<()> {
    let hosts = arguments.paths.iter().rev().filter_map(|side| match side {
        Side::Host(path) => Some(path.as_path()),
        Side::Volume(_) => None,
    });
    let meant = match (hosts.clone().count() == arguments.paths.len(), arguments.paths.last()) {
        (true, _) => hosts
            .clone()
            .find_map(|path| lacking(path, is_no_directory))
            .or_else(|| hosts.clone().find_map(|path| whole(arguments, path))),
        (false, Some(Side::Host(to))) => lacking(to, |image| is_volume(arguments, image)),
        (false, _) => None,
    };
    match meant {
        None => Ok(()),
        Some((path, meant)) => {
            let told = format!("{}: names no path on a volume", shown(path.as_os_str()));
            Err(Refusal::new(Code::Invalid, told).or(format!("write {meant}")).into())
        }
    }
}

/// `IMAGE:name`, which the host does not have, and how it is written.
fn lacking(path: &Path, is_image: impl Fn(&Path) -> bool) -> Option<(&Path, String)> {
    let bytes = path.as_os_str().as_bytes();
    let colon = bytes.iter().rposition(|&byte| byte == b':')?;
    let (image, name) = (bytes.get(..colon)?, bytes.get(colon + 1..)?);
    let image = OsStr::from_bytes(image);
    let lacks = !name.is_empty() && fs::symlink_metadata(path).is_err();
    let meant = || format!("{}:/{}", shown(image), shown(OsStr::from_bytes(name)));
    (lacks && is_image(Path::new(image))).then(|| (path, meant()))
}

/// An image without a path, and how its root directory is written.
fn whole<'p>(arguments: &Cp, path: &'p Path) -> Option<(&'p Path, String)> {
    let meant = || format!("{}:/ for its root directory", shown(path.as_os_str()));
    is_volume(arguments, path).then(|| (path, meant()))
}

fn is_no_directory(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_dir())
}

/// Whether there is a volume on it. Pipes are not waited for.
fn is_volume(arguments: &Cp, path: &Path) -> bool {
    let kind = fs::metadata(path).map(|found| found.file_type());
    let may_be = kind.is_ok_and(|kind| kind.is_file() || kind.is_block_device());
    let probed = || target::device(&of_image(arguments, path), Access::ReadOnly);
    may_be && probed().is_ok_and(|device| untorn::probe(&*device).is_ok())
}

fn shown(name: &OsStr) -> String {
    show::printable(name.as_bytes())
}
