//! Writes what `cksum` says about every file of DIR into DIR.cksum: all of them, or nothing.
//!
//!     cargo build --example checksum && progrun -- target/debug/examples/checksum DIR
//!
//! Shows cancellation by `?`, and cleaning up by `Drop`.

#![expect(clippy::print_stderr, reason = "a small program may speak for itself")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

// --- Copy from here ------------------------------------------------------------------------------
/// Reports progress to progrun, if progrun started this program.
struct Reporter(Option<File>);

impl Reporter {
    /// A number in the environment is no proof: npm, `sudo -E`, Python's subprocess and others
    /// close the descriptor but keep the variable, and the next file that is opened gets the
    /// number. So check what the descriptor is, before opening anything: opening a stranger's pipe
    /// could wait for ever. (By its path, because by its number would be `unsafe`.)
    fn from_env() -> Self {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        let channel = || {
            let path = format!("/dev/fd/{}", std::env::var("PROGRUN_FD").ok()?);
            let info = fs::metadata(&path).ok()?;
            let id = format!("{}:{}", info.dev(), info.ino());
            let ours = info.file_type().is_fifo() && std::env::var("PROGRUN_FD_ID") == Ok(id);
            ours.then(|| File::options().write(true).open(path).ok())?
        };
        Self(channel())
    }

    /// Fails with [`io::ErrorKind::BrokenPipe`] if we are to stop; hand it on with `?`.
    fn report(&self, info: &serde_json::Value) -> io::Result<()> {
        let Some(mut channel) = self.0.as_ref() else {
            return Ok(());
        };
        match channel.write_all(format!("{info}\n").as_bytes()) {
            // The pipe is full, and some other process made it non-blocking: drop this update.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }
}
// --- to here -------------------------------------------------------------------------------------

/// A file that is removed on every way out that returns or unwinds, unless it was renamed by then.
struct Partial(OsString);

impl Drop for Partial {
    fn drop(&mut self) {
        if fs::remove_file(&self.0).is_ok() {
            eprintln!("cleaned up");
        }
    }
}

fn crc(sum: u32, byte: u8) -> u32 {
    (0..8).fold(sum ^ (u32::from(byte) << 24), |sum, _| {
        (sum << 1) ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 }
    })
}

fn checksum(reporter: &Reporter) -> io::Result<()> {
    let folder = std::env::args_os().nth(1);
    let folder = fs::canonicalize(folder.ok_or_else(|| io::Error::other("usage: checksum DIR"))?)?;
    let entries = fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| !path.is_dir());
    files.sort();

    let mut result = folder.into_os_string();
    result.push(".cksum");
    let mut part = Partial(result.clone());
    part.0.push(".part");
    let mut sums = File::create(&part.0)?;
    for (done, path) in files.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        reporter.report(&json!({"progress": done, "total": files.len(), "message": name}))?;
        let content = fs::read(path)?;
        let length = content.len().to_le_bytes();
        let digits = length.iter().rposition(|&digit| digit != 0);
        let length = &length[..digits.map_or(0, |last| last + 1)];
        let sum = !content.iter().chain(length).copied().fold(0, crc);
        writeln!(sums, "{sum} {} {name}", content.len())?;
    }
    // The last chance to cancel comes before the result is in place, so that "cancelled" always
    // means that nothing has happened.
    reporter.report(&json!({"progress": files.len(), "total": files.len()}))?;
    fs::rename(&part.0, result)
}

fn main() -> ExitCode {
    // Never process::exit(): `Drop` would not run.
    match checksum(&Reporter::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(130),
        Err(error) => {
            eprintln!("checksum: {error}");
            ExitCode::FAILURE
        }
    }
}
