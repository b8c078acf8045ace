//! The window: it asks, draws and never waits.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use eframe::egui;
use eframe::egui_wgpu::Callback;
use vultus::gpu::Gpu;
use vultus::image::RgbImage;
use vultus::ops::Crop;

use crate::explainer::{Answer, Explainer, Wish};
use crate::overlay::{Overlay, OverlayPipeline};

/// Width of the panel beside the photo.
pub const PANEL: f32 = 220.0;

/// How the window is opened.
pub struct Look {
    pub photo: PathBuf,
    pub screenshot: Option<PathBuf>,
    pub opacity: f32,
}

type Failure = Box<dyn Error + Send + Sync>;

pub struct App {
    look: Look,
    photo: egui::TextureHandle,
    device: String,
    classes: Vec<String>,
    wish: Wish,
    wishes: Sender<Wish>,
    answers: Receiver<vultus::Result<Answer>>,
    answer: Option<Answer>,
    /// Frames drawn since the last answer.
    frames: usize,
    screenshots: (Sender<Arc<egui::ColorImage>>, Receiver<Arc<egui::ColorImage>>),
    failures: Sender<Failure>,
}

impl App {
    pub fn new(
        context: &eframe::CreationContext,
        photo: &RgbImage,
        look: Look,
        failures: Sender<Failure>,
    ) -> Result<Self, Failure> {
        let window = context.wgpu_render_state.as_ref().ok_or("the window is not drawn by wgpu")?;
        let gpu = Gpu::from_device(window.device.clone(), window.queue.clone());
        let device = gpu.name().to_owned();
        let (explainer, crop) = Explainer::new(gpu, photo)?;
        let pipeline = OverlayPipeline::new(window, explainer.heat_map());
        window.renderer.write().callback_resources.insert(pipeline);

        let size = [photo.width() as usize, photo.height() as usize];
        let pixels = egui::ColorImage::from_rgb(size, photo.as_raw());
        let classes = explainer.classes().to_vec();
        let (wishes, wished) = channel();
        let (send_answer, answers) = channel();
        let egui = context.egui_ctx.clone();
        std::thread::Builder::new().spawn(move || explain(explainer, &wished, &send_answer, &egui))?;
        let wish = Wish { crop, class: None };
        wishes.send(wish)?;
        Ok(App {
            look,
            photo: context.egui_ctx.load_texture("photo", pixels, egui::TextureOptions::LINEAR),
            device,
            classes,
            wish,
            wishes,
            answers,
            answer: None,
            frames: 0,
            screenshots: channel(),
            failures,
        })
    }

    /// Takes what has come from the explainer's thread.
    fn receive(&mut self, context: &egui::Context) {
        while let Ok(answer) = self.answers.try_recv() {
            match answer {
                Ok(answer) => (self.answer, self.frames) = (Some(answer), 0),
                Err(error) => self.fail(context, error.into()),
            }
        }
    }

    fn fail(&self, context: &egui::Context, failure: Failure) {
        // Nobody listens any more where the window is about to close.
        let _ = self.failures.send(failure);
        context.send_viewport_cmd(egui::ViewportCommand::Close);
    }

    fn ask(&self) {
        // The thread ends with the application only.
        let _ = self.wishes.send(self.wish);
    }

    /// The photo, the square and the heat map in it.
    fn draw_photo(&mut self, ui: &mut egui::Ui) {
        let (place, response) = ui.allocate_exact_size(self.photo.size_vec2(), egui::Sense::click_and_drag());
        let whole = egui::Rect::from_min_max(egui::Pos2::ZERO, egui::pos2(1.0, 1.0));
        ui.painter().image(self.photo.id(), place, whole, egui::Color32::WHITE);
        if let Some(pointer) = response.interact_pointer_pos() {
            let crop = self.moved(pointer - place.min);
            if crop != self.wish.crop {
                self.wish.crop = crop;
                self.ask();
            }
        }
        let square = self.square().translate(place.min.to_vec2());
        if self.answer.is_some() {
            ui.painter().add(Callback::new_paint_callback(square, Overlay { opacity: self.look.opacity }));
        }
        let stroke = egui::Stroke::new(1.5, egui::Color32::WHITE);
        ui.painter().rect_stroke(square, 0.0, stroke, egui::StrokeKind::Outside);
    }

