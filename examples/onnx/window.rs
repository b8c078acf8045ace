//! A window of the application's own, in which the graph runs anew for every frame.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use vultus::image::RgbImage;
use vultus::ops::Crop;
use vultus::wgpu;
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, EventLoop};
use winit::window::{Window, WindowId};

use crate::Failure;
use crate::comic::Comic;

/// Shows the comic until the window is closed, or for so many frames.
pub fn open(photo: RgbImage, model: PathBuf, frames: Option<u32>) -> Result<(), Failure> {
    let mut application = Application { photo, model, frames, view: None, failure: None };
    EventLoop::new()?.run_app(&mut application)?;
    application.failure.map_or(Ok(()), Err)
}

struct Application {
    photo: RgbImage,
    model: PathBuf,
    frames: Option<u32>,
    view: Option<View>,
    failure: Option<Failure>,
}

/// What there is once there is a window.
struct View {
    window: Arc<Window>,
    surface: wgpu::Surface<'static>,
    configuration: wgpu::SurfaceConfiguration,
    device: wgpu::Device,
    queue: wgpu::Queue,
    comic: Comic,
    start: Instant,
    drawn: u32,
}

impl View {
    fn open(events: &ActiveEventLoop, photo: &RgbImage, model: &Path) -> Result<Self, Failure> {
        let size = PhysicalSize::new(photo.width(), photo.height());
        let attributes = Window::default_attributes().with_title("vultus: a graph in ONNX").with_inner_size(size);
        let window = Arc::new(events.create_window(attributes)?);
        let display = Box::new(events.owned_display_handle());
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_with_display_handle(display));
        let surface = instance.create_surface(window.clone())?;
        let wish = wgpu::RequestAdapterOptions { compatible_surface: Some(&surface), ..Default::default() };
        let adapter = pollster::block_on(instance.request_adapter(&wish))?;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
        let size = window.inner_size();
        let mut configuration = surface
            .get_default_config(&adapter, size.width.max(1), size.height.max(1))
            .ok_or("the adapter does not draw in this window")?;
        // The colours are encoded already.
        let formats = surface.get_capabilities(&adapter).formats;
        configuration.format = formats.iter().copied().find(|format| !format.is_srgb()).unwrap_or(configuration.format);
        surface.configure(&device, &configuration);
        let comic = Comic::new(&device, &queue, photo, model, configuration.format)?;
        window.request_redraw();
        Ok(View { window, surface, configuration, device, queue, comic, start: Instant::now(), drawn: 0 })
    }

    fn resize(&mut self, size: PhysicalSize<u32>) {
        self.configuration.width = size.width.max(1);
        self.configuration.height = size.height.max(1);
        self.surface.configure(&self.device, &self.configuration);
    }

    /// Three quarters of the photo, which go round once in eight seconds.
    fn part(&self) -> Crop {
        let angle = std::f32::consts::TAU / 8.0 * self.start.elapsed().as_secs_f32();
        let [width, height] = self.comic.photo();
        let place = |all: u32, turn: f32| (all as f32 / 8.0 * (1.0 + turn)) as u32;
        Crop {
            x: place(width, angle.sin()),
            y: place(height, angle.cos()),
            width: (3 * width / 4).max(1),
            height: (3 * height / 4).max(1),
            mirror: false,
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        use wgpu::CurrentSurfaceTexture::{Lost, Outdated, Suboptimal, Success, Validation};
        self.window.request_redraw();
        let frame = match self.surface.get_current_texture() {
            Success(frame) | Suboptimal(frame) => frame,
            Outdated => {
                self.surface.configure(&self.device, &self.configuration);
                return Ok(());
            }
            Lost | Validation => return Err("the window gives no frame".into()),
            _ => return Ok(()),
        };
        let view = frame.texture.create_view(&wgpu::TextureViewDescriptor::default());
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let part = self.part();
        self.comic.draw(&mut encoder, &view, part)?;
        self.queue.submit([encoder.finish()]);
        self.queue.present(frame);
        self.drawn += 1;
        Ok(())
    }
}

impl ApplicationHandler for Application {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.view.is_none() {
            match View::open(events, &self.photo, &self.model) {
                Ok(view) => self.view = Some(view),
                Err(failure) => self.fail(events, failure),
            }
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let Some(view) = &mut self.view else { return };
        match event {
            WindowEvent::CloseRequested => events.exit(),
            WindowEvent::Resized(size) => view.resize(size),
            WindowEvent::RedrawRequested => match view.draw() {
                Err(failure) => self.fail(events, failure),
                Ok(()) if self.frames.is_some_and(|frames| view.drawn >= frames) => {
                    println!("{} frames in {:.2} s", view.drawn, view.start.elapsed().as_secs_f32());
                    events.exit();
                }
                Ok(()) => {}
            },
            _ => {}
        }
    }
}

impl Application {
    fn fail(&mut self, events: &ActiveEventLoop, failure: Failure) {
        self.failure = Some(failure);
        events.exit();
    }
}
