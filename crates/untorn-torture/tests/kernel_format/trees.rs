//! AG headers and the six btrees of each AG.

use crate::database::{Database, rows};
use crate::image::Image;
use untorn_format::ag::{Agf, Agi, TreeRoot};
use untorn_format::btree::{BtreeKind, Header};
use untorn_format::records::*;
use untorn_format::*;
use untorn_format::{kind, wire};

/// Leaves of each tree that are compared record by record with xfs_db.
const LEAVES_COMPARED: usize = 25;

/// A btree of an AG, walked whole.
#[derive(Default)]
pub struct Walked {
    pub blocks: u32,
    /// Leaves left to right: block and bytes of each record.
    pub leaves: Vec<(u64, Vec<Vec<u8>>)>,
}

impl Walked {
    pub fn records(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.leaves.iter().flat_map(|(_, records)| records)
    }
}

/// Compares every AG.
pub fn compare(image: &Image, database: &Database) {
    for ag in 0..image.geometry().ag_count {
        compare_ag(image, database, AgNumber(ag));
    }
}

fn compare_ag(image: &Image, database: &Database, ag: AgNumber) {
    let (addr, bytes) = image.header(ag, 1);
    let agf = Agf::decode(&bytes, &image.identity(addr)).unwrap();
    let (addr, bytes) = image.header(ag, 2);
    let agi = Agi::decode(&bytes, &image.identity(addr)).unwrap();
    agf_fields(&agf, database);
    agi_fields(&agi, database);
    let list = free_list(image, &agf, database);
    free_space(image, &agf, database);
    let rmap = optional(image, BtreeKind::Rmapbt, ag, agf.rmapbt, database);
    assert_eq!(rmap.blocks, agf.rmap_blocks);
    let refcount = optional(image, BtreeKind::Refcountbt, ag, agf.refcountbt, database);
    assert_eq!(refcount.blocks, agf.refcount_blocks);
    inode_trees(image, &agi, database);
    let limits = image.superblock.limits();
    let levels = limits::FreeListLevels {
        bnobt: agf.bnobt.levels,
        cntbt: agf.cntbt.levels,
        rmapbt: agf.rmapbt.map_or(0, |tree| tree.levels),
    };
    assert!(list.len() as u32 >= limits.free_list_needed(levels) / 2);
    assert!(limits.rmap_reserve(ag, 0).wanted >= rmap.blocks);
    assert!(limits.refcount_reserve(ag, 0).wanted >= refcount.blocks);
}

fn agf_fields(agf: &Agf, database: &Database) {
    let fields = database.fields(&[&format!("agf {}", agf.ag), "print"]);
    let optional = |tree: Option<TreeRoot>| tree.map_or((0, 0), |t| (t.block.0, t.levels));
    let (rmap, refcount) = (optional(agf.rmapbt), optional(agf.refcountbt));
    let pairs = [
        ("length", agf.length),
        ("bnoroot", agf.bnobt.block.0),
        ("cntroot", agf.cntbt.block.0),
        ("rmaproot", rmap.0),
        ("refcntroot", refcount.0),
        ("bnolevel", agf.bnobt.levels.into()),
        ("cntlevel", agf.cntbt.levels.into()),
        ("rmaplevel", rmap.1.into()),
        ("refcntlevel", refcount.1.into()),
        ("rmapblocks", agf.rmap_blocks),
        ("refcntblocks", agf.refcount_blocks),
        ("flfirst", agf.free_list.first),
        ("fllast", agf.free_list.last),
        ("flcount", agf.free_list.count),
        ("freeblks", agf.free_blocks),
        ("longest", agf.longest),
        ("btreeblks", agf.btree_blocks),
    ];
    for (name, value) in pairs {
        assert_eq!(fields.number(name), u64::from(value), "AG {} {name}", agf.ag);
    }
    assert_eq!(fields.number("lsn"), agf.lsn.0);
}

