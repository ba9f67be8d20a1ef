//! Commands that show the place, or what was typed.

use super::Said;
use super::files::unescaped;
use crate::field::Scope;
use crate::kind::Type;
use crate::session::Session;
use crate::{Result, dump, path, refuse, select};
use untorn_format::da::hash_name;

pub fn print(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let place = session.here()?;
    let Some(kind) = place.kind else { return refuse("no current type") };
    let Some(fields) = kind.fields() else {
        return Ok(match kind {
            Type::Text => Said::Text(dump::characters(&place.bytes)),
            _ => Said::Words(String::new(), place.bytes.clone()),
        });
    };
    let shape = &session.volume.shape;
    if shape.version == 4 && !kind.is_of_version_4() {
        let note = format!("# {} of version 4 is not decoded here; bytes follow\n", kind.name());
        return Ok(Said::Words(note, place.bytes.clone()));
    }
    let scope = Scope { bytes: place.structure(), base: 0, note: 0, shape };
    let mut items = Vec::new();
    for typed in arguments {
        select::select(fields, &scope, "", &path::parse(typed)?, &mut items)?;
    }
    if arguments.is_empty() {
        select::all(fields, &scope, "", &mut items);
    }
    match items.is_empty() {
        true => Ok(Said::Words(not_decoded(kind, place.structure()), place.bytes.clone())),
        false => Ok(Said::Items(items)),
    }
}

fn not_decoded(kind: Type, bytes: &[u8]) -> String {
    let start: String = bytes.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("# no {} in any form that is known here: begins {start}; bytes follow\n", kind.name())
}

pub fn echo(_: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let words: String = arguments.iter().map(|word| format!("{word} ")).collect();
    Ok(Said::Text(words + "\n"))
}

pub fn hash(_: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let name = arguments.first().copied().unwrap_or_default();
    Ok(Said::Text(format!("{:#x}\n", hash_name(&unescaped(name.as_bytes())))))
}
