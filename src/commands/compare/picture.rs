//! The comparison as a picture: a row per mechanism, a column of bars per figure, SVG.
//!
//! All columns share their rows, so that one line across says everything about a mechanism. Each column has a scale of
//! its own with its zero marked; costs below zero are earnings and go to the left of it. Geometry in whole pixels.

use super::table::{ct, percent, plural};
use std::fmt::Write;
use veilgrid_market::units::format_ratio;
use veilgrid_scenario::compare::{Comparison, Mechanism, MechanismResult};

/// Left edge of everything, and space around.
const MARGIN: i128 = 28;
/// Width of the mechanisms' names.
const NAMES: i128 = 186;
/// Width of a column and the space to the next.
const COLUMN: i128 = 176;
const GAP: i128 = 22;
/// Room for a figure beside its bar.
const FIGURE: i128 = 58;
/// Upper edge of the columns' titles, and of the first row.
const TITLES: i128 = 92;
const ROWS: i128 = 138;
const ROW: i128 = 40;
const BAR: i128 = 22;

/// One column.
struct Column {
    title: String,
    unit: &'static str,
    /// By row: length of the bar, and the figure beside it.
    bars: Vec<(i128, String)>,
}

/// Draws the comparison.
pub(super) fn draw(comparison: &Comparison, headline: &str) -> String {
    let results = &comparison.results;
    let columns = columns(results);
    let width = 2 * MARGIN + NAMES + columns.len() as i128 * (COLUMN + GAP);
    let rows_end = ROWS + results.len() as i128 * ROW;
    let height = rows_end + 72;
    let mut svg = String::new();
    // Writing to a String does not fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" fill=\"#1f2d3a\">\n\
         <title>One day of a community under different ways to share its energy</title>\n\
         <desc>{headline}</desc>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    text(
        &mut svg,
        (MARGIN, 40),
        "font-size=\"20\" font-weight=\"bold\"",
        "One day, shared in different ways",
    );
    text(&mut svg, (MARGIN, 64), "font-size=\"13\" fill=\"#5b6b79\"", headline);
    names(&mut svg, results, width);
    for (place, column) in columns.iter().enumerate() {
        let left = MARGIN + NAMES + place as i128 * (COLUMN + GAP);
        draw_column(&mut svg, column, left, results, rows_end);
    }
    let small = "font-size=\"11\" fill=\"#5b6b79\"";
    let foot = [
        "Costs are for energy alone, without network fees and taxes; below zero members earn. In every row members pay together \
         what the community pays to the utility.",
        "Self-sufficiency: consumption that was not bought from the utility. Only in the auction do members shift what can \
         wait. Rules: Zhou, Wu, Long 2018.",
    ];
    for (line, words) in foot.into_iter().enumerate() {
        text(&mut svg, (MARGIN, rows_end + 32 + 18 * line as i128), small, words);
    }
    svg.push_str("</svg>\n");
    svg
}

fn columns(results: &[MechanismResult]) -> Vec<Column> {
    let roles = results.first().map_or(0, |first| first.roles.len());
    let mut columns: Vec<Column> = (0..roles).filter_map(|role| role_column(results, role)).collect();
    columns.push(Column {
        title: "Self-sufficiency".to_owned(),
        unit: "% of consumption",
        bars: results
            .iter()
            .map(|one| (one.self_sufficiency_permille.unwrap_or(0), percent(one.self_sufficiency_permille)))
            .collect(),
    });
    let peak = |one: &MechanismResult| (one.peak_import_w, format_ratio(one.peak_import_w, 1000, 1));
    columns.push(Column {
        title: "Peak import".to_owned(),
        unit: "kW from the utility",
        bars: results.iter().map(peak).collect(),
    });
    columns
}

fn role_column(results: &[MechanismResult], role: usize) -> Option<Column> {
    let first = results.first()?.roles.get(role)?;
    let mut name = plural(first.role).to_owned();
    name.replace_range(..1, &name[..1].to_uppercase());
    let cost = |one: &MechanismResult| {
        let cost_mct = one.roles.get(role).map_or(0, |cost| cost.cost_per_member_mct);
        // Two decimals where a cent matters, none where it does not fit.
        let figure = if cost_mct.abs() < 1_000_000 { ct(cost_mct) } else { format_ratio(cost_mct, 1000, 0) };
        (cost_mct, figure)
    };
    Some(Column {
        title: format!("{name} ({})", first.members),
        unit: "ct per member and day",
        bars: results.iter().map(cost).collect(),
    })
}

