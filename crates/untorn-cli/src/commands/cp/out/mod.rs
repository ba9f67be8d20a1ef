//! Out of a volume to the host.
//!
//! ```text
//! directories above, by handles -> a name in the last of them -> made beside it, dressed, renamed;
//! a directory is dressed when all in it is done
//! ```
//! Invariants: what has a name is whole, a directory apart; what this run made it does not replace;
//! what was made is dressed whatever fails. The last handles only are kept: others are opened again
//! by `..`, and are known by device and inode.

mod host;
mod make;

use super::ends::{Ends, Lengths};
use super::way::Way;
use super::{Finish, HostFile, Job, Visit, age, same_name_twice};
use crate::arguments::{Destination, VolumePath};
use crate::commands::mv::itself;
use crate::commands::operands::Told;
use crate::failure::{self, At, Code, Outcome, Refusal};
use crate::show::{self, Deeds};
use anyhow::{Context, bail};
use host::{Dir, id};
use rustix::fs::{FileType, Stat, makedev};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use untorn::{DirEntry, Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Directories that are held open at once.
const HELD: usize = 64;
/// Links that Linux follows one after another.
const MOST_LINKS: usize = 40;
/// Bytes of a path that the progress shows.
const SHOWN: usize = 100;

/// What one run made on the host.
#[derive(Default)]
pub(super) struct Kept {
    made: HashSet<HostFile>,
    /// Directories that were copied onto.
    entered: HashSet<HostFile>,
    /// Files of several names, by image and inode: where the first was made, and which one it is.
    seen: HashMap<(HostFile, Ino), (PathBuf, HostFile)>,
}

/// A copy of one path.
pub(super) struct Out<'a> {
    job: &'a Job<'a>,
    volume: &'a Volume,
    image: HostFile,
    side: &'a Destination,
    kept: &'a mut Kept,
    out: &'a mut dyn Write,
    above: Vec<Frame>,
    way: Way,
    told: Told,
}

/// A directory on the way down.
struct Frame {
    found: Metadata,
    ends: Lengths,
    /// Its handle, unless too many are open.
    dir: Option<Rc<Dir>>,
    is: HostFile,
    finish: Finish,
    below: std::vec::IntoIter<DirEntry>,
}

/// What became of something that is copied.
enum Copied {
    /// It stands there.
    Made,
    /// A new directory does.
    MadeDirectory(Dir),
    /// A directory stood there already.
    Entered(Dir),
    /// What stands there stays.
    Left,
}

impl<'a> Out<'a> {
    pub fn new(
        job: &'a Job<'a>,
        (volume, image, side): (&'a Volume, HostFile, &'a Destination),
        kept: &'a mut Kept,
        out: &'a mut dyn Write,
    ) -> Self {
        let (above, way, told) = Default::default();
        Self { job, volume, image, side, kept, out, above, way, told }
    }

    /// Copies it to `to`, or into it where it is a directory. What the host does not let this user
    /// make is told of and left out.
    pub fn copy(mut self, to: &Path, deeds: &mut Deeds) -> Outcome {
        let (to, top) = self.ends(to)?;
        let mut ends = Ends { from: self.side.path.clone(), to };
        let found = self.way.meet((self.job, self.volume), &ends.from, top)?;
        let done = self.top(found, &ends, deeds).and_then(|()| self.below(&mut ends));
        // Whatever happened: what was made is not left to its maker alone.
        while !self.above.is_empty() {
            let _ = self.leave(&mut ends);
        }
        done?;
        self.told.end()
    }

