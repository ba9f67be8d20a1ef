//! What is known of one file, in the lines of `stat` and one more for XFS.

use super::{mode, name_bytes, printable, time};
use crate::arguments::VolumePath;
use serde::Serialize;
use std::io::{self, Write};
use untorn::Metadata;
use untorn_format::inode::{ForkFormat, InodeCore, InodeFlags, InodeFlags2};

/// What is known.
pub struct Facts {
    /// What was asked for.
    pub path: VolumePath,
    /// Its inode.
    pub metadata: Metadata,
    /// Where a symbolic link leads.
    pub target: Option<Vec<u8>>,
    /// Block size of the volume in bytes.
    pub block_size: u64,
}

impl Facts {
    /// Blocks of 512 bytes, both forks.
    pub fn sectors(&self) -> u64 {
        self.metadata.inode.blocks.saturating_mul(self.block_size / 512)
    }
}

/// The lines.
pub fn text(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let core = &facts.metadata.inode;
    let target = facts.target.as_deref().map(|target| format!(" -> {}", printable(target)));
    writeln!(out, "  File: {}{}", facts.path, target.unwrap_or_default())?;
    writeln!(
        out,
        "  Size: {:<10}\tBlocks: {:<10} IO Block: {:<6} {}",
        core.size,
        facts.sectors(),
        facts.block_size,
        mode::kind(facts.metadata.kind)
    )?;
    let device = facts.metadata.device.map(|(a, b)| format!("     Device type: {a},{b}"));
    let (ino, links) = (core.ino.0, core.nlink);
    writeln!(out, " Inode: {ino:<10}\tLinks: {links}{}", device.unwrap_or_default())?;
    let (bits, letters) = (core.mode & 0o7777, mode::mode(core.mode));
    writeln!(out, "Access: ({bits:04o}/{letters})  Uid: {}   Gid: {}", core.uid, core.gid)?;
    let times = [
        ("Access", core.atime),
        ("Modify", core.mtime),
        ("Change", core.ctime),
        (" Birth", core.crtime),
    ];
    for (name, value) in times {
        writeln!(out, "{name}: {}", time::exact(value))?;
    }
    writeln!(
        out,
        "   XFS: {}; attribute fork: {}; generation {}, project {}, LSN {}",
        fork(core.format, core.extents),
        attributes(core),
        core.generation,
        core.project,
        core.lsn
    )?;
    writeln!(out, " Flags: {}", flags(core).join(" "))
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub struct Json {
    #[serde(flatten)]
    path: VolumePath,
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_bytes: Option<String>,
    kind: &'static str,
    inode: u64,
    mode: String,
    links: u32,
    uid: u32,
    gid: u32,
    size: u64,
    sectors: u64,
    block_size: u64,
    device: Option<(u32, u32)>,
    accessed: String,
    modified: String,
    changed: String,
    born: String,
    format: &'static str,
    extents: u64,
    attribute_format: Option<&'static str>,
    attribute_extents: u32,
    flags: Vec<&'static str>,
    generation: u32,
    project: u32,
    extent_size_hint: u32,
    cow_extent_size_hint: u32,
    lsn: String,
}

impl Json {
    /// The facts for programs; hints in blocks.
    pub fn of(facts: &Facts) -> Self {
        let core = &facts.metadata.inode;
        let target = facts.target.as_deref();
        Self {
            path: facts.path.clone(),
            target: target.map(|target| String::from_utf8_lossy(target).into_owned()),
            target_bytes: target.and_then(name_bytes),
            kind: mode::kind(facts.metadata.kind),
            inode: core.ino.0,
            mode: format!("{:04o}", core.mode & 0o7777),
            links: core.nlink,
            uid: core.uid,
            gid: core.gid,
            size: core.size,
            sectors: facts.sectors(),
            block_size: facts.block_size,
            device: facts.metadata.device,
            accessed: time::machine(core.atime),
            modified: time::machine(core.mtime),
            changed: time::machine(core.ctime),
            born: time::machine(core.crtime),
            format: format(core.format),
            extents: core.extents,
            attribute_format: core.has_attr_fork().then(|| format(core.attr_format)),
            attribute_extents: core.attr_extents,
            flags: flags(core),
            generation: core.generation,
            project: core.project,
            extent_size_hint: core.extent_size,
            cow_extent_size_hint: core.cow_extent_size,
            lsn: core.lsn.to_string(),
        }
    }
}

fn attributes(core: &InodeCore) -> String {
    match core.has_attr_fork() {
        false => "none".to_owned(),
        true => fork(core.attr_format, core.attr_extents.into()),
    }
}

/// What a fork holds and in how many extents.
fn fork(form: ForkFormat, extents: u64) -> String {
    match (form, extents) {
        (ForkFormat::Extents | ForkFormat::Btree, 1) => format!("{} (1 extent)", format(form)),
        (ForkFormat::Extents | ForkFormat::Btree, n) => format!("{} ({n} extents)", format(form)),
        _ => format(form).to_owned(),
    }
}

/// What a fork holds, in the words of xfs_db.
fn format(format: ForkFormat) -> &'static str {
    match format {
        ForkFormat::Dev => "dev",
        ForkFormat::Local => "local",
        ForkFormat::Extents => "extents",
        ForkFormat::Btree => "btree",
        ForkFormat::Uuid => "uuid",
        ForkFormat::MetaBtree => "metadata btree",
    }
}

/// Names of the flags that are set.
fn flags(core: &InodeCore) -> Vec<&'static str> {
    let first = FLAGS.iter().filter(|(flag, _)| core.flags.has(*flag)).map(|(_, name)| *name);
    let more = FLAGS2.iter().filter(|(flag, _)| core.flags2.has(*flag)).map(|(_, name)| *name);
    first.chain(more).collect()
}

const FLAGS: [(InodeFlags, &str); 15] = [
    (InodeFlags::REALTIME, "realtime"),
    (InodeFlags::PREALLOC, "prealloc"),
    (InodeFlags::NEWRTBM, "newrtbm"),
    (InodeFlags::IMMUTABLE, "immutable"),
    (InodeFlags::APPEND, "append"),
    (InodeFlags::SYNC, "sync"),
    (InodeFlags::NOATIME, "noatime"),
    (InodeFlags::NODUMP, "nodump"),
    (InodeFlags::RTINHERIT, "rtinherit"),
    (InodeFlags::PROJINHERIT, "projinherit"),
    (InodeFlags::NOSYMLINKS, "nosymlinks"),
    (InodeFlags::EXTSIZE, "extsize"),
    (InodeFlags::EXTSZINHERIT, "extszinherit"),
    (InodeFlags::NODEFRAG, "nodefrag"),
    (InodeFlags::FILESTREAM, "filestream"),
];

const FLAGS2: [(InodeFlags2, &str); 6] = [
    (InodeFlags2::DAX, "dax"),
    (InodeFlags2::REFLINK, "reflink"),
    (InodeFlags2::COWEXTSIZE, "cowextsize"),
    (InodeFlags2::BIGTIME, "bigtime"),
    (InodeFlags2::NREXT64, "nrext64"),
    (InodeFlags2::METADATA, "metadata"),
];
