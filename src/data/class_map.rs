//! The same classes under two names.

use std::collections::HashSet;
use std::fmt;

use crate::error::{Error, Result};

/// The everyday names of a class, each list beginning with the usual one.
const SYNONYMS: [&[&str]; 7] = [
    &["angry", "anger"],
    &["disgust", "disgusted"],
    &["fear", "fearful", "afraid"],
    &["happy", "happiness", "joy"],
    &["neutral", "neutrality"],
    &["sad", "sadness"],
    &["surprise", "surprised"],
];

/// Classes that are numbers: the first one, whose order it is, and what the numbers stand for.
const NUMBERED: [(usize, &str, [&str; 7]); 2] = [
    (0, "FER2013", ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]),
    (1, "RAF-DB", ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]),
];

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
    /// Whether several classes of the data set may become one.
    merges: bool,
    /// Whose order the data set's numbers are in, where its classes are numbers.
    order: Option<&'static str>,
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
        Ok(ClassMap { pairs, ..ClassMap::default() })
    }

    /// Finds the classes of a data set that have another name than a model's and mean the same: `anger` and `angry`,
    /// `Happiness`, `joy` and `happy`, in any case. Classes called 0 to 6 are taken in FER2013's order, 1 to 7 in
    /// RAF-DB's. Several classes of the data set may mean one of the model's; [`super::Dataset::map_classes`] merges
    /// them. How the map reads is what people should be told.
    ///
    /// ```
    /// use vultus::data::ClassMap;
    ///
    /// let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    /// let map = ClassMap::matching(&names(&["Anger", "calm", "sadness"]), &names(&["angry", "happy", "sad"]));
    /// assert_eq!(map.to_string(), "Anger is the model's angry, sadness its sad");
    /// ```
    pub fn matching(dataset: &[String], model: &[String]) -> Self {
        let (theirs, ours) = (Meanings::of(dataset), Meanings::of(model));
        let same = |class: &String| model.iter().find(|name| ours.of_class(name) == theirs.of_class(class));
        let pair = |class: &String| same(class).map(|name| (name.clone(), class.clone()));
        let named_alike = |class: &String| theirs.order.is_none() && model.contains(class);
        let pairs: Vec<_> = dataset.iter().filter(|class| !named_alike(class)).filter_map(pair).collect();
        let differs = pairs.iter().any(|(model, dataset)| model != dataset);
        let order = theirs.order.filter(|_| differs);
        ClassMap { pairs: if differs { pairs } else { Vec::new() }, merges: true, order }
    }

    /// Finds the classes of a data set that mean the same as another of its classes (`Happy` and `happy`), which
    /// becomes the name of all of them: the usual name if it is among them, else the last.
    pub fn unifying(dataset: &[String]) -> Self {
        let meanings = Meanings { order: None, names: None };
        let usual = |class: &&String| SYNONYMS.iter().any(|names| names[0] == **class);
        let name = |class: &String| {
            let alike = || dataset.iter().filter(|other| meanings.of_class(other) == meanings.of_class(class));
            alike().find(usual).or_else(|| alike().next_back()).filter(|name| *name != class)
        };
        let pairs = dataset.iter().filter_map(|class| name(class).map(|name| (name.clone(), class.clone())));
        ClassMap { pairs: pairs.collect(), merges: true, order: None }
    }

    /// What the classes of a data set stand for if they are numbers in a known order: whose order that is, and the
    /// names in the order of the classes.
    pub fn numbered(dataset: &[String]) -> Option<(&'static str, Vec<&'static str>)> {
        let meanings = Meanings::of(dataset);
        let names = dataset.iter().map(|class| meanings.number(class)).collect::<Option<_>>()?;
        meanings.order.map(|order| (order, names))
    }

    /// Whether no class gets another name.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
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
            Some(twice) if !self.merges => {
                Err(self.refused(format!("two classes of the data set would be called {twice:?}")))
            }
            _ => Ok(renamed),
        }
    }

    fn refused(&self, reason: String) -> Error {
        let pairs: Vec<String> = self.pairs.iter().map(|(model, dataset)| format!("{model}={dataset}")).collect();
        Error::Classes { names: pairs.join(","), reason }
    }
}

/// `anger is the model's angry, sadness its sad`.
impl fmt::Display for ClassMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(order) = self.order {
            write!(f, "in {order}'s order, ")?;
        }
        for (place, (model, dataset)) in self.pairs.iter().enumerate() {
            let is = if place == 0 { " is the model's " } else { " its " };
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{dataset}{is}{model}")?;
        }
        Ok(())
    }
}