fn agi_fields(agi: &Agi, database: &Database) {
    let fields = database.fields(&[&format!("agi {}", agi.ag), "print"]);
    let newest = agi.newest_chunk.map_or(u64::MAX, |ino| ino.0.into());
    let pairs = [
        ("length", agi.length.into()),
        ("count", agi.count.into()),
        ("root", agi.inobt.block.0.into()),
        ("level", agi.inobt.levels.into()),
        ("freecount", agi.free_count.into()),
        ("newino", newest),
        ("lsn", agi.lsn.0),
    ];
    for (name, value) in pairs {
        assert_eq!(fields.number(name), value, "AG {} {name}", agi.ag);
    }
    if let Some(tree) = agi.finobt {
        assert_eq!(fields.number("free_root"), u64::from(tree.block.0));
        assert_eq!(fields.number("free_level"), u64::from(tree.levels));
    }
    assert!(agi.unlinked.iter().all(Option::is_none));
}

fn free_list(image: &Image, agf: &Agf, database: &Database) -> Vec<AgBlock> {
    let (addr, bytes) = image.header(agf.ag, 3);
    kind::verify(BlockKind::Agfl, &bytes, &image.identity(addr)).unwrap();
    let blocks = agf.free_list.blocks(&bytes, agf.length).unwrap();
    let text = database.text(&[&format!("agfl {}", agf.ag), "print bno"]);
    let words = text.split(" = ").nth(1).unwrap().split_whitespace();
    let slots: Vec<u64> = words
        .map(|word| crate::database::number(word.split(':').nth(1).unwrap()).unwrap())
        .collect();
    for (slot, block) in agf.free_list.in_use().zip(&blocks) {
        assert_eq!(slots[slot as usize], u64::from(block.0));
    }
    blocks
}

fn free_space(image: &Image, agf: &Agf, database: &Database) {
    let by_block = tree(image, BtreeKind::Bnobt, agf.ag, agf.bnobt, database);
    let by_length = tree(image, BtreeKind::Cntbt, agf.ag, agf.cntbt, database);
    let decode = |walked: &Walked| -> Vec<AllocRec> {
        walked.records().map(|bytes| AllocRec::decode(bytes).unwrap()).collect()
    };
    let (by_block_recs, mut by_length_recs) = (decode(&by_block), decode(&by_length));
    let longest = by_length_recs.last().map_or(0, |rec| rec.length);
    by_length_recs.sort_by_key(|rec| rec.start);
    assert_eq!(by_block_recs, by_length_recs);
    assert_eq!(by_block_recs.iter().map(|rec| rec.length).sum::<u32>(), agf.free_blocks);
    assert_eq!(longest, agf.longest);
    let rmap = agf.rmapbt.map_or(0, |_| agf.rmap_blocks - 1);
    assert_eq!(by_block.blocks - 1 + by_length.blocks - 1 + rmap, agf.btree_blocks);
}

fn inode_trees(image: &Image, agi: &Agi, database: &Database) {
    let chunks = chunks(image, agi, database);
    assert_eq!(chunks.iter().map(|rec| u32::from(rec.count)).sum::<u32>(), agi.count);
    assert_eq!(chunks.iter().map(|rec| u32::from(rec.free_count)).sum::<u32>(), agi.free_count);
    let free = optional(image, BtreeKind::Finobt, agi.ag, agi.finobt, database);
    if agi.finobt.is_none() {
        return;
    }
    let free_chunks: Vec<_> = free.records().map(|bytes| chunk(image, bytes)).collect();
    let expected: Vec<_> = chunks.into_iter().filter(|rec| rec.free_count > 0).collect();
    assert_eq!(free_chunks, expected);
    if image.superblock.features.has_inobtcount() {
        assert_eq!(free.blocks, agi.finobt_blocks);
    }
}

