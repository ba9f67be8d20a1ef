//! Volumes with any bytes anywhere, looked at with `untorn db`: it shows what it can, says what it
//! cannot, and ends.

use crate::base::{SECTOR, Spot, bases, read};
use crate::script::Script;
use untorn_db::{Session, Type};
use untorn_device::{BlockDevice, MemoryDevice};

/// Most blocks that one input damages.
const MOST: u8 = 6;
/// Most bytes that one command may say: a block of 64 KiB, character by character, is less.
const LONGEST: usize = 4 << 20;

/// Commands that read more than the place.
const WHOLE: [&str; 9] =
    ["freesp -d", "frag -v", "ncheck", "version", "info", "label", "inode 128", "ls", "bmap"];
/// Fields that lead on.
const FIELDS: [&str; 12] = [
    "bnoroot",
    "root",
    "ptrs[1]",
    "recs[1].startino",
    "u3.bmx[0].startblock",
    "u3.bmbt.ptrs[1]",
    "u3.sfdir3.list[0].inumber.i4",
    "bu[2].inumber",
    "nbtree[0].before",
    "btree[0].before",
    "unlinked[3]",
    "leftsib",
];

/// Damages blocks of a volume, checksums and all, and looks at the first as every type, at each
/// other as one, and at some inodes.
pub fn database(input: &[u8]) {
    let mut script = Script::new(input);
    let base = &bases()[script.below(bases().len())];
    let device = base.device.snapshot();
    let count = 1 + script.byte() % MOST;
    let spots: Vec<_> = (0..count).map(|_| base.spots[script.below(base.spots.len())]).collect();
    spots.iter().for_each(|spot| damage(*spot, &device, &mut script));
    // Where nothing says what the volume is, that is all that can be said.
    let Ok(mut session) = Session::open(&device, "volume") else { return };
    for (index, spot) in spots.into_iter().enumerate() {
        match index {
            0 => look(&mut session, spot, Type::all(), &mut script),
            _ => {
                let one = some_type(&mut script);
                look(&mut session, spot, std::iter::once(one), &mut script);
            }
        }
    }
    WHOLE.iter().for_each(|command| say(&mut session, command));
    inodes(&mut session, script.byte() % 16);
}

fn damage(spot: Spot, device: &MemoryDevice, script: &mut Script<'_>) {
    let offset = spot.addr.0 * SECTOR;
    let mut bytes = read(device, offset, spot.length);
    (0..1 + script.byte() % 8).for_each(|_| script.edit(&mut bytes));
    let done = device.write_at(offset, &bytes);
    done.unwrap_or_else(|error| panic!("memory can be written: {error}"));
}

fn some_type(script: &mut Script<'_>) -> Type {
    let types: Vec<Type> = Type::all().collect();
    types[script.below(types.len())]
}

/// As each of `types`, following what it points at.
fn look(
    session: &mut Session<'_>,
    spot: Spot,
    types: impl Iterator<Item = Type>,
    script: &mut Script<'_>,
) {
    let go = format!("daddr {}", spot.addr.0);
    let block = format!("convert daddr {} fsblock", spot.addr.0);
    let block = session.run(&block).map(|answer| answer.text).unwrap_or_default();
    let block = block.split(' ').next().unwrap_or("0").to_owned();
    let go = [go, format!("fsblock {block}")];
    for kind in types {
        say(session, &go[script.below(go.len())]);
        say(session, &format!("type {}", kind.name()));
        say(session, "p");
        let field = FIELDS[script.below(FIELDS.len())];
        say(session, &format!("p {field}"));
        say(session, &format!("addr {field}"));
        say(session, "p");
    }
}

/// Four inodes from the `first` on, with the first blocks of their forks.
fn inodes(session: &mut Session<'_>, first: u8) {
    for ino in (128 + u64::from(first)..).take(4) {
        for command in ["p", "bmap", "dblock 0", "p", "ablock 0", "p", "ls"] {
            say(session, &format!("inode {ino}"));
            say(session, command);
        }
    }
}

fn say(session: &mut Session<'_>, command: &str) {
    if let Ok(answer) = session.run(command) {
        let said = answer.text.len();
        assert!(said <= LONGEST, "{command} says {said} bytes");
    }
}
