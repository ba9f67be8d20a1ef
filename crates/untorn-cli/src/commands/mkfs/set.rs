//! What each suboption that is understood changes.

use super::choice::Choice;
use super::options::Wanted;
use anyhow::{Context, bail, ensure};
use untorn::mkfs::{Groups, Inherit};

/// Puts a choice into what is wanted.
pub type Setter = fn(&mut Wanted, &Choice) -> anyhow::Result<()>;

/// Bytes of the sectors that stripes are counted in.
const SECTOR: u64 = 512;

macro_rules! features {
    ($($name:ident)*) => {
        $(pub fn $name(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
            wanted.options.features.$name = choice.switch()?;
            wanted.chosen.push(stringify!($name));
            Ok(())
        })*
    };
}

features! { finobt rmapbt reflink inobtcount bigtime sparse nrext64 exchange parent }

pub fn block_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.block_size = choice.bytes32(wanted.units())?;
    Ok(())
}

pub fn sector_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let size = choice.bytes32(wanted.units())?;
    let other = wanted.options.sector_size.filter(|&other| other != size);
    ensure!(other.is_none(), "{}: the sector size was given as {other:?}", choice.shown());
    wanted.options.sector_size = Some(size);
    Ok(())
}

pub fn log_sector_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let size = choice.bytes32(wanted.units())?;
    let volume = wanted.options.sector_size.unwrap_or(512);
    ensure!(size == volume, "{}: an internal log has the volume's sectors", choice.shown());
    Ok(())
}

pub fn uuid(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let uuid = uuid::Uuid::try_parse(choice.text()?);
    wanted.options.uuid = Some(uuid.with_context(|| choice.shown())?.into_bytes());
    Ok(())
}

pub fn data_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.size = Some(choice.bytes(wanted.units())?);
    Ok(())
}

pub fn group_count(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    groups(wanted, Groups::Count(choice.number()?))
}

pub fn group_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let bytes = choice.bytes(wanted.units())?;
    groups(wanted, Groups::Size(bytes))
}

fn groups(wanted: &mut Wanted, groups: Groups) -> anyhow::Result<()> {
    let free = wanted.options.groups == Groups::Default;
    ensure!(free, "-d agcount= and agsize= exclude each other");
    wanted.options.groups = groups;
    Ok(())
}

pub fn stripe_sectors(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.stripe.unit_sectors = Some(u64::from(choice.number()?) * SECTOR);
    Ok(())
}

pub fn stripe_width_sectors(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.stripe.width_sectors = Some(u64::from(choice.number()?) * SECTOR);
    Ok(())
}

pub fn stripe_bytes(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.stripe.unit_bytes = Some(choice.bytes(wanted.units())?);
    Ok(())
}

pub fn stripe_units(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.stripe.width_units = Some(choice.number()?.into());
    Ok(())
}

pub fn no_stripe(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.stripe.none = choice.switch()?;
    Ok(())
}

pub fn realtime_inherit(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.root.realtime = inherit(choice)?;
    Ok(())
}

pub fn dax_inherit(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.root.dax = inherit(choice)?;
    Ok(())
}

fn inherit(choice: &Choice) -> anyhow::Result<Inherit> {
    Ok(if choice.switch()? { Inherit::Yes } else { Inherit::No })
}

pub fn project_inherit(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.root.project = Some(choice.number()?);
    Ok(())
}

/// mkfs.xfs counts these two in blocks.
pub fn extent_size_inherit(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.root.extent_size = u64::from(choice.number()?) * wanted.units().block;
    Ok(())
}

pub fn cow_extent_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.root.cow_extent_size = u64::from(choice.number()?) * wanted.units().block;
    Ok(())
}

pub fn inode_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let size = choice.bytes32(wanted.units())?;
    inodes(wanted, size)
}

pub fn inodes_per_block(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let number = choice.number()?;
    let size = wanted.options.block_size.checked_div(number);
    let size = size.filter(|size| size * number == wanted.options.block_size);
    let Some(size) = size else { bail!("{}: must divide a block", choice.shown()) };
    inodes(wanted, size)
}

fn inodes(wanted: &mut Wanted, size: u32) -> anyhow::Result<()> {
    ensure!(!wanted.inode_size_given, "-i size= and perblock= exclude each other");
    wanted.inode_size_given = true;
    wanted.options.inode_size = size;
    Ok(())
}

pub fn inode_percent(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let percent = u8::try_from(choice.number()?);
    wanted.options.inode_percent = Some(percent.with_context(|| choice.shown())?);
    Ok(())
}

pub fn log_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.log.size = Some(choice.bytes(wanted.units())?);
    Ok(())
}

pub fn log_group(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.log.group = Some(choice.number()?);
    Ok(())
}

pub fn log_stripe_bytes(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let bytes = choice.bytes32(wanted.units())?;
    log_stripe(wanted, bytes)
}

pub fn log_stripe_sectors(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    let bytes = u32::try_from(u64::from(choice.number()?) * SECTOR);
    log_stripe(wanted, bytes.with_context(|| choice.shown())?)
}

fn log_stripe(wanted: &mut Wanted, bytes: u32) -> anyhow::Result<()> {
    let free = wanted.options.log.stripe_unit.is_none();
    ensure!(free, "-l su= and sunit= exclude each other");
    wanted.options.log.stripe_unit = Some(bytes);
    Ok(())
}

pub fn directory_size(wanted: &mut Wanted, choice: &Choice) -> anyhow::Result<()> {
    wanted.options.dir_block_size = Some(choice.bytes32(wanted.units())?);
    Ok(())
}
