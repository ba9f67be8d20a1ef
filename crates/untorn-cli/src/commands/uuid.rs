//! `untorn uuid`: shows or changes the UUID.

use crate::arguments::Uuid;
use crate::failure::{Code, End, Outcome, Refusal};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use untorn::NewUuid;
use untorn_device::Access;

#[derive(Serialize)]
struct Json {
    image: String,
    uuid: String,
    /// What metadata blocks carry: the UUID that the volume was made with.
    metadata_uuid: String,
}

/// Changes the UUID where one is asked for; prints it as xfs_admin does.
pub fn run(arguments: &Uuid, out: &mut dyn Write) -> Outcome {
    let name = arguments.image.name();
    if let Some(new) = wanted(arguments)? {
        let device = target::device(&arguments.image, Access::ReadWrite)?;
        untorn::set_uuid(device, new).with_context(|| name.clone())?;
    }
    let device = target::device(&arguments.image, Access::ReadOnly)?;
    let superblock = untorn::probe(&*device).with_context(|| name.clone())?;
    let text = |bytes| uuid::Uuid::from_bytes(bytes).to_string();
    let (uuid, metadata_uuid) = (text(superblock.uuid), text(superblock.meta_uuid));
    match show::is_json() {
        true => show::json(out, &Json { image: name, uuid, metadata_uuid })?,
        false => writeln!(out, "UUID = {uuid}")?,
    }
    Ok(End::Well)
}

fn wanted(arguments: &Uuid) -> anyhow::Result<Option<NewUuid>> {
    if arguments.generate {
        return Ok(Some(NewUuid::Generate));
    }
    Ok(match arguments.uuid.as_deref() {
        None => None,
        Some("generate") => Some(NewUuid::Generate),
        Some("restore") => Some(NewUuid::Restore),
        Some(text) => {
            let uuid = uuid::Uuid::try_parse(text);
            let refused = |why| Refusal::new(Code::Invalid, format!("{text:?} is no UUID: {why}"));
            let uuid = uuid.map_err(|why| refused(why).or("give one, `generate` or `restore`"))?;
            Some(NewUuid::Set(uuid.into_bytes()))
        }
    })
}
