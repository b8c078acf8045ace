//! How the page looks: its colours in both themes, and the style sheet.

use std::fmt::Write as _;

/// Rules that use the colours by their names.
const RULES: &str = include_str!("page.css");

/// The steps of a heat map.
pub(super) const HEAT_STEPS: usize = HEAT.len();

/// The colours of series.
const SERIES: usize = 6;

/// A name, and the colour in the light and in the dark theme.
type Colors = (&'static str, &'static str, &'static str);

/// Surfaces, text and lines. The series are the hues of Okabe and Ito (2008), which people with any kind of colour
/// vision can tell apart, darker or lighter so that they can be read as text.
const COLORS: [Colors; 12] = [
    ("ground", "#ffffff", "#14181d"),
    ("raised", "#f5f7f9", "#1c2229"),
    ("ink", "#1b2026", "#e7ebef"),
    ("muted", "#56606b", "#9da8b4"),
    ("line", "#d6dce2", "#323b45"),
    ("accent", "#0b5cad", "#7ab8ff"),
    ("series0", "#0067a8", "#5fb2f0"),
    ("series1", "#b04a00", "#ff9c5a"),
    ("series2", "#00735a", "#4ccda3"),
    ("series3", "#99417a", "#e59bca"),
    ("series4", "#7a5c00", "#dfb93e"),
    ("series5", "#4c5866", "#b3bfcb"),
];

/// The steps of heat maps from none to all: the cell in both themes, and the text in it.
const HEAT: [(&str, &str, &str, &str); 9] = [
    ("#f3f6fa", "#1b2026", "#1b222b", "#e7ebef"),
    ("#dfe9f4", "#1b2026", "#1b2e41", "#e7ebef"),
    ("#c7dbee", "#1b2026", "#1c3b59", "#e7ebef"),
    ("#a8cae6", "#1b2026", "#1e4a74", "#ffffff"),
    ("#82b5db", "#11161b", "#225a8f", "#ffffff"),
    ("#2b74b0", "#ffffff", "#5a9bd3", "#0b0f13"),
    ("#1c5f9b", "#ffffff", "#7ab2e3", "#0b0f13"),
    ("#104a80", "#ffffff", "#9ac8ef", "#0b0f13"),
    ("#083661", "#ffffff", "#bedcf7", "#0b0f13"),
];

/// The classes that give a series its colour and the dashes of its line. When the colours repeat, bars and dots are
/// hollow and dashes are others, so that twelve can be told apart.
pub(super) fn series_class(number: usize) -> String {
    let round = number / SERIES;
    let hollow = if round % 2 == 1 { " hollow" } else { "" };
    format!("s{} d{}{hollow}", number % SERIES, (number + round) % SERIES)
}

/// The whole style sheet. The reader's theme holds unless another one is chosen on the page; paper is light.
pub(super) fn sheet() -> String {
    let colors = |dark: bool| {
        let mut css = String::new();
        for (name, light_color, dark_color) in COLORS {
            let _ = write!(css, "--{name}:{};", if dark { dark_color } else { light_color });
        }
        for (step, (light_cell, light_ink, dark_cell, dark_ink)) in HEAT.into_iter().enumerate() {
            let (cell, ink) = if dark { (dark_cell, dark_ink) } else { (light_cell, light_ink) };
            let _ = write!(css, "--heat{step}:{cell};--heat-ink{step}:{ink};");
        }
        css
    };
    let (light, dark) = (colors(false), colors(true));
    let mut css = format!(
        ":root{{color-scheme:light;{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root:not(:has(#theme-light:checked)){{color-scheme:dark;{dark}}}}}\n\
         @media screen{{:root:has(#theme-dark:checked){{color-scheme:dark;{dark}}}}}\n"
    );
    for series in 0..SERIES {
        let _ = writeln!(css, ".s{series}{{--series:var(--series{series})}}");
    }
    for step in 0..HEAT_STEPS {
        let _ = writeln!(css, ".h{step} rect{{fill:var(--heat{step})}}.h{step} text{{fill:var(--heat-ink{step})}}");
    }
    css + RULES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of WCAG 2.2.
    fn luminance(color: &str) -> f64 {
        let channel = |place: usize| {
            let value = u8::from_str_radix(&color[place..place + 2], 16).expect("a colour") as f64 / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn color(name: &str) -> [&'static str; 2] {
        let (_, light, dark) = COLORS.into_iter().find(|(known, ..)| *known == name).expect("a known name");
        [light, dark]
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        // The example that is cited as the lightest gray that passes on white.
        assert!((contrast("#767676", "#ffffff") - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_text_can_be_read_in_both_themes() {
        let series = (0..SERIES).map(|i| format!("series{i}"));
        for text in ["ink", "muted", "accent"].map(str::to_owned).into_iter().chain(series) {
            for ground in ["ground", "raised"] {
                for theme in 0..2 {
                    let ratio = contrast(color(&text)[theme], color(ground)[theme]);
                    assert!(ratio >= 4.5, "{text} on {ground}, theme {theme}: {ratio:.2}");
                }
            }
        }
        for (step, (light, light_ink, dark, dark_ink)) in HEAT.into_iter().enumerate() {
            for (cell, ink) in [(light, light_ink), (dark, dark_ink)] {
                let ratio = contrast(cell, ink);
                assert!(ratio >= 4.5, "heat {step}, {ink} on {cell}: {ratio:.2}");
            }
        }
    }

    #[test]
    fn twelve_series_look_different() {
        let classes: std::collections::BTreeSet<String> = (0..12).map(series_class).collect();
        assert_eq!(classes.len(), 12);
        let rules = sheet();
        classes.iter().flat_map(|classes| classes.split(' ')).filter(|&class| class != "d0").for_each(|class| {
            assert!(rules.contains(&format!(".{class}")), "{class}");
        });
    }

    #[test]
    fn heat_goes_one_way() {
        for pair in HEAT.windows(2) {
            assert!(luminance(pair[0].0) > luminance(pair[1].0), "{pair:?}");
            assert!(luminance(pair[0].2) < luminance(pair[1].2), "{pair:?}");
        }
    }

    #[test]
    fn the_rules_name_colours_that_exist() {
        let sheet = sheet();
        for part in RULES.split("var(--").skip(1) {
            let name = part.split([')', ',']).next().unwrap_or_default();
            let set_by_elements = ["series", "width", "side"].contains(&name);
            assert!(set_by_elements || sheet.contains(&format!("--{name}:")), "{name}");
        }
        assert_eq!(sheet.matches('{').count(), sheet.matches('}').count());
    }
}
