//! Pages of memory in a tree whose parts are shared between snapshots.
//!
//! ```text
//!   Tree{root} -> Branch[32] -> Branch[32] -> Page (4096 bytes)
//!                     \-> Empty: reads as zeros, owns nothing
//! ```
//!
//! Invariants: a clone shares everything; a change copies the path from the root to the page, if
//! it is shared, and nothing else. Every node remembers the hash of what is beneath it until that
//! changes, so hashing a tree again costs only what changed since. A page of zeros and an absent
//! page hash alike.
//!
//! Never here: locks, sector sizes, bounds of the device.

use std::{
    collections::hash_map::DefaultHasher,
    hash::Hasher,
    ops::Range,
    sync::{Arc, OnceLock},
};

/// Bytes in a page.
pub(super) const PAGE: usize = 4096;
const FAN_BITS: u32 = 5;
const FAN: usize = 1 << FAN_BITS;

/// Pages by number; a clone costs one reference count.
#[derive(Clone)]
pub(super) struct Tree {
    root: Node,
    /// Levels of branches above the pages.
    height: u32,
    /// Pages present.
    pages: u64,
}

#[derive(Clone, Default)]
enum Node {
    #[default]
    Empty,
    Page(Arc<Page>),
    Branch(Arc<Branch>),
}

#[derive(Clone)]
struct Page {
    bytes: [u8; PAGE],
    hash: OnceLock<u64>,
}

#[derive(Clone, Default)]
struct Branch {
    children: [Node; FAN],
    hash: OnceLock<u64>,
}

impl Page {
    fn of(bytes: [u8; PAGE]) -> Self {
        Self { bytes, hash: OnceLock::new() }
    }
}

impl Tree {
    /// An empty tree with room for the pages of `size` bytes.
    pub(super) fn for_size(size: u64) -> Self {
        let last = size.div_ceil(PAGE as u64).saturating_sub(1);
        let bits = u64::BITS - last.leading_zeros();
        Self { root: Node::Empty, height: bits.div_ceil(FAN_BITS), pages: 0 }
    }

    /// Pages present.
    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    /// The bytes of a page, if it is present.
    pub(super) fn page(&self, number: u64) -> Option<&[u8; PAGE]> {
        let mut node = &self.root;
        for level in (0..self.height).rev() {
            match node {
                Node::Branch(branch) => node = &branch.children[child(number, level)],
                _ => return None,
            }
        }
        match node {
            Node::Page(page) => Some(&page.bytes),
            _ => None,
        }
    }

    /// Changes bytes of a page from `start` on; an absent page is zeros first.
    pub(super) fn change(&mut self, number: u64, start: usize, bytes: &[u8]) {
        let slot = self.slot(number);
        if let Node::Page(page) = slot {
            let page = Arc::make_mut(page);
            page.bytes[start..start + bytes.len()].copy_from_slice(bytes);
            page.hash.take();
        } else {
            let mut page = [0; PAGE];
            page[start..start + bytes.len()].copy_from_slice(bytes);
            *slot = Node::Page(Arc::new(Page::of(page)));
            self.pages += 1;
        }
    }

    /// Puts whole page contents in place, without copying what was there. Zeros make it absent.
    pub(super) fn replace(&mut self, number: u64, bytes: &[u8; PAGE]) {
        if bytes.iter().all(|&byte| byte == 0) {
            return self.clear(number..number + 1);
        }
        let slot = self.slot(number);
        let Node::Page(page) = slot else {
            *slot = Node::Page(Arc::new(Page::of(*bytes)));
            self.pages += 1;
            return;
        };
        match Arc::get_mut(page) {
            Some(own) => {
                own.bytes.copy_from_slice(bytes);
                own.hash.take();
            }
            None => *page = Arc::new(Page::of(*bytes)),
        }
    }

    /// Makes every page of the range hold `byte` only; they share one page of memory.
    pub(super) fn fill(&mut self, range: Range<u64>, byte: u8) {
        self.clear(range.clone());
        let page = Arc::new(Page::of([byte; PAGE]));
        for number in range {
            *self.slot(number) = Node::Page(Arc::clone(&page));
            self.pages += 1;
        }
    }

    /// Makes every page of the range absent. Costs what is present there, not the range's length.
    pub(super) fn clear(&mut self, range: Range<u64>) {
        let gone = self.root.clear(self.height, 0, &range);
        self.pages -= gone;
    }

    /// The numbers of the pages present, in order.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let mut found = Vec::new();
        self.root.collect(self.height, 0, &mut found);
        found
    }

    /// A number that is equal for equal contents and, but for one case in 2^64, only for those.
    /// Valid within one run of the program.
    pub(super) fn hash(&self) -> u64 {
        self.root.hash()
    }

    /// The place of a page, with unshared branches above it whose hashes are forgotten.
    fn slot(&mut self, number: u64) -> &mut Node {
        let mut node = &mut self.root;
        for level in (0..self.height).rev() {
            node = &mut node.branch().children[child(number, level)];
        }
        node
    }
}

/// Which child of a branch at `level` leads to the page.
fn child(number: u64, level: u32) -> usize {
    (number >> (level * FAN_BITS)) as usize % FAN
}

impl Node {
    fn branch(&mut self) -> &mut Branch {
        if matches!(self, Node::Empty) {
            *self = Node::Branch(Arc::default());
        }
        let Node::Branch(branch) = self else { unreachable!("pages lie beneath all branches") };
        let branch = Arc::make_mut(branch);
        branch.hash.take();
        branch
    }

    /// Clears the part of `range` beneath this node, whose first page is `first`. Returns how many
    /// pages went.
    fn clear(&mut self, levels: u32, first: u64, range: &Range<u64>) -> u64 {
        let after = first + (1 << (levels * FAN_BITS));
        if matches!(self, Node::Empty) || range.end <= first || after <= range.start {
            return 0;
        }
        if range.start <= first && after <= range.end {
            return std::mem::take(self).count();
        }
        let below = levels - 1;
        let numbers = (first..).step_by(1 << (below * FAN_BITS));
        let children = self.branch().children.iter_mut().zip(numbers);
        children.map(|(node, number)| node.clear(below, number, range)).sum()
    }

    fn count(&self) -> u64 {
        match self {
            Node::Empty => 0,
            Node::Page(_) => 1,
            Node::Branch(branch) => branch.children.iter().map(Node::count).sum(),
        }
    }

    fn collect(&self, levels: u32, first: u64, found: &mut Vec<u64>) {
        match self {
            Node::Empty => {}
            Node::Page(_) => found.push(first),
            Node::Branch(branch) => {
                let numbers = (first..).step_by(1 << ((levels - 1) * FAN_BITS));
                for (node, number) in branch.children.iter().zip(numbers) {
                    node.collect(levels - 1, number, found);
                }
            }
        }
    }

    fn hash(&self) -> u64 {
        match self {
            Node::Empty => 0,
            Node::Page(page) => *page.hash.get_or_init(|| hash_of(&page.bytes)),
            Node::Branch(branch) => *branch.hash.get_or_init(|| {
                let mut hashes = [0; FAN * size_of::<u64>()];
                let (places, _) = hashes.as_chunks_mut();
                for (place, node) in places.iter_mut().zip(&branch.children) {
                    *place = node.hash().to_ne_bytes();
                }
                hash_of(&hashes)
            }),
        }
    }
}

/// Zeros hash to zero, like what is absent.
fn hash_of(bytes: &[u8]) -> u64 {
    if bytes.iter().all(|&byte| byte == 0) {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
