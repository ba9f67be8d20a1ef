//! What a table says of a field: its name, where it lies, how often, how it is shown, what it
//! points at. No code per field: places and counts that depend on the bytes are functions of a
//! [`Scope`], shared by all fields of their kind.

use crate::kind::Type;
use crate::shape::Shape;

/// A field of a structure.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its name in xfs_db.
    pub name: &'static str,
    /// What it is.
    pub form: Form,
    /// Where it lies.
    pub at: At,
    /// How often it is there.
    pub count: Count,
    /// Whether it is shown unasked.
    pub shown: Shown,
    /// What `addr` finds behind it.
    pub to: Option<To>,
}

/// What a field is.
#[derive(Clone, Copy)]
pub enum Form {
    /// A number of some bits.
    Number(Number),
    /// Characters; the count of the field is their number.
    Text,
    /// A UUID.
    Uuid,
    /// A checksum and whether it is right.
    Crc,
    /// Form of a fork.
    ForkFormat,
    /// Seconds of an inode's timestamp.
    Seconds,
    /// Nanoseconds of an inode's timestamp.
    Nanoseconds,
    /// When a quota runs out.
    Timer,
    /// A structure of so many bytes, shown field by field.
    Struct(&'static [Field], usize),
    /// As [`Form::Struct`]; shown as empty where it holds nothing.
    Union(&'static [Field]),
    /// A structure of so many bytes, shown as a row of a table.
    Row(&'static [Field], usize),
}

/// How a number is read and shown.
#[derive(Clone, Copy)]
pub struct Number {
    /// Width in bits.
    pub bits: u32,
    /// How it is written.
    pub style: Style,
    /// What all ones, or zero, mean.
    pub odd: Odd,
}

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Decimal,
    Signed,
    Hex,
    Octal,
}

/// Values of a number that are not shown as such.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// None.
    Plain,
    /// All ones are `null`.
    Null,
    /// All ones are left out.
    SkipNull,
    /// Zero is left out.
    SkipZero,
    /// All ones are `null`, zero is left out.
    NullSkipZero,
}

/// Where a field lies, from the start of its structure.
#[derive(Clone, Copy)]
pub enum At {
    /// In bits.
    Bit(usize),
    /// In bytes, where the bytes decide.
    Byte(fn(&Scope<'_>) -> usize),
    /// In bytes, of each element.
    Each(fn(&Scope<'_>, usize) -> usize),
}

/// How often a field is there.
#[derive(Clone, Copy)]
pub enum Count {
    /// Once.
    One,
    /// Once, or not at all.
    When(fn(&Scope<'_>) -> bool),
    /// So many, from index 0.
    Fixed(usize),
    /// As many as the bytes say, from an index.
    List(fn(&Scope<'_>) -> usize, usize),
    /// One text of so many characters.
    Run(fn(&Scope<'_>) -> usize),
    /// Elements of different sizes, from index 0: where each begins in bytes, and a note on it.
    Walk(fn(&Scope<'_>) -> Vec<(usize, u32)>),
}

/// Whether a field is shown unasked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Always,
    WhenAsked,
}

/// What a field points at.
#[derive(Clone, Copy)]
pub enum To {
    /// A block of this AG.
    AgBlock(Type),
    /// A block of the volume.
    FsBlock(Type),
    /// A block of the volume with data of the inode.
    Data,
    /// A device address of 512 bytes.
    DiskAddr(Type),
    /// An inode.
    Ino,
    /// An inode of this AG.
    AgIno,
    /// A block of the data fork.
    DataBlock,
    /// A block of the attribute fork.
    AttrBlock,
}

/// A structure among the bytes of a place.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// All bytes of the place.
    pub bytes: &'a [u8],
    /// Where the structure begins among them.
    pub base: usize,
    /// The note of the walk that found it.
    pub note: u32,
    /// The volume.
    pub shape: &'a Shape,
}

impl<'a> Scope<'a> {
    /// The structure that begins at byte `base` of the place.
    pub fn at(&self, base: usize, note: u32) -> Self {
        Self { base, note, ..*self }
    }
    /// The `bits` bits at bit `at` of the place; `None` past its end.
    pub fn bits(&self, at: usize, bits: u32) -> Option<u64> {
        let last = at.checked_add(bits as usize)?.checked_sub(1)? / 8;
        let run = self.bytes.get(at / 8..=last)?;
        let wide = run.iter().fold(0u128, |sum, &byte| sum << 8 | u128::from(byte));
        let spare = run.len() * 8 - at % 8 - bits as usize;
        let mask = u128::MAX >> (128 - bits);
        Some((wide >> spare & mask) as u64)
    }
    /// The byte at `offset` of the structure; zero past the end of the place.
    pub fn byte(&self, offset: usize) -> usize {
        self.number(offset, 8) as usize
    }
    /// The 16-bit number at `offset`; zero past the end of the place.
    pub fn half(&self, offset: usize) -> usize {
        self.number(offset, 16) as usize
    }
    /// The 32-bit number at `offset`; zero past the end of the place.
    pub fn word(&self, offset: usize) -> usize {
        self.number(offset, 32) as usize
    }
    /// The 64-bit number at `offset`; zero past the end of the place.
    pub fn long(&self, offset: usize) -> u64 {
        self.number(offset, 64)
    }
    fn number(&self, offset: usize, bits: u32) -> u64 {
        self.bits(self.base.saturating_add(offset).saturating_mul(8), bits).unwrap_or(0)
    }
}

impl Field {
    /// Bits of one element.
    pub fn bits(&self) -> usize {
        match self.form {
            Form::Number(number) => number.bits as usize,
            Form::Text | Form::ForkFormat => 8,
            Form::Uuid => 128,
            Form::Crc | Form::Timer => 32,
            Form::Seconds | Form::Nanoseconds => 64,
            Form::Struct(_, size) | Form::Row(_, size) => size * 8,
            Form::Union(_) => 0,
        }
    }
    /// Whether elements are named by their index.
    pub fn is_array(&self) -> bool {
        matches!(self.count, Count::Fixed(_) | Count::List(..) | Count::Walk(_))
            && !matches!(self.form, Form::Text)
    }
    pub(crate) const fn asked(mut self) -> Self {
        self.shown = Shown::WhenAsked;
        self
    }
    pub(crate) const fn to(mut self, to: To) -> Self {
        self.to = Some(to);
        self
    }
    pub(crate) const fn when(mut self, there: fn(&Scope<'_>) -> bool) -> Self {
        self.count = Count::When(there);
        self
    }
    pub(crate) const fn times(mut self, count: usize) -> Self {
        self.count = Count::Fixed(count);
        self
    }
    pub(crate) const fn list(mut self, count: fn(&Scope<'_>) -> usize, first: usize) -> Self {
        self.count = Count::List(count, first);
        self
    }
    pub(crate) const fn walk(mut self, walk: fn(&Scope<'_>) -> Vec<(usize, u32)>) -> Self {
        self.count = Count::Walk(walk);
        self
    }
    pub(crate) const fn of(mut self, count: fn(&Scope<'_>) -> usize) -> Self {
        self.count = Count::Run(count);
        self
    }
    pub(crate) const fn begins(mut self, at: fn(&Scope<'_>) -> usize) -> Self {
        self.at = At::Byte(at);
        self
    }
    pub(crate) const fn each(mut self, at: fn(&Scope<'_>, usize) -> usize) -> Self {
        self.at = At::Each(at);
        self
    }
}

/// A field of `form` that begins at `bit`.
pub(crate) const fn field(name: &'static str, form: Form, bit: usize) -> Field {
    let (at, count, shown) = (At::Bit(bit), Count::One, Shown::Always);
    Field { name, form, at, count, shown, to: None }
}

/// A number of `bits` bits that begins at `bit`.
pub(crate) const fn bits(name: &'static str, bit: usize, bits: u32, style: Style) -> Field {
    field(name, Form::Number(Number { bits, style, odd: Odd::Plain }), bit)
}

/// A decimal number of `width` bits at a byte.
pub(crate) const fn dec(name: &'static str, byte: usize, width: u32) -> Field {
    bits(name, byte * 8, width, Style::Decimal)
}

/// A hexadecimal number of `width` bits at a byte.
pub(crate) const fn hex(name: &'static str, byte: usize, width: u32) -> Field {
    bits(name, byte * 8, width, Style::Hex)
}

/// A decimal number of which all ones are `null`.
pub(crate) const fn nul(name: &'static str, byte: usize, width: u32) -> Field {
    odd(dec(name, byte, width), Odd::Null)
}

/// One bit of the big-endian word of `width` bits at `byte`, counted from its lowest.
pub(crate) const fn flag(name: &'static str, byte: usize, width: usize, bit: usize) -> Field {
    bits(name, byte * 8 + width - 1 - bit, 1, Style::Decimal)
}

/// The number with other odd values.
pub(crate) const fn odd(mut field: Field, odd: Odd) -> Field {
    if let Form::Number(mut number) = field.form {
        number.odd = odd;
        field.form = Form::Number(number);
    }
    field
}
