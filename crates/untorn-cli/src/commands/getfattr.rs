//! `untorn getfattr`: extended attributes, as the tool of that name shows them. `setfattr
//! --restore` takes what is shown.

use super::attributes::{LISTS, SPACES};
use super::operands::Told;
use super::walk::{Onward, walk};
use crate::arguments::{Encoding, GetAttributes, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::{self, Items, value};
use crate::target;
use serde::Serialize;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use untorn::Volume;
use untorn_format::Ino;

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    path: &'a VolumePath,
    name: String,
    /// In hexadecimal, where the name is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    /// Hexadecimal.
    value: String,
}

/// A name with what it begins with, and a value.
type Attribute = (Vec<u8>, Vec<u8>);

/// Shows the attributes of each path.
pub fn run(arguments: &GetAttributes, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    Items::of(out, |items| {
        let mut told = Told::default();
        for path in &arguments.paths {
            let shown = show(&volume, path, arguments, items, &mut told);
            told.of(shown)?;
        }
        told.end()
    })
}

fn show(
    volume: &Volume,
    path: &VolumePath,
    arguments: &GetAttributes,
    items: &mut Items<'_>,
    told: &mut Told,
) -> anyhow::Result<()> {
    let top = match arguments.no_dereference {
        true => volume.metadata(path).at(path)?.inode.ino,
        false => volume.lookup(path).at(path)?,
    };
    tell(path, &of(volume, top, path, arguments)?, arguments, items)?;
    if !arguments.recursive {
        return Ok(());
    }
    walk(volume, path, told, |step, told| {
        if step.depth > 0 {
            let found = of(volume, step.found.inode.ino, step.path, arguments);
            let found = told.of(found)?.unwrap_or_default();
            tell(step.path, &found, arguments, items)?;
        }
        Ok(Onward::Down)
    })
}

/// Names and values that were asked for, in the order of names.
fn of(
    volume: &Volume,
    ino: Ino,
    path: &VolumePath,
    arguments: &GetAttributes,
) -> anyhow::Result<Vec<Attribute>> {
    let listed = volume.attributes(ino).at(path)?;
    let named = listed.into_iter().filter_map(|attribute| {
        let (_, prefix) = SPACES.iter().find(|(space, _)| *space == attribute.namespace)?;
        Some(([prefix.as_bytes(), &attribute.name].concat(), attribute.value))
    });
    let mut found: Vec<Attribute> = named.collect();
    for (kind, name) in LISTS.iter().filter(|(_, name)| arguments.wants(name)) {
        let list = volume.acl_of(ino, *kind).at(path)?;
        found.extend(list.map(|list| (name.to_vec(), list.encode_carried())));
    }
    found.retain(|(name, _)| arguments.wants(name));
    found.sort_unstable();
    match (&arguments.name, found.is_empty()) {
        (Some(wanted), true) => {
            let told = format!("{path}: {}: no such attribute", show::printable(wanted.as_bytes()));
            Err(Refusal::new(Code::NoSuchAttribute, told).into())
        }
        _ => Ok(found),
    }
}

/// The attributes of one file: an empty line behind them, as `setfattr --restore` needs it.
fn tell(
    path: &VolumePath,
    found: &[Attribute],
    arguments: &GetAttributes,
    items: &mut Items<'_>,
) -> anyhow::Result<()> {
    if show::is_json() {
        return found.iter().try_for_each(|(name, value)| {
            items.put(&Json {
                path,
                name: String::from_utf8_lossy(name).into_owned(),
                name_bytes: show::name_bytes(name),
                value: value::hexadecimal(value),
            })
        });
    }
    if arguments.only_values {
        return found.iter().try_for_each(|(_, value)| Ok(items.out.write_all(value)?));
    }
    if found.is_empty() {
        return Ok(());
    }
    writeln!(items.out, "# file: {}", value::name(path.as_ref(), b""))?;
    for (name, bytes) in found {
        let shown = encoded(bytes, arguments.encoding);
        writeln!(items.out, "{}={shown}", value::name(name, b"="))?;
    }
    Ok(writeln!(items.out)?)
}

/// A value in the form that was asked for; text where it is text, else base64.
fn encoded(bytes: &[u8], encoding: Option<Encoding>) -> String {
    let fitting = if value::is_text(bytes) { Encoding::Text } else { Encoding::Base64 };
    match encoding.unwrap_or(fitting) {
        Encoding::Text => format!("\"{}\"", value::text(bytes)),
        Encoding::Hex => format!("0x{}", value::hexadecimal(bytes)),
        Encoding::Base64 => format!("0s{}", value::base64(bytes)),
    }
}
