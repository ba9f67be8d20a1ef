//! Setting and removing attributes, and going from one form to another.
//!
//! The form is decided as Linux does: attributes stay inside the inode while they fit there beside
//! the data fork, go to a leaf when they no longer do, to a tree when the leaf is full, and come
//! back as soon as they fit again. A value goes to blocks of its own by its length alone.
//!
//! An attribute that a crash left incomplete is not seen; it goes when its name is set or removed.
//! It never names blocks: what Linux had mapped for its value stays mapped, to no end, until
//! [`sweep`] finds it.

use super::fork::{AttrFork, Form};
use super::index;
use std::collections::BTreeSet;
use untorn_format::Fault;
use untorn_format::attr::leaf_edit::{Entry, EntryValue};
use untorn_format::attr::short_edit::{self, Key as ShortKey};
use untorn_format::attr::{self, Attr, Namespace, Short, State, Value, remote, short};
use untorn_format::da::{DaBlock, Fit};

/// Which attribute is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name without the prefix that the namespace stands for; 1 to 255 bytes.
    pub name: &'a [u8],
    /// The value of a parent pointer, which is part of what it is called; empty for the others.
    pub pointer: &'a [u8],
}

/// When an attribute is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    /// Only where there is none of its name.
    Create,
    /// Only where there is one of its name.
    Replace,
    /// In any case.
    Upsert,
}

/// The value that an attribute is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewValue<'a> {
    /// Beside its name.
    Local(&'a [u8]),
    /// Of this length, in the blocks that [`AttrFork::place_value`] maps.
    Blocks(usize),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There is an attribute of the name; nothing changed.
    Exists,
    /// There is no attribute of the name; nothing changed.
    Missing,
}

impl Key<'_> {
    fn hash(&self) -> u32 {
        attr::hash(self.namespace, self.name, self.pointer)
    }
    fn short(&self) -> ShortKey<'_> {
        match self.namespace {
            Namespace::Parent => ShortKey::NameAndValue(self.namespace, self.name, self.pointer),
            _ => ShortKey::Name(self.namespace, self.name),
        }
    }
    /// Whether `attr` is the one, complete or not.
    fn means(&self, attr: &Attr<'_>) -> bool {
        let named = attr.namespace == self.namespace && attr.name == self.name;
        named && (self.namespace != Namespace::Parent || attr.value == Value::Local(self.pointer))
    }
}

/// Sets the attribute `key` as `mode` says.
pub fn set<F: AttrFork>(
    fork: &mut F,
    key: Key<'_>,
    value: NewValue<'_>,
    mode: SetMode,
) -> Result<Outcome, F::Error> {
    match fork.form()? {
        Form::Short(bytes) => set_short(fork, bytes, key, value, mode),
        Form::Indexed => set_indexed(fork, key, value, mode),
    }
}

/// What `mode` makes of it that there is an attribute of the name or is none.
fn refusal(mode: SetMode, exists: bool) -> Option<Outcome> {
    match (mode, exists) {
        (SetMode::Create, true) => Some(Outcome::Exists),
        (SetMode::Replace, false) => Some(Outcome::Missing),
        _ => None,
    }
}

fn set_short<F: AttrFork>(
    fork: &mut F,
    mut bytes: Vec<u8>,
    key: Key<'_>,
    value: NewValue<'_>,
    mode: SetMode,
) -> Result<Outcome, F::Error> {
    short::verify(&bytes).map_err(|fault| fork.corrupt(None, fault))?;
    let removed = short_edit::remove(&mut bytes, key.short());
    let removed = removed.map_err(|fault| fork.corrupt(None, fault))?;
    if let Some(refusal) = refusal(mode, removed.is_some()) {
        return Ok(refusal);
    }
    let rest = bytes.clone();
    if let NewValue::Local(value) = value {
        let added = short_edit::add(&mut bytes, key.namespace, key.name, value, usize::MAX);
        let added = added.map_err(|fault| fork.corrupt(None, fault))?;
        if added == Fit::Done && fork.set_short(&bytes)? == Fit::Done {
            return Ok(Outcome::Done);
        }
    }
    let length = match value {
        NewValue::Local(value) => value.len(),
        NewValue::Blocks(length) => length,
    };
    leave_inode(fork, &rest, rest.len() + 3 + key.name.len() + length)?;
    add(fork, key, value)?;
    Ok(Outcome::Done)
}

/// Moves short-form attributes to a leaf; `wanted` bytes were too many for the inode.
fn leave_inode<F: AttrFork>(fork: &mut F, bytes: &[u8], wanted: usize) -> Result<(), F::Error> {
    fork.set_indexed(wanted)?;
    index::plant(fork)?;
    let short = Short::parse(bytes).map_err(|fault| fork.corrupt(None, fault))?;
    for attr in short.attrs() {
        let attr = attr.map_err(|fault| fork.corrupt(None, fault))?;
        let Value::Local(value) = attr.value else { continue };
        let hash = attr::hash(attr.namespace, attr.name, value);
        index::insert(fork, &Entry::of(hash, &attr))?;
    }
    Ok(())
}

fn set_indexed<F: AttrFork>(
    fork: &mut F,
    key: Key<'_>,
    value: NewValue<'_>,
    mode: SetMode,
) -> Result<Outcome, F::Error> {
    let complete = |attr: &Attr<'_>| key.means(attr) && attr.state == State::Complete;
    let exists = index::find(fork, key.hash(), complete)?.is_some();
    if let Some(refusal) = refusal(mode, exists) {
        return Ok(refusal);
    }
    remove_all(fork, key)?;
    add(fork, key, value)?;
    return_to_inode(fork)?;
    Ok(Outcome::Done)
}

