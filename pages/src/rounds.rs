//! Rounds, as every page shows them: price, volume, what was opened.

use crate::chart::{BarChart, Bars, ChartError, Line, StepChart};
use crate::frame::{Tile, table};
use crate::language::Language;
use maud::{Markup, PreEscaped, html};
use veilgrid_market::timestamp::format_utc;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh};

/// A round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Its number.
    pub round_id: u64,
    /// Start of its slot, seconds since 1970 UTC; none where it is not known.
    pub slot_start_unix_s: Option<i64>,
    /// Sealed bids in it.
    pub bids: u64,
    /// How it ended.
    pub ended: Ended,
    /// The sums that were opened, in order, each as its name and its value in Wh: all that became known of the bids.
    pub opened: Vec<(String, i64)>,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With an outcome.
    Cleared {
        /// What buyers pay and sellers get, mct/kWh; none when nothing was traded.
        prices_mct_per_kwh: Option<(i64, i64)>,
        /// Traded, Wh; none where the rule does not publish it.
        volume_wh: Option<u64>,
    },
    /// Without one, and why.
    Void(String),
    /// Not yet, and what it waits for.
    Open(String),
}

/// A community's tariffs beside its price, mct/kWh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tariffs {
    /// What energy costs outside of the market.
    pub retail_mct_per_kwh: i64,
    /// What surplus earns there.
    pub feed_in_mct_per_kwh: i64,
}

/// The figures above a page.
pub(crate) fn tiles(rounds: &[Round], language: Language) -> Vec<Tile> {
    let count = |is: fn(&Ended) -> bool| rounds.iter().filter(|round| is(&round.ended)).count();
    let (cleared, void) = (
        count(|ended| matches!(ended, Ended::Cleared { .. })),
        count(|ended| matches!(ended, Ended::Void(_))),
    );
    let volume_wh = rounds.iter().filter_map(|round| volume_wh(&round.ended)).fold(0u64, u64::saturating_add);
    let (bids, opened) = rounds.iter().fold((0u64, 0usize), |(bids, opened), round| {
        (bids.saturating_add(round.bids), opened.saturating_add(round.opened.len()))
    });
    let tile = |figure: String, words: &str| Tile { figure, words: words.to_owned() };
    vec![
        tile(
            format!("{} kWh", language.decimal(&format_kwh(volume_wh))),
            language.pick("traded between neighbours", "unter Nachbarn gehandelt"),
        ),
        tile(cleared.to_string(), language.pick("rounds with a price", "Runden mit einem Preis")),
        tile(void.to_string(), language.pick("rounds without a result", "Runden ohne Ergebnis")),
        tile(
            bids.to_string(),
            language.pick("sealed bids, none of them opened", "versiegelte Gebote, keines geöffnet"),
        ),
        tile(opened.to_string(), language.pick("sums opened", "geöffnete Summen")),
    ]
}

/// Price and volume as pictures, and every round in a table.
pub(crate) fn section(
    rounds: &[Round],
    tariffs: Option<Tariffs>,
    language: Language,
) -> Result<Markup, ChartError> {
    let names: Vec<String> =
        rounds.iter().map(|round| round.slot_start_unix_s.map(time_of_day).unwrap_or_default()).collect();
    let price = price_picture(rounds, &names, tariffs, language)?;
    let volume = volume_picture(rounds, &names, language)?;
    let title = language.pick("Price and energy", "Preis und Energie");
    Ok(html! {
        section {
            h2 { (title) }
            figure {
                figcaption {
                    (language.pick("Price of a kilowatt-hour", "Preis einer Kilowattstunde"))
                    span { (language.pick("ct/kWh by slot (UTC); a gap is a slot without trade", "ct/kWh je Zeitfenster (UTC); eine Lücke heißt: kein Handel")) }
                }
                (PreEscaped(price))
            }
            figure {
                figcaption {
                    (language.pick("Energy traded", "Gehandelte Energie"))
                    span { (language.pick("kWh by slot (UTC)", "kWh je Zeitfenster (UTC)")) }
                }
                (PreEscaped(volume))
            }
            details {
                summary { (language.pick("All rounds in figures, with every sum that was opened", "Alle Runden in Zahlen, mit jeder geöffneten Summe")) }
                (rounds_table(rounds, language))
            }
        }
    })
}

