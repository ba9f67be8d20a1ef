//! Giving free space back to the device.

use super::Volume;
use crate::ag::trim_some;
use crate::error::{Error, Result};
use std::ops::Range;
use untorn_device::Discarded;
use untorn_format::{AgBlock, AgNumber};

/// What of a volume is trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Bytes of the volume.
    pub range: Range<u64>,
    /// Shortest free run in bytes that is worth it.
    pub least: u64,
}

impl Default for Trim {
    fn default() -> Self {
        Self { range: 0..u64::MAX, least: 0 }
    }
}

/// When freed blocks are given back to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FreedBlocks {
    /// When somebody trims the volume.
    #[default]
    Keep,
    /// As soon as no crash can need them: an image file stays as sparse as the volume is empty.
    /// A device that cannot discard is told once, with a warning.
    Discard,
}

impl Volume {
    /// Tells the device about all free space that `trim` names: bytes given back. `progress` hears
    /// how many bytes of the volume were looked at. Writers of an allocation group wait while a
    /// batch of its free space is discarded.
    ///
    /// # Errors
    ///
    /// The volume is open for reading; the device cannot discard ([`Error::Unsupported`]); the
    /// range begins behind the volume; the device failed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{OpenOptions, Trim, Volume, mkfs};
    /// # use untorn_device::MemoryDevice;
    /// # let device = Arc::new(MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default())?;
    /// let volume = Volume::open(device, OpenOptions::default())?;
    /// let bytes = volume.trim(&Trim { least: 1 << 20, ..Trim::default() }, |_| ())?;
    /// assert!(bytes > 32 << 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trim(&self, trim: &Trim, mut progress: impl FnMut(u64)) -> Result<u64> {
        self.demand_write("trim")?;
        let core = &self.core;
        let geometry = &core.geometry;
        let log = geometry.block_log;
        let size = geometry.data_blocks << log;
        if trim.range.start >= size {
            return Err(Error::Invalid(format!(
                "byte {} is behind the volume, which has {size} bytes; nothing was trimmed",
                trim.range.start
            )));
        }
        let least = trim.least.div_ceil(1 << log).max(1);
        let Ok(least) = u32::try_from(least) else { return Ok(0) };
        // What was freed so far may be given back too.
        core.settle_busy()?;
        let mut blocks = 0;
        for ag in (0..geometry.ag_count).map(AgNumber) {
            let first = u64::from(ag.0) * u64::from(geometry.ag_blocks);
            let inside = |byte: u64| {
                let block = byte.div_ceil(1 << log).saturating_sub(first);
                AgBlock(block.min(u64::from(geometry.blocks_of(ag))) as u32)
            };
            let range = inside(trim.range.start)..inside(trim.range.end.min(size) >> log << log);
            let looked = |at: AgBlock| progress((first + u64::from(at.0)) << log);
            blocks += self.trim_group(ag, range, least, looked)?;
            progress((first + u64::from(geometry.blocks_of(ag))) << log);
        }
        Ok(blocks << log)
    }

    fn trim_group(
        &self,
        ag: AgNumber,
        range: Range<AgBlock>,
        least: u32,
        mut looked: impl FnMut(AgBlock),
    ) -> Result<u64> {
        let (mut blocks, mut next) = (0, Some(range.start).filter(|_| range.start < range.end));
        while let Some(from) = next {
            let done = trim_some(&self.core, ag, from..range.end, least)?;
            if done.device == Discarded::Ignored {
                return Err(Error::Unsupported {
                    what: "giving space back to this device, which cannot discard".to_owned(),
                    remedy: "copy the image with a tool that leaves zeroes out".to_owned(),
                });
            }
            blocks += done.blocks;
            next = done.next;
            next.into_iter().for_each(&mut looked);
        }
        Ok(blocks)
    }
}
