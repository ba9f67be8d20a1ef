//! The sorts of failures, as programs read them, and what to do about each.

use super::Refusal;
use anyhow::Chain;
use clap::ValueEnum;
use std::borrow::Cow;
use std::io::ErrorKind;
use untorn::Error;
use untorn::mkfs::MkfsError;
use untorn_check::CheckError;
use untorn_device::DeviceError;

/// The sort of a failure or warning: for programs, its name in small letters with dashes, as in
/// `not-found`. Words stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Code {
    /// What was typed is no command.
    Usage,
    /// No such file or directory on the volume.
    NotFound,
    /// The name is taken.
    Exists,
    /// A directory was needed.
    NotADirectory,
    /// Something other than a directory was needed.
    IsADirectory,
    /// A regular file was needed.
    NotARegularFile,
    /// The directory has entries.
    NotEmpty,
    /// Too many symbolic links on the way.
    LinkLoop,
    /// No such attribute.
    NoSuchAttribute,
    /// No space left on the volume.
    NoSpace,
    /// More than one commit, file or count can carry.
    TooLarge,
    /// A name, offset, length or option that cannot be.
    Invalid,
    /// A flag of the file or its project forbids it.
    Protected,
    /// The volume or the device is open for reading only.
    ReadOnly,
    /// Not handled here.
    Unsupported,
    /// The volume is damaged.
    Damaged,
    /// No volume at that place.
    NoVolume,
    /// The device holds something that would be overwritten.
    Occupied,
    /// Somebody else has the image or device.
    InUse,
    /// The journal has to be replayed.
    DirtyJournal,
    /// Something changed while it was copied or looked at.
    Changed,
    /// An archive or source is not what it should be.
    BadSource,
    /// The host has no such file.
    HostNotFound,
    /// The host forbade it.
    HostForbidden,
    /// The host or a device failed.
    Io,
    /// Something was left out.
    LeftOut,
    /// Anything else.
    Failed,
}

impl Code {
    /// The word for programs.
    pub fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// All words, each with what it means, a line each.
    pub fn all() -> String {
        let values = Self::value_variants().iter().filter_map(Self::to_possible_value);
        let lines = values.map(|value| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            format!("    {:<19} {help}\n", value.get_name())
        });
        lines.collect()
    }
}

/// The sort of an error: that of its first cause which has one.
pub fn code(mut chain: Chain<'_>) -> Code {
    chain.find_map(of_cause).unwrap_or(Code::Failed)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Code> {
    let image = || cause.downcast_ref().and_then(of_image);
    let refusal = cause.downcast_ref::<Refusal>().map(|refusal| refusal.code);
    let library = refusal.or_else(|| cause.downcast_ref().map(of_library));
    let tools = library.or_else(image).or_else(|| cause.downcast_ref().map(of_mkfs));
    let check = tools.or_else(|| cause.downcast_ref().map(of_check));
    let machine = check.or_else(|| cause.downcast_ref().map(of_device));
    let machine = machine.or_else(|| cause.downcast_ref().map(of_db));
    let host = machine.or_else(|| cause.downcast_ref().map(of_host));
    // Nothing that is said here has no form in JSON: what failed is where it goes.
    host.or_else(|| cause.downcast_ref::<serde_json::Error>().map(|_| Code::Io))
}

fn of_library(error: &Error) -> Code {
    match error {
        Error::Device(error) => of_device(error),
        Error::NotXfs => Code::NoVolume,
        Error::Corrupt(_) | Error::CutShort { .. } | Error::UnlinkedChain { .. } => Code::Damaged,
        Error::Unsupported { .. } => Code::Unsupported,
        Error::NoSpace { .. } | Error::NoRun { .. } => Code::NoSpace,
        Error::TooLarge { .. } | Error::TooShared(_) | Error::TooManyLinks(_) => Code::TooLarge,
        Error::Changed(_) => Code::Changed,
        Error::NotFound(_) => Code::NotFound,
        Error::NoAttribute(_) => Code::NoSuchAttribute,
        Error::Exists(_) => Code::Exists,
        Error::NotDirectory(_) => Code::NotADirectory,
        Error::IsDirectory(_) => Code::IsADirectory,
        Error::NotRegular(_) => Code::NotARegularFile,
        Error::NotEmpty(_) => Code::NotEmpty,
        Error::SymlinkLoop(_) => Code::LinkLoop,
        Error::Invalid(_) | Error::AtomicRefused(_) => Code::Invalid,
        Error::Protected(_) | Error::CrossProject { .. } => Code::Protected,
        Error::ReadOnly(_) => Code::ReadOnly,
        Error::Stopped(_) => Code::Io,
        _ => Code::Failed,
    }
}

/// Nothing where a cause says more.
fn of_image(error: &untorn_image::Error) -> Option<Code> {
    use untorn_image::Error;
    match error {
        Error::Entry { .. } | Error::Compressed { .. } | Error::Source { .. } => {
            Some(Code::BadSource)
        }
        Error::NoRoom { .. } => Some(Code::NoSpace),
        Error::Host { source, .. } => Some(of_host(source)),
        _ => None,
    }
}

fn of_mkfs(error: &MkfsError) -> Code {
    match error {
        MkfsError::Occupied { .. } => Code::Occupied,
        MkfsError::Device(error) => of_device(error),
        _ => Code::Invalid,
    }
}

fn of_check(error: &CheckError) -> Code {
    match error {
        CheckError::NotXfs => Code::NoVolume,
        CheckError::Unsupported(_) => Code::Unsupported,
        CheckError::DirtyJournal => Code::DirtyJournal,
        CheckError::Device(error) => of_device(error),
    }
}

fn of_device(error: &DeviceError) -> Code {
    match error {
        DeviceError::Open { source, .. } => of_host(source),
        DeviceError::Busy(_) => Code::InUse,
        DeviceError::ReadOnly => Code::ReadOnly,
        DeviceError::Unusable(_) => Code::NoVolume,
        _ => Code::Io,
    }
}

fn of_host(error: &std::io::Error) -> Code {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Code::HostNotFound,
        ErrorKind::IsADirectory => Code::BadSource,
        ErrorKind::PermissionDenied => Code::HostForbidden,
        _ => Code::Io,
    }
}

