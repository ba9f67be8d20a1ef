//! Tests of the log's formats that need no log.

use super::*;
use crate::kind::BlockKind;
use crate::records::Fork;
use crate::units::*;

const UUID: [u8; 16] = [7; 16];

/// Bytes that are the same in every run and look like nothing.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(step).collect()
}

fn sealed(size: u32, body: &[u8], wrap: Option<usize>) -> (RecordHeader, Vec<u8>) {
    let mut header = RecordHeader::new(UUID, Lsn::new(5, 40), Lsn::new(4, 900), size);
    header.length = body.len() as u32;
    header.operations = 3;
    let mut record = vec![0xee; header.header_blocks() as usize * LOG_BLOCK];
    record.extend_from_slice(body);
    seal_record(&header, &mut record, wrap);
    (RecordHeader::decode(&record).unwrap(), record)
}

fn slices(regions: &[Vec<u8>]) -> Vec<&[u8]> {
    regions.iter().map(Vec::as_slice).collect()
}

#[test]
fn a_sealed_record_gives_its_body_back() {
    for (size, blocks) in [(32 * 1024, 1), (32 * 1024, 63), (256 * 1024, 504), (64 * 1024, 120)] {
        let body = noise(size.into(), blocks * LOG_BLOCK);
        let (header, mut record) = sealed(size, &body, None);
        assert_eq!(check_record(&header, &record).unwrap(), RecordSum::Good);
        assert_eq!(unstamp_record(&header, &mut record).unwrap(), body);
    }
}

#[test]
fn every_block_of_a_sealed_record_carries_its_cycle() {
    let (header, record) = sealed(64 * 1024, &noise(1, 100 * LOG_BLOCK), Some(30));
    let cycles: Vec<u32> = record.chunks(LOG_BLOCK).map(cycle_of).collect();
    assert_eq!(header.header_blocks(), 2);
    assert!(cycles[..30].iter().all(|&cycle| cycle == 5));
    assert!(cycles[30..].iter().all(|&cycle| cycle == 6));
}

#[test]
fn a_changed_bit_of_a_record_breaks_its_checksum() {
    let (header, record) = sealed(64 * 1024, &noise(2, 20 * LOG_BLOCK), None);
    let checked = (0..record.len()).filter(|&at| at != 0 && !(32..36).contains(&at));
    // Reserved parts of headers, and what decides how many blocks there are, are left out.
    let checked = checked.filter(|&at| match at / LOG_BLOCK {
        0 => at < 328 && !(4..16).contains(&at) && !(320..324).contains(&at),
        1 => at % LOG_BLOCK < 260,
        _ => true,
    });
    for at in checked.step_by(37) {
        let mut changed = record.clone();
        changed[at] ^= 4;
        let sum = check_record(&header, &changed).unwrap();
        assert!(matches!(sum, RecordSum::Bad { .. }), "byte {at}: {sum:?}");
    }
}

#[test]
fn the_magic_is_never_a_cycle() {
    assert_eq!(next_cycle(RECORD_MAGIC - 1), RECORD_MAGIC + 1);
    assert_eq!(previous_cycle(RECORD_MAGIC + 1), RECORD_MAGIC - 1);
}

#[test]
fn logs_of_other_hosts_are_refused_by_name() {
    let mut header = RecordHeader::new(UUID, Lsn::new(1, 0), Lsn::new(1, 0), 32768);
    assert_eq!(header.check_format(), Ok(()));
    header.format = 2;
    assert!(header.check_format().unwrap_err().contains("big-endian"));
}

#[test]
fn operations_read_back() {
    use OperationKind::*;
    use RegionPart::*;
    let kinds = [
        (Start, Last, 0),
        (Region, Last, 12),
        (Region, More, 8),
        (Continued, More, 4),
        (Continued, Last, 4),
        (Commit, Last, 0),
    ];
    for (kind, part, length) in kinds {
        let operation = Operation { tid: 77, length, kind, part };
        let mut bytes = operation.encode().to_vec();
        bytes.extend(noise(3, length as usize + 5));
        let (read, data, rest) = Operation::decode(&bytes).unwrap();
        assert_eq!((read, data.len(), rest.len()), (operation, length as usize, 5));
    }
    let (unmount, data, _) =
        Operation::decode(&unmount_operation()).map(|o| (o.0, o.1.len(), 0)).unwrap();
    assert_eq!((unmount.kind, data), (Unmount, 8));
}