/// The rows: names on the left, a line below each.
fn names(svg: &mut String, results: &[MechanismResult], width: i128) {
    for (row, result) in results.iter().enumerate() {
        let top = ROWS + row as i128 * ROW;
        let weight = if result.mechanism == Mechanism::Auction { "bold" } else { "normal" };
        let style = format!("font-size=\"14\" font-weight=\"{weight}\"");
        text(svg, (MARGIN, top + ROW / 2 + 5), &style, result.mechanism.name());
        let (line, right) = (top + ROW, width - MARGIN);
        let _ = writeln!(
            svg,
            "<line x1=\"{MARGIN}\" y1=\"{line}\" x2=\"{right}\" y2=\"{line}\" stroke=\"#e3e8ec\"/>"
        );
    }
}

fn draw_column(svg: &mut String, column: &Column, left: i128, results: &[MechanismResult], rows_end: i128) {
    text(svg, (left, TITLES + 12), "font-size=\"14\" font-weight=\"bold\"", &column.title);
    text(svg, (left, TITLES + 30), "font-size=\"11\" fill=\"#5b6b79\"", column.unit);
    let lengths = column.bars.iter().map(|(length, _)| *length);
    let (below, above) = (-lengths.clone().min().unwrap_or(0).min(0), lengths.max().unwrap_or(0).max(0));
    // Figures stand beyond the ends of their bars, on whichever sides there are bars.
    let room = COLUMN - FIGURE * (i128::from(below > 0) + i128::from(above > 0 || below == 0));
    let scaled = |length: i128| length * room / (below + above).max(1);
    let zero = left + if below > 0 { FIGURE } else { 0 } + scaled(below);
    for (row, ((length, figure), result)) in column.bars.iter().zip(results).enumerate() {
        let top = ROWS + row as i128 * ROW + (ROW - BAR) / 2;
        let (start, end) = (zero + scaled(*length).min(0), zero + scaled(*length).max(0));
        let colour = if result.mechanism == Mechanism::Auction { "#0f766e" } else { "#a9bccb" };
        let wide = (end - start).max(1);
        let _ = writeln!(
            svg,
            "<rect x=\"{start}\" y=\"{top}\" width=\"{wide}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>"
        );
        let (at, anchor) = if *length < 0 { (start - 5, "end") } else { (end + 5, "start") };
        let weight = if result.mechanism == Mechanism::Auction { "bold" } else { "normal" };
        let style = format!("font-size=\"12\" font-weight=\"{weight}\" text-anchor=\"{anchor}\"");
        text(svg, (at, top + BAR / 2 + 4), &style, figure);
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{zero}\" y1=\"{ROWS}\" x2=\"{zero}\" y2=\"{rows_end}\" stroke=\"#5b6b79\"/>"
    );
}

/// Text; nothing in it needs escapes but what is passed through here.
fn text(svg: &mut String, (x, y): (i128, i128), style: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" {style}>{words}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_scenario::community::Role;
    use veilgrid_scenario::compare::{AuctionDay, RoleCost};

    fn result(mechanism: Mechanism, costs_mct: [i128; 2]) -> MechanismResult {
        let role = |role, cost_per_member_mct| RoleCost {
            role,
            members: 3,
            cost_mct: 3 * cost_per_member_mct,
            cost_per_member_mct,
        };
        MechanismResult {
            mechanism,
            roles: vec![role(Role::Prosumer, costs_mct[0]), role(Role::Consumer, costs_mct[1])],
            cost_mct: 0,
            members_q16: 0,
            public_account_q16: 0,
            utility_q16: 0,
            from_utility_wh: 0,
            to_utility_wh: 0,
            self_sufficiency_permille: Some(500),
            self_consumption_permille: None,
            peak_import_w: 12_345,
        }
    }

    /// Bars below zero end where those above begin, nothing leaves its column, and figures are beside their bars.
    #[test]
    fn costs_below_zero_go_to_the_left_of_zero() {
        let results = vec![
            result(Mechanism::Tariffs, [-50_000, 200_000]),
            result(Mechanism::Auction, [-100_000, 100_000]),
        ];
        let comparison = Comparison {
            consumption_wh: 1,
            generation_wh: 1,
            results,
            left_out: Vec::new(),
            auction: AuctionDay::default(),
        };
        let svg = draw(&comparison, "a < b & c");
        assert!(svg.contains("a &lt; b &amp; c") && svg.ends_with("</svg>\n"));
        let left = MARGIN + NAMES;
        let zero = left + FIGURE + (COLUMN - FIGURE);
        assert!(
            svg.contains(&format!("<rect x=\"{}\"", left + FIGURE)),
            "the longest begins after its figure"
        );
        assert!(svg.contains(&format!("<line x1=\"{zero}\"")));
        assert!(svg.contains(">-100.00</text>") && svg.contains(">12.3</text>"), "{svg}");
        // A column of zeros has no scale to divide by.
        let nothing = Comparison { results: vec![result(Mechanism::Auction, [0, 0])], ..comparison };
        assert!(draw(&nothing, "nothing").contains(">0.00</text>"));
    }
}
