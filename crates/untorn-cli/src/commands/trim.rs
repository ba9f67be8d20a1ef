//! `untorn trim`: gives free space back, and says how much as fstrim does.

use crate::arguments::Trim;
use crate::failure::{End, Outcome};
use crate::{show, target};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
struct Done {
    trimmed_bytes: u64,
}

/// Trims and tells.
pub fn run(arguments: &Trim, out: &mut dyn Write) -> Outcome {
    let end = arguments.length.map_or(u64::MAX, |length| arguments.from.saturating_add(length));
    let trim = untorn::Trim { range: arguments.from..end, least: arguments.minimum };
    let bytes = target::write(&arguments.image, |volume| {
        let space = volume.space()?;
        let bar = bar(space.blocks * u64::from(space.block_size));
        let bytes = volume.trim(&trim, |done| bar.set_position(done));
        bar.finish_and_clear();
        Ok(bytes?)
    })?;
    match show::is_json() {
        true => show::json(out, &Done { trimmed_bytes: bytes })?,
        false => {
            let name = arguments.image.name();
            writeln!(out, "{name}: {} ({bytes} bytes) trimmed", HumanBytes(bytes))?;
        }
    }
    Ok(End::Well)
}

/// Shown on a terminal only.
fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = "{bytes:>12} {wide_bar} {total_bytes} {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}
