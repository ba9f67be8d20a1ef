//! From a path, or from none, to the fields that it names: what `print` shows and `addr` follows.
//!
//! Invariants: no element of a list is made that does not lie inside the place, so what a damaged
//! count says costs nothing.

use crate::field::{At, Count, Field, Form, Odd, Scope, Shown, To};
use crate::path::Step;
use crate::value::{Value, text, value};
use crate::{Result, refuse};
use serde_json::{Map, Value as Json};

/// A line of what is shown: a field, a list, or a table.
#[derive(Clone, Debug)]
pub struct Item {
    /// Path with indices, as shown.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
}

/// What an item holds.
#[derive(Clone, Debug)]
pub enum Holds {
    /// One value; none where it is left out.
    One(Option<Value>),
    /// Values by their index; `None` for those left out.
    Many(Vec<(usize, Option<Value>)>),
    /// Rows by their index, under names.
    Table(Vec<&'static str>, Vec<(usize, Vec<Value>)>),
    /// Nothing.
    Empty,
}

/// A single field that was found: its number and what it points at.
pub struct Found {
    /// The number.
    pub number: u64,
    /// Whether it says "none".
    pub is_null: bool,
    /// What it points at.
    pub to: Option<To>,
}

/// Elements of a field in a scope.
struct Elements {
    first: usize,
    /// Bit of the place where each begins, and its note.
    starts: Vec<(usize, u32)>,
    /// How many there would be, were the place long enough.
    said: usize,
}

/// Everything of a structure that is shown unasked.
pub fn all(fields: &'static [Field], scope: &Scope<'_>, prefix: &str, out: &mut Vec<Item>) {
    for field in fields.iter().filter(|field| field.shown == Shown::Always) {
        let elements = elements(field, scope);
        if !elements.starts.is_empty() || is_hollow(field, scope) {
            show(field, scope, prefix, &elements, out);
        }
    }
}

/// What `steps` name.
pub fn select(
    fields: &'static [Field],
    scope: &Scope<'_>,
    prefix: &str,
    steps: &[Step],
    out: &mut Vec<Item>,
) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(());
    };
    let (field, elements) = find(fields, scope, step)?;
    let within = elements.within(field, step)?;
    match (field.form, rest) {
        (_, []) => show(field, scope, prefix, &within, out),
        (Form::Struct(inner, _) | Form::Union(inner) | Form::Row(inner, _), _) => {
            for (index, &(start, note)) in within.numbered() {
                let prefix = format!("{prefix}{}.", label(field, index));
                select(inner, &scope.at(start / 8, note), &prefix, rest, out)?;
            }
        }
        _ => return refuse(format!("field {} has no fields of its own", step.name)),
    }
    Ok(())
}

/// The one number that `steps` name.
pub fn follow(fields: &'static [Field], scope: &Scope<'_>, steps: &[Step]) -> Result<Found> {
    let Some((step, rest)) = steps.split_first() else {
        return refuse("which field?");
    };
    let (field, elements) = find(fields, scope, step)?;
    let within = elements.within(field, step)?;
    let (Some(&(start, note)), true) = (within.starts.first(), within.starts.len() == 1) else {
        return refuse(format!("field {} is an array: name one element", step.name));
    };
    match (field.form, rest) {
        (Form::Struct(inner, _) | Form::Union(inner) | Form::Row(inner, _), [_, ..]) => {
            follow(inner, &scope.at(start / 8, note), rest)
        }
        (Form::Number(number), []) => match scope.bits(start, number.bits) {
            Some(found) => {
                let ones = found == u64::MAX >> (64 - number.bits);
                let is_null = ones && !matches!(number.odd, Odd::Plain | Odd::SkipZero);
                Ok(Found { number: found, is_null, to: field.to })
            }
            None => refuse(format!("field {} lies past the end", step.name)),
        },
        _ => refuse(format!("field {} points at nothing", step.name)),
    }
}

