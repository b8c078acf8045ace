//! The order that Keras gives to its layers and their weights, which HDF5 itself does not keep.

use std::collections::BTreeMap;

use super::attribute::Texts;

/// The names of an attribute's list, which Keras cuts into `NAME0`, `NAME1` and so on where it is long.
pub(super) fn names<'t>(attributes: &'t BTreeMap<String, Texts>, name: &str) -> Vec<&'t str> {
    let list = |name: &str| attributes.get(name).map(|texts| texts.values.iter().map(String::as_str));
    match list(name) {
        Some(names) => names.collect(),
        None => (0..).map_while(|part| list(&format!("{name}{part}"))).flatten().collect(),
    }
}

/// Sorts paths by the place of their first parts in a list, which is a layer or a tensor and may have slashes in its name.
/// What is not in it is behind that, in the order it had.
pub(super) fn sort_by_names<T>(items: &mut [T], names: &[&str], path: impl Fn(&T) -> &str) {
    let places: BTreeMap<&str, usize> = names.iter().enumerate().rev().map(|(place, name)| (*name, place)).collect();
    items.sort_by_cached_key(|item| {
        let path = path(item);
        let mut parts = path.match_indices('/').map(|(end, _)| &path[..end]).chain([path]);
        parts.find_map(|part| places.get(part).copied()).unwrap_or(usize::MAX)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_in_the_order_of_a_list_of_their_first_parts() {
        let mut paths = ["a/w", "block/a/b", "block/a/w", "block/c/w", "d/w", "dd/w"];
        sort_by_names(&mut paths, &["d", "block/a", "a"], |path| path);
        assert_eq!(paths, ["d/w", "block/a/b", "block/a/w", "a/w", "block/c/w", "dd/w"]);
    }

    #[test]
    fn a_list_that_was_cut_into_parts_is_one_list() {
        let texts = |names: &[&str]| Texts { values: names.iter().map(ToString::to_string).collect(), single: false };
        let parts = [("w1", texts(&["c"])), ("w0", texts(&["a", "b"])), ("w3", texts(&["d"]))];
        let attributes = parts.into_iter().map(|(name, texts)| (name.to_owned(), texts)).collect();
        assert_eq!(names(&attributes, "w"), ["a", "b", "c"]);
    }
}
