//! `untorn db`: structures by xfs_db's field names, command by command.
//!
//! Invariants: nothing is written, no journal is replayed. A command that is refused ends nothing;
//! the exit status tells it.

use crate::arguments::Db;
use crate::failure::{self, Code, End, Outcome, Refusal};
use crate::{show, target};
use anyhow::Context;
use std::io::{BufRead, IsTerminal, Write, stdin};
use std::os::unix::ffi::OsStrExt;
use untorn_db::Session;
use untorn_device::Access;

/// Does the commands that were typed, or those of standard input.
pub fn run(arguments: &Db, out: &mut dyn Write) -> Outcome {
    let device = target::device(&arguments.image, Access::ReadOnly)?;
    let name = arguments.image.name();
    let session = Session::open(&device, &name).with_context(|| name.clone())?;
    if session.shape().found_at > 0 {
        let at = session.shape().found_at;
        let told = format!("the first superblock is no use: reading by the copy at byte {at}");
        failure::warn(Code::Damaged, told);
    }
    let mut talk = Talk { session, json: show::is_json(), refused: false };
    if arguments.commands.is_empty() {
        ask(&mut talk, out)?;
    } else {
        for line in &arguments.commands {
            if talk.line(&text(line.as_bytes()), out)? == Next::Stop {
                break;
            }
        }
    }
    Ok(if talk.refused { End::Found } else { End::Well })
}

/// Whether more commands are done.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

/// A session and how it answers.
struct Talk<'a> {
    session: Session<'a>,
    json: bool,
    refused: bool,
}

impl Talk<'_> {
    fn line(&mut self, line: &str, out: &mut dyn Write) -> anyhow::Result<Next> {
        match self.session.run(line) {
            Ok(answer) if answer.is_last => return Ok(Next::Stop),
            Ok(answer) if self.json && !answer.json.is_null() => {
                serde_json::to_writer(&mut *out, &answer.json)?;
                writeln!(out)?;
            }
            Ok(answer) => out.write_all(answer.text.as_bytes())?,
            Err(error) => self.refuse(&format!("{line}: {error}"), out)?,
        }
        Ok(Next::Go)
    }

    /// Tells why a command was not done, behind what was said before it.
    fn refuse(&mut self, why: &str, out: &mut dyn Write) -> anyhow::Result<()> {
        out.flush()?;
        failure::tell(&Refusal::new(Code::Invalid, why).into());
        self.refused = true;
        Ok(())
    }
}

/// A command as text: bytes that are none as paths may have them, by their numbers.
fn text(typed: &[u8]) -> String {
    let mut text = String::new();
    for chunk in typed.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Reads commands; asks for them where somebody types.
fn ask(talk: &mut Talk<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let prompt = if stdin().is_terminal() { "untorn db> " } else { "" };
    let (mut input, mut line) = (stdin().lock(), Vec::new());
    loop {
        out.write_all(prompt.as_bytes())?;
        out.flush()?;
        line.clear();
        if input.read_until(b'\n', &mut line).context("reading standard input")? == 0 {
            return Ok(());
        }
        let typed = line.strip_suffix(b"\n").unwrap_or(&line);
        let typed = typed.strip_suffix(b"\r").unwrap_or(typed);
        if talk.line(&text(typed), out)? == Next::Stop {
            return Ok(());
        }
    }
}
