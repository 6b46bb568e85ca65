//! A day of a community as pictures.

use crate::chart::{BarChart, Bars, ChartError};
use crate::frame::{Tile, page, table, tiles};
use crate::language::Language;
use crate::rounds::{Round, Tariffs, section, tiles as round_tiles};
use maud::{Markup, PreEscaped, html};
use veilgrid_market::timestamp::format_utc;
use veilgrid_market::units::{format_kwh, format_ratio};

/// A day that was traded in one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPage {
    /// Members that took part.
    pub members: usize,
    /// Validators, and how many of them open a sum.
    pub validators: (u16, u16),
    /// The rounds, in order.
    pub rounds: Vec<Round>,
    /// The tariffs outside of the market.
    pub tariffs: Tariffs,
    /// What each kind of member had of it. The simulation knows this because it plays everybody; nobody else can compute it.
    pub roles: Vec<RoleDay>,
    /// Sentences about money; none without.
    pub money: Option<Money>,
    /// The command that checks the ledger again.
    pub check: String,
    /// True when the day was ended early.
    pub cancelled: bool,
}

/// A kind of member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDay {
    /// Its name, in English.
    pub role: String,
    /// Members of it.
    pub members: usize,
    /// Bought in the market, Wh.
    pub bought_wh: u64,
    /// Sold in the market, Wh.
    pub sold_wh: u64,
    /// Gained against the tariffs, mct.
    pub gain_mct: i128,
}

/// The day's money, each amount as text in ct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// Paid in.
    pub deposited_ct: String,
    /// On members' accounts together.
    pub members_ct: String,
    /// On the community's public account.
    pub community_ct: String,
    /// What is missing of the sum, as text with its unit: zero.
    pub missing: String,
}

impl DayPage {
    /// The page.
    ///
    /// # Errors
    /// A picture that can't be drawn.
    pub fn to_html(&self, language: Language) -> Result<String, ChartError> {
        let title = language.pick("A day in the community", "Ein Tag in der Gemeinschaft");
        let (validators, threshold) = self.validators;
        let first =
            self.rounds.first().and_then(|round| round.slot_start_unix_s).map(format_utc).unwrap_or_default();
        let date = first.split('T').next().unwrap_or_default();
        let members = self.members;
        let subtitle = match language {
            Language::English => format!(
                "{date}: {members} members traded in private; {threshold} of {validators} validators together opened a sum"
            ),
            Language::German => format!(
                "{date}: {members} Mitglieder handelten vertraulich; je {threshold} von {validators} Prüfknoten öffneten gemeinsam eine Summe"
            ),
        };
        let body = html! {
            @if self.cancelled {
                p class="verdict bad" {
                    strong { (language.pick("Ended early. ", "Vorzeitig beendet. ")) }
                    (language.pick("What follows is the day up to its last block.", "Es folgt der Tag bis zu seinem letzten Block."))
                }
            }
            (tiles(&self.tiles(language)))
            p class="verdict" {
                strong { (language.pick("The ledger passed its audit. ", "Das Register hat die Prüfung bestanden. ")) }
                (language.pick(
                    "Every result was computed again from the sealed bids, with no secret. Check it yourself: ",
                    "Jedes Ergebnis wurde ohne ein Geheimnis aus den versiegelten Geboten nachgerechnet. Selbst prüfen: ",
                ))
                code { (self.check) }
            }
            (section(&self.rounds, Some(self.tariffs), language)?)
            (self.gains(language)?)
            @if let Some(money) = &self.money { (money_section(money, language)) }
            (privacy(language))
        };
        Ok(page(language, title, &subtitle, &body))
    }

    fn tiles(&self, language: Language) -> Vec<Tile> {
        let gain: i128 = self.roles.iter().map(|role| role.gain_mct).fold(0, i128::saturating_add);
        let mut all = round_tiles(&self.rounds, language);
        all.insert(
            1,
            Tile {
                figure: format!("{} €", language.decimal(&format_ratio(gain, 100_000, 2))),
                words: language
                    .pick(
                        "gained against the tariffs, all together",
                        "Vorteil gegenüber den Tarifen, zusammen",
                    )
                    .to_owned(),
            },
        );
        all
    }

