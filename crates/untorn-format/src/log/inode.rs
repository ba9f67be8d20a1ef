//! Inode items: the core and what changed of each fork.

use super::bytes::{Reader, Writer, region_length};
use super::item::ItemKind;
use crate::fault::Fault;
use crate::records::Fork;
use crate::units::{DiskAddr, Ino};

const NAME: &str = "inode item";
const FORMAT: usize = 56;
const FORMAT_PACKED: usize = 52;
/// Length of the largest inode cluster, 64 KiB, in 512-byte units.
const LARGEST_CLUSTER: u32 = 128;

/// What an inode item carries of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkContents<'a> {
    /// Nothing: the fork did not change.
    Unchanged,
    /// Inline data, as on disk, padded to 4 bytes.
    Local(&'a [u8]),
    /// Extent records, as on disk.
    Extents(&'a [u8]),
    /// The root of a B+tree as the block that it is in memory: see [`super::broot_to_disk`].
    Root(&'a [u8]),
}

const CORE: u32 = 0x001;
const DEVICE: u32 = 0x010;
const DATA_OWNER: u32 = 0x200;
const ATTR_OWNER: u32 = 0x400;

/// The bits of `ilf_fields` that say what a fork's region is: inline, extents, root.
fn fork_bits(fork: Fork) -> [u32; 3] {
    match fork {
        Fork::Data => [0x002, 0x004, 0x008],
        Fork::Attr => [0x040, 0x080, 0x100],
    }
}

/// An inode item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InodeItem<'a> {
    /// The inode.
    pub ino: Ino,
    /// Where its cluster lies.
    pub cluster: DiskAddr,
    /// Length of the cluster in 512-byte units.
    pub cluster_blocks: u32,
    /// Byte offset of the inode in the cluster.
    pub offset: u32,
    /// The core in the log's form: see [`super::core_to_disk`].
    pub core: &'a [u8],
    /// Device number, for device nodes.
    pub device: Option<u32>,
    /// The data fork.
    pub data: ForkContents<'a>,
    /// The attribute fork.
    pub attr: ForkContents<'a>,
    /// Forks whose blocks were another inode's and must be given this one's number. Kernels before
    /// 6.10 logged this when they swapped extents.
    pub new_owner: Vec<Fork>,
}

impl<'a> InodeItem<'a> {
    /// Reads an item, in the 64-bit form or the packed one of old 32-bit kernels.
    pub fn decode(regions: &[&'a [u8]]) -> Result<Self, Fault> {
        let mut regions = regions.iter().copied();
        let missing = Fault::Short { what: NAME, have: 1, need: 2 };
        let format = regions.next().ok_or_else(|| missing.clone())?;
        let core = regions.next().ok_or(missing)?;
        let mut reader = Reader::new(NAME, format);
        reader.skip(4)?;
        let fields = reader.u32()?;
        let attr_size = reader.u16()?;
        let data_size = reader.u16()?;
        if format.len() != FORMAT_PACKED {
            reader.skip(4)?;
        }
        let ino = Ino(reader.u64()?);
        let device = reader.u32()?;
        reader.skip(12)?;
        let cluster = DiskAddr(reader.u64()?);
        let cluster_blocks = reader.u32()?;
        let offset = reader.u32()?;
        if !(1..=LARGEST_CLUSTER).contains(&cluster_blocks) {
            return Err(Fault::Field {
                what: NAME,
                field: "ilf_len",
                value: cluster_blocks.into(),
            });
        }
        if fields & CORE == 0 {
            return Err(Fault::Field { what: NAME, field: "ilf_fields", value: fields.into() });
        }
        let data = fork(Fork::Data, fields, data_size, &mut regions)?;
        let attr = fork(Fork::Attr, fields, attr_size, &mut regions)?;
        let device = (fields & DEVICE != 0).then_some(device);
        let new_owner = owners(fields);
        let item =
            Self { ino, cluster, cluster_blocks, offset, core, device, data, attr, new_owner };
        Ok(item)
    }
    /// The item's regions: the format structure, the core, the forks that changed.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let forks = [(Fork::Data, self.data), (Fork::Attr, self.attr)];
        let present: Vec<_> = forks.iter().filter_map(|(_, contents)| contents.bytes()).collect();
        let mut fields = CORE | self.device.map_or(0, |_| DEVICE);
        for (which, contents) in forks {
            fields |= contents.field(which);
        }
        for owner in &self.new_owner {
            fields |= match owner {
                Fork::Data => DATA_OWNER,
                Fork::Attr => ATTR_OWNER,
            };
        }
        let format = Writer::item(ItemKind::Inode.code(), 2 + present.len())
            .u32(fields)
            .u16(size(self.attr))
            .u16(size(self.data))
            .zeroes(4)
            .u64(self.ino.0)
            .u32(self.device.unwrap_or(0))
            .zeroes(12)
            .u64(self.cluster.0)
            .u32(self.cluster_blocks)
            .u32(self.offset)
            .done();
        assert_eq!(format.len(), FORMAT);
        let mut regions = vec![format, self.core.to_vec()];
        regions.extend(present.into_iter().map(padded));
        regions
    }
}

fn owners(fields: u32) -> Vec<Fork> {
    [(DATA_OWNER, Fork::Data), (ATTR_OWNER, Fork::Attr)]
        .into_iter()
        .filter(|(bit, _)| fields & bit != 0)
        .map(|(_, fork)| fork)
        .collect()
}

fn size(contents: ForkContents<'_>) -> u16 {
    let length = contents.bytes().map_or(0, <[u8]>::len);
    u16::try_from(length).unwrap_or_else(|_| panic!("a fork of {length} bytes"))
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(region_length(bytes.len()), 0);
    bytes
}

/// The next region as the contents of `which`, if `fields` says that it is there.
fn fork<'a>(
    which: Fork,
    fields: u32,
    size: u16,
    regions: &mut impl Iterator<Item = &'a [u8]>,
) -> Result<ForkContents<'a>, Fault> {
    let [local, extents, root] = fork_bits(which);
    let set = fields & (local | extents | root);
    if set == 0 {
        return Ok(ForkContents::Unchanged);
    }
    let need = region_length(usize::from(size));
    let region = regions.next().ok_or(Fault::Short { what: NAME, have: 0, need })?;
    if region.len() != need {
        return Err(Fault::Short { what: NAME, have: region.len(), need });
    }
    match set {
        set if set == local => Ok(ForkContents::Local(region)),
        set if set == extents => Ok(ForkContents::Extents(region)),
        set if set == root => Ok(ForkContents::Root(region)),
        _ => Err(Fault::Field { what: NAME, field: "ilf_fields", value: fields.into() }),
    }
}

impl<'a> ForkContents<'a> {
    /// The region, where there is one.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Unchanged => None,
            Self::Local(bytes) | Self::Extents(bytes) | Self::Root(bytes) => {
                Some(bytes).filter(|bytes| !bytes.is_empty())
            }
        }
    }
    fn field(self, which: Fork) -> u32 {
        let [local, extents, root] = fork_bits(which);
        match self {
            _ if self.bytes().is_none() => 0,
            Self::Unchanged => 0,
            Self::Local(_) => local,
            Self::Extents(_) => extents,
            Self::Root(_) => root,
        }
    }
}
