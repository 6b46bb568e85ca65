//! An audit as a page: the verdict first, then what it rests on.

use crate::chart::ChartError;
use crate::frame::{page, table, tiles};
use crate::language::Language;
use crate::rounds::{Round, section, tiles as round_tiles};
use maud::html;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything holds.
    Holds,
    /// The first violation, in its place.
    Violation(String),
}

/// An audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The file's name.
    pub file: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What the ledger is, each as its name and its value: hashes, heights.
    pub facts: Vec<(String, String)>,
    /// What was checked, and how many of each.
    pub checked: Vec<(String, String)>,
    /// The rounds; none where the ledger does not hold, so that its rounds are not to be shown.
    pub rounds: Option<Vec<Round>>,
}

impl AuditPage {
    /// The page.
    ///
    /// # Errors
    /// A picture that can't be drawn.
    pub fn to_html(&self, language: Language) -> Result<String, ChartError> {
        let title = language.pick("Audit of a ledger", "Prüfung eines Registers");
        let rows = |pairs: &[(String, String)]| -> Vec<Vec<String>> {
            pairs.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect()
        };
        let body = html! {
            (self.verdict_line(language))
            @if let Some(rounds) = &self.rounds {
                (tiles(&round_tiles(rounds, language)))
                (section(rounds, None, language)?)
            }
            @if !self.checked.is_empty() {
                section {
                    h2 { (language.pick("What was checked", "Was geprüft wurde")) }
                    (table(
                        language.pick("Recomputed with no secret", "Nachgerechnet, ohne ein Geheimnis"),
                        &[language.pick("what", "was"), language.pick("result", "Ergebnis")],
                        &rows(&self.checked),
                    ))
                }
            }
            @if !self.facts.is_empty() {
                section class="words" {
                    h2 { (language.pick("The ledger", "Das Register")) }
                    (table(
                        language.pick("What tells it from others", "Woran man es erkennt"),
                        &["", ""],
                        &rows(&self.facts),
                    ))
                }
            }
        };
        Ok(page(language, title, &self.file, &body))
    }

    fn verdict_line(&self, language: Language) -> maud::Markup {
        match &self.verdict {
            Verdict::Holds => html! {
                p class="verdict" {
                    strong { (language.pick("Everything holds. ", "Alles stimmt. ")) }
                    (language.pick(
                        "Every block, proof, opening, price and settlement was computed again and is right.",
                        "Jeder Block, Beweis, jede Öffnung, jeder Preis und jede Abrechnung wurde nachgerechnet und stimmt.",
                    ))
                }
            },
            Verdict::Violation(violation) => html! {
                p class="verdict bad" {
                    strong { (language.pick("This ledger does not hold. ", "Dieses Register stimmt nicht. ")) }
                    (language.pick("The first violation: ", "Der erste Verstoß: "))
                    (violation)
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(verdict: Verdict) -> AuditPage {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        AuditPage {
            file: "net/<ledger>.vgl".to_owned(),
            verdict,
            facts: vec![pair("ledger", "00ff")],
            checked: vec![pair("blocks", "148")],
            rounds: Some(Vec::new()),
        }
    }

    #[test]
    fn the_verdict_is_said_first() {
        let html = page(Verdict::Holds).to_html(Language::English).expect("a page");
        assert!(html.find("Everything holds") < html.find("148"), "{html}");
        assert!(html.contains("net/&lt;ledger&gt;.vgl"));
    }

    #[test]
    fn a_violation_is_named_and_escaped() {
        let violation = Verdict::Violation("block 3: <b>another</b> hash".to_owned());
        let html = page(violation).to_html(Language::German).expect("a page");
        assert!(html.contains("block 3: &lt;b&gt;another&lt;/b&gt; hash"));
        assert!(html.contains("stimmt nicht") && !html.contains("Alles stimmt"));
    }
}
