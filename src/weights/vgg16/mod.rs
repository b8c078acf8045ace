//! VGG16 in files of any format: which of a file's tensors are which of its layers, and reading them under torchvision's
//! names and in its layout.

mod find;
mod origin;

use std::collections::BTreeMap;

use super::catalog::Catalog;
use super::entry::Entry;
use super::layout::Layout;
use super::weight_file::{PREPROCESSING, WeightFile};
use crate::error::Result;
use crate::nn::{Network, vgg16};
use crate::ops::Normalization;
use crate::tensor::Parameters;

/// VGG16 as it was found in a file.
///
/// Its convolutions are told by their kernels of 3×3 and the order in which they stand, its dense layers by their two
/// dimensions; in a file with a graph, both by the graph. Kernels in the order H, W, in, out, dense weights by input and
/// first dense weights for features in the order H, W, C are turned into PyTorch's. The head may have any number of dense
/// layers, on feature maps of 7×7, on their means, or on maps of another size, as small inputs give them.
///
/// ```no_run
/// use std::path::Path;
/// use vultus::ops::Normalization;
/// use vultus::weights::{Catalog, Vgg16};
///
/// let catalog = Catalog::open(Path::new("vgg16_weights_tf_dim_ordering_tf_kernels.h5"))?;
/// let vgg16 = Vgg16::find(&catalog)?;
/// println!("{} tensors for {} classes", vgg16.matches().len(), vgg16.classes());
/// let file = vgg16.read(None)?;
/// assert!(file.parameters.contains_key("features.0.weight"));
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Vgg16<'c> {
    catalog: &'c Catalog<'c>,
    matches: Vec<Match<'c>>,
    unused: Vec<&'c Entry>,
    widths: Vec<Vec<usize>>,
    /// Height and width of the feature maps that the first dense layer reads.
    maps: usize,
    dense: Vec<usize>,
}

/// A tensor of the file that is one of VGG16's.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
/// use vultus::nn::vgg16;
/// use vultus::weights::{Catalog, Vgg16, safetensors};
///
/// let narrow = vgg16::base_with_widths(32, &[&[1; 2], &[1; 2], &[1; 3], &[1; 3], &[1; 3]]).initialize(1)?;
/// let path = Path::new("narrow");
/// let bytes = safetensors::to_bytes(path, &narrow, &BTreeMap::new(), safetensors::Precision::F32)?;
/// let catalog = Catalog::from_bytes(path, &bytes)?;
/// let vgg16 = Vgg16::find(&catalog)?;
/// let first = &vgg16.matches()[0];
/// assert_eq!((first.name.as_str(), first.shape.as_slice()), ("features.0.weight", &[1, 3, 3, 3][..]));
/// assert!(first.entry.name == first.name && !first.is_reordered());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Debug)]
pub struct Match<'c> {
    /// torchvision's name: `features.0.weight`.
    pub name: String,
    /// What the file has.
    pub entry: &'c Entry,
    /// The tensor's shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// Where its numbers go, unless they are in PyTorch's order already.
    layout: Option<Layout>,
}

impl Match<'_> {
    /// Whether the numbers of the file are in another order than PyTorch's.
    pub fn is_reordered(&self) -> bool {
        self.layout.is_some()
    }
}

impl<'c> Vgg16<'c> {
    /// The file's tensors, in the order of the layers.
    pub fn matches(&self) -> &[Match<'c>] {
        &self.matches
    }

    /// Tensors of the file that may belong to a network but are none of VGG16's. Whole numbers and what optimisers keep
    /// are not among them.
    pub fn unused(&self) -> &[&'c Entry] {
        &self.unused
    }

    /// How many classes the last dense layer tells apart: 0 in a file without dense layers.
    pub fn classes(&self) -> usize {
        self.dense.last().copied().unwrap_or(0)
    }

    /// Height and width of the feature maps that the head reads: 7 as VGG16's own, 1 where it reads their means or the input
    /// is of 32 to 63 pixels.
    pub fn maps(&self) -> usize {
        self.maps
    }

    /// The network for pictures of this height and width: up to the last dense layer and a softmax, or only the
    /// convolutional base where the file has no more. Feature maps of another size than the head reads are averaged to it.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the input is too small for five pools.
    pub fn network(&self, input: usize) -> Result<Network> {
        let widths: Vec<&[usize]> = self.widths.iter().map(Vec::as_slice).collect();
        match self.dense.split_last() {
            None => Ok(vgg16::base_with_widths(input, &widths)),
            Some((&classes, hidden)) => vgg16::whole_with_maps(input, &widths, self.maps, hidden, classes),
        }
    }

    /// What the network expects of its input, where the file tells it: by its metadata, by its format (Keras's VGG16 has
    /// the weights from Caffe), or as one of torchvision's published files. The latter takes the whole file's SHA-256.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if the metadata cannot be read, [`crate::Error::Io`] if the file cannot.
    pub fn preprocessing(&self) -> Result<Option<Normalization>> {
        origin::preprocessing(self.catalog)
    }

    /// [`Vgg16::parameters`] as a file. The metadata get the key `preprocessing`
    /// (as in [`crate::face::ModelCard`]): what is given here, else what the file tells.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if the file does not tell what its network expects and nothing is given, if both are known
    /// and differ, or if a tensor cannot be read; [`crate::Error::Io`] if the file cannot.
    pub fn read(&self, preprocessing: Option<Normalization>) -> Result<WeightFile> {
        let preprocessing = origin::decide(self.catalog, preprocessing)?;
        let mut metadata = BTreeMap::from([(PREPROCESSING.to_owned(), preprocessing)]);
        metadata.extend(self.catalog.metadata().clone());
        Ok(WeightFile {
            path: self.catalog.source().path().to_path_buf(),
            parameters: self.parameters()?,
            metadata,
            sha256: self.catalog.sha256()?.to_owned(),
        })
    }

    /// Reads VGG16's tensors under torchvision's names and in PyTorch's layout.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor cannot be read.
    pub fn parameters(&self) -> Result<Parameters> {
        // One after the other: the largest tensor is most of the file, and its blocks are read as fast as the disk gives them.
        let read = |found: &Match| {
            let tensor = match &found.layout {
                Some(layout) => found.entry.read_into(self.catalog.source(), layout)?,
                None => self.catalog.tensor(found.entry)?,
            };
            Ok((found.name.clone(), tensor))
        };
        self.matches.iter().map(read).collect()
    }
}
