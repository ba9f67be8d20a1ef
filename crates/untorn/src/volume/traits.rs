//! Flags, extent size hints and projects of inodes: what Linux calls `struct fsxattr`.

use super::{File, Volume};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::io::own_range;
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::inode::{FileKind, InodeCore, InodeFlags, InodeFlags2};
use untorn_format::records::Extent;

/// A mark of a file or directory that asks for other treatment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFlag {
    /// Nothing of it may change.
    Immutable,
    /// It may grow and not change otherwise.
    AppendOnly,
    /// Every change of what it holds, its bytes, size and map, is durable before its call returns.
    Synchronous,
    /// Reading leaves no trace.
    NoAccessTime,
    /// Backups leave it out.
    NoDump,
    /// Defragmentation leaves it alone.
    NoDefragment,
    /// Its files are kept together in one allocation group.
    FileStream,
    /// Of a directory: what is made in it belongs to its project.
    ProjectInherit,
    /// Of a directory: no symbolic links are made in it.
    NoSymlinks,
    /// Of a directory: files made in it get its extent size hint. Follows the hint.
    ExtentSizeInherit,
    /// Of a file: it has an extent size hint. Follows the hint.
    ExtentSize,
    /// Blocks behind its end are there because somebody asked for them. Follows
    /// [`File::allocate`].
    Preallocated,
}

impl FileFlag {
    /// All flags.
    pub const ALL: [Self; 12] = [
        Self::Immutable,
        Self::AppendOnly,
        Self::Synchronous,
        Self::NoAccessTime,
        Self::NoDump,
        Self::NoDefragment,
        Self::FileStream,
        Self::ProjectInherit,
        Self::NoSymlinks,
        Self::ExtentSizeInherit,
        Self::ExtentSize,
        Self::Preallocated,
    ];

    fn bit(self) -> InodeFlags {
        match self {
            Self::Immutable => InodeFlags::IMMUTABLE,
            Self::AppendOnly => InodeFlags::APPEND,
            Self::Synchronous => InodeFlags::SYNC,
            Self::NoAccessTime => InodeFlags::NOATIME,
            Self::NoDump => InodeFlags::NODUMP,
            Self::NoDefragment => InodeFlags::NODEFRAG,
            Self::FileStream => InodeFlags::FILESTREAM,
            Self::ProjectInherit => InodeFlags::PROJINHERIT,
            Self::NoSymlinks => InodeFlags::NOSYMLINKS,
            Self::ExtentSizeInherit => InodeFlags::EXTSZINHERIT,
            Self::ExtentSize => InodeFlags::EXTSIZE,
            Self::Preallocated => InodeFlags::PREALLOC,
        }
    }

    /// Who may have it.
    fn owner(self) -> FlagOwner {
        match self {
            Self::ProjectInherit | Self::NoSymlinks => FlagOwner::Directory,
            Self::ExtentSizeInherit | Self::ExtentSize | Self::Preallocated => FlagOwner::Nobody,
            _ => FlagOwner::Anybody,
        }
    }
}

/// Who may be given a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlagOwner {
    Anybody,
    Directory,
    /// It follows something else.
    Nobody,
}

/// A set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileFlags(InodeFlags);

impl FileFlags {
    /// Whether `flag` is among them.
    pub fn contains(self, flag: FileFlag) -> bool {
        self.0.has(flag.bit())
    }

    /// These and `flag`.
    #[must_use]
    pub fn with(self, flag: FileFlag) -> Self {
        Self(self.0.with(flag.bit()))
    }

    /// These without `flag`.
    #[must_use]
    pub fn without(self, flag: FileFlag) -> Self {
        Self(self.0.without(flag.bit()))
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = FileFlag> {
        FileFlag::ALL.into_iter().filter(move |&flag| self.contains(flag))
    }
}

/// What Linux takes for no project at all (`INVALID_PROJID`).
const NO_PROJECT: u32 = u32::MAX;

/// Flags, hints and project of an inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Its flags.
    pub flags: FileFlags,
    /// Bytes that a file's space comes in, or those of the files of a directory; zero without.
    pub extent_size: u64,
    /// Bytes that space for rewriting shared blocks comes in; zero without.
    pub cow_extent_size: u64,
    /// The project that it belongs to.
    pub project: u32,
}

