//! What every page has: its head, its style, its policy.

use crate::language::Language;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// The style sheet: light and dark, phone and paper.
const STYLE: &str = include_str!("style.css");

/// A tile with a figure.
pub(crate) struct Tile {
    pub(crate) figure: String,
    pub(crate) words: String,
}

/// A whole page.
pub(crate) fn page(language: Language, title: &str, subtitle: &str, body: &Markup) -> String {
    // The browser is told the hash of the one style sheet that counts; a text that got in unescaped could not bring its own.
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) " · veilgrid" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p class="name" { "veilgrid" }
                    h1 { (title) }
                    p class="subtitle" { (subtitle) }
                }
                main { (body) }
            }
        }
    }
    .into_string()
}

/// A row of figures.
pub(crate) fn tiles(tiles: &[Tile]) -> Markup {
    html! {
        ul class="tiles" {
            @for tile in tiles {
                li { strong { (tile.figure) } span { (tile.words) } }
            }
        }
    }
}

/// A table; the first column names the row. Wide ones scroll by themselves and can be reached by keyboard.
pub(crate) fn table(caption: &str, header: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for cell in header { th scope="col" { (cell) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (place, cell) in row.iter().enumerate() {
                                @if place == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
