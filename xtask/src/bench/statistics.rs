//! Numbers of a noisy machine: medians, ratios within rounds, growth against the logarithm.

/// The middle value; of an even number the mean of the two in the middle. There is one.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// A ratio that was seen several times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

/// What the ratios of values of the same round are. Rounds that only one side has do not count;
/// nothing where there is no other.
pub(super) fn paired(ours: &[(u64, f64)], theirs: &[(u64, f64)]) -> Option<Ratio> {
    let ratio = |(round, ours): &(u64, f64)| {
        let (_, theirs) = theirs.iter().find(|(other, _)| other == round)?;
        Some(ours / theirs)
    };
    let ratios: Vec<f64> = ours.iter().filter_map(ratio).collect();
    let (lowest, highest) = ratios
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
    (!ratios.is_empty()).then(|| Ratio { median: median(&ratios), lowest, highest })
}

/// How a cost grows from the smallest size to the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// Cost at the largest size, in costs at the smallest.
    pub cost: f64,
    /// The same for a cost that is the logarithm of the size.
    pub logarithm: f64,
}

/// Sizes (beyond 1, in order), and costs by round at each.
pub(super) type Points = [(u64, Vec<(u64, f64)>)];

/// The growth of a curve, compared within rounds. Nothing where there is one size.
pub(super) fn growth(curve: &Points) -> Option<Growth> {
    let [(least, first), .., (most, last)] = curve else { return None };
    let cost = paired(last, first)?.median;
    Some(Growth { cost, logarithm: (*most as f64).ln() / (*least as f64).ln() })
}
