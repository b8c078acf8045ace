//! The first stage: P-Net looks for faces of about 12 pixels in a pyramid of ever smaller copies of the picture.

use crate::engine::{Device, Options, Picture, Plan};
use crate::error::Result;
use crate::nn::mtcnn::pnet;
use crate::ops::{Crop, Filter, Normalization};
use crate::prepare::Overlap;
use crate::reading::Reading;
use crate::tensor::Parameters;

use super::boxes::{Candidate, corrected, squared};
use crate::face::boxes::{Bounds, suppress};
use crate::face::options::DetectorOptions;

/// Pixels that a cell of P-Net looks at, each way: no smaller face can be found.
pub(super) const CELL: usize = 12;
/// Pixels from one cell to the next.
const STRIDE: usize = 2;
/// What two tiles have in common, so that every cell lies whole in one of them.
const SHARED: usize = CELL - STRIDE;
/// The longest side of a tile: the network's first activation then is 65 MB, half of what every GPU can bind.
const MAX_TILE: usize = 1280;
/// The most proposals of one scale. Photos have some hundreds; this bounds the time that a picture made of
/// face-like noise can take.
const MAX_PROPOSALS: usize = 20_000;

/// Plans for all scales of pictures of one size.
pub(super) struct Pyramid {
    width: u32,
    height: u32,
    levels: Vec<Level>,
}

/// One scale. It is looked at as a whole, or in tiles of one size where it is too large for that.
struct Level {
    scale: f64,
    plan: Plan,
    tiles: Vec<Tile>,
}

/// A part of a scaled picture.
struct Tile {
    /// The part of the picture that it shows.
    crop: Crop,
    /// Its first pixel in the scaled picture.
    x: usize,
    y: usize,
}

impl Pyramid {
    /// Compiles the plans for pictures of this size; none if it is too small for a face.
    pub fn new(
        device: &Device,
        parameters: &Parameters,
        width: u32,
        height: u32,
        options: &DetectorOptions,
    ) -> Result<Self> {
        let scales = scales(width, height, options);
        let levels = scales.into_iter().map(|scale| Level::new(device, parameters, width, height, scale));
        Ok(Pyramid { width, height, levels: levels.collect::<Result<_>>()? })
    }

    /// Whether it is for pictures of this picture's size.
    pub fn fits(&self, picture: &Picture) -> bool {
        (self.width, self.height) == (picture.width(), picture.height())
    }

    /// The squares in which there could be a face.
    pub async fn propose(&mut self, picture: &Picture, threshold: f32, reading: Reading) -> Result<Vec<Bounds>> {
        // All scales are submitted before the first is waited for.
        for level in &mut self.levels {
            level.submit(picture, 0)?;
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        for level in &mut self.levels {
            let found = level.collect(picture, threshold, reading).await?;
            candidates.extend(suppress(&found, 0.5, Overlap::Union).into_iter().map(|i| found[i]));
        }
        let kept = suppress(&candidates, 0.7, Overlap::Union).into_iter().map(|i| &candidates[i]);
        Ok(kept.map(|c| squared(&corrected(&c.bounds, &c.offsets, 0.0))).collect())
    }
}

/// By how much the picture is scaled: so that the smallest face has the size of a cell, then down by the factor until
/// the picture is smaller than a cell.
fn scales(width: u32, height: u32, options: &DetectorOptions) -> Vec<f64> {
    let mut scale = CELL as f64 / f64::from(options.min_face);
    let mut shorter = f64::from(width.min(height)) * scale;
    let mut scales = Vec::new();
    while shorter >= CELL as f64 {
        scales.push(scale);
        scale *= f64::from(options.factor);
        shorter *= f64::from(options.factor);
    }
    scales
}

impl Level {
    fn new(device: &Device, parameters: &Parameters, width: u32, height: u32, scale: f64) -> Result<Self> {
        let columns = Spans::new(width, scale);
        let rows = Spans::new(height, scale);
        let plan = device.load(&pnet(rows.length, columns.length)?, parameters)?.compile(1, &Options::default())?;
        let tile = |&y: &usize, &x: &usize| {
            let ((left, width), (top, height)) = (columns.source(x), rows.source(y));
            Tile { crop: Crop { x: left, y: top, width, height, mirror: false }, x, y }
        };
        let tiles = rows.starts.iter().flat_map(|y| columns.starts.iter().map(move |x| (y, x)));
        Ok(Level { scale, plan, tiles: tiles.map(|(y, x)| tile(y, x)).collect() })
    }

    /// Starts to look at a tile.
    fn submit(&mut self, picture: &Picture, tile: usize) -> Result<()> {
        self.plan.set_picture(picture, &[self.tiles[tile].crop], Filter::Area, &Normalization::MTCNN)?;
        self.plan.begin()
    }

