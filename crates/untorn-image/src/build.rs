//! A new volume with a tree on it.

use crate::error::{Error, Result, shown};
use crate::populate::{Data, Onto, Step, Summary, write};
use crate::tree::Tree;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use untorn::mkfs::{self, Made, Options};
use untorn::{Background, Clock, OpenOptions, Space, Volume};
use untorn_device::BlockDevice;
use untorn_format::inode::Timestamp;

/// A volume that was made and filled.
#[derive(Clone, Debug)]
pub struct Built {
    /// The volume.
    pub made: Made,
    /// What went into it.
    pub summary: Summary,
    /// What is used and free now.
    pub space: Space,
}

/// Makes a volume on `device` as `options` say and fills it with `tree`, whose root becomes the
/// volume's. Where the options give time and UUID, the volume's bytes depend on nothing but
/// the options, the size of a device that holds zeroes, and the tree.
///
/// A file that changes while it is read fails it.
///
/// Where it fails after it began to write, the device holds a volume that lacks something.
pub fn build(
    device: Arc<dyn BlockDevice>,
    options: &Options,
    tree: &Tree,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Built> {
    fill(device, options, tree, Data::Write, watch)
}

pub(crate) fn fill(
    device: Arc<dyn BlockDevice>,
    options: &Options,
    tree: &Tree,
    data: Data,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Built> {
    let made = mkfs::make(&*device, options)?;
    let clock = options.time.map_or(Clock::System, |time| Clock::Fixed(timestamp(time)));
    // What a thread does at its own time would follow the machine.
    let open = OpenOptions { background: Background::Off, clock, ..OpenOptions::default() };
    let volume = Volume::open(device, open)?;
    let mut changed = None;
    let mut noting = |step: Step<'_>| {
        if let Step::Changed(path) = step {
            changed.get_or_insert_with(|| shown(path));
        }
        watch(step);
    };
    let written = write(&volume, Onto::NewRoot, tree, data, &mut noting);
    let written = written.and_then(|summary| match changed {
        None => Ok(summary),
        Some(path) => {
            let what = "changed while it was read: try again when nobody writes to it".to_owned();
            Err(Error::Source { path, what })
        }
    });
    let summary = match written {
        Ok(summary) => summary,
        Err(error) => {
            // What is there is of no use to anybody.
            volume.abandon();
            return Err(error);
        }
    };
    let space = volume.space()?;
    match data {
        Data::Write => volume.close()?,
        Data::Reserve => volume.abandon(),
    }
    Ok(Built { made, summary, space })
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp { seconds, nanos: since.subsec_nanos() }
}
