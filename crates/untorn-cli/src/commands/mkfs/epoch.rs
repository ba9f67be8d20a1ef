//! `SOURCE_DATE_EPOCH`: the time that stands in images that can be made again, byte for byte.

use crate::arguments::Mkfs;
use anyhow::Context;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use untorn_format::inode::Timestamp;
use untorn_image::Epoch;

const NAME: &str = "SOURCE_DATE_EPOCH";

/// What the environment says, and the arguments make of it.
pub fn of(arguments: &Mkfs) -> anyhow::Result<Option<Epoch>> {
    let Some(text) = std::env::var_os(NAME) else {
        anyhow::ensure!(
            !arguments.filling.clamp_mtime,
            "--clamp-mtime: there is no {NAME} in the environment to clamp to"
        );
        return Ok(None);
    };
    let text = text.to_string_lossy();
    let seconds = text.parse::<u32>();
    let seconds = seconds.with_context(|| format!("{NAME}={text}: not a number of seconds"))?;
    let time = Timestamp { seconds: seconds.into(), nanos: 0 };
    Ok(Some(if arguments.filling.clamp_mtime { Epoch::Clamp(time) } else { Epoch::All(time) }))
}

/// The same as the library takes it.
pub fn time(epoch: Epoch) -> SystemTime {
    let seconds = u64::try_from(epoch.time().seconds).unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(seconds)
}
