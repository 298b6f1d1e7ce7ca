//! Backups: restic, borg.

use super::copies::FILES;
use super::work::work;
use crate::harness::needs;

#[test]
fn a_bar_for_a_backup_of_restic() {
    needs(&["restic"]);
    let given = format!("{FILES}\nrestic --quiet --repo repository init");
    let script = "
        cp -r ../given/repository .
        cd ../given
        restic --repo $HOME/repository backup --json --limit-upload 6000 files";
    let seen = work(&given, script)
        .result("restic --quiet --repo repository restore latest --target result")
        .compared("restic");
    assert!(
        seen.stdout.contains(r#""message_type":"summary""#),
        "{}",
        seen.stdout
    );
    seen.rises("restic", None);
    let last = seen.reports("restic").pop().unwrap();
    assert!(
        last["message"].as_str().unwrap().starts_with("snapshot "),
        "{last}"
    );
}

#[test]
fn borg_that_creates_counts_and_borg_that_extracts_has_a_bar() {
    needs(&["borg"]);
    let given = format!("{FILES}\nborg init --encryption none repository");
    let script = "
        cp -r ../given/repository .
        (cd ../given; borg create --log-json --progress $HOME/repository::all files)
        mkdir result
        cd result
        borg extract --log-json --progress ../repository::all";
    let seen = work(&given, script).compared("borg");
    let reports = seen.reports("borg");
    let count = reports.iter().find(|info| info["id"].is_null()).unwrap();
    assert_eq!(count["unit"], "bytes");
    let extract = reports.iter().rfind(|info| info["title"] == "extract");
    let part = extract.unwrap()["id"].as_str();
    assert_eq!(seen.rises("borg", part), "100");
    let last = reports.last().unwrap();
    assert_eq!(
        (last["id"].as_str(), last["status"].as_str()),
        (part, Some("ok"))
    );
}