impl Elements {
    /// Those that a step asks for.
    fn within(self, field: &Field, step: &Step) -> Result<Self> {
        let Some((low, high)) = step.range else { return Ok(self) };
        if !field.is_array() {
            return refuse(format!("field {} is not an array", step.name));
        }
        let last = self.first + self.starts.len();
        if low < self.first || high >= last {
            let (name, first, last) = (&step.name, self.first, last.saturating_sub(1));
            return refuse(format!("index of {name} out of range {first}-{last}"));
        }
        let starts = self.starts.get(low - self.first..=high - self.first).unwrap_or_default();
        Ok(Self { first: low, starts: starts.to_vec(), said: high - low + 1 })
    }
    fn numbered(&self) -> impl Iterator<Item = (usize, &(usize, u32))> {
        self.starts.iter().enumerate().map(|(i, start)| (self.first + i, start))
    }
}

/// The first field of that name that is there.
fn find(
    fields: &'static [Field],
    scope: &Scope<'_>,
    step: &Step,
) -> Result<(&'static Field, Elements)> {
    let named = fields.iter().filter(|field| field.name == step.name);
    let mut there = named.map(|field| (field, elements(field, scope)));
    match there.find(|(_, elements)| !elements.starts.is_empty()) {
        Some(found) => Ok(found),
        None => refuse(format!("field {} not found", step.name)),
    }
}

/// A union that is there, though it holds nothing.
fn is_hollow(field: &Field, scope: &Scope<'_>) -> bool {
    matches!((field.form, field.count), (Form::Union(_), Count::When(there)) if there(scope))
}

fn elements(field: &Field, scope: &Scope<'_>) -> Elements {
    let (first, said) = match field.count {
        Count::One => (0, 1),
        Count::When(there) => (0, usize::from(there(scope))),
        Count::Fixed(count) => (0, count),
        Count::List(count, first) => (first, count(scope)),
        Count::Run(length) => (0, usize::from(length(scope) > 0)),
        Count::Walk(walk) => {
            let starts = walk(scope).into_iter().map(|(at, note)| ((scope.base + at) * 8, note));
            let starts: Vec<_> = starts.filter(|(at, _)| at / 8 < scope.bytes.len()).collect();
            return Elements { first: 0, said: starts.len(), starts };
        }
    };
    let end = scope.bytes.len() * 8;
    let starts = (0..said).map(|index| (start(field, scope, index), scope.note));
    let fits = |at: usize| at.saturating_add(field.bits()) <= end;
    let starts = starts.take_while(|&(at, _)| fits(at) || said == 1).collect();
    Elements { first, starts, said }
}

fn start(field: &Field, scope: &Scope<'_>, index: usize) -> usize {
    let base = scope.base.saturating_mul(8);
    let bit = match field.at {
        At::Bit(bit) => bit.saturating_add(index.saturating_mul(field.bits())),
        At::Byte(at) => at(scope).saturating_mul(8).saturating_add(index * field.bits()),
        At::Each(at) => at(scope, index).saturating_mul(8),
    };
    base.saturating_add(bit)
}

fn label(field: &Field, index: usize) -> String {
    if field.is_array() { format!("{}[{index}]", field.name) } else { field.name.to_owned() }
}

/// The name of a list: with its first and last index.
fn range(field: &Field, elements: &Elements) -> String {
    let (first, count) = (elements.first, elements.starts.len());
    match (field.is_array(), count) {
        (false, _) => field.name.to_owned(),
        (true, 0 | 1) => format!("{}[{first}]", field.name),
        (true, _) => format!("{}[{first}-{}]", field.name, first + count - 1),
    }
}

fn show(
    field: &'static Field,
    scope: &Scope<'_>,
    prefix: &str,
    elements: &Elements,
    out: &mut Vec<Item>,
) {
    let name = format!("{prefix}{}", range(field, elements));
    match field.form {
        Form::Struct(inner, _) | Form::Union(inner) => {
            for (index, &(start, note)) in elements.numbered() {
                let (prefix, before) = (format!("{prefix}{}.", label(field, index)), out.len());
                all(inner, &scope.at(start / 8, note), &prefix, out);
                if out.len() == before && matches!(field.form, Form::Union(_)) {
                    out.push(Item { name: name.clone(), holds: Holds::Empty });
                }
            }
        }
        Form::Row(inner, _) => {
            out.push(Item { name: name.clone(), holds: table(inner, scope, elements) })
        }
        Form::Text => {
            out.push(Item { name: name.clone(), holds: characters(field, scope, elements) })
        }
        _ => out.push(Item { name: name.clone(), holds: numbers(field, scope, elements) }),
    }
    if elements.said > elements.starts.len() && field.is_array() {
        out.push(cut(name, elements));
    }
}

