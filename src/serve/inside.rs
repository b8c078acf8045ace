//! How the answer for one face comes about: stages of preparation, filters, feature maps, where it looks, and layer times.

use serde::Serialize;
use vultus::face::{Analysis, Face, FaceExpression, HiResCam, ModelCard, Occlusion};
use vultus::image::RgbImage;
use vultus::ops::{Crop, Filter, Op};
use vultus::prepare::resize;
use vultus::report::{data_uri, filters_picture, heat_overlay, maps_picture};
use vultus::{Device, Error, Options, Parameters, Plan};

use crate::answer::stages::{self, Recipe, Stage};

/// Feature maps that are shown of a layer: more could not be told apart.
const SHOWN_MAPS: usize = 64;
/// The side of the picture with the heat.
const HEAT_SIDE: u32 = 224;

/// What is asked.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Which of the faces, from 0; the largest is the first.
    pub face: Option<usize>,
    /// The layer whose feature maps are wanted; the first convolution unless it is said.
    pub layer: Option<String>,
    /// The class whose places are shown; the most probable unless it is said.
    pub class: Option<String>,
    /// How they are found.
    #[serde(default)]
    pub method: Method,
    /// Of no use here: it belongs to the server.
    #[serde(default, rename = "token")]
    pub _token: Option<String>,
}

/// How it is found which places of a face count for a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By covering them one after the other.
    #[default]
    Occlusion,
    /// By gradients.
    HiResCam,
}

/// The answer. Pictures are PNGs in data URIs.
#[derive(Serialize)]
pub struct View {
    #[serde(flatten)]
    analysis: Analysis,
    face: Option<usize>,
    stages: Vec<StageView>,
    filters: Option<Filters>,
    maps: Maps,
    layers: Vec<String>,
    explanation: Explanation,
    /// What the network says of the face as it was looked at: once, without its mirror image.
    expression: String,
    #[serde(serialize_with = "in_order")]
    scores: Vec<(String, f32)>,
    times: Vec<Time>,
}

#[derive(Serialize)]
struct StageView {
    title: &'static str,
    detail: String,
    image: Option<String>,
}

#[derive(Clone, Serialize)]
struct Filters {
    layer: String,
    count: usize,
    image: Option<String>,
}

#[derive(Serialize)]
struct Maps {
    layer: String,
    count: usize,
    shown: usize,
    size: [usize; 2],
    image: Option<String>,
}

#[derive(Serialize)]
struct Explanation {
    method: Method,
    class: String,
    /// The layer whose maps were weighed; none by occlusion.
    layer: Option<String>,
    image: Option<String>,
}

#[derive(Serialize)]
struct Time {
    layer: String,
    operation: &'static str,
    milliseconds: f64,
}

/// The network with all activations kept, and with gradients.
pub struct Inside {
    device: Device,
    card: ModelCard,
    plan: Plan,
    occlusion: Occlusion,
    /// With its layer; why there is none for networks without a layer that it can take.
    hirescam: Result<(HiResCam, String), Error>,
    /// The layers that give feature maps.
    layers: Vec<String>,
    filters: Option<Filters>,
}

impl Inside {
    /// Puts the model on the device, to be looked into.
    pub fn new(device: &Device, card: ModelCard, parameters: &Parameters) -> Result<Self, Error> {
        let network = card.network()?;
        let options = Options { keep_activations: true, ..Options::default() };
        let model = device.load(&network, parameters)?;
        let mut plan = model.compile(1, &options)?;
        plan.execute()?;
        let names: Vec<String> = plan.layers().into_iter().map(str::to_owned).collect();
        let mut layers = Vec::new();
        for name in names {
            if let [_, _, _, _] = plan.activation(&name)?.shape() {
                layers.push(name);
            }
        }
        if layers.is_empty() {
            return Err(refused("the network has no feature maps to look into".to_owned()));
        }
        let occlusion = Occlusion::new(&model)?;
        let hirescam =
            HiResCam::layer(&network).and_then(|layer| Ok((HiResCam::new(&model, layer)?, layer.to_owned())));
        let first = network.layers().iter().find(|layer| matches!(layer.op, Op::Conv2d(_)));
        let weight = first.and_then(|layer| Some((layer, parameters.get(layer.parameters.first()?)?)));
        let filters = weight.map(|(layer, weight)| {
            let image = filters_picture(weight, card.preprocessing.order)?;
            Ok(Filters { layer: layer.name.clone(), count: weight.shape()[0], image: data_uri(&image) })
        });
        let filters = filters.transpose()?;
        Ok(Inside { device: device.clone(), card, plan, occlusion, hirescam, layers, filters })
    }

