//! Draws boxes with labels into a picture.

use image::RgbImage;

use super::draw::{Area, BLACK, WHITE, advance, fill, outline, write_text};

/// A box with a label.
pub struct Mark {
    /// x1, y1, x2, y2 in pixels.
    pub bounds: [f32; 4],
    /// What stands beside the box.
    pub label: String,
    /// Which of the colours; they repeat. None is gray.
    pub color: Option<usize>,
}

/// Colours that people with any kind of colour vision can tell apart (Okabe and Ito, 2008).
const COLORS: [[u8; 3]; 7] =
    [[213, 94, 0], [0, 158, 115], [204, 121, 167], [240, 228, 66], [86, 180, 233], [230, 159, 0], [0, 114, 178]];

/// The colour of what has none.
const GRAY: [u8; 3] = [187; 3];

/// The smallest text that can be read, in pixels.
const SMALLEST_TEXT: f32 = 8.0;

/// What is as large as the picture asks for.
#[derive(Clone, Copy)]
struct Style {
    /// Width of lines in pixels.
    line: i64,
    /// Height of text in pixels, with the space above and below the letters.
    text: f32,
}

impl Style {
    fn of(image: &RgbImage) -> Self {
        let side = image.width().min(image.height()) as f32;
        Style { line: (side / 180.0).round().max(2.0) as i64, text: (side / 25.0).max(14.0) }
    }
}

/// Draws all boxes, then all labels above them.
pub fn draw(image: &mut RgbImage, marks: &[Mark]) {
    let style = Style::of(image);
    let frames: Vec<Area> = marks.iter().map(|mark| frame(&mark.bounds, style)).collect();
    for (mark, &frame) in marks.iter().zip(&frames) {
        // A dark edge on both sides keeps the line visible on any background.
        outline(image, frame.grown(1), style.line + 2, BLACK, 0.35);
        outline(image, frame, style.line, color(mark), 1.0);
    }
    let mut bars = Vec::new();
    for (mark, frame) in marks.iter().zip(&frames) {
        let Some((width, text)) = fit(image.width(), image.height(), &mark.label, style) else { continue };
        let bar = place(image.width(), image.height(), frame, [width, text as i64], &frames, &bars);
        draw_label(image, mark, bar, text);
        bars.push(bar);
    }
}

fn color(mark: &Mark) -> [u8; 3] {
    mark.color.map_or(GRAY, |number| COLORS[number % COLORS.len()])
}

/// What a box covers with its line, half of which lies outside of it.
fn frame(bounds: &[f32; 4], style: Style) -> Area {
    // So far outside of any picture that nothing overflows.
    let [x1, y1, x2, y2] = bounds.map(|v| v.clamp(-1e6, 1e6).round() as i64);
    Area { x1, y1, x2, y2 }.grown(style.line / 2)
}

/// The width of a label's bar and the height of its text: as large as the style wants and the picture has room for.
/// Nothing if it could not be read.
fn fit(width: u32, height: u32, label: &str, style: Style) -> Option<(i64, f32)> {
    let letters = label.chars().count() as f32;
    let width_of = |text: f32| letters * advance(text) + 2.0 * padding(text);
    let room = style.text * width as f32 / width_of(style.text);
    let text = style.text.min(room).min(height as f32).floor();
    (text >= SMALLEST_TEXT).then(|| ((width_of(text).ceil() as i64).min(i64::from(width)), text))
}

/// The place beside a frame, within the picture, where a bar of this width and height hides the least of other labels
/// and then of faces: above, below, or in the frame.
fn place(width: u32, height: u32, frame: &Area, size: [i64; 2], frames: &[Area], bars: &[Area]) -> Area {
    let [bar_width, bar_height] = size;
    let (left, right) = (frame.x1, frame.x2 - bar_width);
    let (above, below) = (frame.y1 - bar_height, frame.y2);
    let corners = [(left, above), (right, above), (left, below), (right, below), (left, frame.y1)];
    let areas = corners.map(|(x, y)| {
        let x1 = x.clamp(0, i64::from(width) - bar_width);
        let y1 = y.clamp(0, i64::from(height) - bar_height);
        Area { x1, y1, x2: x1 + bar_width, y2: y1 + bar_height }
    });
    let hidden = |area: &Area, others: &[Area]| others.iter().map(|other| area.overlap(other)).sum::<i64>();
    let [first, ..] = areas;
    areas.into_iter().min_by_key(|area| (hidden(area, bars), hidden(area, frames))).unwrap_or(first)
}

