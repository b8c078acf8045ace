//! From a gray face to a row of features.

use std::borrow::Cow;

use image::GrayImage;
use image::imageops::{FilterType, resize};
use rayon::prelude::*;

use super::cells::{self, uniform_bins};
use super::circle::{Neighbours, pattern, rotated_pattern};
use super::dominant::DominantPatterns;
use super::rows::Rows;
use super::{FeatureKind, Settings, hog};
use crate::error::{Error, Result};

/// Makes features of faces. What it has learned comes from the training faces only.
#[derive(Clone, Debug)]
pub(super) struct Extractor {
    side: u32,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Drlbp { neighbours: Neighbours, cells: usize, patterns: DominantPatterns },
    Lbp { neighbours: Neighbours, cells: usize, bins: Vec<usize>, count: usize },
    Hog,
}

impl Extractor {
    /// Learns from the training faces what there is to learn: the dominant patterns of DRLBP, else nothing.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for settings out of range.
    pub fn fit(kind: FeatureKind, faces: &[GrayImage], settings: &Settings) -> Result<Self> {
        let (side, cells) = (settings.side, settings.cells);
        if kind == FeatureKind::Hog {
            return match hog::length(side as usize) {
                0 => Err(Error::invalid("HOG", format!("faces of {side}×{side} pixels are too small: 16 are needed"))),
                _ => Ok(Extractor { side, kind: Kind::Hog }),
            };
        }
        let neighbours = Neighbours::new(settings.circle)?;
        if cells == 0 || (side as usize) < neighbours.side(cells) {
            let reason = format!("faces of {side}×{side} pixels cannot be cut into {cells}×{cells} cells");
            return Err(Error::invalid("local binary patterns", reason));
        }
        let kind = if kind == FeatureKind::Drlbp {
            let faces: Vec<GrayImage> = faces.par_iter().map(|face| sized(face, side).into_owned()).collect();
            let patterns = DominantPatterns::learn(&faces, &neighbours, settings.coverage)?;
            Kind::Drlbp { neighbours, cells, patterns }
        } else {
            let (bins, count) = uniform_bins(neighbours.points());
            Kind::Lbp { neighbours, cells, bins, count }
        };
        Ok(Extractor { side, kind })
    }

    /// The number of features.
    pub fn length(&self) -> usize {
        match &self.kind {
            Kind::Drlbp { cells, patterns, .. } => cells * cells * patterns.count(),
            Kind::Lbp { cells, count, .. } => cells * cells * count,
            Kind::Hog => hog::length(self.side as usize),
        }
    }

    /// The features of each face, which is scaled to the extractor's size if it has another.
    pub fn features(&self, faces: &[GrayImage]) -> Rows {
        let columns = self.length();
        let mut values = vec![0.0; faces.len() * columns];
        values.par_chunks_exact_mut(columns.max(1)).zip(faces).for_each(|(row, face)| {
            row.copy_from_slice(&self.row(&sized(face, self.side)));
        });
        Rows { columns, values }
    }

    fn row(&self, face: &GrayImage) -> Vec<f32> {
        match &self.kind {
            Kind::Drlbp { neighbours, cells, patterns } => {
                let codes = neighbours.codes(face, rotated_pattern);
                cells::histograms(&codes, *cells, patterns.count(), |code| patterns.bin(code))
            }
            Kind::Lbp { neighbours, cells, bins, count } => {
                let codes = neighbours.codes(face, pattern);
                cells::histograms(&codes, *cells, *count, |code| bins.get(usize::from(code)).copied())
            }
            Kind::Hog => hog::histograms(face),
        }
    }
}

/// The face as a square of this side.
fn sized(face: &GrayImage, side: u32) -> Cow<'_, GrayImage> {
    if face.dimensions() == (side, side) {
        Cow::Borrowed(face)
    } else {
        Cow::Owned(resize(face, side, side, FilterType::Triangle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Circle;

    fn face(side: u32) -> GrayImage {
        GrayImage::from_fn(side, side, |x, y| image::Luma([(x * x + 3 * y * y + x * y) as u8]))
    }

    #[test]
    fn lengths_follow_from_cells_patterns_and_blocks() {
        let settings = Settings::default();
        let length = |kind, settings: &Settings| {
            let extractor = Extractor::fit(kind, &[face(48)], settings).unwrap();
            let rows = extractor.features(&[face(48), face(100)]);
            assert_eq!(rows.values.len(), 2 * extractor.length());
            rows.check_finite().unwrap();
            extractor.length()
        };
        assert_eq!(length(FeatureKind::Lbp, &settings), 6 * 6 * 59);
        assert_eq!(length(FeatureKind::Lbp, &Settings { cells: 7, ..settings.clone() }), 7 * 7 * 59);
        assert_eq!(length(FeatureKind::Hog, &settings), 900);
        let (most, some) = (Settings { coverage: 0.95, ..settings.clone() }, Settings { coverage: 0.5, ..settings });
        assert!(length(FeatureKind::Drlbp, &most) > length(FeatureKind::Drlbp, &some));
    }

    #[test]
    fn faces_of_another_size_are_scaled() {
        let extractor = Extractor::fit(FeatureKind::Hog, &[], &Settings::default()).unwrap();
        let large = resize(&face(48), 96, 96, FilterType::Triangle);
        let scaled = resize(&large, 48, 48, FilterType::Triangle);
        assert_eq!(extractor.features(&[large]), extractor.features(&[scaled]));
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let fit = |kind, settings: Settings| Extractor::fit(kind, &[face(48)], &settings).map(|_| ());
        let normal = Settings::default;
        assert!(fit(FeatureKind::Hog, Settings { side: 15, ..normal() }).is_err());
        assert!(fit(FeatureKind::Lbp, Settings { cells: 0, ..normal() }).is_err());
        assert!(fit(FeatureKind::Lbp, Settings { cells: 47, ..normal() }).is_err());
        assert!(fit(FeatureKind::Lbp, Settings { cells: 46, ..normal() }).is_ok());
        assert!(fit(FeatureKind::Drlbp, Settings { coverage: f64::NAN, ..normal() }).is_err());
        let circle = Circle { points: 2, radius: 1.0 };
        assert!(fit(FeatureKind::Lbp, Settings { circle, ..normal() }).is_err());
    }
}
