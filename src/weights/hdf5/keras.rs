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

/// Sorts by the place of a name in a list, what is not in it behind that, in the order it had.
pub(super) fn sort_by_names<T>(items: &mut [T], names: &[&str], name: impl Fn(&T) -> &str) {
    let places: BTreeMap<&str, usize> = names.iter().enumerate().rev().map(|(place, name)| (*name, place)).collect();
    items.sort_by_key(|item| places.get(name(item)).copied().unwrap_or(usize::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_cut_into_parts_is_one_list() {
        let texts = |names: &[&str]| Texts { values: names.iter().map(ToString::to_string).collect(), single: false };
        let parts = [("w1", texts(&["c"])), ("w0", texts(&["a", "b"])), ("w3", texts(&["d"]))];
        let attributes = parts.into_iter().map(|(name, texts)| (name.to_owned(), texts)).collect();
        assert_eq!(names(&attributes, "w"), ["a", "b", "c"]);
    }
}
