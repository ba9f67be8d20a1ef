//! Every field of the first superblock and of a copy, spoiled in three ways: the checker and
//! xfs_repair call the same volumes clean.

use std::fs::{File, OpenOptions};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::damage::image::Image;
use untorn_check::{Options, check};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::superblock::{Superblock, SuperblockDisk};
use untorn_format::{AgNumber, BlockKind, checksum};
use untorn_torture::kernel::{self, MkfsOptions, Scratch, xfs_repair_n};

const SECTOR: usize = 512;

macro_rules! fields {
    ($($field:ident)*) => {
        [$({
            let at = offset_of!(SuperblockDisk, $field);
            (stringify!($field), at, size_of_field(|sb| &sb.$field))
        }),*]
    };
}

fn size_of_field<T>(_: fn(&SuperblockDisk) -> &T) -> usize {
    size_of::<T>()
}

/// Name, place and size of each field but the checksum.
fn fields() -> Vec<(&'static str, usize, usize)> {
    let all = fields! {
        magicnum blocksize dblocks rblocks rextents uuid logstart rootino rbmino rsumino rextsize
        agblocks agcount rbmblocks logblocks versionnum sectsize inodesize inopblock fname blocklog
        sectlog inodelog inopblog agblklog rextslog inprogress imax_pct icount ifree fdblocks
        frextents uquotino gquotino qflags flags shared_vn inoalignmt unit width dirblklog
        logsectlog logsectsize logsunit features2 bad_features2 features_compat features_ro_compat
        features_incompat features_log_incompat spino_align pquotino lsn meta_uuid metadirino
        rgcount rgextents rgblklog pad rtstart rtreserved
    };
    let all: Vec<_> = all.into_iter().collect();
    let known = all.iter().map(|(_, _, size)| size).sum::<usize>() + 4;
    assert_eq!(known, size_of::<SuperblockDisk>(), "a field is missing");
    all
}

/// How a field is spoiled.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    /// A number of the size of many fields is added, as xfs_db does.
    Add,
    Ones,
    Zeroes,
}

impl Spoil {
    fn on(self, field: &mut [u8]) {
        match self {
            Self::Ones => field.fill(0xff),
            Self::Zeroes => field.fill(0),
            Self::Add => {
                let mut carry = 2017_u32;
                for byte in field.iter_mut().rev() {
                    carry += u32::from(*byte);
                    *byte = carry as u8;
                    carry >>= 8;
                }
            }
        }
    }
}

/// Where the checker says more than xfs_repair, in the first superblock or in a copy, and why.
const STRICTER: [(u32, &str, &str); 10] = [
    (0, "qflags", "Linux refuses the bits of version 4"),
    (0, "dirblklog", "the first is no longer what the copy says"),
    (0, "features_log_incompat", "nobody knows these bits"),
    (0, "rootino", "the inode is another one"),
    (1, "qflags", "Linux refuses the bits of version 4"),
    (1, "uuid", "the copy is that of another volume"),
    (1, "dirblklog", "the copy is no longer what the first says"),
    (1, "logsunit", "the copy is no longer what the first says"),
    (1, "shared_vn", "Linux refuses what is not zero"),
    (1, "lsn", "the journal has not come so far"),
];

/// A volume on a file of which sectors are changed, and put back.
struct Bench {
    device: MemoryDevice,
    file: File,
    sb: Superblock,
}

impl Bench {
    fn new(device: MemoryDevice, path: &Path) -> Self {
        device.store(path).unwrap();
        let mut bytes = vec![0; SECTOR];
        device.read_at(0, &mut bytes).unwrap();
        let sb = Superblock::decode(&bytes).unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        Self { device, file, sb }
    }

    /// What is not agreed of one spoiled field.
    fn try_one(
        &self,
        path: &Path,
        ag: u32,
        (name, at, size): (&'static str, usize, usize),
        spoil: Spoil,
    ) -> Option<String> {
        let place = self.sb.geometry.header_addr(AgNumber(ag), 0).0 * 512;
        let mut sector = vec![0; SECTOR];
        self.device.read_at(place, &mut sector).unwrap();
        let sound = sector.clone();
        spoil.on(&mut sector[at..at + size]);
        checksum::stamp(&mut sector, BlockKind::Superblock.seal_at().unwrap().crc);
        if sector == sound {
            return None;
        }
        let hurt = self.device.snapshot();
        hurt.write_at(place, &sector).unwrap();
        let report = check(&hurt, &Options::default());
        self.file.write_all_at(&sector, place).unwrap();
        let theirs = xfs_repair_n(path).unwrap();
        self.file.write_all_at(&sound, place).unwrap();
        let clean = report.as_ref().is_ok_and(|report| report.is_clean());
        let stricter = STRICTER.iter().any(|known| (known.0, known.1) == (ag, name));
        let agreed = clean == theirs.clean || !clean && stricter;
        let told = || format!("sb {ag} {name} {spoil:?}: {report:?}\n{theirs}");
        (!agreed).then(told)
    }
}

fn sweep(device: MemoryDevice, ag: u32, wanted: impl Fn(&str) -> bool) {
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("spoiled");
    let bench = Bench::new(device, &path);
    xfs_repair_n(&path).unwrap().assert_clean();
    let spoils = [Spoil::Add, Spoil::Ones, Spoil::Zeroes];
    let fields: Vec<_> = fields().into_iter().filter(|field| wanted(field.0)).collect();
    let all = fields.iter().flat_map(|field| spoils.map(|spoil| (*field, spoil)));
    let told: Vec<_> =
        all.filter_map(|(field, spoil)| bench.try_one(&path, ag, field, spoil)).collect();
    assert!(told.is_empty(), "{} disagree:\n{}", told.len(), told.join("\n"));
}

#[test]
fn every_field_of_the_first_superblock_is_judged_as_xfs_repair_does_xfsprogs() {
    if kernel::demand() {
        sweep(Image::kept().device, 0, |_| true);
    }
}

#[test]
fn every_field_of_a_copy_of_the_superblock_is_judged_as_xfs_repair_does_xfsprogs() {
    if kernel::demand() {
        sweep(Image::kept().device, 1, |_| true);
    }
}

/// Copies that no xfs_repair has touched are in progress for ever, and then know no quota.
#[test]
fn stripes_and_quota_of_a_fresh_volume_are_judged_as_xfs_repair_does_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("striped");
    let arguments = ["-d", "su=32k,sw=2"].map(str::to_owned).to_vec();
    let options = MkfsOptions { ag_count: Some(2), arguments, ..Default::default() };
    kernel::make_volume(&path, 64 << 20, &options).unwrap();
    let wanted = ["versionnum", "unit", "width", "inprogress", "qflags", "flags"];
    let wanted = |name: &str| wanted.contains(&name) || name.ends_with("quotino");
    for ag in [0, 1] {
        sweep(MemoryDevice::load(&path).unwrap(), ag, wanted);
    }
}
