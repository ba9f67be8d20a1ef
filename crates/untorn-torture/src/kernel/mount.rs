//! Loop devices and loop mounts that never outlive their owner.
//!
//! A loop device is told to clear itself as soon as it is set up: it lasts while somebody has it
//! open (this process, or the kernel that mounts it). A mount is undone on drop. What a killed
//! process leaves is found by its `owner` file, whose lock nobody holds any more, and undone by
//! [`sweep`].

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::command;
use super::scratch::{Owned, scratch_root};

/// Folders with a mount in them begin like this.
const PREFIX: &str = "untorn-mount-";

/// Whether the kernel may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Read and write.
    #[default]
    ReadWrite,
    /// Read only; a dirty log is still replayed, unless `norecovery` is among the options.
    ReadOnly,
}

/// How a loop device reaches its backing file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// Through the page cache: fast, what tests want.
    #[default]
    PageCache,
    /// By direct I/O: what measurements want.
    Direct,
}

/// How to mount.
#[derive(Clone, Debug, Default)]
pub struct MountOptions {
    /// Whether the kernel may write.
    pub access: Access,
    /// How the loop device reaches the image.
    pub caching: Caching,
    /// Logical sector size of the loop device in bytes, where it is not 512.
    pub sector_size: Option<u32>,
    /// XFS options besides `nouuid`, separated by commas.
    pub options: String,
}

/// What a shutdown does to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// What was committed in memory is written to the journal first.
    Log,
    /// Nothing more is written.
    NoLog,
}

/// A block node over an image; gone when dropped and the kernel has no use for it.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    _open: File,
}

impl LoopDevice {
    /// Sets up a loop device over the image.
    pub fn attach(image: &Path, options: &MountOptions) -> Result<Self> {
        let mut arguments = vec!["--find".to_owned(), "--show".to_owned()];
        if options.caching == Caching::Direct {
            arguments.push("--direct-io=on".to_owned());
        }
        if options.access == Access::ReadOnly {
            arguments.push("--read-only".to_owned());
        }
        arguments.extend(options.sector_size.map(|size| format!("--sector-size={size}")));
        let mut arguments: Vec<_> = arguments.into_iter().map(Into::into).collect();
        arguments.push(image.as_os_str().to_owned());
        // Another process may take the free device between its choice and its use.
        let told = patiently(|| command::run("losetup", &arguments))?;
        let path = PathBuf::from(told.trim());
        let open = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        command::run("losetup", &["-d".as_ref(), path.as_os_str()])?;
        Ok(Self { path, _open: open })
    }

    /// The block node.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// An image mounted by Linux; unmounted when dropped.
#[derive(Debug)]
pub struct Mounted {
    folder: Owned,
    image: PathBuf,
    mounted: bool,
    device: Option<LoopDevice>,
}

impl Mounted {
    /// Mounts an image to read and write.
    pub fn new(image: &Path) -> Result<Self> {
        Self::with(image, &MountOptions::default())
    }

    /// Mounts an image as the options say, always with `nouuid`.
    pub fn with(image: &Path, options: &MountOptions) -> Result<Self> {
        let device = LoopDevice::attach(image, options)?;
        let folder = Owned::new(&scratch_root(), PREFIX)?;
        std::fs::create_dir(folder.path.join("volume"))?;
        let image = image.to_owned();
        let mut mounted = Self { folder, image, mounted: false, device: None };
        mount_xfs(device.path(), &mounted.root(), options)
            .with_context(|| format!("Linux does not mount {}", mounted.image.display()))?;
        mounted.device = Some(device);
        mounted.mounted = true;
        Ok(mounted)
    }

    /// The root directory of the mounted volume.
    pub fn root(&self) -> PathBuf {
        self.folder.path.join("volume")
    }

    /// The path of a file on the volume.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join(path)
    }

    /// The image that is mounted.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The loop device that is mounted.
    pub fn device(&self) -> Option<&Path> {
        self.device.as_ref().map(LoopDevice::path)
    }

    /// Writes home what is dirty (syncfs).
    pub fn sync(&self) -> Result<()> {
        Ok(rustix::fs::syncfs(File::open(self.root())?)?)
    }

    /// Stops the filesystem at once, as a power cut would; every later operation on it fails.
    pub fn shutdown(&self, flush: Flush) -> Result<()> {
        let command = match flush {
            Flush::Log => "shutdown -f",
            Flush::NoLog => "shutdown",
        };
        let root = self.root();
        command::run(
            "xfs_io",
            &["-x".as_ref(), "-c".as_ref(), command.as_ref(), root.as_os_str()],
        )?;
        Ok(())
    }

    /// Shuts down, then unmounts: what is left on the image is what the crash left.
    pub fn crash(self, flush: Flush) -> Result<()> {
        self.shutdown(flush)?;
        self.unmount()
    }

    /// Writes everything home and unmounts, leaving a clean log.
    pub fn unmount(mut self) -> Result<()> {
        self.release()
    }

    fn release(&mut self) -> Result<()> {
        if self.mounted {
            undo_mount(&self.root())?;
            self.mounted = false;
        }
        self.device = None;
        remove_folder(&self.folder.path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.folder.path.exists() && self.release().is_err() {
            // Somebody still works in it: at least nobody new gets in, and the kernel unmounts
            // when the last one leaves.
            let _ = unmount(self.root(), UnmountFlags::DETACH);
            let _ = remove_folder(&self.folder.path);
        }
    }
}

fn mount_xfs(device: &Path, folder: &Path, options: &MountOptions) -> Result<()> {
    let flags = match options.access {
        Access::ReadWrite => MountFlags::empty(),
        Access::ReadOnly => MountFlags::RDONLY,
    };
    let comma = if options.options.is_empty() { "" } else { "," };
    let data = std::ffi::CString::new(format!("nouuid{comma}{}", options.options))?;
    Ok(mount(device, folder, "xfs", flags, data.as_c_str())?)
}

fn remove_folder(folder: &Path) -> Result<()> {
    // Never recursive: a mount that could not be undone would be emptied.
    gone(std::fs::remove_dir(folder.join("volume")))?;
    gone(std::fs::remove_file(folder.join("owner")))?;
    gone(std::fs::remove_dir(folder))
}

/// Whoever was killed in the middle has removed a part already.
fn gone(removed: std::io::Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Unmounts, waiting for others that hold a file for a moment (a child between fork and exec).
fn undo_mount(at: &Path) -> Result<()> {
    patiently(|| match unmount(at, UnmountFlags::empty()) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(errno) => Err(anyhow!("cannot unmount {}: {errno}", at.display())),
    })
}

/// Tries until it works, for about five seconds.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut wait = Duration::from_millis(2);
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if wait > Duration::from_secs(2) => return Err(error),
            Err(_) => sleep(wait),
        }
        wait *= 2;
    }
}

/// Undoes the mounts below `root` whose owners are dead.
pub(super) fn sweep(root: &Path) {
    for orphan in Owned::orphans(root, PREFIX) {
        let undone = undo_mount(&orphan.path.join("volume"));
        if let Err(error) = undone.and_then(|()| remove_folder(&orphan.path)) {
            eprintln!("left as it is: {}: {error:#}", orphan.path.display());
        }
    }
}
