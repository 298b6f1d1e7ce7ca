//! Files that come from elsewhere: rsync, git, curl.

use super::server::serve;
use super::work::work;
use crate::harness::needs;

/// Some large files and many small ones. They are random, so that nothing can be compressed or skipped.
pub(super) const FILES: &str = "
    mkdir files
    for name in {1..40}; do head -c 50000 /dev/urandom >files/$name; done
    for name in a b c; do head -c 2000000 /dev/urandom >files/$name; done";

/// A repository of them.
pub(super) const REPOSITORY: &str = "
    git init --quiet work
    mv files/* work
    cd work
    git add .
    git -c user.name=me -c user.email=me@example.org commit --quiet --message all
    cd ..
    git clone --quiet --bare work bare.git
    rm -rf work";

#[test]
fn a_bar_for_rsync() {
    needs(&["rsync"]);
    let seen = work(
        FILES,
        "rsync --archive --info=progress2 ../given/files/ result",
    )
    .compared("meter");
    assert!(
        seen.stdout.contains("(xfr#43, to-chk=0/44)"),
        "{}",
        seen.stdout
    );
    assert_eq!(seen.rises("meter", None), "99.9");
}

#[test]
fn rsync_with_a_percentage_for_each_file_has_a_count_of_all_files() {
    needs(&["rsync"]);
    let seen = work(FILES, "rsync -aP ../given/files/ result").compared("meter");
    let mut all = seen.reports("meter");
    all.retain(|info| info["id"].is_null() && info["total"] == 44);
    let (first, last) = (all[0], all[all.len() - 1]);
    assert!(first["progress"].as_f64().unwrap() < 10.0, "{first}");
    assert_eq!(last["percentage"], 99.9);
}

#[test]
fn rsync_that_copies_a_part_only_still_says_so() {
    needs(&["rsync"]);
    let seen = work(
        FILES,
        "rsync --archive --info=progress2 ../given/files ../given/none result",
    )
    .status(23)
    .compared("meter");
    assert!(seen.stderr.contains("(code 23)"), "{}", seen.stderr);
    seen.rises("meter", None);
}

#[test]
fn a_bar_for_git_clone() {
    needs(&["git"]);
    let given = format!("{FILES}{REPOSITORY}");
    let seen = work(
        &given,
        r#"git clone --progress "file://$PWD/../given/bare.git" result"#,
    )
    // git may pack the objects differently each time.
    .result("git -C result log --format=%H >log; rm -rf result/.git; mv log result")
    .compared("meter");
    assert!(seen.stderr.ends_with(", done.\n"), "{}", seen.stderr);
    let reports = seen.reports("meter");
    for phase in ["remote: Counting objects", "Receiving objects"] {
        assert!(
            reports.iter().any(|info| info["message"] == phase),
            "{phase}"
        );
    }
    assert_eq!(seen.rises("meter", None), "99.9");
}

#[test]
fn a_bar_for_both_meters_of_curl() {
    needs(&["curl", "pv"]);
    for (meter, source) in [("", "curl"), ("--progress-bar", "meter")] {
        let script =
            format!(r#"mkdir result; curl {meter} --output result/file "$(<../given/url)/file""#);
        let work = work("head -c 5000000 /dev/urandom >file", &script);
        let given = work.folder.path().join("given");
        std::fs::write(given.join("url"), serve(&given, "2m")).unwrap();
        let seen = work.compared(source);
        assert_eq!(seen.rises(source, None), "99.9");
    }
}

#[test]
fn curl_that_fails_fails() {
    needs(&["curl", "pv"]);
    let work = work(
        "",
        r#"mkdir result; curl --fail --output result/file "$(<../given/url)/file""#,
    )
    .status(22);
    let given = work.folder.path().join("given");
    std::fs::write(given.join("url"), serve(&given, "2m")).unwrap();
    let seen = work.compared("curl");
    assert!(seen.stderr.contains("curl: (22)"), "{}", seen.stderr);
}
