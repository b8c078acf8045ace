//! The stages of preparation as pictures.

use vultus::Error;
use vultus::face::{Face, ModelCard, square_crop};
use vultus::image::RgbImage;
use vultus::ops::{Crop, Normalization, Order};
use vultus::prepare::{Alignment, Preparation, regions, resize};

use super::annotate::{self, Mark};
use super::draw::{BLACK, WHITE, disc};

/// The largest side of a cropped face; what is larger is reduced.
const LARGEST_FACE: u32 = 1024;

/// The smallest side of a face with its regions drawn into it.
const SMALLEST_OUTLINED: u32 = 448;

/// How a face is cut out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    /// Turned and scaled by the eyes.
    Eyes(Alignment),
    /// The square around the box, whose side is so many times the box's longer side.
    Box(f32),
    /// All of the picture, which is a face.
    Whole,
}

/// All that is done to a face before a network computes with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    pub framing: Framing,
    pub preparation: Preparation,
    /// Height and width of what the network takes.
    pub size: u32,
    pub normalization: Normalization,
    /// Whether the parts of the face, which networks are not given, are shown too.
    pub regions: bool,
}

impl Recipe {
    /// What a model's card asks for.
    pub fn of(card: &ModelCard) -> Self {
        Recipe {
            framing: card.alignment.map_or(Framing::Box(card.margin), Framing::Eyes),
            preparation: card.preparation,
            size: u32::try_from(card.input).unwrap_or(u32::MAX),
            normalization: card.preprocessing,
            regions: false,
        }
    }
}

/// A picture on the way.
pub struct Stage {
    number: u8,
    /// One word.
    pub title: &'static str,
    /// What was done, in a few more.
    pub detail: String,
    pub image: RgbImage,
}

impl Stage {
    /// The file's name.
    pub fn file(&self) -> String {
        format!("{:02}_{}.png", self.number, self.title.to_lowercase())
    }

    /// Title and detail.
    pub fn description(&self) -> String {
        format!("{}: {}", self.title.to_lowercase(), self.detail)
    }
}

/// A face cut out, with its landmarks where it has any.
struct Framed {
    image: RgbImage,
    landmarks: Option<[[f32; 2]; 5]>,
    title: &'static str,
    detail: String,
}

/// All stages of one face, which is one of those found or, if none is chosen, the whole picture.
pub fn all(image: RgbImage, faces: &[Face], chosen: Option<usize>, recipe: &Recipe) -> Result<Vec<Stage>, Error> {
    let framed = frame(&image, chosen.map(|number| &faces[number]), recipe.framing)?;
    let detected = chosen.map(|number| (marked(&image, faces, number), found(faces, number)));
    let mut stages = vec![Stage { number: 1, title: "Input", detail: dimensions(&image), image }];
    let mut add = |number, title, detail, image| stages.push(Stage { number, title, detail, image });
    if let Some((image, detail)) = detected {
        add(2, "Detected", detail, image);
    }
    let mut last = framed.image.clone();
    add(3, framed.title, framed.detail, framed.image);
    let Recipe { preparation, size, normalization, .. } = recipe;
    for (name, image) in preparation.stages(&last) {
        last = image.clone();
        match name {
            "gray" => add(4, "Gray", LUMA.to_owned(), image),
            "denoise" => add(5, "Denoised", preparation.denoise.to_string(), image),
            _ => add(6, "Illumination", preparation.illumination.to_string(), image),
        }
    }
    let mut given = resize(&last, &Crop::whole(last.width(), last.height()), *size, *size);
    add(7, "Resized", dimensions(&given), given.clone());
    if normalization.gray {
        given = Preparation { gray: true, ..Preparation::NONE }.apply(&given);
        add(8, "Gray", LUMA.to_owned(), given.clone());
    }
    let (normalised, [low, high]) = normalised(&given, normalization);
    let order = match (normalization.gray, normalization.order) {
        (true, _) => "gray in each channel",
        (_, Order::Rgb) => "RGB",
        (_, Order::Bgr) => "BGR",
    };
    add(9, "Normalised", format!("{order}, {low:.1} to {high:.1}"), normalised);
    if let Some(landmarks) = framed.landmarks.filter(|_| recipe.regions) {
        let regions = regions(&landmarks, last.width(), last.height());
        add(10, "Regions", "from the landmarks".to_owned(), outlined(&last, &regions));
        for ((number, title), (_, crop)) in (11..).zip(["Eyes", "Nose", "Mouth"]).zip(regions) {
            let part = resize(&last, &crop, crop.width, crop.height);
            add(number, title, dimensions(&part), part);
        }
    }
    Ok(stages)
}

/// How colours become gray.
const LUMA: &str = "luma, BT.601";

fn dimensions(image: &RgbImage) -> String {
    format!("{} × {}", image.width(), image.height())
}

fn found(faces: &[Face], number: usize) -> String {
    format!("face {} of {}, {:.1}%", number + 1, faces.len(), 100.0 * faces[number].probability)
}

