//! The line that a Y4M video begins with.

use super::super::MAX_FRAME_PIXELS;
use super::super::color::Range;
use super::super::frame_rate::FrameRate;

/// The magic word.
pub(super) const MAGIC: &str = "YUV4MPEG2";

/// What the planes of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planes {
    /// Luma alone.
    Mono,
    /// Luma, and chroma of a pixel for so many columns and rows.
    Chroma { columns: u32, rows: u32 },
}

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub width: u32,
    pub height: u32,
    /// None where it is unknown (0:0) or not said.
    pub rate: Option<FrameRate>,
    pub planes: Planes,
    pub range: Range,
}

impl Header {
    /// Reads the line, without the line break.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let line = std::str::from_utf8(line).map_err(|_| "its first line is not text".to_owned())?;
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        if words.next() != Some(MAGIC) {
            return Err(format!("it does not begin with {MAGIC}"));
        }
        let (mut width, mut height) = (None, None);
        let (mut rate, mut planes, mut range) = (None, subsampled(2, 2), Range::Limited);
        for word in words {
            let Some(tag) = word.chars().next() else { continue };
            let value = &word[tag.len_utf8()..];
            match tag {
                'W' => width = Some(side("width", value)?),
                'H' => height = Some(side("height", value)?),
                'F' => rate = parse_rate(value)?,
                'C' => planes = parse_planes(value)?,
                'X' if value == "COLORRANGE=FULL" => range = Range::Full,
                // Interlacing, the pixels' shape, comments: nothing that changes what is in the planes.
                _ => {}
            }
        }
        let (Some(width), Some(height)) = (width, height) else {
            return Err("its first line does not say the width (W) and the height (H)".to_owned());
        };
        if u64::from(width) * u64::from(height) > MAX_FRAME_PIXELS {
            return Err(format!("its frames have {width}×{height} pixels, at most {MAX_FRAME_PIXELS} are read"));
        }
        Ok(Header { width, height, rate, planes, range })
    }

    /// Width and height of each chroma plane.
    pub fn chroma_size(&self) -> (usize, usize) {
        match self.planes {
            Planes::Mono => (0, 0),
            Planes::Chroma { columns, rows } => {
                (self.width.div_ceil(columns) as usize, self.height.div_ceil(rows) as usize)
            }
        }
    }

    /// The bytes of a frame.
    pub fn frame_bytes(&self) -> usize {
        let (width, height) = self.chroma_size();
        self.width as usize * self.height as usize + 2 * width * height
    }
}

fn subsampled(columns: u32, rows: u32) -> Planes {
    Planes::Chroma { columns, rows }
}

fn side(name: &str, value: &str) -> Result<u32, String> {
    let side = value.parse().ok().filter(|&side| side > 0);
    side.ok_or_else(|| format!("its first line says the {name} {value:?}, which is no number of pixels"))
}

fn parse_rate(value: &str) -> Result<Option<FrameRate>, String> {
    let wrong = || format!("its first line says the frame rate {value:?}, which is no ratio such as 25:1");
    let (numerator, denominator) = value.split_once(':').ok_or_else(wrong)?;
    let whole = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    Ok(FrameRate::new(whole(numerator)?, whole(denominator)?))
}

fn parse_planes(value: &str) -> Result<Planes, String> {
    match value {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(subsampled(2, 2)),
        "422" => Ok(subsampled(2, 1)),
        "444" => Ok(subsampled(1, 1)),
        "mono" => Ok(Planes::Mono),
        _ => {
            let known = "420jpeg, 420mpeg2, 420paldv, 422, 444 and mono with 8 bits are read";
            Err(format!("its frames are stored as {value:?}: {known}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_of_it() {
        let header = Header::parse(b"YUV4MPEG2 W5 H3 F30000:1001 Ip A128:117 C420mpeg2 XYSCSS=420MPEG2").unwrap();
        let rate = FrameRate::new(30000, 1001);
        let wanted = Header { width: 5, height: 3, rate, planes: subsampled(2, 2), range: Range::Limited };
        assert_eq!(header, wanted);
        // Odd sides: chroma of 3 × 2.
        assert_eq!((header.chroma_size(), header.frame_bytes()), ((3, 2), 15 + 12));
        let sizes = ["C422", "C444", "Cmono", "C420jpeg XCOLORRANGE=FULL", ""]
            .map(|more| Header::parse(format!("YUV4MPEG2 H3 W5 {more}").as_bytes()).unwrap().frame_bytes());
        assert_eq!(sizes, [15 + 18, 45, 15, 27, 27]);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let cases = [
            ("YUV4MPEG2 W5", "the height (H)"),
            ("YUV4MPEG2 W0 H3", "the width \"0\""),
            ("YUV4MPEG2 W-5 H3", "the width \"-5\""),
            ("YUV4MPEG2 W99999999999 H3", "no number"),
            ("YUV4MPEG2 W65536 H65536", "65536×65536 pixels"),
            ("YUV4MPEG2 W4294967295 H4294967295", "at most"),
            ("YUV4MPEG2 W5 H3 F25", "25:1"),
            ("YUV4MPEG2 W5 H3 C420p10", "\"420p10\""),
            ("YUV4MPEG2 W5 H3 C444alpha", "8 bits are read"),
            ("YUV4MPEG W5 H3", "YUV4MPEG2"),
        ];
        for (line, reason) in cases {
            let error = Header::parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
        assert!(Header::parse(b"YUV4MPEG2 \xFF").is_err());
        assert_eq!(Header::parse(b"YUV4MPEG2 W5 H3 F0:0").unwrap().rate, None);
    }
}
