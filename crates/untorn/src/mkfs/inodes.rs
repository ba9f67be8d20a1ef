//! The inodes of a new volume: root directory, realtime bitmap and summary (both empty, and still
//! needed), and the free ones beside them.

use untorn_format::dir::short_edit;
use untorn_format::inode::{
    self, FileKind, ForkFormat, InodeCore, InodeFlags, InodeFlags2, Timestamp, data_fork_mut,
};
use untorn_format::records::{INODES_PER_CHUNK, InobtRec};
use untorn_format::{AgBlock, AgIno, AgNumber, Ino, Lsn, Superblock};

use super::image::Image;
use super::layout::Group;
use super::options::Inherit;
use super::plan::{INODES_IN_USE, Plan, Root};

/// Permissions of the root directory.
const ROOT_MODE: u16 = 0o755;

/// The inode chunks of `group`: none but in group 0.
pub(super) fn chunks(plan: &Plan, group: &Group) -> Vec<InobtRec> {
    let geometry = &plan.layout.geometry;
    let Some(block) = group.inodes else { return Vec::new() };
    let first = geometry.first_ino(block).0;
    let inodes = plan.layout.chunk_blocks() << geometry.inodes_per_block_log;
    let starts = (first..first + inodes).step_by(INODES_PER_CHUNK as usize);
    let chunk = |start: u32| {
        let used = if start == first { INODES_IN_USE } else { 0 };
        InobtRec {
            start: AgIno(start),
            holes: 0,
            count: INODES_PER_CHUNK as u8,
            free_count: (INODES_PER_CHUNK - used) as u8,
            free: u64::MAX << used,
        }
    };
    starts.map(chunk).collect()
}

/// The blocks of the inodes from `block` on.
pub(super) fn image(plan: &Plan, block: AgBlock) -> Image {
    let superblock = &plan.superblock;
    let geometry = &plan.layout.geometry;
    let first = geometry.ino(AgNumber(0), geometry.first_ino(block));
    let mut bytes = vec![0; plan.layout.chunk_blocks() as usize * geometry.block_size()];
    let inodes = bytes.chunks_exact_mut(geometry.inode_size());
    for (number, bytes) in (first.0..).map(Ino).zip(inodes) {
        inode::init_free(bytes, number, superblock.meta_uuid, 0);
        let core = match number {
            _ if number == superblock.root_ino => directory(superblock, &plan.root),
            _ if number == superblock.realtime.bitmap_ino => {
                InodeCore { flags: InodeFlags::NEWRTBM, ..core(superblock, number, plan.root.time) }
            }
            _ if number == superblock.realtime.summary_ino => {
                core(superblock, number, plan.root.time)
            }
            _ => continue,
        };
        fill(bytes, &core);
    }
    let offset = geometry.byte_of(geometry.addr(AgNumber(0), block));
    Image { offset, bytes }
}

/// Makes a free inode one in use.
fn fill(bytes: &mut [u8], core: &InodeCore) {
    core.encode(bytes);
    if core.kind() == Some(FileKind::Directory) {
        let contents = short_edit::init(core.ino);
        match data_fork_mut(bytes) {
            Ok(fork) => fork[..contents.len()].copy_from_slice(&contents),
            Err(fault) => panic!("a new inode: {fault}"),
        }
    }
    inode::seal(bytes, Lsn::default());
}

/// An empty regular file.
fn core(superblock: &Superblock, ino: Ino, time: Timestamp) -> InodeCore {
    let features = superblock.features;
    let flag = |has, flag| if has { flag } else { InodeFlags2::default() };
    let flags2 = flag(features.has_bigtime(), InodeFlags2::BIGTIME)
        .with(flag(features.has_nrext64(), InodeFlags2::NREXT64));
    InodeCore {
        version: 3,
        mode: FileKind::Regular.mode_bits(),
        format: ForkFormat::Extents,
        attr_format: ForkFormat::Extents,
        metatype: 0,
        uid: 0,
        gid: 0,
        nlink: 1,
        project: 0,
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        size: 0,
        blocks: 0,
        extent_size: 0,
        cow_extent_size: 0,
        extents: 0,
        attr_extents: 0,
        fork_offset: 0,
        flags: InodeFlags::default(),
        flags2,
        generation: 0,
        change_count: 1,
        next_unlinked: None,
        ino,
        uuid: superblock.meta_uuid,
        lsn: Lsn::default(),
    }
}

/// The root directory, empty.
fn directory(superblock: &Superblock, root: &Root) -> InodeCore {
    let base = core(superblock, superblock.root_ino, root.time);
    let extsize =
        if root.extent_size == 0 { InodeFlags::default() } else { InodeFlags::EXTSZINHERIT };
    let project = root.project.map_or(InodeFlags::default(), |_| InodeFlags::PROJINHERIT);
    let cow = match root.cow_extent_size {
        0 => InodeFlags2::default(),
        _ => InodeFlags2::COWEXTSIZE,
    };
    let realtime = match root.realtime {
        Inherit::Yes => InodeFlags::RTINHERIT,
        Inherit::No => InodeFlags::default(),
    };
    let dax = match root.dax {
        Inherit::Yes => InodeFlags2::DAX,
        Inherit::No => InodeFlags2::default(),
    };
    InodeCore {
        mode: FileKind::Directory.mode_bits() | ROOT_MODE,
        format: ForkFormat::Local,
        nlink: 2,
        project: root.project.unwrap_or(0),
        size: short_edit::init(superblock.root_ino).len() as u64,
        extent_size: root.extent_size,
        cow_extent_size: root.cow_extent_size,
        flags: extsize.with(project).with(realtime),
        flags2: base.flags2.with(cow).with(dax),
        ..base
    }
}
