//! Which of the data set's classes are which of the model's.

use std::collections::BTreeMap;

use vultus::data::Dataset;

use crate::cli::failure::Failure;
use crate::cli::global::Global;

/// A data set in the classes of a model.
pub struct Classes {
    /// Its samples of classes that the model has, with the model's class numbers.
    pub data: Dataset,
    /// The numbers of samples of its other classes.
    pub left_out: BTreeMap<String, usize>,
    /// The classes that the choice shall be among, where not all are meant.
    pub restricted: Option<Vec<String>>,
}

impl Classes {
    /// Translates a data set's classes into the model's of the same names. The choice is restricted to those that are
    /// named, or where `restrict` holds no name to those that both have.
    pub fn of(data: Dataset, model: &[String], restrict: Option<&[String]>) -> Result<Self, Failure> {
        let common: Vec<String> = model.iter().filter(|class| data.classes.contains(class)).cloned().collect();
        if common.is_empty() {
            let (path, theirs, ours) = (data.path.display(), data.classes.join(", "), model.join(", "));
            let advice = "say which is which with --classes model=dataset,…";
            return Err(Failure::Failed(format!("{path}: has {theirs}, the model {ours}: {advice}")));
        }
        let restricted = match restrict {
            None => None,
            Some(named) if named.iter().any(|name| !name.is_empty()) => {
                if let Some(name) = named.iter().find(|name| !common.contains(name)) {
                    let both = common.join(", ");
                    let reason = format!("{name:?} is not among the classes that data and model both have: {both}");
                    return Err(Failure::Usage(format!("--restrict: {reason}")));
                }
                Some(named.to_vec())
            }
            Some(_) if common.len() < 2 => {
                let class = &common[0];
                return Err(Failure::Usage(format!(
                    "--restrict: {class} is the only class that data and model both have"
                )));
            }
            Some(_) => Some(common),
        };
        let counts = data.classes.iter().cloned().zip(data.counts());
        let left_out = counts.filter(|(class, count)| *count > 0 && !model.contains(class)).collect();
        Ok(Classes { data: data.with_classes(model)?, left_out, restricted })
    }

    /// Says which samples are not evaluated.
    pub fn note_left_out(&self, global: &Global) {
        if !self.left_out.is_empty() {
            let classes: Vec<String> =
                self.left_out.iter().map(|(class, count)| format!("{class} ({count})")).collect();
            let classes = classes.join(", ");
            global.note(&format!(
                "left out, since the model does not have these classes: {classes} (--classes model=dataset,… says \
                 which is which)"
            ));
        }
    }
}
