//! Places for labels, so that none covers another.

/// A rectangle: left, top, right, bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    pub fn around([x, y]: [f64; 2], half: f64) -> Self {
        Area { left: x - half, top: y - half, right: x + half, bottom: y + half }
    }

    /// What both cover.
    pub fn overlap(&self, other: &Area) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    fn within(&self, outer: &Area) -> bool {
        self.left >= outer.left && self.right <= outer.right && self.top >= outer.top && self.bottom <= outer.bottom
    }
}

/// Moves places on a line apart until each is at least `gap` from the next, as little as that takes, within `low` to
/// `high` where there is room. The result is in the order of the input.
pub(super) fn spread(places: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    let mut spread = places.to_vec();
    let mut least = low;
    for &i in &order {
        spread[i] = spread[i].max(least);
        least = spread[i] + gap;
    }
    let mut most = high;
    for &i in order.iter().rev() {
        spread[i] = spread[i].min(most);
        most = spread[i] - gap;
    }
    spread
}

/// For each point the rectangle of a label of this width, near the point, within `bounds`, clear of all `taken` areas
/// and of the other labels. Where that cannot be had, what covers the least.
pub(super) fn place(points: &[[f64; 2]], widths: &[f64], height: f64, taken: &[Area], bounds: Area) -> Vec<Area> {
    let mut placed: Vec<Area> = Vec::with_capacity(points.len());
    for (&point, &width) in points.iter().zip(widths) {
        let cost = |area: &Area| taken.iter().chain(&placed).map(|other| area.overlap(other)).sum::<f64>();
        let mut best: Option<(f64, Area)> = None;
        for area in candidates(point, width, height).filter(|area| area.within(&bounds)) {
            let cost = cost(&area);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, area));
            }
            if cost == 0.0 {
                break;
            }
        }
        let [x, y] = point;
        let centred = Area { left: x, top: y, right: x + width, bottom: y + height };
        placed.push(best.map_or(centred, |(_, area)| area));
    }
    placed
}

/// Rectangles around a point: right, left, above and below, and the same ever further away in more directions.
fn candidates([x, y]: [f64; 2], width: f64, height: f64) -> impl Iterator<Item = Area> {
    (0..24).flat_map(move |ring| {
        let distance = 9.0 + 8.0 * f64::from(ring);
        let directions = if ring == 0 { 8 } else { 16 };
        (0..directions).map(move |direction| {
            // Right first, then left, then the others in between.
            let turn = [0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 7, 9, 3, 13, 5, 11][direction];
            let (sine, cosine) = (std::f64::consts::TAU * f64::from(turn) / 16.0).sin_cos();
            let left = x + cosine * distance - width / 2.0 * (1.0 - sign(cosine));
            let top = y - sine * distance - height / 2.0 * (1.0 + sign(sine));
            Area { left, top, right: left + width, bottom: top + height }
        })
    })
}

/// −1, 0 or 1; 0 also for what rounding left of 0.
fn sign(value: f64) -> f64 {
    if value.abs() < 1e-9 { 0.0 } else { value.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_moved_apart() {
        let spread = spread(&[50.0, 51.0, 10.0, 99.0, 98.0], 10.0, 0.0, 100.0);
        assert_eq!(spread, [50.0, 60.0, 10.0, 100.0, 90.0]);
        assert!(super::spread(&[], 10.0, 0.0, 1.0).is_empty());
    }

    #[test]
    fn labels_of_a_crowd_do_not_overlap() {
        let points: Vec<[f64; 2]> =
            (0..14).map(|i| [200.0 + f64::from(i % 4) * 6.0, 150.0 + f64::from(i / 4) * 5.0]).collect();
        let taken: Vec<Area> = points.iter().map(|&point| Area::around(point, 5.0)).collect();
        let bounds = Area { left: 40.0, top: 10.0, right: 460.0, bottom: 280.0 };
        let areas = place(&points, &[80.0; 14], 14.0, &taken, bounds);
        for (i, area) in areas.iter().enumerate() {
            assert!(area.within(&bounds), "{area:?}");
            for other in areas[..i].iter().chain(&taken) {
                assert_eq!(area.overlap(other), 0.0, "{area:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_label_stands_right_of_a_lonely_point() {
        let bounds = Area { left: 0.0, top: 0.0, right: 200.0, bottom: 100.0 };
        let areas = place(&[[50.0, 50.0], [190.0, 50.0]], &[40.0, 40.0], 14.0, &[], bounds);
        assert_eq!(areas[0], Area { left: 59.0, top: 43.0, right: 99.0, bottom: 57.0 });
        assert_eq!(areas[1].right, 181.0);
    }
}
