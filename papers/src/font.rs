//! The two fonts of a bill: widths of texts, and letters that they do not have.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use thiserror::Error;
use ttf_parser::Face;

const REGULAR: &[u8] = include_bytes!("../fonts/NotoSans-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/NotoSans-Bold.ttf");

/// Why there is no PDF.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum PaperError {
    /// A letter that the fonts do not have.
    #[error(
        "{text:?} has the character {letter:?}, which bills have no letter for; write it with Latin, Greek or Cyrillic letters"
    )]
    Letter { text: String, letter: char },
    /// The library's.
    #[error("the PDF can't be made: {0}")]
    Pdf(String),
}

/// A weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As text.
    Regular,
    /// As titles.
    Bold,
}

/// A font that texts are measured and drawn with.
pub struct Measured {
    face: Face<'static>,
    /// The same for drawing.
    pub font: Font,
}

impl Measured {
    fn new(bytes: &'static [u8]) -> Result<Self, PaperError> {
        let face = Face::parse(bytes, 0).map_err(|error| PaperError::Pdf(error.to_string()))?;
        let font = Font::new(bytes.into(), 0)
            .ok_or_else(|| PaperError::Pdf("the built-in font can't be read".to_owned()))?;
        Ok(Self { face, font })
    }

    /// The glyphs of a text, one a letter, without kerning: digits stand below one another.
    ///
    /// # Errors
    /// [`PaperError::Letter`].
    pub fn glyphs(&self, text: &str) -> Result<Vec<KrillaGlyph>, PaperError> {
        let em = f32::from(self.face.units_per_em());
        let glyph = |(at, letter): (usize, char)| {
            let id = self
                .face
                .glyph_index(letter)
                .ok_or_else(|| PaperError::Letter { text: text.to_owned(), letter })?;
            let advance = f32::from(self.face.glyph_hor_advance(id).unwrap_or_default()) / em;
            Ok(KrillaGlyph::new(
                GlyphId::new(id.0.into()),
                advance,
                0.0,
                0.0,
                0.0,
                at..at + letter.len_utf8(),
                None,
            ))
        };
        text.char_indices().map(glyph).collect()
    }

    /// The width of a text.
    ///
    /// # Errors
    /// [`PaperError::Letter`].
    pub fn width(&self, text: &str, size: f32) -> Result<f32, PaperError> {
        Ok(self.glyphs(text)?.iter().map(|glyph| glyph.x_advance * size).sum())
    }
}

/// Both weights.
pub struct Fonts {
    regular: Measured,
    bold: Measured,
}

impl Fonts {
    /// The built-in fonts.
    ///
    /// # Errors
    /// None, as a test shows.
    pub fn new() -> Result<Self, PaperError> {
        Ok(Self { regular: Measured::new(REGULAR)?, bold: Measured::new(BOLD)? })
    }

    /// One of them.
    pub fn of(&self, weight: Weight) -> &Measured {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_measured_and_missing_ones_named() {
        let fonts = Fonts::new().expect("fonts");
        let width = |text: &str| fonts.of(Weight::Regular).width(text, 10.0);
        assert_eq!(width("0000"), width("1789"), "digits stand below one another");
        for text in ["Żółć Ångström Çelik Ştefan", "Ελλάδα Україна", "–1 × 2 € „so“ …"]
        {
            assert!(width(text).is_ok_and(|width| width > 0.0), "{text}");
        }
        let error = width("家 Wang").expect_err("no such letter");
        assert_eq!(error, PaperError::Letter { text: "家 Wang".into(), letter: '家' });
    }
}
