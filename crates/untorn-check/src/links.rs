//! How the inodes hang together: link counts against names, every directory below the root, every
//! inode without a name on one chain of its AG.

use crate::code::Code;
use crate::dir::{Facts, Tree};
use crate::group::Group;
use crate::inode;
use crate::inode::states::{State, States};
use crate::scan::{Scan, Step, ag_place};
use untorn_format::Place;
use untorn_format::ag::Agi;
use untorn_format::inode::FileKind;
use untorn_format::units::*;

/// Checks links, chains and reachability.
pub(crate) fn check(
    scan: &mut Scan<'_>,
    groups: &[Group],
    tree: &Tree,
    states: &mut States,
) -> Step {
    for (ag, group) in (0..).map(AgNumber).zip(groups) {
        for (bucket, first) in group.unlinked.iter().enumerate() {
            check_chain(scan, (ag, bucket), *first, states)?;
        }
    }
    check_root(scan, states)?;
    check_quota(scan, states)?;
    link_metadata(scan, states);
    check_counts(scan, tree, states)?;
    if scan.blind.names { Ok(()) } else { check_connected(scan, tree) }
}

/// Follows a chain of unlinked inodes. After a clean unmount there are none.
fn check_chain(
    scan: &mut Scan<'_>,
    (ag, bucket): (AgNumber, usize),
    first: Option<AgIno>,
    states: &mut States,
) -> Step {
    let mut next = first;
    while let Some(in_ag) = next {
        let ino = scan.geometry().ino(ag, in_ag);
        let place = Place { ino: Some(ino), ..ag_place(ag) };
        let Some(state) = states.at_mut(ino).filter(|state| !state.chained) else {
            let told = format!(
                "chain {bucket} leads to inode {ino}, which is not in use or chained already"
            );
            return scan.find(Code::UnlinkedChain, place, told);
        };
        state.chained = true;
        let links = state.links;
        if links != 0 {
            let told = format!("chain {bucket} has inode {ino}, which has {links} links");
            scan.find(Code::UnlinkedChain, place, told)?;
        } else if Agi::bucket_of(in_ag) != bucket {
            let told =
                format!("inode {ino} is on chain {bucket}, expected on {}", Agi::bucket_of(in_ag));
            scan.find(Code::UnlinkedChain, place, told)?;
        }
        scan.find(Code::UnlinkedInodeLeft, place, "an inode without links was not removed")?;
        next = inode::again(scan, ino)?.and_then(|(core, _)| core.next_unlinked);
    }
    Ok(())
}

fn check_root(scan: &mut Scan<'_>, states: &States) -> Step {
    let root = scan.sb.root_ino;
    let kind = states.at(root).map(|state| state.kind);
    let is_directory = matches!(kind, Some(Some(FileKind::Directory)));
    // An inode that could not be read was told already.
    let unread = kind == Some(None);
    let told = "the root of the volume is no directory in use";
    scan.demand(is_directory || unread, Code::RootDirectory, Place::inode(root), told)
}

/// Quota inodes are regular files in use whose contents do not count as such.
fn check_quota(scan: &mut Scan<'_>, states: &States) -> Step {
    let quota = scan.sb.quota;
    for ino in [quota.user, quota.group, quota.project].into_iter().flatten() {
        let kind = states.at(ino).map(|state| state.kind);
        // An inode that could not be read was told already.
        if kind == Some(None) {
            continue;
        }
        let size = match kind {
            Some(Some(FileKind::Regular)) => inode::again(scan, ino)?.map(|(core, _)| core.size),
            _ => None,
        };
        let told = "the superblock names it as quota inode and it is no file in use of size 0";
        scan.demand(size == Some(0), Code::QuotaInode, Place::inode(ino), told)?;
    }
    Ok(())
}

