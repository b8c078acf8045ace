//! The writer of SVG: elements with checked numbers and escaped text.

use std::fmt::Write as _;

use super::super::escape::escaped;

/// A drawing of a size that may still grow.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text stands relative to its x.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        Svg { width, height, body: String::new() }
    }

    pub fn width(&self) -> f64 {
        self.width
    }

    #[cfg(test)]
    pub fn height(&self) -> f64 {
        self.height
    }

    /// Opens a group of these classes.
    pub fn open(&mut self, class: &str) {
        let _ = write!(self.body, "<g class=\"{class}\">");
    }

    /// Closes the group that was opened last.
    pub fn close(&mut self) {
        self.body.push_str("</g>");
    }

    /// What pointing at the group that was opened last shows.
    pub fn tip(&mut self, text: &str) {
        let _ = write!(self.body, "<title>{}</title>", escaped(text));
    }

    pub fn rect(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], class: &str) {
        let [x, y, width, height] = [x, y, width.max(0.0), height.max(0.0)].map(Number);
        let _ = write!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"{}/>", Class(class));
    }

    pub fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], class: &str) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(Number);
        let _ = write!(self.body, "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"{}/>", Class(class));
    }

    pub fn polyline(&mut self, points: &[[f64; 2]], class: &str) {
        self.points("polyline", points, class);
    }

    pub fn polygon(&mut self, points: &[[f64; 2]], class: &str) {
        self.points("polygon", points, class);
    }

    fn points(&mut self, element: &str, points: &[[f64; 2]], class: &str) {
        let points: Vec<String> = points.iter().map(|&[x, y]| format!("{},{}", Number(x), Number(y))).collect();
        let _ = write!(self.body, "<{element} points=\"{}\"{}/>", points.join(" "), Class(class));
    }

    pub fn circle(&mut self, [x, y]: [f64; 2], radius: f64, class: &str) {
        let [x, y, radius] = [x, y, radius].map(Number);
        let _ = write!(self.body, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{}/>", Class(class));
    }

    /// A text whose baseline begins, ends or has its middle at a place.
    pub fn text(&mut self, place: [f64; 2], anchor: Anchor, class: &str, text: &str) {
        self.text_with(place, anchor, class, text, "");
    }

    /// A text that rises to the right by half a right angle.
    pub fn slanted_text(&mut self, [x, y]: [f64; 2], class: &str, text: &str) {
        let turn = format!(" transform=\"rotate(-45 {} {})\"", Number(x), Number(y));
        self.text_with([x, y], Anchor::Start, class, text, &turn);
    }

    /// A text that reads upwards, with its middle at a place.
    pub fn upright_text(&mut self, [x, y]: [f64; 2], class: &str, text: &str) {
        let turn = format!(" transform=\"rotate(-90 {} {})\"", Number(x), Number(y));
        self.text_with([x, y], Anchor::Middle, class, text, &turn);
    }

    fn text_with(&mut self, [x, y]: [f64; 2], anchor: Anchor, class: &str, text: &str, more: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let [x, y] = [x, y].map(Number);
        let _ = write!(self.body, "<text x=\"{x}\" y=\"{y}\"{anchor}{}{more}>{}</text>", Class(class), escaped(text));
    }

    /// Writes the whole drawing, with a title and a description that are escaped already.
    pub fn finish(self, id: &str, title: &str, description: &str, out: &mut String) {
        let [width, height] = [self.width, self.height].map(Number);
        let _ = write!(
            out,
            "<svg role=\"img\" aria-labelledby=\"{id}-title {id}-description\" id=\"{id}\" \
             viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" style=\"--width:{width}px\">\
             <title id=\"{id}-title\">{title}</title><desc id=\"{id}-description\">{description}</desc>{}</svg>",
            self.body
        );
    }
}

/// A coordinate: at most two decimals, and 0 for what is no number.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rounded = (self.0 * 100.0).round() / 100.0;
        if rounded.is_finite() && rounded != 0.0 { write!(f, "{}", rounded.clamp(-1e6, 1e6)) } else { f.write_str("0") }
    }
}

/// The attribute, unless there is no class.
struct Class<'a>(&'a str);

impl std::fmt::Display for Class<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " class=\"{}\"", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_finite() {
        let texts = [1.0, 2.345_678, -0.001, f64::NAN, f64::INFINITY, 1e300].map(|value| Number(value).to_string());
        assert_eq!(texts, ["1", "2.35", "0", "0", "0", "1000000"]);
        assert_eq!(Number(-1e9).to_string(), "-1000000");
    }

    #[test]
    fn text_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text([1.0, 2.0], Anchor::End, "", "a<b");
        svg.tip("\"&");
        let mut out = String::new();
        svg.finish("f1", "t", "d", &mut out);
        assert!(
            out.contains("<text x=\"1\" y=\"2\" text-anchor=\"end\">a&lt;b</text><title>&quot;&amp;</title></svg>")
        );
    }
}