#[test]
fn an_operation_longer_than_its_record_is_refused() {
    let operation =
        Operation { tid: 1, length: 9, kind: OperationKind::Region, part: RegionPart::Last };
    let mut bytes = operation.encode().to_vec();
    bytes.extend([0; 8]);
    assert!(Operation::decode(&bytes).is_err());
}

#[test]
fn buffer_items_read_back() {
    let mut format = BufferFormat::of_block(BlockKind::Bnobt, DiskAddr(80), 4096);
    for chunk in [0, 1, 5, 31] {
        format.mark(chunk);
    }
    assert_eq!(format.runs(), [0..256, 640..768, 3968..4096]);
    let contents = [noise(1, 256), noise(2, 128), noise(3, 128)];
    let encoded = format.encode();
    assert_eq!((encoded.len(), item_start(&encoded).unwrap()), (24, (0x123c, 4)));
    let mut regions = vec![encoded.as_slice()];
    regions.extend(contents.iter().map(Vec::as_slice));
    let Item::Buffer(item) = Item::decode(&regions).unwrap() else { panic!() };
    assert_eq!(item.format, format);
    assert_eq!(item.changes.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 640, 3968]);
}

#[test]
fn a_run_of_chunks_may_come_in_several_regions() {
    let mut format = BufferFormat::of_block(BlockKind::Bnobt, DiskAddr(80), 4096);
    (3..9).for_each(|chunk| format.mark(chunk));
    let parts = [format.encode(), noise(1, 256), noise(2, 512)];
    let item = BufferItem::decode(&slices(&parts)).unwrap();
    assert_eq!(
        item.changes.iter().map(|(at, b)| (*at, b.len())).collect::<Vec<_>>(),
        [(384, 256), (640, 512)]
    );
}

#[test]
fn a_chunk_outside_its_buffer_is_refused() {
    let mut format = BufferFormat::of_block(BlockKind::Agf, DiskAddr(1), 512);
    format.mark(3);
    assert!(BufferFormat::decode(&format.encode()).is_ok());
    format.dirty[0] |= 1 << 4;
    assert!(BufferFormat::decode(&format.encode()).is_err());
}

fn disk_core(flags2: u64) -> [u8; CORE] {
    let mut core = [0; CORE];
    core.copy_from_slice(&noise(9, CORE));
    core[..6].copy_from_slice(&[b'I', b'N', 0x81, 0xa4, 3, 2]);
    core[120..128].copy_from_slice(&flags2.to_be_bytes());
    core[132..144].fill(0);
    if flags2 & 1 << 4 == 0 {
        core[24..32].fill(0);
    }
    core
}

#[test]
fn inode_cores_survive_the_log_but_for_what_it_does_not_keep() {
    for flags2 in [0, 1 << 3, 1 << 4, 1 << 3 | 1 << 4 | 2] {
        let disk = disk_core(flags2);
        let log = core_to_log(&disk);
        assert_eq!(log[..2], *b"NI");
        let mut back = disk_core(0);
        back[96..104].copy_from_slice(&disk[96..104]);
        core_to_disk(&log, &mut back, Lsn(u64::from_be_bytes(disk[112..120].try_into().unwrap())))
            .unwrap();
        assert_eq!(back, disk);
    }
}

#[test]
fn inode_items_read_back_in_both_layouts() {
    let core = core_to_log(&disk_core(0));
    let (extents, local) = (noise(1, 32), noise(2, 8));
    let item = InodeItem {
        ino: Ino(0x1_0000_0083),
        cluster: DiskAddr(128),
        cluster_blocks: 32,
        offset: 1536,
        core: &core,
        device: Some(0x0103),
        data: ForkContents::Extents(&extents),
        attr: ForkContents::Local(&local),
        new_owner: vec![Fork::Data],
    };
    let mut regions = item.encode();
    assert_eq!((regions[0].len(), regions.len()), (56, 4));
    assert_eq!(Item::decode(&slices(&regions)).unwrap(), Item::Inode(item.clone()));
    for blocks in [0, 129, u32::MAX] {
        let regions = InodeItem { cluster_blocks: blocks, ..item.clone() }.encode();
        assert!(Item::decode(&slices(&regions)).is_err(), "a cluster of {blocks} units");
    }
    regions[0].drain(12..16);
    assert_eq!(Item::decode(&slices(&regions)).unwrap(), Item::Inode(item));
}

