//! `untorn fallocate`: space of files, with the letters of fallocate(1).

use super::dangling;
use crate::arguments::Fallocate;
use crate::capability;
use crate::failure::{At, End, Outcome};
use crate::target;
use std::io::Write;
use untorn::{Error, SizeRule};

/// Does what the letters say to the range.
pub fn run(arguments: &Fallocate, out: &mut dyn Write) -> Outcome {
    let path = &arguments.path;
    target::change(&arguments.image, out, "changed", |volume, deeds| {
        let (file, made) = match volume.open_file(path) {
            Err(Error::NotFound(_)) if !arguments.changes() => {
                let (file, made) = dangling::create(volume, path, dangling::of_root)?;
                (file, Some(made))
            }
            file => (file.at(path)?, None),
        };
        let range = arguments.from..arguments.from.saturating_add(arguments.length);
        let rule = if arguments.keep_size { SizeRule::Keep } else { SizeRule::Grow };
        let dropped = capability::drop_of(volume, file.ino());
        let done = dropped.and_then(|()| match arguments {
            _ if arguments.punch_hole => file.punch_hole(range),
            _ if arguments.zero_range => file.zero_range(range, rule),
            _ if arguments.collapse_range => file.collapse_range(range),
            _ if arguments.insert_range => file.insert_range(range),
            _ if arguments.unshare => file.unshare_range(range),
            _ => file.allocate(range, rule),
        });
        dangling::or_gone(done.at(path), volume, made.as_ref())?;
        deeds.add(path).with("size", file.size().at(path)?);
        Ok(End::Well)
    })
}
