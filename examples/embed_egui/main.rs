//! The engine on the device of an egui window: a photo, what its face shows, and where the model looks for that, drawn
//! straight from the buffer on the GPU.
//!
//! ```sh
//! cargo run --release --example embed_egui -- --photo tests/photos/astronaut.png
//! ```
//!
//! Drag the square to look elsewhere; click a class to see what speaks for it. `--screenshot FILE` writes the window as a
//! PNG and ends; `--opacity` is the heat map's, 0 to 1.

mod app;
mod explainer;
mod overlay;

use std::error::Error;
use std::path::{Path, PathBuf};

use app::{App, Look};
use eframe::{NativeOptions, egui};

fn main() -> Result<(), Box<dyn Error>> {
    let mut look = Look { photo: PathBuf::from("tests/photos/astronaut.png"), screenshot: None, opacity: 0.6 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--photo" => look.photo = PathBuf::from(value),
            "--screenshot" => look.screenshot = Some(PathBuf::from(value)),
            "--opacity" => look.opacity = value.parse()?,
            _ => return Err(format!("there is --photo, --screenshot and --opacity, not {name}").into()),
        }
    }
    let photo = vultus::image::decode_file(Path::new(&look.photo))?;
    let size = egui::vec2(photo.width() as f32 + app::PANEL + 32.0, photo.height() as f32 + 16.0);
    let options = NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size(size).with_resizable(false),
        ..NativeOptions::default()
    };
    // What goes wrong later ends the window and is told here.
    let (failures, failure) = std::sync::mpsc::channel();
    eframe::run_native(
        "vultus",
        options,
        Box::new(move |context| Ok(Box::new(App::new(context, &photo, look, failures)?))),
    )?;
    match failure.try_recv() {
        Ok(failure) => Err(failure),
        Err(_) => Ok(()),
    }
}
