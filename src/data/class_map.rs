//! The same classes under two names.

use std::collections::HashSet;

use crate::error::{Error, Result};

/// Which class of a model is meant by a class of a data set, where their names differ.
///
/// ```
/// use vultus::data::ClassMap;
///
/// let map = ClassMap::parse("angry=anger, sad=sadness")?;
/// assert!(map.check_model(&["angry", "happy", "sad"].map(str::to_owned)).is_ok());
/// assert!(map.check_model(&["happy", "sad"].map(str::to_owned)).is_err());
/// assert!(ClassMap::parse("angry=anger,angry=fury").is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassMap {
    /// The model's name and the data set's.
    pairs: Vec<(String, String)>,
}

impl ClassMap {
    /// Reads `model=dataset` pairs, separated by commas: `angry=anger,sad=sadness`. Spaces around names do not count.
    ///
    /// # Errors
    /// [`Error::Classes`] for a pair without `=` or with an empty name, or a name that stands twice on the same side.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |reason: String| Error::Classes { names: text.to_owned(), reason };
        let mut pairs = Vec::new();
        for pair in text.split(',') {
            let sides = pair.split_once('=').map(|(model, dataset)| (model.trim(), dataset.trim()));
            match sides {
                Some((model, dataset)) if !model.is_empty() && !dataset.is_empty() && !dataset.contains('=') => {
                    pairs.push((model.to_owned(), dataset.to_owned()));
                }
                _ => return Err(refused(format!("{pair:?} is no pair model=dataset, such as angry=anger"))),
            }
        }
        let (mut models, mut datasets) = (HashSet::new(), HashSet::new());
        for (model, dataset) in &pairs {
            if !models.insert(model) {
                return Err(refused(format!("the model's class {model:?} is given twice")));
            }
            if !datasets.insert(dataset) {
                return Err(refused(format!("the data set's class {dataset:?} is given twice")));
            }
        }
        Ok(ClassMap { pairs })
    }

    /// Whether the model has all classes that the map says it has.
    ///
    /// # Errors
    /// [`Error::Classes`] naming the first that it has not.
    pub fn check_model(&self, classes: &[String]) -> Result<()> {
        match self.pairs.iter().find(|(model, _)| !classes.contains(model)) {
            Some((model, _)) => Err(self.refused(format!("the model has no class {model:?}, only {}", list(classes)))),
            None => Ok(()),
        }
    }

    /// The data set's classes under the model's names.
    pub(super) fn rename(&self, classes: &[String]) -> Result<Vec<String>> {
        if let Some((_, unknown)) = self.pairs.iter().find(|(_, dataset)| !classes.contains(dataset)) {
            return Err(self.refused(format!("the data set has no class {unknown:?}, only {}", list(classes))));
        }
        let new_name = |class: &String| self.pairs.iter().find(|(_, dataset)| dataset == class).map(|pair| &pair.0);
        let renamed: Vec<String> = classes.iter().map(|class| new_name(class).unwrap_or(class).clone()).collect();
        let mut seen = HashSet::new();
        match renamed.iter().find(|&name| !seen.insert(name)) {
            Some(twice) => Err(self.refused(format!("two classes of the data set would be called {twice:?}"))),
            None => Ok(renamed),
        }
    }

    fn refused(&self, reason: String) -> Error {
        let pairs: Vec<String> = self.pairs.iter().map(|(model, dataset)| format!("{model}={dataset}")).collect();
        Error::Classes { names: pairs.join(","), reason }
    }
}

fn list(classes: &[String]) -> String {
    classes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn classes_get_the_names_of_the_model() {
        let map = ClassMap::parse("angry=anger, sad = sadness").unwrap();
        assert_eq!(map.rename(&names(&["anger", "happy", "sadness"])).unwrap(), ["angry", "happy", "sad"]);
        // Names may change places.
        let swap = ClassMap::parse("a=b,b=a").unwrap();
        assert_eq!(swap.rename(&names(&["a", "b"])).unwrap(), ["b", "a"]);
        assert!(map.check_model(&names(&["sad", "angry", "calm"])).is_ok());
    }

    #[test]
    fn maps_that_do_not_fit_are_refused_with_the_name() {
        let parsed = |text: &str| ClassMap::parse(text).unwrap_err().to_string();
        for text in ["", "angry", "angry=", "=anger", "a=b,", "a=b=c"] {
            assert!(parsed(text).contains("is no pair model=dataset"), "{text}: {}", parsed(text));
        }
        assert!(parsed("a=b,a=c").contains("the model's class \"a\" is given twice"));
        assert!(parsed("a=b,c=b").contains("the data set's class \"b\" is given twice"));
        let map = ClassMap::parse("angry=anger").unwrap();
        let renamed = |classes: &[&str]| map.rename(&names(classes)).unwrap_err().to_string();
        assert!(renamed(&["fear"]).contains("the data set has no class \"anger\", only fear"));
        assert!(renamed(&["anger", "angry"]).contains("two classes of the data set would be called \"angry\""));
        let unknown = map.check_model(&names(&["sad"])).unwrap_err().to_string();
        assert!(unknown.contains("angry=anger: the model has no class \"angry\", only sad"), "{unknown}");
    }
}
