//! `untorn cp`: files and trees into a volume, out of it, inside it, and from one to another.
//!
//! What is copied is the same on all ways: kinds, contents with their holes, permissions, owners,
//! times, extended attributes, access lists, hard links among what is copied. Memory does not grow
//! with the size of files, only with their number. Inside a volume that can, copies share their
//! blocks.

mod across;
mod ends;
mod into;
mod out;
mod slash;
mod way;

use super::operands;
use crate::arguments::{Cp, Destination, Image, Side};
use crate::failure::{Code, End, Outcome, Refusal};
use crate::show::Deeds;
use crate::{progress, show, target};
use across::Across;
use indicatif::ProgressBar;
use out::Out;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use untorn::{Metadata, Volume};
use untorn_format::inode::Timestamp;
use untorn_image::{Owners, Summary};

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

/// What is copied, and what it becomes.
pub(super) struct Job<'a> {
    arguments: &'a Cp,
    bar: ProgressBar,
    /// The images that are copied from, by device and inode of the host.
    images: Vec<HostFile>,
    owners: Owners,
}

/// A file of the host, by its device and inode.
type HostFile = (u64, u64);

/// Volumes that are copied from, each opened once.
type Volumes = HashMap<HostFile, Volume>;

/// Copies in the direction that the paths say.
pub fn run(arguments: &Cp, out: &mut dyn Write) -> Outcome {
    if arguments.interactive {
        let told = "nobody is asked (-i)";
        let remedy = "-n keeps what has the name already; without, it is replaced";
        return Err(Refusal::new(Code::Unsupported, told).or(remedy).into());
    }
    slash::demand(arguments)?;
    let Some((to, from)) = arguments.paths.split_last() else { return Ok(End::Well) };
    if let (true, [_, more, ..]) = (arguments.no_target_directory, from) {
        let told = format!("{more}: more than one source, which -T does not take");
        return Err(Refusal::new(Code::Invalid, told).into());
    }
    let images = from.iter().filter_map(|side| match side {
        Side::Volume(side) => host_file(&side.image),
        Side::Host(_) => None,
    });
    let (bar, owners) = (progress::bar(None), arguments.whose.owners()?);
    let job = Job { arguments, bar, images: images.collect(), owners };
    let end = match (to, from) {
        (Side::Volume(to), [Side::Volume(_), ..]) => job.share(&volumes(from)?, to, out),
        (Side::Volume(to), _) => job.bring(&hosts(from)?, to, out),
        (Side::Host(to), _) => job.take_out(&volumes(from)?, to, out),
    };
    job.bar.finish_and_clear();
    end
}

fn of_image(arguments: &Cp, image: &Path) -> Image {
    Image { image: image.to_owned(), place: arguments.place.clone() }
}

fn host_file(path: &Path) -> Option<HostFile> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// All paths, each on a volume.
fn volumes(sides: &[Side]) -> anyhow::Result<Vec<&Destination>> {
    let mut found = Vec::new();
    for side in sides {
        match side {
            Side::Volume(side) => found.push(side),
            Side::Host(_) => {
                let told = format!("{side}: names no path on a volume");
                return Err(Refusal::new(Code::Invalid, told).or("write IMAGE:/path").into());
            }
        }
    }
    Ok(found)
}

/// All paths, each of the host.
fn hosts(sides: &[Side]) -> anyhow::Result<Vec<&Path>> {
    let mut found = Vec::new();
    for side in sides {
        match side {
            Side::Host(path) => found.push(path.as_path()),
            Side::Volume(_) => {
                let told = format!("{side}: lies on a volume, others do not");
                let remedy = "copy them one after the other";
                return Err(Refusal::new(Code::Invalid, told).or(remedy).into());
            }
        }
    }
    Ok(found)
}

