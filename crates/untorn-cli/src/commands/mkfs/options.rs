//! From what was typed, and what a configuration file says, to [`untorn::mkfs::Options`].
//!
//! Both are one set of choices, none of them twice. Options that mkfs.xfs has and untorn has not
//! are refused by name, never ignored.

use super::choice::Choice;
use super::file;
use super::letters::{LETTERS, Role};
use crate::arguments::Mkfs;
use crate::size::Units;
use anyhow::{Context, bail, ensure};
use untorn::mkfs::{Contents, Discard, FeatureSet, Linux, Options, Overwrite, Stripe};

/// Bytes that sizes of volumes are multiples of, as with mkfs.xfs, whatever the sectors.
const SECTOR: u64 = 512;

/// What the arguments ask for.
pub struct Wanted {
    /// As the library takes it.
    pub options: Options,
    /// Features that were chosen by name.
    pub chosen: Vec<&'static str>,
    /// The stripe, as it was given.
    pub stripe: StripeGiven,
    /// Whether the size of inodes was chosen.
    pub inode_size_given: bool,
}

/// The stripe as `-d` says it, in bytes but for the number of units.
#[derive(Clone, Copy, Debug, Default)]
pub struct StripeGiven {
    pub unit_sectors: Option<u64>,
    pub width_sectors: Option<u64>,
    pub unit_bytes: Option<u64>,
    pub width_units: Option<u64>,
    pub none: bool,
}

impl Wanted {
    /// Reads every letter; blocks and sectors first, since sizes may be counted in them.
    pub fn of(arguments: &Mkfs) -> anyhow::Result<Self> {
        let overwrite = if arguments.force { Overwrite::Force } else { Overwrite::Refuse };
        let kernel = arguments.for_kernel.unwrap_or(Linux::DEFAULT);
        let features = FeatureSet::for_linux(kernel);
        let features = features.with_context(|| {
            format!("--for-kernel {kernel}: v5 volumes need Linux {} or later", Linux::FIRST)
        })?;
        let options = Options {
            label: arguments.label.clone().unwrap_or_default(),
            features,
            overwrite,
            contents: Contents::Unknown,
            discard: if arguments.keep_blocks { Discard::Keep } else { Discard::Whole },
            ..Options::default()
        };
        let (chosen, stripe, inode_size_given) = Default::default();
        let mut wanted = Self { options, chosen, stripe, inode_size_given };
        wanted.read(&choices(arguments)?)?;
        wanted.options.stripe = wanted.stripe.resolve()?;
        wanted.settle(arguments.for_kernel)?;
        Ok(wanted)
    }

    /// What `b` and `s` stand for.
    pub fn units(&self) -> Units {
        let sector = self.options.sector_size.unwrap_or(512);
        Units { block: self.options.block_size.into(), sector: sector.into() }
    }

    fn read(&mut self, choices: &[Choice]) -> anyhow::Result<()> {
        for letter in LETTERS {
            for choice in choices.iter().filter(|choice| choice.letter == letter.letter) {
                if let Role::Set(set) = choice.known(letter)?.role {
                    set(self, choice)?;
                }
            }
        }
        Ok(())
    }

    /// Sizes that are no sectors, features that follow from others, and those that the kernel asked
    /// for does not know.
    fn settle(&mut self, kernel: Option<Linux>) -> anyhow::Result<()> {
        if let Some(size) = self.options.size.filter(|size| !size.is_multiple_of(SECTOR)) {
            let down = size - size % SECTOR;
            bail!("-d size={size}: is no multiple of {SECTOR} bytes, a sector; give size={down}");
        }
        let features = &mut self.options.features;
        if !features.finobt && !self.chosen.contains(&"inobtcount") {
            features.inobtcount = false;
        }
        let Some(kernel) = kernel else { return Ok(()) };
        match features.needs_more_than(kernel) {
            Some((name, since)) => bail!(
                "{name}=1 needs Linux {since}, --for-kernel says {kernel}: leave one of them out"
            ),
            None => Ok(()),
        }
    }
}

/// Everything that was chosen, none of it twice.
fn choices(arguments: &Mkfs) -> anyhow::Result<Vec<Choice>> {
    let typed: [(char, &[String]); 9] = [
        ('b', &arguments.block),
        ('s', &arguments.sector),
        ('d', &arguments.data),
        ('i', &arguments.inode),
        ('l', &arguments.log),
        ('m', &arguments.metadata),
        ('n', &arguments.naming),
        ('p', &arguments.prototype),
        ('r', &arguments.realtime),
    ];
    let mut all = match arguments.config.as_slice() {
        [] => Vec::new(),
        [one] => {
            let path = one.strip_prefix("options=");
            file::read(path.context("-c takes options=FILE")?.as_ref())?
        }
        _ => bail!("-c options= is given twice"),
    };
    for (letter, lists) in typed {
        for list in lists {
            all.extend(match letter {
                // A prototype may stand without its name.
                'p' if !list.contains('=') => Choice::parse(letter, &format!("file={list}"))?,
                _ => Choice::parse(letter, list)?,
            });
        }
    }
    for (index, choice) in all.iter().enumerate() {
        let before = all.iter().take(index);
        let twice = before.filter(|b| b.letter == choice.letter && b.name == choice.name).count();
        ensure!(twice == 0, "-{} {} is given twice", choice.letter, choice.name);
    }
    Ok(all)
}

impl StripeGiven {
    fn resolve(self) -> anyhow::Result<Option<Stripe>> {
        let by_sectors = (self.unit_sectors, self.width_sectors);
        let by_bytes = (self.unit_bytes, self.width_units);
        let given = by_sectors != (None, None) || by_bytes != (None, None);
        ensure!(!(self.none && given), "-d noalign excludes su=, sw=, sunit= and swidth=");
        match (by_sectors, by_bytes) {
            ((None, None), (None, None)) => Ok(None),
            ((Some(0), Some(0)), (None, None)) | ((None, None), (Some(0), Some(0))) => Ok(None),
            ((Some(unit), Some(width)), (None, None)) => Ok(Some(Stripe { unit, width })),
            ((None, None), (Some(unit), Some(units))) => {
                let width = unit.checked_mul(units).context("-d su= and sw=: too much")?;
                Ok(Some(Stripe { unit, width }))
            }
            ((_, _), (None, None)) => bail!("-d sunit= and swidth= go together"),
            ((None, None), (_, _)) => bail!("-d su= and sw= go together"),
            _ => bail!("-d su= and sw= exclude sunit= and swidth="),
        }
    }
}
