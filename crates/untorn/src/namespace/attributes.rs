//! Attributes of inodes: setting and removing them in one transaction each.
//!
//! A value too long for a leaf goes to blocks of its own as file data does: blocks are claimed, the
//! value is written there, then one transaction maps them and names them. The journal does not
//! carry those blocks, for Linux does not journal them either: its replay knows no LSN of theirs
//! and its write verifier refuses one, so an image in the log could be put over a newer value or
//! over what came to live there. Before the transaction is durable they are free; afterwards they
//! are whole on the device, since the journal flushes data before it commits. When they are freed
//! they are cancelled like other metadata, which costs little, tells the cache, and is right
//! whatever wrote them.

use super::access::{AclKind, store_acl};
use super::attr_fork::AttrTx;
use crate::ag::Claim;
use crate::attr::{self, Key, Listed, NewValue, Outcome, SetMode};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::io::write_claimed;
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::attr::{MAX_NAME, MAX_VALUE, Namespace, leaf_edit, remote};
use untorn_format::da::{Birth, Part};
use untorn_format::{FsBlock, Ino};
use untorn_store::Sequence;

/// Journal bytes that a change of an attribute is expected to take.
const EXPECTED: u64 = 48 * 1024;

/// A value that is ready to be given to an attribute: short, or written to claimed blocks.
pub(crate) struct Prepared<'a> {
    value: &'a [u8],
    claims: Vec<Claim>,
}

impl<'a> Prepared<'a> {
    /// Writes `value` to blocks of its own if it needs them.
    pub fn new(core: &Arc<Core>, inode: &Inode, name: &[u8], value: &'a [u8]) -> Result<Self> {
        let size = core.geometry.block_size();
        let mut prepared = Self { value, claims: Vec::new() };
        if leaf_edit::is_local(name.len(), value.len(), size) {
            return Ok(prepared);
        }
        let count = remote::blocks_for(value.len(), size);
        prepared.claims = core.claim(beside(core, inode.ino), count as u64)?;
        let bytes = prepared.blocks(core, inode.ino)?;
        let runs: Vec<_> = prepared.claims.iter().map(Claim::extent).collect();
        write_claimed(core, &runs, &bytes)?;
        Ok(prepared)
    }

    /// The bytes of all blocks.
    fn blocks(&self, core: &Core, ino: Ino) -> Result<Vec<u8>> {
        let size = core.geometry.block_size();
        let extents = self.claims.iter().map(Claim::extent);
        let places = extents.flat_map(|run| {
            (0..run.length).map(move |i| (run.ag, untorn_format::AgBlock(run.start.0 + i)))
        });
        let parts = self.value.chunks(remote::capacity(size));
        let mut bytes = vec![0; parts.len() * size];
        let mut offset = 0;
        for ((block, part), (ag, at)) in bytes.chunks_exact_mut(size).zip(parts).zip(places) {
            let addr = core.geometry.addr(ag, at);
            let birth = Birth { uuid: core.meta_uuid(), addr, owner: ino };
            remote::encode(block, &birth, Part { offset, bytes: part });
            offset += part.len();
        }
        Ok(bytes)
    }

    /// The claimed blocks.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// What the writer of attributes is told.
    pub fn value(&self) -> NewValue<'_> {
        match self.claims.is_empty() {
            true => NewValue::Local(self.value),
            false => NewValue::Blocks(self.value.len()),
        }
    }

    /// The blocks are the inode's now.
    pub fn settle(self) {
        self.claims.into_iter().for_each(Claim::settle);
    }
}

/// Where the blocks of an inode lie best.
fn beside(core: &Core, ino: Ino) -> Option<FsBlock> {
    let (ag, in_ag) = core.geometry.split_ino(ino)?;
    let (block, _) = core.geometry.inode_block(in_ag);
    Some(core.geometry.fs_block(ag, block))
}

/// Refuses names and values that no attribute can have.
fn demand_legal(namespace: Namespace, name: &[u8], value: &[u8]) -> Result<()> {
    if namespace == Namespace::Parent {
        let what =
            "parent pointers follow the names of directories; they are not set by themselves";
        return Err(Error::Invalid(what.to_owned()));
    }
    if !(1..=MAX_NAME).contains(&name.len()) || name.contains(&0) {
        return Err(Error::Invalid(format!(
            "an attribute's name has 1 to {MAX_NAME} bytes and no zero byte, this one has {}",
            name.len()
        )));
    }
    match value.len() {
        0..=MAX_VALUE => Ok(()),
        length => Err(Error::Invalid(format!(
            "an attribute's value has at most {MAX_VALUE} bytes, this one has {length}"
        ))),
    }
}

