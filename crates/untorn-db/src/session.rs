//! A session: the volume, the place that is looked at, the places before it. One line is one
//! command.

use crate::commands::{self, Said};
use crate::kind::Type;
use crate::place::{Place, Volume};
use crate::shape::Shape;
use crate::{Result, dump, refuse};
use serde_json::{Map, Value as Json, json};
use untorn_device::BlockDevice;

/// Places that `back` finds.
const RING: usize = 20;

/// A session on a volume. Writes nothing.
pub struct Session<'a> {
    pub(crate) volume: Volume<'a>,
    /// What messages call the volume.
    pub(crate) name: String,
    pub(crate) place: Option<Place>,
    pub(crate) stack: Vec<Place>,
    pub(crate) ring: Vec<Place>,
    /// Steps back from the end of the ring.
    pub(crate) behind: usize,
}

/// What a command says.
#[derive(Debug, Default)]
pub struct Answer {
    /// As xfs_db prints it.
    pub text: String,
    /// The same as JSON; null where there is nothing to say.
    pub json: Json,
    /// Whether the session is over.
    pub is_last: bool,
}

impl<'a> Session<'a> {
    /// Opens the volume on `device`; messages call it `name`.
    pub fn open(device: &'a dyn BlockDevice, name: &str) -> Result<Self> {
        let volume = Volume { shape: Shape::read(device)?, device };
        let (place, stack, ring) = (None, Vec::new(), Vec::new());
        Ok(Self { volume, name: name.to_owned(), place, stack, ring, behind: 0 })
    }
    /// The shape of the volume.
    pub fn shape(&self) -> &Shape {
        &self.volume.shape
    }
    /// Does one line.
    pub fn run(&mut self, line: &str) -> Result<Answer> {
        let words: Vec<_> = line.split_whitespace().collect();
        let Some((name, arguments)) = words.split_first() else {
            return Ok(Answer::default());
        };
        commands::run(self, name, arguments).map(answer)
    }
    /// The place that is looked at.
    pub(crate) fn here(&self) -> Result<&Place> {
        match &self.place {
            Some(place) => Ok(place),
            None => refuse("no current place: go to one first (sb, agf, agi, inode, fsblock, ...)"),
        }
    }
    /// Goes to `length` bytes at byte `from`.
    pub(crate) fn go(&mut self, kind: Type, from: u64, length: usize) -> Result<()> {
        let bytes = self.volume.read(from, length)?;
        self.go_to(kind, from, bytes);
        Ok(())
    }
    /// Goes to bytes that were read from byte `from` on.
    pub(crate) fn go_to(&mut self, kind: Type, from: u64, bytes: Vec<u8>) {
        let inode = self.place.as_ref().and_then(|place| place.inode);
        self.enter(Place { kind: Some(kind), from, bytes, inode });
    }
    pub(crate) fn enter(&mut self, place: Place) {
        self.ring.push(place.clone());
        let surplus = self.ring.len().saturating_sub(RING);
        self.ring.drain(..surplus);
        self.behind = 0;
        self.place = Some(place);
    }
}

fn answer(said: Said) -> Answer {
    match said {
        Said::Nothing => Answer::default(),
        Said::Quit => Answer { is_last: true, ..Answer::default() },
        Said::Text(text) => Answer { json: json!({ "text": text }), text, is_last: false },
        Said::Items(items) => {
            let pairs = items.iter().map(|item| (item.name.clone(), item.json()));
            Answer {
                json: pairs.collect::<Map<_, _>>().into(),
                text: items.iter().map(crate::select::Item::line).collect(),
                is_last: false,
            }
        }
        Said::Words(note, bytes) => {
            let text = note + &dump::words(&bytes);
            Answer { json: json!({ "text": text }), text, is_last: false }
        }
    }
}
