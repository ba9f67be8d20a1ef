//! The file that changes hands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use untorn_device::{Access, FileDevice};
use untorn_torture::bench::PathTarget;
use untorn_torture::dice::Dice;
use untorn_torture::fsx::{
    Alike, Answer, Door, Ground, Kind, Kinds, Op, Piece, Power, Target, Trouble, VolumeTarget,
    possible,
};
use untorn_torture::kernel::{Flush, Mounted, xfs_repair_n};

const NAME: &str = "file";

/// Who keeps the volume.
enum Keeper {
    Linux {
        file: PathTarget,
        mounted: Mounted,
    },
    Untorn(Box<VolumeTarget>),
    /// Nobody, for a moment.
    Nobody,
}

/// A file on an image that Linux and untorn keep by turns.
pub struct Turns {
    image: PathBuf,
    longest: u64,
    keeper: Keeper,
    kinds: Kinds,
    /// Whose turn is next.
    next: Next,
}

#[derive(Clone, Copy)]
enum Next {
    Linux,
    Untorn,
}

fn failed(error: impl std::fmt::Display) -> Trouble {
    Trouble::Failed(format!("{error:#}"))
}

impl Turns {
    /// Linux begins, on a new volume.
    pub fn begin(image: &Path, longest: u64) -> Self {
        let (image, keeper) = (image.to_owned(), Keeper::Nobody);
        let mut turns = Self { image, longest, keeper, kinds: Kinds::all(), next: Next::Linux };
        turns.open().unwrap();
        if let Keeper::Linux { file, .. } = &turns.keeper {
            turns.kinds = possible(Kinds::all(), file);
        }
        turns
    }

    /// Whoever is next opens the volume, recovering it where that is needed.
    fn open(&mut self) -> Answer<()> {
        (self.keeper, self.next) = match self.next {
            Next::Linux => {
                let mounted = Mounted::new(&self.image).map_err(failed)?;
                let file = PathTarget::open(&mounted.at(NAME), self.longest).map_err(failed)?;
                (Keeper::Linux { file, mounted }, Next::Untorn)
            }
            Next::Untorn => {
                let device = FileDevice::open(&self.image, Access::ReadWrite).map_err(failed)?;
                let ground = Ground::Device(Arc::new(device));
                let file = ground.target(format!("/{NAME}"), Power::Stays)?;
                (Keeper::Untorn(Box::new(file)), Next::Linux)
            }
        };
        Ok(())
    }

    fn keeper(&mut self) -> Answer<&mut dyn Target> {
        match &mut self.keeper {
            Keeper::Linux { file, .. } => Ok(file),
            Keeper::Untorn(file) => Ok(&mut **file),
            Keeper::Nobody => Err(failed("nobody keeps the volume")),
        }
    }

    /// Lets go of the volume cleanly.
    fn close(&mut self) -> Answer<()> {
        match std::mem::replace(&mut self.keeper, Keeper::Nobody) {
            Keeper::Linux { file, mounted } => {
                drop(file);
                mounted.unmount().map_err(failed)
            }
            Keeper::Untorn(mut file) => file.close(),
            Keeper::Nobody => Ok(()),
        }
    }

    /// The judges look at a volume that nobody keeps.
    fn judge(&self) -> Answer<()> {
        let verdict = xfs_repair_n(&self.image).map_err(failed)?;
        if !verdict.clean {
            return Err(Trouble::Unsound(format!("xfs_repair -n: {verdict}")));
        }
        let device = FileDevice::open(&self.image, Access::ReadOnly).map_err(failed)?;
        let report = untorn_check::check(&device, &Default::default()).map_err(failed)?;
        match report.is_clean() {
            true => Ok(()),
            false => Err(Trouble::Unsound(report.to_string())),
        }
    }
}

impl Target for Turns {
    /// What both can.
    fn can(&self, kind: Kind) -> bool {
        match kind {
            Kind::Remount | Kind::Crash => true,
            _ => self.kinds.has(kind),
        }
    }
    fn size(&mut self) -> Answer<u64> {
        self.keeper()?.size()
    }
    fn read(&mut self, door: Door, offset: u64, bytes: &mut [u8]) -> Answer<usize> {
        self.keeper()?.read(door, offset, bytes)
    }
    fn write(&mut self, door: Door, offset: u64, bytes: &[u8]) -> Answer<()> {
        self.keeper()?.write(door, offset, bytes)
    }
    fn write_batch(&mut self, pieces: &[Piece<'_>]) -> Answer<()> {
        self.keeper()?.write_batch(pieces)
    }
    fn change(&mut self, op: &Op) -> Answer<()> {
        self.keeper()?.change(op)
    }
    fn dedupe(&mut self, op: &Op) -> Answer<Alike> {
        self.keeper()?.dedupe(op)
    }
    fn sync(&mut self) -> Answer<()> {
        self.keeper()?.sync()
    }
    fn reopen(&mut self) -> Answer<()> {
        self.keeper()?.reopen()
    }
    /// The other's turn.
    fn remount(&mut self) -> Answer<()> {
        self.close()?;
        self.judge()?;
        self.open()
    }
    /// The other recovers what is left.
    fn crash(&mut self, seed: u64) -> Answer<()> {
        let flush = if Dice::new(seed).chance(1, 2) { Flush::Log } else { Flush::NoLog };
        match std::mem::replace(&mut self.keeper, Keeper::Nobody) {
            Keeper::Linux { file, mounted } => {
                mounted.shutdown(flush).map_err(failed)?;
                drop(file);
                mounted.unmount().map_err(failed)?;
            }
            Keeper::Untorn(file) => file.abandon(),
            Keeper::Nobody => {}
        }
        self.open()
    }
    fn check(&mut self) -> Answer<()> {
        self.remount()
    }
}
