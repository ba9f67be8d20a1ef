//! Makes volumes with mkfs.xfs, and switches on what this mkfs.xfs is too old to know.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::command;

/// A feature that Linux knows and needs no structure on an empty volume, but that an old mkfs.xfs
/// cannot switch on. xfs_repair and xfs_db of the same age refuse such a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// XFS_IOC_EXCHANGE_RANGE and its log items (Linux 6.10).
    ExchangeRange,
    /// Parent pointers in every file made from then on (Linux 6.10).
    ParentPointers,
}

impl Extra {
    /// The bit in `sb_features_incompat` (xfs_format.h: EXCHRANGE, PARENT).
    const fn bit(self) -> u32 {
        match self {
            Extra::ExchangeRange => 1 << 6,
            Extra::ParentPointers => 1 << 7,
        }
    }
}

/// What mkfs.xfs is asked for. The default is its own, with a fixed UUID left to chance.
#[derive(Clone, Debug)]
pub struct MkfsOptions {
    /// Block size in bytes, 512 to 65536.
    pub block_size: u32,
    /// Sector size in bytes.
    pub sector_size: u32,
    /// Inode size in bytes.
    pub inode_size: u32,
    /// Size of directory blocks in bytes, where it is not the larger of 4096 and the block size.
    pub directory_block_size: Option<u32>,
    /// Number of allocation groups, where mkfs.xfs shall not choose.
    pub ag_count: Option<u32>,
    /// Log size in bytes, where mkfs.xfs shall not choose.
    pub log_size: Option<u64>,
    /// Stripe unit of the log in bytes.
    pub log_stripe: Option<u32>,
    /// Reverse mapping btrees.
    pub rmapbt: bool,
    /// Shared extents; needs version 5.
    pub reflink: bool,
    /// Free inode btrees.
    pub finobt: bool,
    /// Block counts of inode btrees in the AGI; needs `finobt`.
    pub inobtcount: bool,
    /// Inode chunks with holes.
    pub sparse: bool,
    /// Timestamps past 2038.
    pub bigtime: bool,
    /// 64-bit extent counters.
    pub nrext64: bool,
    /// Volume label, at most 12 bytes.
    pub label: Option<String>,
    /// Volume UUID.
    pub uuid: Option<String>,
    /// Features past mkfs.xfs.
    pub extra: Vec<Extra>,
    /// Further arguments, as typed.
    pub arguments: Vec<String>,
}

impl Default for MkfsOptions {
    fn default() -> Self {
        Self {
            block_size: 4096,
            sector_size: 512,
            inode_size: 512,
            directory_block_size: None,
            ag_count: None,
            log_size: None,
            log_stripe: None,
            rmapbt: false,
            reflink: true,
            finobt: true,
            inobtcount: true,
            sparse: true,
            bigtime: true,
            nrext64: false,
            label: None,
            uuid: None,
            extra: Vec::new(),
            arguments: Vec::new(),
        }
    }
}

impl MkfsOptions {
    /// The arguments of mkfs.xfs, without the image.
    fn to_arguments(&self) -> Vec<String> {
        let on = |flag: bool| u8::from(flag);
        let mut arguments = vec!["-q".to_owned(), "-f".to_owned(), "--unsupported".to_owned()];
        let mut add = |option: &str, value: String| {
            arguments.extend([option.to_owned(), value]);
        };
        add("-b", format!("size={}", self.block_size));
        add("-s", format!("size={}", self.sector_size));
        let metadata = [
            format!("rmapbt={},reflink={}", on(self.rmapbt), on(self.reflink)),
            format!("finobt={},inobtcount={}", on(self.finobt), on(self.inobtcount)),
            format!("bigtime={}", on(self.bigtime)),
        ];
        add("-m", metadata.join(","));
        let (size, sparse, nrext64) = (self.inode_size, on(self.sparse), on(self.nrext64));
        add("-i", format!("size={size},sparse={sparse},nrext64={nrext64}"));
        self.directory_block_size.iter().for_each(|size| add("-n", format!("size={size}")));
        self.ag_count.iter().for_each(|count| add("-d", format!("agcount={count}")));
        self.log_size.iter().for_each(|size| add("-l", format!("size={size}")));
        self.log_stripe.iter().for_each(|unit| add("-l", format!("su={unit}")));
        self.label.iter().for_each(|label| add("-L", label.clone()));
        self.uuid.iter().for_each(|uuid| add("-m", format!("uuid={uuid}")));
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }
}

/// Makes a volume of `size` bytes in a sparse file at `path`, replacing what is there.
///
/// mkfs.xfs is told to accept volumes below its 300 MB; the floor is then 16 MiB for
/// blocks up to 4 KiB and, because of the smallest legal log, about 1 GiB for 64 KiB blocks.
pub fn make_volume(path: &Path, size: u64, options: &MkfsOptions) -> Result<()> {
    let image = OpenOptions::new().create(true).truncate(true).write(true).open(path);
    let image = image.with_context(|| format!("cannot create {}", path.display()))?;
    image.set_len(size)?;
    drop(image);
    let mut arguments: Vec<_> = options.to_arguments().into_iter().map(Into::into).collect();
    arguments.push(path.as_os_str().to_owned());
    command::run("mkfs.xfs", &arguments)?;
    let bits = options.extra.iter().fold(0, |bits, extra| bits | extra.bit());
    if bits == 0 { Ok(()) } else { change_incompat(path, |before| before | bits) }
}

/// Takes [`Extra::ExchangeRange`] off again so that old xfsprogs read the volume. The feature shows
/// in the journal alone, so this is right for any volume with a clean log.
pub fn remove_exchange_range(path: &Path) -> Result<()> {
    change_incompat(path, |before| before & !Extra::ExchangeRange.bit())
}

/// Places in the superblock (xfs_format.h, struct xfs_dsb). They are written here once more, not
/// taken from untorn-format: a judge does not ask the accused.
mod place {
    pub const BLOCK_SIZE: u64 = 4;
    pub const AG_BLOCKS: u64 = 84;
    pub const AG_COUNT: u64 = 88;
    pub const SECTOR_SIZE: u64 = 102;
    pub const FEATURES_INCOMPAT: usize = 216;
    pub const CRC: usize = 224;
}

/// Changes `sb_features_incompat` in the superblock of every allocation group.
fn change_incompat(path: &Path, change: impl Fn(u32) -> u32) -> Result<()> {
    let image = OpenOptions::new().read(true).write(true).open(path)?;
    let word = |at: u64| {
        let mut bytes = [0; 4];
        image.read_exact_at(&mut bytes, at).map(|()| u32::from_be_bytes(bytes))
    };
    let sector_size = word(place::SECTOR_SIZE)? >> 16;
    let stride = u64::from(word(place::BLOCK_SIZE)?) * u64::from(word(place::AG_BLOCKS)?);
    let mut sector = vec![0; sector_size as usize];
    for ag in 0..u64::from(word(place::AG_COUNT)?) {
        image.read_exact_at(&mut sector, ag * stride)?;
        edit_incompat(&mut sector, &change);
        image.write_all_at(&sector, ag * stride)?;
    }
    Ok(())
}

fn edit_incompat(sector: &mut [u8], change: impl Fn(u32) -> u32) {
    let field = &mut sector[place::FEATURES_INCOMPAT..place::FEATURES_INCOMPAT + 4];
    let before = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
    field.copy_from_slice(&change(before).to_be_bytes());
    sector[place::CRC..place::CRC + 4].fill(0);
    let crc = crc32c::crc32c(sector).to_le_bytes();
    sector[place::CRC..place::CRC + 4].copy_from_slice(&crc);
}
