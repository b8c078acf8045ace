//! From what YuNet says of its cells to faces.

use crate::nn::yunet::STRIDES;
use crate::prepare::face::Face;

/// The faces of this score and above in the picture that the network was given, with coordinates in its pixels. `output`
/// is that of [`crate::nn::yunet::network`], `grids` the rows and columns of its cells.
pub(super) fn faces(output: &[f32], grids: &[[usize; 2]; 3], least: f32) -> Vec<Face> {
    let cells: usize = grids.iter().map(|[rows, columns]| rows * columns).sum();
    let mut faces = Vec::new();
    let mut first = 0;
    for (stride, [rows, columns]) in STRIDES.into_iter().zip(grids) {
        for place in 0..rows * columns {
            let value = |row: usize| output[row * cells + first + place];
            let score = (value(0).clamp(0.0, 1.0) * value(1).clamp(0.0, 1.0)).sqrt();
            if score >= least {
                let corner = [(place % columns) as f32, (place / columns) as f32];
                faces.push(face(score, corner, stride as f32, value));
            }
        }
        first += rows * columns;
    }
    faces
}

/// The face of a cell whose upper left corner is here, in strides.
fn face(score: f32, corner: [f32; 2], stride: f32, value: impl Fn(usize) -> f32) -> Face {
    let point = |row: usize| [0, 1].map(|axis| (corner[axis] + value(row + axis)) * stride);
    let [x, y] = point(2);
    let [width, height] = [4, 5].map(|row| value(row).exp() * stride);
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    Face {
        bounds: [left, top, left + width, top + height],
        probability: score,
        landmarks: [6, 8, 10, 12, 14].map(point),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::yunet::{CELL_VALUES, grids};

    /// The output for a picture of 64×96 that says of one cell what it is told, and of all others nothing.
    fn output(cell: usize, values: [f32; CELL_VALUES]) -> (Vec<f32>, [[usize; 2]; 3]) {
        let grids = grids(64, 96);
        let cells: usize = grids.iter().map(|[rows, columns]| rows * columns).sum();
        assert_eq!(cells, 8 * 12 + 4 * 6 + 2 * 3);
        let mut output = vec![0.0; CELL_VALUES * cells];
        values.iter().enumerate().for_each(|(row, value)| output[row * cells + cell] = *value);
        (output, grids)
    }

    /// A box of 2×4 strides around a point half a stride and a quarter from the corner.
    fn values(class: f32, object: f32) -> [f32; CELL_VALUES] {
        let [width, height] = [2.0_f32.ln(), 4.0_f32.ln()];
        [class, object, 0.5, 0.25, width, height, 0.0, -1.0, 1.0, -1.0, 0.5, 0.0, 0.0, 1.0, 1.0, 1.0]
    }

    #[track_caller]
    fn check(cell: usize, [column, row]: [f32; 2], stride: f32) {
        let (output, grids) = output(cell, values(0.9, 0.9));
        let [face] = faces(&output, &grids, 0.8).try_into().unwrap();
        let near = |a: f32, b: f32| assert!((a - b * stride).abs() < 1e-4, "{face:?}");
        let (x, y) = (column + 0.5, row + 0.25);
        let wanted = [x - 1.0, y - 2.0, x + 1.0, y + 2.0];
        face.bounds.iter().zip(wanted).for_each(|(&edge, wanted)| near(edge, wanted));
        let points = [[0.0, -1.0], [1.0, -1.0], [0.5, 0.0], [0.0, 1.0], [1.0, 1.0]];
        for (found, [x, y]) in face.landmarks.iter().zip(points) {
            near(found[0], column + x);
            near(found[1], row + y);
        }
        assert!((face.probability - 0.9).abs() < 1e-6);
    }

    #[test]
    fn a_cell_of_each_grid_is_a_face_where_it_lies() {
        check(0, [0.0, 0.0], 8.0);
        check(3 * 12 + 7, [7.0, 3.0], 8.0);
        check(8 * 12 + 2 * 6 + 5, [5.0, 2.0], 16.0);
        check(8 * 12 + 4 * 6 + 3 + 2, [2.0, 1.0], 32.0);
    }

    #[test]
    fn a_score_is_the_geometric_mean_of_two_that_are_kept_within_0_and_1() {
        let scores = |class, object, least| {
            let (output, grids) = output(20, values(class, object));
            faces(&output, &grids, least).iter().map(|face| face.probability).collect::<Vec<_>>()
        };
        assert_eq!(scores(0.25, 1.0, 0.5), [0.5]);
        assert_eq!(scores(0.25, 4.0, 0.5), [0.5]);
        assert!(scores(0.2, 1.0, 0.5).is_empty());
        assert!(scores(-1.0, -1.0, 0.5).is_empty());
        assert!(scores(f32::NAN, 1.0, 0.5).is_empty());
    }
}
