//! The model, against bytes written out by hand.

use super::*;

fn after(ops: &[Op]) -> Vec<u8> {
    let mut model = Model::new(32);
    model.apply(&Op::new(Kind::Write, 0, 8), b"abcdefgh");
    ops.iter().for_each(|op| model.apply(op, b"XY"));
    model.contents().to_vec()
}

fn op(kind: Kind, offset: u64, length: u64) -> Op {
    Op::new(kind, offset, length)
}

#[test]
fn each_operation_gives_the_bytes_that_linux_would() {
    use Kind::*;
    let keep = |kind, offset, length| Op { rule: Rule::Keep, ..op(kind, offset, length) };
    let batch = Op { count: 2, ..op(Batch, 1, 1).with_other(4) };
    let cases: [(Op, &[u8]); 20] = [
        (op(Write, 2, 2), b"abXYefgh"),
        (op(WriteAtomic, 7, 2), b"abcdefgXY"),
        (op(MapWrite, 10, 2), b"abcdefgh\0\0XY"),
        (batch, b"aXcdeYgh"),
        (op(Truncate, 0, 3), b"abc"),
        (op(Truncate, 0, 10), b"abcdefgh\0\0"),
        (op(Fallocate, 6, 4), b"abcdefgh\0\0"),
        (keep(Fallocate, 6, 4), b"abcdefgh"),
        (op(PunchHole, 2, 3), b"ab\0\0\0fgh"),
        (op(PunchHole, 6, 9), b"abcdef\0\0"),
        (op(ZeroRange, 6, 4), b"abcdef\0\0\0\0"),
        (keep(ZeroRange, 6, 4), b"abcdef\0\0"),
        (keep(ZeroRange, 9, 4), b"abcdefgh"),
        (op(CollapseRange, 2, 3), b"abfgh"),
        (op(InsertRange, 2, 3), b"ab\0\0\0cdefgh"),
        (op(CloneRange, 0, 2).with_other(4), b"abcdabgh"),
        (op(CopyRange, 6, 2).with_other(10), b"abcdefgh\0\0gh"),
        (op(ExchangeRange, 0, 2).with_other(5), b"fgcdeabh"),
        (op(ExchangeRange, 5, 2).with_other(0), b"fgcdeabh"),
        (op(DedupeRange, 0, 2).with_other(4), b"abcdefgh"),
    ];
    for (op, expected) in cases {
        assert_eq!(after(&[op]), expected, "{op:?}");
    }
}

#[test]
fn nothing_that_was_cut_off_comes_back() {
    let down_and_up = [op(Kind::Truncate, 0, 2), op(Kind::Truncate, 0, 6)];
    assert_eq!(after(&down_and_up), b"ab\0\0\0\0");
    let collapsed = [op(Kind::CollapseRange, 0, 4), op(Kind::Fallocate, 0, 7)];
    assert_eq!(after(&collapsed), b"efgh\0\0\0");
}

#[test]
fn sizes_are_foretold() {
    let plan = plan(3, 1000);
    let mut size = 0;
    let mut model = Model::new(LIMIT);
    let pattern = Pattern::new(LIMIT, 3, None);
    let mut data = Vec::new();
    for op in again(&plan, 1000, 0, &Unforeseen::default()) {
        let Recorded::Op(op) = op else { continue };
        pattern.fill(1, &op, &mut data);
        model.apply(&op, &data);
        size = op.size_after(size);
        assert_eq!(model.size(), size, "{op:?}");
    }
}

fn written(pattern: &Pattern, offset: u64, length: u64) -> Vec<u8> {
    let mut data = Vec::new();
    pattern.fill(259, &op(Kind::Write, offset, length), &mut data);
    data
}

#[test]
fn bytes_tell_the_operation_and_the_place() {
    let pattern = Pattern::new(100, 1, None);
    let (low, high) = (written(&pattern, 0, 50), written(&pattern, 10, 40));
    assert_eq!(low[10..], high);
    assert!(low.iter().step_by(2).all(|&byte| byte == 3));
    assert!(low.iter().skip(1).step_by(2).any(|&byte| byte != 3));
}
