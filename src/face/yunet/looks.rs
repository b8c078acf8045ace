//! In which sizes and parts YuNet looks at a picture: it finds faces from about 10 pixels on, and up to some hundreds.

use std::ops::Range;

use crate::ops::Crop;
use crate::prepare::face::Face;

/// The longest side of what the network sees: its first activations then are 26 MB. Larger pictures are scaled down.
const LONGEST: u32 = 1280;

/// Faces of fewer pixels are not seen.
const LEAST_SEEN: f32 = 10.0;

/// Faces of more pixels are looked for in a scaled picture too. At 640 pixels the one that fills a picture is found with
/// a box that is 5 % too high, at 960 with one that is a quarter too small, and at 1120 not at all.
const MOST_SEEN: f32 = 400.0;

/// A face that fills a picture of this side is found as well as others.
const FILLED: f32 = 320.0;

/// How much smaller the scaled picture is, each way: faces of [`MOST_SEEN`] pixels have 100 there, and those that fill the
/// longest side 320.
const QUARTER: f32 = 0.25;

/// A way to look at pictures of one size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    /// Height and width of what the network sees.
    pub size: [usize; 2],
    /// The parts of the picture that it sees, one after the other. They are of one size.
    pub parts: Vec<Crop>,
    /// Which faces are taken from it, by the longer side of their box in pixels of the picture.
    pub sides: Range<f32>,
}

/// The ways to look at a picture of this size for faces from this side on; none if it is smaller than such a face. Smaller
/// faces are seen too: left out before, they could not cover what is taken for a larger one in their place.
pub(super) fn looks(width: u32, height: u32, min_face: f32) -> Vec<Look> {
    if (width.min(height) as f32) < min_face {
        return Vec::new();
    }
    let longer = width.max(height);
    let scale = (LONGEST as f32 / longer as f32).min(1.0);
    let mut looks = vec![Look::whole(width, height, scale, 0.0..f32::INFINITY)];
    if longer as f32 * scale > FILLED {
        looks.push(Look::whole(width, height, scale * QUARTER, MOST_SEEN / scale..f32::INFINITY));
    }
    let seen = LEAST_SEEN / scale;
    if min_face < seen {
        looks.push(Look::tiled(width, height, 0.0..2.0 * seen));
    }
    looks
}

impl Look {
    fn whole(width: u32, height: u32, scale: f32, sides: Range<f32>) -> Self {
        let size = [height, width].map(|side| (side as f32 * scale).round().max(1.0) as usize);
        Look { size, parts: vec![Crop::whole(width, height)], sides }
    }

    /// The picture in its own size, in tiles that have so much in common that each of these faces lies whole in one.
    fn tiled(width: u32, height: u32, sides: Range<f32>) -> Self {
        let shared = ((1.5 * sides.end) as u32).min(LONGEST / 2);
        let [columns, rows] = [width, height].map(|side| Spans::new(side, shared));
        let part = |&y: &u32, &x: &u32| Crop { x, y, width: columns.length, height: rows.length, mirror: false };
        let parts = rows.starts.iter().flat_map(|y| columns.starts.iter().map(move |x| (y, x)));
        Look {
            size: [rows.length as usize, columns.length as usize],
            parts: parts.map(|(y, x)| part(y, x)).collect(),
            sides,
        }
    }

    /// The face in the picture, of a face in one of the parts, if it is to be taken from there. One that crosses an edge
    /// between parts is seen whole in another part.
    pub fn placed(&self, face: Face, part: &Crop, [width, height]: [u32; 2]) -> Option<Face> {
        let axis = [
            (part.x as f32, part.width as f32 / self.size[1] as f32),
            (part.y as f32, part.height as f32 / self.size[0] as f32),
        ];
        let place = |value: f32, (start, scale): (f32, f32)| start + value * scale;
        let [left, top, right, bottom] = [0, 1, 2, 3].map(|edge| place(face.bounds[edge], axis[edge % 2]));
        let inside = |low: f32, high: f32, start: u32, length: u32, size: u32| {
            (start == 0 || low >= start as f32) && (start + length == size || high <= (start + length) as f32)
        };
        let whole = inside(left, right, part.x, part.width, width) && inside(top, bottom, part.y, part.height, height);
        let landmarks = face.landmarks.map(|[x, y]| [place(x, axis[0]), place(y, axis[1])]);
        let taken = whole && self.sides.contains(&(right - left).max(bottom - top));
        taken.then_some(Face { bounds: [left, top, right, bottom], landmarks, ..face })
    }
}

