//! Why no volume was made.

use std::fmt::Display;

use untorn_device::DeviceError;

/// Why no volume was made. Unless it is [`MkfsError::Device`], nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum MkfsError {
    /// The device failed; what was on it may be gone.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The device holds something that is known, and [`super::Overwrite::Force`] was not given.
    #[error("the device already holds {what}; it is overwritten only when forced")]
    Occupied {
        /// What it holds.
        what: &'static str,
    },
    /// A choice that the format or another choice does not allow.
    #[error("{option} {value}: {rule}")]
    Refused {
        /// The choice.
        option: &'static str,
        /// What was chosen.
        value: String,
        /// The rule that it breaks.
        rule: String,
    },
}

/// Result of making a volume.
pub type Result<T> = std::result::Result<T, MkfsError>;

/// Refuses `value` of `option` by `rule`.
pub(super) fn refuse<T>(
    option: &'static str,
    value: impl Display,
    rule: impl Into<String>,
) -> Result<T> {
    Err(MkfsError::Refused { option, value: value.to_string(), rule: rule.into() })
}

/// Refuses `value` of `option` unless `holds`.
pub(super) fn demand(
    holds: bool,
    option: &'static str,
    value: impl Display,
    rule: &str,
) -> Result<()> {
    if holds { Ok(()) } else { refuse(option, value, rule) }
}
