//! Bars by name: one or two beside each other.

use super::{Axes, ChartError, FIRST, SECOND, Sheet, axes, names_below, picture, range, write};
use plotters::element::Rectangle;
use plotters::style::{Color, RGBColor};

/// Bars of a name.
pub(crate) struct BarChart<'a> {
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
    /// Name below each group of bars.
    pub(crate) names: &'a [String],
    /// One or two, each with a value a name.
    pub(crate) series: &'a [Bars],
}

/// The bars of one kind.
pub(crate) struct Bars {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

/// Space between two groups, as a part of their distance.
const SPACE: f64 = 0.24;

impl BarChart<'_> {
    /// Draws it.
    pub(crate) fn to_svg(&self) -> Result<String, ChartError> {
        picture(self.title, |sheet| self.draw(sheet))
    }

    fn draw(&self, sheet: &Sheet<'_>) -> Result<(), String> {
        let (low, high) = range(self.series.iter().flat_map(|bars| bars.values.iter().copied()));
        let several = self.series.len() > 1;
        // Room for the names of the colours.
        let top = if several { high + (high - low) * 0.12 } else { high };
        let mut axes = axes(sheet, self.names.len().max(1) as f64, (low, top), self.unit)?;
        for (which, bars) in self.series.iter().enumerate() {
            self.draw_bars(&mut axes, which, bars)?;
            if several {
                self.draw_name(&mut axes, which, bars, (low, top))?;
            }
        }
        names_below(&mut axes, self.names, (low, top))
    }

    fn draw_bars(&self, axes: &mut Axes<'_, '_>, which: usize, bars: &Bars) -> Result<(), String> {
        let wide = (1.0 - SPACE) / self.series.len().max(1) as f64;
        let rectangles = bars.values.iter().enumerate().map(|(place, value)| {
            let left = place as f64 + SPACE / 2.0 + which as f64 * wide;
            Rectangle::new([(left, 0.0), (left + wide, *value)], colour(which).filled())
        });
        axes.draw_series(rectangles).map(|_| ()).map_err(|error| error.to_string())
    }

    /// What the colour stands for.
    fn draw_name(
        &self,
        axes: &mut Axes<'_, '_>,
        which: usize,
        bars: &Bars,
        (low, top): (f64, f64),
    ) -> Result<(), String> {
        let width = self.names.len().max(1) as f64;
        let left = width * (0.01 + 0.3 * which as f64);
        let (upper, lower) = (top - (top - low) * 0.02, top - (top - low) * 0.07);
        let patch = Rectangle::new([(left, lower), (left + width * 0.015, upper)], colour(which).filled());
        axes.draw_series([patch]).map_err(|error| error.to_string())?;
        write(axes, &bars.name, (left + width * 0.022, upper), 13)
    }
}

fn colour(which: usize) -> RGBColor {
    if which == 0 { FIRST } else { SECOND }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heights of the bars of one colour.
    fn heights(svg: &str, colour: &str) -> Vec<u32> {
        let rects = svg.split("<rect").filter(|rect| rect.contains(colour));
        let height = |rect: &str| rect.split("height=\"").nth(1)?.split('"').next()?.parse().ok();
        rects.filter_map(height).collect()
    }

    #[test]
    fn a_bar_is_as_high_as_its_value() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let series = [Bars { name: "only".to_owned(), values: vec![1.0, 2.0, -1.0] }];
        let svg =
            BarChart { title: "t", unit: "kWh", names: &names, series: &series }.to_svg().expect("a picture");
        let heights = heights(&svg, "#0B6E6E");
        let [one, two, below] = heights.as_slice() else { panic!("{svg}") };
        assert!(two.abs_diff(2 * one) <= 2 && below.abs_diff(*one) <= 2, "{heights:?}");
    }

    #[test]
    fn nothing_is_a_picture_too() {
        let svg = BarChart { title: "t", unit: "kWh", names: &[], series: &[] }.to_svg().expect("a picture");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }
}