impl Traits {
    fn of(core: &Core, inode: &InodeCore) -> Self {
        let bytes = |blocks: u32| u64::from(blocks) << core.geometry.block_log;
        let hinted = inode.flags.has(InodeFlags::EXTSIZE.with(InodeFlags::EXTSZINHERIT));
        let cow_hinted = inode.flags2.has(InodeFlags2::COWEXTSIZE);
        Self {
            flags: FileFlag::ALL
                .into_iter()
                .filter(|flag| inode.flags.has(flag.bit()))
                .fold(FileFlags::default(), FileFlags::with),
            extent_size: if hinted { bytes(inode.extent_size) } else { 0 },
            cow_extent_size: if cow_hinted { bytes(inode.cow_extent_size) } else { 0 },
            project: inode.project,
        }
    }
}

/// Gives `inode` what `change` makes of its traits, in one transaction.
fn change(core: &Arc<Core>, inode: &Arc<Inode>, change: impl Fn(&mut Traits)) -> Result<()> {
    // Space that cached writes wait for was reserved by the hints of then: it comes first.
    let regular = inode.core()?.kind() == Some(FileKind::Regular);
    let _range = if regular { Some(own_range(core, inode, 0..u64::MAX)?) } else { None };
    core.transact(4096, std::slice::from_ref(inode), |tx| {
        let mut dinode = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        let before = Traits::of(core, &dinode);
        let mut after = before;
        change(&mut after);
        let checked = Checked { core, ino: inode.ino, before, after };
        checked.flags(&mut dinode)?;
        checked.extent_size(&mut dinode)?;
        checked.cow_extent_size(&mut dinode)?;
        checked.project(&mut dinode)?;
        dinode.ctime = core.clock.now();
        dinode.count_change();
        dinode.encode(tx.inode_mut(inode.ino));
        Ok(())
    })?;
    Ok(())
}

/// A change of traits being held against the rules.
struct Checked<'c> {
    core: &'c Core,
    ino: Ino,
    before: Traits,
    after: Traits,
}

impl Checked<'_> {
    fn refuse<T>(&self, why: &str) -> Result<T> {
        Err(Error::Invalid(format!("inode {}: {why}; nothing was changed", self.ino)))
    }

    fn flags(&self, inode: &mut InodeCore) -> Result<()> {
        let directory = inode.kind() == Some(FileKind::Directory);
        for flag in FileFlag::ALL {
            let wanted = self.after.flags.contains(flag);
            if wanted == self.before.flags.contains(flag) {
                continue;
            }
            match flag.owner() {
                FlagOwner::Directory if !directory => {
                    return self.refuse(&format!("only directories can be marked {flag:?}"));
                }
                FlagOwner::Nobody => {
                    return self
                        .refuse(&format!("{flag:?} follows the hint or the space it names"));
                }
                _ => {}
            }
            inode.flags = match wanted {
                true => inode.flags.with(flag.bit()),
                false => inode.flags.without(flag.bit()),
            };
        }
        Ok(())
    }

    fn extent_size(&self, inode: &mut InodeCore) -> Result<()> {
        let hint = self.after.extent_size;
        if hint == self.before.extent_size {
            return Ok(());
        }
        let flag = match inode.kind() {
            Some(FileKind::Regular) if inode.extents > 0 => {
                return self.refuse("the extent size hint of a file that has blocks cannot change");
            }
            Some(FileKind::Regular) => InodeFlags::EXTSIZE,
            Some(FileKind::Directory) => InodeFlags::EXTSZINHERIT,
            _ => return self.refuse("only files and directories have extent size hints"),
        };
        inode.extent_size = self.blocks(hint)?;
        inode.flags = match hint {
            0 => inode.flags.without(flag),
            _ => inode.flags.with(flag),
        };
        Ok(())
    }

    fn cow_extent_size(&self, inode: &mut InodeCore) -> Result<()> {
        let hint = self.after.cow_extent_size;
        if hint == self.before.cow_extent_size {
            return Ok(());
        }
        if !self.core.features.has_reflink() {
            return self.refuse("files of this volume share no blocks (reflink is off)");
        }
        if !matches!(inode.kind(), Some(FileKind::Regular | FileKind::Directory)) {
            return self.refuse("only files and directories have extent size hints");
        }
        inode.cow_extent_size = self.blocks(hint)?;
        inode.flags2 = match hint {
            0 => inode.flags2.without(InodeFlags2::COWEXTSIZE),
            _ => inode.flags2.with(InodeFlags2::COWEXTSIZE),
        };
        Ok(())
    }

    fn project(&self, inode: &mut InodeCore) -> Result<()> {
        if self.after.project == NO_PROJECT && self.before.project != NO_PROJECT {
            return self.refuse(&format!("{NO_PROJECT} is no project, also for Linux"));
        }
        inode.project = self.after.project;
        Ok(())
    }

    /// A hint in blocks: whole blocks, an extent at most, half an AG at most.
    fn blocks(&self, hint: u64) -> Result<u32> {
        let geometry = &self.core.geometry;
        let block = geometry.block_size() as u64;
        let most = Extent::MAX_LENGTH.min(geometry.ag_blocks / 2);
        let blocks = u32::try_from(hint / block).ok().filter(|&blocks| blocks <= most);
        match blocks.filter(|_| hint.is_multiple_of(block)) {
            Some(blocks) => Ok(blocks),
            None => self.refuse(&format!(
                "an extent size hint is a multiple of {block} bytes and at most {} bytes here, \
                 not {hint}",
                u64::from(most) * block
            )),
        }
    }
}

