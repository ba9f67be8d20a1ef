//! Extended attributes in every form: names under their hashes, values where they say, and the
//! parent pointers among them.

use crate::code::Code;
use crate::da::{Blocks, Index, LeafSpan, Leaves};
use crate::inode::Node;
use crate::inode::states::{States, name_hash};
use crate::scan::{Scan, Step};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use untorn_format::attr::{self, Attr, Leaf, Namespace, Short, State, Value, leaf, remote, short};
use untorn_format::da::DaBlock;
use untorn_format::inode::ForkFormat;
use untorn_format::units::*;
use untorn_format::{BlockKind, Extent, Fork, Place, parent};

/// Checks the attributes of an inode whose attribute fork maps `extents`.
pub(crate) fn check(
    scan: &mut Scan<'_>,
    node: &Node<'_>,
    extents: Vec<Extent>,
    states: &mut States,
) -> Step {
    let mut taker = Taker { ino: node.ino, states, names: Vec::new(), values: Vec::new() };
    if node.core.attr_format == ForkFormat::Local {
        short_form(scan, node, &mut taker)?;
        return taker.check_duplicates(scan);
    }
    if extents.is_empty() {
        // A fork that was made for an attribute that never came.
        return Ok(());
    }
    let blocks = Blocks { ino: node.ino, extents, unit_log: 0 };
    let mut walk = Index::new(&blocks);
    walk.walk(scan, DaBlock(0), &mut taker)?;
    taker.check_duplicates(scan)?;
    let values = std::mem::take(&mut taker.values);
    let mut owned = std::mem::take(&mut walk.seen);
    values.iter().try_for_each(|value| {
        check_alone(scan, &blocks, value, &mut owned)?;
        check_remote(scan, &blocks, value)
    })
}

fn short_form(scan: &mut Scan<'_>, node: &Node<'_>, taker: &mut Taker<'_>) -> Step {
    let (bytes, start) = node.fork(Fork::Attr);
    let place = Place { offset: Some(start as u64), ..node.place() };
    if !scan.unless_faulty(short::verify(bytes), place)? {
        return Ok(());
    }
    let Ok(attrs) = Short::parse(bytes) else { return Ok(()) };
    attrs
        .attrs()
        .map_while(Result::ok)
        .try_for_each(|attr| taker.take(scan, &attr, place).map(drop))
}

/// A value in blocks of its own.
struct Remote {
    block: DaBlock,
    length: usize,
}

struct Taker<'s> {
    ino: Ino,
    states: &'s mut States,
    /// Two hashes of each name: one that orders, one that tells apart.
    names: Vec<(u32, u64)>,
    values: Vec<Remote>,
}

impl Taker<'_> {
    /// Takes an attribute; the hash that it belongs under, where that can be told.
    fn take(&mut self, scan: &mut Scan<'_>, attr: &Attr<'_>, place: Place) -> Step<Option<u32>> {
        if attr.state == State::Incomplete {
            let told = format!("attribute \"{}\" is incomplete", attr.name.escape_ascii());
            scan.find(Code::AttributeIncomplete, place, told)?;
            return Ok(None);
        }
        let value = match attr.value {
            Value::Local(value) => value,
            Value::Remote { block, length } => {
                self.values.push(Remote { block, length });
                &[]
            }
        };
        let pointer = attr.namespace == Namespace::Parent;
        let mut hasher = DefaultHasher::new();
        (attr.namespace, attr.name, pointer.then_some(value)).hash(&mut hasher);
        let hash = attr::hash(attr.namespace, attr.name, value);
        self.names.push((hash, hasher.finish()));
        if pointer {
            self.pointer(scan, attr, value, place)?;
        }
        Ok(Some(hash))
    }

    fn pointer(
        &mut self,
        scan: &mut Scan<'_>,
        attr: &Attr<'_>,
        value: &[u8],
        place: Place,
    ) -> Step {
        if !scan.sb.features.has_parent() {
            return scan.find(Code::ParentPointer, place, "the volume has no parent pointers");
        }
        let (dir, generation) = match parent::decode_value(value) {
            Ok(found) => found,
            Err(fault) => return scan.find(Code::ParentPointer, place, fault),
        };
        if let Some(state) = self.states.at_mut(self.ino) {
            state.parents = state.parents.wrapping_sub(name_hash(dir, generation, attr.name));
        }
        Ok(())
    }

    fn check_duplicates(&mut self, scan: &mut Scan<'_>) -> Step {
        self.names.sort_unstable();
        let pairs = self.names.iter().zip(self.names.iter().skip(1));
        for (a, _) in pairs.filter(|(a, b)| a == b) {
            let told = format!("two attributes have one name; its hash is {:#x}", a.0);
            scan.find(Code::AttributeTwice, Place::inode(self.ino), told)?;
        }
        Ok(())
    }
}

