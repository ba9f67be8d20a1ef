//! Items in words.

use untorn_format::log::{
    AttrOp, AttrUpdate, BufferItem, BufferUse, Done, Exchange, ForkContents, InodeItem, Intent,
    Item, MapOp, MapUpdate, RefcountUpdate, RmapUpdate, Work,
};
use untorn_format::{BlockKind, Fork};

/// What an item says, on one line.
pub(super) fn of(item: &Item<'_>) -> String {
    match item {
        Item::Buffer(item) => buffer(item),
        Item::Inode(item) => inode(item),
        Item::Quota(item) => {
            format!("quota record of id {} at daddr {} + {}", item.id, item.addr, item.offset)
        }
        Item::QuotaOff(off) => format!("quota switched off: {:?}", off.kinds),
        Item::InodeCreate(create) => format!(
            "{} new inodes in AG {} block {}, {} blocks, generation {:#x}",
            create.count, create.ag, create.start, create.length, create.generation
        ),
        Item::Intent(intent) => self::intent(intent),
        Item::Done(done) => self::done(done),
    }
}

fn buffer(item: &BufferItem<'_>) -> String {
    let format = &item.format;
    let at = format!("daddr {} length {}", format.addr, format.blocks);
    let bytes: usize = item.changes.iter().map(|(_, bytes)| bytes.len()).sum();
    match format.usage {
        BufferUse::Cancel => format!("block freed at {at}"),
        BufferUse::UnlinkedPointers => format!("unlinked pointers of inodes at {at}"),
        BufferUse::Quota(kind) => format!("{kind:?} quota block at {at}, {bytes} bytes"),
        BufferUse::Regular => {
            let start = item.changes.first().filter(|(start, _)| *start == 0);
            let contents = start.map_or(&[][..], |(_, bytes)| bytes);
            format!("{} at {at}, {bytes} bytes changed", name(format.code, contents))
        }
    }
}

/// What a buffer with this type code is called. Which B+tree it is stands in its first chunk alone.
fn name(code: u16, contents: &[u8]) -> &'static str {
    match BlockKind::from_blft(code, contents) {
        Some(kind) => kind.name(),
        None if code == 4 => "B+tree block",
        None => "block",
    }
}

fn inode(item: &InodeItem<'_>) -> String {
    let fork = |name: &str, contents| match contents {
        ForkContents::Unchanged => String::new(),
        ForkContents::Local(bytes) => format!(", {name} inline {} bytes", bytes.len()),
        ForkContents::Extents(bytes) => format!(", {name} {} extents", bytes.len() / 16),
        ForkContents::Root(bytes) => format!(", {name} tree root {} bytes", bytes.len()),
    };
    let (data, attr) = (fork("data", item.data), fork("attributes", item.attr));
    let device = item.device.map_or(String::new(), |device| format!(", device {device:#x}"));
    let owner = if item.new_owner.is_empty() { "" } else { ", new owner of its tree" };
    format!(
        "inode {} at daddr {} + {}{data}{attr}{device}{owner}",
        item.ino, item.cluster, item.offset
    )
}

fn done(done: &Done) -> String {
    format!("done: {:?} {:#x}", done.kind, done.id)
}

fn intent(intent: &Intent) -> String {
    let work = match &intent.work {
        Work::Free(list) => each(list, |e| format!("free {} + {}", e.start, e.length)),
        Work::Rmap(list) => each(list, rmap),
        Work::Refcount(list) => each(list, refcount),
        Work::Map(list) => each(list, map),
        Work::Attr(update) => attr(update),
        Work::Exchange(exchange) => self::exchange(exchange),
    };
    format!("to do {:#x}: {work}", intent.id)
}

fn each<T>(list: &[T], words: impl Fn(&T) -> String) -> String {
    list.iter().map(words).collect::<Vec<_>>().join("; ")
}

fn rmap(update: &RmapUpdate) -> String {
    let RmapUpdate { op, owner, start, offset, length, .. } = update;
    format!("rmap {op:?} {start} + {length} owner {} offset {offset}", *owner as i64)
}

fn refcount(update: &RefcountUpdate) -> String {
    format!("refcount {:?} {} + {}", update.op, update.start, update.length)
}

fn map(update: &MapUpdate) -> String {
    let verb = match update.op {
        MapOp::Map => "map",
        MapOp::Unmap => "unmap",
    };
    let fork = match update.fork {
        Fork::Data => "",
        Fork::Attr => " of the attributes",
    };
    let unwritten = if update.unwritten { ", unwritten" } else { "" };
    let MapUpdate { ino, start, offset, length, .. } = update;
    format!("{verb} inode {ino}{fork} offset {offset} to {start} + {length}{unwritten}")
}

fn attr(update: &AttrUpdate) -> String {
    let verb = match &update.op {
        AttrOp::Set(_) => "set",
        AttrOp::Remove => "remove",
        AttrOp::Replace(_) => "replace",
        AttrOp::SetParent(_) => "add parent pointer",
        AttrOp::RemoveParent(_) => "remove parent pointer",
        AttrOp::ReplaceParent { .. } => "replace parent pointer",
    };
    let name = String::from_utf8_lossy(&update.name);
    format!("{verb} {name:?} of inode {}", update.ino)
}

fn exchange(exchange: &Exchange) -> String {
    let [first, second] = exchange.inodes;
    let [from, to] = exchange.offsets;
    format!(
        "exchange {} blocks of inode {first} offset {from} and inode {second} offset {to}",
        exchange.blocks
    )
}
