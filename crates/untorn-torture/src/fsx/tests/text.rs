//! Logs and ops files, written and read.

use super::*;

#[test]
fn an_ops_file_reads_back_as_it_was() {
    let mut plan = plan(6, 2000);
    plan.settings.reopen_in = Some(5);
    plan.settings.crash_in = Some(50);
    let ended = run(&plan, Fake::new(Fault::None), &[], &mut |_| GoOn::Yes);
    for entry in ended.exerciser.log().entries() {
        let line = ops_file::line(entry, None).to_string();
        let expected = match entry.fate {
            Fate::Skipped => Recorded::Skipped,
            _ => Recorded::Op(entry.op),
        };
        assert_eq!(ops_file::parse(&line), Ok(vec![expected]), "{line}");
    }
}

#[test]
fn an_ops_file_of_fsx_is_understood() {
    let text = "\
        # recorded\n\
        skip fallocate 0x1000 0x200 0x0 keep_size\n\
        write 0x1a000 0x400 0x0 close_open *\n\
        \n\
        write_dontcache 0x10 0x20 0x1a400\n\
        fallocate 0x0 4096 0x1a400 keep_size unshare\n\
        clone_range 0x0 0x1000 0x3000 0x1a400\n\
        truncate 0x0 0x800 0x1a400\n";
    let reopened = Op { then: Then::Reopen, ..Op::new(Kind::Write, 0x1a000, 0x400) };
    let kept =
        Op { rule: Rule::Keep, shared: Shared::Unshare, ..Op::new(Kind::Fallocate, 0, 4096) };
    let expected = [
        Recorded::Skipped,
        Recorded::Op(reopened),
        Recorded::Op(Op::new(Kind::Write, 0x10, 0x20)),
        Recorded::Op(kept),
        Recorded::Op(Op::new(Kind::CloneRange, 0, 0x1000).with_other(0x3000)),
        Recorded::Op(Op::new(Kind::Truncate, 0, 0x800)),
    ];
    assert_eq!(ops_file::parse(text).unwrap(), expected);
}

#[test]
fn a_log_that_was_mailed_is_understood() {
    let text = "\
> READ BAD DATA: offset = 0x1000, size = 0x2000, fname = /mnt/junk
> LOG DUMP (8 total operations):
> 1(  1 mod 256): SKIPPED (no operation)
> 2(  2 mod 256): DEDUPE 0xf000 thru 0x23fff\t(0x15000 bytes) to 0x2a000 thru 0x3efff ******BBBB
> > 3(  3 mod 256): TRUNCATE DOWN\tfrom 0x7d172 to 0x535da
4(  4 mod 256): FALLOC   0x7d6 thru 0x1a2b\t(0x1255 bytes) PAST_EOF
5(  5 mod 256): WRITE    0x542d3 thru 0x67006     (0x12d34 bytes) HOLE ***WWWW
5 lines of chat
                CLOSE/OPEN
6(  6 mod 256): XCHG 0x0 thru 0xfff\t(0x1000 bytes) to 0x2000 thru 0x2fff
7(  7 mod 256): FSYNC
8(  8 mod 256): INSERT 0x1000 thru 0x1fff\t(0x1000 bytes)
";
    let kept = Op { rule: Rule::Keep, ..Op::new(Kind::Fallocate, 0x7d6, 0x1255) };
    let write = Op { then: Then::Reopen, ..Op::new(Kind::Write, 0x542d3, 0x12d34) };
    let expected = [
        Recorded::Skipped,
        Recorded::Op(Op::new(Kind::DedupeRange, 0xf000, 0x15000).with_other(0x2a000)),
        Recorded::Op(Op::new(Kind::Truncate, 0, 0x535da)),
        Recorded::Op(kept),
        Recorded::Op(write),
        Recorded::Op(Op::new(Kind::ExchangeRange, 0, 0x1000).with_other(0x2000)),
        Recorded::Op(Op::new(Kind::Fsync, 0, 0)),
        Recorded::Op(Op::new(Kind::InsertRange, 0x1000, 0x1000)),
    ];
    assert_eq!(ops_file::parse(text).unwrap(), expected);
}

