//! Pictures: steps over time, and bars by name.
//!
//! Numbers become floating point here and nowhere before: a picture shows, and nothing is computed from it.

mod bars;
mod steps;

pub(crate) use bars::{BarChart, Bars};
pub(crate) use steps::{Line, StepChart};

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    Cartesian2d, ChartBuilder, DrawingArea, IntoDrawingArea, RGBColor, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, TextStyle};

/// Colours of a page on paper; the style sheet names the same ones and exchanges them in the dark.
const FIRST: RGBColor = RGBColor(0x0B, 0x6E, 0x6E);
const SECOND: RGBColor = RGBColor(0xB4, 0x57, 0x0A);
const QUIET: RGBColor = RGBColor(0x55, 0x65, 0x6F);
const LINE: RGBColor = RGBColor(0xD8, 0xDC, 0xD8);

/// Size of a picture, pixels; it grows and shrinks with the page.
const SIZE: (u32, u32) = (880, 300);

/// Most names below an axis that can be read.
const MOST_LABELS: usize = 16;

/// A sheet to draw on.
type Sheet<'s> = DrawingArea<SVGBackend<'s>, Shift>;

/// A sheet with its axes.
type Axes<'a, 's> = ChartContext<'a, SVGBackend<'s>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A picture that can't be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the picture \"{title}\" can't be drawn: {why}")]
pub struct ChartError {
    title: String,
    why: String,
}

/// Draws on a fresh picture and gives it a title for whoever does not see it.
fn picture(title: &str, draw: impl FnOnce(&Sheet<'_>) -> Result<(), String>) -> Result<String, ChartError> {
    let failed = |why: String| ChartError { title: title.to_owned(), why };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area).map_err(failed)?;
        area.present().map_err(|error| failed(error.to_string()))?;
    }
    // The library's own opening tag has a fixed size and no title.
    let inside = svg.find('>').and_then(|end| svg.get(end + 1..)).unwrap_or_default();
    let (width, height) = SIZE;
    let title = maud::html! { title { (title) } }.into_string();
    Ok(format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">{title}{inside}"
    ))
}

/// Axes over so many places, with the unit beside them and lines across.
fn axes<'a, 's>(
    sheet: &'a Sheet<'s>,
    places: f64,
    (low, high): (f64, f64),
    unit: &str,
) -> Result<Axes<'a, 's>, String> {
    let mut axes = ChartBuilder::on(sheet)
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..places, low..high)
        .map_err(|error| error.to_string())?;
    axes.configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_desc(unit)
        .bold_line_style(LINE)
        .light_line_style(LINE.mix(0.0))
        .axis_style(LINE)
        .label_style(words(13))
        .y_label_formatter(&|value| number(*value))
        .draw()
        .map_err(|error| error.to_string())?;
    Ok(axes)
}

/// Puts text into the picture, its upper left corner at a place of the axes.
fn write(axes: &mut Axes<'_, '_>, text: &str, at: (f64, f64), size: i32) -> Result<(), String> {
    let text = Text::new(text.to_owned(), at, words(size));
    axes.draw_series([text]).map(|_| ()).map_err(|error| error.to_string())
}

/// Names below the middle of the places, as many as can be read.
fn names_below(axes: &mut Axes<'_, '_>, names: &[String], (low, high): (f64, f64)) -> Result<(), String> {
    let below = low - (high - low) * 0.04;
    for (place, name) in names.iter().enumerate().step_by(label_step(names.len())) {
        let centred = words(12).pos(Pos::new(HPos::Center, VPos::Top));
        let name = Text::new(name.clone(), (place as f64 + 0.5, below), centred);
        axes.draw_series([name]).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn words(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&QUIET)
}

/// A number on an axis: as many decimals as it has, two at most.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Lowest and highest value of an axis that shows all values and zero, with room at the end; never the same two.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((0f64, 0f64), |(low, high), value| (low.min(value), high.max(value)));
    let room = (high - low).max(1.0) * 0.08;
    (if low < 0.0 { low - room } else { low }, high + room)
}

/// Where the names of so many places stand that they can be read: each, every second, every third.
fn label_step(places: usize) -> usize {
    places.div_ceil(MOST_LABELS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_zero_and_is_never_empty() {
        let (low, high) = range([].into_iter());
        assert!(low <= 0.0 && high > low);
        let (low, high) = range([-5.0, -2.0].into_iter());
        assert!(low < -5.0 && high > 0.0);
    }

    #[test]
    fn numbers_have_no_zeros_at_their_end() {
        assert_eq!([number(12.50), number(8.0), number(-0.25)], ["12.5", "8", "-0.25"]);
    }

    #[test]
    fn names_are_as_many_as_can_be_read() {
        for places in 1..500usize {
            assert!(places.div_ceil(label_step(places)) <= MOST_LABELS, "{places}");
        }
        assert_eq!(label_step(0), 1);
    }
}
