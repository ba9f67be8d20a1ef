//! Directories in every form, on the way up and on the way down, and names that try a reader.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;

use super::{Shrunk, Site};

/// Short, block, leaf and node directories; shrunk ones; odd, long and colliding names; a deep
/// tree.
pub(super) fn every_form(site: &mut Site) -> Result<()> {
    let folder = site.folder("directories")?;
    let block = directory_block(&folder.join("five-long"))?;
    let forms = [("empty", 0), ("short", 3), ("block", in_block(block))];
    let larger = [("leaf", block / 16), ("node", block / 3)];
    for (name, entries) in forms.into_iter().chain(larger) {
        numbered(&folder.join(name), entries)?;
    }
    shrunk(block, &folder)?;
    odd_names(&folder.join("odd"))?;
    colliding_names(&folder.join("colliding"))?;
    deep(&folder.join("deep"), 60)?;
    full_names(&folder.join("long"), 2500)
}

/// One directory of many names of 255 bytes.
pub(super) fn huge(site: &mut Site, names: u64) -> Result<()> {
    full_names(&site.folder("huge")?, names)
}

/// Size of directory blocks in bytes: that of a directory which just does not fit in its inode.
fn directory_block(folder: &Path) -> Result<u64> {
    fs::create_dir(folder)?;
    for number in 0..5 {
        File::create(folder.join(format!("{number:0>120}")))?;
    }
    Ok(fs::metadata(folder)?.len())
}

/// Entries that are too many for the inode and few enough for one block of this many bytes.
fn in_block(block: u64) -> u64 {
    (block / 80).max(26)
}

/// Files of one directory that are made for their names.
const FILES: u64 = 1000;

fn numbered(folder: &Path, entries: u64) -> Result<()> {
    fs::create_dir(folder)?;
    let path = |number: u64| folder.join(format!("entry-{number}"));
    for number in 0..entries.min(FILES) {
        File::create(path(number))?;
    }
    // Names are what counts here: past some files, further links to them will do.
    (FILES..entries).try_for_each(|number| fs::hard_link(path(number % FILES), path(number)))?;
    Ok(())
}

/// Directories that were larger: leaves with stale entries, blocks with gaps, forms gone back.
fn shrunk(block: u64, folder: &Path) -> Result<()> {
    let leaf = block / 16;
    let cases: [Shrunk<'_>; 5] = [
        ("node-with-gaps", block / 3, &|number| number % 3 == 0),
        ("node-to-leaf", block / 3, &|number| number < leaf),
        ("leaf-to-block", leaf, &|number| number < 24),
        ("block-to-short", in_block(block), &|number| number < 2),
        ("node-to-empty", block / 3, &|_| false),
    ];
    for (name, entries, stays) in cases {
        let folder = folder.join(name);
        numbered(&folder, entries)?;
        for number in (0..entries).filter(|&number| !stays(number)) {
            fs::remove_file(folder.join(format!("entry-{number}")))?;
        }
    }
    Ok(())
}

fn odd_names(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    let longest = [b'x'; 255];
    let names: [&[u8]; 14] = [
        b" ",
        b"...",
        b".hidden",
        b"-dash",
        b"new\nline",
        b"tab\tbell\x07",
        b"back\\slash",
        "\u{e4}\u{f6}\u{fc}-\u{65e5}\u{672c}\u{8a9e}-\u{1f980}".as_bytes(),
        "e\u{301}".as_bytes(),
        "\u{e9}".as_bytes(),
        b"not-utf8-\xff\xfe\x80",
        b"\x01",
        b"lost+found",
        &longest,
    ];
    for name in names {
        fs::write(folder.join(OsStr::from_bytes(name)), name)?;
    }
    Ok(())
}

/// 200 names with one hash. The directory hash shifts each byte by seven bits (xfs_da_hashname),
/// so that the lowest bit of a byte and the highest of the next one meet: flipping both changes
/// nothing.
fn colliding_names(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    for number in 0..200u32 {
        File::create(folder.join(OsStr::from_bytes(&colliding_name(number))))?;
    }
    Ok(())
}

/// The `number`th of 4096 names of one hash.
pub(super) fn colliding_name(number: u32) -> Vec<u8> {
    let mut name = b"bbbbbbbbbbbbbbbb".to_vec();
    for bit in 0..12 {
        // Bytes are hashed in fours; a carry between two fours would be rotated elsewhere.
        let at = (bit / 3) * 4 + bit % 3;
        if number & (1 << bit) != 0 {
            name[at] ^= 0x01;
            name[at + 1] ^= 0x80;
        }
    }
    name
}

fn deep(folder: &Path, levels: u32) -> Result<()> {
    let mut path = folder.to_owned();
    for level in 0..levels {
        path.push(format!("level-{level}"));
    }
    fs::create_dir_all(&path)?;
    Ok(fs::write(path.join("bottom"), b"deep down")?)
}

/// Names as long as they may be, all of one file: much directory for few inodes.
fn full_names(folder: &Path, names: u64) -> Result<()> {
    fs::create_dir_all(folder)?;
    let file = folder.join("file");
    fs::write(&file, b"many names")?;
    for number in 0..names {
        fs::hard_link(&file, folder.join(format!("{number:0>255}")))?;
    }
    Ok(())
}