#[test]
fn a_log_reads_back_as_the_operations_that_were_done() {
    let ended_plan = plan(12, 800);
    let ended = run(&ended_plan, Fake::new(Fault::None), &[], &mut |_| GoOn::Yes);
    let read = ops_file::parse(&ended.exerciser.log().dump(Some(0x123)).to_string()).unwrap();
    assert_eq!(read.len(), 800);
    for (read, entry) in read.iter().zip(ended.exerciser.log().entries()) {
        let Recorded::Op(read) = read else { continue };
        // A log does not tell all: atomic or not, kept sizes where nothing shows, shared blocks.
        let same = Op { rule: read.rule, shared: read.shared, kind: read.kind, ..entry.op };
        assert_eq!(*read, same, "{}", entry.shown(None));
        assert_eq!(read.kind.label(), entry.op.kind.label());
    }
}

#[test]
fn what_is_no_operation_is_refused_with_its_line() {
    let cases = [
        ("write 0x0 0x1 0x0\nwrote 0x0 0x1 0x0", 2, "no operation of fsx"),
        ("write 0x0 0x1", 1, "a number is missing"),
        ("clone_range 0x0 0x1 0x2", 1, "a number is missing"),
        ("write 0x0 0x1 0x0 atomically", 1, "no flag of fsx"),
        ("write 0x0 0xffffffffffffffff 0x0", 1, "a number is missing"),
        ("write 0x0 -1 0x0", 1, "a number is missing"),
        ("write 0x0 0x1 0x0 x3", 1, "no flag of fsx"),
        ("batch 0x0 0x1 0x1 0x0 x0", 1, "no flag of fsx"),
        ("skip", 1, "nothing to skip"),
        ("1(  1 mod 256): SWAP 0x0 thru 0x1\t(0x2 bytes)", 1, "no operation of fsx"),
        ("1(  1 mod 256): READ 0x0", 1, "a number is missing"),
    ];
    for (text, line, what) in cases {
        let error = ops_file::parse(text).unwrap_err();
        assert_eq!((error.line, error.what), (line, what), "{text}");
    }
}

#[test]
fn the_log_is_the_one_of_fsx() {
    let entry = |op: Op, size: u64, fate: Fate| Entry { number: 300, op, size, fate };
    let reopened = Op { then: Then::Reopen, ..Op::new(Kind::Read, 0x10, 0x20) };
    let cases = [
        (
            entry(Op::new(Kind::Write, 0x100, 0x80), 0x50, Fate::Ran),
            "300( 44 mod 256): WRITE    0x100 thru 0x17f\t(0x80 bytes) HOLE\t***WWWW",
        ),
        (
            entry(Op::new(Kind::WriteAtomic, 0x100, 0x80), 0x150, Fate::Ran),
            "300( 44 mod 256): WRITE    0x100 thru 0x17f\t(0x80 bytes) EXTEND\t***WWWW",
        ),
        (
            entry(Op::new(Kind::Truncate, 0, 0x800), 0x100, Fate::Ran),
            "300( 44 mod 256): TRUNCATE UP\tfrom 0x100 to 0x800\t******WWWW",
        ),
        (
            entry(Op::new(Kind::Fallocate, 0x400, 0x10), 0x500, Fate::Ran),
            "300( 44 mod 256): FALLOC   0x400 thru 0x410\t(0x10 bytes) INTERIOR",
        ),
        (
            entry(Op::new(Kind::CloneRange, 0, 0x1000).with_other(0x2000), 0x5000, Fate::Ran),
            "300( 44 mod 256): CLONE 0x0 thru 0xfff\t(0x1000 bytes) to 0x2000 thru 0x2fff\
             \tJJJJ******",
        ),
        (
            entry(reopened, 0x50, Fate::Skipped),
            "300( 44 mod 256): SKIPPED (no operation)\n\t\tCLOSE/OPEN",
        ),
    ];
    for (entry, expected) in cases {
        assert_eq!(entry.shown(Some(0x123)).to_string(), expected);
    }
}
