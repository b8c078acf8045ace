//! What the page of this folder computes with: the faces of a picture and what they show, on the visitor's own GPU.
//! `build.sh` makes it a module for browsers; for other targets there is nothing in it.
#![cfg(target_family = "wasm")]

use std::path::Path;

use serde_json::json;
use vultus::face::{self, Detector, DetectorOptions, Face};
use vultus::gpu::Adapter;
use vultus::image::{RgbImage, decode_bytes_within};
use vultus::weights::{WeightFile, safetensors};
use vultus::{Device, Error};
use wasm_bindgen::prelude::*;

/// The smallest face that is looked for, relative to the shorter side of the picture.
const SMALLEST: f32 = 0.06;

/// The most pixels of a picture: as many bytes as fit one binding of any GPU.
const MAX_PIXELS: u64 = 40_000_000;

#[wasm_bindgen]
extern "C" {
    /// The browser's console.
    #[wasm_bindgen(js_namespace = console)]
    fn error(text: &str);
}

/// What would end a program goes to the console.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}

/// Whether a model needs VGG16's base beside it.
#[wasm_bindgen(js_name = needsBase)]
pub fn needs_base(model: &[u8]) -> Result<bool, JsError> {
    Ok(face::needs_base(&weights("the model", model)?)?)
}

/// Finds the faces of pictures and recognises what they show.
#[wasm_bindgen]
pub struct Recognizer {
    device: Device,
    detector: Detector,
    recognizer: face::Recognizer,
}

#[wasm_bindgen]
impl Recognizer {
    /// On the GPU that the browser offers, or on the processor; from the bytes of the weights' files.
    pub async fn load(
        processor: bool,
        yunet: Vec<u8>,
        model: Vec<u8>,
        base: Option<Vec<u8>>,
    ) -> Result<Recognizer, JsError> {
        let device = if processor { Device::Cpu } else { gpu().await? };
        let detector = Detector::new(&device, weights("yunet", &yunet)?, DetectorOptions::default())?;
        let base = base.map(|base| weights("the base", &base)).transpose()?;
        let recognizer = face::Recognizer::new(&device, base, weights("the model", &model)?, 1)?;
        Ok(Recognizer { device, detector, recognizer })
    }

    /// The faces of a picture (a file's bytes), as the JSON that `vultus predict --json` prints. Where no face is found,
    /// the whole picture is taken for one, without a box.
    pub async fn predict(&mut self, file: Vec<u8>) -> Result<String, JsError> {
        let image = decode_bytes_within(Path::new("the picture"), &file, MAX_PIXELS)?;
        let (width, height) = image.dimensions();
        let faces = self.faces(&image).await?;
        let cut = match faces.as_slice() {
            [] => vec![image],
            faces => faces.iter().map(|face| self.recognizer.cut(&image, face)).collect::<Result<_, _>>()?,
        };
        let tta = self.recognizer.card().tta;
        let scores = self.recognizer.recognize_faces_async(&cut, tta).await?;
        let found: Vec<_> = scores.iter().enumerate().map(|(i, scores)| self.found(faces.get(i), scores)).collect();
        Ok(json!({ "width": width, "height": height, "faces": found }).to_string())
    }

    async fn faces(&mut self, image: &RgbImage) -> Result<Vec<Face>, Error> {
        let (width, height) = image.dimensions();
        let picture = self.device.upload(image.as_raw(), width, height)?;
        self.detector.set_min_face((SMALLEST * width.min(height) as f32).max(20.0))?;
        self.detector.detect_async(&picture).await
    }

    fn found(&self, face: Option<&Face>, scores: &[f32]) -> serde_json::Value {
        let expression = self.recognizer.card().answer(scores).name(self.recognizer.classes());
        let scores: serde_json::Map<_, _> =
            self.recognizer.classes().iter().cloned().zip(scores.iter().map(|&score| json!(score))).collect();
        let (bounds, probability) = (face.map(|face| face.bounds), face.map(|face| face.probability));
        json!({ "box": bounds, "probability": probability, "expression": expression, "scores": scores })
    }
}

async fn gpu() -> Result<Device, Error> {
    match Adapter::all_async().await.first() {
        Some(adapter) => Ok(Device::Gpu(adapter.open_async().await?)),
        None => {
            let reason = "the browser offers none".to_owned();
            Err(Error::NoDevice { wish: "gpu".to_owned(), reason })
        }
    }
}

fn weights(name: &str, bytes: &[u8]) -> Result<WeightFile, Error> {
    safetensors::from_bytes(Path::new(name), bytes)
}
