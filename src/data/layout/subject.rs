//! Whom a picture shows, from the name of its file.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// The subject that a file's name tells in the manner of CK+ (`S010_004_00000017.png`: subject, sequence, frame) or
/// JAFFE (`KA.AN1.39.tiff`).
pub(super) fn of_file(path: &Path) -> Option<&str> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    ck_plus(name).or_else(|| jaffe(name).map(|(subject, _)| subject))
}

fn ck_plus(name: &str) -> Option<&str> {
    let digits = |text: &str, number: usize| text.len() == number && text.bytes().all(|byte| byte.is_ascii_digit());
    let subject = name.get(..4)?;
    let is_subject = subject.starts_with('S') && digits(&subject[1..], 3);
    let sequence = name.get(4..9)?.strip_prefix('_')?.strip_suffix('_')?;
    let frame = name.get(9..17)?;
    let ends = !name.as_bytes().get(17).is_some_and(u8::is_ascii_digit);
    (is_subject && digits(sequence, 3) && digits(frame, 8) && ends).then_some(subject)
}

/// JAFFE's subject and the code of the expression: `KA` and `AN` of `KA.AN1.39.tiff`.
pub(super) fn jaffe(name: &str) -> Option<(&str, &str)> {
    let mut fields = name.split('.');
    let (subject, expression, number) = (fields.next()?, fields.next()?, fields.next()?);
    let code = expression.get(..2)?;
    let is_code = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = is_code(subject) && is_code(code) && is_number(&expression[2..]) && is_number(number);
    (fits && fields.next().is_some()).then_some((subject, code))
}

/// Names of which each is kept once.
#[derive(Default)]
pub(super) struct Interned {
    names: HashSet<Arc<str>>,
}

impl Interned {
    /// The kept copy of this name.
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let new: Arc<str> = name.into();
        self.names.insert(new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_read_from_names_of_the_known_forms_only() {
        let subject = |name: &str| of_file(Path::new(name)).map(str::to_owned);
        assert_eq!(subject("happy/S010_004_00000017.png").as_deref(), Some("S010"));
        assert_eq!(subject("S132_006_00000023_flipped.png").as_deref(), Some("S132"));
        assert_eq!(subject("KA.AN1.39.tiff").as_deref(), Some("KA"));
        for other in
            ["S010_004_000000170.png", "S01_004_00000017.png", "Training_10019449.jpg", "S010.png", "ß010_004_0"]
        {
            assert_eq!(subject(other), None, "{other}");
        }
        for other in ["KA.AN.39.tiff", "KA.AN1.tiff", "KA.AN1.39", "ka.an1.39.tiff", "K.A1.3.tiff", ".."] {
            assert_eq!(subject(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_kept_once() {
        let mut names = Interned::default();
        let first = names.get("ann");
        assert!(Arc::ptr_eq(&first, &names.get("ann")));
        assert_eq!(&*names.get("bob"), "bob");
    }
}
