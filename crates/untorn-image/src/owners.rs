//! Whose the files on the volume are.
//!
//! A map is a file of lines, for who builds as a user what shall be other users' later:
//!
//! ```text
//! # kind  from   to     how many (one without)
//! uid     1000   0
//! gid     1000   0
//! uid     100000 1      65535
//! gid     *      0
//! ```
//! The first line that fits counts; who is on none keeps the number.

use untorn_format::acl::{Acl, AclEntry, Who};

/// Whose the files are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owners {
    /// As in the source.
    #[default]
    Keep,
    /// All root's, access lists aside.
    Squash,
    /// All of this owner and this group, where they are given.
    Fixed(Option<u32>, Option<u32>),
    /// As the map says.
    Map(OwnerMap),
}

/// Numbers that become others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerMap {
    users: Vec<Range>,
    groups: Vec<Range>,
}

/// Numbers from `from` on, `count` of them, become those from `to` on; or all become `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    Each { from: u32, to: u32, count: u32 },
    All { to: u32 },
}

impl Range {
    fn map(self, id: u32) -> Option<u32> {
        match self {
            Self::All { to } => Some(to),
            Self::Each { from, to, count } => {
                let skip = id.checked_sub(from).filter(|&skip| skip < count)?;
                to.checked_add(skip)
            }
        }
    }

    fn parse(words: &[&str]) -> Option<Self> {
        let (from, to, count) = match *words {
            [from, to] => (from, to, "1"),
            [from, to, count] => (from, to, count),
            _ => return None,
        };
        let (to, count) = (to.parse().ok()?, count.parse::<u32>().ok()?);
        if from == "*" {
            return (words.len() == 2).then_some(Self::All { to });
        }
        let from: u32 = from.parse().ok()?;
        let fits = |start: u32| count > 0 && start.checked_add(count - 1).is_some();
        (fits(from) && fits(to)).then_some(Self::Each { from, to, count })
    }
}

fn mapped(ranges: &[Range], id: u32) -> u32 {
    ranges.iter().find_map(|range| range.map(id)).unwrap_or(id)
}

impl OwnerMap {
    /// Reads a map; says which line is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut map = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some((kind, words)) = words.split_first() else { continue };
            let list = match *kind {
                "uid" => &mut map.users,
                "gid" => &mut map.groups,
                _ => return Err(format!("line {number}: begins with neither uid nor gid")),
            };
            let range = Range::parse(words).ok_or_else(|| {
                format!("line {number}: not `{kind} FROM TO [COUNT]` or `{kind} * TO`")
            })?;
            list.push(range);
        }
        Ok(map)
    }
}

impl Owners {
    /// Owner and group of what belongs to these in the source.
    pub fn of(&self, (uid, gid): (u32, u32)) -> (u32, u32) {
        match self {
            Self::Keep => (uid, gid),
            Self::Squash => (0, 0),
            Self::Fixed(user, group) => (user.unwrap_or(uid), group.unwrap_or(gid)),
            Self::Map(map) => (mapped(&map.users, uid), mapped(&map.groups, gid)),
        }
    }

    /// The access list with the users and groups that a map makes of those in it; `None` where two
    /// become one.
    pub fn of_acl(&self, acl: &Acl) -> Option<Acl> {
        let Self::Map(map) = self else { return Some(acl.clone()) };
        let who = |who| match who {
            Who::User(id) => Who::User(mapped(&map.users, id)),
            Who::Group(id) => Who::Group(mapped(&map.groups, id)),
            other => other,
        };
        let entries = acl.entries().iter().map(|entry| AclEntry { who: who(entry.who), ..*entry });
        Acl::new(entries.collect()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts_and_others_keep_their_number() {
        let text = "# mine\nuid 1000 0\nuid 1000 5\nuid 100000 1 65535 # theirs\n\ngid * 7\n";
        let owners = Owners::Map(OwnerMap::parse(text).unwrap());
        let cases = [(1000, 0), (100000, 1), (165534, 65535), (165535, 165535), (3, 3)];
        for (from, to) in cases {
            assert_eq!(owners.of((from, from)), (to, 7), "{from}");
        }
    }

    #[test]
    fn what_is_no_map_is_refused_with_its_line() {
        let cases =
            ["user 1 2", "uid 1", "uid a 2", "uid 1 2 0", "uid 4294967295 0 2", "uid * 1 2"];
        for line in cases {
            let text = format!("gid 1 1\n{line}\n");
            assert!(OwnerMap::parse(&text).unwrap_err().starts_with("line 2: "), "{line}");
        }
    }
}
