//! A value a slot, as steps: it holds for the slot and is not between two.

use super::{ChartError, FIRST, QUIET, Sheet, axes, names_below, picture, range, write};
use plotters::element::PathElement;
use plotters::style::ShapeStyle;

/// One value a slot; none where there was none, and nothing is drawn there.
pub(crate) struct StepChart<'a> {
    pub(crate) title: &'a str,
    /// Unit of the values, beside the axis.
    pub(crate) unit: &'a str,
    /// Name below each slot.
    pub(crate) names: &'a [String],
    pub(crate) values: &'a [Option<f64>],
    /// Lines across, with their names: tariffs.
    pub(crate) lines: &'a [Line],
}

/// A value that holds for all slots.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: f64,
}

impl StepChart<'_> {
    /// Draws it.
    pub(crate) fn to_svg(&self) -> Result<String, ChartError> {
        picture(self.title, |sheet| self.draw(sheet))
    }

    fn draw(&self, sheet: &Sheet<'_>) -> Result<(), String> {
        let all = self.values.iter().flatten().copied().chain(self.lines.iter().map(|line| line.value));
        let (low, high) = range(all);
        let width = self.values.len().max(1) as f64;
        let mut axes = axes(sheet, width, (low, high), self.unit)?;
        for line in self.lines {
            let path =
                PathElement::new(vec![(0.0, line.value), (width, line.value)], ShapeStyle::from(&QUIET));
            axes.draw_series([path]).map_err(|error| error.to_string())?;
            write(&mut axes, &line.name, (width * 0.005, line.value + (high - low) * 0.06), 12)?;
        }
        let thick = ShapeStyle::from(&FIRST).stroke_width(3);
        for run in runs(self.values) {
            axes.draw_series([PathElement::new(run, thick)]).map_err(|error| error.to_string())?;
        }
        names_below(&mut axes, self.names, (low, high))
    }
}

/// The steps, a path for each run of slots that have a value.
fn runs(values: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut open = false;
    for (place, value) in values.iter().enumerate() {
        let Some(value) = value else {
            open = false;
            continue;
        };
        if !open {
            runs.push(Vec::new());
            open = true;
        }
        if let Some(run) = runs.last_mut() {
            run.extend([(place as f64, *value), (place as f64 + 1.0, *value)]);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_without_a_value_parts_the_line() {
        let runs = runs(&[Some(1.0), Some(2.0), None, Some(3.0)]);
        assert_eq!(runs.len(), 2);
        assert_eq!(runs.first().map(Vec::len), Some(4));
        assert_eq!(runs.get(1), Some(&vec![(3.0, 3.0), (4.0, 3.0)]));
    }

    #[test]
    fn names_are_escaped() {
        let names = ["<script>".to_owned()];
        let chart = StepChart { title: "a < b", unit: "ct", names: &names, values: &[Some(1.0)], lines: &[] };
        let svg = chart.to_svg().expect("a picture");
        assert!(svg.contains("a &lt; b") && !svg.contains("<script>"), "{svg}");
    }
}
