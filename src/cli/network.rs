//! The networks that commands know by name, and what other programs' files have of them.

use std::path::Path;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use vultus::Parameters;
use vultus::face::Architecture;
use vultus::nn::{Network, Published};
use vultus::weights::Catalog;

use super::failure::Failure;

/// Variants of a command's own, then those of the networks of the literature.
macro_rules! and_published {
    ($choice:ident: $($own:ident),+) => {{
        const OWN: &[$choice] = &[$($choice::$own),+];
        const ALL: [$choice; OWN.len() + vultus::nn::Published::ALL.len()] = {
            let mut all = [OWN[0]; OWN.len() + vultus::nn::Published::ALL.len()];
            let mut i = 0;
            while i < all.len() {
                all[i] = if i < OWN.len() {
                    OWN[i]
                } else {
                    $choice::Published(vultus::nn::Published::ALL[i - OWN.len()])
                };
                i += 1;
            }
            all
        };
        &ALL
    }};
}
pub(super) use and_published;

/// A network of the literature as a value of an option.
pub fn published_value(network: Published) -> PossibleValue {
    PossibleValue::new(network.name()).help(network.summary())
}

/// Which network is trained.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NetworkName {
    /// VGG16's convolutions and a head.
    Vgg16,
    /// The light network.
    Light,
    /// A network of the literature.
    Published(Published),
}

impl ValueEnum for NetworkName {
    fn value_variants<'a>() -> &'a [Self] {
        and_published!(NetworkName: Vgg16, Light)
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            NetworkName::Vgg16 => ("vgg16", "VGG16's convolutions and a head: 14.8 million parameters"),
            NetworkName::Light => {
                ("light", "A small network of the same kind, trained from random numbers: 0.8 million parameters")
            }
            NetworkName::Published(network) => return Some(published_value(*network)),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl NetworkName {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The network of a model, unless it was read from ONNX.
    pub fn of(architecture: &Architecture) -> Option<Self> {
        match architecture {
            Architecture::Vgg16 { .. } => Some(NetworkName::Vgg16),
            Architecture::Light => Some(NetworkName::Light),
            Architecture::Published(network) => Some(NetworkName::Published(*network)),
            Architecture::Imported(_) => None,
        }
    }
}

/// What a file of another program has of a network: the tensors that have the name and the shape of a parameter. The
/// others, such as a classifier of other classes, are left alone.
pub fn parameters_of(network: &Network, catalog: &Catalog, file: &Path) -> Result<Parameters, Failure> {
    let mut known = Parameters::new();
    for (name, shape) in network.parameter_shapes()? {
        if let Some(entry) = catalog.entry(&name).filter(|entry| entry.shape == shape) {
            known.insert(name, catalog.tensor(entry)?);
        }
    }
    if known.is_empty() {
        let (file, name) = (file.display(), network.name());
        let reason = format!("none of its tensors has the name and the shape of a parameter of {name}");
        return Err(Failure::Failed(format!("{file}: {reason} (--network)")));
    }
    Ok(known)
}
