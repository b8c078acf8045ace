//! The program ffmpeg, which turns other formats into Y4M and Y4M into other formats.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::cli::failure::Failure;

/// The most of what it says that is kept: the last lines name the cause.
const LAST_WORDS: usize = 2000;
/// How long it may take to end after its pipe has ended: some encoders hold back seconds of the video until then.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is read and written here without ffmpeg, and where it comes from.
const ADVICE: &str = "Y4M and Motion JPEG need no other program, all else needs ffmpeg, which is not installed: it is \
    the package ffmpeg of Debian, Ubuntu, Arch and Homebrew, ffmpeg-free of Fedora, Gyan.FFmpeg of winget";

/// A running ffmpeg. It is stopped when this goes.
pub struct Ffmpeg {
    child: Child,
    said: Option<JoinHandle<String>>,
    /// Whether it decodes.
    is_decoder: bool,
}

/// Where the sound of a video comes from.
pub struct Sound {
    pub path: PathBuf,
    /// Where the video begins in it, in seconds.
    pub from: f64,
}

impl Ffmpeg {
    /// Decodes a file to Y4M, which comes out of the pipe. Rotation is applied, colours become those of BT.601.
    pub fn decode_file(path: &Path) -> Result<(Self, ChildStdout), Failure> {
        let mut command = match address(path) {
            Some(address) => {
                decoder(address.into(), "file,crypto,data,http,https,httpproxy,rtp,rtmp,rtmps,rtsp,srt,tcp,tls,udp")
            }
            // A playlist must not make it fetch from elsewhere.
            None => decoder(as_file(path), LOCAL),
        };
        command.stdin(Stdio::null());
        let mut ffmpeg = Ffmpeg::start(&mut command, &path.display().to_string())?;
        let out = ffmpeg.child.stdout.take().ok_or_else(no_pipe)?;
        Ok((ffmpeg, out))
    }

    /// Decodes what can only be read once, as [`Ffmpeg::decode_file`] does a file.
    pub fn decode_stream(name: &str, mut input: impl Read + Send + 'static) -> Result<(Self, ChildStdout), Failure> {
        let mut command = decoder("pipe:0".into(), LOCAL);
        command.stdin(Stdio::piped());
        let mut ffmpeg = Ffmpeg::start(&mut command, name)?;
        let out = ffmpeg.child.stdout.take().ok_or_else(no_pipe)?;
        let mut pipe = ffmpeg.child.stdin.take().ok_or_else(no_pipe)?;
        // It ends when either side does; that ffmpeg stops reading is nothing to complain about here. Nobody waits for
        // it: it may hang on a standard input that never ends.
        thread::spawn(move || drop(io::copy(&mut input, &mut pipe)));
        Ok((ffmpeg, out))
    }

    /// Finds out whether it is there, for what will be needed later.
    ///
    /// # Errors
    /// [`Failure::Failed`] if it is not, with what to do about it.
    pub fn check(name: &Path) -> Result<(), Failure> {
        let mut command = Command::new("ffmpeg");
        command.arg("-version").stdin(Stdio::null()).stdout(Stdio::null());
        let ffmpeg = Ffmpeg::start(&mut command, &name.display().to_string())?;
        // Whether it works is seen when it is used.
        drop(ffmpeg.finish());
        Ok(())
    }

    /// Encodes the Y4M that is written into the pipe to a file whose extension says how, over the file that is there.
    /// Odd sides get another line of pixels: most codecs cannot have them. Sound, if there is any, goes along.
    pub fn encode(name: &Path, temporary: &Path, sound: Option<&Sound>) -> Result<(Self, ChildStdin), Failure> {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y", "-f", "yuv4mpegpipe", "-i", "-"]);
        if let Some(sound) = sound {
            command.args(["-protocol_whitelist", "file,pipe", "-ss", &sound.from.to_string(), "-i"]);
            command.arg(as_file(&sound.path)).args(["-map", "0:v:0", "-map", "1:a?", "-shortest"]);
        }
        command.args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"]).arg(as_file(temporary));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut ffmpeg = Ffmpeg::start(&mut command, &name.display().to_string())?;
        let pipe = ffmpeg.child.stdin.take().ok_or_else(no_pipe)?;
        Ok((ffmpeg, pipe))
    }

