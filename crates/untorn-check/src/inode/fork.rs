//! The extents of a fork, in whichever form it has them: each inside the volume, in order, without
//! overlap, as many as the inode counts, in as many blocks.

use super::Node;
use crate::code::Code;
use crate::owners::{Claim, Claims, Sharing};
use crate::scan::{Scan, Step};
use crate::tree::{Visitor, Walk};
use untorn_format::btree::root::Root;
use untorn_format::inode::{FileKind, ForkFormat};
use untorn_format::units::*;
use untorn_format::{Extent, ExtentState, Fork, Place};

/// What a fork was found to map.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mapped {
    /// Blocks of the fork, with those of its bmbt.
    pub(crate) blocks: u64,
    /// The file block after the last that is mapped.
    pub(crate) end: FileBlock,
    /// Whether all of it could be read.
    pub(crate) intact: bool,
}

/// Checks a fork, claims its blocks, and shows its extents in order.
pub(crate) fn check(
    scan: &mut Scan<'_>,
    node: &Node<'_>,
    fork: Fork,
    claims: &mut Claims,
    show: &mut dyn FnMut(Extent),
) -> Step<Mapped> {
    let sharing = sharing(scan, node, fork);
    let mut taker =
        Taker { node, fork, sharing, claims, show, count: 0, mapped: Mapped::default() };
    taker.mapped.intact = true;
    match node.core.fork_format(fork) {
        ForkFormat::Extents => taker.list(scan)?,
        ForkFormat::Btree => taker.tree(scan)?,
        _ => return Ok(taker.mapped),
    }
    let (count, mapped) = (taker.count, taker.mapped);
    scan.stats.extents += count;
    if mapped.intact {
        let said = node.core.fork_extents(fork);
        let told =
            format_args!("{} fork: the inode counts {said} extents, there are {count}", name(fork));
        scan.demand(said == count, Code::ExtentCount, node.place(), told)?;
    } else {
        scan.blind.owners = true;
    }
    Ok(mapped)
}

fn sharing(scan: &Scan<'_>, node: &Node<'_>, fork: Fork) -> Sharing {
    let regular = node.core.kind() == Some(FileKind::Regular);
    match (fork, scan.sb.features.has_reflink() && regular, node.core.is_reflink()) {
        (Fork::Data, true, true) => Sharing::Flagged,
        (Fork::Data, true, false) => Sharing::Unflagged,
        _ => Sharing::Never,
    }
}

pub(crate) fn name(fork: Fork) -> &'static str {
    match fork {
        Fork::Data => "data",
        Fork::Attr => "attribute",
    }
}

struct Taker<'t> {
    node: &'t Node<'t>,
    fork: Fork,
    sharing: Sharing,
    claims: &'t mut Claims,
    show: &'t mut dyn FnMut(Extent),
    count: u64,
    mapped: Mapped,
}

impl Taker<'_> {
    /// Extents that stand in the inode one after the other.
    fn list(&mut self, scan: &mut Scan<'_>) -> Step {
        let (bytes, start) = self.node.fork(self.fork);
        let count = usize::try_from(self.node.core.fork_extents(self.fork)).unwrap_or(usize::MAX);
        for (index, record) in bytes.chunks_exact(Extent::SIZE).take(count).enumerate() {
            let offset = Some((start + index * Extent::SIZE) as u64);
            self.record(scan, record, Place { offset, ..self.node.place() })?;
        }
        Ok(())
    }

    /// Extents in a bmbt.
    fn tree(&mut self, scan: &mut Scan<'_>) -> Step {
        let (bytes, _) = self.node.fork(self.fork);
        let root = match Root::decode(bytes) {
            Ok(root) => root,
            Err(fault) => {
                self.mapped.intact = false;
                return scan.fault(&fault, self.node.place());
            }
        };
        let inline = (bytes.len() / Extent::SIZE) as u64;
        let mut walk = Walk::in_inode(scan, self.node.ino);
        walk.walk_from_fork(scan, &root, self)?;
        self.mapped.intact &= walk.intact;
        let fits = self.mapped.intact && self.count <= inline;
        let told = format_args!("{} fork: a bmbt for {} extents", name(self.fork), self.count);
        scan.demand(!fits, Code::ExtentForm, self.node.place(), told)
    }

    /// Whether an extent goes on after the ones before it and is of a kind that the fork may have.
    fn check(&mut self, scan: &mut Scan<'_>, extent: Extent, place: Place) -> Step {
        if extent.file < self.mapped.end {
            let told = format!(
                "{} fork: the extent at file block {} reaches back before {}",
                name(self.fork),
                extent.file,
                self.mapped.end
            );
            scan.find(Code::ExtentOrder, place, told)?;
        }
        let regular = self.node.core.kind() == Some(FileKind::Regular);
        if extent.state == ExtentState::Unwritten && !(regular && self.fork == Fork::Data) {
            let told =
                format!("{} fork: unwritten extent at file block {}", name(self.fork), extent.file);
            scan.find(Code::ExtentUnwritten, place, told)?;
        }
        Ok(())
    }
}

impl Visitor for Taker<'_> {
    fn block(&mut self, scan: &mut Scan<'_>, block: FsBlock) -> Step {
        scan.stats.btree_blocks += 1;
        self.mapped.blocks += 1;
        if let Some((ag, block)) = scan.geometry().split(block) {
            self.claims.add(ag, Claim::bmbt(block, self.node.ino, self.fork));
        }
        Ok(())
    }

    fn record(&mut self, scan: &mut Scan<'_>, record: &[u8], place: Place) -> Step {
        let extent = match Extent::decode(record) {
            Ok(extent) => extent,
            Err(fault) => {
                self.mapped.intact = false;
                return scan.fault(&fault, place);
            }
        };
        let Some(run) = scan.geometry().extent(extent.start, extent.length.into()) else {
            self.mapped.intact = false;
            let told = format!(
                "{} fork: {} blocks from block {:#x} do not lie in one AG of the volume",
                name(self.fork),
                extent.length,
                extent.start.0
            );
            return scan.find(Code::ExtentOutside, place, told);
        };
        self.check(scan, extent, place)?;
        let sharing = match extent.state {
            ExtentState::Written => self.sharing,
            ExtentState::Unwritten => Sharing::Never,
        };
        self.claims.add(run.ag, Claim::extent(run, extent, self.node.ino, self.fork, sharing));
        self.count += 1;
        self.mapped.blocks += u64::from(extent.length);
        self.mapped.end = self.mapped.end.max(extent.file_end());
        (self.show)(extent);
        Ok(())
    }
}
