//! From the first line of the channel: which program writes there, if it is not a report for us.
//!
//! Numbers, objects and plain words on the channel are always ours. So each dialect claims only lines that a script
//! would not write as reports (progrun-protocol(5)).

use super::ffmpeg::Ffmpeg;
use super::{Format, Lines, apt, dpkg, e2fsck, ffmpeg, gpg};

/// The name of the format that begins with this line, if it is one of those that are read on the channel.
#[must_use]
pub(super) fn recognise(first_line: &[u8]) -> Option<&'static str> {
    let line = std::str::from_utf8(first_line).ok()?.trim_end();
    [
        (apt::FORMAT.name, apt::is_first_line(line)),
        (dpkg::FORMAT.name, dpkg::is_first_line(line)),
        (e2fsck::FORMAT.name, e2fsck::is_first_line(line)),
        (gpg::FORMAT.name, gpg::is_first_line(line)),
        (ffmpeg::FORMAT.name, ffmpeg::is_first_line(line)),
    ]
    .into_iter()
    .find_map(|(name, is_its)| is_its.then_some(name))
}

/// Readers of all formats that are read on the channel.
pub(super) fn on_the_channel(ffmpeg: &Ffmpeg) -> [(&'static Format, Box<dyn Lines>); 5] {
    [
        (&apt::FORMAT, Box::<apt::Apt>::default()),
        (&dpkg::FORMAT, Box::<dpkg::Dpkg>::default()),
        (&e2fsck::FORMAT, Box::<e2fsck::E2fsck>::default()),
        (&gpg::FORMAT, Box::<gpg::Gpg>::default()),
        (&ffmpeg::FORMAT, Box::new(ffmpeg.beside())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_whose_status_it_is() {
        for (line, name) in [
            ("dlstatus:1:0.0000:Retrieving file 1 of 1", "apt"),
            ("pmstatus:dpkg-exec:0.0000:Running dpkg\n", "apt"),
            ("media-change: Disc 2:/media/cdrom/:Insert the disc", "apt"),
            ("processing: install: pr-conf", "dpkg"),
            ("status: pr-conf: half-installed", "dpkg"),
            ("1 0 32 /dev/sda1", "e2fsck"),
            ("1 0 10 ext.img\r\n", "e2fsck"),
            ("[GNUPG:] PROGRESS /srv/lab/o.gpg ? 0 409600 KiB", "gpg"),
            (
                "[GNUPG:] KEY_CONSIDERED 542CB06AC0E0CE78DA9ECE11A09A2CC8DEFF41D5 0",
                "gpg",
            ),
            ("frame=2", "ffmpeg"),
            ("bitrate=N/A", "ffmpeg"),
            ("bitrate= 398.3kbits/s", "ffmpeg"),
            ("out_time_us=46440", "ffmpeg"),
        ] {
            assert_eq!(recognise(line.as_bytes()), Some(name), "{line}");
        }
    }

    #[test]
    fn what_is_written_for_us_is_never_taken_for_anothers() {
        for line in [
            "",
            "42",
            "42.5%",
            "3/10",
            "3/10 copying a.jpg",
            "12MiB/400MiB",
            "# copying a.jpg",
            "# processing: install: x",
            "XXX",
            "a:42",
            "a:#text",
            "dlstatus:42",
            "pmstatus:#unpacking",
            "1 0 32 files left",
            "1 0 32",
            "1 of 32 /dev/sda1",
            "processing images",
            "processing: images",
            "status: fine",
            "status: disk: full",
            "frame=first",
            "bitrate=low",
            "[GNUPG] hello",
            r#"{"progress":3,"total":10}"#,
            r#"{"message":"frame=2"}"#,
        ] {
            assert_eq!(recognise(line.as_bytes()), None, "{line}");
        }
        assert_eq!(recognise(b"frame=\xff"), None);
    }
}