/// The inode chunks of an AG.
fn chunks(image: &Image, agi: &Agi, database: &Database) -> Vec<InobtRec> {
    let walked = tree(image, BtreeKind::Inobt, agi.ag, agi.inobt, database);
    if image.superblock.features.has_inobtcount() {
        assert_eq!(walked.blocks, agi.inobt_blocks);
    }
    walked.records().map(|bytes| chunk(image, bytes)).collect()
}

fn chunk(image: &Image, bytes: &[u8]) -> InobtRec {
    let form = match image.superblock.features.has_sparse_inodes() {
        true => ChunkForm::Sparse,
        false => ChunkForm::Full,
    };
    let rec = InobtRec::decode(bytes, form).unwrap();
    assert_eq!(rec.encode(form).as_slice(), bytes);
    rec
}

/// Every inode number of the volume that has blocks, with whether it is free.
pub fn all_inodes(image: &Image, database: &Database) -> Vec<(Ino, bool)> {
    let mut all = Vec::new();
    for ag in (0..image.geometry().ag_count).map(AgNumber) {
        let (addr, bytes) = image.header(ag, 2);
        let agi = Agi::decode(&bytes, &image.identity(addr)).unwrap();
        for rec in chunks(image, &agi, database) {
            for index in (0..INODES_PER_CHUNK).filter(|i| rec.allocated() >> i & 1 == 1) {
                let ino = image.geometry().ino(ag, AgIno(rec.start.0 + index));
                all.push((ino, rec.free >> index & 1 == 1));
            }
        }
    }
    all
}

fn optional(
    image: &Image,
    kind: BtreeKind,
    ag: AgNumber,
    root: Option<TreeRoot>,
    database: &Database,
) -> Walked {
    root.map(|root| tree(image, kind, ag, root, database)).unwrap_or_default()
}

/// Walks a tree, checks order and heights, and compares some leaves with xfs_db.
fn tree(
    image: &Image,
    kind: BtreeKind,
    ag: AgNumber,
    root: TreeRoot,
    database: &Database,
) -> Walked {
    assert!(root.levels <= image.superblock.limits().max_levels(kind), "{}", kind.name());
    let mut walked = Walked::default();
    walk(image, kind, ag, root.block, root.levels - 1, &mut walked);
    ascending(kind, &walked);
    let leaves = &walked.leaves[..walked.leaves.len().min(LEAVES_COMPARED)];
    let fsb = |block: u64| image.geometry().fs_block(ag, AgBlock(block as u32));
    let commands: Vec<_> =
        leaves.iter().map(|(block, _)| leaf_commands(kind, fsb(*block))).collect();
    for ((block, records), text) in leaves.iter().zip(database.texts(&commands)) {
        let expected = rows(&text, "recs");
        let found: Vec<_> = records.iter().map(|bytes| printed(image, kind, bytes)).collect();
        assert_eq!(found.len(), expected.len(), "{} block {block} of AG {ag}", kind.name());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{} block {block} of AG {ag}", kind.name());
        }
    }
    walked
}

fn leaf_commands(kind: BtreeKind, block: FsBlock) -> Vec<String> {
    let name = match kind {
        BtreeKind::Bnobt => "bnobt",
        BtreeKind::Cntbt => "cntbt",
        BtreeKind::Inobt => "inobt",
        BtreeKind::Finobt => "finobt",
        BtreeKind::Rmapbt => "rmapbt",
        BtreeKind::Refcountbt => "refcntbt",
        BtreeKind::Bmbt => "bmapbtd",
    };
    vec![format!("fsblock {block}"), format!("type {name}"), "print recs".to_owned()]
}