fn of_db(error: &untorn_db::Refusal) -> Code {
    match error {
        untorn_db::Refusal::Device(error) => of_device(error),
        untorn_db::Refusal::Asked(_) => Code::NoVolume,
    }
}

/// What to do next, where the error does not say it itself: what the innermost cause that has
/// something to say would have done.
pub fn remedy(mut chain: Chain<'_>) -> Option<String> {
    chain.find_map(|cause| {
        let own = cause.downcast_ref::<Refusal>().map(|refusal| refusal.remedy.clone());
        let own = own.map(|remedy| remedy.map(Cow::into_owned));
        let library = || cause.downcast_ref().map(next_step);
        let image = || cause.downcast_ref().map(after_image);
        let check = || cause.downcast_ref().map(after_check);
        let found = own.or_else(library).or_else(image).or_else(check);
        found.flatten()
    })
}

/// Where a volume may be instead.
const PLACE: &str = "for a volume inside a disk image give --partition or --offset";
/// Where the superblock of a volume is lost.
const COPIES: &str = "for one that lost its start, `untorn check` looks for copies of it";

fn next_step(error: &Error) -> Option<String> {
    let step = match error {
        Error::NotXfs => return Some(format!("{PLACE}; {COPIES}")),
        Error::CutShort { .. } => "restore it whole, or say where the volume begins",
        Error::Corrupt(_) => "see what is damaged with `untorn check`",
        Error::NotFound(_) => "list the directory with `untorn ls`",
        Error::NotDirectory(_) | Error::NotRegular(_) => "see what it is with `untorn stat`",
        Error::IsDirectory(_) => "give the path of a file",
        Error::NotEmpty(_) => "see what is in it with `untorn ls`",
        Error::Exists(_) => "choose another name or remove it with `untorn rm`",
        Error::NoSpace { .. } => "remove files with `untorn rm`, or enlarge it: `untorn grow`",
        Error::TooLarge { .. } => "nothing was changed: write smaller pieces",
        Error::SymlinkLoop(_) => "see the links with `untorn ls -l`",
        _ => return None,
    };
    Some(step.to_owned())
}

fn after_image(error: &untorn_image::Error) -> Option<String> {
    use untorn_image::Error;
    match error {
        Error::NoRoom { .. } => {
            let step = "what was copied before it stays; remove files with `untorn rm`, or enlarge \
                        the volume: `untorn grow`";
            Some(step.to_owned())
        }
        Error::Compressed { tool, .. } => {
            Some(format!("pipe it, as in `{tool} ARCHIVE | untorn mkfs --from -`"))
        }
        _ => None,
    }
}

fn after_check(error: &CheckError) -> Option<String> {
    match error {
        CheckError::NotXfs => Some(PLACE.to_owned()),
        CheckError::DirtyJournal => Some(
            "run `untorn recover` first, or mount and unmount it (or see what recovery would \
             leave: `untorn check --replay`)"
                .to_owned(),
        ),
        _ => None,
    }
}
