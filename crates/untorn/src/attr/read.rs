//! Looking up and listing attributes.

use crate::da::{ForkBlocks, Index, Leaves};
use std::ops::ControlFlow;
use untorn_format::attr::{self, Attr, Leaf, Namespace, Short, State, Value, remote, short};
use untorn_format::da::DaBlock;
use untorn_format::{BlockKind, Fault};

/// The attributes of an inode, to be read. An inode without an attribute fork has none.
#[derive(Debug)]
pub struct Attributes<'a, B> {
    /// The attribute fork of the inode where it is inline.
    pub inline: Option<&'a [u8]>,
    /// The attribute fork's blocks where it is not; unused otherwise.
    pub blocks: B,
}

/// One attribute with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name without the prefix that the namespace stands for.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

const WHAT: &str = "attributes";

impl<B: ForkBlocks> Attributes<'_, B> {
    /// The value of the attribute `name`; `None` where there is none such. Parent pointers share
    /// names and are found by [`Self::visit`].
    pub fn value(
        &mut self,
        namespace: Namespace,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>, B::Error> {
        assert!(namespace != Namespace::Parent, "parent pointers have no name of their own");
        if let Some(bytes) = self.inline {
            let found = short::verify(bytes)
                .and_then(|()| Short::parse(bytes)?.find(namespace, name))
                .map_err(|fault| self.blocks.corrupt(None, fault))?;
            return found.map(|attr| self.fetch(&attr)).transpose();
        }
        if self.is_empty()? {
            return Ok(None);
        }
        let hash = attr::hash(namespace, name, &[]);
        let Some(mut leaves) = INDEX.leaf_for(&mut self.blocks, hash)? else { return Ok(None) };
        loop {
            let image = leaves.image().clone();
            let leaf = self.leaf(&leaves, &image)?;
            for attr in leaf.matching(hash) {
                let attr = attr.map_err(|fault| self.blocks.corrupt(Some(leaves.at()), fault))?;
                let meant = attr.namespace == namespace && attr.name == name;
                if meant && attr.state == State::Complete {
                    return self.fetch(&attr).map(Some);
                }
            }
            match leaf.next_for(hash) {
                Some(next) => leaves.step(&mut self.blocks, next)?,
                None => return Ok(None),
            }
        }
    }

    /// Every attribute with its value, incomplete ones left out.
    pub fn list(&mut self) -> Result<Vec<Listed>, B::Error> {
        let mut found = Vec::new();
        self.each(|this, attr| {
            let (namespace, name) = (attr.namespace, attr.name.to_vec());
            found.push(Listed { namespace, name, value: this.fetch(&attr)? });
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Shows every attribute to `visit`, incomplete ones left out, until it breaks. Remote values
    /// are not read.
    pub fn visit(
        &mut self,
        mut visit: impl FnMut(&Attr<'_>) -> ControlFlow<()>,
    ) -> Result<(), B::Error> {
        self.each(|_, attr| Ok(visit(&attr)))
    }

    fn each(
        &mut self,
        mut show: impl FnMut(&mut Self, Attr<'_>) -> Result<ControlFlow<()>, B::Error>,
    ) -> Result<(), B::Error> {
        if let Some(bytes) = self.inline {
            let checked = short::verify(bytes).and_then(|()| Short::parse(bytes));
            let short = checked.map_err(|fault| self.blocks.corrupt(None, fault))?;
            return self.each_of(None, short.attrs(), &mut show).map(drop);
        }
        if self.is_empty()? {
            return Ok(());
        }
        let Some(mut leaves) = INDEX.first_leaf(&mut self.blocks)? else { return Ok(()) };
        loop {
            let image = leaves.image().clone();
            let leaf = self.leaf(&leaves, &image)?;
            if self.each_of(Some(leaves.at()), leaf.attrs(), &mut show)?.is_break() {
                return Ok(());
            }
            match leaf.info().next() {
                Some(next) => leaves.step(&mut self.blocks, next)?,
                None => return Ok(()),
            }
        }
    }

    fn each_of<'e>(
        &mut self,
        at: Option<DaBlock>,
        attrs: impl Iterator<Item = Result<Attr<'e>, Fault>>,
        show: &mut impl FnMut(&mut Self, Attr<'_>) -> Result<ControlFlow<()>, B::Error>,
    ) -> Result<ControlFlow<()>, B::Error> {
        for attr in attrs {
            let attr = attr.map_err(|fault| self.blocks.corrupt(at, fault))?;
            if attr.state == State::Complete && show(self, attr)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A fork may have no blocks at all: the attributes were removed and the fork stayed.
    fn is_empty(&mut self) -> Result<bool, B::Error> {
        Ok(self.blocks.next_mapped(DaBlock(0))?.is_none())
    }

    fn leaf<'i>(&self, leaves: &Leaves, image: &'i [u8]) -> Result<Leaf<'i>, B::Error> {
        Leaf::parse(image).map_err(|fault| self.blocks.corrupt(Some(leaves.at()), fault))
    }

    /// The bytes of a value, wherever they are.
    fn fetch(&mut self, attr: &Attr<'_>) -> Result<Vec<u8>, B::Error> {
        let (first, length) = match attr.value {
            Value::Local(value) => return Ok(value.to_vec()),
            Value::Remote { block, length } => (block, length),
        };
        let mut value = Vec::with_capacity(length);
        let mut at = first;
        while value.len() < length {
            let image = self.blocks.read(at, BlockKind::AttrRemote)?;
            let image = image.ok_or_else(|| self.wrong(at, "valueblk", at.0.into()))?;
            let part = remote::parse(&image);
            let part = part.map_err(|fault| self.blocks.corrupt(Some(at), fault))?;
            let whole = remote::capacity(image.len()).min(length - value.len());
            if part.offset != value.len() || part.bytes.len() != whole {
                return Err(self.wrong(at, "rm_offset", part.offset as u64));
            }
            value.extend(part.bytes);
            at = DaBlock(at.0.wrapping_add(1));
        }
        Ok(value)
    }

    fn wrong(&self, at: DaBlock, field: &'static str, value: u64) -> B::Error {
        self.blocks.corrupt(Some(at), Fault::Field { what: WHAT, field, value })
    }
}

const INDEX: Index = Index { root: DaBlock(0), leaf: BlockKind::AttrLeaf };
