//! Progress of long copies, on a terminal only.

use crate::show;
use indicatif::{ProgressBar, ProgressStyle};
use untorn_image::Step;

/// A bar for `bytes`, or one that does not know where the end is.
pub fn bar(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:24} {bytes:>12} of {total_bytes} {bytes_per_sec} {eta} {wide_msg}",
        ),
        None => (ProgressBar::new_spinner(), "{bytes:>12} {bytes_per_sec} {elapsed} {wide_msg}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Shows on `bar` what is being written.
pub fn watch(bar: &ProgressBar) -> impl FnMut(Step<'_>) {
    let hidden = bar.is_hidden();
    move |step| match step {
        Step::Path(path) if !hidden => bar.set_message(show::printable(path)),
        Step::Bytes(bytes) if !hidden => bar.inc(bytes),
        _ => {}
    }
}