    /// Where what is copied goes, and what that is.
    fn ends(&self, to: &Path) -> anyhow::Result<(PathBuf, Ino)> {
        let (from, arguments) = (&self.side.path, self.job.arguments);
        // No name in the target: `..` would lead out of it.
        let name = from.name().filter(|name| ![&b"."[..], b".."].contains(name));
        let into = !arguments.no_target_directory && to.is_dir();
        let slash = to.as_os_str().as_bytes().ends_with(b"/") && !to.is_dir();
        let real = destination(to)?;
        let top = match arguments.follows_named() {
            true => self.volume.lookup(from).at(from)?,
            false => itself(self.volume, from)?,
        };
        let is_dir = self.volume.metadata_of(top).at(from)?.kind == FileKind::Directory;
        if is_dir && !arguments.is_recursive() {
            let told = format!("{from}: is a directory");
            let remedy = "copy it with `untorn cp -r`";
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        if slash && !is_dir {
            let told = format!("{}: is no directory", to.display());
            return Err(Refusal::new(Code::NotADirectory, told).into());
        }
        let real = match name.filter(|_| into) {
            Some(name) => real.join(OsStr::from_bytes(name)),
            None => real,
        };
        Ok((real, top))
    }

    fn top(
        &mut self,
        found: Metadata,
        ends: &Ends<PathBuf>,
        deeds: &mut Deeds,
    ) -> anyhow::Result<()> {
        let Ends { from, to } = ends;
        let dir = match to.file_name() {
            Some(_) => Dir::named(to.parent().unwrap_or(Path::new("."))),
            None => Dir::named(to),
        };
        let dir = dir.with_context(|| shown(to))?;
        if to.file_name().is_none() {
            // The root of the host, or what leads up.
            return self.go_on(found, ends, Copied::Entered(dir));
        }
        let copied = self.one(&dir, (&found, from), to);
        let Some(copied) = self.permitted(copied, &found, to)? else { return Ok(()) };
        if !matches!(copied, Copied::Left) {
            deeds.add(from).with_path("to", to.as_os_str().as_bytes());
        }
        self.go_on(found, ends, copied)
    }

    /// Copies all that lies below.
    fn below(&mut self, ends: &mut Ends<PathBuf>) -> anyhow::Result<()> {
        while let Some(frame) = self.above.last_mut() {
            match (frame.below.next(), &frame.dir) {
                (Some(entry), Some(dir)) => {
                    let dir = dir.clone();
                    ends.cut(frame.ends);
                    ends.push(&entry.name);
                    let done = self.next(&dir, entry.ino, ends);
                    self.tell(done)?;
                }
                _ => self.leave(ends)?,
            }
        }
        Ok(())
    }

    fn next(&mut self, dir: &Dir, ino: Ino, ends: &Ends<PathBuf>) -> anyhow::Result<()> {
        let Ends { from, to } = ends;
        let found = self.way.meet((self.job, self.volume), from, ino)?;
        self.job.bar.set_message(end_of(to));
        let copied = self.one(dir, (&found, from), to);
        match self.permitted(copied, &found, to)? {
            Some(copied) => self.go_on(found, ends, copied),
            None => Ok(()),
        }
    }

    /// Says what was copied; what is in it comes next.
    fn go_on(
        &mut self,
        found: Metadata,
        ends: &Ends<PathBuf>,
        copied: Copied,
    ) -> anyhow::Result<()> {
        let is_new = matches!(copied, Copied::Made | Copied::MadeDirectory(_));
        match copied {
            Copied::Left | Copied::Made => {}
            Copied::MadeDirectory(dir) | Copied::Entered(dir) => {
                let visit = Visit::of(is_new, self.kept.entered.insert(dir.id()?));
                self.enter((found, ends), dir, self.job.finish(visit))?;
            }
        }
        if is_new && self.job.is_verbose() {
            let (image, Ends { from, to }) = (self.side.image.display(), ends);
            writeln!(self.out, "'{image}:{from}' -> '{}'", shown(to))?;
        }
        Ok(())
    }

    fn enter(
        &mut self,
        (found, ends): (Metadata, &Ends<PathBuf>),
        dir: Dir,
        finish: Finish,
    ) -> anyhow::Result<()> {
        let (is, ino) = (dir.id()?, found.inode.ino);
        self.way.enter(ino);
        // One that lists nothing is dressed all the same.
        let below = self.tell(self.volume.entries_of(ino).at(&ends.from));
        let below = below?.unwrap_or_default().into_iter();
        let last = self.above.len().checked_sub(HELD);
        if let Some(far) = last.and_then(|at| self.above.get_mut(at)) {
            far.dir = None;
        }
        let (ends, dir) = (ends.lengths(), Some(Rc::new(dir)));
        self.above.push(Frame { found, ends, dir, is, finish, below });
        Ok(())
    }

    /// All in the last directory is done.
    fn leave(&mut self, ends: &mut Ends<PathBuf>) -> anyhow::Result<()> {
        let Some(frame) = self.above.pop() else { return Ok(()) };
        ends.cut(frame.ends);
        self.way.leave(frame.found.inode.ino);
        let Some(dir) = &frame.dir else {
            return self.tell::<()>(Err(out_of_reach(&ends.to, frame.finish))).map(drop);
        };
        // Before it is dressed: it may let nobody through then.
        let back = self.open_above(dir);
        if frame.finish == Finish::Dress {
            let made = dir.opened();
            let dressed = made.and_then(|made| self.dress(&made, &frame.found, &ends.from));
            self.tell(dressed.map_err(|error| named(error, &ends.to)))?;
        }
        back.map_err(|error| named(error, &ends.to))
    }

    /// Opens the directory above again where it is open no more.
    fn open_above(&mut self, dir: &Dir) -> anyhow::Result<()> {
        let Some(above) = self.above.last_mut().filter(|above| above.dir.is_none()) else {
            return Ok(());
        };
        let found = dir.enter(OsStr::new(".."))?;
        if found.id()? != above.is {
            return Err(Refusal::new(Code::Changed, "was moved while it was copied").into());
        }
        above.dir = Some(Rc::new(found));
        Ok(())
    }

    fn tell<T>(&mut self, done: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        self.job.bar.suspend(|| self.told.of(done))
    }

    /// What was copied; nothing where that is a device that this user may not make, which is said.
    fn permitted(
        &mut self,
        copied: anyhow::Result<Copied>,
        found: &Metadata,
        to: &Path,
    ) -> anyhow::Result<Option<Copied>> {
        match copied {
            Err(error) if found.device.is_some() && is_forbidden(&error) => {
                let told = format!("{}: left out: {error}", shown(to));
                self.job.bar.suspend(|| failure::warn(Code::LeftOut, told));
                self.told.leave_out();
                Ok(None)
            }
            copied => copied.map(Some).map_err(|error| named(error, to)),
        }
    }

    fn one(
        &mut self,
        dir: &Dir,
        (found, from): (&Metadata, &VolumePath),
        to: &Path,
    ) -> anyhow::Result<Copied> {
        let (name, comes) = (to.file_name().unwrap_or_default(), found.inode.mtime);
        let is_dir = found.kind == FileKind::Directory;
        if let Some(old) = dir.find(name)? {
            self.demand_no_image(&old)?;
            demand_replaceable(&old, found)?;
            if is_dir {
                return dir.enter(name).map(Copied::Entered);
            }
            let there = (i128::from(old.st_mtime), i128::from(old.st_mtime_nsec));
            if self.job.leaves(age((comes.seconds.into(), comes.nanos.into()), there)) {
                return Ok(Copied::Left);
            }
            if self.kept.made.contains(&id(&old)) {
                return Err(same_name_twice(from).into());
            }
        } else if is_dir {
            return dir.make(name).map(Copied::MadeDirectory);
        }
        self.put(dir, (found, from), to)
    }

    /// Refuses to replace an image that is copied from.
    fn demand_no_image(&self, old: &Stat) -> anyhow::Result<()> {
        match self.job.images.contains(&id(old)) {
            true => bail!("is the image that is copied from; choose another name"),
            false => Ok(()),
        }
    }
}

/// A path whose end a volume chose, for a terminal.
fn shown(path: &Path) -> String {
    show::printable(path.as_os_str().as_bytes())
}

/// The end of such a path: it may be longer than any screen.
fn end_of(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    match bytes.len().checked_sub(SHOWN).and_then(|start| bytes.get(start..)) {
        Some(end) => format!("...{}", show::printable(end)),
        None => shown(path),
    }
}

/// What is said of a directory that could not be opened again when all below one in it was done.
fn out_of_reach(to: &Path, finish: Finish) -> anyhow::Error {
    let told = match finish {
        Finish::Dress => {
            "could not be opened again: owner, permissions and times are not set, and \
            what comes next in it is not copied"
        }
        Finish::Leave => "could not be opened again: what comes next in it is not copied",
    };
    anyhow::Error::from(Refusal::new(Code::Changed, told).or("copy it again")).context(shown(to))
}

/// The error with the path of the host, unless it has one of the volume.
fn named(error: anyhow::Error, to: &Path) -> anyhow::Error {
    match error.chain().any(|cause| cause.is::<untorn::Error>()) {
        true => error,
        false => error.context(shown(to)),
    }
}

/// Where the path that the user names really is: a link there is followed, none that is found below
/// is. One that leads to nothing with a name (`/dev/stdout` before a pipe) is not replaced.
fn destination(to: &Path) -> anyhow::Result<PathBuf> {
    match fs::canonicalize(to) {
        Ok(real) if !real.is_dir() && leads_through_proc(to) => {
            let told = format!("{}: is an open file, which is not replaced", to.display());
            let remedy = "name a file; `untorn cat` writes to one that is open";
            Err(Refusal::new(Code::Invalid, told).or(remedy).into())
        }
        Ok(real) => Ok(real),
        Err(_) if fs::symlink_metadata(to).is_err() => Ok(to.to_owned()),
        Err(error) => {
            let told = format!("{}: is a link that leads to no file: {error}", to.display());
            let remedy = "name a file; `untorn cat` writes to a pipe";
            Err(Refusal::new(Code::Invalid, told).or(remedy).into())
        }
    }
}

/// Whether a path, or a link that it leads to, is in a directory that shows what a process has open
/// (`/dev/stdout` before a file): who writes there means that file, whatever its name.
fn leads_through_proc(to: &Path) -> bool {
    let mut to = to.to_owned();
    for _ in 0..MOST_LINKS {
        let above = to.parent().filter(|above| !above.as_os_str().is_empty());
        let Ok(above) = fs::canonicalize(above.unwrap_or(Path::new("."))) else { return false };
        if above.starts_with("/proc") || above == Path::new("/dev/fd") {
            return true;
        }
        match fs::read_link(&to) {
            Ok(target) => to = above.join(target),
            Err(_) => return false,
        }
    }
    false
}

/// Refuses to replace what is not replaced: directories, and devices other than the one that comes.
/// A damaged volume may name a link and a directory alike.
fn demand_replaceable(old: &Stat, comes: &Metadata) -> anyhow::Result<()> {
    let (is, kind) = (FileType::from_raw_mode(old.st_mode), comes.kind);
    let same_kind = is == FileType::CharacterDevice && kind == FileKind::CharDevice
        || is == FileType::BlockDevice && kind == FileKind::BlockDevice;
    let number = comes.device.map(|(major, minor)| makedev(major, minor));
    let same = same_kind && number == Some(old.st_rdev);
    if matches!(is, FileType::CharacterDevice | FileType::BlockDevice) && !same {
        bail!("is a device, which is not replaced; choose another name");
    }
    match (is == FileType::Directory, kind == FileKind::Directory) {
        (true, false) => bail!("is a directory, and what is copied is none; remove it"),
        (false, true) => bail!("is no directory, and what is copied is one; remove it"),
        _ => Ok(()),
    }
}

/// Whether the host forbade it to this user.
fn is_forbidden(error: &anyhow::Error) -> bool {
    let errno = error.downcast_ref().and_then(std::io::Error::raw_os_error);
    errno == Some(rustix::io::Errno::PERM.raw_os_error())
}