#[test]
fn roots_survive_the_log() {
    let mut fork = vec![0; 336];
    fork[..4].copy_from_slice(&[0, 2, 0, 3]);
    fork[4..28].copy_from_slice(&noise(1, 24));
    fork[4 + 20 * 8..4 + 20 * 8 + 24].copy_from_slice(&noise(2, 24));
    let log = broot_to_log(&fork).unwrap();
    assert_eq!(log.len(), 72 + 3 * 16);
    let mut back = vec![0; 336];
    broot_to_disk(&log, &mut back).unwrap();
    assert_eq!(back, fork);
    assert!(broot_to_disk(&log, &mut [0; 36]).is_err(), "room for two keys only");
    let empty = broot_to_log(&[0, 1, 0, 0]).unwrap();
    assert!(broot_to_disk(&empty, &mut []).is_err(), "no fork");
}

fn intents() -> Vec<Intent> {
    let free = vec![
        FreeExtent { start: FsBlock(70), length: 3 },
        FreeExtent { start: FsBlock(1 << 40), length: 1 },
    ];
    let rmap = RmapUpdate {
        op: RmapOp::ConvertShared,
        owner: 131,
        start: FsBlock(9),
        offset: FileBlock(4),
        length: 2,
        fork: Fork::Attr,
        bmbt: false,
        unwritten: true,
    };
    let refcount = RefcountUpdate { op: RefcountOp::FreeCow, start: FsBlock(8), length: 7 };
    let map = MapUpdate {
        op: MapOp::Unmap,
        ino: Ino(133),
        start: FsBlock(6),
        offset: FileBlock(5),
        length: 4,
        fork: Fork::Data,
        unwritten: true,
        realtime: false,
    };
    let exchange = Exchange {
        inodes: [Ino(131), Ino(132)],
        generations: [4, 5],
        offsets: [FileBlock(0), FileBlock(16)],
        blocks: 8,
        sizes: [100, 200],
        fork: Fork::Data,
        flags: vec![ExchangeFlag::SetSizes, ExchangeFlag::ClearSecondReflink],
    };
    let ops = [
        AttrOp::Set(noise(1, 13)),
        AttrOp::Remove,
        AttrOp::Replace(vec![]),
        AttrOp::SetParent(noise(2, 12)),
        AttrOp::RemoveParent(noise(3, 12)),
        AttrOp::ReplaceParent {
            old_value: noise(4, 12),
            new_name: b"longer name".to_vec(),
            new_value: noise(5, 12),
        },
    ];
    let attr =
        |op| AttrUpdate { ino: Ino(134), generation: 9, filter: 8, name: b"name".to_vec(), op };
    let mut works = vec![
        Work::Free(free),
        Work::Rmap(vec![rmap, rmap]),
        Work::Refcount(vec![refcount]),
        Work::Map(vec![map]),
        Work::Exchange(exchange),
    ];
    works.extend(ops.map(|op| Work::Attr(attr(op))));
    works.into_iter().map(|work| Intent { id: 0xffff_8881_0000_1234, work }).collect()
}

#[test]
fn intents_and_done_items_read_back() {
    for intent in intents() {
        let regions = intent.encode();
        assert_eq!(usize::from(item_start(&regions[0]).unwrap().1), regions.len());
        assert_eq!(Item::decode(&slices(&regions)), Ok(Item::Intent(intent.clone())));
        let done = intent.done().encode(&[]);
        assert_eq!(Item::decode(&slices(&done)), Ok(Item::Done(intent.done())));
    }
}

