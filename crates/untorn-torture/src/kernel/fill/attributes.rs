//! Extended attributes in every form, on every kind of file, and access control lists.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use rustix::fs::{XattrFlags, lremovexattr, lsetxattr};

use super::directories::colliding_name;
use super::{Shrunk, Site};

/// Attributes inside the inode, in a leaf, in a tree, with values in blocks of their own.
pub(super) fn every_form(site: &mut Site) -> Result<()> {
    let folder = site.folder("attributes")?;
    names_and_spaces(&folder)?;
    many(site, &folder, "leaf", 40)?;
    many(site, &folder, "tree", 700)?;
    remote(site, &folder)?;
    interleaved(site, &folder)?;
    removed(site, &folder)?;
    colliding(&folder)?;
    other_kinds(&folder)?;
    access_lists(&folder)
}

fn set(path: &Path, name: impl AsRef<[u8]>, value: &[u8]) -> Result<()> {
    Ok(lsetxattr(path, name.as_ref(), value, XattrFlags::empty())?)
}

fn file(folder: &Path, name: &str) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    File::create(&path)?;
    Ok(path)
}

fn names_and_spaces(folder: &Path) -> Result<()> {
    let path = file(folder, "short")?;
    set(&path, "user.a", b"1")?;
    set(&path, "user.empty", b"")?;
    set(&path, "trusted.t", b"for root")?;
    set(&path, "security.s", b"by a module")?;
    let path = file(folder, "odd-names")?;
    set(&path, [b"user.".as_slice(), &[b'n'; 250]].concat(), b"longest name")?;
    set(&path, b"user.\xff\xfe\x01", b"no text")?;
    set(&path, "user.\u{1f980}", "\u{1f980}".as_bytes())
}

fn many(site: &mut Site, folder: &Path, name: &str, count: u64) -> Result<()> {
    let path = file(folder, name)?;
    for number in 0..count {
        let length = site.dice.below(60) as usize;
        set(&path, format!("user.attribute-{number:05}"), &site.dice.bytes(length))?;
    }
    Ok(())
}

/// Values around the size at which they leave the leaf (three quarters of a block), and the
/// largest.
fn remote(site: &mut Site, folder: &Path) -> Result<()> {
    let path = file(folder, "remote")?;
    let around = site.block as usize * 3 / 4;
    for length in [around - 200, around, around + 200, site.block as usize, 20_000, 65_536] {
        let length = length.min(65_536);
        set(&path, format!("user.value-{length}"), &site.dice.bytes(length))?;
    }
    // Replaced by a smaller and by a larger one.
    set(&path, "user.value-20000", &site.dice.bytes(30))?;
    set(&path, "user.value-20000", &site.dice.bytes(40_000))
}

/// Two files that grow in turns: their attribute forks have many extents.
fn interleaved(site: &mut Site, folder: &Path) -> Result<()> {
    let pair = [file(folder, "interleaved-1")?, file(folder, "interleaved-2")?];
    let value = site.dice.bytes((site.block as usize + 100).min(65_536));
    for number in 0..60 {
        for path in &pair {
            set(path, format!("user.value-{number}"), &value)?;
        }
    }
    Ok(())
}

/// Attributes that were more: leaves with gaps, a tree gone back to a leaf, an empty fork.
fn removed(site: &mut Site, folder: &Path) -> Result<()> {
    let cases: [Shrunk<'_>; 4] = [
        ("leaf-with-gaps", 40, &|number| number % 2 == 0),
        ("tree-with-gaps", 700, &|number| number % 3 == 0),
        ("tree-to-short", 700, &|number| number == 5),
        ("leaf-to-empty", 40, &|_| false),
    ];
    for (name, count, stays) in cases {
        many(site, folder, name, count)?;
        for number in (0..count).filter(|&number| !stays(number)) {
            lremovexattr(folder.join(name), format!("user.attribute-{number:05}"))?;
        }
    }
    Ok(())
}

/// Names of one hash; few enough for one leaf, because xfs_repair takes equal hashes in two leaves
/// of an attribute tree for damage (those of a directory it knows).
fn colliding(folder: &Path) -> Result<()> {
    let path = file(folder, "colliding")?;
    for number in 0..12 {
        let name = [b"user.".as_slice(), &colliding_name(number)].concat();
        set(&path, name, &number.to_le_bytes())?;
    }
    Ok(())
}

fn other_kinds(folder: &Path) -> Result<()> {
    let (directory, link) = (folder.join("directory"), folder.join("symlink"));
    fs::create_dir(&directory)?;
    set(&directory, "user.on-directory", b"yes")?;
    symlink("directory", &link)?;
    set(&link, "trusted.on-symlink", &[7; 2000])?;
    let long = folder.join("symlink-both");
    symlink("t".repeat(300), &long)?;
    set(&long, "trusted.beside-target", &[8; 300])
}

/// POSIX access control lists as Linux takes them: version 2, then (tag, permissions, id) records.
fn access_lists(folder: &Path) -> Result<()> {
    const USER_OBJ: u16 = 0x01;
    const USER: u16 = 0x02;
    const GROUP_OBJ: u16 = 0x04;
    const MASK: u16 = 0x10;
    const OTHER: u16 = 0x20;
    const NOBODY: u32 = u32::MAX;
    let list = |entries: &[(u16, u16, u32)]| {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    };
    let mut entries = vec![(USER_OBJ, 6, NOBODY)];
    entries.extend((0..25).map(|user| (USER, 4, 1000 + user)));
    entries.extend([(GROUP_OBJ, 4, NOBODY), (MASK, 5, NOBODY), (OTHER, 0, NOBODY)]);
    let path = file(folder, "access-list")?;
    set(&path, "system.posix_acl_access", &list(&entries))?;
    let inherited = folder.join("access-list-directory");
    fs::create_dir(&inherited)?;
    set(&inherited, "system.posix_acl_default", &list(&entries))?;
    file(&inherited, "inherits")?;
    Ok(fs::create_dir(inherited.join("inherits-too"))?)
}
