//! Names: where something is made, what it takes the place of, and what becomes of it where the
//! rest fails.
//!
//! Invariant: what was there under a name stays until what replaces it is whole. So that is made
//! beside it, and renamed over it at the end.

use super::contents::Waiting;
use super::{Age, Done, Failure, Writer};
use crate::reader::Last;
use crate::tree::{Item, What};
use untorn::{Name, Removal, Rename};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// The name of something that was made.
#[derive(Clone, Debug)]
pub(super) struct Place {
    dir: Ino,
    name: Vec<u8>,
    /// The name that it takes when it is whole; another has it until then.
    becomes: Option<Vec<u8>>,
}

impl Place {
    pub fn name(&self) -> Name<'_> {
        Name::In(self.dir, &self.name)
    }
}

/// What there is under a name.
pub(super) enum There {
    /// Nothing, or what is replaced.
    Free(Place),
    /// A directory, which stays.
    Directory(Ino),
}

impl Writer<'_, '_> {
    /// Where `item`, called `name`, is made in a directory of this age.
    pub(super) fn place(
        &mut self,
        (dir, in_dir): (Ino, Age),
        name: &[u8],
        item: &Item,
    ) -> Done<There> {
        let free = Place { dir, name: name.to_vec(), becomes: None };
        if in_dir == Age::New {
            return Ok(There::Free(free));
        }
        let old = match self.volume.find_in(dir, name) {
            Err(untorn::Error::NotFound(_)) => return Ok(There::Free(free)),
            old => old?,
        };
        let is_directory = self.volume.metadata_of(old)?.kind == FileKind::Directory;
        match (is_directory, matches!(item.what, What::Directory(_))) {
            (true, true) => Ok(There::Directory(old)),
            (true, false) => Err(self.refused(untorn::Error::IsDirectory)),
            (false, true) => Err(self.refused(untorn::Error::NotDirectory)),
            (false, false) => {
                let (name, becomes) = (self.name_beside(dir)?, Some(name.to_vec()));
                Ok(There::Free(Place { dir, name, becomes }))
            }
        }
    }

    /// A name that nothing in the directory has.
    fn name_beside(&mut self, dir: Ino) -> Done<Vec<u8>> {
        loop {
            let name = format!(".untorn-{}-{}", std::process::id(), self.beside).into_bytes();
            self.beside += 1;
            match self.volume.find_in(dir, &name) {
                Err(untorn::Error::NotFound(_)) => return Ok(name),
                taken => drop(taken?),
            }
        }
    }

    fn refused(&self, error: fn(String) -> untorn::Error) -> Failure {
        Failure::Here(error(self.shown_path()))
    }

    /// What has this place is whole: it takes its name.
    pub(super) fn settle(&self, place: &Place) -> Done {
        if let Some(name) = &place.becomes {
            let to = Name::In(place.dir, name);
            drop(self.volume.rename(place.name(), to, Rename::Replace)?);
        }
        Ok(())
    }

    /// The same of something that is whole at once; where that fails, it is gone again.
    pub(super) fn settle_or_remove(&self, place: &Place, done: Done) -> Done {
        let done = done.and_then(|()| self.settle(place));
        if done.is_err() {
            self.remove(place);
        }
        done
    }

    fn remove(&self, place: &Place) {
        // Whatever made this necessary is told; what is left of this shows in the volume.
        let _ = self.volume.detach(place.name(), Removal::NoDirectory);
    }

    /// A file that does not become whole goes with all its names.
    pub(super) fn remove_all(&mut self, waiting: &Waiting) {
        waiting.places.iter().for_each(|place| self.remove(place));
        self.summary.files -= 1;
        self.summary.links -= waiting.places.len() as u64 - 1;
    }

    /// After a failure: files all of whose bytes were read become whole, others go.
    pub(super) fn rescue(&mut self) {
        let load = self.take_load();
        for waiting in std::mem::take(&mut self.waiting) {
            let whole = !matches!(waiting.last, Last::No | Last::Lost)
                && load.iter().all(|load| self.put_parts(load, &waiting).is_ok())
                && self.complete(&waiting).is_ok();
            if !whole {
                self.remove_all(&waiting);
            }
        }
    }

    /// One more name of something. Where that is not whole yet, the name goes with it.
    pub(super) fn link(&mut self, ino: Ino, place: Place) -> Done {
        self.volume.link(ino, place.name())?;
        let unfinished: Option<&mut Waiting> =
            self.waiting.iter_mut().find(|waiting| waiting.file.ino() == ino);
        match unfinished {
            Some(waiting) => waiting.places.push(place),
            None => self.settle_or_remove(&place, Ok(()))?,
        }
        self.summary.links += 1;
        Ok(())
    }
}
