//! What a volume is, in the words and columns of xfs_info.
//!
//! Never here: anything that is not in the superblock.

use untorn_format::Superblock;
use untorn_format::features::{FEATURES2_BITS, VERSION_BITS};

/// The layout of the volume that `name` names, as xfs_info of xfsprogs 6.1 prints it: ten lines,
/// each with its end. A volume with newer features has what later xfs_info say of them, too.
pub fn layout(name: &str, superblock: &Superblock) -> String {
    let lines = [
        meta_data(name, superblock),
        data(superblock),
        naming(superblock),
        log(superblock),
        realtime(superblock),
    ];
    lines.concat()
}

fn meta_data(name: &str, superblock: &Superblock) -> String {
    let geometry = &superblock.geometry;
    let features = superblock.features;
    let mut lines = vec![
        format!(
            "meta-data={name:<22} isize={:<6} agcount={}, agsize={} blks",
            geometry.inode_size(),
            geometry.ag_count,
            geometry.ag_blocks
        ),
        format!(
            "{MORE} sectsz={:<5} attr={}, projid32bit={}",
            geometry.sector_size(),
            1 + digit(has_features2(superblock, "attr2")),
            digit(has_features2(superblock, "projid32bit"))
        ),
        format!(
            "{MORE} crc={:<8} finobt={}, sparse={}, rmapbt={}",
            digit(superblock.version == 5),
            digit(features.has_finobt()),
            digit(features.has_sparse_inodes()),
            digit(features.has_rmapbt())
        ),
        format!(
            "{MORE} reflink={:<4} bigtime={} inobtcount={} nrext64={}",
            digit(features.has_reflink()),
            digit(features.has_bigtime()),
            digit(features.has_inobtcount()),
            digit(features.has_nrext64())
        ),
    ];
    if is_newer(superblock) {
        lines.push(format!(
            "{MORE} exchange={:<3} metadir={}",
            digit(features.has_exchrange()),
            digit(features.has_metadir())
        ));
    }
    ended(&lines)
}

fn data(superblock: &Superblock) -> String {
    let geometry = &superblock.geometry;
    let lines = [
        format!(
            "data     ={NOTHING:<22} bsize={:<6} blocks={}, imaxpct={}",
            geometry.block_size(),
            geometry.data_blocks,
            superblock.inode_percent
        ),
        format!(
            "{MORE} sunit={:<6} swidth={} blks",
            superblock.stripe_unit, superblock.stripe_width
        ),
    ];
    ended(&lines)
}

fn naming(superblock: &Superblock) -> String {
    let ftype = superblock.features.has_ftype() || has_features2(superblock, "ftype");
    let ascii_ci = VERSION_BITS
        .iter()
        .any(|(bit, name)| *name == "asciici" && superblock.version_bits & bit != 0);
    let mut line = format!(
        "naming   =version {:<14} bsize={:<6} ascii-ci={}, ftype={}",
        2,
        superblock.geometry.dir_block_size(),
        digit(ascii_ci),
        digit(ftype)
    );
    if is_newer(superblock) {
        line.push_str(&format!(", parent={}", digit(superblock.features.has_parent())));
    }
    ended(&[line])
}

fn log(superblock: &Superblock) -> String {
    let geometry = &superblock.geometry;
    let place = if geometry.log_start.0 == 0 { "external" } else { "internal log" };
    let logv2 = VERSION_BITS
        .iter()
        .any(|(bit, name)| *name == "logv2" && superblock.version_bits & bit != 0);
    let lines = [
        format!(
            "log      ={place:<22} bsize={:<6} blocks={}, version={}",
            geometry.block_size(),
            geometry.log_blocks,
            1 + digit(logv2)
        ),
        format!(
            "{MORE} sectsz={:<5} sunit={} blks, lazy-count={}",
            1u32 << superblock.log.sector_log,
            superblock.log.stripe_unit >> geometry.block_log,
            digit(has_features2(superblock, "lazy-count"))
        ),
    ];
    ended(&lines)
}

fn realtime(superblock: &Superblock) -> String {
    let realtime = &superblock.realtime;
    let place = if realtime.blocks == 0 { "none" } else { "external" };
    let line = format!(
        "realtime ={place:<22} extsz={:<6} blocks={}, rtextents={}",
        u64::from(realtime.extent_size) << superblock.geometry.block_log,
        realtime.blocks,
        realtime.extents
    );
    ended(&[line])
}

/// How a line begins that goes on with the subject of the line before.
const MORE: &str = "         =                      ";
const NOTHING: &str = "";

fn ended(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Whether the volume has something that xfs_info of xfsprogs 6.1 does not know.
fn is_newer(superblock: &Superblock) -> bool {
    let features = superblock.features;
    features.has_exchrange() || features.has_parent() || features.has_metadir()
}

fn digit(holds: bool) -> u8 {
    u8::from(holds)
}

fn has_features2(superblock: &Superblock, name: &str) -> bool {
    FEATURES2_BITS.iter().any(|(bit, known)| *known == name && superblock.features2 & bit != 0)
}
