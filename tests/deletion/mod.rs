//! Deletion (after Petsiuk, Das, Saenko, "RISE", 2018, arXiv:1806.07421): if the places that an explanation calls important
//! are taken away, the class must become less probable than without others.

use std::path::Path;

use vultus::face::{HeatMap, HiResCam, ModelCard, Occlusion, Recognizer, TestTimeAugmentation, assemble, needs_base};
use vultus::image::RgbImage;
use vultus::ops::Crop;
use vultus::prepare::{Preparation, resize};
use vultus::weights::{DefaultFile, Store, safetensors};
use vultus::{Device, Options, Parameters, Random, Result};

/// Places along each side, of which a tenth is taken away at a time.
const PLACES: usize = 10;
/// What is taken away shows the face blurred by so much of its side: nothing of an expression is left, and no edge comes in.
const BLUR: f32 = 0.125;

/// The explanations, in the order in which their results come.
pub const METHODS: [&str; 2] = ["occlusion", "hirescam"];

/// By how much a class becomes less probable without the most important tenth, a random one and the least important one.
#[derive(Clone, Copy, Debug)]
pub struct Drops {
    pub most: f32,
    pub random: f32,
    pub least: f32,
}

/// A model and what explains its answers.
pub struct Deletion {
    card: ModelCard,
    recognizer: Recognizer,
    occlusion: Occlusion,
    hirescam: HiResCam,
}

/// The default model, or that of a file: its card and its parameters.
pub fn load(model: Option<&Path>) -> Result<(ModelCard, Parameters)> {
    let store = Store::open(None)?;
    let file = match model {
        Some(path) => safetensors::read(path)?,
        None => store.load(DefaultFile::ExpressionModel)?,
    };
    let base = if needs_base(&file)? { Some(store.load(DefaultFile::Vgg16Base)?) } else { None };
    assemble(base, file)
}

impl Deletion {
    pub fn new(device: &Device, card: ModelCard, parameters: &Parameters) -> Result<Self> {
        let network = card.network()?;
        let model = device.load(&network, parameters)?;
        // Faces are prepared before anything is taken away.
        let prepared = ModelCard { preparation: Preparation::NONE, ..card.clone() };
        Ok(Deletion {
            recognizer: Recognizer::from_card(device, prepared, parameters, 8, &Options::default())?,
            occlusion: Occlusion::new(&model)?,
            hirescam: HiResCam::new(&model, HiResCam::layer(&network)?)?,
            card,
        })
    }

    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The maps of both methods for a face as [`ModelCard::cut`] gives it, and the class that they are for: the most
    /// probable one.
    pub fn maps(&mut self, face: &RgbImage) -> Result<(usize, [HeatMap; 2])> {
        let face = self.prepared(face);
        let scores = self.scores(std::slice::from_ref(&face))?.swap_remove(0);
        let class = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or_default();
        let normalization = self.card.preprocessing;
        let occlusion = self.occlusion.map_picture(&face, &normalization, class)?;
        Ok((class, [occlusion, self.hirescam.map_picture(&face, &normalization, class)?]))
    }

    /// What deletion does to the most probable class of a face, for each method.
    pub fn drops(&mut self, face: &RgbImage, random: &mut Random) -> Result<[Drops; 2]> {
        let (class, maps) = self.maps(face)?;
        let face = self.prepared(face);
        let blurred = image::imageops::blur(&face, BLUR * face.width() as f32);
        let mut pictures = vec![face.clone()];
        for map in &maps {
            let importance: Vec<f32> = (0..PLACES * PLACES).map(|place| at(map, center(place))).collect();
            // Places that count alike come in a random order.
            let mut order = shuffled(random);
            let any = order[..PLACES].to_vec();
            order.sort_by(|&a, &b| importance[b].total_cmp(&importance[a]));
            let tenths = [&order[..PLACES], &any, &order[PLACES * (PLACES - 1)..]];
            pictures.extend(tenths.map(|tenth| without(&face, &blurred, tenth)));
        }
        let left: Vec<f32> = self.scores(&pictures)?.iter().map(|scores| scores[class]).collect();
        Ok([1, 4].map(|first| {
            let [most, random, least] = [0, 1, 2].map(|tenth| left[0] - left[first + tenth]);
            Drops { most, random, least }
        }))
    }

    fn prepared(&self, face: &RgbImage) -> RgbImage {
        let (face, side) = (self.card.preparation.apply(face), self.card.input as u32);
        resize(&face, &Crop::whole(face.width(), face.height()), side, side)
    }

    fn scores(&mut self, faces: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        self.recognizer.recognize_faces(faces, TestTimeAugmentation::None)
    }
}

/// The mean, and the half width of its interval of 95 % by the normal distribution.
pub fn mean(values: &[f32]) -> [f32; 2] {
    let n = values.len() as f32;
    let mean = values.iter().sum::<f32>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / (n - 1.0);
    [mean, 1.96 * (variance / n).sqrt()]
}

/// The value of a map at a place of the face (x, y, each 0 to 1), between the centres of its cells.
pub fn at((heat, [height, width]): &HeatMap, [x, y]: [f32; 2]) -> f32 {
    let along = |place: f32, cells: usize| {
        let place = (place * cells as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        (place as usize, (place as usize + 1).min(cells - 1), place.fract())
    };
    let ((left, right, over), (top, bottom, down)) = (along(x, *width), along(y, *height));
    let row = |row: usize| heat[row * width + left] * (1.0 - over) + heat[row * width + right] * over;
    row(top) * (1.0 - down) + row(bottom) * down
}

fn center(place: usize) -> [f32; 2] {
    [place % PLACES, place / PLACES].map(|number| (number as f32 + 0.5) / PLACES as f32)
}

/// All places in a random order.
fn shuffled(random: &mut Random) -> Vec<usize> {
    let mut keyed: Vec<(f32, usize)> = (0..PLACES * PLACES).map(|place| (random.uniform(), place)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.into_iter().map(|(_, place)| place).collect()
}

/// The face with these places blurred.
fn without(face: &RgbImage, blurred: &RgbImage, places: &[usize]) -> RgbImage {
    let side = face.width() as usize;
    RgbImage::from_fn(face.width(), face.height(), |x, y| {
        let place = y as usize * PLACES / side * PLACES + x as usize * PLACES / side;
        *if places.contains(&place) { blurred } else { face }.get_pixel(x, y)
    })
}
