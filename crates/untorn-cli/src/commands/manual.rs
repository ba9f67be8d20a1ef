//! `untorn completions` and `untorn man`: both made from the definitions of the arguments.

use crate::arguments::Arguments;
use crate::failure::{End, Outcome};
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
    let page = match name {
        None => clap_mangen::Man::new(whole),
        Some(name) => {
            let found = whole.find_subcommand(name).cloned();
            let found =
                found.with_context(|| format!("there is no command {name}; see `untorn help`"))?;
            clap_mangen::Man::new(found).title(format!("untorn-{name}"))
        }
    };
    page.render(&mut &mut *out)?;
    Ok(End::Well)
}