    /// Looks at one of the faces of a picture, or at the whole picture where it has none.
    pub fn view(&mut self, image: &RgbImage, seen: Analysis, asked: &Question) -> Result<View, Error> {
        let face = match (asked.face, seen.faces.len()) {
            (_, 0) => None,
            (None, _) => Some(0),
            (Some(face), faces) if face < faces => Some(face),
            (Some(face), faces) => return Err(refused(format!("there is no face {face} among {faces} (from 0)"))),
        };
        let found = |face: &FaceExpression| face.face.clone();
        let faces: Vec<Face> = seen.faces.iter().filter_map(found).collect();
        let cut = self.cut(image, face.map(|face| &faces[face]))?;
        let prepared = self.card.preparation.apply(&cut);
        let (maps, scores) = self.run(&prepared, asked.layer.as_deref())?;
        let answer = self.card.answer(&scores);
        let explanation = self.explain(&prepared, asked, answer.best)?;
        let times = self.plan.profile()?.into_iter().map(|time| Time {
            layer: time.name,
            operation: time.operation,
            milliseconds: time.milliseconds,
        });
        let times = times.collect();
        let card = &self.card;
        Ok(View {
            stages: self.stages(image, &faces, face)?,
            analysis: seen,
            face,
            filters: self.filters.clone(),
            maps,
            layers: self.layers.clone(),
            explanation,
            expression: answer.name(&card.classes).to_owned(),
            scores: card.classes.iter().cloned().zip(scores).collect(),
            times,
        })
    }

    fn cut(&self, image: &RgbImage, face: Option<&Face>) -> Result<RgbImage, Error> {
        face.map_or_else(|| Ok(image.clone()), |face| self.card.cut(image, face))
    }

    /// Runs the network on a prepared face: the feature maps of a layer, and the probabilities.
    fn run(&mut self, face: &RgbImage, layer: Option<&str>) -> Result<(Maps, Vec<f32>), Error> {
        let known = |name: &&String| layer.is_none_or(|layer| *name == layer);
        let Some(layer) = self.layers.iter().find(known).cloned() else {
            let reason = format!("there are no feature maps of a layer {:?}", layer.unwrap_or_default());
            return Err(refused(format!("{reason}, only of {}", self.layers.join(", "))));
        };
        let picture = self.device.upload(face.as_raw(), face.width(), face.height())?;
        let crop = Crop::whole(face.width(), face.height());
        let filter = Filter::for_crop(&crop, self.card.input);
        self.plan.set_picture(&picture, &[crop], filter, &self.card.preprocessing)?;
        self.plan.execute()?;
        let maps = self.plan.activation(&layer)?;
        let scores = self.plan.outputs()?.swap_remove(0).data().to_vec();
        let &[_, count, height, width] = maps.shape() else {
            return Err(refused(format!("the layer {layer} gives {:?}, no feature maps", maps.shape())));
        };
        let image = data_uri(&maps_picture(&maps, SHOWN_MAPS)?);
        Ok((Maps { layer, count, shown: count.min(SHOWN_MAPS), size: [height, width], image }, scores))
    }

    fn explain(&mut self, face: &RgbImage, asked: &Question, best: usize) -> Result<Explanation, Error> {
        let Inside { card: ModelCard { classes, preprocessing, .. }, occlusion, hirescam, .. } = self;
        let number = match asked.class.as_ref() {
            None => best,
            Some(class) => classes
                .iter()
                .position(|known| known == class)
                .ok_or_else(|| refused(format!("there is no class {class:?}, only {}", classes.join(", "))))?,
        };
        let ((map, size), layer) = match (asked.method, hirescam) {
            (Method::Occlusion, _) => (occlusion.map_picture(face, preprocessing, number)?, None),
            (Method::HiResCam, Ok((cam, layer))) => {
                (cam.map_picture(face, preprocessing, number)?, Some(layer.clone()))
            }
            (Method::HiResCam, Err(reason)) => return Err(refused(format!("method=hirescam: {reason}"))),
        };
        let large = resize(face, &Crop::whole(face.width(), face.height()), HEAT_SIDE, HEAT_SIDE);
        let image = data_uri(&heat_overlay(&large, &map, size)?);
        Ok(Explanation { method: asked.method, class: classes[number].clone(), layer, image })
    }

    /// The steps from the picture to what this model is given.
    fn stages(&self, image: &RgbImage, faces: &[Face], face: Option<usize>) -> Result<Vec<StageView>, Error> {
        let recipe = Recipe::of(&self.card);
        let view = |stage: Stage| StageView { title: stage.title, image: data_uri(&stage.image), detail: stage.detail };
        Ok(stages::all(image.clone(), faces, face, &recipe)?.into_iter().map(view).collect())
    }
}

/// An object whose keys stand in the order of the classes.
fn in_order<S: serde::Serializer>(scores: &[(String, f32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(scores.iter().map(|(class, score)| (class, score)))
}

fn refused(reason: String) -> Error {
    Error::InvalidArgument { what: "inside".to_owned(), reason }
}
