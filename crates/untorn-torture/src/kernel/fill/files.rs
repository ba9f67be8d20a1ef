//! Inodes of every kind, mode, owner and age; symbolic and hard links; many files.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::Result;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, makedev, mknodat, utimensat};

use super::{Site, if_supported, write};

/// One of each.
pub(super) fn every_form(site: &mut Site) -> Result<()> {
    let folder = site.folder("files")?;
    sizes(site, &folder)?;
    symlinks(&folder)?;
    nodes(&folder)?;
    modes_and_owners(&folder)?;
    times(&folder)?;
    hard_links(&folder)?;
    flags(&folder)
}

/// Many small files, of which every seventh is removed: free inodes in the middle of chunks.
pub(super) fn many(site: &mut Site, count: u64) -> Result<()> {
    let folder = site.folder("many")?;
    let path = |number: u64| folder.join(format!("{}/{number}", number % 8));
    (0..8).try_for_each(|part| fs::create_dir_all(folder.join(format!("{part}"))))?;
    for number in 0..count {
        let length = if site.dice.chance(1, 4) { site.dice.below(2 * site.block) } else { 0 };
        write(&path(number), site.dice.bytes(length as usize))?;
    }
    Ok((0..count).step_by(7).try_for_each(|number| fs::remove_file(path(number)))?)
}

fn sizes(site: &mut Site, folder: &Path) -> Result<()> {
    let block = site.block;
    for size in [0, 1, 511, 512, 513, block - 1, block, block + 1, 3 * block + 7, 1 << 20] {
        write(&folder.join(format!("size-{size}")), site.dice.bytes(size as usize))?;
    }
    Ok(())
}

/// Targets inside the inode, at its limit (336 bytes of a 512-byte inode), and in blocks.
fn symlinks(folder: &Path) -> Result<()> {
    for length in [1, 20, 150, 336, 337, 500, 900, 1023] {
        let target = "x/".repeat(512);
        symlink(&target[..length], folder.join(format!("symlink-{length}")))?;
    }
    symlink("size-1", folder.join("symlink-to-file"))?;
    symlink("..", folder.join("symlink-to-directory"))?;
    symlink("symlink-loop", folder.join("symlink-loop"))?;
    Ok(symlink("/nowhere", folder.join("symlink-dangling"))?)
}

fn nodes(folder: &Path) -> Result<()> {
    let cases = [
        ("character", FileType::CharacterDevice, makedev(1, 3)),
        ("block", FileType::BlockDevice, makedev(8, 17)),
        ("large-numbers", FileType::CharacterDevice, makedev(259, 0x3_ffff)),
        ("fifo", FileType::Fifo, 0),
        ("socket", FileType::Socket, 0),
    ];
    for (name, kind, number) in cases {
        mknodat(CWD, folder.join(name), kind, Mode::from_raw_mode(0o640), number)?;
    }
    Ok(())
}

fn modes_and_owners(folder: &Path) -> Result<()> {
    for mode in [0o000, 0o400, 0o777, 0o1777, 0o2755, 0o4755, 0o7777] {
        let path = folder.join(format!("mode-{mode:04o}"));
        File::create(&path)?;
        // Ownership first: a change of owner takes setuid away.
        std::os::unix::fs::chown(&path, Some(1000 + mode), Some(u32::MAX - 1))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    let shared = folder.join("mode-directory");
    fs::create_dir(&shared)?;
    Ok(fs::set_permissions(&shared, Permissions::from_mode(0o3771))?)
}

fn times(folder: &Path) -> Result<()> {
    let moments = [(0, 0), (-1, 999_999_999), (-2_147_483_648, 0), (2_147_483_647, 1)];
    let later = [(2_147_483_648, 123_456_789), (16_299_260_424, 0)];
    for (seconds, nanoseconds) in moments.into_iter().chain(later) {
        let path = folder.join(format!("time-{seconds}"));
        File::create(&path)?;
        let moment = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
        let times = Timestamps { last_access: moment, last_modification: moment };
        utimensat(CWD, &path, &times, AtFlags::empty())?;
    }
    Ok(())
}

fn hard_links(folder: &Path) -> Result<()> {
    let (first, elsewhere) = (folder.join("link-1"), folder.join("link-folder"));
    fs::write(&first, b"three names")?;
    fs::hard_link(&first, folder.join("link-2"))?;
    fs::create_dir(&elsewhere)?;
    Ok(fs::hard_link(&first, elsewhere.join("link-3"))?)
}

/// Inode flags that do not hinder removal by root.
fn flags(folder: &Path) -> Result<()> {
    use rustix::fs::IFlags;
    for (name, flag) in
        [("sync", IFlags::SYNC), ("noatime", IFlags::NOATIME), ("nodump", IFlags::NODUMP)]
    {
        let file = File::create(folder.join(format!("flag-{name}")))?;
        if_supported(rustix::fs::ioctl_setflags(&file, flag).map_err(Into::into))?;
    }
    Ok(())
}
