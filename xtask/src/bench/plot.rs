//! The verdicts as pictures: one SVG file for each thing to see.

use super::verdict::{Comparison, Curve, Verdicts};
use anyhow::Result;
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (900, 560);

/// Draws what there is; the names of the files.
pub(super) fn all(verdicts: &Verdicts, folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for section in ["atomic", "stream", "fsx", "namespace"] {
        let of_section = |one: &&Comparison| one.section == section;
        let comparisons: Vec<_> = verdicts.comparisons.iter().filter(of_section).collect();
        if !comparisons.is_empty() {
            let name = format!("{section}.svg");
            ratios(&folder.join(&name), section, &comparisons)?;
            names.push(name);
        }
    }
    let axes = ["by extents of the file", "by free extents", "by bytes of the volume"];
    for (number, axis) in axes.into_iter().enumerate() {
        let of_axis = |curve: &&Curve| curve.name.ends_with(axis) && curve.points.len() > 1;
        let curves: Vec<_> = verdicts.curves.iter().filter(of_axis).collect();
        if !curves.is_empty() {
            let name = format!("size-{}.svg", number + 1);
            costs(&folder.join(&name), axis, &curves)?;
            names.push(name);
        }
    }
    Ok(names)
}

/// Height of a bar and its label, in pixels.
const ROW: i32 = 22;

/// Where bars begin and end, in pixels.
const BARS: (i32, i32) = (390, 880);

/// A bar for each peer of each case: what untorn does in units of the peer, the range that was
/// seen, and what is aimed at.
fn ratios(path: &Path, section: &str, comparisons: &[&Comparison]) -> Result<()> {
    let rows = comparisons.iter().flat_map(|one| one.against.iter().map(move |peer| (one, peer)));
    let rows: Vec<_> = rows.collect();
    let farthest = rows.iter().map(|(_, peer)| peer.ratio.highest.max(peer.least.unwrap_or(0.0)));
    let farthest = farthest.fold(1.0, f64::max);
    let at = |ratio: f64| BARS.0 + (ratio / farthest * f64::from(BARS.1 - BARS.0)) as i32;
    let height = (rows.len() as i32 + 3) * ROW;
    let area = SVGBackend::new(path, (SIZE.0, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!("{section}: untorn in units of others (bar), seen (line), target (red)");
    area.draw(&Text::new(title, (10, 8), ("sans-serif", 16)))?;
    for (number, (one, peer)) in rows.iter().enumerate() {
        let top = (number as i32 + 2) * ROW;
        let (middle, ratio) = (top + ROW / 2 - 2, peer.ratio);
        let label = format!("{} / {}", one.case, peer.who);
        area.draw(&Text::new(label, (10, top), ("sans-serif", 13)))?;
        let bar = [(BARS.0, top), (at(ratio.median), top + ROW - 6)];
        area.draw(&Rectangle::new(bar, RGBColor(120, 160, 210).filled()))?;
        area.draw(&line(at(ratio.lowest), middle, at(ratio.highest), middle, BLACK))?;
        if let Some(least) = peer.least {
            area.draw(&line(at(least), top - 2, at(least), top + ROW - 4, RED))?;
        }
        let label = format!("{:.2}", ratio.median);
        area.draw(&Text::new(label, (BARS.0 - 40, top), ("sans-serif", 13)))?;
    }
    Ok(area.present()?)
}

fn line(x: i32, y: i32, to_x: i32, to_y: i32, color: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new(vec![(x, y), (to_x, to_y)], color)
}

/// Microseconds of each operation against size, both in logarithms, and in grey what it would be
/// if it grew as the logarithm of the size.
fn costs(path: &Path, axis: &str, curves: &[&Curve]) -> Result<()> {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let sizes = points().map(|(size, _)| size as f64);
    let micros = points().map(|(_, seconds)| seconds * 1e6);
    let (least, most) = range(sizes);
    let (cheap, dear) = range(micros);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("microseconds an operation takes, {axis}"), ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d((least..most).log_scale(), (cheap / 2.0..dear * 4.0).log_scale())?;
    chart.configure_mesh().x_label_formatter(&|size| format!("{size:.0e}")).draw()?;
    for (number, curve) in curves.iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        let points = curve.points.iter().map(|(size, cost)| (*size as f64, cost * 1e6));
        let series = chart.draw_series(LineSeries::new(points.clone(), color).point_size(3))?;
        series
            .label(curve.name.trim_end_matches(axis))
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color));
        let (first, cost) = curve.points[0];
        let logarithm =
            points.map(|(size, _)| (size, cost * 1e6 * size.ln() / (first as f64).ln()));
        chart.draw_series(LineSeries::new(logarithm, RGBColor(190, 190, 190)))?;
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    Ok(area.present()?)
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}