    fn gains(&self, language: Language) -> Result<Markup, ChartError> {
        let names: Vec<String> = self.roles.iter().map(|role| role_name(&role.role, language)).collect();
        let energy = [
            Bars {
                name: language.pick("bought", "gekauft").to_owned(),
                values: self.roles.iter().map(|role| role.bought_wh as f64 / 1000.0).collect(),
            },
            Bars {
                name: language.pick("sold", "verkauft").to_owned(),
                values: self.roles.iter().map(|role| role.sold_wh as f64 / 1000.0).collect(),
            },
        ];
        let title = language.pick(
            "Energy bought and sold by kind of member",
            "Gekaufte und verkaufte Energie nach Art der Mitglieder",
        );
        let picture = BarChart { title, unit: "kWh", names: &names, series: &energy }.to_svg()?;
        let header = match language {
            Language::English => ["kind", "members", "bought kWh", "sold kWh", "gain €"],
            Language::German => ["Art", "Mitglieder", "gekauft kWh", "verkauft kWh", "Vorteil €"],
        };
        let rows: Vec<Vec<String>> = self.roles.iter().map(|role| role_cells(role, language)).collect();
        Ok(html! {
            section {
                h2 { (language.pick("Who had what of it", "Wer was davon hatte")) }
                p class="note" {
                    (language.pick(
                        "The simulation plays every member and so knows this. In a real community each member knows its own part, and nobody knows another's.",
                        "Die Simulation spielt alle Mitglieder und weiß es deshalb. In einer echten Gemeinschaft kennt jedes Mitglied seinen Teil und keines den eines anderen.",
                    ))
                }
                figure {
                    figcaption { (title) span { "kWh" } }
                    (PreEscaped(picture))
                }
                (table(language.pick("By kind of member", "Nach Art der Mitglieder"), &header, &rows))
            }
        })
    }
}

fn role_cells(role: &RoleDay, language: Language) -> Vec<String> {
    vec![
        role_name(&role.role, language),
        role.members.to_string(),
        language.decimal(&format_kwh(role.bought_wh)),
        language.decimal(&format_kwh(role.sold_wh)),
        language.decimal(&format_ratio(role.gain_mct, 100_000, 2)),
    ]
}

/// A role's name; one that this page does not know stays as it is.
fn role_name(role: &str, language: Language) -> String {
    let german = match role {
        "prosumer" => "Haushalt mit Anlage",
        "consumer" => "Verbraucher",
        "charging_station" => "Ladestation",
        "generator" => "Erzeuger",
        other => other,
    };
    language.pick(role, german).replace('_', " ")
}

fn money_section(money: &Money, language: Language) -> Markup {
    let ct = |text: &str| format!("{} ct", language.decimal(text));
    let rows = vec![
        vec![language.pick("paid in", "eingezahlt").to_owned(), ct(&money.deposited_ct)],
        vec![
            language.pick("members' accounts together", "Konten der Mitglieder zusammen").to_owned(),
            ct(&money.members_ct),
        ],
        vec![
            language.pick("the community's account", "Konto der Gemeinschaft").to_owned(),
            ct(&money.community_ct),
        ],
        vec![language.pick("missing", "fehlt").to_owned(), money.missing.clone()],
    ];
    let header = [language.pick("at the day's end", "am Ende des Tages"), language.pick("amount", "Betrag")];
    html! {
        section {
            h2 { (language.pick("Money", "Geld")) }
            (table(language.pick("It adds up to the last unit", "Es geht bis zur letzten Einheit auf"), &header, &rows))
        }
    }
}

