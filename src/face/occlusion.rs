//! Which places of a face count for a class, by covering them one after the other (Zeiler, Fergus, "Visualizing and
//! understanding convolutional networks", 2014, arXiv:1311.2901).

use ::image::RgbImage;

use super::explanation::{HeatMap, input_of, to_unit};
use crate::engine::{Model, Options, Plan};
use crate::error::{Error, Result};
use crate::ops::Normalization;
use crate::tensor::Tensor;

/// Places of the cover along each side.
const PLACES: usize = 11;
/// How far the cover reaches from its centre along each axis, as a fraction of the face's side.
const REACH: f32 = 0.18;
/// The part of that within which nothing shines through.
const SOLID: f32 = 0.5;
/// Copies of the face that go through the network together.
const BATCH: usize = 16;

/// Covers each place of a face and sees how much less probable a class becomes: a measurement of what the network's answer
/// depends on, which needs nothing of how the network is made.
///
/// The cover is a square of about a third of the face's side with soft edges, in the mean colour of the face. It goes to
/// 11×11 places, which overlap; what a place counts for is the mean of all covers over it, each by how much it covers there.
/// So a map takes 122 runs of the network, in batches of 16.
///
/// ```
/// use vultus::face::Occlusion;
/// use vultus::nn::Network;
/// use vultus::{Device, Tensor};
///
/// // A network to which only the lower right corner's brightness matters.
/// let network = Network::new("small", [1, 8, 8]).flatten().dense("fc", "fc", 2).softmax();
/// let mut parameters = network.initialize(1)?;
/// parameters.insert("fc.weight".to_owned(), Tensor::from_fn([2, 64], |i| if i == 63 { 1.0 } else { 0.0 }));
/// let mut explanation = Occlusion::new(&Device::Cpu.load(&network, &parameters)?)?;
/// let (heat, size) = explanation.map(&Tensor::from_fn([1, 1, 8, 8], |i| i as f32 / 64.0), 0)?;
/// assert_eq!((size, heat[0], heat[120]), ([11, 11], 0.0, 1.0));
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Occlusion {
    plan: Plan,
    /// Channels, height and width of the network's input.
    input: [usize; 3],
    classes: usize,
    /// What goes through the network next.
    copies: Tensor,
}

impl Occlusion {
    /// Explains what this model makes of faces.
    ///
    /// # Errors
    /// [`Error::Shape`] if the network does not take pictures or does not end in classes; [`Error::Limit`] or
    /// [`Error::Device`] if the device cannot run it.
    pub fn new(model: &Model) -> Result<Self> {
        let plan = model.compile(BATCH, &Options::default())?;
        let (inputs, output) = (plan.input_shapes(), plan.output_shapes()[0]);
        let (&[&[_, channels, height, width]], &[_, classes]) = (inputs.as_slice(), output) else {
            let reason = format!("takes {inputs:?} and gives {output:?}: occlusion needs pictures and classes");
            return Err(Error::shape(model.network().name(), reason));
        };
        let copies = Tensor::zeros([BATCH, channels, height, width]);
        Ok(Occlusion { plan, input: [channels, height, width], classes, copies })
    }

    /// The map for an input of the network, `[1, channels, height, width]`, and the number of a class.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input has another shape; [`Error::InvalidArgument`] if there is no such class;
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn map(&mut self, input: &Tensor, class: usize) -> Result<HeatMap> {
        let Occlusion { input: [channels, height, width], classes, .. } = *self;
        if input.shape() != [1, channels, height, width] {
            let taken = format!("[1, {channels}, {height}, {width}] is taken");
            return Err(Error::shape(
                "occlusion",
                format!("the input has the shape {:?} where {taken}", input.shape()),
            ));
        }
        if class >= classes {
            return Err(Error::invalid("occlusion", format!("there is no class {class} among {classes} (from 0)")));
        }
        let (rows, columns) = (covers(height), covers(width));
        let background = means(input.data(), height * width);
        let all = 1 + PLACES * PLACES;
        let mut probabilities = Vec::with_capacity(all);
        while probabilities.len() < all {
            let numbers = probabilities.len()..all.min(probabilities.len() + BATCH);
            for (copy, number) in self.copies.data_mut().chunks_exact_mut(input.len()).zip(numbers.clone()) {
                copy.copy_from_slice(input.data());
                if let Some(place) = number.checked_sub(1) {
                    cover(copy, &background, &rows[place / PLACES], &columns[place % PLACES]);
                }
            }
            self.plan.set_input(0, &self.copies)?;
            self.plan.execute()?;
            let outputs = self.plan.outputs()?;
            probabilities.extend(outputs[0].data().chunks_exact(classes).take(numbers.len()).map(|row| row[class]));
        }
        let drops: Vec<f32> = probabilities[1..].iter().map(|covered| probabilities[0] - covered).collect();
        Ok((to_unit(averaged(&drops)), [PLACES; 2]))
    }

