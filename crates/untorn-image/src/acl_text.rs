//! Access lists as archives write them: `user::rwx,user:lisa:r-x:1000,mask::rwx,...`.
//!
//! Who has no number, as a fourth field or in place of the name, is looked for among the users and
//! groups of the host, as tar does.

use std::fs;
use untorn_format::acl::{Acl, AclEntry, Who};

/// Files that say which number a name has, as users and as groups.
const NAMES: [&str; 2] = ["/etc/passwd", "/etc/group"];

/// Reads a list.
pub(crate) fn parse(text: &[u8]) -> Result<Acl, String> {
    let text = std::str::from_utf8(text).map_err(|_| "is no text".to_owned())?;
    let entries = text.split([',', '\n']).map(|entry| entry.split('#').next().unwrap_or(""));
    let entries = entries.map(str::trim).filter(|entry| !entry.is_empty());
    let entries = entries.map(parse_entry).collect::<Result<Vec<_>, _>>()?;
    Acl::new(entries).map_err(|fault| fault.to_string())
}

fn parse_entry(text: &str) -> Result<AclEntry, String> {
    let fields: Vec<&str> = text.split(':').map(str::trim).collect();
    let (tag, name, bits, id) = match *fields {
        [tag, name, bits] => (tag, name, bits, name),
        [tag, name, bits, id] => (tag, name, bits, id),
        // `mask:rwx` and `other:rwx` leave the empty field out.
        [tag, bits] => (tag, "", bits, ""),
        _ => return Err(format!("{text:?} is no entry")),
    };
    let number = |names: &str| {
        let found = id.parse().ok().or_else(|| number_of(&fs::read_to_string(names).ok()?, id));
        found.ok_or_else(|| format!("{text:?}: {names} knows no {id}"))
    };
    let [users, groups] = NAMES;
    let who = match (tag, name.is_empty()) {
        ("user" | "u", true) => Who::Owner,
        ("user" | "u", false) => Who::User(number(users)?),
        ("group" | "g", true) => Who::OwningGroup,
        ("group" | "g", false) => Who::Group(number(groups)?),
        ("mask" | "m", true) => Who::Mask,
        ("other" | "o", true) => Who::Others,
        _ => return Err(format!("{text:?} is no entry")),
    };
    Ok(AclEntry { who, permissions: permissions(bits).ok_or(format!("{text:?} is no entry"))? })
}

/// The number of a name in the lines of users or groups.
fn number_of(lines: &str, name: &str) -> Option<u32> {
    let mut found = lines.lines().filter_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    });
    found.next()
}

fn permissions(bits: &str) -> Option<u8> {
    bits.chars().try_fold(0, |sum, bit| {
        Some(
            sum | match bit {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                '-' => 0,
                _ => return None,
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_numbers_in_either_place() {
        let text = "user::rw-,user:lisa:r--:1000,user:7:rwx\ngroup::r--,mask::r-x,other::---";
        let acl = parse(text.as_bytes()).unwrap();
        let users = acl.entries().iter().filter(|entry| matches!(entry.who, Who::User(_)));
        let users: Vec<_> = users.map(|entry| (entry.who, entry.permissions)).collect();
        assert_eq!(users, [(Who::User(7), 7), (Who::User(1000), 4)]);
        assert_eq!(acl.mode(), 0o650);
    }

    #[test]
    fn names_are_those_of_the_host() {
        let lines = "root:x:0:0:root:/root:/bin/sh\nlisa:x:1007:100:::/bin/sh\nbad:x\n";
        assert_eq!(number_of(lines, "lisa"), Some(1007));
        assert_eq!(number_of(lines, "bad"), None);
        assert_eq!(number_of(lines, "nobody"), None);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in
            ["user:no-such-user:r--", "user::rwq", "nobody::rwx", "user", "user::rwx", "a:b:c:d:e"]
        {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
