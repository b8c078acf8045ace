//! The window of `embed_egui`, by pictures that it takes of itself.

use std::path::PathBuf;

use vultus::Device;
use vultus::face::{HeatMap, Occlusion, assemble, needs_base};
use vultus::image::{RgbImage, decode_file};
use vultus::weights::{DefaultFile, Store};

use super::{number_after, output};

/// Where the photo begins in the window.
const MARGIN: u32 = 8;

/// The window with the heat map at this opacity, and what the example says.
fn screenshot(opacity: &str) -> (RgbImage, String) {
    let path: PathBuf = [env!("CARGO_TARGET_TMPDIR"), &format!("window-{opacity}.png")].iter().collect();
    let said = output("embed_egui", &["--screenshot", path.to_str().unwrap(), "--opacity", opacity]);
    (decode_file(&path).unwrap(), said)
}

/// The colour of the overlay over a pixel, as `overlay.wgsl` mixes it at full opacity.
fn mixed(heat: f32, photo: [u8; 3]) -> [f32; 3] {
    let color = [2.0 * heat - 0.8, 1.2 - (2.4 * heat - 1.2).abs(), 1.0 - 2.0 * heat].map(|v| v.clamp(0.0, 1.0));
    let share = heat.sqrt();
    std::array::from_fn(|i| 255.0 * color[i] * share + f32::from(photo[i]) * (1.0 - share))
}

/// The heat at a place of the face (0 to 1), between the centres of the map's cells.
fn between((heat, [height, width]): &HeatMap, [x, y]: [f32; 2]) -> f32 {
    let along = |place: f32, cells: usize| {
        let place = (place * cells as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        (place as usize, (place as usize + 1).min(cells - 1), place.fract())
    };
    let ((left, right, over), (top, bottom, down)) = (along(x, *width), along(y, *height));
    let row = |row: usize| heat[row * width + left] * (1.0 - over) + heat[row * width + right] * over;
    row(top) * (1.0 - down) + row(bottom) * down
}

#[test]
fn embed_egui_draws_the_photo_the_expression_and_the_heat_map() {
    let ((plain, said), (heated, said_again)) = (screenshot("0"), screenshot("1"));
    assert_eq!(said, said_again);
    assert!(said.starts_with("happy: happy ") && number_after(&said, ": happy ") > 50.0, "{said}");
    let (x, rest) = said.split_once(" at ").and_then(|(_, place)| place.split_once(',')).unwrap();
    let (y, size) = rest.split_once(", ").unwrap();
    let side = size.trim().split('×').next().unwrap();
    let [x, y, side] = [x, y, side].map(|number| number.parse::<u32>().unwrap());

    // Without the heat map, the photo is there pixel for pixel.
    let photo = decode_file(&[env!("CARGO_MANIFEST_DIR"), "tests/photos/astronaut.png"].iter().collect::<PathBuf>());
    let photo = photo.unwrap();
    assert_eq!(plain.dimensions(), heated.dimensions());
    let is_square = |px: u32, py: u32| (x..x + side).contains(&px) && (y..y + side).contains(&py);
    let is_near = |px: u32, py: u32| (x - 3..x + side + 3).contains(&px) && (y - 3..y + side + 3).contains(&py);
    let mut heated_pixels = 0;
    for (px, py, pixel) in photo.enumerate_pixels() {
        let [plain, heated] = [&plain, &heated].map(|window| window.get_pixel(px + MARGIN, py + MARGIN));
        if is_square(px, py) || !is_near(px, py) {
            assert_eq!(plain, pixel, "the photo at {px},{py}");
        }
        if !is_square(px, py) {
            assert_eq!(plain, heated, "beside the square at {px},{py}");
        } else if plain != heated {
            heated_pixels += 1;
        }
    }
    assert!(heated_pixels > side * side / 2, "{heated_pixels} of {} pixels", side * side);

    // The heat map is the CPU's.
    let store = Store::open(None).unwrap();
    let model = store.load(DefaultFile::ExpressionModel).unwrap();
    let base = needs_base(&model).unwrap().then(|| store.load(DefaultFile::Vgg16Base).unwrap());
    let (card, parameters) = assemble(base, model).unwrap();
    let mut occlusion = Occlusion::new(&Device::Cpu.load(&card.network().unwrap(), &parameters).unwrap()).unwrap();
    let class = card.classes.iter().position(|class| class == "happy").unwrap();
    let face = RgbImage::from_fn(side, side, |px, py| *photo.get_pixel(x + px, y + py));
    let map = occlusion.map_picture(&face, &card.preprocessing, class).unwrap();
    assert!(map.0.iter().any(|&value| value < 0.9) && map.0.contains(&1.0), "{map:?}");
    for (px, py) in (0..side).flat_map(|py| (0..side).map(move |px| (px, py))) {
        let heat = between(&map, [px, py].map(|pixel| (pixel as f32 + 0.5) / side as f32));
        let (px, py) = (x + px, y + py);
        let (wanted, found) = (mixed(heat, photo.get_pixel(px, py).0), heated.get_pixel(px + MARGIN, py + MARGIN).0);
        // Where there is next to no heat, the root of it makes much of what rounding leaves.
        let differs = (0..3).any(|i| (wanted[i] - f32::from(found[i])).abs() > 6.0);
        assert!(!differs, "{px},{py} with {heat}: {found:?} instead of {wanted:?}");
    }
}
