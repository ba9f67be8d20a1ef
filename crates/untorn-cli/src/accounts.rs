//! Names of users and groups: those of the volume, where it says who they are, else the host's.

use crate::failure::{Code, Refusal};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::str::FromStr;
use untorn::Volume;

/// Most bytes that are read of a list of names.
const LONGEST: u64 = 16 << 20;

/// Owner and group as chown takes them, by name or number: `user`, `user:group`, `:group`, and
/// `user:` for the user's own group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    user: Option<String>,
    group: Option<Group>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    Named(String),
    OfUser,
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        let (user, group) = match text.split_once(':') {
            None => (word(text), None),
            Some((user, "")) => (word(user), word(user).map(|_| Group::OfUser)),
            Some((user, group)) => (word(user), word(group).map(Group::Named)),
        };
        match (&user, &group) {
            (None, None) => {
                Err(format!("{text:?} is no owner: user, user:group or :group, names or numbers"))
            }
            _ => Ok(Self { user, group }),
        }
    }
}

/// Two lists in the form of /etc/passwd and /etc/group.
pub struct Accounts {
    users: List,
    groups: List,
}

struct List {
    /// What messages call it.
    name: String,
    text: Vec<u8>,
}

impl Accounts {
    /// Those of the volume where it has them.
    pub fn of(volume: &Volume) -> Self {
        let list = |path: &str| match on_volume(volume, path) {
            Some(text) => List { name: format!("{path} of the volume"), text },
            None => List { name: format!("{path} of this machine"), text: on_host(path) },
        };
        Self { users: list("/etc/passwd"), groups: list("/etc/group") }
    }

    /// The numbers of owner and group.
    pub fn numbers(&self, who: &Who) -> Result<(Option<u32>, Option<u32>), Refusal> {
        let user = who.user.as_deref().map(|name| self.users.number(name)).transpose()?;
        let group = match (&who.group, &who.user) {
            (Some(Group::Named(name)), _) => Some(self.groups.number(name)?),
            (Some(Group::OfUser), Some(user)) => Some(self.group_of(user)?),
            _ => None,
        };
        Ok((user, group))
    }

    /// The number of a user, by name or number.
    pub fn user(&self, word: &str) -> Result<u32, Refusal> {
        self.users.number(word)
    }

    /// The number of a group, by name or number.
    pub fn group(&self, word: &str) -> Result<u32, Refusal> {
        self.groups.number(word)
    }

    /// The name of a user.
    pub fn user_name(&self, number: u32) -> Option<String> {
        self.users.name(number)
    }

    /// The name of a group.
    pub fn group_name(&self, number: u32) -> Option<String> {
        self.groups.name(number)
    }

    fn group_of(&self, user: &str) -> Result<u32, Refusal> {
        self.users.field(user, 3).ok_or_else(|| self.users.unknown(user))
    }
}

impl List {
    /// A name of the list first, then a number, as chown has it.
    fn number(&self, word: &str) -> Result<u32, Refusal> {
        let number = || word.parse().ok().filter(|&number| number != u32::MAX);
        self.field(word, 2).or_else(number).ok_or_else(|| self.unknown(word))
    }

    /// A number in the line of a name.
    fn field(&self, name: &str, index: usize) -> Option<u32> {
        let mut lines = self.text.split(|&byte| byte == b'\n');
        lines.find_map(|line| {
            let mut fields = line.split(|&byte| byte == b':');
            let is_it = fields.next()? == name.as_bytes();
            let field = fields.nth(index - 1).filter(|_| is_it)?;
            std::str::from_utf8(field).ok()?.parse().ok()
        })
    }

    /// The first name that has a number.
    fn name(&self, number: u32) -> Option<String> {
        let mut lines = self.text.split(|&byte| byte == b'\n');
        lines.find_map(|line| {
            let mut fields = line.split(|&byte| byte == b':');
            let (name, field) = (fields.next()?, fields.nth(1)?);
            let found: u32 = std::str::from_utf8(field).ok()?.parse().ok()?;
            (found == number).then(|| String::from_utf8_lossy(name).into_owned())
        })
    }

    fn unknown(&self, word: &str) -> Refusal {
        let told = format!("{word}: is no number and not in {}", self.name);
        Refusal::new(Code::Invalid, told).or("give a number")
    }
}

fn on_volume(volume: &Volume, path: &str) -> Option<Vec<u8>> {
    let file = volume.open_file(path).ok()?;
    let size = file.size().ok()?.min(LONGEST);
    let mut text = vec![0; usize::try_from(size).ok()?];
    let count = file.read_at(0, &mut text).ok()?;
    text.truncate(count);
    Some(text)
}

fn on_host(path: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let file = std::fs::File::open(OsStr::from_bytes(path.as_bytes()));
    // A machine without a list knows no names.
    let _ = file.and_then(|file| file.take(LONGEST).read_to_end(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let list = |text: &str| List { name: "list".to_owned(), text: text.as_bytes().to_vec() };
        Accounts {
            users: list("root:x:0:0::/root:/bin/sh\nbroken\n77:x:5:6::/:/\nme:x:1000:100::/:/\n"),
            groups: list("root:x:0:\nusers:x:100:me\n"),
        }
    }

    fn numbers(text: &str) -> Option<(Option<u32>, Option<u32>)> {
        accounts().numbers(&text.parse().ok()?).ok()
    }

    #[test]
    fn owners_are_names_or_numbers_as_chown_takes_them() {
        assert_eq!(numbers("me"), Some((Some(1000), None)));
        assert_eq!(numbers("me:users"), Some((Some(1000), Some(100))));
        assert_eq!(numbers("me:"), Some((Some(1000), Some(100))));
        assert_eq!(numbers(":users"), Some((None, Some(100))));
        assert_eq!(numbers("1:2"), Some((Some(1), Some(2))));
        assert_eq!(numbers("77"), Some((Some(5), None)));
        for text in ["", ":", "you", "me:none", "4294967295", "-1", "broken"] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }
}