    /// As [`Occlusion::map`], for a face that fills its picture, which is scaled and normalised as the network asks for.
    ///
    /// ```
    /// use vultus::Device;
    /// use vultus::face::Occlusion;
    /// use vultus::image::RgbImage;
    /// use vultus::nn::light;
    /// use vultus::ops::Normalization;
    ///
    /// let network = light::network(32, 0.0, 2);
    /// let mut explanation = Occlusion::new(&Device::Cpu.load(&network, &network.initialize(1)?)?)?;
    /// let face = RgbImage::from_fn(60, 60, |x, y| [(x + y) as u8; 3].into());
    /// // `report::heat_overlay` lays it over the face.
    /// let (heat, size) = explanation.map_picture(&face, &Normalization::TORCHVISION, 1)?;
    /// assert_eq!((heat.len(), size), (121, [11, 11]));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Occlusion::map`]; [`Error::Shape`] also if the picture is empty or the network does not take three channels.
    pub fn map_picture(&mut self, face: &RgbImage, normalization: &Normalization, class: usize) -> Result<HeatMap> {
        let [channels, height, width] = self.input;
        self.map(&input_of(face, &[1, channels, height, width], normalization)?, class)
    }
}

/// How much a cover hides at this distance from its centre, which is a fraction of the face's side: 1 in its middle, 0
/// beyond its edge.
fn hidden(distance: f32) -> f32 {
    ((1.0 - distance.abs() / REACH) / (1.0 - SOLID)).clamp(0.0, 1.0)
}

/// The centre of a place or a pixel among so many along a side.
fn center(number: usize, of: usize) -> f32 {
    (number as f32 + 0.5) / of as f32
}

/// For each place of the cover along a side of so many pixels, how much of each it hides.
fn covers(pixels: usize) -> Vec<Vec<f32>> {
    let at = |place| (0..pixels).map(|pixel| hidden(center(place, PLACES) - center(pixel, pixels))).collect();
    (0..PLACES).map(at).collect()
}

/// The mean of each channel.
fn means(input: &[f32], places: usize) -> Vec<f32> {
    input.chunks_exact(places).map(|channel| channel.iter().sum::<f32>() / places as f32).collect()
}

/// Covers a face where both its row and its column are covered.
fn cover(face: &mut [f32], background: &[f32], rows: &[f32], columns: &[f32]) {
    for (channel, mean) in face.chunks_exact_mut(rows.len() * columns.len()).zip(background) {
        for (row, down) in channel.chunks_exact_mut(columns.len()).zip(rows) {
            row.iter_mut().zip(columns).for_each(|(value, across)| *value += (mean - *value) * down * across);
        }
    }
}

