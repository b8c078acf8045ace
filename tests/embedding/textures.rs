//! Pictures from the application's textures, frame after frame.

use vultus::ops::{Activation, Crop, Filter, Normalization, Order};
use vultus::{Device, Error, Options, Picture, Plan, Tensor, wgpu};

use super::application::{embedded, plan};
use crate::compare::{Comparison, texture};

const SIZE: [u32; 2] = [37, 23];

/// The pixels of a frame.
fn rgb(frame: usize) -> Vec<u8> {
    (0..3 * SIZE[0] as usize * SIZE[1] as usize).map(|i| ((i + 31 * frame) * 7 % 256) as u8).collect()
}

fn draw(queue: &wgpu::Queue, texture: &wgpu::Texture, frame: usize) {
    let rgba: Vec<u8> = rgb(frame).chunks(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect();
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * SIZE[0]), rows_per_image: None };
    queue.write_texture(texture.as_image_copy(), &rgba, layout, texture.size());
}

fn run(plan: &mut Plan, picture: &Picture) -> Tensor {
    let crops = [Crop::whole(SIZE[0], SIZE[1]), Crop { x: 5, y: 3, width: 20, height: 20, mirror: true }];
    plan.set_picture(picture, &crops, Filter::Area, &Normalization::MTCNN).unwrap();
    plan.execute().unwrap();
    plan.outputs().unwrap().swap_remove(0)
}

#[test]
fn a_picture_takes_frame_after_frame_and_creates_nothing() {
    let (device, queue, engine) = embedded();
    let gpu = engine.gpu().unwrap();
    let (mut plan, mut twin) = (plan(&engine, 1).unwrap(), plan(&Device::Cpu, 1).unwrap());
    let camera = texture(&device, SIZE, |_| ());
    draw(&queue, &camera, 0);
    let mut picture = Picture::from_texture(gpu, &camera).unwrap();
    let (mut comparison, mut before) = (Comparison::default(), None);
    for frame in 0..6 {
        draw(&queue, &camera, frame);
        picture.update_from_texture(&camera).unwrap();
        // What the texture shows later changes nothing.
        draw(&queue, &camera, 99);
        let wanted = run(&mut twin, &Device::Cpu.upload(&rgb(frame), SIZE[0], SIZE[1]).unwrap());
        comparison.check(format!("frame {frame}"), &run(&mut plan, &picture), &wanted, 1e-5);
        let now = (gpu.counts(), gpu.bytes_in_use());
        assert_eq!(*before.get_or_insert(now), now, "frame {frame}");
    }
    comparison.finish();
}

#[test]
fn a_frame_that_does_not_fit_is_refused_and_changes_nothing() {
    let (device, queue, engine) = embedded();
    let gpu = engine.gpu().unwrap();
    let camera = texture(&device, SIZE, |_| ());
    draw(&queue, &camera, 1);
    let (mut picture, mut plan) = (Picture::from_texture(gpu, &camera).unwrap(), plan(&engine, 1).unwrap());
    let before = run(&mut plan, &picture);
    let [width, height] = SIZE;
    for wrong in [
        texture(&device, [width + 1, height], |_| ()),
        texture(&device, SIZE, |texture| texture.format = wgpu::TextureFormat::Rgba16Float),
        texture(&device, SIZE, |texture| texture.usage = wgpu::TextureUsages::COPY_DST),
    ] {
        let refused = picture.update_from_texture(&wrong);
        assert!(matches!(refused, Err(Error::Shape { .. } | Error::InvalidArgument { .. })), "{refused:?}");
    }
    for uploaded in [engine.upload(&rgb(0), width, height), Device::Cpu.upload(&rgb(0), width, height)] {
        let refused = uploaded.unwrap().update_from_texture(&camera);
        assert!(matches!(refused, Err(Error::InvalidArgument { .. })), "{refused:?}");
    }
    assert_eq!(run(&mut plan, &picture), before);
}

/// What `set_picture` makes of a picture's own pixels, from 0 to 1.
fn taken(plan: &mut Plan, picture: &Picture) -> Vec<f32> {
    let to_one = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [255.0; 3], gray: false };
    plan.set_picture(picture, &[Crop::whole(2, 1)], Filter::Area, &to_one).unwrap();
    plan.execute().unwrap();
    plan.outputs().unwrap().swap_remove(0).into_data()
}

