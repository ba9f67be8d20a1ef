//! Sparse files in archives: the old way of GNU (kind `S`), and its three ways in extended headers.
//!
//! Each way is a list of runs and a size. Runs follow each other in the archive without gaps.

use super::{BLOCK, Entry, Scan, pax, refuse};
use crate::contents::{Contents, Run};
use crate::error::Result;
use std::sync::Arc;
use tar::{GnuExtSparseHeader, GnuSparseHeader};

/// Most runs of a file.
const MOST_RUNS: usize = 1 << 20;
/// Largest file that anybody can have, in bytes.
const LARGEST: u64 = i64::MAX as u64;

/// A file of the old kind: runs in the header and in blocks behind it.
pub(super) fn old(scan: &mut Scan<'_>, entry: &Entry<'_>) -> Result<Contents> {
    let Some(header) = entry.found.header.as_gnu() else {
        return refuse(entry, "is sparse in a way that is not GNU's");
    };
    let (mut runs, mut more) = (Vec::new(), header.is_extended());
    add(&mut runs, &header.sparse, entry)?;
    while more {
        let block = scan.block(scan.at)?;
        scan.at += BLOCK;
        let mut extended = GnuExtSparseHeader::new();
        extended.as_mut_bytes().copy_from_slice(&block);
        add(&mut runs, extended.sparse(), entry)?;
        more = extended.is_extended();
    }
    let Ok(size) = header.real_size() else { return refuse(entry, "has a size that is no number") };
    let (start, stored) = (scan.at, entry.size()?);
    scan.skip(entry.found, stored, &entry.name)?;
    contents(scan, entry, (size, &runs), start..start + stored)
}

fn add(runs: &mut Vec<(u64, u64)>, parts: &[GnuSparseHeader], entry: &Entry<'_>) -> Result<()> {
    for part in parts.iter().filter(|part| !part.is_empty()) {
        match (part.offset(), part.length()) {
            (Ok(offset), Ok(length)) if runs.len() < MOST_RUNS => runs.push((offset, length)),
            _ => return damaged(entry),
        }
    }
    Ok(())
}

/// A file that extended headers call sparse; `None` where they do not. The `stored` bytes of the
/// entry begin at byte `start` of the archive.
pub(super) fn of_pax(
    scan: &Scan<'_>,
    entry: &Entry<'_>,
    start: u64,
    stored: u64,
) -> Result<Option<Contents>> {
    let pax = entry.said;
    let size = pax.number(b"GNU.sparse.realsize").or(pax.number(b"GNU.sparse.size"));
    let Some(size) = size else { return Ok(None) };
    let Some(size) = size else { return damaged(entry) };
    let end = start + stored;
    if pax.number(b"GNU.sparse.major") == Some(Some(1)) {
        let (runs, data) = list(scan, entry, start..end)?;
        return contents(scan, entry, (size, &runs), data..end).map(Some);
    }
    let runs = match pax.value(b"GNU.sparse.map") {
        Some(map) => {
            let numbers: Option<Vec<u64>> =
                map.split(|&byte| byte == b',').map(pax::number).collect();
            numbers
                .filter(|numbers| numbers.len().is_multiple_of(2))
                .map(|numbers| numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
        }
        None => pax.pairs(b"GNU.sparse.offset", b"GNU.sparse.numbytes"),
    };
    let Some(runs) = runs else { return damaged(entry) };
    contents(scan, entry, (size, &runs), start..end).map(Some)
}

type Runs = Vec<(u64, u64)>;

/// The list before the bytes of a file: a line for their number, two for each run, padding. Where
/// the bytes begin.
fn list(scan: &Scan<'_>, entry: &Entry<'_>, range: std::ops::Range<u64>) -> Result<(Runs, u64)> {
    let mut at = range.start;
    let (mut line, mut numbers) = (Vec::new(), Vec::new());
    let mut count = None;
    loop {
        if at >= range.end {
            return damaged(entry);
        }
        let block = scan.block(at)?;
        at += BLOCK;
        for byte in block {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let Some(number) = pax::number(&line).filter(|_| !line.is_empty()) else {
                return damaged(entry);
            };
            line.clear();
            match count {
                None if number <= MOST_RUNS as u64 => count = Some(number as usize * 2),
                None => return damaged(entry),
                Some(_) => numbers.push(number),
            }
            if count == Some(numbers.len()) {
                let runs = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                return Ok((runs, at));
            }
        }
        if line.len() > 20 {
            return damaged(entry);
        }
    }
}

/// The file of these runs, which lie one after the other in `stored` of the archive.
fn contents(
    scan: &Scan<'_>,
    entry: &Entry<'_>,
    (size, runs): (u64, &[(u64, u64)]),
    stored: std::ops::Range<u64>,
) -> Result<Contents> {
    if size > LARGEST {
        return refuse(entry, format!("says that it has {size} bytes, more than any file"));
    }
    let (mut end, mut at) = (0, stored.start);
    let mut placed = Vec::new();
    for &(offset, length) in runs {
        let behind = offset.checked_add(length).filter(|&behind| behind <= size && offset >= end);
        let next = at.checked_add(length).filter(|&next| next <= stored.end);
        let (Some(behind), Some(next)) = (behind, next) else { return damaged(entry) };
        if length > 0 {
            placed.push(Run { offset, at, length });
        }
        (end, at) = (behind, next);
    }
    Ok(Contents::archive(&Arc::clone(&scan.archive), size, placed))
}

fn damaged<T>(entry: &Entry<'_>) -> Result<T> {
    refuse(entry, "has a list of holes that contradicts itself")
}