/// For the centre of each place, the mean of what the covers over it cost, each by how much it hides there.
fn averaged(drops: &[f32]) -> Vec<f32> {
    let weights = covers(PLACES);
    let mean = |place: usize| {
        let (mut sum, mut weight) = (0.0, 0.0);
        for (cover, drop) in drops.iter().enumerate() {
            let hides = weights[cover / PLACES][place / PLACES] * weights[cover % PLACES][place % PLACES];
            sum += hides * drop;
            weight += hides;
        }
        sum / weight
    };
    (0..drops.len()).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Device;
    use crate::nn::Network;
    use crate::ops::Order;

    /// A network whose first class counts the pixels of these weights.
    fn explanation(channels: usize, side: usize, weight: impl Fn(usize) -> f32) -> Occlusion {
        let network = Network::new("tiny", [channels, side, side]).flatten().dense("fc", "fc", 2).softmax();
        let mut parameters = network.initialize(1).expect("parameters");
        let values = channels * side * side;
        let weights = Tensor::from_fn([2, values], |i| if i < values { weight(i) } else { 0.0 });
        parameters.insert("fc.weight".into(), weights);
        Occlusion::new(&Device::Cpu.load(&network, &parameters).expect("a model")).expect("a plan")
    }

    #[test]
    fn a_cover_is_solid_in_the_middle_and_fades_out() {
        for (distance, wanted) in [(0.0, 1.0), (0.08, 1.0), (-0.135, 0.5), (0.18, 0.0), (0.5, 0.0)] {
            assert!((hidden(distance) - wanted).abs() < 1e-5, "{distance}");
        }
        let mut face = vec![1.0, 2.0, 3.0, 6.0];
        cover(&mut face, &means(&[1.0, 2.0, 3.0, 6.0], 4), &[1.0, 0.5], &[1.0, 0.5]);
        assert_eq!(face, [3.0, 2.5, 3.0, 5.25]);
        // Every pixel is hidden wholly by some cover.
        for pixels in [8, 48, 96, 224] {
            for pixel in 0..pixels {
                assert!(covers(pixels).iter().any(|cover| cover[pixel] == 1.0), "pixel {pixel} of {pixels}");
            }
        }
    }

    #[test]
    fn a_map_is_what_covering_by_hand_gives() {
        // One bright pixel counts: at row 2, column 8 of 11, one for each place of the cover.
        let bright = |i: usize| if i == 2 * 11 + 8 { 1.0 } else { 0.0 };
        let mut explanation = explanation(1, 11, bright);
        let input = Tensor::from_fn([1, 1, 11, 11], bright);
        let (heat, size) = explanation.map(&input, 0).expect("a map");
        assert_eq!(size, [11, 11]);
        let probability = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        let side = |a: usize, b: usize| f64::from(hidden((a as f32 - b as f32) / 11.0));
        let drop =
            |y: usize, x: usize| probability(1.0) - probability(1.0 - side(y, 2) * side(x, 8) * (1.0 - 1.0 / 121.0));
        let mean = |place: usize| {
            let weights = (0..121).map(|cover| side(cover / 11, place / 11) * side(cover % 11, place % 11));
            let sum: f64 = weights.clone().enumerate().map(|(cover, w)| w * drop(cover / 11, cover % 11)).sum();
            sum / weights.sum::<f64>()
        };
        let wanted: Vec<f64> = (0..121).map(mean).collect();
        let highest = wanted.iter().copied().fold(0.0, f64::max);
        for (place, (found, wanted)) in heat.iter().zip(wanted).enumerate() {
            // Differences of probabilities in f32, relative to the highest, which is about 0.2.
            assert!((f64::from(*found) - wanted / highest).abs() < 1e-5, "place {place}: {found}, {wanted}");
        }
        // The other class gains where this one loses: nothing speaks for it.
        assert_eq!(explanation.map(&input, 1).expect("a map").0, [0.0; 121]);
    }

    #[test]
    fn a_picture_is_normalised_first() {
        let mut explanation = explanation(3, 4, |i| (i % 5) as f32 / 10.0);
        let normalization = Normalization { order: Order::Bgr, mean: [10.0; 3], std: [200.0; 3], gray: false };
        let pixels: Vec<u8> = (0..48).map(|i| (i * 37 % 256) as u8).collect();
        let face = RgbImage::from_raw(4, 4, pixels.clone()).expect("a picture");
        let input = Tensor::from_fn([1, 3, 4, 4], |i| (f32::from(pixels[i % 16 * 3 + 2 - i / 16]) - 10.0) / 200.0);
        let from_picture = explanation.map_picture(&face, &normalization, 0).expect("a map");
        assert_eq!(from_picture, explanation.map(&input, 0).expect("a map"));
        assert!(from_picture.0.contains(&1.0));
        assert!(explanation.map_picture(&RgbImage::new(0, 0), &normalization, 0).is_err());
    }

    #[test]
    fn what_cannot_be_explained_is_an_error() {
        let mut explanation = explanation(2, 4, |_| 1.0);
        let refused = explanation.map(&Tensor::zeros([1, 2, 4, 4]), 2).expect_err("no class 2");
        assert!(refused.to_string().contains("no class 2 among 2"), "{refused}");
        assert!(explanation.map(&Tensor::zeros([1, 3, 4, 4]), 0).is_err());
        assert!(explanation.map(&Tensor::zeros([2, 2, 4, 4]), 0).is_err());
        // Three channels are what pictures have.
        assert!(explanation.map_picture(&RgbImage::new(4, 4), &Normalization::MTCNN, 0).is_err());
        for network in
            [Network::new("rows", [4]).dense("fc", "fc", 2).softmax(), Network::new("maps", [1, 4, 4]).relu()]
        {
            let parameters = network.initialize(1).expect("parameters");
            assert!(Occlusion::new(&Device::Cpu.load(&network, &parameters).expect("a model")).is_err());
        }
    }
}
