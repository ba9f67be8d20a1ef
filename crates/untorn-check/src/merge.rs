//! Goes through two ordered lists at once and says what each has.

use std::cmp::Ordering;

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side<T> {
    /// In the first list alone.
    Left(T),
    /// In the second list alone.
    Right(T),
    /// In both: the two that `order` calls equal.
    Both(T, T),
}

/// The items of two lists that are ordered by `order`.
pub(crate) fn merge<T>(
    left: impl Iterator<Item = T>,
    right: impl Iterator<Item = T>,
    order: impl Fn(&T, &T) -> Ordering,
) -> impl Iterator<Item = Side<T>> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => order(a, b),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => left.next().map(Side::Left),
            Ordering::Greater => right.next().map(Side::Right),
            Ordering::Equal => left.next().zip(right.next()).map(|(a, b)| Side::Both(a, b)),
        }
    })
}
