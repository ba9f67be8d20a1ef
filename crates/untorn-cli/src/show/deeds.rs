//! What a command changed, for programs: one document of one list.
//!
//! ```text
//! {"removed": [{"path": "/a"}, {"path": "/b"}]}
//! ```

use crate::arguments::VolumePath;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;

/// What was done so far, in order.
#[derive(Debug, Default)]
pub struct Deeds {
    done: Vec<Map<String, Value>>,
    /// What people are told of it, who asked for that.
    lines: Vec<String>,
}

/// One thing that was done.
pub struct Deed<'a>(&'a mut Map<String, Value>);

impl Deeds {
    /// Something was done to `path`.
    pub fn add(&mut self, path: &VolumePath) -> Deed<'_> {
        let at = self.done.len();
        self.done.push(Map::new());
        // There is one: it was just put there.
        let deed = Deed(&mut self.done[at]);
        deed.with_path("path", path)
    }

    /// People are told this.
    pub fn say(&mut self, line: impl FnOnce() -> String, verbose: bool) {
        self.lines.extend(verbose.then(line));
    }

    /// The lines for people.
    pub fn tell(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        Ok(self.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?)
    }

    /// The document: the list under the word for what was done.
    pub fn print(&self, out: &mut dyn Write, verb: &'static str) -> anyhow::Result<()> {
        super::json(out, &Map::from_iter([(verb.to_owned(), serde_json::to_value(&self.done)?)]))
    }
}

impl Deed<'_> {
    /// And a value.
    pub fn with(self, name: &'static str, value: impl Serialize) -> Self {
        // Numbers, words and flags have a form in JSON.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.0.insert(name.to_owned(), value);
        self
    }

    /// And a path: also in hexadecimal as `NAME_bytes` where it is no UTF-8.
    pub fn with_path(self, name: &'static str, path: impl AsRef<[u8]>) -> Self {
        let bytes = path.as_ref();
        self.0.insert(name.to_owned(), String::from_utf8_lossy(bytes).into());
        if let Some(hex) = super::name_bytes(bytes) {
            self.0.insert(format!("{name}_bytes"), hex.into());
        }
        self
    }
}
