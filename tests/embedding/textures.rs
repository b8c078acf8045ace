//! Pictures from the application's textures, frame after frame.

use vultus::ops::{Crop, Filter, Normalization};
use vultus::{Device, Error, Picture, Plan, Tensor, wgpu};

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