/// How one side of a picture is cut into tiles.
struct Spans {
    /// Pixels of each tile.
    length: u32,
    /// Where they start.
    starts: Vec<u32>,
}

impl Spans {
    fn new(size: u32, shared: u32) -> Self {
        if size <= LONGEST {
            return Spans { length: size, starts: vec![0] };
        }
        let count = (size - shared).div_ceil(LONGEST - shared);
        // So that nothing must be filled up for the network.
        let length = ((size - shared).div_ceil(count) + shared).next_multiple_of(32);
        Spans { length, starts: (0..count).map(|tile| (tile * (length - shared)).min(size - length)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_moderate_size_is_seen_as_it_is() {
        let seen = looks(640, 480, 20.0);
        assert_eq!((seen[0].size, &seen[0].parts[..]), ([480, 640], &[Crop::whole(640, 480)][..]));
        assert_eq!((seen[1].size, seen[1].sides.start, seen.len()), ([120, 160], 400.0, 2));
        assert_eq!(looks(320, 240, 20.0).len(), 1);
        assert_eq!(looks(1280, 1280, 12.0)[0].size, [1280, 1280]);
    }

    #[test]
    fn a_picture_smaller_than_the_smallest_face_is_not_looked_at() {
        assert!(looks(1, 1, 12.0).is_empty() && looks(2000, 19, 20.0).is_empty());
        assert_eq!(looks(2000, 20, 20.0)[0].size, [13, 1280]);
    }

    #[test]
    fn a_large_picture_is_cut_into_tiles_where_small_faces_are_wanted() {
        assert_eq!(looks(2560, 1440, 20.0).len(), 2);
        let seen = looks(4000, 3000, 20.0);
        assert_eq!((seen[0].size, seen[1].size), ([960, 1280], [240, 320]));
        assert_eq!((seen[2].sides.clone(), seen[2].parts.len()), (0.0..62.5, 4 * 3));
        // The faces are large enough for the scaled picture.
        assert_eq!(looks(4000, 3000, 32.0).len(), 2);
    }

    #[test]
    fn every_small_face_lies_whole_in_a_tile() {
        for size in [1281, 1300, 2600, 4000, 9999, 65_535] {
            for shared in [60, 94, 640] {
                let Spans { length, starts } = Spans::new(size, shared);
                assert!(starts.len() > 1 && length <= LONGEST && length % 32 == 0, "{size} {shared}");
                assert!(starts.windows(2).all(|pair| pair[0] < pair[1] && pair[0] + length >= pair[1] + shared));
                assert_eq!((starts[0], starts[starts.len() - 1] + length), (0, size));
            }
        }
    }

    #[test]
    fn a_face_is_placed_where_its_part_lies() {
        let look = Look { size: [50, 100], parts: Vec::new(), sides: 12.0..80.0 };
        let part = Crop { x: 200, y: 300, width: 200, height: 200, mirror: false };
        let face = |bounds| Face { bounds, probability: 0.9, landmarks: [[10.0, 20.0]; 5] };
        let placed = |bounds, picture| look.placed(face(bounds), &part, picture).map(|face| face.bounds);
        let (picture, bounds) = ([1000, 1000], [5.0, 10.0, 15.0, 20.0]);
        assert_eq!(placed(bounds, picture), Some([210.0, 340.0, 230.0, 380.0]));
        assert_eq!(look.placed(face(bounds), &part, picture).unwrap().landmarks, [[220.0, 380.0]; 5]);
        // Too small and too large for this look.
        assert_eq!(placed([5.0, 10.0, 10.0, 12.0], picture), None);
        assert_eq!(placed([5.0, 10.0, 15.0, 31.0], picture), None);
        // Over an edge within the picture, and over the same as an edge of the picture.
        assert_eq!(placed([90.0, 10.0, 101.0, 20.0], picture), None);
        assert_eq!(placed([-1.0, 10.0, 10.0, 20.0], picture), None);
        assert_eq!(placed([90.0, 10.0, 101.0, 20.0], [400, 1000]), Some([380.0, 340.0, 402.0, 380.0]));
    }
}
