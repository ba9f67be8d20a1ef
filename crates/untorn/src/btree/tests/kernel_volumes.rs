//! Trees that Linux wrote, under the verifier; and trees changed here, under Linux and xfs_repair.

use super::memory::{Home, Memory, RootBytes, TestError};
use super::verifier::check;
use crate::btree::*;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use untorn_format::ag::*;
use untorn_format::btree::{BtreeKind, Header};
use untorn_format::inode::{self, ForkFormat, InodeCore};
use untorn_format::records::{ChunkForm, Fork};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::*;
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{self, Life, MkfsOptions, Mounted, Recipe, Scratch};

/// A volume in a file that nobody has mounted.
struct Volume {
    file: File,
    superblock: Superblock,
}

impl Volume {
    fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut first = vec![0; 4096];
        file.read_exact_at(&mut first, 0).unwrap();
        Self { file, superblock: Superblock::decode(&first).unwrap() }
    }
    fn geometry(&self) -> &Geometry {
        self.superblock.geometry()
    }
    fn ags(&self) -> impl Iterator<Item = AgNumber> + use<> {
        (0..self.geometry().ag_count).map(AgNumber)
    }
    fn read(&self, addr: DiskAddr, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, addr.0 << 9).unwrap();
        bytes
    }
    fn write(&self, kind: BlockKind, addr: DiskAddr, bytes: &mut [u8]) {
        kind::seal(kind, bytes, self.superblock.lsn);
        self.file.write_all_at(bytes, addr.0 << 9).unwrap();
    }
    fn header(&self, ag: AgNumber, index: u32) -> (DiskAddr, Vec<u8>) {
        let addr = self.geometry().header_addr(ag, index);
        (addr, self.read(addr, self.geometry().sector_size()))
    }
    fn agf(&self, ag: AgNumber) -> Agf {
        let (addr, bytes) = self.header(ag, 1);
        Agf::decode(&bytes, &self.superblock.identity(addr, None)).unwrap()
    }
    fn agi(&self, ag: AgNumber) -> Agi {
        let (addr, bytes) = self.header(ag, 2);
        Agi::decode(&bytes, &self.superblock.identity(addr, None)).unwrap()
    }
    fn chunk_form(&self) -> ChunkForm {
        match self.superblock.features.has_sparse_inodes() {
            true => ChunkForm::Sparse,
            false => ChunkForm::Full,
        }
    }
    fn root(&self, ag: AgNumber, kind: BtreeKind) -> Option<TreeRoot> {
        match kind {
            BtreeKind::Bnobt => Some(self.agf(ag).bnobt),
            BtreeKind::Cntbt => Some(self.agf(ag).cntbt),
            BtreeKind::Rmapbt => self.agf(ag).rmapbt,
            BtreeKind::Refcountbt => self.agf(ag).refcountbt,
            BtreeKind::Inobt => Some(self.agi(ag).inobt),
            BtreeKind::Finobt => self.agi(ag).finobt,
            BtreeKind::Bmbt => None,
        }
    }
    /// A tree of an AG as Linux left it, with all its blocks.
    fn load(&self, ag: AgNumber, kind: BtreeKind) -> Option<Memory> {
        let root = self.root(ag, kind)?;
        let (ptr, levels) = (u64::from(root.block.0), u32::from(root.levels));
        let mut memory = self.memory(ag, kind, RootBytes::Block { ptr, levels });
        self.load_block(&mut memory, ptr, u64::from(ag.0));
        Some(memory)
    }
    fn memory(&self, ag: AgNumber, kind: BtreeKind, root: RootBytes) -> Memory {
        let (geometry, uuid) = (self.geometry().clone(), self.superblock.meta_uuid);
        Memory::new(kind, self.geometry().block_size(), root, Home { geometry, uuid, ag })
    }
    fn load_block(&self, memory: &mut Memory, ptr: u64, owner: u64) {
        let (geometry, kind) = (self.geometry(), memory.kind);
        let addr = match kind.is_long() {
            true => geometry.addr_of(FsBlock(ptr)).unwrap(),
            false => geometry.addr(memory.home.ag, AgBlock(ptr as u32)),
        };
        let bytes = self.read(addr, memory.size);
        let newest = Some(self.superblock.lsn);
        let identity = Identity { owner: Some(owner), ..self.superblock.identity(addr, newest) };
        kind::verify(kind.block_kind(), &bytes, &identity).unwrap();
        let header = Header::decode(kind, &bytes).unwrap();
        for index in (0..usize::from(header.numrecs)).filter(|_| header.level > 0) {
            let at = kind.pointer_offset(memory.size, index);
            let pointer = &bytes[at..at + kind.pointer_size()];
            let child = pointer.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
            self.load_block(memory, child, owner);
        }
        memory.blocks.insert(ptr, bytes.into());
    }
    /// Both forks of every inode whose extents are in a tree.
    fn fork_trees(&self) -> Vec<Memory> {
        let inodes = self.ags().flat_map(|ag| {
            let memory = self.load(ag, BtreeKind::Inobt).unwrap();
            let chunks = check(Chunks(self.chunk_form()), &memory);
            let used = chunks.into_iter().flat_map(|chunk| {
                let used = (0..64).filter(move |bit| chunk.free >> bit & 1 == 0);
                used.map(move |bit| AgIno(chunk.start.0 + bit))
            });
            used.map(move |ino| (ag, ino)).collect::<Vec<_>>()
        });
        inodes.flat_map(|(ag, ino)| self.trees_of(ag, ino)).collect()
    }
    fn trees_of(&self, ag: AgNumber, ino: AgIno) -> Vec<Memory> {
        let geometry = self.geometry();
        let (block, index) = geometry.inode_block(ino);
        let bytes = self.read(geometry.addr(ag, block), geometry.block_size());
        let at = index as usize * geometry.inode_size();
        let bytes = &bytes[at..at + geometry.inode_size()];
        let ino = geometry.ino(ag, ino);
        let core = InodeCore::decode(bytes, &self.superblock.inode_identity(ino, None)).unwrap();
        let forks = [Fork::Data, Fork::Attr].into_iter();
        let trees = forks.filter(|fork| core.fork_format(*fork) == ForkFormat::Btree);
        trees
            .map(|fork| {
                let area = match fork {
                    Fork::Data => inode::data_fork(bytes),
                    Fork::Attr => inode::attr_fork(bytes),
                };
                let area = area.unwrap().to_vec();
                let root = untorn_format::btree::root::Root::decode(&area).unwrap();
                let mut memory = self.memory(ag, BtreeKind::Bmbt, RootBytes::Fork(area));
                root.children.iter().for_each(|(_, ptr)| {
                    self.load_block(&mut memory, ptr.0, ino.0);
                });
                memory
            })
            .collect()
    }
}

