//! The precision that `--precision` asks for.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use vultus::Precision;

/// Takes the names of precisions.
pub fn parser() -> impl TypedValueParser<Value = Precision> {
    let by_name = |name: String| Precision::ALL.into_iter().find(|precision| precision.name() == name);
    PossibleValuesParser::new(Precision::ALL.map(Precision::name)).map(move |name| by_name(name).unwrap_or_default())
}
