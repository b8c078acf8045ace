//! In which precision weights are stored on a GPU.

/// How the weights that a GPU's kernels read are stored. Arithmetic is f32 in either case, and so is everything on the
/// CPU, which computes the same whatever is asked for here.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::{Device, Options, Precision, Tensor};
///
/// let network = Network::new("small", [8]).dense("fc", "fc", 2);
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let halves = Options { precision: Precision::F16Weights, ..Options::default() };
/// let input = Tensor::filled([1, 8], 1.0);
/// // The CPU computes the same in either case.
/// assert_eq!(model.compile(1, &halves)?.run(&input)?, model.compile(1, &Options::default())?.run(&input)?);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// In f32.
    #[default]
    F32,
    /// The weights that the plan does not train are rounded to f16, wherever a kernel for that exists: dense layers for
    /// a batch of up to 8 whose features are a multiple of 8, and convolutions by Winograd's algorithms, whose
    /// transformed weights are rounded. This halves what these kernels read. VGG16's base on a test photo at 96×96 errs
    /// by less than 0.2 % of its largest output. It saves no memory: the model keeps its parameters in f32, and those of
    /// dense layers are there in f16 besides.
    ///
    /// A parameter stays in f32 if f16 does not suit its largest magnitude when the model is loaded: above 29,000 the
    /// transforms could leave the range of f16, and below 0.001 too little of its precision is left. Another plan may
    /// train a parameter: it is rounded again after that, and what has left the range of f16 by then becomes infinite.
    F16Weights,
}
