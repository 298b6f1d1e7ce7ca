//! Packers, and a loop in Python: zstd, 7z, tqdm.

use super::work::{python, work};
use crate::harness::needs;

/// A file that takes a packer some time.
const HARD: &str = "head -c 3000000 /dev/urandom | base64 >file";

#[test]
fn a_bar_for_zstd() {
    needs(&["zstd"]);
    let seen = work(
        HARD,
        "mkdir result; zstd --progress -19 ../given/file -o result/file.zst",
    )
    .compared("meter");
    assert!(seen.stderr.contains(" => "), "{}", seen.stderr);
    seen.rises("meter", None);
}

#[test]
fn a_bar_for_7z() {
    needs(&["7z"]);
    // 7z reports only now and then, so it gets a larger file.
    let given = "head -c 6000000 /dev/urandom | base64 >file";
    let seen = work(given, "7z a -bsp1 -mx=9 file.7z ../given/file")
        .result("7z x -oresult file.7z")
        .compared("meter");
    assert!(seen.stdout.contains("Everything is Ok"), "{}", seen.stdout);
    seen.rises("meter", None);
}

#[test]
fn a_bar_for_tqdm() {
    needs(&[&python()]);
    let script = "mkdir result; seq 200000 | $PYTHON -m tqdm --total 200000 --mininterval 0.01 >result/lines";
    let seen = work("", script).compared("meter");
    assert!(seen.stderr.contains("200000/200000"), "{}", seen.stderr);
    assert_eq!(seen.rises("meter", None), "99.9");
}