impl Job<'_> {
    fn bring(&self, from: &[&Path], to: &Destination, out: &mut dyn Write) -> Outcome {
        let mut copied = None;
        let copy =
            |volume: &_| self.copy_in(volume, (from, to), copied.insert(Summary::default()), out);
        let done = target::write(&self.image(to), copy);
        if let Some(summary) = copied.filter(|_| show::is_json()) {
            show::json(out, &show::filled::Filled::of(&summary))?;
        }
        done
    }

    fn take_out(&self, from: &[&Destination], to: &Path, out: &mut dyn Write) -> Outcome {
        if from.len() > 1 && !to.is_dir() {
            let told = format!("{}: is no directory, which several files need", to.display());
            return Err(Refusal::new(Code::NotADirectory, told).into());
        }
        let (mut end, mut opened) = (End::Well, Volumes::new());
        let (mut kept, mut deeds) = (out::Kept::default(), Deeds::default());
        let each = operands::each(from, |from| {
            let (volume, image) = self.opened(&mut opened, from)?;
            let copy = Out::new(self, (volume, image, from), &mut kept, out);
            if copy.copy(to, &mut deeds)? != End::Well {
                end = End::Found;
            }
            Ok(())
        });
        // Nothing is said where no volume could be opened.
        if show::is_json() && !opened.is_empty() {
            deeds.print(out, "copied")?;
        }
        Ok(if each? == End::Well { end } else { End::Found })
    }

    /// By sharing blocks where source and target are one volume that can.
    fn share(&self, from: &[&Destination], to: &Destination, out: &mut dyn Write) -> Outcome {
        let (image, target) = (self.image(to), host_file(&to.image));
        let inside = from.iter().all(|from| host_file(&from.image) == target);
        let verb = if inside { "cloned" } else { "copied" };
        let mut deeds = None;
        let done = target::write(&image, |volume| {
            let deeds = deeds.insert(Deeds::default());
            self.share_into(volume, (from, to), deeds, out)
        });
        if let Some(deeds) = deeds.filter(|_| show::is_json()) {
            deeds.print(out, verb)?;
        }
        done
    }

    fn share_into(
        &self,
        volume: &Volume,
        (from, to): (&[&Destination], &Destination),
        deeds: &mut Deeds,
        out: &mut dyn Write,
    ) -> Outcome {
        if from.len() > 1 && !super::mv::is_directory(volume, &to.path) {
            return Err(untorn::Error::NotDirectory(to.path.to_string()).into());
        }
        let (mut end, mut opened) = (End::Well, Volumes::new());
        if let Some(target) = host_file(&to.image) {
            opened.insert(target, volume.clone());
        }
        let mut kept = across::Kept::default();
        let each = operands::each(from, |from| {
            let (source, _) = self.opened(&mut opened, from)?;
            let copy = Across::new(self, (source, volume), (from, to), &mut kept, out);
            if copy.copy(deeds)? != End::Well {
                end = End::Found;
            }
            Ok(())
        })?;
        Ok(if each == End::Well { end } else { each })
    }

    fn opened<'v>(
        &self,
        opened: &'v mut Volumes,
        from: &Destination,
    ) -> anyhow::Result<(&'v Volume, HostFile)> {
        let key = host_file(&from.image).unwrap_or_default();
        let volume = match opened.entry(key) {
            Entry::Occupied(opened) => opened.into_mut(),
            Entry::Vacant(place) => place.insert(target::read(&self.image(from))?),
        };
        Ok((volume, key))
    }

    fn image(&self, side: &Destination) -> Image {
        of_image(self.arguments, &side.image)
    }

    /// What a directory gets when it is full: what the first copy onto it says.
    fn finish(&self, visit: Visit) -> Finish {
        match visit {
            Visit::New => Finish::Dress,
            Visit::First if self.arguments.restores() => Finish::Dress,
            Visit::First | Visit::Again => Finish::Leave,
        }
    }

    /// Whether a line is printed for each copy.
    fn is_verbose(&self) -> bool {
        self.arguments.verbose && !show::is_json()
    }

    /// Whether something that is no directory stays where something else of its name comes, which
    /// may be no newer.
    fn leaves(&self, comes: Age) -> bool {
        self.arguments.no_clobber || self.arguments.update && comes == Age::NoNewer
    }
}

/// A directory that is copied onto.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    /// It was just made.
    New,
    /// It stood there before.
    First,
    /// Another was copied onto it before.
    Again,
}

impl Visit {
    /// By whether it is new, and whether this run comes to it for the first time.
    fn of(is_new: bool, is_first: bool) -> Self {
        match (is_new, is_first) {
            (true, _) => Self::New,
            (false, true) => Self::First,
            (false, false) => Self::Again,
        }
    }
}

/// What a directory gets when it is full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    /// Owner, permissions, attributes, times.
    Dress,
    /// It stays what it was.
    Leave,
}

/// Whether what comes was changed later than what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Newer,
    NoNewer,
}

fn age<T: PartialOrd>(comes: T, old: T) -> Age {
    if comes > old { Age::Newer } else { Age::NoNewer }
}

/// The age of what was changed at `comes` beside what a volume has.
fn age_beside(comes: Timestamp, old: &Metadata) -> Age {
    let old = old.inode.mtime;
    age((comes.seconds, comes.nanos), (old.seconds, old.nanos))
}

fn same_name_twice(path: impl Display) -> Refusal {
    let told = format!("{path}: another of this name was copied before it");
    Refusal::new(Code::Exists, told).or("copy it to another name")
}
