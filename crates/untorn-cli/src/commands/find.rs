//! `untorn find`: paths below one.

use super::glob::Pattern;
use super::walk::walk;
use crate::arguments::{Find, Sort, VolumePath};
use crate::failure::{End, Outcome};
use crate::{show, target};
use serde::Serialize;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use untorn::Metadata;
use untorn_format::Ino;

/// A path that was found, for programs.
#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    path: &'a VolumePath,
    inode: u64,
    kind: &'static str,
    size: u64,
}

/// Prints the paths that are asked for.
pub fn run(arguments: &Find, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let name = arguments.name.as_ref().map(|name| Pattern::new(name.as_bytes()));
    let mut sink = Sink { arguments, out, any: false, name };
    let number = arguments.inode.map(Ino);
    match number.and_then(|ino| volume.paths_of(ino).ok()) {
        Some(paths) => {
            let found = volume.metadata_of(number.unwrap_or(volume.root()))?;
            let top = arguments.path.without_slashes();
            let mut below = paths.iter().filter(|path| lies_below(path, top));
            below.try_for_each(|path| sink.put(&VolumePath::new(path.as_slice()), &found))?;
        }
        None => walk(&volume, &arguments.path, |path, ino, found| {
            if number.is_none_or(|number| number == ino) { sink.put(path, found) } else { Ok(()) }
        })?,
    }
    sink.end()?;
    Ok(End::Well)
}

/// Where paths go: lines, or a list in JSON.
struct Sink<'a> {
    arguments: &'a Find,
    out: &'a mut dyn Write,
    any: bool,
    name: Option<Pattern>,
}

impl Sink<'_> {
    fn is_wanted(&self, path: &VolumePath, found: &Metadata) -> bool {
        let name = path.name().unwrap_or(b"/");
        let named = self.name.as_ref().is_none_or(|pattern| pattern.matches(name));
        named && self.arguments.sort.is_none_or(|sort| sort == Sort::of(found.kind))
    }

    fn put(&mut self, path: &VolumePath, found: &Metadata) -> anyhow::Result<()> {
        if !self.is_wanted(path, found) {
            return Ok(());
        }
        if !show::is_json() {
            return Ok(self.arguments.ends.write(self.out, path.as_ref())?);
        }
        self.out.write_all(if self.any { b",\n" } else { b"[\n" })?;
        self.any = true;
        let kind = show::mode::kind(found.kind);
        let found = Found { path, inode: found.inode.ino.0, kind, size: found.inode.size };
        Ok(serde_json::to_writer(&mut *self.out, &found)?)
    }

    fn end(&mut self) -> std::io::Result<()> {
        match (show::is_json(), self.any) {
            (true, true) => self.out.write_all(b"\n]\n"),
            (true, false) => self.out.write_all(b"[]\n"),
            (false, _) => Ok(()),
        }
    }
}

fn lies_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