/// A made and filled volume, unmounted.
fn filled(path: &Path, size: u64, options: &MkfsOptions, recipes: &[Recipe]) {
    kernel::make_volume(path, size, options).unwrap();
    let mounted = Mounted::new(path).unwrap();
    for (seed, recipe) in recipes.iter().enumerate() {
        let root = mounted.at(format!("recipe-{seed}"));
        std::fs::create_dir(&root).unwrap();
        kernel::fill(&root, *recipe, seed as u64).unwrap();
    }
    mounted.unmount().unwrap();
}

/// The verifier has nothing against the tree, and a walk shows the same records: how many levels.
fn inspect<K: TreeKind>(kind: K, memory: &mut Memory) -> usize {
    let records = check(kind, memory);
    let levels = memory.levels() as usize;
    let Some(first) = records.first().map(K::rank) else { return levels };
    let walked: Result<Vec<_>, _> = Tree::new(kind, memory).records_from(first).collect();
    assert_eq!(walked.unwrap(), records);
    levels
}

fn inspect_all(volume: &Volume) -> [usize; 7] {
    let mut tallest = [0; 7];
    let form = volume.chunk_form();
    for ag in volume.ags() {
        for (slot, kind) in BtreeKind::ALL.into_iter().enumerate() {
            let Some(mut memory) = volume.load(ag, kind) else { continue };
            let levels = match kind {
                BtreeKind::Bnobt => inspect(ByBlock, &mut memory),
                BtreeKind::Cntbt => inspect(ByLength, &mut memory),
                BtreeKind::Inobt => inspect(Chunks(form), &mut memory),
                BtreeKind::Finobt => inspect(FreeChunks(form), &mut memory),
                BtreeKind::Rmapbt => inspect(Rmaps, &mut memory),
                BtreeKind::Refcountbt => inspect(Refcounts, &mut memory),
                BtreeKind::Bmbt => unreachable!(),
            };
            tallest[slot] = tallest[slot].max(levels);
        }
    }
    for mut memory in volume.fork_trees() {
        tallest[6] = tallest[6].max(inspect(Extents, &mut memory));
    }
    tallest
}

const MIB: u64 = 1 << 20;

