//! Refusals of the command itself, and whose path an error of the library is about.

use super::Code;
use crate::arguments::VolumePath;
use anyhow::Context;
use std::borrow::Cow;
use std::fmt;
use untorn::Error;

/// What a command refuses, in a word for programs, words for people, and what to do.
#[derive(Debug)]
pub struct Refusal {
    /// The sort.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub remedy: Option<Cow<'static, str>>,
}

impl Refusal {
    /// A refusal that says all in its message.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string(), remedy: None }
    }

    /// The same with something to do.
    pub fn or(self, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Says which path, as it was typed, an error is about.
pub trait At<T> {
    /// The result with `path` in the error.
    fn at(self, path: &VolumePath) -> anyhow::Result<T>;
}

impl<T> At<T> for untorn::Result<T> {
    fn at(self, path: &VolumePath) -> anyhow::Result<T> {
        self.or_else(|error| match renamed(error, path) {
            (error, Named::InIt) => Err(error.into()),
            (error, Named::Not) => Err(error).context(path.to_string()),
        })
    }
}

enum Named {
    InIt,
    Not,
}

/// The error with the typed path in place of the name that the library knows.
fn renamed(error: Error, path: &VolumePath) -> (Error, Named) {
    let typed = path.to_string();
    let error = match error {
        Error::Changed(_) => Error::Changed(typed),
        Error::NotFound(_) => Error::NotFound(typed),
        Error::Exists(_) => Error::Exists(typed),
        Error::NotDirectory(_) => Error::NotDirectory(typed),
        Error::IsDirectory(_) => Error::IsDirectory(typed),
        Error::NotRegular(_) => Error::NotRegular(typed),
        Error::NotEmpty(_) => Error::NotEmpty(typed),
        Error::TooManyLinks(_) => Error::TooManyLinks(typed),
        Error::SymlinkLoop(_) => Error::SymlinkLoop(typed),
        error => return (error, Named::Not),
    };
    (error, Named::InIt)
}
