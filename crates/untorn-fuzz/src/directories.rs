//! Directories of every form whose blocks lie, and that names are added to and removed from.

use crate::base::Base;
use crate::exercise::{options, within};
use crate::image::{MOST, damage_at};
use crate::script::Script;
use std::sync::{Arc, OnceLock};
use untorn::dir::Cookie;
use untorn::{Access, NewFile, Rename, Volume};
use untorn_check::Options;
use untorn_device::MemoryDevice;
use untorn_format::BlockKind;

/// Directories and how many names of 24 bytes each has.
type Directories = [(&'static str, usize); 4];

/// Block sizes, and counts for which the directories have the forms that their names say.
const SHAPES: [(u32, Directories); 2] = [
    (1024, [("block", 15), ("leaf", 60), ("small", 130), ("node", 260)]),
    (4096, [("block", 50), ("leaf", 110), ("small", 4), ("node", 530)]),
];

fn name(directory: &str, number: usize) -> String {
    format!("/{directory}/{number:0>24}")
}

/// Volumes with directories of 1 KiB and 4 KiB and nothing else.
fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    let make = |(block, directories)| Base::make(block, |device| fill(device, &directories));
    BASES.get_or_init(|| SHAPES.into_iter().map(make).collect())
}

fn fill(device: Arc<MemoryDevice>, directories: &Directories) -> untorn::Result<()> {
    let volume = Volume::open(device, options(Access::ReadWrite))?;
    let file = volume.create_file("/file", NewFile::default())?.ino();
    for &(directory, count) in directories {
        volume.create_dir(format!("/{directory}"), NewFile::default())?;
        for number in 0..count {
            volume.link(file, &name(directory, number))?;
        }
    }
    volume.close()
}

fn is_of_directory(kind: BlockKind) -> bool {
    use BlockKind::{DaNode, DirBlock, DirData, DirFree, DirLeaf1, DirLeafN, Inodes};
    matches!(kind, DaNode | DirBlock | DirData | DirFree | DirLeaf1 | DirLeafN | Inodes)
}

/// Damages blocks of directories, leaves their checksums right, and changes the directories.
pub fn directories(input: &[u8]) {
    let mut script = Script::new(input);
    let shape = script.below(SHAPES.len());
    let (base, (_, directories)) = (&bases()[shape], &SHAPES[shape]);
    let spots: Vec<_> =
        base.spots.iter().copied().filter(|spot| is_of_directory(spot.kind)).collect();
    let device = base.device.snapshot();
    for _ in 0..1 + script.byte() % MOST {
        let spot = spots[script.below(spots.len())];
        damage_at(base, spot, &device, &mut script);
    }
    let device = Arc::new(device);
    within(&device, |device| {
        if let Ok(volume) = Volume::open(device, options(Access::ReadWrite)) {
            directories.iter().for_each(|&(directory, count)| change(&volume, directory, count));
            let _ = volume.close();
        }
    });
    within(&device, |device| {
        let _ = untorn_check::check(&*device, &Options::default());
    });
}

fn change(volume: &Volume, directory: &str, count: usize) {
    let Ok(file) = volume.lookup("/file") else { return };
    let list = || {
        let listing = volume.list_dir(format!("/{directory}"), Cookie::START);
        listing.map_or(0, Iterator::count)
    };
    list();
    for number in (0..count).step_by(9) {
        let _ = volume.remove(name(directory, number));
        let _ = volume.link(file, &name(directory, count + number));
    }
    let _ = volume.link(file, "/other");
    let _ = volume.rename("/other", &name(directory, 1), Rename::Replace);
    for number in (0..count).step_by(2) {
        let _ = volume.remove(name(directory, number));
    }
    let _ = volume.create_dir(name(directory, 0), NewFile::default());
    for number in (1..count).step_by(2).chain((count..2 * count).step_by(9)) {
        let _ = volume.remove(name(directory, number));
    }
    list();
    let _ = volume.remove(format!("/{directory}"));
}
