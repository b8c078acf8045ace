//! A graph in ONNX between the textures and shaders of an application: a photo becomes a comic, which a fragment shader of the
//! application draws from the buffer that the graph writes. Nothing is read back.
//!
//! ```sh
//! cargo run --release --example onnx                            # a window that wanders over the photo
//! cargo run --release --example onnx -- --headless comic.png    # the whole photo into a file, without a display
//! ```
//!
//! `--photo FILE` takes another photo, `--model FILE` another graph from one picture (RGB from 0 to 1) to one picture, and
//! `--frames N` closes the window after so many. `make_graph.py` has made the graph.

mod comic;
mod window;

use std::error::Error;
use std::path::{Path, PathBuf};

use comic::Comic;
use vultus::image::RgbImage;
use vultus::ops::Crop;
use vultus::wgpu;

pub type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut photo, mut model) = (here.join("tests/photos/astronaut.png"), here.join("examples/onnx/comic.onnx"));
    let (mut headless, mut frames) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--photo" => photo = PathBuf::from(value),
            "--model" => model = PathBuf::from(value),
            "--headless" => headless = Some(PathBuf::from(value)),
            "--frames" => frames = Some(value.parse()?),
            _ => return Err(format!("there is --photo, --model, --headless and --frames, not {name}").into()),
        }
    }
    let photo = vultus::image::decode_file(&photo)?;
    match headless {
        Some(path) => draw_into(&path, &photo, &model),
        None => window::open(photo, model, frames),
    }
}

/// Draws on a texture as on a window's, and writes that into a file.
fn draw_into(path: &Path, photo: &RgbImage, model: &Path) -> Result<(), Failure> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    let format = wgpu::TextureFormat::Rgba8Unorm;
    let mut comic = Comic::new(&device, &queue, photo, model, format)?;
    let [width, height] = comic.size;
    let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("page"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let row = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let file = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("for the file"),
        size: u64::from(row) * u64::from(height),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });

    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    comic.draw(&mut encoder, &view, Crop::whole(photo.width(), photo.height()))?;
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
    let target = wgpu::TexelCopyBufferInfo { buffer: &file, layout };
    encoder.copy_texture_to_buffer(texture.as_image_copy(), target, size);
    queue.submit([encoder.finish()]);

    file.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let mapped = file.slice(..).get_mapped_range()?;
    let rows = mapped.chunks(row as usize).flat_map(|row| row[..4 * width as usize].chunks(4));
    let rgb: Vec<u8> = rows.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    image::save_buffer(path, &rgb, width, height, image::ExtendedColorType::Rgb8)?;
    println!("{}: {width}×{height} on {}", path.display(), adapter.get_info().name);
    Ok(())
}