/// Draws a label on its bar.
fn draw_label(image: &mut RgbImage, mark: &Mark, bar: Area, text: f32) {
    let background = color(mark);
    fill(image, bar, background, 1.0);
    let [r, g, b] = background.map(f32::from);
    let ink = if 0.299 * r + 0.587 * g + 0.114 * b > 140.0 { BLACK } else { WHITE };
    write_text(image, &mark.label, [bar.x1 as f32 + padding(text), bar.y1 as f32], text, ink);
}

fn padding(text: f32) -> f32 {
    text * 0.3
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn mark(bounds: [f32; 4]) -> Mark {
        Mark { bounds, label: "surprise 100%".to_owned(), color: Some(0) }
    }

    #[test]
    fn labels_stay_in_the_picture_wherever_the_box_is() {
        for (width, height) in [(1200, 800), (160, 90), (110, 300), (4000, 3000)] {
            let style = Style::of(&RgbImage::new(width, height));
            let (w, h) = (width as f32, height as f32);
            for bounds in [[0.0, 0.0, w, h], [-50.0, -50.0, 20.0, 20.0], [w - 9.0, h - 9.0, w + 90.0, h + 90.0]] {
                let (bar_width, text) = fit(width, height, "surprise 100%", style).unwrap();
                let bar = place(width, height, &frame(&bounds, style), [bar_width, text as i64], &[], &[]);
                assert!(bar.x1 >= 0 && bar.y1 >= 0, "{bar:?}");
                assert!(bar.x2 <= i64::from(width) && bar.y2 <= i64::from(height), "{bar:?}");
                let letters = 13.0 * advance(text) + padding(text);
                assert!(bar.x1 as f32 + letters <= bar.x2 as f32, "the letters leave {bar:?}");
            }
        }
    }

    #[test]
    fn a_label_that_could_not_be_read_is_left_out() {
        let style = Style::of(&RgbImage::new(24, 24));
        assert_eq!(fit(24, 24, "surprise 100%", style), None);
    }

    #[test]
    fn labels_of_neighbours_do_not_hide_each_other() {
        let frames = [(100, 160), (200, 260)].map(|(x1, x2)| Area { x1, y1: 100, x2, y2: 180 });
        let first = place(600, 600, &frames[0], [140, 30], &frames, &[]);
        assert_eq!(first, Area { x1: 100, y1: 70, x2: 240, y2: 100 });
        let second = place(600, 600, &frames[1], [140, 30], &frames, &[first]);
        assert_eq!(second, Area { x1: 200, y1: 180, x2: 340, y2: 210 });
    }

    #[test]
    fn a_label_without_room_above_goes_below_and_then_into_the_box() {
        let place = |frame: Area| place(300, 300, &frame, [100, 30], &[frame], &[]);
        assert_eq!(place(Area { x1: 50, y1: 5, x2: 150, y2: 200 }).y1, 200);
        assert_eq!(place(Area { x1: 0, y1: 0, x2: 300, y2: 300 }).y1, 0);
    }

    #[test]
    fn drawing_on_any_picture_ends() {
        for (width, height) in [(1, 1), (1, 500), (500, 1), (64, 64)] {
            for bounds in [[0.0, 0.0, 1.0, 1.0], [-1e9, -1e9, 1e9, 1e9], [5.0, 5.0, 2.0, 2.0], [f32::NAN; 4]] {
                draw(&mut RgbImage::new(width, height), &[mark(bounds)]);
            }
        }
    }

    #[test]
    fn the_line_lies_on_the_box_and_nothing_far_from_it_changes() {
        let mut image = RgbImage::from_pixel(400, 400, Rgb([10, 20, 30]));
        draw(&mut image, &[mark([100.0, 200.0, 300.0, 350.0])]);
        let line = Rgb(COLORS[0]);
        for (x, y) in [(100, 275), (299, 275), (200, 349)] {
            assert_eq!(*image.get_pixel(x, y), line, "{x}, {y}");
        }
        for (x, y) in [(200, 275), (50, 275), (350, 275), (200, 50), (200, 390)] {
            assert_eq!(*image.get_pixel(x, y), Rgb([10, 20, 30]), "{x}, {y}");
        }
    }
}
