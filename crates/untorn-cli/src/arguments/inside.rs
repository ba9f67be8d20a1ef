//! Paths on volumes: bytes without a NUL, as names are, whatever their encoding.

use crate::failure::{Code, Refusal};
use crate::show;
use clap::builder::{OsStringValueParser, TryMapValueParser, TypedValueParser, ValueParserFactory};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Turns what was typed into something.
pub type Typed<T> = TryMapValueParser<OsStringValueParser, fn(OsString) -> Result<T, String>>;

/// A path on a volume, as it was typed. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumePath(Vec<u8>);

impl VolumePath {
    /// The path of `bytes`, which are not empty.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Its last part; nothing where that is no name.
    pub fn name(&self) -> Option<&[u8]> {
        let name = self.without_slashes().rsplit(|&byte| byte == b'/').next();
        name.filter(|name| !name.is_empty())
    }

    /// Without the slashes at its end; the root is empty.
    pub fn without_slashes(&self) -> &[u8] {
        let end = self.0.iter().rposition(|&byte| byte != b'/').map_or(0, |at| at + 1);
        self.0.get(..end).unwrap_or_default()
    }

    /// The directory that holds its last part.
    pub fn above(&self) -> Self {
        let bytes = self.without_slashes();
        let end = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        match bytes.get(..end) {
            None | Some([]) => Self::new("/"),
            Some(above) => Self::new(above),
        }
    }

    /// Whether it asks for a directory.
    pub fn ends_with_slash(&self) -> bool {
        self.0.ends_with(b"/")
    }

    /// The path of `name` in the directory that this one names.
    pub fn join(&self, name: &[u8]) -> Self {
        Self([self.without_slashes(), b"/", name].concat())
    }

    /// Goes down to `name`; cut to the length before, it is what it was.
    pub fn push(&mut self, name: &[u8]) {
        if !self.ends_with_slash() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }

    /// Goes back up to where it had `length` bytes.
    pub fn cut(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl AsRef<[u8]> for VolumePath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for VolumePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show::printable(&self.0))
    }
}

/// `path`, and `path_bytes` in hexadecimal where JSON cannot say it otherwise.
impl Serialize for VolumePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("path", &String::from_utf8_lossy(&self.0))?;
        if let Some(bytes) = show::name_bytes(&self.0) {
            out.serialize_entry("path_bytes", &bytes)?;
        }
        out.end()
    }
}

fn path(typed: OsString) -> Result<VolumePath, String> {
    match typed.is_empty() {
        true => Err("an empty path names nothing; the root directory is /".to_owned()),
        false => Ok(VolumePath(typed.into_vec())),
    }
}

impl ValueParserFactory for VolumePath {
    type Parser = Typed<Self>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(path)
    }
}

/// A path on the volume of an image.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Image file or block device.
    pub image: PathBuf,
    /// The path, from its slash on.
    pub path: VolumePath,
}

impl Destination {
    /// `IMAGE:/path`: the last colon with a slash behind it ends the name of the image.
    pub fn of(typed: &OsStr) -> Option<Self> {
        let bytes = typed.as_bytes();
        let colon = bytes.windows(2).rposition(|pair| pair == b":/").filter(|&at| at > 0)?;
        let (image, path) = bytes.split_at_checked(colon)?;
        let path = VolumePath(path.get(1..)?.to_vec());
        Some(Self { image: OsStr::from_bytes(image).into(), path })
    }
}

fn destination(typed: OsString) -> Result<Destination, String> {
    let found = Destination::of(&typed).filter(|found| found.path.name().is_some());
    found.ok_or_else(|| "names no file on a volume: write IMAGE:/path".to_owned())
}

impl ValueParserFactory for Destination {
    type Parser = Typed<Self>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(destination)
    }
}

/// One end of a copy.
#[derive(Clone, Debug)]
pub enum Side {
    /// A path on the volume of an image.
    Volume(Destination),
    /// A path of the host.
    Host(PathBuf),
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(side) => write!(f, "{}:{}", side.image.display(), side.path),
            Self::Host(path) => f.write_str(&show::printable(path.as_os_str().as_bytes())),
        }
    }
}