#[test]
fn efis_of_32_bit_kernels_are_read() {
    let mut packed = Vec::new();
    packed.extend([0x36, 0x12, 1, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    packed.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]);
    let extents = vec![
        FreeExtent { start: FsBlock(1), length: 2 },
        FreeExtent { start: FsBlock(3), length: 4 },
    ];
    let expected = Intent { id: 5, work: Work::Free(extents) };
    assert_eq!(Item::decode(&[&packed]), Ok(Item::Intent(expected)));
}

#[test]
fn realtime_items_are_refused_by_name() {
    let error = Item::decode(&[&[0x4c, 0x12, 1, 0]]).unwrap_err();
    assert!(error.to_string().contains("RUI_RT"), "{error}");
    assert_eq!(Item::decode(&[&[0x38, 0x12, 1, 0]]), Err(ItemError::Unknown(0x1238)));
}

#[test]
fn the_other_items_read_back() {
    let create = InodeCreate {
        ag: AgNumber(1),
        start: AgBlock(16),
        count: 64,
        inode_size: 512,
        length: 8,
        generation: 3,
    };
    assert_eq!(Item::decode(&slices(&create.encode())), Ok(Item::InodeCreate(create)));
    let off = QuotaOff { kinds: vec![QuotaKind::User, QuotaKind::Group] };
    assert_eq!(Item::decode(&slices(&off.encode())), Ok(Item::QuotaOff(off)));
    let mut record = [0; QUOTA_RECORD];
    record[5] = 2;
    let quota = QuotaItem { id: 1000, addr: DiskAddr(96), blocks: 1, offset: 136, record: &record };
    assert_eq!(quota.kind(), Some(QuotaKind::Project));
    assert_eq!(Item::decode(&slices(&quota.encode())), Ok(Item::Quota(quota)));
}

#[test]
fn no_item_makes_a_decoder_panic() {
    let core = core_to_log(&disk_core(0));
    let mut samples: Vec<Vec<Vec<u8>>> = intents().iter().map(Intent::encode).collect();
    let mut buffer = BufferFormat::of_block(BlockKind::Bnobt, DiskAddr(8), 4096);
    [0, 1, 9].into_iter().for_each(|chunk| buffer.mark(chunk));
    samples.push(vec![buffer.encode(), noise(1, 256), noise(2, 128)]);
    let item = |data| InodeItem {
        ino: Ino(131),
        cluster: DiskAddr(128),
        cluster_blocks: 32,
        offset: 0,
        core: &core,
        device: None,
        data,
        attr: ForkContents::Unchanged,
        new_owner: vec![],
    };
    samples.push(item(ForkContents::Local(&noise(4, 12))).encode());
    for (index, sample) in samples.iter().enumerate() {
        for round in 0..2000 {
            let mut bad = sample.clone();
            let dice = noise(index as u64 * 5000 + round, 8);
            let region = usize::from(dice[0]) % bad.len();
            let at = usize::from(dice[1]) % bad[region].len().max(1);
            match dice[2] % 3 {
                0 => bad[region].truncate(at),
                1 => bad[region][at..].iter_mut().take(2).for_each(|byte| *byte = dice[3]),
                _ => drop(bad.remove(region)),
            }
            let _ = Item::decode(&slices(&bad));
            let _ = broot_to_disk(&dice, &mut [0; 64]);
        }
    }
}

#[test]
fn no_record_makes_a_decoder_panic() {
    let (_, record) = sealed(64 * 1024, &noise(1, 10 * LOG_BLOCK), None);
    for round in 0..5000 {
        let mut bad = record.clone();
        let dice = noise(round, 8);
        let at = (usize::from(dice[0]) << 8 | usize::from(dice[1])) % 400;
        bad[at] = dice[2];
        bad.truncate(LOG_BLOCK + usize::from(dice[3]) * 32);
        if let Ok(header) = RecordHeader::decode(&bad) {
            let _ = check_record(&header, &bad);
            if let Ok(mut rest) = unstamp_record(&header, &mut bad).map(|body| &*body) {
                while let Ok((_, _, next)) = Operation::decode(rest) {
                    rest = next;
                }
            }
        }
    }
}
