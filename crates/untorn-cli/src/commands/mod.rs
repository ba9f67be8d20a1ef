//! The commands, one a file: each asks the library and hands what it hears to `show`.

mod attributes;
mod beside;
mod bmap;
mod cat;
mod check;
mod chmod;
mod clone;
mod compat;
mod cp;
mod dangling;
mod db;
mod demo;
mod df;
mod du;
mod fallocate;
mod find;
pub mod fsx;
mod getfattr;
mod glob;
mod grow;
mod info;
mod label;
mod ln;
mod log;
mod ls;
mod manual;
mod met;
mod mkdir;
mod mkfs;
mod mknod;
mod mv;
mod operands;
mod output;
mod put;
mod recover;
mod relative;
mod rm;
mod setfattr;
mod stat;
mod touch;
mod trim;
mod truncate;
mod uuid;
mod walk;
mod write;

use crate::arguments::{Arguments, Command};
use crate::failure::Outcome;
use output::{Output, Purpose};
use std::io::{BufWriter, Write};

/// Does what was typed.
pub fn run(arguments: &Arguments) -> Outcome {
    let mut to = Output::new(std::io::stdout().lock(), purpose(&arguments.command));
    let mut out = BufWriter::with_capacity(1 << 16, &mut to);
    let done = dispatch(&arguments.command, &mut out);
    // What fails there is known below, and the destructor has nothing left to say.
    let _ = out.flush();
    drop(out);
    to.end(done)
}

fn purpose(command: &Command) -> Purpose {
    match command {
        Command::Info(_)
        | Command::Compat(_)
        | Command::Ls(_)
        | Command::Cat(_)
        | Command::Stat(_)
        | Command::Bmap(_)
        | Command::Df(_)
        | Command::Du(_)
        | Command::Find(_)
        | Command::Getfattr(_)
        | Command::Log(_)
        | Command::Db(_)
        | Command::Demo(_)
        | Command::Fsx(_)
        | Command::Completions { .. }
        | Command::Man { .. } => Purpose::Words,
        _ => Purpose::Work,
    }
}

fn dispatch(command: &Command, out: &mut dyn Write) -> Outcome {
    match command {
        Command::Mkfs(arguments) => mkfs::run(arguments, out),
        Command::Info(arguments) => info::run(arguments, out),
        Command::Compat(arguments) => compat::run(arguments, out),
        Command::Label(arguments) => label::run(arguments, out),
        Command::Uuid(arguments) => uuid::run(arguments, out),
        Command::Grow(arguments) => grow::run(arguments, out),
        Command::Ls(arguments) => ls::run(arguments, out),
        Command::Cat(arguments) => cat::run(arguments, out),
        Command::Stat(arguments) => stat::run(arguments, out),
        Command::Bmap(arguments) => bmap::run(arguments, out),
        Command::Mkdir(arguments) => mkdir::run(arguments, out),
        Command::Mknod(arguments) => mknod::run(arguments, out),
        Command::Rm(arguments) => rm::run(arguments, out),
        Command::Rmdir(arguments) => rm::directories(arguments, out),
        Command::Cp(arguments) => cp::run(arguments, out),
        Command::Mv(arguments) => mv::run(arguments, out),
        Command::Ln(arguments) => ln::run(arguments, out),
        Command::Touch(arguments) => touch::run(arguments, out),
        Command::Chmod(arguments) => chmod::mode(arguments, out),
        Command::Chown(arguments) => chmod::owner(arguments, out),
        Command::Truncate(arguments) => truncate::run(arguments, out),
        Command::Df(arguments) => df::run(arguments, out),
        Command::Du(arguments) => du::run(arguments, out),
        Command::Find(arguments) => find::run(arguments, out),
        Command::Clone(arguments) => clone::run(arguments, out),
        Command::Fallocate(arguments) => fallocate::run(arguments, out),
        Command::Getfattr(arguments) => getfattr::run(arguments, out),
        Command::Setfattr(arguments) => setfattr::run(arguments, out),
        Command::Put(arguments) => put::run(arguments, out),
        Command::Write(arguments) => write::run(arguments, out),
        Command::Log(arguments) => log::run(arguments, out),
        Command::Recover(arguments) => recover::run(arguments, out),
        Command::Trim(arguments) => trim::run(arguments, out),
        Command::Db(arguments) => db::run(arguments, out),
        Command::Check(arguments) => check::run(arguments, out),
        Command::Demo(arguments) => demo::run(arguments, out),
        Command::Fsx(arguments) => fsx::run(arguments, out),
        Command::Completions { shell } => manual::completions(*shell, out),
        Command::Man { command } => manual::page(command.as_deref(), out),
    }
}
