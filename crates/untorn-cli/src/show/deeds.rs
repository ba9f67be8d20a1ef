//! What a command changed: lines for people, as it happens; for programs one document of one list.
//!
//! ```text
//! {"removed": [
//! {"path":"/a"},
//! {"path":"/b"}
//! ]}
//! ```
//! Invariants: nothing is kept of what was told; the document ends also where the work failed.

use super::is_json;
use crate::arguments::VolumePath;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, Write};

/// What was done, in order.
#[derive(Default)]
pub struct Deeds<'a> {
    /// Where it is told at once; without, it is kept.
    out: Option<&'a mut dyn Write>,
    any: bool,
    /// The first failure of the output, behind which nothing more is said.
    failed: Option<io::Error>,
    kept: Vec<Map<String, Value>>,
}

/// One thing that was done. It is told once all of it was said.
pub struct Deed<'d, 'a> {
    deeds: &'d mut Deeds<'a>,
    what: Map<String, Value>,
}

impl<'a> Deeds<'a> {
    /// Does `work`, which tells its deeds: programs hear of them in a list under the word `verb`.
    pub fn told<T>(
        out: &'a mut dyn Write,
        verb: &'static str,
        work: impl FnOnce(&mut Deeds<'a>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut deeds = Deeds { out: Some(out), ..Deeds::default() };
        if is_json() {
            deeds.write(|out| write!(out, "{{\"{verb}\": ["));
        }
        let done = work(&mut deeds);
        if is_json() {
            let end = if deeds.any { "\n]}" } else { "]}" };
            deeds.write(|out| writeln!(out, "{end}"));
        }
        match (done, deeds.failed) {
            (Ok(_), Some(error)) => Err(error.into()),
            (done, _) => done,
        }
    }

    /// Something was done to `path`.
    pub fn add(&mut self, path: &VolumePath) -> Deed<'_, 'a> {
        Deed { deeds: self, what: Map::new() }.with_path("path", path)
    }

    /// People are told this, who asked for it.
    pub fn say(&mut self, line: impl FnOnce() -> String, verbose: bool) {
        if verbose && !is_json() {
            self.write(|out| writeln!(out, "{}", line()));
        }
    }

    /// The document: the list of what was kept under the word for what was done.
    pub fn print(&self, out: &mut dyn Write, verb: &'static str) -> anyhow::Result<()> {
        super::json(out, &Map::from_iter([(verb.to_owned(), serde_json::to_value(&self.kept)?)]))
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if let (Some(out), None) = (&mut self.out, &self.failed) {
            self.failed = write(&mut **out).err();
        }
    }

    fn tell(&mut self, what: Map<String, Value>) {
        if self.out.is_none() {
            self.kept.push(what);
        } else if is_json() {
            let before = if std::mem::replace(&mut self.any, true) { ",\n" } else { "\n" };
            self.write(|out| write!(out, "{before}{}", Value::Object(what)));
        }
    }
}

impl Drop for Deed<'_, '_> {
    fn drop(&mut self) {
        self.deeds.tell(std::mem::take(&mut self.what));
    }
}

impl Deed<'_, '_> {
    /// And a value.
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        // Numbers, words and flags have a form in JSON.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.what.insert(name.to_owned(), value);
        self
    }

    /// And a path: also in hexadecimal as `NAME_bytes` where it is no UTF-8.
    pub fn with_path(mut self, name: &'static str, path: impl AsRef<[u8]>) -> Self {
        let bytes = path.as_ref();
        self.what.insert(name.to_owned(), String::from_utf8_lossy(bytes).into());
        if let Some(hex) = super::name_bytes(bytes) {
            self.what.insert(format!("{name}_bytes"), hex.into());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What was written, for a look meanwhile.
    struct Shown<'s>(&'s RefCell<Vec<u8>>);

    impl Write for Shown<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn people_are_told_while_the_work_goes_on() {
        let shown = RefCell::default();
        let mut out = Shown(&shown);
        let done: anyhow::Result<()> = Deeds::told(&mut out, "done", |deeds| {
            deeds.say(|| "one".to_owned(), true);
            deeds.say(|| "nobody asked".to_owned(), false);
            assert_eq!(shown.borrow().as_slice(), b"one\n");
            Err(anyhow::anyhow!("of the work"))
        });
        assert!(done.is_err());
        assert_eq!(shown.borrow().as_slice(), b"one\n");
    }
}