/// Cuts the face out.
fn frame(image: &RgbImage, face: Option<&Face>, framing: Framing) -> Result<Framed, Error> {
    match (framing, face) {
        (Framing::Eyes(alignment), Some(face)) => {
            let side = alignment.native_side(&face.landmarks);
            Ok(Framed {
                image: alignment.align(image, &face.landmarks, side)?,
                landmarks: Some(alignment.place(&face.landmarks, side)?),
                title: "Aligned",
                detail: format!("by the eyes, {side} × {side}"),
            })
        }
        (Framing::Box(margin), Some(face)) => {
            let crop = square_crop(face.bounds, margin, image.width(), image.height());
            Ok(cropped(image, &crop, Some(face), &format!("{margin} of the box")))
        }
        _ => {
            let landmarks = face.map(|face| face.landmarks);
            let detail = format!("all of it, {}", dimensions(image));
            Ok(Framed { image: image.clone(), landmarks, title: "Cropped", detail })
        }
    }
}

fn cropped(image: &RgbImage, crop: &Crop, face: Option<&Face>, which: &str) -> Framed {
    let side = crop.width.min(LARGEST_FACE);
    let scale = side as f32 / crop.width as f32;
    let place = |[x, y]: [f32; 2]| [(x - crop.x as f32) * scale, (y - crop.y as f32) * scale];
    Framed {
        image: resize(image, crop, side, side),
        landmarks: face.map(|face| face.landmarks.map(place)),
        title: "Cropped",
        detail: format!("{which}, {side} × {side}"),
    }
}

/// The picture with the boxes of all faces, and the landmarks of the chosen one.
fn marked(image: &RgbImage, faces: &[Face], chosen: usize) -> RgbImage {
    let mut out = image.clone();
    let mark = |(number, face): (usize, &Face)| Mark {
        bounds: face.bounds,
        label: (number + 1).to_string(),
        // The chosen face stands out from all others.
        color: Some(if number == chosen { 0 } else { 4 }),
    };
    annotate::draw(&mut out, &faces.iter().enumerate().map(mark).collect::<Vec<_>>());
    let [x1, _, x2, _] = faces[chosen].bounds;
    let radius = ((x2 - x1) / 35.0).max(1.5);
    for landmark in faces[chosen].landmarks {
        disc(&mut out, landmark, radius + (radius / 3.0).max(1.0), BLACK);
        disc(&mut out, landmark, radius, WHITE);
    }
    out
}

/// The picture, large enough for labels, with the boxes of the regions.
fn outlined(image: &RgbImage, regions: &[(&str, Crop)]) -> RgbImage {
    let side = image.width().max(SMALLEST_OUTLINED);
    let scale = side as f32 / image.width() as f32;
    let mut out = resize(image, &Crop::whole(image.width(), image.height()), side, side);
    let mark = |(color, (name, crop)): (usize, &(&str, Crop))| {
        let [x1, y1, x2, y2] = [crop.x, crop.y, crop.x + crop.width, crop.y + crop.height].map(|at| at as f32 * scale);
        Mark { bounds: [x1, y1, x2, y2], label: (*name).to_owned(), color: Some(color) }
    };
    annotate::draw(&mut out, &regions.iter().enumerate().map(mark).collect::<Vec<_>>());
    out
}

/// What the network is given, with its smallest value as black and its largest as white, and both of these. The first
/// of its channels is shown in red.
fn normalised(image: &RgbImage, by: &Normalization) -> (RgbImage, [f32; 2]) {
    let value = |rgb: [u8; 3], channel: usize| {
        let of = if by.order == Order::Bgr { 2 - channel } else { channel };
        (f32::from(rgb[of]) - by.mean[channel]) / by.std[channel]
    };
    let values: Vec<[f32; 3]> = image.pixels().map(|pixel| [0, 1, 2].map(|channel| value(pixel.0, channel))).collect();
    let low = values.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut out = image.clone();
    for (pixel, value) in out.pixels_mut().zip(&values) {
        pixel.0 = value.map(|value| (255.0 * (value - low) / (high - low).max(f32::MIN_POSITIVE)).round() as u8);
    }
    (out, [low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_values_fill_the_range_in_the_networks_order() {
        let mut image = RgbImage::from_pixel(2, 1, ::image::Rgb([10, 20, 30]));
        image.put_pixel(1, 0, ::image::Rgb([255, 20, 30]));
        let (shown, [low, high]) = normalised(&image, &Normalization::CAFFE);
        // Red is the last of VGG16's channels: 10 and 255 minus 123.68.
        assert_eq!((low, high), (10.0 - 123.68, 255.0 - 123.68));
        assert_eq!((shown[(0, 0)][2], shown[(1, 0)][2]), (0, 255));
        // Blue, the first: 30 − 103.939 is 39.741 above the lowest of 245.
        assert_eq!(shown[(0, 0)][0], 41);
    }
}