/// Sets an attribute as `mode` says.
pub(crate) fn set_attribute(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    (namespace, name): (Namespace, &[u8]),
    value: &[u8],
    mode: SetMode,
) -> Result<Sequence> {
    demand_legal(namespace, name, value)?;
    let prepared = Prepared::new(core, inode, name, value)?;
    let key = Key { namespace, name, pointer: &[] };
    let ((), sequence) = core.transact(EXPECTED, std::slice::from_ref(inode), |tx| {
        demand_in_use(tx, inode.ino)?;
        let mut fork = AttrTx::new(tx, inode.ino, prepared.claims());
        answer(name, attr::set(&mut fork, key, prepared.value(), mode)?)?;
        note_change(tx, inode.ino)
    })?;
    prepared.settle();
    Ok(sequence)
}

/// Removes an attribute.
pub(crate) fn remove_attribute(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    (namespace, name): (Namespace, &[u8]),
) -> Result<Sequence> {
    demand_legal(namespace, name, &[])?;
    let key = Key { namespace, name, pointer: &[] };
    let ((), sequence) = core.transact(EXPECTED, std::slice::from_ref(inode), |tx| {
        demand_in_use(tx, inode.ino)?;
        let outcome = attr::remove(&mut AttrTx::new(tx, inode.ino, &[]), key)?;
        answer(name, outcome)?;
        note_change(tx, inode.ino)
    })?;
    Ok(sequence)
}

/// Whether a value lies beside its name, not in blocks of its own.
pub(crate) fn is_beside(core: &Core, attribute: &Listed) -> bool {
    let (name, value) = (attribute.name.len(), attribute.value.len());
    leaf_edit::is_local(name, value, core.geometry.block_size())
}

/// Gives a locked inode these attributes, whose values lie beside their names, in the place of the
/// access lists that its directory handed down.
pub(crate) fn take_over(tx: &mut Tx<'_>, ino: Ino, attributes: &[Listed]) -> Result<()> {
    for kind in [AclKind::Access, AclKind::Default] {
        store_acl(tx, ino, kind, None)?;
    }
    for Listed { namespace, name, value } in attributes {
        let key = Key { namespace: *namespace, name, pointer: &[] };
        let mut fork = AttrTx::new(tx, ino, &[]);
        attr::set(&mut fork, key, NewValue::Local(value), SetMode::Upsert)?;
    }
    Ok(())
}

/// What an attribute is to be: of this value, or not there.
pub(crate) struct Finish<'a> {
    /// Which attribute.
    pub key: Key<'a>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// Makes the attributes of a locked inode what `wanted` says, whatever half-way state they are in,
/// in one transaction with what `also` does. Times stay as they are: the change was made before.
pub(crate) fn finish_attributes(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    wanted: &[Finish<'_>],
    mut also: impl FnMut(&mut Tx<'_>) -> Result<()>,
) -> Result<()> {
    let mut prepared = Vec::with_capacity(wanted.len());
    for Finish { key, value } in wanted {
        let value = value.map(|value| Prepared::new(core, inode, key.name, value)).transpose()?;
        prepared.push((*key, value));
    }
    core.transact(EXPECTED, std::slice::from_ref(inode), |tx| {
        for (key, value) in &prepared {
            let claims = value.as_ref().map_or(&[][..], Prepared::claims);
            let value = value.as_ref().map(Prepared::value);
            attr::finish(&mut AttrTx::new(tx, inode.ino, claims), *key, value)?;
        }
        also(tx)
    })?;
    prepared.into_iter().filter_map(|(_, value)| value).for_each(Prepared::settle);
    Ok(())
}

fn answer(name: &[u8], outcome: Outcome) -> Result<()> {
    let shown = || name.escape_ascii().to_string();
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Exists => Err(Error::Exists(format!("attribute {}", shown()))),
        Outcome::Missing => Err(Error::NoAttribute(shown())),
    }
}

fn demand_in_use(tx: &Tx<'_>, ino: Ino) -> Result<()> {
    match core_of(ino, tx.inode_bytes(ino))?.mode {
        0 => Err(Error::NotFound(format!("inode {ino}"))),
        _ => Ok(()),
    }
}

fn note_change(tx: &mut Tx<'_>, ino: Ino) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.ctime = tx.core.clock.now();
    core.count_change();
    core.encode(tx.inode_mut(ino));
    Ok(())
}

#[cfg(test)]
mod tests;
