//! POSIX access control lists of inodes, inside transactions that have locked them.

use super::attr_fork::AttrTx;
use crate::attr::{self, Attributes, Key, NewValue, SetMode};
use crate::da::ForkBlocks;
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::acl::{ACCESS_NAME, Acl, DEFAULT_NAME};
use untorn_format::attr::{Namespace, leaf_edit};
use untorn_format::inode::{ForkFormat, attr_fork};
use untorn_format::{Ino, Place};

/// Which of an inode's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclKind {
    /// Who may do what.
    Access,
    /// What a directory hands down to what is made in it.
    Default,
}

impl AclKind {
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::Access => ACCESS_NAME,
            Self::Default => DEFAULT_NAME,
        }
    }
}

/// A list of a locked inode.
pub(super) fn read_acl(tx: &mut Tx<'_>, ino: Ino, kind: AclKind) -> Result<Option<Acl>> {
    let image = tx.inode(ino);
    acl_in(ino, &image, AttrTx::new(tx, ino, &[]), kind)
}

/// A list of the inode with the bytes `image`, whose attribute blocks are `blocks`.
pub(super) fn acl_in<B: ForkBlocks<Error = Error>>(
    ino: Ino,
    image: &[u8],
    blocks: B,
    kind: AclKind,
) -> Result<Option<Acl>> {
    let core = core_of(ino, image)?;
    if !core.has_attr_fork() {
        return Ok(None);
    }
    let place = Place::inode(ino);
    let fork = attr_fork(image).map_err(|fault| fault.at(place))?;
    let inline = (core.attr_format == ForkFormat::Local).then_some(fork);
    let value = Attributes { inline, blocks }.value(Namespace::Trusted, kind.name())?;
    let acl = value.map(|value| Acl::decode(&value)).transpose();
    Ok(acl.map_err(|fault| fault.at(place))?)
}

/// Gives a locked inode a list, or takes it away. The inode's permissions are the caller's.
pub(super) fn store_acl(tx: &mut Tx<'_>, ino: Ino, kind: AclKind, acl: Option<&Acl>) -> Result<()> {
    let key = Key { namespace: Namespace::Trusted, name: kind.name(), pointer: &[] };
    let core = Arc::clone(tx.core);
    let mut fork = AttrTx::new(tx, ino, &[]);
    let Some(acl) = acl else { return attr::remove(&mut fork, key).map(drop) };
    let value = acl.encode();
    if !leaf_edit::is_local(key.name.len(), value.len(), core.geometry.block_size()) {
        return Err(Error::Unsupported {
            what: format!("an access control list of {} entries", acl.entries().len()),
            remedy: "name groups instead of users".to_owned(),
        });
    }
    attr::set(&mut fork, key, NewValue::Local(&value), SetMode::Upsert).map(drop)
}