fn privacy(language: Language) -> Markup {
    let header = match language {
        Language::English => ["", "sees", "never sees"],
        Language::German => ["", "sieht", "sieht nie"],
    };
    let rows: [[&str; 3]; 4] = match language {
        Language::English => [
            [
                "everybody",
                "price, traded energy, the opened sums, who took part",
                "a bid, its side, its quantities, what one member gets",
            ],
            ["the aggregator, who collects", "the same, and who sent which sealed bid", "the same"],
            ["a validator", "the same", "the same, unless a quorum of them breaks the rules together"],
            ["you", "your own bid and what you get", "anybody else's"],
        ],
        Language::German => [
            [
                "alle",
                "Preis, gehandelte Energie, die geöffneten Summen, wer teilnahm",
                "ein Gebot, seine Seite, seine Mengen, was ein Mitglied bekommt",
            ],
            ["der Sammler der Gebote", "dasselbe, und wer welches versiegelte Gebot schickte", "dasselbe"],
            [
                "ein Prüfknoten",
                "dasselbe",
                "dasselbe, solange nicht eine Mehrheit gemeinsam die Regeln bricht",
            ],
            ["Sie", "Ihr eigenes Gebot und was Sie bekommen", "das der anderen"],
        ],
    };
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
    html! {
        section class="words" {
            h2 { (language.pick("What is private from whom", "Was vor wem verborgen ist")) }
            (table(language.pick("Who sees what", "Wer was sieht"), &header, &rows))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Ended;

    fn day() -> DayPage {
        let cleared =
            |price| Ended::Cleared { prices_mct_per_kwh: Some((price, price)), volume_wh: Some(1500) };
        let round = |round_id: u64, ended| Round {
            round_id,
            slot_start_unix_s: Some(1_466_589_600 + 900 * i64::try_from(round_id).expect("small")),
            bids: 20,
            ended,
            opened: vec![("W31".to_owned(), -120)],
        };
        DayPage {
            members: 20,
            validators: (4, 3),
            rounds: vec![
                round(1, cleared(12_500)),
                round(2, Ended::Void("too few bids".to_owned())),
                round(3, cleared(13_000)),
            ],
            tariffs: Tariffs { retail_mct_per_kwh: 32_000, feed_in_mct_per_kwh: 8_000 },
            roles: vec![RoleDay {
                role: "consumer".to_owned(),
                members: 12,
                bought_wh: 2_000,
                sold_wh: 0,
                gain_mct: 123_456,
            }],
            money: None,
            check: "veilgrid audit day/ledger.vgl".to_owned(),
            cancelled: false,
        }
    }

    #[test]
    fn a_page_says_what_the_day_came_to() {
        let html = day().to_html(Language::English).expect("a page");
        for said in ["3.000 kWh", "1.23 €", "void: too few bids", "W31=-120", "12.5", "lang=\"en\""] {
            assert!(html.contains(said), "{said}");
        }
    }

    #[test]
    fn german_writes_commas_and_its_own_words() {
        let html = day().to_html(Language::German).expect("a page");
        for said in ["1,23 €", "Verbraucher", "ungültig", "12,5", "lang=\"de\""] {
            assert!(html.contains(said), "{said}");
        }
        assert!(!html.contains("What is private"));
    }

    /// Nothing is loaded, nothing runs, and the one style sheet is the one that the policy names.
    #[test]
    fn a_page_stands_alone() {
        let html = day().to_html(Language::English).expect("a page");
        assert!(html.contains("default-src 'none'"));
        for foreign in
            ["<script", "<link", "<img", "<iframe", " src=", "url(", "@import", " style=", " onload="]
        {
            assert!(!html.contains(foreign), "{foreign}");
        }
        let addresses = html.matches("http").count();
        let own = html.matches("http://www.w3.org/2000/svg").count() + html.matches("http-equiv").count();
        assert_eq!(addresses, own, "no address but the name of SVG");
    }

    #[test]
    fn a_day_without_a_round_is_a_page_too() {
        let empty = DayPage { rounds: Vec::new(), roles: Vec::new(), cancelled: true, ..day() };
        assert!(empty.to_html(Language::English).expect("a page").contains("Ended early"));
    }
}