impl Leaves for Taker<'_> {
    fn accepts(&self, kind: BlockKind, _: bool) -> bool {
        kind == BlockKind::AttrLeaf
    }

    fn leaf(&mut self, scan: &mut Scan<'_>, bytes: &[u8], place: Place) -> Step<Option<LeafSpan>> {
        let Ok(leaf) = Leaf::parse(bytes) else { return Ok(None) };
        scan.unless_faulty(leaf::account(bytes), place)?;
        for (entry, attr) in leaf.entries().iter().zip(leaf.attrs()) {
            let Ok(attr) = attr else { continue };
            let base = place.offset.unwrap_or(0);
            let at = Place { offset: Some(base + u64::from(entry.name_index.get())), ..place };
            let hash = self.take(scan, &attr, at)?;
            if let Some(hash) = hash.filter(|&hash| hash != entry.hash.get()) {
                let told = format!(
                    "attribute \"{}\" stands under hash {:#x}, its hash is {hash:#x}",
                    attr.name.escape_ascii(),
                    entry.hash.get()
                );
                scan.find(Code::AttributeHash, at, told)?;
            }
        }
        let ends = leaf.entries().first().zip(leaf.entries().last());
        let hashes = ends.map(|(first, last)| (first.hash.get(), last.hash.get()));
        Ok(Some(LeafSpan { info: *leaf.info(), hashes }))
    }
}

/// Checks that a remote value has its blocks for itself: neither the index nor another value is in
/// them.
fn check_alone(
    scan: &mut Scan<'_>,
    blocks: &Blocks,
    value: &Remote,
    owned: &mut HashSet<u32>,
) -> Step {
    let count = remote::blocks_for(value.length, scan.geometry().block_size());
    for block in (value.block.0..=u32::MAX).take(count) {
        if !owned.insert(block) {
            let place = blocks.place(scan, DaBlock(block).file_block());
            let told = format!("block {block} of a remote value has another use in the fork");
            return scan.find(Code::AttributeValue, place, told);
        }
    }
    Ok(())
}

/// Checks the blocks of a remote value: each there, each the part that follows the one before.
fn check_remote(scan: &mut Scan<'_>, blocks: &Blocks, value: &Remote) -> Step {
    let block_size = scan.geometry().block_size();
    let mut done = 0;
    for index in 0..remote::blocks_for(value.length, block_size) {
        let block = FileBlock(value.block.file_block().0 + index as u64);
        let Some(bytes) = blocks.verified(scan, block, BlockKind::AttrRemote)? else {
            return Ok(());
        };
        let Ok(part) = remote::parse(&bytes) else { return Ok(()) };
        let expected = remote::capacity(block_size).min(value.length - done);
        if (part.offset, part.bytes.len()) != (done, expected) {
            let told = format!(
                "remote value: {} bytes from byte {}, expected {expected} from {done}",
                part.bytes.len(),
                part.offset
            );
            return scan.find(Code::AttributeValue, blocks.place(scan, block), told);
        }
        done += expected;
    }
    Ok(())
}
