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
    // 7z reports only now and then, so it gets a larger file and one processor.
    let given = "head -c 9000000 /dev/urandom | base64 >file";
    let seen = work(given, "7z a -bsp1 -mmt=1 -mx=9 file.7z ../given/file")
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

#[test]
fn the_outer_one_of_two_nested_loops_of_tqdm_is_the_whole() {
    needs(&[&python()]);
    let given = "cat >nested.py <<'END'
from time import sleep
from tqdm import tqdm
for _ in tqdm(range(3), 'epoch'):
    batches = tqdm(range(20), 'batch', leave=False)
    for _ in batches:
        batches.set_postfix(loss=0.8)
        sleep(0.03)
END";
    let seen = work(given, "mkdir result; $PYTHON ../given/nested.py").compared("meter");
    let (parts, whole): (Vec<_>, Vec<_>) = seen
        .reports("meter")
        .into_iter()
        .filter(|info| info["total"].is_number())
        .partition(|info| info["id"].is_string());
    assert!(whole.iter().all(|info| info["total"] == 3), "{whole:#?}");
    assert!(parts.iter().all(|info| info["total"] == 20), "{parts:#?}");
    assert_eq!(whole[0]["message"], "epoch");
    assert_eq!(parts[0]["title"], "batch");
    assert!(
        parts.iter().any(|info| info["message"] == "loss=0.8"),
        "{parts:#?}"
    );
    assert_eq!(seen.rises("meter", None), "99.9");
}
