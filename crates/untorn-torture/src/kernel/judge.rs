//! The verdicts of xfsprogs (xfs_repair without modifying, xfs_db, xfs_logprint, xfs_bmap), and of
//! Linux's own recovery.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use anyhow::Result;

use super::mount::Mounted;
use super::scratch::{Scratch, copy_image};
use super::volume::remove_exchange_range;
use super::{command, walk};
use crate::tree::Tree;

/// What xfs_repair found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Nothing is wrong with the volume, and its log needs no replay.
    pub clean: bool,
    /// All that xfs_repair printed.
    pub output: String,
}

impl Verdict {
    /// Panics with xfs_repair's output when the volume is not clean.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.clean, "xfs_repair -n complains:\n{self}");
    }

    /// The same of a volume on which Linux crashed. It sets long attributes in several
    /// transactions: one that was cut off in between stays, marked as incomplete, until somebody
    /// sets it again. Linux does not see it, and xfs_repair takes it away.
    #[track_caller]
    pub fn assert_clean_but_for_cut_off_attributes(&self) {
        let cut_off = |line: &str| {
            let (_, inode) = line.strip_suffix(" is INCOMPLETE")?.rsplit_once("inode ")?;
            Some(format!("inode {inode}"))
        };
        let inodes: Vec<String> = self.output.lines().filter_map(cut_off).collect();
        if inodes.is_empty() {
            return self.assert_clean();
        }
        let is_complaint =
            |line: &&str| ["bad ", "problem ", "would "].iter().any(|word| line.starts_with(word));
        for line in self.output.lines().filter(is_complaint) {
            let is_known =
                line == "would clear attr fork" || inodes.iter().any(|inode| line.contains(inode));
            assert!(is_known, "xfs_repair -n complains: {line}\n{self}");
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.output)
    }
}

/// Runs `xfs_repair -n` on an image that nobody has open. It writes nothing.
///
/// A log that needs replay is not clean: let Linux or untorn recover (a copy) first.
pub fn xfs_repair_n(image: &Path) -> Result<Verdict> {
    // A volume of one allocation group has no second superblock to compare the first with.
    let mut arguments = ["-n", "-f", "-o", "force_geometry"].map(OsStr::new).to_vec();
    arguments.push(image.as_os_str());
    let output = command::output("xfs_repair", &arguments)?;
    let told = command::both(&output);
    let clean = output.status.success() && !told.contains(DIRTY_LOG);
    Ok(Verdict { clean, output: told })
}

/// How xfs_repair -n, which may exit 0 all the same, says that the log was not replayed.
const DIRTY_LOG: &str = "valuable metadata";

/// Runs xfs_db commands on an image, read-only; returns what they print.
pub fn xfs_db(image: &Path, commands: &[&str]) -> Result<String> {
    let mut arguments: Vec<&OsStr> = vec!["-r".as_ref(), "-f".as_ref()];
    for command in commands {
        arguments.extend(["-c".as_ref(), OsStr::new(command)]);
    }
    arguments.push(image.as_os_str());
    command::run("xfs_db", &arguments)
}

/// What xfs_logprint says about the journal, transactions and items.
pub fn xfs_logprint(image: &Path) -> Result<String> {
    command::run("xfs_logprint", &[image.as_os_str()])
}

/// The map of a file on a mounted volume in the columns of `xfs_bmap -vp`, preallocation included.
pub fn xfs_bmap(path: &Path) -> Result<String> {
    command::run("xfs_bmap", &["-vp".as_ref(), path.as_os_str()])
}

/// Gives a file or directory of a mounted volume a project, which a directory hands down or not.
pub fn xfs_project(path: &Path, project: u32, inherit: bool) -> Result<()> {
    let sign = if inherit { '+' } else { '-' };
    let (project, flag) = (format!("chproj {project}"), format!("chattr {sign}P"));
    let commands = ["-r", "-c", &project, "-c", &flag].map(OsStr::new);
    let arguments: Vec<&OsStr> = commands.into_iter().chain([path.as_os_str()]).collect();
    command::run("xfs_io", &arguments).map(drop)
}

/// What Linux finds on an image, after replaying its log if that is dirty; and what xfs_repair
/// finds after Linux has unmounted it again (which says nothing of a volume with parent pointers,
/// unknown to xfsprogs 6.1). The image stays as it is: a copy is mounted.
pub fn linux_recovers(image: &Path) -> Result<(Tree, Verdict)> {
    let scratch = Scratch::new()?;
    let copy = scratch.image("copy.img");
    copy_image(image, &copy)?;
    let mounted = Mounted::new(&copy)?;
    let tree = walk::tree(&mounted.root())?;
    mounted.unmount()?;
    remove_exchange_range(&copy)?;
    let verdict = xfs_repair_n(&copy)?;
    Ok((tree, verdict))
}
