//! What was found, an item at a time: lines for people; for programs a list in JSON that is one
//! document, whatever becomes of the work behind it.

use super::is_json;
use serde::Serialize;
use std::io::Write;

/// Where items go.
pub struct Items<'a> {
    /// The output, for the lines.
    pub out: &'a mut dyn Write,
    any: bool,
}

impl<'a> Items<'a> {
    /// Does `work`, which puts items; the list ends also where that failed.
    pub fn of<T>(
        out: &'a mut dyn Write,
        work: impl FnOnce(&mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut items = Self { out, any: false };
        let done = work(&mut items);
        let ended = if is_json() { items.end() } else { Ok(()) };
        let done = done?;
        ended?;
        Ok(done)
    }

    /// One more item of the list for programs.
    pub fn put(&mut self, item: &impl Serialize) -> anyhow::Result<()> {
        self.out.write_all(if self.any { b",\n" } else { b"[\n" })?;
        self.any = true;
        Ok(serde_json::to_writer(&mut *self.out, item)?)
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.out.write_all(if self.any { b"\n]\n" } else { b"[]\n" })
    }
}
