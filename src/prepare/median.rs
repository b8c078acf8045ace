use super::raster::Raster;

/// The median of each channel in a square of 2 `radius` + 1 pixels around each pixel, exactly, from a histogram that
/// moves along the rows (Huang, Yang, Tang 1979, "A fast two-dimensional median filtering algorithm").
pub(super) fn median<const C: usize>(raster: &Raster<C>, radius: usize) -> Raster<C> {
    let padded = raster.padded(radius);
    let side = 2 * radius + 1;
    let mut out = raster.clone();
    for channel in 0..C {
        for (y, row) in out.pixels.chunks_exact_mut(raster.width).enumerate() {
            let column = |x: usize| (y..y + side).map(move |y| y * padded.width + x);
            let values = |x: usize| column(x).map(|at| padded.pixels[at][channel]);
            let mut window = Window::new(side * side);
            (0..side - 1).for_each(|x| values(x).for_each(|value| window.add(value)));
            for (x, pixel) in row.iter_mut().enumerate() {
                values(x + side - 1).for_each(|value| window.add(value));
                pixel[channel] = window.median();
                values(x).for_each(|value| window.remove(value));
            }
        }
    }
    out
}

/// How often each value is in the window.
struct Window {
    counts: [u32; 256],
    /// The last median, and how many values are smaller than it.
    median: usize,
    smaller: u32,
    half: u32,
}

impl Window {
    /// For a full window of this many values, an odd number.
    fn new(size: usize) -> Self {
        Window { counts: [0; 256], median: 0, smaller: 0, half: size as u32 / 2 }
    }

    fn add(&mut self, value: u8) {
        self.counts[usize::from(value)] += 1;
        self.smaller += u32::from(usize::from(value) < self.median);
    }

    fn remove(&mut self, value: u8) {
        self.counts[usize::from(value)] -= 1;
        self.smaller -= u32::from(usize::from(value) < self.median);
    }

    /// The median of a full window: half of the others are not above it, half not below.
    fn median(&mut self) -> u8 {
        while self.smaller > self.half {
            self.median -= 1;
            self.smaller -= self.counts[self.median];
        }
        while self.smaller + self.counts[self.median] <= self.half {
            self.smaller += self.counts[self.median];
            self.median += 1;
        }
        self.median as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn it_is_the_middle_of_the_sorted_values() {
        let mut random = Random::new(2);
        for (width, height, radius) in [(7, 5, 1), (6, 9, 2), (1, 1, 3), (3, 1, 4)] {
            let mut value = || (random.bits() >> 24) as u8;
            let raster = Raster { width, height, pixels: (0..width * height).map(|_| [value(), value()]).collect() };
            let filtered = median(&raster, radius);
            for (x, y, channel) in [(0, 0, 0), (width / 2, height / 2, 1), (width - 1, height - 1, 0)] {
                let (dx, dy) = (x as isize, y as isize);
                let r = radius as isize;
                let inside = |at: isize, length: usize| at.clamp(0, length as isize - 1) as usize;
                let at = |x, y| raster.pixels[inside(y, height) * width + inside(x, width)][channel];
                let mut values: Vec<u8> =
                    (-r..=r).flat_map(|j| (-r..=r).map(move |i| (i, j))).map(|(i, j)| at(dx + i, dy + j)).collect();
                values.sort_unstable();
                assert_eq!(filtered.pixels[y * width + x][channel], values[values.len() / 2], "{width}×{height}");
            }
        }
    }

    #[test]
    fn salt_goes_and_edges_stay() {
        let edge = |x: usize| if x < 5 { [10] } else { [200] };
        let clean = Raster { width: 10, height: 10, pixels: (0..100).map(|i| edge(i % 10)).collect() };
        let mut salted = clean.clone();
        salted.pixels[22] = [255];
        salted.pixels[77] = [0];
        assert_eq!(median(&salted, 1), clean);
    }
}
