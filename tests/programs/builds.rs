//! zig, whose progress is a tree.

use super::work::{python, work};
use crate::harness::needs;

#[test]
fn a_tree_of_bars_for_zig() {
    needs(&[&python()]);
    let seen = work(
        "echo 'pub fn main() u8 { return 7; }' >seven.zig; mkdir cache",
        "export ZIG_GLOBAL_CACHE_DIR=$PWD/../given/cache ZIG_LOCAL_CACHE_DIR=$PWD/cache
         $PYTHON -m ziglang build-exe ../given/seven.zig",
    )
    .result("mkdir result; status=0; ./seven || status=$?; echo $status >result/status")
    .compared("auto");
    let reports = seen.reports("zig");
    assert!(reports.iter().any(|info| !info["parent"].is_null()));
    assert!(reports.iter().any(|info| info["status"] == "ok"));
    let counts =
        |info: &&&serde_json::Value| info["title"] == "Linking" && info["total"].is_number();
    assert!(reports.iter().any(|info| counts(&info)), "{reports:#?}");
}

#[test]
fn zig_that_fails_says_why() {
    needs(&[&python()]);
    let script = "
        export ZIG_GLOBAL_CACHE_DIR=$PWD/cache ZIG_LOCAL_CACHE_DIR=$PWD/cache
        mkdir result
        $PYTHON -m ziglang ast-check ../given/wrong.zig";
    let given = "echo 'pub fn main() void { return 7 }' >wrong.zig";
    let seen = work(given, script).status(1).compared("auto");
    assert!(seen.stderr.contains("wrong.zig:1:"), "{}", seen.stderr);
}