impl Volume {
    /// Flags, hints and project of inode `ino`.
    pub fn traits_of(&self, ino: Ino) -> Result<Traits> {
        let inode = self.core.inode_by_number(ino)?;
        Ok(Traits::of(&self.core, &inode.core()?))
    }

    /// Gives inode `ino` other flags, hints and project, all or none.
    ///
    /// A hint is a multiple of the block size and at most half an allocation group. The extent size
    /// hint of a file that has blocks cannot change.
    pub fn set_traits_of(&self, ino: Ino, traits: &Traits) -> Result<()> {
        self.demand_write("set flags and hints")?;
        let inode = self.core.inode_by_number(ino)?;
        change(&self.core, &inode, |now| *now = *traits)
    }
}

impl File {
    /// Its flags, hints and project.
    pub fn traits(&self) -> Result<Traits> {
        Ok(Traits::of(&self.volume.core, &self.inode.core()?))
    }

    fn change_traits(&self, with: impl Fn(&mut Traits)) -> Result<()> {
        self.volume.demand_write("set flags and hints")?;
        change(&self.volume.core, &self.inode, with)
    }

    /// Bytes that its space comes in; zero without a hint.
    pub fn extent_size_hint(&self) -> Result<u64> {
        Ok(self.traits()?.extent_size)
    }

    /// Sets the bytes that its space comes in; zero for no hint. See [`Volume::set_traits_of`].
    pub fn set_extent_size_hint(&self, bytes: u64) -> Result<()> {
        self.change_traits(|traits| traits.extent_size = bytes)
    }

    /// Bytes that space for rewriting shared blocks comes in; zero without a hint.
    pub fn cow_extent_size_hint(&self) -> Result<u64> {
        Ok(self.traits()?.cow_extent_size)
    }

    /// Sets the bytes that space for rewriting shared blocks comes in; zero for no hint.
    pub fn set_cow_extent_size_hint(&self, bytes: u64) -> Result<()> {
        self.change_traits(|traits| traits.cow_extent_size = bytes)
    }

    /// Its flags.
    pub fn flags(&self) -> Result<FileFlags> {
        Ok(self.traits()?.flags)
    }

    /// Sets its flags. Those that follow something else must stay as they are.
    pub fn set_flags(&self, flags: FileFlags) -> Result<()> {
        self.change_traits(|traits| traits.flags = flags)
    }

    /// The project that it belongs to.
    pub fn project_id(&self) -> Result<u32> {
        Ok(self.traits()?.project)
    }

    /// Makes it belong to another project.
    pub fn set_project_id(&self, project: u32) -> Result<()> {
        self.change_traits(|traits| traits.project = project)
    }
}
