//! `untorn getfattr` and `untorn setfattr`: extended attributes, as the tools of that name show and
//! take them.

use crate::arguments::{GetAttributes, SetAttribute};
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use untorn::attr::SetMode;
use untorn_format::attr::Namespace;

const SPACES: [(Namespace, &str); 3] = [
    (Namespace::User, "user."),
    (Namespace::Trusted, "trusted."),
    (Namespace::Security, "security."),
];

#[derive(Serialize)]
struct Attribute {
    path: String,
    name: String,
    /// Hexadecimal.
    value: String,
}

/// Shows the attributes of each path.
pub fn get(arguments: &GetAttributes, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let mut all = Vec::new();
    for path in &arguments.paths {
        let listed = volume.attributes(volume.lookup(path)?)?;
        for attribute in &listed {
            let prefix = SPACES.iter().find(|(space, _)| *space == attribute.namespace);
            let Some((_, prefix)) = prefix else { continue };
            let name = format!("{prefix}{}", show::printable(&attribute.name));
            if arguments.name.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            let value = attribute.value.iter().map(|byte| format!("{byte:02x}")).collect();
            all.push((Attribute { path: path.clone(), name, value }, attribute.value.clone()));
        }
    }
    if arguments.reading.json {
        let all: Vec<_> = all.iter().map(|(attribute, _)| attribute).collect();
        show::json(out, &all)?;
        return Ok(End::Well);
    }
    let mut last = "";
    for (Attribute { path, name, .. }, value) in &all {
        if path != last {
            writeln!(out, "# file: {path}")?;
            last = path;
        }
        writeln!(out, "{name}=\"{}\"", value.escape_ascii())?;
    }
    Ok(End::Well)
}

/// Sets or removes an attribute of each path.
pub fn set(arguments: &SetAttribute) -> Outcome {
    let typed = arguments.name.as_ref().or(arguments.remove.as_ref());
    let typed = typed.context("say which: -n NAME -v VALUE, or -x NAME")?;
    let split =
        SPACES.iter().find_map(|(space, prefix)| Some((*space, typed.strip_prefix(prefix)?)));
    let (space, name) =
        split.with_context(|| format!("{typed}: begins with user., trusted. or security."))?;
    target::write(&arguments.image, |volume| {
        arguments.paths.iter().try_for_each(|path| {
            let (ino, name) = (volume.lookup(path)?, (space, name.as_bytes()));
            let done = match arguments.remove {
                Some(_) => volume.remove_attribute(ino, name),
                None => {
                    let value = arguments.value.as_deref().unwrap_or_default().as_bytes();
                    volume.set_attribute(ino, name, value, SetMode::Upsert)
                }
            };
            Ok(done?)
        })
    })?;
    Ok(End::Well)
}