/// A record as the columns that xfs_db prints.
fn printed(image: &Image, kind: BtreeKind, bytes: &[u8]) -> Vec<u64> {
    let flag = |set: bool| u64::from(set);
    match kind {
        BtreeKind::Bnobt | BtreeKind::Cntbt => {
            let rec = AllocRec::decode(bytes).unwrap();
            vec![rec.start.0.into(), rec.length.into()]
        }
        BtreeKind::Inobt | BtreeKind::Finobt => {
            let rec = chunk(image, bytes);
            let (start, free) = (u64::from(rec.start.0), rec.free);
            match image.superblock.features.has_sparse_inodes() {
                true => {
                    vec![start, rec.holes.into(), rec.count.into(), rec.free_count.into(), free]
                }
                false => vec![start, rec.free_count.into(), free],
            }
        }
        BtreeKind::Rmapbt => {
            let rec = RmapRec::decode(bytes).unwrap();
            assert_eq!(rec.encode().as_slice(), bytes);
            vec![
                rec.start.0.into(),
                rec.length.into(),
                rec.owner.to_disk(),
                rec.offset.0,
                flag(rec.state == ExtentState::Unwritten),
                flag(rec.fork == Fork::Attr),
                flag(rec.role == RmapRole::BmbtBlock),
            ]
        }
        BtreeKind::Refcountbt => {
            let rec = RefcountRec::decode(bytes).unwrap();
            assert_eq!(rec.encode().as_slice(), bytes);
            let cow = flag(rec.domain == RefcountDomain::Cow);
            vec![rec.start.0.into(), rec.length.into(), rec.refs.into(), cow]
        }
        BtreeKind::Bmbt => unreachable!("not a tree of an AG"),
    }
}

fn ascending(kind: BtreeKind, walked: &Walked) {
    let keys: Vec<_> = walked.records().map(|record| key_of(kind, record)).collect();
    let ordered = keys.windows(2).all(|pair| kind.compare_keys(&pair[0], &pair[1]).is_lt());
    assert!(ordered, "{} out of order", kind.name());
}

fn key_of(kind: BtreeKind, record: &[u8]) -> Vec<u8> {
    let mut key = vec![0; kind.key_size()];
    kind.key_of(record, &mut key);
    key
}

/// Walks the subtree at `block`; returns its lowest and highest key.
fn walk(
    image: &Image,
    kind: BtreeKind,
    ag: AgNumber,
    block: AgBlock,
    level: u16,
    walked: &mut Walked,
) -> (Vec<u8>, Vec<u8>) {
    let addr = image.geometry().addr(ag, block);
    let bytes = image.block(kind.block_kind(), addr, ag.0.into());
    let header = Header::decode(kind, &bytes).unwrap();
    assert_eq!(header.level, level);
    walked.blocks += 1;
    let count = usize::from(header.numrecs);
    if level == 0 {
        let record = |i| bytes[kind.record_offset(i)..][..kind.record_size()].to_vec();
        let records: Vec<_> = (0..count).map(record).collect();
        let keys = records.iter().map(|record| (key_of(kind, record), high_key(kind, record)));
        let bounds = bounds(kind, keys);
        walked.leaves.push((block.0.into(), records));
        return bounds;
    }
    let mut children = Vec::new();
    for index in 0..count {
        let pointer = wire::be32(&bytes, kind.pointer_offset(bytes.len(), index)).unwrap();
        let (low, high) = walk(image, kind, ag, AgBlock(pointer), level - 1, walked);
        let key = |at: usize| bytes[at..][..kind.key_size()].to_vec();
        assert_eq!(key(kind.key_offset(index)), low, "{} lowest key", kind.name());
        if kind.has_high_keys() {
            assert_eq!(key(kind.high_key_offset(index)), high, "{} highest key", kind.name());
        }
        children.push((low, high));
    }
    bounds(kind, children.into_iter())
}

fn high_key(kind: BtreeKind, record: &[u8]) -> Vec<u8> {
    let mut key = vec![0; kind.key_size()];
    if kind.has_high_keys() {
        kind.high_key_of(record, &mut key);
    }
    key
}

fn bounds(kind: BtreeKind, keys: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> (Vec<u8>, Vec<u8>) {
    let (lows, highs): (Vec<_>, Vec<_>) = keys.unzip();
    let high = highs.into_iter().max_by(|a, b| kind.compare_keys(a, b));
    (lows.into_iter().next().unwrap_or_default(), high.unwrap_or_default())
}
