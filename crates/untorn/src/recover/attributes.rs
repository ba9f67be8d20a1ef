//! Finishing what the journal says was begun with an attribute.
//!
//! Linux changes an attribute in many transactions and logs the intent anew in each. Whatever state
//! they left it in (an entry marked incomplete, blocks mapped for a value that is not there, an old
//! value half removed), what the intent asks for is the state after the operation: that is what is
//! made, in one transaction with the done item.

use super::intents::Answer;
use crate::attr::Key;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::namespace::{Finish, finish_attributes};
use std::sync::Arc;
use untorn_format::attr::Namespace;
use untorn_format::log::{AttrOp, AttrUpdate};
use untorn_format::{Fault, Place, parent};

const WHAT: &str = "ATTRI";
/// Marks an entry that is being set or removed; which step a kernel had reached does not matter.
const INCOMPLETE: u8 = 1 << 7;

/// Finishes a change of an attribute of `inode`; `answer` is the done item.
pub(super) fn finish(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    update: &AttrUpdate,
    answer: impl Fn() -> Arc<Answer>,
) -> Result<()> {
    let wanted = wanted(update).map_err(|fault| corrupt(update, fault))?;
    demand_target(inode, update)?;
    finish_attributes(core, inode, &wanted, |tx| {
        tx.buffers_mut().log(answer());
        Ok(())
    })
}

fn corrupt(update: &AttrUpdate, fault: Fault) -> Error {
    fault.at(Place::inode(update.ino)).into()
}

/// The inode must be in use, and the one of that generation where the intent names one.
fn demand_target(inode: &Inode, update: &AttrUpdate) -> Result<()> {
    let core = inode.core()?;
    let field = match () {
        () if core.mode == 0 => ("alfi_ino", update.ino.0),
        () if is_pointer(&update.op) && core.generation != update.generation => {
            ("alfi_igen", update.generation.into())
        }
        () => return Ok(()),
    };
    Err(corrupt(update, Fault::Field { what: WHAT, field: field.0, value: field.1 }))
}

fn is_pointer(op: &AttrOp) -> bool {
    use AttrOp::{RemoveParent, ReplaceParent, SetParent};
    matches!(op, SetParent(_) | RemoveParent(_) | ReplaceParent { .. })
}

/// What the attributes are to be.
fn wanted(update: &AttrUpdate) -> std::result::Result<Vec<Finish<'_>>, Fault> {
    let filter = update.filter;
    let namespace = Namespace::of(WHAT, filter & !INCOMPLETE)?;
    if (namespace == Namespace::Parent) != is_pointer(&update.op) {
        return Err(Fault::Field { what: WHAT, field: "alfi_attr_filter", value: filter.into() });
    }
    let name = update.name.as_slice();
    let plain = |value| vec![Finish { key: Key { namespace, name, pointer: &[] }, value }];
    Ok(match &update.op {
        AttrOp::Set(value) | AttrOp::Replace(value) => plain(Some(value.as_slice())),
        AttrOp::Remove => plain(None),
        AttrOp::SetParent(value) => vec![with_pointer(name, value)?],
        AttrOp::RemoveParent(value) => vec![without_pointer(name, value)?],
        AttrOp::ReplaceParent { old_value, new_name, new_value } => {
            vec![without_pointer(name, old_value)?, with_pointer(new_name, new_value)?]
        }
    })
}

fn with_pointer<'a>(name: &'a [u8], value: &'a [u8]) -> std::result::Result<Finish<'a>, Fault> {
    Ok(Finish { value: Some(value), ..without_pointer(name, value)? })
}

fn without_pointer<'a>(name: &'a [u8], value: &'a [u8]) -> std::result::Result<Finish<'a>, Fault> {
    parent::decode_value(value)?;
    let namespace = Namespace::Parent;
    Ok(Finish { key: Key { namespace, name, pointer: value }, value: None })
}