/// Adds an attribute that is not there to an index.
fn add<F: AttrFork>(fork: &mut F, key: Key<'_>, value: NewValue<'_>) -> Result<(), F::Error> {
    let value = match value {
        NewValue::Local(value) => EntryValue::Local(value.to_vec()),
        NewValue::Blocks(length) => EntryValue::Remote { block: fork.place_value()?, length },
    };
    let Key { namespace, name, .. } = key;
    let (hash, state) = (key.hash(), State::Complete);
    index::insert(fork, &Entry { hash, namespace, state, name: name.to_vec(), value })
}

/// Removes the attribute `key`.
pub fn remove<F: AttrFork>(fork: &mut F, key: Key<'_>) -> Result<Outcome, F::Error> {
    match fork.form()? {
        Form::Short(bytes) => remove_short(fork, bytes, key),
        Form::Indexed => {
            let complete = |attr: &Attr<'_>| key.means(attr) && attr.state == State::Complete;
            if index::find(fork, key.hash(), complete)?.is_none() {
                return Ok(Outcome::Missing);
            }
            remove_all(fork, key)?;
            return_to_inode(fork)?;
            Ok(Outcome::Done)
        }
    }
}

fn remove_short<F: AttrFork>(
    fork: &mut F,
    mut bytes: Vec<u8>,
    key: Key<'_>,
) -> Result<Outcome, F::Error> {
    short::verify(&bytes).map_err(|fault| fork.corrupt(None, fault))?;
    let removed = short_edit::remove(&mut bytes, key.short());
    if removed.map_err(|fault| fork.corrupt(None, fault))?.is_none() {
        return Ok(Outcome::Missing);
    }
    store_short(fork, &bytes)?;
    Ok(Outcome::Done)
}

/// Keeps what is left of short-form attributes inside the inode, where there is room for more.
fn store_short<F: AttrFork>(fork: &mut F, bytes: &[u8]) -> Result<Fit, F::Error> {
    match bytes.len() == short_edit::init().len() {
        true => fork.clear().map(|()| Fit::Done),
        false => fork.set_short(bytes),
    }
}

/// Removes every attribute that `key` means from an index, incomplete ones too, with their values;
/// whether there were incomplete ones.
fn remove_all<F: AttrFork>(fork: &mut F, key: Key<'_>) -> Result<bool, F::Error> {
    let mut incomplete = false;
    while let Some(found) = index::find(fork, key.hash(), |attr| key.means(attr))? {
        let (state, value) = (found.entry.state, found.entry.value.clone());
        index::remove(fork, found)?;
        match (state, value) {
            (State::Complete, EntryValue::Remote { block, length }) => {
                free_value(fork, block, length)?;
            }
            (State::Complete, EntryValue::Local(_)) => {}
            (State::Incomplete, _) => incomplete = true,
        }
    }
    Ok(incomplete)
}

fn free_value<F: AttrFork>(fork: &mut F, block: DaBlock, length: usize) -> Result<(), F::Error> {
    let count = remote::blocks_for(length, fork.geometry().block_size());
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let end = block.0.checked_add(count).filter(|_| block != DaBlock(0));
    if end.is_none() {
        let value = block.0.into();
        let fault = Fault::Field { what: "attribute leaf", field: "valueblk", value };
        return Err(fork.corrupt(None, fault));
    }
    match count {
        0 => Ok(()),
        count => fork.free(block, count),
    }
}

/// Brings the attributes of a leaf back into the inode where all of them fit there.
fn return_to_inode<F: AttrFork>(fork: &mut F) -> Result<(), F::Error> {
    let Some(entries) = index::only_leaf(fork)? else { return Ok(()) };
    let mut bytes = short_edit::init();
    for entry in &entries {
        let EntryValue::Local(value) = &entry.value else { return Ok(()) };
        if entry.state == State::Incomplete {
            continue;
        }
        let most = fork.geometry().inode_size();
        let added = short_edit::add(&mut bytes, entry.namespace, &entry.name, value, most);
        if added.map_err(|fault| fork.corrupt(None, fault))? == Fit::NoRoom {
            return Ok(());
        }
    }
    store_short(fork, &bytes).map(drop)
}

/// Makes it so that the attribute `key` has `value`, or is not there where that is nothing,
/// whatever half-way state a crash left it in.
pub fn finish<F: AttrFork>(
    fork: &mut F,
    key: Key<'_>,
    value: Option<NewValue<'_>>,
) -> Result<(), F::Error> {
    if fork.form()? == Form::Indexed && remove_all(fork, key)? {
        sweep(fork)?;
    }
    match value {
        Some(value) => set(fork, key, value, SetMode::Upsert).map(drop),
        None => match fork.form()? {
            Form::Short(_) => remove(fork, key).map(drop),
            Form::Indexed => return_to_inode(fork),
        },
    }
}

/// Frees the blocks that no attribute leads to: a crash left the value of an incomplete one.
fn sweep<F: AttrFork>(fork: &mut F) -> Result<(), F::Error> {
    let block_size = fork.geometry().block_size();
    let mut used: BTreeSet<DaBlock> = BTreeSet::new();
    for at in index::blocks(fork)? {
        used.insert(at.block);
        for (first, length) in at.values {
            let count = remote::blocks_for(length, block_size);
            used.extend((first.0..=u32::MAX).take(count).map(DaBlock));
        }
    }
    let mut at = DaBlock(0);
    while let Some(block) = fork.next_mapped(at)? {
        if !used.contains(&block) {
            fork.free(block, 1)?;
        }
        at = DaBlock(block.0.saturating_add(1));
    }
    Ok(())
}
