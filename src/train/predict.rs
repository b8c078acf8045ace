//! What a trained network says of many examples.

use super::Examples;
use super::judge::{Answers, Judge};
use super::stream::Stream;
use crate::engine::Device;
use crate::error::Result;
use crate::nn::Network;
use crate::random::Random;
use crate::tensor::Parameters;

/// A network with its parameters, to be asked about many examples.
///
/// ```
/// use vultus::Device;
/// use vultus::nn::Network;
/// use vultus::train::{Examples, Predictor};
///
/// # struct Halves;
/// # impl Examples for Halves {
/// #     fn shape(&self) -> [usize; 3] {
/// #         [1, 4, 4]
/// #     }
/// #     fn write(&self, index: usize, _: Option<&mut vultus::Random>, out: &mut [f32]) -> vultus::Result<()> {
/// #         out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(u8::from(i / 8 == index % 2)));
/// #         Ok(())
/// #     }
/// # }
/// let network = Network::new("small", [1, 4, 4]).flatten().dense("fc", "fc", 2).softmax();
/// let parameters = network.initialize(1)?;
/// let device = &Device::Cpu;
/// let predictor = Predictor { device, network: &network, parameters: &parameters, batch: 8, flip: true };
/// let answers = predictor.predict(&Halves, &[3, 4, 5])?;
/// assert_eq!(answers.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [3, 4, 5]);
/// assert_eq!(answers[0].1, answers[2].1);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Predictor<'a> {
    /// Where to compute.
    pub device: &'a Device,
    /// The network, ending in a softmax over the classes.
    pub network: &'a Network,
    /// All of its parameters.
    pub parameters: &'a Parameters,
    /// Examples that are computed at once.
    pub batch: usize,
    /// Whether each example is also looked at mirrored, and the probabilities are averaged.
    pub flip: bool,
}

impl Predictor<'_> {
    /// The probabilities of the classes for these examples, by their numbers. Those that cannot be read are missing.
    ///
    /// # Errors
    /// As [`Device::load`] if the parameters are not the network's; the device's own.
    pub fn predict(&self, examples: &dyn Examples, order: &[usize]) -> Result<Answers> {
        let mut judge = Judge::new(self.device, self.network, self.parameters, self.batch.max(1))?;
        let mut stream = Stream::new()?;
        let mut answers = judge.answers(&mut stream, examples, order)?;
        if self.flip {
            let mirrored = judge.answers(&mut stream, &Mirrored(examples), order)?;
            for ((_, row), (_, mirrored)) in answers.iter_mut().zip(mirrored) {
                row.iter_mut().zip(mirrored).for_each(|(a, b)| *a = f32::midpoint(*a, b));
            }
        }
        Ok(answers)
    }
}

/// Examples with left and right exchanged.
struct Mirrored<'a>(&'a dyn Examples);

impl Examples for Mirrored<'_> {
    fn shape(&self) -> [usize; 3] {
        self.0.shape()
    }

    fn write(&self, index: usize, random: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
        self.0.write(index, random, out)?;
        out.chunks_exact_mut(self.shape()[2]).for_each(<[f32]>::reverse);
        Ok(())
    }
}
