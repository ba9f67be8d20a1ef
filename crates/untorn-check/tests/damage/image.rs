//! The volume that is hurt: made by Linux, kept as what is not zero of its metadata.
//!
//! ```text
//! size of the volume u64 | runs: first sector u32, sectors u32, pieces of one sector
//! pieces: zeroes u16, literals u16, the literals ... until 512 bytes are full
//! ```
//! All numbers big-endian. A run repeats one sector; sectors of zeroes are left out.

use super::patient::Names;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::Ino;

const SECTOR: usize = 512;

/// A volume and the inode numbers of its files.
pub struct Image {
    pub device: MemoryDevice,
    pub names: Names,
}

impl Image {
    /// The image kept with the tests.
    pub fn kept() -> Self {
        let names = include_str!("../linux/damage.names");
        let names = names.lines().map(|line| {
            let (ino, name) = line.split_once(' ').unwrap();
            (name.to_owned(), Ino(ino.parse().unwrap()))
        });
        let device = unpack(include_bytes!("../linux/damage.image"));
        Self { device, names: names.collect() }
    }

    /// The names as they are kept.
    pub fn names_as_text(&self) -> String {
        self.names.iter().map(|(name, ino)| format!("{ino} {name}\n")).collect()
    }
}

fn number<const N: usize>(bytes: &mut &[u8]) -> u64 {
    let (head, rest) = bytes.split_at(N);
    *bytes = rest;
    head.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn unpack(mut bytes: &[u8]) -> MemoryDevice {
    let device = MemoryDevice::new(number::<8>(&mut bytes));
    while !bytes.is_empty() {
        let (first, count) = (number::<4>(&mut bytes), number::<4>(&mut bytes));
        let mut sector = Vec::new();
        while sector.len() < SECTOR {
            let (zeroes, literals) = (number::<2>(&mut bytes), number::<2>(&mut bytes));
            sector.resize(sector.len() + zeroes as usize, 0);
            let (head, rest) = bytes.split_at(literals as usize);
            sector.extend(head);
            bytes = rest;
        }
        for index in first..first + count {
            device.write_at(index * SECTOR as u64, &sector).unwrap();
        }
    }
    device
}

/// The image as it is kept.
pub fn pack(device: &MemoryDevice) -> Vec<u8> {
    let size = device.geometry().size;
    let mut all = vec![0; size as usize];
    device.read_at(0, &mut all).unwrap();
    let mut out = size.to_be_bytes().to_vec();
    let sectors: Vec<&[u8]> = all.chunks_exact(SECTOR).collect();
    let mut at = 0;
    while at < sectors.len() {
        let same = sectors[at..].iter().take_while(|sector| **sector == sectors[at]).count();
        if sectors[at].iter().any(|&byte| byte != 0) {
            out.extend((at as u32).to_be_bytes());
            out.extend((same as u32).to_be_bytes());
            pack_sector(sectors[at], &mut out);
        }
        at += same;
    }
    out
}

fn pack_sector(mut rest: &[u8], out: &mut Vec<u8>) {
    while !rest.is_empty() {
        let zeroes = rest.iter().take_while(|&&byte| byte == 0).count();
        let after = &rest[zeroes..];
        // Zeroes that are too few to be worth a piece count as literals.
        let ends = |at: &usize| after[*at..].iter().take(6).all(|&byte| byte == 0);
        let literals = (0..after.len()).find(ends).unwrap_or(after.len());
        out.extend((zeroes as u16).to_be_bytes());
        out.extend((literals as u16).to_be_bytes());
        out.extend(&after[..literals]);
        rest = &after[literals..];
    }
}
