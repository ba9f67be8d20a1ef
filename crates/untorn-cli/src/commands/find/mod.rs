//! `untorn find`: paths below others.

mod wanted;

use super::operands::Told;
use super::walk::{Onward, Step, walk};
use crate::arguments::{Find, VolumePath};
use crate::failure::{Code, Outcome, Refusal};
use crate::show::{self, Items};
use crate::target;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Seek, Write};
use tempfile::SpooledTempFile;
use untorn::{Metadata, Volume};
use untorn_format::Ino;
use wanted::Wanted;

/// Bytes of paths that are kept in memory; more go into a file without a name.
const KEPT: usize = 16 << 20;

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
    if let Some(word) = arguments.beyond.first() {
        return Err(beyond(&word.to_string_lossy()).into());
    }
    if io::stdout().is_terminal() {
        return print(arguments, out);
    }
    // Whoever reads this may change the volume: it is let go of before they hear of anything.
    let mut kept = BufWriter::new(SpooledTempFile::new(KEPT));
    let done = print(arguments, &mut kept);
    let told = kept.rewind().and_then(|()| io::copy(kept.get_mut(), out));
    // What the search came to is worth more than who heard of it.
    done.and_then(|end| told.map(|_| end).map_err(Into::into))
}

fn print(arguments: &Find, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let wanted = Wanted::new(&volume, arguments)?;
    Items::of(out, |items| {
        let mut told = Told::default();
        let mut search = Search { volume: &volume, arguments, wanted: &wanted, items };
        match names(&volume, arguments) {
            Some((ino, paths)) => search.among(ino, &paths, &mut told)?,
            None => {
                for path in &arguments.paths {
                    let below = search.below(path, &mut told);
                    told.of(below)?;
                }
            }
        }
        told.end()
    })
}

/// A word of find's that is not known here, and what does its work.
fn beyond(word: &str) -> Refusal {
    let told = format!("find: {word} is not known here");
    Refusal::new(Code::Usage, told).or(match word {
        "-exec" | "-execdir" | "-ok" | "-okdir" | "-delete" => {
            "print the paths with -print0 and pipe them into `xargs -0`"
        }
        "!" | "-not" | "(" | ")" | "-o" | "-or" | "-prune" => {
            "all that is asked must hold: search once for each"
        }
        "-a" | "-and" => "leave it out: all that is asked must hold",
        "-printf" | "-ls" | "-fprint" | "-fprintf" | "-fls" => {
            "print the paths with -print0 and pipe them into `xargs -0 untorn stat IMAGE -c FORMAT`"
        }
        "-regex" | "-iregex" => "give a pattern with -path",
        _ => "see `untorn find --help` for the words that are",
    })
}

/// All names of the inode that is asked for, where the volume knows them and all of it is searched.
fn names(volume: &Volume, arguments: &Find) -> Option<(Ino, Vec<Vec<u8>>)> {
    let whole = matches!(arguments.paths.as_slice(), [path] if path.as_ref() == b"/");
    let number = arguments.inode.filter(|_| whole).map(Ino)?;
    Some((number, volume.paths_of(number).ok()?))
}

struct Search<'s, 'a> {
    volume: &'s Volume,
    arguments: &'s Find,
    wanted: &'s Wanted,
    items: &'s mut Items<'a>,
}

impl Search<'_, '_> {
    fn among(&mut self, ino: Ino, paths: &[Vec<u8>], told: &mut Told) -> anyhow::Result<()> {
        let found = self.volume.metadata_of(ino)?;
        for path in paths {
            let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
            let (path, depth) = (VolumePath::new(path.as_slice()), names.count());
            let step = Step { path: &path, found: &found, depth };
            if self.arguments.maxdepth.is_none_or(|most| depth <= most) {
                self.visit(&step, told)?;
            }
        }
        Ok(())
    }

    fn below(&mut self, path: &VolumePath, told: &mut Told) -> anyhow::Result<()> {
        walk(self.volume, path, told, |step, told| {
            self.visit(step, told)?;
            let deep = self.arguments.maxdepth.is_some_and(|most| step.depth >= most);
            Ok(if deep { Onward::Past } else { Onward::Down })
        })
    }

    fn visit(&mut self, step: &Step<'_>, told: &mut Told) -> anyhow::Result<()> {
        let is_wanted = self.wanted.fits(self.volume, step, self.arguments);
        match told.of(is_wanted)? {
            Some(true) => self.put(step.path, step.found),
            _ => Ok(()),
        }
    }

    fn put(&mut self, path: &VolumePath, found: &Metadata) -> anyhow::Result<()> {
        if !show::is_json() {
            return Ok(self.arguments.ends.write(self.items.out, path.as_ref())?);
        }
        let kind = show::mode::kind(found.kind);
        self.items.put(&Found { path, inode: found.inode.ino.0, kind, size: found.inode.size })
    }
}
