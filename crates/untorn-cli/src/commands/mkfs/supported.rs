//! `untorn mkfs --supported`: what can be asked for, for people and for programs.

use super::letters::{LETTERS, Role};
use crate::show;
use serde::Serialize;
use std::io::Write;
use untorn::mkfs::{FeatureSet, Linux};

#[derive(Serialize)]
struct Supported {
    block_sizes: [u32; 7],
    sector_sizes: [u32; 7],
    inode_sizes: [u32; 3],
    smallest_bytes: u64,
    largest_bytes: u64,
    suffixes: &'static str,
    flags: [&'static str; 9],
    default_kernel: String,
    features: Vec<Feature>,
    options: Vec<Suboption>,
}

#[derive(Serialize)]
struct Feature {
    name: &'static str,
    /// First Linux that mounts it for writing.
    since: String,
    /// First `--for-kernel` that switches it on.
    preset_since: Option<String>,
    default: bool,
}

#[derive(Serialize)]
struct Suboption {
    letter: char,
    section: &'static str,
    name: &'static str,
    takes: &'static str,
    /// `yes`, `only` (one value) or `no`.
    supported: &'static str,
    only: Option<&'static str>,
    why: Option<&'static str>,
}

/// Prints the list.
pub fn print(json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let supported = Supported::now();
    if json {
        return show::json(out, &supported);
    }
    writeln!(out, "block sizes    {:?}", supported.block_sizes)?;
    writeln!(out, "sector sizes   {:?}", supported.sector_sizes)?;
    writeln!(out, "inode sizes    {:?}", supported.inode_sizes)?;
    writeln!(out, "volume bytes   {} to {}", supported.smallest_bytes, supported.largest_bytes)?;
    writeln!(out, "suffixes       {}", supported.suffixes)?;
    writeln!(out, "flags          {}", supported.flags.join(" "))?;
    writeln!(out, "\n{:<12} {:<8} {:<10} preset of --for-kernel", "feature", "Linux", "default")?;
    for feature in &supported.features {
        let default = if feature.default { "on" } else { "off" };
        let preset = feature.preset_since.as_deref().unwrap_or("never");
        writeln!(out, "{:<12} {:<8} {default:<10} {preset}", feature.name, feature.since)?;
    }
    writeln!(out, "\n{:<22} {:<8} supported", "option", "takes")?;
    for option in &supported.options {
        let name = format!("-{} {}", option.letter, option.name);
        let (only, why) = (option.only, option.why.unwrap_or_default());
        let said = match (option.supported, only) {
            ("only", Some(value)) => format!("only {value}: {why}"),
            ("no", _) => format!("no: {why}"),
            (yes, _) => yes.to_owned(),
        };
        writeln!(out, "{name:<22} {:<8} {said}", option.takes)?;
    }
    Ok(())
}

impl Supported {
    fn now() -> Self {
        let options = LETTERS.iter().flat_map(|letter| {
            letter.known.iter().map(|known| {
                let (supported, only, why) = match known.role {
                    Role::Set(_) => ("yes", None, None),
                    Role::Only(value, why) => ("only", Some(value), Some(why)),
                    Role::Refused(why) => ("no", None, Some(why)),
                };
                Suboption {
                    letter: letter.letter,
                    section: letter.section,
                    name: known.name,
                    takes: known.takes.name(),
                    supported,
                    only,
                    why,
                }
            })
        });
        let default = FeatureSet::default();
        let features = FeatureSet::known().map(|(name, since, preset)| Feature {
            name,
            since: since.to_string(),
            preset_since: preset.map(|preset| preset.to_string()),
            default: default.has(name),
        });
        Self {
            block_sizes: [1024, 2048, 4096, 8192, 16384, 32768, 65536],
            sector_sizes: [512, 1024, 2048, 4096, 8192, 16384, 32768],
            inode_sizes: [512, 1024, 2048],
            smallest_bytes: 16 << 20,
            largest_bytes: 1 << 60,
            suffixes: "k m g t p e, s (sectors), b (blocks)",
            flags: ["-L", "-N", "-K", "-f", "-q", "-V", "-c", "--json", "--for-kernel"],
            default_kernel: Linux::DEFAULT.to_string(),
            features: features.collect(),
            options: options.collect(),
        }
    }
}