    /// What is found in all tiles, of which the first was submitted.
    async fn collect(&mut self, picture: &Picture, threshold: f32, reading: Reading) -> Result<Vec<Candidate>> {
        let mut found = Vec::new();
        for tile in 0..self.tiles.len() {
            if tile > 0 {
                self.submit(picture, tile)?;
            }
            self.read(tile, threshold, reading, &mut found).await?;
        }
        if found.len() > MAX_PROPOSALS {
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
            found.truncate(MAX_PROPOSALS);
        }
        Ok(found)
    }

    /// Appends what was found in the tile that was submitted last.
    async fn read(&mut self, tile: usize, threshold: f32, reading: Reading, found: &mut Vec<Candidate>) -> Result<()> {
        let outputs = self.plan.read_begun(reading).await?;
        let (width, Tile { x, y, .. }, scale) = (outputs[0].shape()[3], &self.tiles[tile], self.scale as f32);
        let cells = outputs[0].shape()[2] * width;
        let (scores, offsets) = (&outputs[0].data()[cells..], outputs[1].data());
        for cell in (0..cells).filter(|&cell| scores[cell] >= threshold) {
            let (left, top) = (x + STRIDE * (cell % width), y + STRIDE * (cell / width));
            let pixel = |at: usize| (at as f32 / scale).floor();
            found.push(Candidate {
                bounds: [pixel(left + 1), pixel(top + 1), pixel(left + CELL), pixel(top + CELL)],
                score: scores[cell],
                offsets: [0, 1, 2, 3].map(|edge| offsets[edge * cells + cell]),
            });
        }
        Ok(())
    }
}

/// How one axis of a scaled picture is cut into tiles.
#[derive(Debug, PartialEq)]
struct Spans {
    /// Pixels of the picture.
    size: u32,
    /// Pixels of the scaled picture.
    scaled: usize,
    /// Pixels of each tile.
    length: usize,
    /// Where the tiles start in the scaled picture.
    starts: Vec<usize>,
}

impl Spans {
    fn new(size: u32, scale: f64) -> Self {
        let scaled = (f64::from(size) * scale + 1.0) as usize;
        if scaled <= MAX_TILE {
            return Spans { size, scaled, length: scaled, starts: vec![0] };
        }
        // Even starts and lengths: the cells of all tiles then lie where those of the whole would. The last of an odd
        // number of pixels is left out.
        let count = (scaled - SHARED).div_ceil(MAX_TILE - SHARED);
        let length = ((scaled - SHARED).div_ceil(count) + SHARED).next_multiple_of(STRIDE);
        let last = (scaled - length) / STRIDE * STRIDE;
        let starts = (0..count).map(|tile| (tile * (length - SHARED)).min(last)).collect();
        Spans { size, scaled, length, starts }
    }

    /// Start and length in the picture of the tile that starts here: all of it for a single tile, otherwise to the
    /// nearest pixel.
    fn source(&self, start: usize) -> (u32, u32) {
        let pixel = |at: usize| (at as f64 * f64::from(self.size) / self.scaled as f64).round() as u32;
        let (first, end) = (pixel(start), pixel(start + self.length));
        (first, end - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pyramid_ends_where_the_picture_is_smaller_than_a_cell() {
        let options = DetectorOptions::default();
        // 12/20 × 40 = 24, 17.0, 12.06, 8.6
        assert_eq!(scales(40, 300, &options).len(), 3);
        assert_eq!(scales(20, 20, &options), [0.6]);
        assert!(scales(19, 1000, &options).is_empty());
    }

    #[test]
    fn a_picture_of_moderate_size_is_one_tile() {
        let spans = Spans::new(512, 0.6);
        assert_eq!((spans.length, spans.starts.as_slice()), (308, [0].as_slice()));
        assert_eq!(spans.source(0), (0, 512));
    }

    #[test]
    fn tiles_hold_every_cell_of_the_whole() {
        for size in [2135, 2136, 2140, 4000, 9999, 65_535] {
            let spans = Spans::new(size, 0.6);
            assert!(spans.starts.len() > 1 && spans.length <= MAX_TILE, "{spans:?}");
            let mut covered = 0;
            for &start in &spans.starts {
                assert!(start % STRIDE == 0 && start <= covered, "{spans:?}");
                let (first, length) = spans.source(start);
                assert!(length > 0 && first + length <= size);
                // The starts of the cells that lie whole in this tile.
                covered = start + spans.length - CELL + STRIDE;
            }
            // The next cell would leave the scaled picture.
            assert!(covered + CELL > spans.scaled, "{spans:?}");
        }
    }
}
