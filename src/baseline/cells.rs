//! Histograms of codes over a grid of cells.

use super::circle::Codes;

/// The square roots of the shares that each code has in each cell, cell by cell: `cells` × `cells` × `bins` values.
/// `bin` says where a code counts; those without a bin only lower the shares of the others. The squares of a cell's
/// values add up to at most 1, and the dot product of two cells is the Bhattacharyya coefficient of their histograms
/// (the Hellinger kernel).
pub(super) fn histograms(codes: &Codes, cells: usize, bins: usize, bin: impl Fn(u16) -> Option<usize>) -> Vec<f32> {
    let height = codes.values.len() / codes.width.max(1);
    let mut counts = vec![0.0f32; cells * cells * bins];
    let mut sizes = vec![0.0f32; cells * cells];
    for (index, &code) in codes.values.iter().enumerate() {
        let (x, y) = (index % codes.width, index / codes.width);
        let cell = (y * cells / height) * cells + x * cells / codes.width;
        sizes[cell] += 1.0;
        if let Some(bin) = bin(code) {
            counts[cell * bins + bin] += 1.0;
        }
    }
    for (cell, &size) in counts.chunks_exact_mut(bins.max(1)).zip(&sizes) {
        cell.iter_mut().for_each(|count| *count = (*count / size.max(1.0)).sqrt());
    }
    counts
}

/// Which bin each pattern of `points` bits has, and how many bins there are: one for each *uniform* pattern, whose bits
/// change at most twice around the circle, and the last for all others (u2; Ojala et al. 2002). For 8 points these are
/// 58 and 1.
pub(super) fn uniform_bins(points: usize) -> (Vec<usize>, usize) {
    let transitions = |pattern: u32| {
        let turned = pattern >> 1 | (pattern & 1) << (points - 1);
        (pattern ^ turned).count_ones()
    };
    let patterns = 0..1u32 << points;
    let others = patterns.clone().filter(|&pattern| transitions(pattern) <= 2).count();
    let mut next = 0..others;
    let bin = |pattern| if transitions(pattern) <= 2 { next.next().unwrap_or(others) } else { others };
    (patterns.map(bin).collect(), others + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_58_uniform_patterns_of_8_bits_and_one_bin_for_the_rest() {
        let (bins, count) = uniform_bins(8);
        assert_eq!(count, 59);
        assert_eq!(bins.iter().filter(|&&bin| bin < 58).count(), 58);
        assert_eq!((bins[0], bins[1], bins[255]), (0, 1, 57));
        // 0101 changes four times, 0001_1100 twice, 1000_0001 twice (its ends are neighbours).
        assert_eq!(bins[0b0101], 58);
        assert_ne!(bins[0b0001_1100], 58);
        assert_ne!(bins[0b1000_0001], 58);
        // P(P − 1) + 3 bins for P points.
        assert_eq!(uniform_bins(16).1, 243);
    }

    #[test]
    fn each_cell_counts_its_own_codes() {
        // 4×4 codes in 2×2 cells: the left upper cell holds 0, 0, 1, 7, of which 7 has no bin.
        let values = vec![0, 0, 1, 1, 1, 7, 1, 1, 0, 1, 7, 7, 0, 1, 7, 7];
        let histogram = histograms(&Codes { width: 4, values }, 2, 2, |code| (code < 2).then_some(usize::from(code)));
        let half = 0.5f32.sqrt();
        assert_eq!(histogram, [half, 0.5, 0.0, 1.0, half, half, 0.0, 0.0]);
    }

    #[test]
    fn cells_that_do_not_divide_the_width_share_all_codes() {
        let codes = Codes { width: 5, values: vec![0; 25] };
        assert_eq!(histograms(&codes, 3, 1, |_| Some(0)), [1.0; 9]);
        assert_eq!(histograms(&Codes { width: 0, values: vec![] }, 2, 1, |_| Some(0)), [0.0; 4]);
    }
}
