//! An image that the demo leaves for a look: a volume with one file of records, each written
//! atomically.

use crate::arguments::Demo;
use crate::show;
use anyhow::Context;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use untorn::mkfs::{self, Contents, Options};
use untorn::{File, NewFile, OpenOptions, Sync, Volume};
use untorn_device::{BlockDevice, FileDevice};

/// Size of the volume in bytes.
const SIZE: u64 = 64 << 20;
/// The file with the records.
const RECORDS: &str = "/records";

/// Makes the image, which must not exist, and says how to look at it.
pub fn make(path: &Path, arguments: &Demo, out: &mut dyn Write) -> anyhow::Result<()> {
    let name = path.display();
    let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::create(path, SIZE)?);
    if let Err(error) = fill(device, arguments) {
        let removed = fs::remove_file(path);
        removed.with_context(|| format!("removing {name} again"))?;
        return Err(error.context(name.to_string()));
    }
    if !show::is_json() {
        let writes = arguments.writes;
        writeln!(out, "{name}: {writes} records appended to {RECORDS}, each atomically; look:")?;
        writeln!(out, "  untorn ls -l {name}; untorn cat {name} {RECORDS}; untorn check {name}\n")?;
    }
    Ok(())
}

fn fill(device: Arc<dyn BlockDevice>, arguments: &Demo) -> anyhow::Result<()> {
    let options = Options { contents: Contents::Zeroed, ..Options::default() };
    mkfs::make(&*device, &options)?;
    let volume = Volume::open(device, OpenOptions::default())?;
    let file = volume.create_file(RECORDS, NewFile::default())?;
    let appended = (0..arguments.writes).try_for_each(|number| append(&file, number));
    volume.close()?;
    appended
}

fn append(file: &File, number: usize) -> anyhow::Result<()> {
    let record = format!("record {number}: whole or not at all\n");
    file.append_atomic(record.as_bytes(), Sync::Visible)?;
    Ok(())
}
