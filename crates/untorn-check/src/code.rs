//! The codes of findings: one for each rule that a volume can break.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is left over that recovery or an unmount should have cleared; nothing is read
    /// wrongly and nothing is lost but the space.
    Leftover,
    /// A structure is wrong: using the volume may read, hand out or destroy the wrong blocks.
    Damage,
}

impl Severity {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leftover => "leftover",
            Self::Damage => "damage",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $severity:ident;)*) => {
        /// What kind of thing is wrong. The name is stable from version to version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name: lower case, words joined by hyphens.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
            /// How bad findings of this kind are.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    /// A structure is shorter than it must be.
    CutShort = "cut-short" Damage;
    /// A structure's magic number is that of something else.
    BadMagic = "bad-magic" Damage;
    /// A structure's checksum does not match its bytes.
    BadChecksum = "bad-checksum" Damage;
    /// A structure carries the UUID of another volume.
    BadUuid = "bad-uuid" Damage;
    /// A structure says that it lives elsewhere.
    BadPosition = "bad-position" Damage;
    /// A structure says that it belongs to another owner.
    BadOwner = "bad-owner" Damage;
    /// A structure was written at a journal position that the journal has not reached.
    LsnAhead = "lsn-ahead" Damage;
    /// A field has a value that it must not have.
    BadField = "bad-field" Damage;
    /// Entries of a structure are out of order or disagree with each other.
    BadOrder = "bad-order" Damage;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