/// Inodes that the superblock names have a link from it.
fn link_metadata(scan: &Scan<'_>, states: &mut States) {
    let sb = scan.sb;
    let realtime = [Some(sb.realtime.bitmap_ino), Some(sb.realtime.summary_ino)];
    let quota = [sb.quota.user, sb.quota.group, sb.quota.project];
    for ino in realtime.into_iter().chain(quota).flatten() {
        if let Some(state) = states.at_mut(ino) {
            state.found = state.found.saturating_add(1);
        }
    }
}

fn check_counts(scan: &mut Scan<'_>, tree: &Tree, states: &States) -> Step {
    let known = states.all().filter(|(_, state)| state.kind.is_some());
    known.into_iter().try_for_each(|(ino, state)| check_count(scan, tree, ino, state))
}

fn check_count(scan: &mut Scan<'_>, tree: &Tree, ino: Ino, state: &State) -> Step {
    let (place, said, found) = (Place::inode(ino), state.links, state.found);
    let blind = scan.blind.names;
    if said == 0 && found == 0 {
        let told = "it has no links and is on no chain of unlinked inodes";
        return scan.demand(state.chained, Code::UnlinkedMissing, place, told);
    }
    let named = match state.kind {
        Some(FileKind::Directory) => ino == scan.sb.root_ino || tree.is_named(ino),
        _ => found > 0,
    };
    if !named && !blind {
        let told = format_args!("it counts {said} links and no directory names it");
        return scan.find(Code::Disconnected, place, told);
    }
    if found > said || found < said && !blind {
        scan.find(Code::LinkCount, place, format!("it counts {said} links, {found} lead to it"))?;
    }
    let pointers = scan.sb.features.has_parent() && !blind;
    let told = "its parent pointers are not those of the entries that name it";
    scan.demand(!pointers || state.parents == 0, Code::ParentPointer, place, told)
}

/// Checks that each directory has one name, in the directory that its `..` names, and that this
/// leads up to the root.
fn check_connected(scan: &mut Scan<'_>, tree: &Tree) -> Step {
    let mut rounds = vec![0; tree.directories.len()];
    for (start, facts) in tree.directories.iter().enumerate() {
        check_parent(scan, tree, facts)?;
        if let Some(lost) = loops(scan.sb.root_ino, &tree.directories, &mut rounds, start) {
            let told = "its parents lead back to it, not to the root";
            scan.find(Code::Disconnected, Place::inode(lost), told)?;
        }
    }
    Ok(())
}

fn check_parent(scan: &mut Scan<'_>, tree: &Tree, facts: &Facts) -> Step {
    let from = tree.names.partition_point(|name| name.child < facts.ino);
    let mut names = tree.names.iter().skip(from).take_while(|name| name.child == facts.ino);
    let (first, second) = (names.next(), names.next());
    let place = Place::inode(facts.ino);
    if let (Some(a), Some(b)) = (first, second) {
        let told = format!("a directory has names in directories {} and {}", a.parent, b.parent);
        return scan.find(Code::DirectoryParent, place, told);
    }
    let root = scan.sb.root_ino;
    let expected = if facts.ino == root { Some(root) } else { first.map(|name| name.parent) };
    match (facts.parent, expected) {
        (Some(said), Some(is)) if said != is => {
            let told = format!("`..` names inode {said}, the directory above is {is}");
            scan.find(Code::DirectoryParent, place, told)
        }
        _ => Ok(()),
    }
}

/// Follows `..` from a directory; the directory at which it comes back to itself, if it does.
/// `rounds` remembers in which round each directory was met.
fn loops(root: Ino, all: &[Facts], rounds: &mut [usize], start: usize) -> Option<Ino> {
    let (mut at, round) = (start, start + 1);
    loop {
        let (facts, met) = (all.get(at)?, rounds.get_mut(at)?);
        if *met != 0 {
            return (*met == round).then_some(facts.ino);
        }
        *met = round;
        let parent = facts.parent.filter(|_| facts.ino != root)?;
        at = all.binary_search_by_key(&parent, |facts| facts.ino).ok()?;
    }
}
