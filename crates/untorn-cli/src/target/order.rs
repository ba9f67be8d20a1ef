//! Operands in the wrong order: the image behind what it stands before.

use crate::arguments::{Image, is_volume};
use crate::failure::{self, Code, Refusal};
use crate::show;
use std::os::unix::ffi::OsStrExt;
use untorn::Error;

/// The error of what was typed in the place of the image; says so where a volume was typed behind
/// it.
pub fn first(image: &Image, error: anyhow::Error) -> anyhow::Error {
    if is_volume(image.image.as_os_str()) {
        return error;
    }
    let typed = std::env::args_os().skip_while(|typed| *typed != *image.image.as_os_str());
    let Some(meant) = typed.skip(1).find(|typed| is_volume(typed)) else { return error };
    let remedy = format!("IMAGE comes first, here {}", show::printable(meant.as_bytes()));
    let code = match error.downcast_ref() {
        Some(Error::NotXfs) => Code::NoVolume,
        _ => Code::HostNotFound,
    };
    Refusal::new(code, failure::told(&error)).or(remedy).into()
}
