//! `untorn mknod`: makes devices, named pipes and sockets.

use super::dangling;
use crate::arguments::{Mknod, NodeKind};
use crate::failure::{At, Code, End, Outcome, Refusal};
use crate::target;
use std::io::Write;
use untorn::Make;
use untorn_format::inode::FileKind;

/// Makes what was asked for.
pub fn run(arguments: &Mknod, out: &mut dyn Write) -> Outcome {
    let what = what(arguments)?;
    let path = &arguments.path;
    target::change(&arguments.image, out, "made", |volume, deeds| {
        let mode = arguments.mode.as_ref().map(|mode| mode.of(0o666, FileKind::Regular));
        let mode = mode.unwrap_or_else(|| dangling::permissions(volume, path, 0o666));
        let ino = volume.make(path, what, arguments.whose.new_file(mode)).at(path)?;
        deeds.add(path).with("inode", ino.0);
        Ok(End::Well)
    })
}

fn what(arguments: &Mknod) -> Result<Make<'static>, Refusal> {
    let refuse = |told: &str, remedy| Err(Refusal::new(Code::Usage, told).or(remedy));
    let device = matches!(arguments.kind, NodeKind::Block | NodeKind::Character);
    match (arguments.kind, arguments.major, arguments.minor) {
        (NodeKind::Block, Some(major), Some(minor)) => Ok(Make::BlockDevice(major, minor)),
        (NodeKind::Character, Some(major), Some(minor)) => Ok(Make::CharDevice(major, minor)),
        (NodeKind::Pipe, None, None) => Ok(Make::Fifo),
        (NodeKind::Socket, None, None) => Ok(Make::Socket),
        _ if device => {
            refuse("a device has a major and a minor number", "give both behind the type")
        }
        _ => refuse("only devices have numbers", "leave them out"),
    }
}
