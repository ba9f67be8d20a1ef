//! The letters of mkfs.xfs and what they mean to [`untorn::mkfs::Options`].
//!
//! Options that mkfs.xfs has and untorn has not are refused by name, never ignored.

use crate::arguments::Mkfs;
use crate::size::{self, Units};
use anyhow::{Context, bail, ensure};
use untorn::mkfs::{Contents, Discard, Groups, Options, Overwrite};

/// What the arguments ask for.
pub struct Wanted {
    /// As the library takes it.
    pub options: Options,
}

/// One `name=value` of a letter.
struct Choice<'a> {
    letter: char,
    name: &'a str,
    value: Option<&'a str>,
}

impl Wanted {
    /// Reads every letter; blocks and sectors first, since sizes may be counted in them.
    pub fn of(arguments: &Mkfs) -> anyhow::Result<Self> {
        let overwrite = if arguments.force { Overwrite::Force } else { Overwrite::Refuse };
        let mut options = Options {
            label: arguments.label.clone().unwrap_or_default(),
            overwrite,
            contents: Contents::Unknown,
            discard: Discard::Keep,
            ..Options::default()
        };
        let letters: [(char, &[String], Setter); 7] = [
            ('b', &arguments.block, block),
            ('s', &arguments.sector, sector),
            ('d', &arguments.data, data),
            ('i', &arguments.inode, inode),
            ('l', &arguments.log, log),
            ('m', &arguments.metadata, metadata),
            ('n', &arguments.naming, naming),
        ];
        for (letter, given, set) in letters {
            for choice in choices(letter, given)? {
                let units = units(&options);
                set(&mut options, &choice, units)?;
            }
        }
        Ok(Self { options })
    }
}

type Setter = fn(&mut Options, &Choice<'_>, Units) -> anyhow::Result<()>;

fn units(options: &Options) -> Units {
    let sector = options.sector_size.unwrap_or(512);
    Units { block: options.block_size.into(), sector: sector.into() }
}

/// The choices of a letter; none of them twice.
fn choices(letter: char, given: &[String]) -> anyhow::Result<Vec<Choice<'_>>> {
    let mut choices: Vec<Choice<'_>> = Vec::new();
    for text in given.iter().flat_map(|list| list.split(',')) {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        ensure!(!name.is_empty(), "-{letter}: an option without a name");
        let twice = choices.iter().any(|choice| choice.name == name);
        ensure!(!twice, "-{letter} {name} is given twice");
        choices.push(Choice { letter, name, value });
    }
    Ok(choices)
}

impl Choice<'_> {
    fn text(&self) -> anyhow::Result<&str> {
        let value = self.value.filter(|value| !value.is_empty());
        value.with_context(|| format!("-{} {}= wants a value", self.letter, self.name))
    }

    fn bytes(&self, units: Units) -> anyhow::Result<u64> {
        let bytes = size::bytes_in(self.text()?, units).map_err(anyhow::Error::msg);
        bytes.with_context(|| self.shown())
    }

    fn bytes32(&self, units: Units) -> anyhow::Result<u32> {
        let bytes = self.bytes(units)?;
        u32::try_from(bytes).with_context(|| format!("{}: {bytes} is too much", self.shown()))
    }

    fn number(&self) -> anyhow::Result<u32> {
        let number = self.text()?.parse();
        number.with_context(|| format!("{}: not a whole number", self.shown()))
    }

    /// `1` or `0`; nothing is `1`.
    fn switch(&self) -> anyhow::Result<bool> {
        match self.value {
            None | Some("1") => Ok(true),
            Some("0") => Ok(false),
            Some(_) => bail!("{}: 0 or 1", self.shown()),
        }
    }

    /// A choice that can only be as it is.
    fn only(&self, value: &str, why: &str) -> anyhow::Result<()> {
        ensure!(self.value.is_none_or(|given| given == value), "{}: {why}", self.shown());
        Ok(())
    }

    fn shown(&self) -> String {
        let value = self.value.map(|value| format!("={value}")).unwrap_or_default();
        format!("-{} {}{value}", self.letter, self.name)
    }

    fn unknown(&self, known: &str) -> anyhow::Result<()> {
        bail!("-{} {} is not known here; -{0} takes {known}", self.letter, self.name)
    }
}