/// What the names of a list of classes mean.
struct Meanings {
    /// Whose order their numbers are in, where they are numbers.
    order: Option<&'static str>,
    /// The number of the first class and what all of them stand for.
    names: Option<(usize, [&'static str; 7])>,
}

impl Meanings {
    fn of(classes: &[String]) -> Self {
        let numbers: Option<HashSet<usize>> = classes.iter().map(|class| class.trim().parse().ok()).collect();
        let fits = |&&(first, ..): &&(usize, &str, _)| {
            classes.len() == 7
                && numbers.as_ref().is_some_and(|numbers| (first..first + 7).all(|n| numbers.contains(&n)))
        };
        match NUMBERED.iter().find(fits) {
            Some(&(first, order, names)) => Meanings { order: Some(order), names: Some((first, names)) },
            None => Meanings { order: None, names: None },
        }
    }

    /// What a number stands for.
    fn number(&self, class: &str) -> Option<&'static str> {
        let (first, names) = self.names?;
        names.get(class.trim().parse::<usize>().ok()?.checked_sub(first)?).copied()
    }

    /// The same text for all names of a class.
    fn of_class(&self, class: &str) -> String {
        self.number(class).map_or_else(|| usual_name(class), str::to_owned)
    }
}

/// The same text for all everyday names of a class, in any case.
pub(super) fn usual_name(class: &str) -> String {
    let name = class.trim().to_lowercase();
    let usual = SYNONYMS.iter().find(|names| names.contains(&name.as_str()));
    usual.map_or(name, |names| names[0].to_owned())
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

    fn matched(dataset: &[&str], model: &[&str]) -> String {
        ClassMap::matching(&names(dataset), &names(model)).to_string()
    }

    #[test]
    fn names_that_mean_the_same_are_found_and_others_are_left_alone() {
        let model = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"];
        assert_eq!(matched(&model, &model), "");
        assert_eq!(matched(&["calm", "contempt", "sorrow"], &model), "");
        assert_eq!(
            matched(&["ANGER", "Disgusted", "afraid", "fear", "joy", "Neutrality", "sadness", "Surprised"], &model),
            "ANGER is the model's angry, Disgusted its disgust, afraid its fear, joy its happy, Neutrality its neutral, \
             sadness its sad, Surprised its surprise"
        );
        // The model may have the less usual names, and classes of its own in another case.
        assert_eq!(
            matched(&["sad", "CONTEMPT"], &["Sadness", "contempt"]),
            "sad is the model's Sadness, CONTEMPT its contempt"
        );
    }

    #[test]
    fn numbers_are_taken_in_the_order_of_the_sets_that_count_so() {
        let numbers = |first: usize| (first..first + 7).map(|number| number.to_string()).collect::<Vec<_>>();
        let model = names(&["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]);
        let said = |first| ClassMap::matching(&numbers(first), &model).to_string();
        assert_eq!(
            said(0),
            "in FER2013's order, 0 is the model's angry, 1 its disgust, 2 its fear, 3 its happy, 4 its sad, \
             5 its surprise, 6 its neutral"
        );
        assert_eq!(
            said(1),
            "in RAF-DB's order, 1 is the model's surprise, 2 its fear, 3 its disgust, 4 its happy, 5 its sad, \
             6 its angry, 7 its neutral"
        );
        assert_eq!(said(2), "");
        let (order, meant) = ClassMap::numbered(&numbers(1)).unwrap();
        assert_eq!((order, meant[3]), ("RAF-DB", "happy"));
        assert!(ClassMap::numbered(&numbers(0)[..6]).is_none() && ClassMap::numbered(&model).is_none());
        // A model that has numbers itself knows them by these.
        assert!(ClassMap::matching(&numbers(0), &numbers(0)).is_empty());
        let to_numbers = ClassMap::matching(&names(&["joy", "sad"]), &numbers(0));
        assert_eq!(to_numbers.rename(&names(&["joy", "sad"])).unwrap(), ["3", "4"]);
    }

    #[test]
    fn classes_of_one_set_that_mean_the_same_get_one_name() {
        let unified = |classes: &[&str]| ClassMap::unifying(&names(classes)).rename(&names(classes)).unwrap();
        assert_eq!(unified(&["Happy", "happy", "sad"]), ["happy", "happy", "sad"]);
        assert_eq!(unified(&["anger", "angry", "happy"]), ["angry", "angry", "happy"]);
        assert_eq!(unified(&["Contempt", "contempt"]), ["contempt", "contempt"]);
        assert!(ClassMap::unifying(&names(&["Anger", "sadness", "1"])).is_empty());
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
