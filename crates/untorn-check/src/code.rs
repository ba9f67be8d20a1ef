//! The codes of findings: one for each rule that a volume can break.

use std::fmt;
use untorn_format::Fault;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is left over that recovery or an unmount should have cleared; nothing is read
    /// wrongly and nothing is lost but the space.
    Leftover,
    /// A structure is wrong: using the volume may read, hand out or destroy the wrong blocks.
    Damage,
}

impl Severity {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leftover => "leftover",
            Self::Damage => "damage",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $severity:ident;)*) => {
        /// What kind of thing is wrong. The name is stable from version to version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name: lower case, words joined by hyphens.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
            /// How bad findings of this kind are.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    /// A structure is shorter than it must be.
    CutShort = "cut-short" Damage;
    /// A structure's magic number is that of something else.
    BadMagic = "bad-magic" Damage;
    /// A structure's checksum does not match its bytes.
    BadChecksum = "bad-checksum" Damage;
    /// A structure carries the UUID of another volume.
    BadUuid = "bad-uuid" Damage;
    /// A structure says that it lives elsewhere.
    BadPosition = "bad-position" Damage;
    /// A structure says that it belongs to another owner.
    BadOwner = "bad-owner" Damage;
    /// A structure was written at a journal position that the journal has not reached.
    LsnAhead = "lsn-ahead" Damage;
    /// A field has a value that it must not have.
    BadField = "bad-field" Damage;
    /// Entries of a structure are out of order or disagree with each other.
    BadOrder = "bad-order" Damage;

    /// The volume is larger than its device.
    DeviceTooSmall = "device-too-small" Damage;
    /// A copy of the superblock disagrees with the first.
    SuperblockCopy = "superblock-copy" Damage;
    /// Bytes of a superblock that no feature gives a meaning are not zero.
    SuperblockUnused = "sb-unused" Damage;
    /// The superblock names a quota inode that is none, or says that there are some and names none.
    QuotaInode = "quota-inode" Damage;
    /// The superblock's count of free blocks is wrong.
    SuperblockFreeBlocks = "sb-fdblocks" Damage;
    /// The superblock's count of inodes is wrong.
    SuperblockInodes = "sb-icount" Damage;
    /// The superblock's count of free inodes is wrong.
    SuperblockFreeInodes = "sb-ifree" Damage;
    /// An AGF's count of free blocks is wrong.
    AgfFreeBlocks = "agf-freeblks" Damage;
    /// An AGF's longest free extent is wrong.
    AgfLongest = "agf-longest" Damage;
    /// An AGF's count of btree blocks is wrong.
    AgfBtreeBlocks = "agf-btreeblks" Damage;
    /// An AGF's count of rmapbt blocks is wrong.
    AgfRmapBlocks = "agf-rmap-blocks" Damage;
    /// An AGF's count of refcountbt blocks is wrong.
    AgfRefcountBlocks = "agf-refcount-blocks" Damage;
    /// An AGI's count of inodes is wrong.
    AgiCount = "agi-count" Damage;
    /// An AGI's count of free inodes is wrong.
    AgiFreeCount = "agi-freecount" Damage;
    /// An AGI's count of inobt blocks is wrong.
    AgiInobtBlocks = "agi-iblocks" Damage;
    /// An AGI's count of finobt blocks is wrong.
    AgiFinobtBlocks = "agi-fblocks" Damage;

    /// A btree points at a block that cannot be one of its own.
    BtreePointer = "btree-pointer" Damage;
    /// A btree has more blocks than there are.
    BtreeLoop = "btree-loop" Damage;
    /// A btree block stands on another level than it says.
    BtreeLevel = "btree-level" Damage;
    /// A btree block has fewer entries than it must have.
    BtreeUnderfull = "btree-underfull" Damage;
    /// Btree blocks of one level do not name each other as neighbours.
    BtreeSibling = "btree-sibling" Damage;
    /// A key of a btree node is not the first key below it.
    BtreeKey = "btree-key" Damage;
    /// A high key of an rmapbt node is not the highest key below it.
    BtreeHighKey = "btree-high-key" Damage;
    /// Btree records are out of order.
    BtreeOrder = "btree-order" Damage;
    /// A btree record reaches into the next.
    RecordOverlap = "record-overlap" Damage;
    /// A btree record names blocks or inodes outside its AG.
    RecordOutside = "record-outside" Damage;
    /// bnobt and cntbt disagree.
    FreeTreesDisagree = "free-trees-disagree" Damage;
    /// inobt and finobt disagree.
    InodeTreesDisagree = "inode-trees-disagree" Damage;
    /// An inode chunk begins where none may.
    ChunkMisaligned = "chunk-misaligned" Damage;
    /// An inode chunk has a hole that is no whole block.
    ChunkHoles = "chunk-holes" Damage;

    /// Nobody owns a block that is not free.
    BlockUnowned = "block-unowned" Damage;
    /// Two own a block that cannot be shared.
    BlockOwnedTwice = "block-owned-twice" Damage;
    /// A block is free and somebody owns it.
    BlockFreeAndOwned = "block-free-and-owned" Damage;
    /// Files share blocks that have no reference count.
    RefcountMissing = "refcount-missing" Damage;
    /// Blocks have a reference count and are not shared.
    RefcountExtra = "refcount-extra" Damage;
    /// A reference count is not the number of owners.
    RefcountWrong = "refcount-wrong" Damage;
    /// Blocks are staged for a copy-on-write that nobody is doing.
    CowLeftover = "cow-leftover" Leftover;
    /// Blocks have an owner and no reverse mapping that says so.
    RmapMissing = "rmap-missing" Damage;
    /// A reverse mapping names an owner who does not own the blocks, or not so.
    RmapExtra = "rmap-extra" Damage;
    /// A file shares blocks and does not say so.
    ReflinkFlagMissing = "reflink-flag-missing" Damage;

    /// An inode that the inode btrees call free is in use.
    InodeInUse = "inode-in-use" Damage;
    /// An inode that the inode btrees call used is free.
    InodeNotInUse = "inode-not-in-use" Damage;
    /// An inode counts other blocks than it has.
    InodeBlocks = "inode-nblocks" Damage;
    /// An inode counts other extents than a fork has.
    ExtentCount = "extent-count" Damage;
    /// A fork has a bmbt for extents that would fit into the inode.
    ExtentForm = "extent-form" Damage;
    /// Extents of a fork overlap or are out of order.
    ExtentOrder = "extent-order" Damage;
    /// An extent does not lie in one AG of the volume.
    ExtentOutside = "extent-outside" Damage;
    /// Metadata lies in blocks that count as unwritten.
    ExtentUnwritten = "extent-unwritten" Damage;
    /// A symlink's target is not what its size says, or no target.
    SymlinkTarget = "symlink-target" Damage;

    /// A block of a directory or of attributes is not mapped.
    BlockMissing = "block-missing" Damage;
    /// The extents of a directory fit no form of directory.
    DirectoryForm = "directory-form" Damage;
    /// A directory's size is not where its data blocks end.
    DirectorySize = "directory-size" Damage;
    /// `.` or `..` is missing, misplaced, or names the wrong inode.
    DirectoryDots = "directory-dots" Damage;
    /// A directory's `..` is not the directory that names it, or two name it.
    DirectoryParent = "directory-parent" Damage;
    /// An entry names an inode that is not in use.
    EntryDangling = "entry-dangling" Damage;
    /// An entry records another kind of file than the inode is.
    EntryType = "entry-type" Damage;
    /// Two entries of a directory have one name.
    EntryTwice = "entry-twice" Damage;
    /// A hashed index block stands on the wrong level.
    IndexLevel = "index-level" Damage;
    /// Blocks of a hashed index do not name each other as neighbours.
    IndexSibling = "index-sibling" Damage;
    /// A node of a hashed index tells the wrong last hash of a child.
    IndexHash = "index-hash" Damage;
    /// Hashes of a hashed index fall from one leaf to the next.
    IndexOrder = "index-order" Damage;
    /// A hashed index leads to a block twice.
    IndexLoop = "index-loop" Damage;
    /// An index block belongs to no node.
    IndexUnreached = "index-unreached" Damage;
    /// A directory's index and its entries disagree.
    IndexDisagrees = "index-disagrees" Damage;
    /// A directory's free index and its data blocks disagree.
    FreeIndex = "free-index" Damage;

    /// An attribute stands under a hash that its name does not have.
    AttributeHash = "attribute-hash" Damage;
    /// Two attributes have one name.
    AttributeTwice = "attribute-twice" Damage;
    /// A remote attribute value is not in its blocks.
    AttributeValue = "attribute-value" Damage;
    /// An attribute was being set or removed when the system stopped.
    AttributeIncomplete = "attribute-incomplete" Leftover;
    /// Parent pointers are not those of the entries that name the inode.
    ParentPointer = "parent-pointer" Damage;

    /// An inode counts other links than lead to it.
    LinkCount = "link-count" Damage;
    /// The root directory is not there.
    RootDirectory = "root-directory" Damage;
    /// No path from the root leads to an inode.
    Disconnected = "disconnected" Damage;
    /// A chain of unlinked inodes is broken.
    UnlinkedChain = "unlinked-chain" Damage;
    /// An inode without links is on no chain.
    UnlinkedMissing = "unlinked-missing" Damage;
    /// An inode without links waits to be removed.
    UnlinkedInodeLeft = "unlinked-inode-left" Leftover;
}

impl Code {
    /// The code of a fault that the format layer met.
    pub fn of_fault(fault: &Fault) -> Self {
        match fault {
            Fault::Short { .. } => Self::CutShort,
            Fault::Magic { .. } => Self::BadMagic,
            Fault::Checksum { .. } => Self::BadChecksum,
            Fault::Uuid { .. } => Self::BadUuid,
            Fault::Position { .. } => Self::BadPosition,
            Fault::Owner { .. } => Self::BadOwner,
            Fault::Ahead { .. } => Self::LsnAhead,
            Fault::Field { .. } => Self::BadField,
            Fault::Order { .. } => Self::BadOrder,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
