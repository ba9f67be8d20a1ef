//! `untorn completions` and `untorn man`: both made from the definitions of the arguments.

use crate::arguments::Arguments;
use crate::failure::{Code, End, Outcome, Refusal};
use anyhow::Context;
use clap::CommandFactory;
use std::io::Write;

/// The completion script for `shell`.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn Write) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "untorn", &mut script);
    out.write_all(&script)?;
    Ok(End::Well)
}

/// The manual page of a command, or of untorn itself.
pub fn page(name: Option<&str>, out: &mut dyn Write) -> Outcome {
    let mut whole = Arguments::command();
    whole.build();
    let (mut command, title) = match name {
        None => (whole, "untorn".to_owned()),
        Some(name) => {
            let found = whole.find_subcommand(name).cloned();
            let refused = || Refusal::new(Code::Usage, format!("there is no command {name}"));
            let found = found.ok_or_else(|| refused().or("see `untorn help`"))?;
            (found, format!("untorn-{name}"))
        }
    };
    let usage = command.render_usage().to_string();
    let mut page = Vec::new();
    clap_mangen::Man::new(command).title(title).render(&mut page)?;
    let page = String::from_utf8(page).context("the page is no text")?;
    out.write_all(as_it_is(&with_synopsis(&page, &usage)).as_bytes())?;
    Ok(End::Well)
}

/// The page with the lines of its notes as they are: tables, examples.
fn as_it_is(page: &str) -> String {
    const HEAD: &str = ".SH EXTRA\n";
    match page.split_once(HEAD) {
        None => page.to_owned(),
        Some((before, behind)) => {
            let end = behind.find("\n.SH ").map_or(behind.len(), |end| end + 1);
            let (notes, rest) = behind.split_at(end);
            format!("{before}.SH NOTES\n.nf\n{notes}.fi\n{rest}")
        }
    }
}

/// The page with the usage of --help for a synopsis: the one that is made for a page knows nothing
/// of how often something may be given.
fn with_synopsis(page: &str, usage: &str) -> String {
    const HEAD: &str = ".SH SYNOPSIS\n";
    let usage = usage.trim_start_matches("Usage: ").replace('\\', "\\\\").replace('-', "\\-");
    match page.split_once(HEAD) {
        None => page.to_owned(),
        Some((before, behind)) => {
            let rest = behind.split_once('\n').map_or("", |(_, rest)| rest);
            format!("{before}{HEAD}{}\n{rest}", usage.trim())
        }
    }
}
