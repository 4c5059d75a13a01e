//! The load after a mass start, drawn: TokenRequests of the fleet per minute, one panel for each way
//! to choose the moments. Colours are those that are read on light and on dark ground.

use anyhow::anyhow;
use plotters::prelude::*;

use crate::time::{HOUR, MINUTE};

/// Width and height in pixels.
const SIZE: (u32, u32) = (800, 640);
/// Minutes of one point: a curve of 3,600 points would be a file of 100 KB.
const STEP: usize = 10;
/// Read on white and on black.
const GREY: RGBColor = RGBColor(128, 128, 128);
const CURVE: RGBColor = RGBColor(31, 143, 193);

/// Draws one curve for each name: the greatest count of each ten minutes. The begin, when all are
/// missing at once, is cut off.
///
/// # Errors
/// When it cannot be drawn.
pub fn draw(curves: &[(String, Vec<u32>)]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        for ((name, counts), panel) in curves.iter().zip(area.split_evenly((curves.len(), 1))) {
            panel_of(&panel, name, counts).map_err(|error| anyhow!("draw {name}: {error}"))?;
        }
        area.present().map_err(|error| anyhow!("draw: {error}"))?;
    }
    Ok(svg)
}

type Panel<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel_of(
    panel: &Panel<'_>,
    name: &str,
    counts: &[u32],
) -> Result<(), Box<dyn std::error::Error>> {
    let text = ("sans-serif", 13).into_font().color(&GREY);
    let points: Vec<(f64, f64)> = counts
        .chunks(STEP)
        .enumerate()
        .skip(1)
        .map(|(at, counts)| {
            let hours = (at * STEP) as f64 * MINUTE as f64 / HOUR as f64;
            (hours, counts.iter().max().copied().map_or(0.0, f64::from))
        })
        .collect();
    let hours = points.last().map_or(1.0, |(hours, _)| *hours);
    let most = points.iter().map(|(_, count)| *count).fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(panel)
        .margin(8)
        .caption(format!("{name}: TokenRequests per minute"), text.clone())
        .x_label_area_size(22)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..hours, 0.0..most)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .axis_style(GREY)
        .label_style(text)
        .x_labels(6)
        .x_label_formatter(&|hours| format!("{hours:.0} h"))
        .y_labels(3)
        .y_label_formatter(&|count| format!("{count:.0}"))
        .draw()?;
    chart.draw_series(LineSeries::new(points, CURVE.stroke_width(1)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_has_its_name_and_the_ground_is_left_as_it_is() {
        let rising: Vec<u32> = (0..600).collect();
        let curves = [("ours".to_owned(), rising.clone()), ("kubelet".to_owned(), rising)];
        let svg = draw(&curves).unwrap();
        assert!(svg.contains("ours") && svg.contains("kubelet"), "{svg}");
        assert_eq!(svg.matches("#1F8FC1").count(), 2);
        assert!(!svg.contains("#FFFFFF"), "a white ground would be glaring on a dark page");
    }
}
