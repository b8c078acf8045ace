//! Pictures with captions, in a grid.

use std::fmt::Write as _;

use super::color_map::viridis;
use super::escape::escaped;
use super::number;
use super::picture::data_uri;
use crate::image::RgbImage;

/// How wide pictures are shown unless it is said, in pixels of the page.
const SIDE: u32 = 112;

/// Pictures beside each other.
///
/// ```
/// use vultus::image::RgbImage;
/// use vultus::report::{Gallery, GalleryItem, Page, Section};
///
/// let face = |shade| RgbImage::from_pixel(48, 48, [shade; 3].into());
/// let gallery = Gallery::new("Errors")
///     .note("The surest of those that are wrong.")
///     .item(GalleryItem::face(face(90), "sad", "happy", 0.97, "test/17.png"))
///     .item(GalleryItem::face(face(120), "fear", "surprise", 0.93, ""));
/// let page = Page::new("Expressions").section(Section::new("Faces").gallery(gallery));
/// assert_eq!(page.html().matches("<img").count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gallery {
    title: String,
    note: String,
    side: Option<u32>,
    color_bar: Option<[String; 2]>,
    items: Vec<GalleryItem>,
}

/// A picture with its caption.
///
/// ```
/// use vultus::image::RgbImage;
/// use vultus::report::GalleryItem;
///
/// let face = || RgbImage::new(48, 48);
/// let gray = GalleryItem::new(face(), "A face in gray").heading("gray").line("48 × 48 pixels");
/// // The caption and the text for those who cannot see it are made from what is known of it.
/// let judged = GalleryItem::face(face(), "sad", "happy", 0.97, "test/17.png");
/// assert_ne!(gray, judged);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GalleryItem {
    picture: RgbImage,
    alternative: String,
    heading: String,
    lines: Vec<String>,
}

impl GalleryItem {
    /// A picture, and what it shows for those who cannot see it.
    pub fn new(picture: RgbImage, alternative: impl Into<String>) -> Self {
        GalleryItem { picture, alternative: alternative.into(), heading: String::new(), lines: Vec::new() }
    }

    /// A face with what it was taken for, how surely (0 to 1), and what its label is; `name` says where it comes from
    /// and may be empty.
    pub fn face(picture: RgbImage, truth: &str, predicted: &str, probability: f64, name: &str) -> Self {
        let right = if truth == predicted { "right".to_owned() } else { format!("label: {truth}") };
        let probability = number::percent(probability);
        let alternative = format!("Face labelled {truth}, predicted {predicted} with {probability}");
        let item = GalleryItem::new(picture, alternative).heading(predicted).line(probability).line(right);
        if name.is_empty() { item } else { item.line(name) }
    }

    /// The first line of the caption, in bold.
    #[must_use]
    pub fn heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// Adds a line to the caption. What is too long for the picture's width is cut; pointing at it shows all.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    fn html(&self, out: &mut String) {
        let alternative = escaped(&self.alternative);
        out.push_str("<li><figure>");
        let _ = match data_uri(&self.picture) {
            Some(uri) => {
                let (width, height) = self.picture.dimensions();
                write!(out, "<img src=\"{uri}\" width=\"{width}\" height=\"{height}\" alt=\"{alternative}\">")
            }
            None => write!(out, "<p class=\"undefined\">{alternative}: no pixels</p>"),
        };
        out.push_str("<figcaption>");
        if !self.heading.is_empty() {
            let heading = escaped(&self.heading);
            let _ = write!(out, "<b title=\"{heading}\">{heading}</b>");
        }
        for line in self.lines.iter().map(|line| escaped(line)) {
            let _ = write!(out, "<span title=\"{line}\">{line}</span>");
        }
        out.push_str("</figcaption></figure></li>");
    }
}

impl Gallery {
    /// A gallery without pictures.
    pub fn new(title: impl Into<String>) -> Self {
        Gallery { title: title.into(), ..Gallery::default() }
    }

    /// A sentence below the title.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// How wide pictures are shown, in pixels of the page: 112 if it is not said.
    #[must_use]
    pub fn side(mut self, pixels: u32) -> Self {
        self.side = Some(pixels.clamp(16, 1024));
        self
    }

    /// Adds the legend of [`super::heat_overlay`]'s colours, with what 0 and 1 mean.
    #[must_use]
    pub fn color_bar(mut self, low: impl Into<String>, high: impl Into<String>) -> Self {
        self.color_bar = Some([low.into(), high.into()]);
        self
    }

    /// Adds a picture.
    #[must_use]
    pub fn item(mut self, item: GalleryItem) -> Self {
        self.items.push(item);
        self
    }

    /// Adds pictures.
    #[must_use]
    pub fn items(mut self, items: impl IntoIterator<Item = GalleryItem>) -> Self {
        self.items.extend(items);
        self
    }

    pub(super) fn html(&self, out: &mut String) {
        let side = self.side.unwrap_or(SIDE);
        // On a narrow screen small pictures stand three in a row.
        let small = if side <= SIDE { " small" } else { "" };
        let _ = writeln!(out, "<div class=\"gallery{small}\" style=\"--side:{side}px\">");
        if !self.title.is_empty() {
            let _ = write!(out, "<h3>{}</h3>", escaped(&self.title));
        }
        if !self.note.is_empty() {
            let _ = write!(out, "<p>{}</p>", escaped(&self.note));
        }
        if let Some([low, high]) = &self.color_bar {
            let stops: Vec<String> = (0..=8).map(|step| rgb(viridis(step as f32 / 8.0))).collect();
            let (low, high, stops) = (escaped(low), escaped(high), stops.join(","));
            let bar = format!("<span class=\"bar\" style=\"background:linear-gradient(90deg,{stops})\"></span>");
            let _ = write!(out, "<p class=\"color-bar\">{low}{bar}{high}</p>");
        }
        if self.items.is_empty() {
            out.push_str("<p class=\"undefined\">There are none.</p></div>\n");
            return;
        }
        out.push_str("<ul>");
        self.items.iter().for_each(|item| item.html(out));
        out.push_str("</ul></div>\n");
    }
}

fn rgb([red, green, blue]: [u8; 3]) -> String {
    format!("rgb({red},{green},{blue})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(gallery: &Gallery) -> String {
        let mut out = String::new();
        gallery.html(&mut out);
        out
    }

    #[test]
    fn faces_say_what_was_right() {
        let face = |truth: &str| GalleryItem::face(RgbImage::new(4, 4), truth, "fear", 0.981, "a/b\"c.png");
        let text = html(&Gallery::new("Surest").item(face("fear")).item(face("sad<")).color_bar("cold", "hot"));
        assert!(
            text.contains(
                "<b title=\"fear\">fear</b><span title=\"98.1\u{A0}%\">98.1\u{A0}%</span><span title=\"right\">"
            ),
            "{text}"
        );
        assert!(text.contains(">label: sad&lt;</span>"), "{text}");
        assert!(text.contains("alt=\"Face labelled sad&lt;, predicted fear with 98.1\u{A0}%\""), "{text}");
        assert!(text.contains("a/b&quot;c.png") && !text.contains("b\"c"), "{text}");
        assert!(text.contains("rgb(68,1,84)"), "{text}");
    }

    #[test]
    fn nothing_to_show_is_said() {
        assert!(html(&Gallery::new("Wrong")).contains("There are none."));
        let empty = GalleryItem::new(RgbImage::new(0, 0), "nothing");
        assert!(html(&Gallery::new("").item(empty)).contains("nothing: no pixels"));
    }
}