    fn start(command: &mut Command, name: &str) -> Result<Self, Failure> {
        // Ctrl-C is for this process, which ends ffmpeg when the rest of the video is written.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let started = command.stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::Failed(format!("{name}: {ADVICE}")),
            _ => Failure::Failed(format!("{name}: ffmpeg cannot be started: {error}")),
        })?;
        let said = child.stderr.take().map(|pipe| thread::spawn(|| last_words(pipe)));
        let is_decoder = child.stdout.is_some();
        Ok(Ffmpeg { child, said, is_decoder })
    }

    /// Waits for its end, for which its pipes must be closed. What it says if it failed, or, where a video is decoded, if it
    /// went on after damage.
    pub fn finish(mut self) -> Result<(), String> {
        let Some(status) = self.ended() else { return Err("ffmpeg did not end".to_owned()) };
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        match first_lines(&said) {
            // Only errors are asked for: with success they mean that something could not be decoded.
            Some(said) if self.is_decoder || !status.success() => Err(format!("ffmpeg: {said}")),
            None if !status.success() => Err(format!("ffmpeg failed ({status})")),
            _ => Ok(()),
        }
    }

    /// How it ended, if it did so within a while.
    fn ended(&mut self) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(5)),
                _ => return None,
            }
        }
    }
}

impl Drop for Ffmpeg {
    /// Neither leaves it running nor as a zombie.
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What a file may make ffmpeg read.
const LOCAL: &str = "file,pipe";

/// The address that a path is, of a camera or a server.
pub fn address(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '+');
    is_scheme.then_some(text)
}

/// The name of a file, which may begin like an address or an option.
fn as_file(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

fn decoder(input: OsString, protocols: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-protocol_whitelist", protocols, "-i"]).arg(input);
    command.args(["-map", "0:v:0", "-vf", "scale=out_color_matrix=bt601:out_range=limited"]);
    command.args(["-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-"]);
    command.stdout(Stdio::piped());
    command
}

fn no_pipe() -> Failure {
    Failure::Failed("ffmpeg has no pipe".to_owned())
}

/// The first lines of what was said, with how many more there are.
fn first_lines(said: &str) -> Option<String> {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next()?;
    match lines.count() {
        0 => Some(first.to_owned()),
        more => Some(format!("{first} (and {more} more lines)")),
    }
}

/// The end of all that is said.
fn last_words(mut pipe: impl Read) -> String {
    let (mut said, mut part, mut is_cut) = (Vec::new(), [0; 1024], false);
    while let Ok(count @ 1..) = pipe.read(&mut part) {
        said.extend(&part[..count]);
        let too_many = said.len().saturating_sub(LAST_WORDS);
        said.drain(..too_many);
        is_cut |= too_many > 0;
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    // The first line is the end of one then.
    said.split_once('\n').filter(|_| is_cut).map(|(_, rest)| rest.to_owned()).unwrap_or(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_words_are_kept() {
        assert_eq!(last_words(&b"no such codec\n"[..]), "no such codec\n");
        let long = [b"x".repeat(10_000).as_slice(), b"the cause"].concat();
        let kept = last_words(long.as_slice());
        assert!(kept.len() == LAST_WORDS && kept.ends_with("xthe cause"));
        let lines = [b"xy\n".repeat(1000).as_slice(), b"the cause\n"].concat();
        assert!(last_words(lines.as_slice()).starts_with("xy\n"));
        assert_eq!(first_lines("\n"), None);
        assert_eq!(first_lines("no such codec\n").as_deref(), Some("no such codec"));
        assert_eq!(first_lines("one\n\n two\nthree").as_deref(), Some("one (and 2 more lines)"));
    }

    #[test]
    fn addresses_are_told_from_files() {
        let is_address = |text: &str| address(Path::new(text)).is_some();
        assert!(is_address("rtsp://camera.local/1") && is_address("https://example.org/a.mp4"));
        assert!(!is_address("a.mp4") && !is_address("://x") && !is_address("dir/x://y") && !is_address("-"));
    }
}