#[test]
fn trees_that_linux_wrote_keep_every_invariant_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    let options = MkfsOptions { block_size: 1024, rmapbt: true, ..MkfsOptions::default() };
    let recipes = [
        Recipe::EveryForm,
        Recipe::Aged { operations: 3000 },
        Recipe::ManyFiles { count: 5000 },
        Recipe::Shattered,
    ];
    filled(&path, 300 * MIB, &options, &recipes);
    let tallest = inspect_all(&Volume::open(&path));
    assert!(tallest.iter().all(|&levels| levels >= 2), "levels: {tallest:?}");
    assert!(tallest.iter().any(|&levels| levels >= 3), "levels: {tallest:?}");
}

/// Takes out half of the records and puts them back in, both in no order.
fn churn<K: TreeKind>(kind: K, memory: &mut Memory, dice: &mut Dice) -> Result<(), TestError> {
    let mut records = check(kind, memory);
    let before = records.clone();
    for at in (1..records.len()).rev() {
        records.swap(at, dice.below(at as u64 + 1) as usize);
    }
    records.truncate(records.len() / 2);
    for record in &records {
        let mut tree = Tree::new(kind, &mut *memory);
        tree.seek(Find::Equal, K::rank(record))?;
        tree.remove()?;
    }
    records.reverse();
    records.iter().try_for_each(|record| Tree::new(kind, &mut *memory).insert(record))?;
    assert_eq!(check(kind, memory), before);
    Ok(())
}

/// The blocks of the free list, which is empty then.
fn take_free_list(volume: &Volume, ag: AgNumber) -> Vec<u64> {
    let (_, agfl) = volume.header(ag, 3);
    let blocks = volume.geometry().blocks_of(ag);
    let list = volume.agf(ag).free_list.blocks(&agfl, blocks).unwrap();
    list.into_iter().map(|block| u64::from(block.0)).collect()
}

fn put_free_list(volume: &Volume, ag: AgNumber, pool: &[u64]) {
    let (addr, mut bytes) = volume.header(ag, 3);
    let blocks: Vec<_> = pool.iter().map(|&block| AgBlock(block as u32)).collect();
    init_agfl(&mut bytes, ag, volume.superblock.meta_uuid, &blocks);
    volume.write(BlockKind::Agfl, addr, &mut bytes);
    let (addr, mut bytes) = volume.header(ag, 1);
    let slots = agfl_slots(bytes.len());
    AgflRing::fresh(blocks.len() as u32, slots).store(AgfDisk::of_mut(&mut bytes).unwrap());
    volume.write(BlockKind::Agf, addr, &mut bytes);
}

/// Writes the tree home, with root, levels and number of blocks in the header.
fn store(volume: &Volume, ag: AgNumber, memory: &Memory) {
    let kind = memory.kind.block_kind();
    let had = volume.load(ag, memory.kind).unwrap().blocks.len() as u32;
    for (ptr, image) in &memory.blocks {
        let mut bytes = image.to_vec();
        volume.write(kind, volume.geometry().addr(ag, AgBlock(*ptr as u32)), &mut bytes);
    }
    let RootBytes::Block { ptr, levels } = memory.root else { unreachable!() };
    let (ptr, grown) = (ptr as u32, (memory.blocks.len() as u32).wrapping_sub(had));
    let (agf_addr, mut agf_bytes) = volume.header(ag, 1);
    let (agi_addr, mut agi_bytes) = volume.header(ag, 2);
    let agf = AgfDisk::of_mut(&mut agf_bytes).unwrap();
    let agi = AgiDisk::of_mut(&mut agi_bytes).unwrap();
    let set = |root: &mut wire::U32, level: &mut wire::U32| {
        root.set(ptr);
        level.set(levels);
    };
    match memory.kind {
        BtreeKind::Bnobt => set(&mut agf.bno_root, &mut agf.bno_level),
        BtreeKind::Cntbt => set(&mut agf.cnt_root, &mut agf.cnt_level),
        BtreeKind::Rmapbt => set(&mut agf.rmap_root, &mut agf.rmap_level),
        BtreeKind::Refcountbt => set(&mut agf.refcount_root, &mut agf.refcount_level),
        BtreeKind::Inobt => set(&mut agi.root, &mut agi.level),
        BtreeKind::Finobt => set(&mut agi.free_root, &mut agi.free_level),
        BtreeKind::Bmbt => unreachable!(),
    }
    let add = |count: &mut wire::U32| count.set(count.get().wrapping_add(grown));
    match memory.kind {
        BtreeKind::Bnobt | BtreeKind::Cntbt => add(&mut agf.btreeblks),
        BtreeKind::Rmapbt => {
            add(&mut agf.btreeblks);
            add(&mut agf.rmap_blocks);
        }
        BtreeKind::Refcountbt => add(&mut agf.refcount_blocks),
        BtreeKind::Inobt => add(&mut agi.iblocks),
        BtreeKind::Finobt => add(&mut agi.fblocks),
        BtreeKind::Bmbt => unreachable!(),
    }
    volume.write(BlockKind::Agf, agf_addr, &mut agf_bytes);
    volume.write(BlockKind::Agi, agi_addr, &mut agi_bytes);
    if !matches!(memory.kind, BtreeKind::Bnobt | BtreeKind::Cntbt | BtreeKind::Rmapbt) {
        count_free(volume, grown);
    }
}