/// The same two colours in every format, as bytes of 0 to 255 or numbers of 0 to 1, with whatever alpha.
#[test]
fn every_format_gives_the_numbers_that_are_stored_or_encodes_them() {
    use wgpu::TextureFormat::*;
    let (device, queue, engine) = embedded();
    let (gpu, relu) = (engine.gpu().unwrap(), Activation::Relu.into());
    let mut plan = engine.compile_op(&relu, &[&[1, 3, 1, 2]], &Options::default()).unwrap();
    let colours = [[255u8, 51, 0, 9], [102, 204, 153, 200]];
    let floats = colours.as_flattened().iter().map(|&byte| f32::from(byte) / 255.0);
    let rgba = colours.as_flattened().to_vec();
    let bgra: Vec<u8> = colours.iter().flat_map(|[r, g, b, a]| [*b, *g, *r, *a]).collect();
    let halves: Vec<u8> = floats.clone().flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect();
    let singles: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
    let stored = [1.0, 0.4, 0.2, 0.8, 0.0, 0.6];
    // sRGB by its definition, in f64.
    let encode = |light: f64| {
        if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
    };
    for (format, bytes, is_encoded) in [
        (Rgba8Unorm, &rgba, false),
        (Rgba8UnormSrgb, &rgba, true),
        (Bgra8Unorm, &bgra, false),
        (Bgra8UnormSrgb, &bgra, true),
        (Rgba16Float, &halves, false),
        (Rgba32Float, &singles, false),
    ] {
        let texture = texture(&device, [2, 1], |texture| texture.format = format);
        let row = Some(bytes.len() as u32);
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: row, rows_per_image: None };
        queue.write_texture(texture.as_image_copy(), bytes, layout, texture.size());
        // A number in f16 has 11 bits.
        let allowed = if format == Rgba16Float { 4.9e-4 } else { 1e-6 };
        let found = taken(&mut plan, &Picture::from_texture(gpu, &texture).unwrap());
        let is_near = |(found, wanted): (&f32, f64)| (f64::from(*found) - wanted).abs() <= allowed;
        assert!(found.iter().zip(stored).all(is_near), "{format:?}: {found:?}");

        let linear = Picture::from_texture(gpu, &texture).unwrap().linear();
        if is_encoded {
            let error = linear.map(drop).unwrap_err();
            let wanted = format!("texture: is {format:?}, encoded by sRGB already, and not linear light");
            assert_eq!(error.to_string(), wanted);
            continue;
        }
        let found = taken(&mut plan, &linear.unwrap());
        // The slope of the encoding is below 1.1 from 0.2 on; at 0 all are exact.
        let is_near = |(found, wanted): (&f32, f64)| (f64::from(*found) - encode(wanted)).abs() <= 1.1 * allowed + 4e-6;
        assert!(found.iter().zip(stored).all(is_near), "{format:?}: {found:?}");
    }
}

#[test]
fn a_frame_keeps_its_format() {
    use wgpu::TextureFormat::*;
    let (device, _, engine) = embedded();
    let gpu = engine.gpu().unwrap();
    let of = |format| texture(&device, SIZE, |texture| texture.format = format);
    let refused = |picture: &mut Picture, format| picture.update_from_texture(&of(format)).unwrap_err().to_string();
    let mut picture = Picture::from_texture(gpu, &of(Bgra8Unorm)).unwrap();
    picture.update_from_texture(&of(Bgra8UnormSrgb)).unwrap();
    let wanted = "texture: has the format Rgba8Unorm, and the picture Bgra8Unorm: make another one";
    assert_eq!(refused(&mut picture, Rgba8Unorm), wanted);
    let mut linear = picture.linear().unwrap();
    linear.update_from_texture(&of(Bgra8Unorm)).unwrap();
    assert!(refused(&mut linear, Bgra8UnormSrgb).contains("encoded by sRGB already"));
    let mut half = Picture::from_texture(gpu, &of(Rgba16Float)).unwrap();
    half.update_from_texture(&of(Rgba16Float)).unwrap();
    assert!(refused(&mut half, Rgba32Float).contains("make another one"));
}