    /// The square with another centre, within the photo.
    fn moved(&self, center: egui::Vec2) -> Crop {
        let Crop { width, height, .. } = self.wish.crop;
        let [photo_width, photo_height] = self.photo.size().map(|length| length as u32);
        let start = |center: f32, length: u32, all: u32| {
            let start = (center - length as f32 / 2.0).round().max(0.0) as u32;
            start.min(all.saturating_sub(length))
        };
        let (x, y) = (start(center.x, width, photo_width), start(center.y, height, photo_height));
        Crop { x, y, ..self.wish.crop }
    }

    /// The square in pixels of the photo.
    fn square(&self) -> egui::Rect {
        let Crop { x, y, width, height, .. } = self.wish.crop;
        let (min, size) = (egui::pos2(x as f32, y as f32), egui::vec2(width as f32, height as f32));
        egui::Rect::from_min_size(min, size)
    }

    /// The classes, how probable they are, and which of them the heat map is for.
    fn draw_classes(&mut self, ui: &mut egui::Ui) {
        ui.heading("Expression");
        let Some(answer) = &self.answer else {
            ui.spinner();
            return;
        };
        ui.label(egui::RichText::new(&answer.expression).strong());
        let mut clicked = None;
        for (class, (name, probability)) in self.classes.iter().zip(&answer.probabilities).enumerate() {
            if ui.selectable_label(answer.explained == class, name).clicked() {
                clicked = Some(class);
            }
            ui.add(egui::ProgressBar::new(*probability).text(format!("{:.1} %", 100.0 * probability)));
        }
        if clicked.is_some() {
            self.wish.class = clicked;
            self.ask();
        }
        ui.separator();
        ui.label(format!("Where it looks for {:?}", self.classes[answer.explained]));
        ui.add(egui::Slider::new(&mut self.look.opacity, 0.0..=1.0).show_value(false));
        ui.separator();
        ui.weak(&self.device);
    }

    /// Writes the window as it is some frames after the first answer, says what it shows, and ends.
    fn take_screenshot(&mut self, context: &egui::Context) {
        let (Some(path), Some(answer)) = (&self.look.screenshot, &self.answer) else { return };
        if let Ok(image) = self.screenshots.1.try_recv() {
            let [width, height] = image.size.map(|length| length as u32);
            let format = image::ExtendedColorType::Rgba8;
            if let Err(error) = image::save_buffer(path, image.as_raw(), width, height, format) {
                return self.fail(context, error.into());
            }
            let (class, probability) = (&self.classes[answer.explained], answer.probabilities[answer.explained]);
            let Crop { x, y, width, height, .. } = self.wish.crop;
            println!("{}: {class} {:.1} % at {x},{y}, {width}×{height}", answer.expression, 100.0 * probability);
            context.send_viewport_cmd(egui::ViewportCommand::Close);
        } else if self.frames == 4 {
            let (sender, egui) = (self.screenshots.0.clone(), context.clone());
            context.request_screenshot(move |image| {
                let _ = sender.send(image);
                egui.request_repaint();
            });
        }
        self.frames += 1;
        context.request_repaint();
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        let context = ui.ctx().clone();
        self.receive(&context);
        egui::Panel::right("classes").exact_size(PANEL).show(ui, |ui| self.draw_classes(ui));
        let frame = egui::Frame::central_panel(ui.style()).inner_margin(8.0);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| self.draw_photo(ui));
        self.take_screenshot(&context);
    }
}

/// Answers the latest wish, again and again, until the window is gone.
fn explain(
    mut explainer: Explainer,
    wishes: &Receiver<Wish>,
    answers: &Sender<vultus::Result<Answer>>,
    egui: &egui::Context,
) {
    while let Ok(wish) = wishes.recv() {
        let wish = wishes.try_iter().last().unwrap_or(wish);
        if answers.send(explainer.explain(&wish)).is_err() {
            break;
        }
        egui.request_repaint();
    }
}