fn price_picture(
    rounds: &[Round],
    names: &[String],
    tariffs: Option<Tariffs>,
    language: Language,
) -> Result<String, ChartError> {
    let ct = |price_mct_per_kwh: i64| price_mct_per_kwh as f64 / 1000.0;
    let values: Vec<Option<f64>> = rounds.iter().map(|round| buy_price(&round.ended).map(ct)).collect();
    let line = |name: &str, price: i64| Line { name: name.to_owned(), value: ct(price) };
    let lines: Vec<Line> = tariffs
        .iter()
        .flat_map(|tariffs| {
            [
                line(language.pick("retail", "Netzbezug"), tariffs.retail_mct_per_kwh),
                line(language.pick("feed-in", "Einspeisung"), tariffs.feed_in_mct_per_kwh),
            ]
        })
        .collect();
    let title = language.pick("Price by slot", "Preis je Zeitfenster");
    StepChart { title, unit: "ct/kWh", names, values: &values, lines: &lines }.to_svg()
}

fn volume_picture(rounds: &[Round], names: &[String], language: Language) -> Result<String, ChartError> {
    let kwh = |round: &Round| volume_wh(&round.ended).unwrap_or(0) as f64 / 1000.0;
    let name = language.pick("traded", "gehandelt").to_owned();
    let series = [Bars { name, values: rounds.iter().map(kwh).collect() }];
    let title = language.pick("Energy traded by slot", "Gehandelte Energie je Zeitfenster");
    BarChart { title, unit: "kWh", names, series: &series }.to_svg()
}

fn rounds_table(rounds: &[Round], language: Language) -> Markup {
    let header = match language {
        Language::English => ["slot (UTC)", "round", "bids", "price ct/kWh", "kWh", "opened sums (Wh)"],
        Language::German => {
            ["Zeitfenster (UTC)", "Runde", "Gebote", "Preis ct/kWh", "kWh", "geöffnete Summen (Wh)"]
        }
    };
    let rows: Vec<Vec<String>> = rounds.iter().map(|round| cells(round, language)).collect();
    table(language.pick("Rounds", "Runden"), &header, &rows)
}

fn cells(round: &Round, language: Language) -> Vec<String> {
    let (price, volume) = match &round.ended {
        Ended::Cleared { prices_mct_per_kwh, volume_wh } => (
            prices_mct_per_kwh.map_or_else(|| "–".to_owned(), |prices| prices_text(prices, language)),
            volume_wh.map_or_else(
                || language.pick("not published", "nicht veröffentlicht").to_owned(),
                |volume_wh| language.decimal(&format_kwh(volume_wh)),
            ),
        ),
        Ended::Void(why) => (format!("{}: {why}", language.pick("void", "ungültig")), "–".to_owned()),
        Ended::Open(why) => (format!("{}: {why}", language.pick("open", "offen")), "–".to_owned()),
    };
    let opened: Vec<String> =
        round.opened.iter().map(|(name, value_wh)| format!("{name}={value_wh}")).collect();
    vec![
        round.slot_start_unix_s.map_or_else(|| "–".to_owned(), format_utc),
        round.round_id.to_string(),
        round.bids.to_string(),
        price,
        volume,
        opened.join(" "),
    ]
}

fn prices_text((buy, sell): (i64, i64), language: Language) -> String {
    let ct = |price: i64| language.decimal(&format_ct_per_kwh(price));
    if buy == sell {
        return ct(buy);
    }
    format!(
        "{} {} / {} {}",
        language.pick("buy", "Kauf"),
        ct(buy),
        language.pick("sell", "Verkauf"),
        ct(sell)
    )
}

fn buy_price(ended: &Ended) -> Option<i64> {
    match ended {
        Ended::Cleared { prices_mct_per_kwh, .. } => prices_mct_per_kwh.map(|(buy, _)| buy),
        _ => None,
    }
}

fn volume_wh(ended: &Ended) -> Option<u64> {
    match ended {
        Ended::Cleared { volume_wh, .. } => *volume_wh,
        _ => None,
    }
}

/// `10:15` of an instant, UTC.
fn time_of_day(unix_s: i64) -> String {
    let minute = unix_s.rem_euclid(86_400) / 60;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