fn block(options: &mut Options, choice: &Choice<'_>, units: Units) -> anyhow::Result<()> {
    match choice.name {
        "size" => options.block_size = choice.bytes32(units)?,
        _ => choice.unknown("size=")?,
    }
    Ok(())
}

fn sector(options: &mut Options, choice: &Choice<'_>, units: Units) -> anyhow::Result<()> {
    match choice.name {
        "size" => options.sector_size = Some(choice.bytes32(units)?),
        _ => choice.unknown("size=")?,
    }
    Ok(())
}

fn data(options: &mut Options, choice: &Choice<'_>, units: Units) -> anyhow::Result<()> {
    let groups = |options: &Options| options.groups == Groups::Default;
    match choice.name {
        "size" => options.size = Some(choice.bytes(units)?),
        "agcount" | "agsize" if !groups(options) => {
            bail!("-d agcount= and agsize= exclude each other")
        }
        "agcount" => options.groups = Groups::Count(choice.number()?),
        "agsize" => options.groups = Groups::Size(choice.bytes(units)?),
        "file" => choice.only("1", "only 1: what the image is, is seen")?,
        "extszinherit" => options.root.extent_size = choice.bytes(units)?,
        "cowextsize" => options.root.cow_extent_size = choice.bytes(units)?,
        "projinherit" => options.root.project = Some(choice.number()?),
        _ => {
            choice.unknown("size=, agcount=, agsize=, extszinherit=, cowextsize=, projinherit=")?
        }
    }
    Ok(())
}

fn inode(options: &mut Options, choice: &Choice<'_>, units: Units) -> anyhow::Result<()> {
    match choice.name {
        "size" => options.inode_size = choice.bytes32(units)?,
        "maxpct" => {
            let percent = u8::try_from(choice.number()?);
            options.inode_percent = Some(percent.with_context(|| choice.shown())?);
        }
        "nrext64" => options.features.nrext64 = choice.switch()?,
        "sparse" => options.features.sparse = choice.switch()?,
        "attr" => choice.only("2", "only 2 on v5 volumes")?,
        "projid32bit" => choice.only("1", "only 1 on v5 volumes")?,
        _ => choice.unknown("size=, maxpct=, nrext64=, sparse=")?,
    }
    Ok(())
}

fn log(options: &mut Options, choice: &Choice<'_>, units: Units) -> anyhow::Result<()> {
    match choice.name {
        "size" => options.log.size = Some(choice.bytes(units)?),
        "agnum" => options.log.group = Some(choice.number()?),
        "su" => options.log.stripe_unit = Some(choice.bytes32(units)?),
        "internal" => choice.only("1", "the log lies inside the volume")?,
        "version" => choice.only("2", "only 2 on v5 volumes")?,
        "lazy-count" => choice.only("1", "only 1 on v5 volumes")?,
        _ => choice.unknown("size=, agnum=, su=")?,
    }
    Ok(())
}

fn metadata(options: &mut Options, choice: &Choice<'_>, _: Units) -> anyhow::Result<()> {
    let features = &mut options.features;
    match choice.name {
        "crc" => choice.only("1", "only v5 volumes, which have checksums, are made")?,
        "finobt" => features.finobt = choice.switch()?,
        "rmapbt" => features.rmapbt = choice.switch()?,
        "reflink" => features.reflink = choice.switch()?,
        "inobtcount" => features.inobtcount = choice.switch()?,
        "bigtime" => features.bigtime = choice.switch()?,
        "uuid" => {
            let uuid = uuid::Uuid::try_parse(choice.text()?);
            options.uuid = Some(uuid.with_context(|| choice.shown())?.into_bytes());
        }
        _ => choice.unknown("crc=, finobt=, uuid=, rmapbt=, reflink=, inobtcount=, bigtime=")?,
    }
    Ok(())
}

fn naming(options: &mut Options, choice: &Choice<'_>, units: Units) -> anyhow::Result<()> {
    match choice.name {
        "size" => options.dir_block_size = Some(choice.bytes32(units)?),
        "version" => choice.only("2", "only 2: case-insensitive names are not made")?,
        "ftype" => choice.only("1", "only 1 on v5 volumes")?,
        _ => choice.unknown("size=")?,
    }
    Ok(())
}
