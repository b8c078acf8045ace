//! Histogram equalisation of the whole picture, and of tiles with limited contrast.

use super::raster::Raster;

/// A new value for each value.
type Table = [u8; 256];

/// Spreads the values so that each range of them holds as many pixels as any other of its size. The smallest becomes 0,
/// the largest 255; a picture of one value stays as it is.
pub(super) fn equalize(raster: &Raster<1>) -> Raster<1> {
    let counts = histogram(raster.pixels.iter().map(|[value]| *value));
    let Some(smallest) = counts.iter().position(|&count| count > 0) else { return raster.clone() };
    let rest = raster.pixels.len() as u32 - counts[smallest];
    if rest == 0 {
        return raster.clone();
    }
    let mut sum = 0;
    let mut table = [0; 256];
    for value in smallest + 1..256 {
        sum += counts[value];
        table[value] = (sum as f32 * (255.0 / rest as f32)).round() as u8;
    }
    Raster { pixels: raster.pixels.iter().map(|[value]| [table[usize::from(*value)]]).collect(), ..*raster }
}

fn histogram(values: impl Iterator<Item = u8>) -> [u32; 256] {
    let mut counts = [0; 256];
    values.for_each(|value| counts[usize::from(value)] += 1);
    counts
}

/// Contrast-limited adaptive histogram equalisation (Zuiderveld 1994): `tiles` by `tiles` tiles are equalised, with no
/// more than `clip` times the mean in any bin of their histograms; a pixel gets the values of the four tiles around it,
/// by its distance from their centres. Where tiles do not come out even, the picture is mirrored beyond its right and
/// lower border (without repeating the border) to fill up the last.
pub(super) fn clahe(raster: &Raster<1>, tiles: usize, clip: f32) -> Raster<1> {
    let size = [raster.width.div_ceil(tiles), raster.height.div_ceil(tiles)];
    let tables: Vec<Table> =
        (0..tiles * tiles).map(|tile| tile_table(raster, [tile % tiles, tile / tiles], size, clip)).collect();
    let pixel = |at: usize| {
        let (x, y) = (at % raster.width, at / raster.width);
        let (left, right, fx) = tiles_around(x, size[0], tiles);
        let (upper, lower, fy) = tiles_around(y, size[1], tiles);
        let value =
            |row: usize, column: usize| f32::from(tables[row * tiles + column][usize::from(raster.pixels[at][0])]);
        let across = |row: usize| value(row, left) * (1.0 - fx) + value(row, right) * fx;
        [(across(upper) * (1.0 - fy) + across(lower) * fy).round() as u8]
    };
    Raster { pixels: (0..raster.pixels.len()).map(pixel).collect(), ..*raster }
}

/// The tiles on both sides of a place on an axis, and how much of the second.
fn tiles_around(at: usize, size: usize, tiles: usize) -> (usize, usize, f32) {
    let position = at as f32 / size as f32 - 0.5;
    let low = position.floor();
    let inside = |tile: f32| (tile.max(0.0) as usize).min(tiles - 1);
    (inside(low), inside(low + 1.0), position - low)
}

/// What equalises one tile.
fn tile_table(raster: &Raster<1>, [column, row]: [usize; 2], [width, height]: [usize; 2], clip: f32) -> Table {
    let value =
        |x: usize, y: usize| raster.pixels[mirrored(y, raster.height) * raster.width + mirrored(x, raster.width)][0];
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (column * width + x, row * height + y)));
    let mut counts = histogram(places.map(|(x, y)| value(x, y)));
    let area = width * height;
    limit(&mut counts, ((clip * area as f32 / 256.0) as u32).max(1));
    let mut sum = 0;
    counts.map(|count| {
        sum += count;
        (sum as f32 * (255.0 / area as f32)).round() as u8
    })
}

/// Takes what is above the most from each bin, and spreads it over all: first evenly, then what is left in equal steps.
fn limit(counts: &mut [u32; 256], most: u32) {
    let mut excess = 0;
    for count in counts.iter_mut() {
        excess += count.saturating_sub(most);
        *count = (*count).min(most);
    }
    counts.iter_mut().for_each(|count| *count += excess / 256);
    let left = excess as usize % 256;
    let step = 256usize.checked_div(left).unwrap_or(256);
    counts.iter_mut().step_by(step).take(left).for_each(|count| *count += 1);
}

/// The place within a length that a place beyond its end is the mirror image of; the last one is the mirror.
fn mirrored(at: usize, length: usize) -> usize {
    let period = (2 * (length - 1)).max(1);
    let at = at % period;
    if at < length { at } else { period - at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(width: usize, values: &[u8]) -> Raster<1> {
        Raster { width, height: values.len() / width, pixels: values.iter().map(|value| [*value]).collect() }
    }

    #[test]
    fn two_values_become_black_and_white() {
        assert_eq!(equalize(&raster(3, &[100, 101, 100, 101, 101, 101])), raster(3, &[0, 255, 0, 255, 255, 255]));
        assert_eq!(equalize(&raster(2, &[9, 9])), raster(2, &[9, 9]));
        // After the smallest, which has one pixel, come 1, 2 and 1 of 4: 64, 191 and 255 of 255.
        assert_eq!(equalize(&raster(5, &[10, 20, 30, 30, 40])), raster(5, &[0, 64, 191, 191, 255]));
    }

    #[test]
    fn equalising_twice_changes_nothing_more() {
        let once = equalize(&raster(16, &(0..256).map(|i| (i * i / 300) as u8).collect::<Vec<_>>()));
        assert_eq!(equalize(&once), once);
    }

    #[test]
    fn clipping_keeps_the_number_of_pixels() {
        let mut counts = [0; 256];
        counts[7] = 1000;
        counts[8] = 3;
        limit(&mut counts, 10);
        assert_eq!(counts.iter().sum::<u32>(), 1003);
        // 990 are too many: 3 for each, and 222 ones.
        assert_eq!((counts[7], counts[8], counts[0], counts[255]), (14, 7, 4, 3));
    }

    #[test]
    fn mirrors_leave_out_the_border() {
        let places: Vec<usize> = (0..8).map(|at| mirrored(at, 4)).collect();
        assert_eq!(places, [0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!((mirrored(5, 1), mirrored(1, 1)), (0, 0));
    }

    #[test]
    fn without_a_limit_one_tile_is_the_distribution() {
        let values: Vec<u8> = (0..64).map(|i| 100 + i / 2).collect();
        let wide = clahe(&raster(8, &values), 1, 256.0);
        let wanted = |i: u32| ((2 * (i / 2) + 2) as f32 * 255.0 / 64.0).round() as u8;
        assert_eq!(wide, raster(8, &(0..64).map(wanted).collect::<Vec<_>>()));
    }
}
