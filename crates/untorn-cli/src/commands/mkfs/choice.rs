//! One `name=value` of a letter, wherever it was written, and what its value says.

use super::letters::{Known, Letter, Role};
use crate::size::{self, Units};
use anyhow::{Context, bail, ensure};

/// One `name=value` of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The letter.
    pub letter: char,
    /// The name.
    pub name: String,
    /// The value, if there is one.
    pub value: Option<String>,
    /// The line of the configuration file that says it.
    pub line: Option<usize>,
}

impl Choice {
    /// The choices in an argument of `letter`.
    pub fn parse(letter: char, list: &str) -> anyhow::Result<Vec<Self>> {
        let choice = |text: &str| {
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (text, None),
            };
            ensure!(!name.is_empty(), "-{letter}: an option without a name");
            Ok(Self { letter, name: name.to_owned(), value, line: None })
        };
        list.split(',').map(choice).collect()
    }

    /// What `letter` knows of it; what can only be as it is, is that already.
    pub fn known(&self, letter: &Letter) -> anyhow::Result<&'static Known> {
        let known = letter.known.iter().find(|known| known.name == self.name);
        let Some(known) = known else {
            let takes = letter.known.iter().filter(|k| !matches!(k.role, Role::Refused(_)));
            let names: Vec<_> = takes.map(|known| known.name).collect();
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            bail!("-{} {} is not known here; -{0} takes {names}", self.letter, self.name)
        };
        match known.role {
            Role::Refused(why) => bail!("{}: {why}", self.shown()),
            Role::Only(value, why) => {
                let given = self.value.as_deref().unwrap_or("1");
                ensure!(given == value, "{}: {why}", self.shown());
            }
            Role::Set(_) => {}
        }
        Ok(known)
    }

    /// The value.
    pub fn text(&self) -> anyhow::Result<&str> {
        let value = self.value.as_deref().filter(|value| !value.is_empty());
        value.with_context(|| {
            format!("{}-{} {}= wants a value", self.place(), self.letter, self.name)
        })
    }

    /// The value in bytes.
    pub fn bytes(&self, units: Units) -> anyhow::Result<u64> {
        let bytes = size::bytes_in(self.text()?, units).map_err(anyhow::Error::msg);
        bytes.with_context(|| self.shown())
    }

    /// The same where no more than 32 bits make sense.
    pub fn bytes32(&self, units: Units) -> anyhow::Result<u32> {
        let bytes = self.bytes(units)?;
        u32::try_from(bytes).with_context(|| format!("{}: {bytes} is too much", self.shown()))
    }

    /// The value as a whole number.
    pub fn number(&self) -> anyhow::Result<u32> {
        let number = size::number(self.text()?).and_then(|number| u32::try_from(number).ok());
        number.with_context(|| format!("{}: not a whole number", self.shown()))
    }

    /// `1` or `0`; nothing is `1`.
    pub fn switch(&self) -> anyhow::Result<bool> {
        match self.value.as_deref() {
            None | Some("1") => Ok(true),
            Some("0") => Ok(false),
            Some(_) => bail!("{}: 0 or 1", self.shown()),
        }
    }

    /// The choice as it was written.
    pub fn shown(&self) -> String {
        let value = self.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        format!("{}-{} {}{value}", self.place(), self.letter, self.name)
    }

    fn place(&self) -> String {
        self.line.map(|line| format!("line {line} of the options file: ")).unwrap_or_default()
    }
}
