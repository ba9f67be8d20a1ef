//! Arguments of what goes into a volume from a directory or an archive.

use anyhow::Context;
use clap::Args;
use std::path::PathBuf;
use untorn_image::{OwnerMap, Owners};

pub(super) const MKFS: &str = "\
Images from trees:
  untorn mkfs --from rootfs root.img                     a directory with all that is in it
  untorn mkfs --from - --squash --minimize root.img      a tar archive, all files root's, no room

The size is -d size=; that of what is there; or, with --from, where nothing is there or a file that
is too small for a volume, what the tree needs and a quarter more, at least 300 MiB. With
SOURCE_DATE_EPOCH in the environment all times are that second, and with -m uuid= the image depends
on the options and the tree alone, byte for byte.";

/// How a new volume is filled.
#[derive(Args, Clone, Debug)]
pub struct Filling {
    /// Fill the volume with a directory, a tar archive, or one from standard input (-). Needs no
    /// root. A file that exists is replaced when all is written; nothing is left where it fails.
    #[arg(long, value_name = "DIR|TAR|-")]
    pub from: Option<PathBuf>,
    /// Make the volume as small as its contents allow, in two groups unless -d says otherwise: one
    /// is smaller, but xfs_repair has no second superblock then.
    #[arg(long, requires = "from")]
    pub minimize: bool,
    /// Of the times in the source, only those later than SOURCE_DATE_EPOCH become it.
    #[arg(long, requires = "from")]
    pub clamp_mtime: bool,
    #[command(flatten)]
    pub whose: Whose,
}

/// Whose the files on the volume are.
#[derive(Args, Clone, Debug)]
pub struct Whose {
    /// Owner and group, by number, of all that goes into a volume: both, or one of them (UID,
    /// :GID), the other stays; or a file that says who becomes whom, in lines `uid FROM TO
    /// [COUNT]`, `gid FROM TO [COUNT]`, `uid * TO`, `gid * TO`.
    #[arg(long, value_name = "UID[:GID]|:GID|MAP")]
    pub owner: Option<String>,
    /// All that goes into a volume belongs to root.
    #[arg(long, conflicts_with = "owner")]
    pub squash: bool,
}

/// Longest map of owners.
const LONGEST: u64 = 1 << 20;

/// Owner and group by number: `1000`, `1000:100` or `:100`.
fn owner(text: &str) -> Option<(Option<u32>, Option<u32>)> {
    let number = |word: &str| match word {
        "" => Some(None),
        word => word.parse().ok().map(Some),
    };
    let (uid, gid) = text.split_once(':').unwrap_or((text, ""));
    let both = (number(uid)?, number(gid)?);
    (both != (None, None)).then_some(both)
}

impl Whose {
    /// What the arguments say, a map read from its file.
    pub fn owners(&self) -> anyhow::Result<Owners> {
        let Some(text) = self.owner.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(if self.squash { Owners::Squash } else { Owners::Keep });
        };
        if let Some((uid, gid)) = owner(text) {
            return Ok(Owners::Fixed(uid, gid));
        }
        let name = || format!("--owner {text}: neither UID, UID:GID, :GID nor a map");
        let length = std::fs::metadata(text).with_context(name)?.len();
        anyhow::ensure!(length <= LONGEST, "--owner {text}: a map of more than {LONGEST} bytes");
        let map = OwnerMap::parse(&std::fs::read_to_string(text).with_context(name)?);
        Ok(Owners::Map(map.map_err(|what| anyhow::anyhow!("--owner {text}: {what}"))?))
    }
}
