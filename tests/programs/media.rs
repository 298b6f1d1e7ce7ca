//! ffmpeg, with its own meter and with `-progress`; and e2fsck.

use super::work::work;
use crate::harness::needs;

const FILM: &str = "
    ffmpeg -nostdin -loglevel error -f lavfi -i testsrc=duration=6:size=640x480:rate=25 -c:v mpeg4 film.avi";

/// Reproducible: the result has the same bytes each time.
const CONVERT: &str = "
    mkdir result
    ffmpeg -nostdin -hide_banner -stats_period 0.05 OPTIONS -i ../given/film.avi \\
        -c:v mpeg4 -threads 1 -fflags +bitexact -flags:v +bitexact result/film.avi";

#[test]
fn a_bar_for_the_meter_of_ffmpeg() {
    needs(&["ffmpeg"]);
    let seen = work(FILM, &CONVERT.replace("OPTIONS", "")).compared("ffmpeg");
    assert!(seen.stderr.contains("time=00:00:06.00"), "{}", seen.stderr);
    assert_eq!(seen.rises("ffmpeg", None), "100");
}

#[test]
fn a_bar_for_what_ffmpeg_writes_on_the_channel() {
    needs(&["ffmpeg"]);
    let script = CONVERT.replace("OPTIONS", "-nostats -progress pipe:3");
    let seen = work(FILM, &script).compared("ffmpeg");
    assert_eq!(seen.rises("ffmpeg", None), "100");
}

#[test]
fn a_bar_for_the_passes_of_e2fsck() {
    needs(&["/usr/sbin/mke2fs"]);
    let seen = work(
        "mke2fs -q -F disk 32M",
        "mkdir result; cp ../given/disk disk; e2fsck -f -n -C 3 disk | tee result/said",
    )
    .compared("e2fsck");
    assert_eq!(seen.rises("e2fsck", None), "100");
}
