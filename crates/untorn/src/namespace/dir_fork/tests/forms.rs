//! Which form a directory has, and names of one hash.

use super::{Bench, name, names};
use crate::da::ForkBlocks;
use crate::namespace::forks::with_directory;
use untorn_format::BlockKind;
use untorn_format::da::{DaBlock, hash_name, kind_of};
use untorn_format::dir::Space;

/// How the directory `/d` is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Short,
    Block,
    Leaf,
    /// One leaf that is not its own free index.
    LoneLeaf,
    Node,
}

fn form(bench: &Bench) -> Form {
    let core = bench.volume.core();
    let inode = core.inode_by_number(bench.volume.lookup("/d").unwrap()).unwrap();
    let form = with_directory(core, &inode, |directory| {
        if directory.inline.is_some() {
            return Ok(Form::Short);
        }
        let root = DaBlock::of(core.geometry.dir_space(Space::Leaf)).unwrap();
        let image = directory.blocks.read(root, BlockKind::DaNode)?;
        Ok(match image.as_deref().map(kind_of) {
            None => Form::Block,
            Some(Some(BlockKind::DirLeaf1)) => Form::Leaf,
            Some(Some(BlockKind::DirLeafN)) => Form::LoneLeaf,
            _ => Form::Node,
        })
    });
    form.unwrap()
}

/// Forms in the order in which they came.
fn note(met: &mut Vec<Form>, bench: &Bench) {
    let form = form(bench);
    if met.last() != Some(&form) {
        met.push(form);
        bench.judge(&format!("{form:?} of {} names", bench.model.len()));
    }
}

#[test]
fn every_form_is_taken_on_the_way_up_and_on_the_way_down_model_check() {
    for (block_size, dir_block_size, count) in [(4096, 4096, 700), (1024, 2048, 400)] {
        let mut bench = Bench::new(block_size, dir_block_size);
        let mut met = Vec::new();
        for number in 0..count {
            note(&mut met, &bench);
            bench.add(name(number));
        }
        assert_eq!(met, [Form::Short, Form::Block, Form::Leaf, Form::LoneLeaf, Form::Node]);
        met.clear();
        for number in (0..count).rev() {
            note(&mut met, &bench);
            bench.remove(&name(number));
        }
        note(&mut met, &bench);
        assert_eq!(met, [Form::Node, Form::Leaf, Form::Block, Form::Short]);
    }
}

#[test]
fn a_directory_at_the_border_of_two_forms_goes_back_and_forth_model_check() {
    let mut bench = Bench::new(4096, 4096);
    let mut number = 0;
    for wanted in [Form::Block, Form::Leaf, Form::LoneLeaf, Form::Node] {
        let before = form(&bench);
        while form(&bench) == before {
            bench.add(name(number));
            number += 1;
        }
        assert_eq!(form(&bench), wanted);
        let last = name(number - 1);
        for _ in 0..3 {
            bench.remove(&last);
            bench.add(last.clone());
        }
        bench.judge(&format!("at the border to {wanted:?}"));
    }
}

/// The `number`th of 2^18 names of one hash: the hash shifts each byte by seven bits, so that the
/// lowest bit of a byte and the highest of the next one meet and flipping both changes nothing.
pub(super) fn colliding(number: usize) -> Vec<u8> {
    let mut name = vec![b'b'; 24];
    for bit in 0..18 {
        let at = (bit / 3) * 4 + bit % 3;
        if number & (1 << bit) != 0 {
            name[at] ^= 0x01;
            name[at + 1] ^= 0x80;
        }
    }
    name
}

#[test]
fn names_of_one_hash_fill_many_leaves_model_check() {
    let mut bench = Bench::new(1024, 1024);
    assert_eq!(hash_name(&colliding(0)), hash_name(&colliding(0x2_a5a5)));
    let count = names(600);
    for number in 0..count {
        bench.add(colliding(number));
        // Others stand before and behind them.
        bench.add(name(number));
        if number % 3 == 2 {
            bench.remove_any();
            bench.replace_any();
        }
    }
    bench.judge("names of one hash");
    assert_eq!(form(&bench), Form::Node);
    while bench.model.len() > 1 {
        bench.remove_any();
        if bench.model.len().is_multiple_of(251) {
            bench.judge(&format!("{} names left", bench.model.len()));
        }
    }
    // It stays in its block, which need not be the first.
    bench.judge("one name left");
    bench.remove_any();
    assert_eq!(form(&bench), Form::Short);
}
