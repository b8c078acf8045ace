//! What the page of this folder computes with: the faces of a picture and what they show, on the visitor's own GPU.
//! `build.sh` makes it a module for browsers; for other targets there is nothing in it.
#![cfg(target_family = "wasm")]

use std::path::Path;

use vultus::face::{self, Analyzer, Frame};
use vultus::gpu::Adapter;
use vultus::image::decode_bytes_within;
use vultus::weights::{WeightFile, safetensors};
use vultus::{Device, Error};
use wasm_bindgen::prelude::*;

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
pub struct Recognizer(Analyzer);

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
        let builder = Analyzer::builder().device(device).detector_weights(weights("yunet", &yunet)?);
        let builder = builder.model(weights("the model", &model)?);
        let builder = match base {
            Some(base) => builder.base(weights("the base", &base)?),
            None => builder,
        };
        Ok(Recognizer(builder.build()?))
    }

    /// The faces of a picture (a file's bytes), as the JSON that `vultus predict --json` prints. Where no face is found,
    /// the whole picture is taken for one.
    pub async fn predict(&mut self, file: Vec<u8>) -> Result<String, JsError> {
        let image = decode_bytes_within(Path::new("the picture"), &file, MAX_PIXELS)?;
        let mut analysis = self.0.analyze_async(&image).await?;
        if analysis.faces.is_empty() {
            analysis = self.0.analyze_async(Frame::from(&image).as_face()).await?;
        }
        Ok(serde_json::to_string(&analysis)?)
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