/// Blocks of the free list count as free, those of the other trees do not.
fn count_free(volume: &Volume, fewer: u32) {
    let addr = DiskAddr(0);
    let mut bytes = volume.read(addr, volume.geometry().sector_size());
    let raw = SuperblockDisk::of_mut(&mut bytes).unwrap();
    raw.fdblocks.set(raw.fdblocks.get().wrapping_add_signed(-i64::from(fewer as i32)));
    volume.write(BlockKind::Superblock, addr, &mut bytes);
}

/// Churns a tree; `false` where the free list had too few blocks for it.
fn rebuild<K: TreeKind>(volume: &Volume, ag: AgNumber, kind: K, dice: &mut Dice) -> bool {
    let Some(mut memory) = volume.load(ag, K::KIND) else { return false };
    memory.pool = Some(take_free_list(volume, ag));
    if churn(kind, &mut memory, dice).is_err() {
        return false;
    }
    let pool = memory.pool.take().unwrap();
    store(volume, ag, &memory);
    put_free_list(volume, ag, &pool);
    true
}

/// Trees of which kinds were rebuilt, of the volume in `path`.
fn rebuild_all(path: &Path, kinds: &[BtreeKind]) -> Vec<BtreeKind> {
    let volume = Volume::open(path);
    let (form, mut dice) = (volume.chunk_form(), Dice::new(7));
    let mut done = Vec::new();
    for ag in volume.ags() {
        for kind in kinds {
            let changed = match kind {
                BtreeKind::Bnobt => rebuild(&volume, ag, ByBlock, &mut dice),
                BtreeKind::Cntbt => rebuild(&volume, ag, ByLength, &mut dice),
                BtreeKind::Inobt => rebuild(&volume, ag, Chunks(form), &mut dice),
                BtreeKind::Finobt => rebuild(&volume, ag, FreeChunks(form), &mut dice),
                BtreeKind::Rmapbt => rebuild(&volume, ag, Rmaps, &mut dice),
                BtreeKind::Refcountbt => rebuild(&volume, ag, Refcounts, &mut dice),
                BtreeKind::Bmbt => unreachable!(),
            };
            done.extend(changed.then_some(*kind));
        }
    }
    volume.file.sync_all().unwrap();
    done
}

fn rebuilt_trees_satisfy_linux(options: &MkfsOptions, kinds: &[BtreeKind]) {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    let recipes =
        [Recipe::EveryForm, Recipe::Aged { operations: 2000 }, Recipe::ManyFiles { count: 4000 }];
    filled(&path, 300 * MIB, options, &recipes);
    let done = rebuild_all(&path, kinds);
    for kind in kinds {
        assert!(done.contains(kind), "{kind:?} was rebuilt in no AG: {done:?}");
    }
    kernel::xfs_repair_n(&path).unwrap().assert_clean();
    let mounted = Mounted::new(&path).unwrap();
    let mut life = Life::new(&mounted.root(), 3).unwrap();
    (0..2000).for_each(|_| assert!(life.step().is_ok()));
    drop(life);
    mounted.unmount().unwrap();
    kernel::xfs_repair_n(&path).unwrap().assert_clean();
    inspect_all(&Volume::open(&path));
}

#[test]
fn rebuilt_trees_of_free_space_and_owners_satisfy_xfs_repair_and_linux_kernel() {
    let options = MkfsOptions { block_size: 1024, rmapbt: true, ..MkfsOptions::default() };
    let kinds = [BtreeKind::Bnobt, BtreeKind::Cntbt, BtreeKind::Rmapbt];
    rebuilt_trees_satisfy_linux(&options, &kinds);
}

#[test]
fn rebuilt_trees_of_inodes_and_counts_satisfy_xfs_repair_and_linux_kernel() {
    // Without reverse mappings any tree may use blocks of the free list.
    let options = MkfsOptions { block_size: 1024, ..MkfsOptions::default() };
    let kinds = [
        BtreeKind::Refcountbt,
        BtreeKind::Inobt,
        BtreeKind::Finobt,
        BtreeKind::Bnobt,
        BtreeKind::Cntbt,
    ];
    rebuilt_trees_satisfy_linux(&options, &kinds);
}
