//! What a training starts from.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;

use vultus::Parameters;
use vultus::face::{Architecture, ModelCard, assemble, needs_base};
use vultus::train::adapt;
use vultus::weights::{Catalog, WeightFile};

use super::Arguments;
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::models;
use crate::cli::network::{NetworkName, parameters_of};

/// What `--start` names.
#[derive(Clone, PartialEq, Eq)]
pub enum Start {
    /// A model that comes with the program, by its name.
    Own(PathBuf),
    /// VGG16's convolutions, trained on ImageNet.
    Imagenet,
    /// A model of `vultus train`, or weights of another program.
    File(PathBuf),
}

impl Start {
    pub fn parse(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "imagenet" => Start::Imagenet,
            name if models::is_own(name.as_ref()) => Start::Own(name.into()),
            file => Start::File(file.into()),
        })
    }
}

/// The card of what is trained on from a model, for these classes: what was measured of it, and what its probabilities were
/// calibrated to, is not true of what comes of it.
pub fn successor(model: &ModelCard, classes: Vec<String>) -> ModelCard {
    ModelCard { classes, temperature: None, priors: None, notes: BTreeMap::new(), ..model.clone() }
}

/// What is known before a training.
pub struct Beginning {
    /// VGG16's base, where the network has it.
    pub base: Option<WeightFile>,
    known: Known,
    /// What it is called.
    pub name: String,
}

enum Known {
    Nothing,
    /// VGG16's base.
    Base,
    /// A model of faces.
    Model(Box<ModelCard>, Parameters),
    /// Another program's tensors.
    Tensors(PathBuf),
}

impl Beginning {
    /// Reads what the options name.
    pub fn load(arguments: &Arguments, global: &Global) -> Result<Self, Failure> {
        let is_vgg16 = matches!(arguments.network, None | Some(NetworkName::Vgg16));
        // Who names a base wants to start from it.
        let names_base = global.weights.as_ref().is_some_and(|path| path.is_file());
        let start = match &arguments.start {
            Some(start) => start.clone(),
            None if arguments.network.is_none() && !names_base => Start::Own("default".into()),
            None => Start::Imagenet,
        };
        match start {
            Start::Own(name) => {
                let file = models::load(Some(&name), global)?;
                Beginning::of_model(file, models::title(Some(&name)), arguments, global)
            }
            Start::Imagenet if is_vgg16 => Ok(Beginning {
                base: Some(global.vgg16_base()?),
                known: Known::Base,
                name: "ImageNet's VGG16".to_owned(),
            }),
            Start::Imagenet if arguments.start.is_some() => Err(Failure::Usage(
                "--start imagenet: only VGG16's weights of ImageNet are here; take another --network, \
                     or name a file of weights"
                    .to_owned(),
            )),
            Start::Imagenet => Ok(Beginning { base: None, known: Known::Nothing, name: "random numbers".to_owned() }),
            Start::File(file) => {
                let (catalog, name) = (Catalog::open(&file)?, file.display().to_string());
                // Of a model with another network what both have is taken, as of another program's file.
                let its = catalog.metadata().get("network").map_or("vgg16", String::as_str);
                let is_same = arguments.network.is_none_or(|network| network.name() == its);
                if catalog.metadata().contains_key("classes") && is_same {
                    return Beginning::of_model(catalog.read()?, name, arguments, global);
                }
                drop(catalog);
                let base = is_vgg16.then(|| global.vgg16_base()).transpose()?;
                Ok(Beginning { base, known: Known::Tensors(file), name })
            }
        }
    }

    fn of_model(file: WeightFile, name: String, arguments: &Arguments, global: &Global) -> Result<Self, Failure> {
        let needs_base = needs_base(&file)?;
        let card = ModelCard::from_file(&file)?;
        let its = NetworkName::of(&card.architecture);
        if let Some(network) = arguments.network.filter(|&network| its != Some(network)) {
            let (network, its) = (network.name(), its.map_or_else(|| "of ONNX".to_owned(), NetworkName::name));
            let reason = format!("has the network {its}, from which --network {network} cannot start");
            return Err(Failure::Usage(format!("--start: {name} {reason}; leave --network out")));
        }
        let is_vgg16 = matches!(card.architecture, Architecture::Vgg16 { .. });
        let base = (needs_base || is_vgg16).then(|| global.vgg16_base()).transpose()?;
        let (card, parameters) = assemble(base.clone(), file)?;
        Ok(Beginning { base, known: Known::Model(Box::new(card), parameters), name })
    }

    /// The card of the model that it is, if it is one.
    pub fn model(&self) -> Option<&ModelCard> {
        match &self.known {
            Known::Model(card, _) => Some(card),
            _ => None,
        }
    }

    /// Whether anything is known.
    pub fn knows(&self) -> bool {
        !matches!(self.known, Known::Nothing)
    }

    /// The parameters that the network of a card can start from.
    pub fn parameters(&self, card: &ModelCard) -> Result<Parameters, Failure> {
        match &self.known {
            Known::Nothing => Ok(Parameters::new()),
            Known::Base => Ok(self.base.as_ref().map(|base| base.parameters.clone()).unwrap_or_default()),
            Known::Model(model, parameters) => Ok(adapt(model, parameters.clone(), &card.classes)?),
            Known::Tensors(file) => parameters_of(&card.network()?, &Catalog::open(file)?, file),
        }
    }
}