/// Says that a list is longer than its place.
fn cut(name: String, elements: &Elements) -> Item {
    let words =
        format!("{} of {} lie past the end", elements.said - elements.starts.len(), elements.said);
    Item {
        name: format!("# {name}"),
        holds: Holds::One(Some(Value { json: words.clone().into(), text: words })),
    }
}

fn characters(field: &Field, scope: &Scope<'_>, elements: &Elements) -> Holds {
    let Count::Run(length) = field.count else { return Holds::Empty };
    let from = elements.starts.first().map_or(usize::MAX, |(start, _)| start / 8);
    let end = from.saturating_add(length(scope)).min(scope.bytes.len());
    Holds::One(Some(text(scope.bytes.get(from..end).unwrap_or_default())))
}

fn numbers(field: &Field, scope: &Scope<'_>, elements: &Elements) -> Holds {
    match (field.is_array(), elements.starts.as_slice()) {
        (_, []) => Holds::Empty,
        (_, [(start, _)]) => Holds::One(value(field, scope, *start)),
        _ => Holds::Many(
            elements.numbered().map(|(i, &(start, _))| (i, value(field, scope, start))).collect(),
        ),
    }
}

fn table(fields: &'static [Field], scope: &Scope<'_>, elements: &Elements) -> Holds {
    let is_column = |field: &&Field| {
        let there = match field.count {
            Count::When(there) => there(scope),
            _ => true,
        };
        field.shown == Shown::Always && there
    };
    let columns: Vec<_> = fields.iter().filter(is_column).collect();
    let row = |at: usize| {
        let scope = scope.at(at / 8, 0);
        columns.iter().filter_map(|field| value(field, &scope, start(field, &scope, 0))).collect()
    };
    let rows = elements.numbered().map(|(index, &(at, _))| (index, row(at))).collect();
    Holds::Table(columns.iter().map(|field| field.name).collect(), rows)
}

impl Item {
    /// As xfs_db prints it, with the end of the line.
    pub fn line(&self) -> String {
        format!("{} = {}\n", self.name, self.holds.text())
    }
    /// As JSON.
    pub fn json(&self) -> Json {
        self.holds.json()
    }
}

impl Holds {
    fn text(&self) -> String {
        match self {
            Self::One(value) => value.as_ref().map_or(String::new(), |value| value.text.clone()),
            Self::Many(values) => many(values),
            Self::Table(names, rows) => format!("[{}] \n{}", names.join(","), lines(rows)),
            Self::Empty => "(empty)".to_owned(),
        }
    }
    fn json(&self) -> Json {
        match self {
            Self::One(value) => value.as_ref().map_or(Json::Null, |value| value.json.clone()),
            Self::Many(values) => {
                let shown = values.iter().filter_map(|(i, value)| Some((*i, value.as_ref()?)));
                shown
                    .map(|(i, value)| (i.to_string(), value.json.clone()))
                    .collect::<Map<_, _>>()
                    .into()
            }
            Self::Table(names, rows) => {
                let row = |(index, values): &(usize, Vec<Value>)| {
                    let pairs = names.iter().zip(values);
                    let pairs = pairs.map(|(n, value)| ((*n).to_owned(), value.json.clone()));
                    (index.to_string(), pairs.collect::<Map<_, _>>().into())
                };
                rows.iter().map(row).collect::<Map<_, _>>().into()
            }
            Self::Empty => Json::Null,
        }
    }
}

/// A blank stands behind each value but the last index, whether that is shown or not.
fn many(values: &[(usize, Option<Value>)]) -> String {
    let last = values.len().saturating_sub(1);
    let word = |(nth, (index, value)): (usize, &(usize, Option<Value>))| {
        let text = format!("{index}:{}", value.as_ref()?.text);
        Some(if nth < last { text + " " } else { text })
    };
    values.iter().enumerate().filter_map(word).collect()
}

fn lines(rows: &[(usize, Vec<Value>)]) -> String {
    let line = |(index, values): &(usize, Vec<Value>)| {
        let words: Vec<_> = values.iter().map(|value| value.text.as_str()).collect();
        format!("{index}:[{}]", words.join(","))
    };
    rows.iter().map(line).collect::<Vec<_>>().join(" \n")
}
