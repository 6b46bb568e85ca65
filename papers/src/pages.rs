//! Pages as lists of what is drawn, and from there to bytes.

use crate::font::{Fonts, PaperError, Weight};
use krilla::color::rgb;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::{Document, SerializeSettings};

/// A4, in points.
pub const WIDTH: f32 = 595.28;
/// A4, in points.
pub const HEIGHT: f32 = 841.89;
/// Left and right margin: 20 mm.
pub const MARGIN: f32 = 56.69;
/// The right edge of text.
pub const RIGHT: f32 = WIDTH - MARGIN;

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Text.
pub const INK: Colour = Colour(28, 36, 40);
/// What matters less; 5.5 to 1 on white.
pub const GREY: Colour = Colour(96, 108, 113);
/// Lines of tables.
pub const HAIR: Colour = Colour(203, 211, 214);
/// The community's energy.
pub const GREEN: Colour = Colour(18, 122, 83);
/// Behind what matters most.
pub const PALE: Colour = Colour(232, 244, 238);
/// The supplier's energy.
pub const SAND: Colour = Colour(226, 205, 158);
/// A warning.
pub const RED: Colour = Colour(176, 38, 32);

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    pub size: f32,
    pub weight: Weight,
    pub colour: Colour,
}

/// Plain text of a size.
pub fn plain(size: f32) -> Style {
    Style { size, weight: Weight::Regular, colour: INK }
}

/// Bold text of a size.
pub fn bold(size: f32) -> Style {
    Style { size, weight: Weight::Bold, colour: INK }
}

impl Style {
    /// The same in another colour.
    pub fn in_colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }
}

/// Something on a page; y is a text's baseline, or a box's upper edge, from the top.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    Text { x: f32, y: f32, style: Style, text: String },
    Fill { x: f32, y: f32, width: f32, height: f32, colour: Colour },
}

/// Pages under way.
pub struct Pages {
    pub fonts: Fonts,
    pub pages: Vec<Vec<Mark>>,
}

impl Pages {
    pub fn new() -> Result<Self, PaperError> {
        Ok(Self { fonts: Fonts::new()?, pages: vec![Vec::new()] })
    }

    pub fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    pub fn text(&mut self, x: f32, y: f32, style: Style, text: impl Into<String>) {
        self.mark(Mark::Text { x, y, style, text: text.into() });
    }

    /// A text that ends at a place.
    pub fn right(&mut self, x: f32, y: f32, style: Style, text: &str) -> Result<(), PaperError> {
        let width = self.width(style, text)?;
        self.text(x - width, y, style, text);
        Ok(())
    }

    pub fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        self.mark(Mark::Fill { x, y, width, height, colour });
    }

    /// A hairline over the whole width.
    pub fn hairline(&mut self, y: f32) {
        self.fill(MARGIN, y, RIGHT - MARGIN, 0.6, HAIR);
    }

    pub fn width(&self, style: Style, text: &str) -> Result<f32, PaperError> {
        self.fonts.of(style.weight).width(text, style.size)
    }

    /// The lines of a text that is at most so wide; a word that is wider is cut between letters.
    pub fn wrapped(&self, style: Style, width: f32, text: &str) -> Result<Vec<String>, PaperError> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for word in text.split_whitespace() {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(style, &longer)? <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                let longer = format!("{line}{letter}");
                if !line.is_empty() && self.width(style, &longer)? > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(letter);
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        Ok(lines)
    }

    /// The bytes.
    pub fn finish(&self, about: &About<'_>) -> Result<Vec<u8>, PaperError> {
        let wrong = |what: &str| PaperError::Pdf(what.to_owned());
        let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A2_U).finish();
        let configuration = configuration.map_err(|error| PaperError::Pdf(format!("{error:?}")))?;
        let mut document =
            Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
        let (year, month, day) = about.date;
        document.set_metadata(
            Metadata::new()
                .title(about.title.to_owned())
                .authors(vec![about.author.to_owned()])
                .language("en".to_owned())
                .document_id(about.id.to_owned())
                .creation_date(DateTime::new(year).month(month).day(day)),
        );
        for marks in &self.pages {
            let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| wrong("no page of A4"))?;
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            for mark in marks {
                self.draw(&mut surface, mark)?;
            }
            surface.finish();
            page.finish();
        }
        document.finish().map_err(|error| PaperError::Pdf(format!("{error:?}")))
    }

    fn draw(&self, surface: &mut Surface<'_>, mark: &Mark) -> Result<(), PaperError> {
        let paint = |colour: Colour| Fill {
            paint: rgb::Color::new(colour.0, colour.1, colour.2).into(),
            rule: FillRule::NonZero,
            ..Fill::default()
        };
        match mark {
            Mark::Text { x, y, style, text } => {
                let measured = self.fonts.of(style.weight);
                surface.set_fill(Some(paint(style.colour)));
                let glyphs = measured.glyphs(text)?;
                surface.draw_glyphs(
                    Point::from_xy(*x, *y),
                    &glyphs,
                    measured.font.clone(),
                    text,
                    style.size,
                    false,
                );
            }
            Mark::Fill { x, y, width, height, colour } => {
                // A box without an extent is none.
                let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) else { return Ok(()) };
                let mut path = PathBuilder::new();
                path.push_rect(rect);
                if let Some(path) = path.finish() {
                    surface.set_fill(Some(paint(*colour)));
                    surface.draw_path(&path);
                }
            }
        }
        Ok(())
    }
}

/// What a document says of itself.
pub struct About<'a> {
    pub title: &'a str,
    pub author: &'a str,
    pub id: &'a str,
    pub date: (u16, u8, u8),
}