/// Paths that begin like this are the host's where the host has them, whatever colons they have.
const OF_THE_HOST: [&[u8]; 3] = [b"/", b"./", b"../"];

/// A path of the host, or `IMAGE:/path`; `IMAGE:` is its root directory.
fn side(typed: OsString) -> Result<Side, String> {
    let bytes = typed.as_bytes();
    let begins = OF_THE_HOST.iter().any(|start| bytes.starts_with(start));
    let is_there = || Path::new(&typed).symlink_metadata().is_ok();
    if begins && is_there() {
        return Ok(Side::Host(typed.into()));
    }
    let image = bytes.strip_suffix(b":").filter(|image| !image.is_empty() && !is_there());
    let root = image.map(|image| Destination {
        image: OsStr::from_bytes(image).into(),
        path: VolumePath::new("/"),
    });
    Ok(match Destination::of(&typed).or(root) {
        Some(found) => Side::Volume(found),
        None => Side::Host(typed.into()),
    })
}

impl ValueParserFactory for Side {
    type Parser = Typed<Self>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(side)
    }
}

/// Something that stands before paths; or the first of them, where an option says it instead.
#[derive(Clone, Debug)]
pub struct OrPath<T> {
    typed: OsString,
    meant: Result<T, String>,
}

impl<T: Clone> OrPath<T> {
    /// What was meant, and the paths behind it.
    pub fn and<'p>(&self, paths: &'p [VolumePath]) -> anyhow::Result<(T, &'p [VolumePath])> {
        match &self.meant {
            Ok(meant) => Ok((meant.clone(), paths)),
            Err(why) => Err(Refusal::new(Code::Usage, why).into()),
        }
    }

    /// All paths.
    pub fn all(&self, paths: &[VolumePath]) -> anyhow::Result<Vec<VolumePath>> {
        let first = path(self.typed.clone()).map_err(|why| Refusal::new(Code::Usage, why))?;
        Ok([first].into_iter().chain(paths.iter().cloned()).collect())
    }
}

/// Whether a file or device of the host begins as a volume does.
pub fn is_volume(typed: &OsStr) -> bool {
    let is_there = fs::metadata(typed)
        .is_ok_and(|found| found.is_file() || found.file_type().is_block_device());
    let mut start = [0; 4];
    is_there
        && File::open(typed).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && &start == b"XFSB"
}

fn or_path<T: FromStr<Err = String>>(typed: OsString) -> Result<OrPath<T>, String> {
    let meant = match typed.to_str() {
        Some(text) => text.parse(),
        None => Err("no text".to_owned()),
    };
    match &meant {
        // Who types the image here hears that where what stands for the image is no volume.
        Err(why) if !typed.as_bytes().starts_with(b"/") && !is_volume(&typed) => Err(why.clone()),
        _ => Ok(OrPath { typed, meant }),
    }
}

impl<T: FromStr<Err = String> + Clone + Send + Sync + 'static> ValueParserFactory for OrPath<T> {
    type Parser = Typed<Self>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(or_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(typed: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let found = Destination::of(OsStr::from_bytes(typed))?;
        Some((found.image.into_os_string().into_vec(), found.path.0))
    }

    #[test]
    fn the_last_colon_before_a_slash_ends_the_image() {
        let both = |image: &[u8], path: &[u8]| Some((image.to_vec(), path.to_vec()));
        assert_eq!(split(b"disk.img:/a/b"), both(b"disk.img", b"/a/b"));
        assert_eq!(split(b"a:/b:/c"), both(b"a:/b", b"/c"));
        assert_eq!(split(b"disk\xff:/\xfe"), both(b"disk\xff", b"/\xfe"));
        assert_eq!(split(b"disk.img:/"), both(b"disk.img", b"/"));
        assert_eq!((split(b":/a"), split(b"a:b"), split(b"/a")), (None, None, None));
    }

    #[test]
    fn a_path_ends_with_its_name_whatever_slashes_follow() {
        let path = |text: &str| VolumePath::new(text);
        assert_eq!(path("/a/b//").name(), Some(&b"b"[..]));
        assert_eq!(path("//").name(), None);
        assert_eq!(path("/").join(b"a"), path("/a"));
        assert_eq!(path("/a//").join(b"b"), path("/a/b"));
    }
}
