//! The program ffmpeg, which turns other formats into Y4M and Y4M into other formats.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
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
}

impl Ffmpeg {
    /// Decodes a file to Y4M, which comes out of the pipe. Rotation is applied, colours become those of BT.601.
    pub fn decode_file(path: &Path) -> Result<(Self, ChildStdout), Failure> {
        let mut name = OsString::from("file:");
        name.push(path);
        let mut command = decoder(name);
        command.stdin(Stdio::null());
        let mut ffmpeg = Ffmpeg::start(&mut command, &path.display().to_string())?;
        let out = ffmpeg.child.stdout.take().ok_or_else(no_pipe)?;
        Ok((ffmpeg, out))
    }

    /// Decodes what can only be read once, as [`Ffmpeg::decode_file`] does a file.
    pub fn decode_stream(name: &str, mut input: impl Read + Send + 'static) -> Result<(Self, ChildStdout), Failure> {
        let mut command = decoder("pipe:0".into());
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
    /// Odd sides get another line of pixels: most codecs cannot have them.
    pub fn encode(name: &Path, temporary: &Path) -> Result<(Self, ChildStdin), Failure> {
        let mut out = OsString::from("file:");
        out.push(temporary);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y", "-f", "yuv4mpegpipe", "-i", "-"]);
        command.args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"]).arg(out);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut ffmpeg = Ffmpeg::start(&mut command, &name.display().to_string())?;
        let pipe = ffmpeg.child.stdin.take().ok_or_else(no_pipe)?;
        Ok((ffmpeg, pipe))
    }

    fn start(command: &mut Command, name: &str) -> Result<Self, Failure> {
        let started = command.stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::Failed(format!("{name}: {ADVICE}")),
            _ => Failure::Failed(format!("{name}: ffmpeg cannot be started: {error}")),
        })?;
        let said = child.stderr.take().map(|pipe| thread::spawn(|| last_words(pipe)));
        Ok(Ffmpeg { child, said })
    }

    /// Waits for its end, for which its pipes must be closed. What it says if it failed.
    pub fn finish(mut self) -> Result<(), String> {
        match self.ended() {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
                let said = said.trim();
                Err(if said.is_empty() { format!("ffmpeg failed ({status})") } else { format!("ffmpeg: {said}") })
            }
            None => Err("ffmpeg did not end".to_owned()),
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

fn decoder(input: OsString) -> Command {
    let mut command = Command::new("ffmpeg");
    // A playlist must not make it fetch from elsewhere.
    command.args(["-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-i"]).arg(input);
    command.args(["-map", "0:v:0", "-vf", "scale=out_color_matrix=bt601:out_range=limited"]);
    command.args(["-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-"]);
    command.stdout(Stdio::piped());
    command
}

fn no_pipe() -> Failure {
    Failure::Failed("ffmpeg has no pipe".to_owned())
}

/// The end of all that is said.
fn last_words(mut pipe: impl Read) -> String {
    let (mut said, mut part) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = pipe.read(&mut part) {
        said.extend(&part[..count]);
        let too_many = said.len().saturating_sub(LAST_WORDS);
        said.drain(..too_many);
    }
    String::from_utf8_lossy(&said).into_owned()
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
    }
}
