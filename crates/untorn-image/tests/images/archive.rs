//! Archives made by hand, so that they can be wrong.

use tar::{EntryType, Header};

/// An archive that grows.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The archive with its end.
    pub(crate) fn done(mut self) -> Vec<u8> {
        self.bytes.extend([0; 1024]);
        self.bytes
    }

    /// The archive as it is.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.entry(EntryType::Regular, name, "", bytes)
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"")
    }

    pub(crate) fn entry(self, kind: EntryType, name: &str, target: &str, bytes: &[u8]) -> Self {
        self.with(kind, name, target, bytes, |_| {})
    }

    /// An entry whose header is changed before its checksum is made.
    pub(crate) fn with(
        mut self,
        kind: EntryType,
        name: &str,
        target: &str,
        bytes: &[u8],
        change: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_mode(0o640);
        header.set_uid(1000);
        header.set_gid(100);
        header.set_mtime(1_700_000_000);
        header.set_size(bytes.len() as u64);
        header.set_device_major(0).unwrap();
        header.set_device_minor(0).unwrap();
        change(&mut header);
        header.set_cksum();
        self.bytes.extend(header.as_bytes());
        self.raw(bytes)
    }

    /// Bytes, padded.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// Extended headers for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.records(EntryType::XHeader, records)
    }

    /// Extended headers for all entries that follow.
    pub(crate) fn global(self, records: &[(&str, &[u8])]) -> Self {
        self.records(EntryType::XGlobalHeader, records)
    }

    fn records(self, kind: EntryType, records: &[(&str, &[u8])]) -> Self {
        let bytes: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(kind, "pax", "", &bytes)
    }
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let digits = (1..).find(|digits| (rest + digits).to_string().len() == *digits).unwrap();
    let mut record = format!("{} {key}=", rest + digits).into_bytes();
    record.extend(value);
    record.push(b'\n');
    record
}
