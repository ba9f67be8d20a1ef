//! Names for what is made beside something that it replaces when it is whole.

/// A name that nothing has.
pub fn free_name(mut is_free: impl FnMut(&str) -> anyhow::Result<bool>) -> anyhow::Result<String> {
    let mut number = 0_u64;
    loop {
        let name = format!(".untorn-{}-{number}", std::process::id());
        if is_free(&name)? {
            return Ok(name);
        }
        number += 1;
    }
}

/// A name that nothing in a directory of the volume has.
pub fn free_name_in(volume: &untorn::Volume, dir: untorn_format::Ino) -> anyhow::Result<String> {
    free_name(|name| match volume.find_in(dir, name) {
        Err(untorn::Error::NotFound(_)) => Ok(true),
        found => Ok(found.map(|_| false)?),
    })
}
