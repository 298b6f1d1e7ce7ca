//! Progress in the JSON that other programs print. The streams are recorded from the real programs where possible; the
//! others are samples from their documentation.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use progrun::internals::Lines;
use progrun::internals::{FORMATS, Json};
use progrun::protocol::Progress;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// A stream in `tests/corpus`, usually cut to the part that matters.
fn corpus(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Every report of every line, each with the name of its format.
fn reports(stream: &str) -> Vec<(&'static str, Progress<'static>)> {
    let mut json = Json::new(|_| true);
    let mut reports = Vec::new();
    for line in stream.split('\n') {
        json.line(line, &mut |format, report| {
            reports.push((format, report.clone().into_owned()));
        });
    }
    reports
}

/// The same as text: the name of the format, and the report as an object.
fn said(stream: &str) -> Vec<String> {
    let said = reports(stream).into_iter();
    said.map(|(format, report)| format!("{format} {}", report.to_json()))
        .collect()
}

/// Whether the line is only progress, so that it need not scroll by where a bar shows it.
fn is_passing(line: &str) -> bool {
    let mut json = Json::new(|_| true);
    json.line(line, &mut |_, _| ()) && json.meaning().is_some()
}

/// The lines that a screen shows beside a bar.
fn shown(stream: &str) -> Vec<&str> {
    let lines = stream.split('\n').map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !is_passing(line))
        .collect()
}

/// The reports of each part. Those of the task itself have no id.
fn by_part(stream: &str) -> BTreeMap<Option<String>, Vec<Progress<'static>>> {
    let mut parts = BTreeMap::new();
    for (_, report) in reports(stream) {
        let id = report.id.as_deref().map(str::to_owned);
        parts.entry(id).or_insert_with(Vec::new).push(report);
    }
    parts
}

#[track_caller]
fn assert_rising(reports: &[Progress<'_>]) {
    let amounts: Vec<_> = reports.iter().filter_map(|it| it.progress).collect();
    assert!(amounts.len() > 3, "{amounts:?}");
    assert!(amounts.is_sorted(), "{amounts:?}");
}

#[test]
fn a_backup_of_restic_is_bytes_with_a_total_that_grows_and_ends_with_its_snapshot() {
    let stream = corpus("restic/backup_json_fps.stdout");
    let said = said(&stream);
    assert_eq!(said.len(), 13);
    assert_eq!(
        said[..2],
        [
            r#"restic {"total":419430400,"percentage":0,"unit":"bytes"}"#,
            r#"restic {"progress":112639375,"total":952976572,"unit":"bytes","message":"/srv/lab/data/big.bin"}"#,
        ]
    );
    assert_eq!(
        said[11..],
        [
            r#"restic {"progress":940970135,"total":952976572,"unit":"bytes","message":"/srv/lab/data/text.txt"}"#,
            r#"restic {"message":"snapshot aa0b0b40"}"#,
        ]
    );
    assert_rising(&by_part(&stream)[&None]);
    assert_eq!(shown(&stream).len(), 1, "the summary");
}

#[test]
fn on_a_terminal_restic_erases_the_line_before_an_object() {
    let said = said(&corpus("restic/backup_json_tty.tty"));
    assert_eq!(said.len(), 15);
    assert_eq!(
        said[..2],
        [
            r#"restic {"total":419430400,"percentage":0,"unit":"bytes"}"#,
            r#"restic {"progress":224435,"total":575864207,"unit":"bytes","message":"/srv/lab/data/big.bin"}"#,
        ]
    );
    assert_eq!(said[14], r#"restic {"message":"snapshot 6fb43be0"}"#);
}

#[test]
fn restic_s_errors_are_no_progress_and_are_shown() {
    let errors = corpus("restic/backup_json_unreadable.stderr");
    assert!(said(&errors).is_empty());
    assert_eq!(shown(&errors).len(), 3);
    let fatal = r#"{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}"#;
    assert_eq!(
        said(fatal),
        [r#"restic {"message":"Fatal: wrong password or no key found"}"#]
    );
    assert!(!is_passing(fatal));
}

#[test]
fn a_restore_of_restic_counts_what_is_restored() {
    let stream = r#"
{"message_type":"status","seconds_elapsed":1,"percent_done":0,"total_files":3,"total_bytes":400}
{"message_type":"status","seconds_elapsed":2,"percent_done":0.25,"total_files":3,"files_restored":1,"total_bytes":400,"bytes_restored":100}
{"message_type":"summary","seconds_elapsed":3,"total_files":3,"files_restored":3,"total_bytes":400,"bytes_restored":400}
"#;
    assert_eq!(
        said(stream),
        [
            r#"restic {"total":400,"percentage":0,"unit":"bytes"}"#,
            r#"restic {"progress":100,"total":400,"unit":"bytes","message":"1 of 3 files"}"#,
            r#"restic {"message":"3 of 3 files"}"#,
        ]
    );
}

#[test]
fn several_objects_on_a_line_are_all_read() {
    let object = |fraction| {
        format!(r#"{{"message_type":"status","percent_done":{fraction},"total_bytes":8}}"#)
    };
    let line = object("0.5") + &object("0.75") + " {";
    assert_eq!(
        said(&line),
        [50, 75].map(|percent| format!(
            r#"restic {{"total":8,"percentage":{percent},"unit":"bytes"}}"#
        ))
    );
}

#[test]
fn only_restic_s_own_fraction_is_read_as_one() {
    assert_eq!(
        said(r#"{"message_type":"status","percent_done":0.64,"total_bytes":8}"#),
        [r#"restic {"total":8,"percentage":64,"unit":"bytes"}"#]
    );
    assert!(said(r#"{"percent_done":0.64}"#).is_empty());
    assert_eq!(
        said(r#"{"message_type":"status","percent_done":64,"total_bytes":8}"#),
        [r#"restic {"total":8,"unit":"bytes"}"#]
    );
}

#[test]
fn each_operation_of_borg_is_a_part_that_ends() {
    let stream = corpus("borg/check_logjson.stderr");
    let parts = by_part(&stream);
    let ids: Vec<_> = parts.keys().map(|id| id.as_deref()).collect();
    assert_eq!(ids, [Some("1"), Some("2"), Some("3")]);
    for reports in parts.values() {
        let (last, before) = reports.split_last().unwrap();
        assert_eq!(last.status, Some(progrun::protocol::Status::Ok));
        assert!(before.iter().all(|report| report.status.is_none()));
    }
    assert_rising(&parts[&Some("2".to_owned())]);
    let said = said(&stream);
    assert_eq!(
        said[0],
        r#"borg {"progress":1,"total":11,"message":"Checking segments 0.0%","id":"1","title":"repository.check"}"#
    );
    assert_eq!(
        said[11],
        r#"borg {"id":"1","title":"repository.check","status":"ok"}"#
    );
    assert!(shown(&stream).is_empty());
}

#[test]
fn what_borg_extracts_is_bytes_of_a_file() {
    let stream = corpus("borg/extract_logjson.stderr");
    let said = said(&stream);
    assert_eq!(
        said[1],
        r#"borg {"progress":55222,"total":952976572,"unit":"bytes","message":"data/many/dir00/file000.dat","id":"1","title":"extract"}"#
    );
    assert_rising(&by_part(&stream)[&Some("1".to_owned())]);
}

#[test]
fn a_backup_of_borg_has_bytes_and_no_total() {
    let stream = corpus("borg/create_list_logjson.stderr");
    assert_eq!(
        said(&stream),
        [
            r#"borg {"progress":0,"unit":"bytes","message":"0 files, data/many/dir00"}"#,
            r#"borg {"message":"Initializing cache transaction: Reading config","id":"1","title":"cache.begin_transaction"}"#,
            r#"borg {"message":"Initializing cache transaction: Reading chunks","id":"1","title":"cache.begin_transaction"}"#,
            r#"borg {"message":"Initializing cache transaction: Reading files","id":"1","title":"cache.begin_transaction"}"#,
            r#"borg {"id":"1","title":"cache.begin_transaction","status":"ok"}"#,
            r#"borg {"message":"Saving files cache","id":"2","title":"cache.commit"}"#,
            r#"borg {"message":"Saving chunks cache","id":"2","title":"cache.commit"}"#,
            r#"borg {"message":"Saving cache config","id":"2","title":"cache.commit"}"#,
            r#"borg {"id":"2","title":"cache.commit","status":"ok"}"#,
        ]
    );
    let listed = shown(&stream);
    assert!(!listed.is_empty() && listed.iter().all(|line| line.contains("file_status")));
}

#[test]
fn the_files_that_rclone_transfers_are_parts_until_they_are_no_longer_listed() {
    let stream = corpus("rclone/json_stats_oneline.stderr");
    let said = said(&stream);
    assert_eq!(
        said[..3],
        [
            r#"rclone {"progress":157463794,"total":952976572,"unit":"bytes","message":"471 of 2002 files"}"#,
            r#"rclone {"progress":56258560,"total":419430400,"unit":"bytes","id":"big.bin","title":"big.bin"}"#,
            r#"rclone {"progress":49311744,"total":311320115,"unit":"bytes","id":"text.txt","title":"text.txt"}"#,
        ]
    );
    assert_eq!(
        said[said.len() - 2..],
        [
            r#"rclone {"progress":952976572,"total":952976572,"unit":"bytes","message":"2002 of 2002 files","eta":0}"#,
            r#"rclone {"id":"big.bin","status":"ok"}"#,
        ]
    );
    let mut parts = by_part(&stream);
    assert_rising(&parts.remove(&None).unwrap());
    assert_rising(&parts[&Some("big.bin".to_owned())]);
    for reports in parts.values() {
        assert!(reports.last().unwrap().status.is_some());
    }
}

#[test]
fn a_file_that_rclone_logs_as_an_error_has_failed() {
    let stream = r#"
{"level":"info","stats":{"bytes":1,"totalBytes":9,"transfers":0,"totalTransfers":1,"checks":0,"totalChecks":0,"eta":null,"transferring":[{"name":"a","bytes":1,"size":9,"percentage":11,"eta":null}]}}
{"level":"error","msg":"Failed to copy: no","object":"a","objectType":"*local.Object"}
{"level":"info","stats":{"bytes":1,"totalBytes":9,"transfers":0,"totalTransfers":1,"checks":0,"totalChecks":0,"eta":null}}
"#;
    assert_eq!(
        said(stream)[2..],
        [
            r#"rclone {"progress":1,"total":9,"unit":"bytes","message":"0 of 1 files"}"#,
            r#"rclone {"id":"a","status":"failed"}"#,
        ]
    );
    assert_eq!(shown(stream).len(), 1);
}

#[test]
fn rclone_is_silent_where_it_has_nothing_to_do() {
    let stream = corpus("rclone/json_error.stderr");
    assert!(said(&stream).is_empty());
    assert_eq!(shown(&stream).len(), 8);
}

#[test]
fn a_download_of_yt_dlp_is_bytes_of_a_file() {
    let stream = corpus("yt-dlp/progress_template_json.stdout");
    let said = said(&stream);
    assert_eq!(
        said[0],
        r#"yt-dlp {"progress":1024,"total":100045776,"unit":"bytes","message":"/srv/lab/ytout.mkv"}"#
    );
    assert_eq!(
        said[4],
        r#"yt-dlp {"progress":31744,"total":100045776,"unit":"bytes","message":"/srv/lab/ytout.mkv","eta":6}"#
    );
    assert_rising(&by_part(&stream)[&None]);
    assert!(shown(&stream).is_empty());
}

#[test]
fn a_download_of_yt_dlp_in_fragments_has_an_estimate_or_counts_them() {
    let stream = r#"
{"status":"downloading","downloaded_bytes":10,"total_bytes_estimate":40.5,"fragment_index":1,"fragment_count":4,"filename":"a"}
{"status":"downloading","downloaded_bytes":20,"total_bytes_estimate":null,"fragment_index":2,"fragment_count":4,"filename":"a"}
{"status":"downloading","downloaded_bytes":30,"filename":"a"}
"#;
    assert_eq!(
        said(stream),
        [
            r#"yt-dlp {"progress":10,"total":40.5,"unit":"bytes","message":"a"}"#,
            r#"yt-dlp {"progress":2,"total":4,"unit":"fragments","message":"a"}"#,
            r#"yt-dlp {"progress":30,"unit":"bytes","message":"a"}"#,
        ]
    );
}

#[test]
fn cargo_s_artifacts_are_counted() {
    let stream = corpus("cargo/build_json.stdout");
    let said = said(&stream);
    assert_eq!(
        said[..3],
        [
            r#"cargo {"progress":1,"unit":"artifacts"}"#,
            r#"cargo {"progress":2,"unit":"artifacts","message":"unicode_ident"}"#,
            r#"cargo {"progress":3,"unit":"artifacts"}"#,
        ]
    );
    assert_eq!(
        said.last().unwrap(),
        r#"cargo {"progress":41,"unit":"artifacts","message":"crt"}"#
    );
    assert_eq!(
        shown(&stream),
        [r#"{"reason":"build-finished","success":true}"#]
    );
    let warning = r#"{"reason":"compiler-message","package_id":"a","message":{"rendered":"50%"}}"#;
    assert!(said_nothing_of(warning) && !is_passing(warning));
}

#[test]
fn the_tests_of_several_suites_are_added_up() {
    let stream = r#"
{ "type": "suite", "event": "started", "test_count": 2 }
{ "type": "test", "event": "started", "name": "a" }
{ "type": "test", "name": "a", "event": "ok", "exec_time": 0.0004 }
{ "type": "test", "name": "b", "event": "failed", "stdout": "no\n" }
{ "type": "suite", "event": "failed", "passed": 1, "failed": 1, "ignored": 0, "measured": 0, "filtered_out": 0 }
     Running tests/other.rs
{ "type": "suite", "event": "started", "test_count": 1 }
{ "type": "test", "name": "c", "event": "ignored" }
{ "type": "suite", "event": "ok", "passed": 0, "failed": 0, "ignored": 1, "measured": 0, "filtered_out": 0 }
"#;
    assert_eq!(
        said(stream),
        [
            r#"libtest {"progress":0,"total":2,"unit":"tests"}"#,
            r#"libtest {"progress":0,"total":2,"unit":"tests","message":"a"}"#,
            r#"libtest {"progress":1,"total":2,"unit":"tests","message":"a"}"#,
            r#"libtest {"progress":2,"total":2,"unit":"tests","message":"b: failed"}"#,
            r#"libtest {"progress":2,"total":3,"unit":"tests"}"#,
            r#"libtest {"progress":3,"total":3,"unit":"tests","message":"c"}"#,
        ]
    );
    assert_eq!(shown(stream).len(), 4);
}

#[test]
fn a_layer_that_docker_pulls_is_downloaded_and_extracted_and_the_layers_are_counted() {
    let stream = r#"
{"status":"Pulling from library/influxdb","id":"1.3.9"}
{"status":"Already exists","progressDetail":{},"id":"3e731ddb7fc9"}
{"status":"Pulling fs layer","progressDetail":{},"id":"79fcf5a213c7"}
{"status":"Downloading","progressDetail":{"current":49152,"total":4335400},"progress":"[\u003e      ]  49.15kB/4.335MB","id":"79fcf5a213c7"}
{"status":"Download complete","progressDetail":{},"id":"79fcf5a213c7"}
{"status":"Extracting","progressDetail":{"current":65536,"total":4335400},"progress":"[\u003e      ]  65.54kB/4.335MB","id":"79fcf5a213c7"}
{"status":"Extracting","progressDetail":{"current":3,"units":"s"},"progress":"3 s","id":"79fcf5a213c7"}
{"status":"Pull complete","progressDetail":{},"id":"79fcf5a213c7"}
{"status":"Status: Downloaded newer image for influxdb:1.3.9"}
{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}
"#;
    assert_eq!(
        said(stream),
        [
            r#"docker {"message":"Already exists","id":"3e731ddb7fc9","title":"3e731ddb7fc9","status":"skipped"}"#,
            r#"docker {"progress":1,"total":1,"unit":"layers"}"#,
            r#"docker {"message":"Pulling fs layer","id":"79fcf5a213c7","title":"79fcf5a213c7"}"#,
            r#"docker {"progress":1,"total":2,"unit":"layers"}"#,
            r#"docker {"progress":49152,"total":4335400,"unit":"bytes","message":"Downloading","id":"79fcf5a213c7","title":"79fcf5a213c7"}"#,
            r#"docker {"message":"Download complete","id":"79fcf5a213c7","title":"79fcf5a213c7"}"#,
            r#"docker {"progress":65536,"total":4335400,"unit":"bytes","message":"Extracting","id":"79fcf5a213c7","title":"79fcf5a213c7"}"#,
            r#"docker {"message":"Extracting","id":"79fcf5a213c7","title":"79fcf5a213c7"}"#,
            r#"docker {"message":"Pull complete","id":"79fcf5a213c7","title":"79fcf5a213c7","status":"ok"}"#,
            r#"docker {"progress":2,"total":2,"unit":"layers"}"#,
        ]
    );
    assert_eq!(shown(stream).len(), 3);
}

#[test]
fn the_steps_of_a_build_are_parts_and_are_ended_once_whatever_is_repeated() {
    let stream = r#"
{"vertexes":[{"digest":"sha256:9b","name":"[internal] load build definition"},{"digest":"sha256:a1","name":"[2/3] RUN make"}]}
{"vertexes":[{"digest":"sha256:9b","name":"[internal] load build definition","started":"2026-08-06T11:13:41.2Z"}]}
{"statuses":[{"id":"transferring dockerfile:","vertex":"sha256:9b","current":29}]}
{"vertexes":[{"digest":"sha256:9b","name":"[internal] load build definition","started":"2026-08-06T11:13:41.2Z","completed":"2026-08-06T11:13:41.3Z"}]}
{"statuses":[{"id":"transferring dockerfile:","vertex":"sha256:9b","current":29,"completed":"2026-08-06T11:13:41.3Z"}]}
{"statuses":[{"id":"transferring dockerfile:","vertex":"sha256:9b","current":29}]}
{"vertexes":[{"digest":"sha256:9b","name":"[internal] load build definition","started":"2026-08-06T11:13:41.2Z","completed":"2026-08-06T11:13:41.3Z"}]}
{"vertexes":[{"digest":"sha256:a0","name":"[1/3] FROM busybox","cached":true,"completed":"2026-08-06T11:13:41.4Z"}]}
{"logs":[{"vertex":"sha256:a1","stream":1,"data":"aGVsbG8K","timestamp":"2026-08-06T11:13:42Z"}]}
{"vertexes":[{"digest":"sha256:a1","name":"[2/3] RUN make","started":"2026-08-06T11:13:41Z","completed":"2026-08-06T11:13:43Z","error":"exit code: 2"}]}
"#;
    assert_eq!(
        said(stream),
        [
            r#"buildkit {"progress":0,"total":2,"unit":"steps"}"#,
            r#"buildkit {"id":"sha256:9b","title":"[internal] load build definition"}"#,
            r#"buildkit {"progress":29,"unit":"bytes","id":"sha256:9b transferring dockerfile:","parent":"sha256:9b","title":"transferring dockerfile:"}"#,
            r#"buildkit {"id":"sha256:9b transferring dockerfile:","status":"ok"}"#,
            r#"buildkit {"id":"sha256:9b","title":"[internal] load build definition","status":"ok"}"#,
            r#"buildkit {"progress":1,"total":2,"unit":"steps"}"#,
            r#"buildkit {"id":"sha256:a0","title":"[1/3] FROM busybox","status":"skipped"}"#,
            r#"buildkit {"progress":2,"total":3,"unit":"steps"}"#,
            r#"buildkit {"id":"sha256:a1","title":"[2/3] RUN make","status":"failed"}"#,
            r#"buildkit {"progress":3,"total":3,"unit":"steps"}"#,
        ]
    );
    assert_eq!(shown(stream).len(), 2, "what is logged and what failed");
}

#[test]
fn what_nix_downloads_for_a_build_is_a_part_beside_it() {
    let stream = corpus("nix/fetch_internal_json.stderr");
    let said = said(&stream);
    assert_eq!(
        said[..4],
        [
            r#"nix {"progress":0,"total":1,"unit":"paths"}"#,
            r#"nix {"id":"38160784424965","title":"building 'big.bin.drv'"}"#,
            r#"nix {"id":"38160784424966","title":"downloading 'http://127.0.0.1:8099/slow/big.bin'"}"#,
            r#"nix {"progress":0,"total":419430400,"unit":"bytes","id":"38160784424966"}"#,
        ]
    );
    assert_eq!(
        said[said.len() - 4..],
        [
            r#"nix {"progress":419430400,"total":419430400,"unit":"bytes","id":"38160784424966"}"#,
            r#"nix {"id":"38160784424966","status":"ok"}"#,
            r#"nix {"progress":1,"total":1,"unit":"paths"}"#,
            r#"nix {"id":"38160784424965","status":"ok"}"#,
        ]
    );
    assert_rising(&by_part(&stream)[&Some("38160784424966".to_owned())]);
}

#[test]
fn a_build_of_nix_that_failed_is_told_from_one_that_did_not() {
    let stream = corpus("nix/build_fail_internal_json.stderr");
    assert_eq!(
        said(&stream),
        [
            r#"nix {"progress":0,"total":1,"unit":"paths"}"#,
            r#"nix {"id":"37417755082757","title":"building 'failing.drv'"}"#,
            r#"nix {"progress":0,"unit":"paths"}"#,
            r#"nix {"id":"37417755082757","status":"failed"}"#,
        ]
    );
    assert_eq!(
        shown(&stream).len(),
        4,
        "messages and what the builder says"
    );
    assert_eq!(
        said_of("nix/build_internal_json_v.stderr"),
        [
            r#"nix {"progress":0,"total":1,"unit":"paths"}"#,
            r#"nix {"progress":0,"unit":"paths"}"#,
        ]
    );
    assert!(
        said(r#"{"action":"start","id":1,"text":"building 'a'","type":105}"#).is_empty(),
        "nix's objects have its name before them"
    );
}

#[test]
fn what_terraform_changes_is_counted_against_its_plan() {
    let stream = r#"
{"@level":"info","@message":"Terraform 1.9.0","@module":"terraform.ui","terraform":"1.9.0","type":"version","ui":"1.2"}
{"@level":"info","@message":"a_pet.x: Plan to create","@module":"terraform.ui","change":{"resource":{"addr":"a_pet.x"},"action":"create"},"type":"planned_change"}
{"@level":"info","@message":"a_pet.y: Plan to replace","@module":"terraform.ui","change":{"resource":{"addr":"a_pet.y"},"action":"replace"},"type":"planned_change"}
{"@level":"info","@message":"Plan: 2 to add, 0 to change, 1 to destroy.","@module":"terraform.ui","changes":{"add":2,"change":0,"remove":1,"operation":"plan"},"type":"change_summary"}
{"@level":"info","@message":"a_pet.x: Creating...","@module":"terraform.ui","hook":{"resource":{"addr":"a_pet.x"},"action":"create"},"type":"apply_start"}
{"@level":"info","@message":"a_pet.x: Still creating... [10s elapsed]","@module":"terraform.ui","hook":{"resource":{"addr":"a_pet.x"},"action":"create","elapsed_seconds":10},"type":"apply_progress"}
{"@level":"info","@message":"a_pet.x: Creation complete after 12s [id=1]","@module":"terraform.ui","hook":{"resource":{"addr":"a_pet.x"},"action":"create","id_key":"id","id_value":"1","elapsed_seconds":12},"type":"apply_complete"}
{"@level":"error","@message":"a_pet.y: Destruction errored after 0s","@module":"terraform.ui","hook":{"resource":{"addr":"a_pet.y"},"action":"delete","elapsed_seconds":0},"type":"apply_errored"}
{"@level":"error","@message":"Error: no","@module":"terraform.ui","diagnostic":{"severity":"error","summary":"no","detail":""},"type":"diagnostic"}
"#;
    let start = r#"terraform {"message":"create","id":"a_pet.x","title":"a_pet.x"}"#;
    assert_eq!(
        said(stream),
        [
            r#"terraform {"progress":0,"total":1,"unit":"changes"}"#,
            r#"terraform {"progress":0,"total":3,"unit":"changes"}"#,
            r#"terraform {"message":"Plan: 2 to add, 0 to change, 1 to destroy."}"#,
            start,
            start,
            r#"terraform {"message":"create","id":"a_pet.x","title":"a_pet.x","status":"ok"}"#,
            r#"terraform {"progress":1,"total":3,"unit":"changes"}"#,
            r#"terraform {"message":"delete","id":"a_pet.y","title":"a_pet.y","status":"failed"}"#,
        ]
    );
    assert_eq!(shown(stream).len(), 6);
}

#[test]
fn pnpm_s_packages_have_a_total_when_all_are_found() {
    let stream = corpus("pnpm/install_ndjson.stdout");
    let said = said(&stream);
    assert_eq!(
        said[..4],
        [
            r#"pnpm {"progress":0,"unit":"packages","message":"resolving"}"#,
            r#"pnpm {"progress":0,"unit":"packages","message":"resolving, 1 found"}"#,
            r#"pnpm {"progress":0,"unit":"packages","message":"resolving, 2 found"}"#,
            r#"pnpm {"progress":1,"unit":"packages"}"#,
        ]
    );
    assert_eq!(
        said[said.len() - 2..],
        [
            r#"pnpm {"progress":41,"total":73,"unit":"packages"}"#,
            r#"pnpm {"progress":41,"total":73,"unit":"packages","message":"linked"}"#,
        ]
    );
    assert_rising(&by_part(&stream)[&None]);
}

#[test]
fn a_large_package_of_pnpm_is_a_part_until_it_is_fetched() {
    let stream = r#"
{"level":"debug","name":"pnpm:fetching-progress","attempt":1,"packageId":"small@1","size":1000,"status":"started"}
{"level":"debug","name":"pnpm:fetching-progress","attempt":1,"packageId":"large@1","size":8000000,"status":"started"}
{"level":"debug","name":"pnpm:fetching-progress","packageId":"large@1","downloaded":4000000,"status":"in_progress"}
{"level":"debug","name":"pnpm:progress","packageId":"large@1","requester":"/a","status":"fetched"}
{"level":"debug","name":"pnpm:progress","packageId":"small@1","requester":"/a","status":"fetched"}
"#;
    assert_eq!(
        said(stream),
        [
            r#"pnpm {"total":8000000,"unit":"bytes","id":"large@1","title":"large@1"}"#,
            r#"pnpm {"progress":4000000,"unit":"bytes","id":"large@1","title":"large@1"}"#,
            r#"pnpm {"id":"large@1","status":"ok"}"#,
            r#"pnpm {"progress":1,"unit":"packages"}"#,
            r#"pnpm {"progress":2,"unit":"packages"}"#,
        ]
    );
}

#[test]
fn an_error_of_pnpm_and_what_scripts_print_is_shown() {
    let stream = corpus("pnpm/install_ndjson_fail.stdout");
    assert_eq!(
        said(&stream),
        [r#"pnpm {"progress":0,"unit":"packages","message":"resolving"}"#]
    );
    assert_eq!(shown(&stream).len(), 1);
    let script = r#"{"level":"debug","name":"pnpm:lifecycle","depPath":"a@1","stage":"postinstall","line":"50%","stdio":"stdout"}"#;
    assert!(said_nothing_of(script) && !is_passing(script));
}

#[test]
fn a_language_server_s_tokens_are_parts_whatever_follows_on_the_line() {
    let stream = concat!(
        r#"{"jsonrpc":"2.0","method":"$/progress","params":{"token":1,"value":{"kind":"begin","title":"Indexing","cancellable":true,"percentage":0}}}Content-Length: 119"#,
        "\r\n\r\n",
        r#"{"jsonrpc":"2.0","method":"$/progress","params":{"token":1,"value":{"kind":"report","message":"3/25 files","percentage":12}}}Content-Length: 97"#,
        "\r\n\r\n",
        r#"{"jsonrpc":"2.0","method":"$/progress","params":{"token":1,"value":{"kind":"end","message":"done"}}}"#,
    );
    assert_eq!(
        said(stream),
        [
            r#"lsp {"percentage":0,"id":"1","title":"Indexing"}"#,
            r#"lsp {"percentage":12,"message":"3/25 files","id":"1"}"#,
            r#"lsp {"message":"done","id":"1","status":"ok"}"#,
        ]
    );
}

#[test]
fn a_token_of_the_model_context_protocol_is_a_part() {
    let stream = r#"
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"abc","progress":50.5,"total":100,"message":"half"}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":3}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":3}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{},"progress":3}}
"#;
    assert_eq!(
        said(stream),
        [
            r#"mcp {"progress":50.5,"total":100,"message":"half","id":"abc"}"#,
            r#"mcp {"progress":3,"id":"7"}"#,
        ]
    );
}

#[test]
fn a_part_with_an_endless_name_is_not_taken_for_the_task() {
    let name = "a".repeat(1025);
    let line = format!(
        r#"{{"type":"progress_percent","operation":"{name}","msgid":"a","current":1,"total":2}}"#
    );
    assert!(said_nothing_of(&line));
}

fn said_of(name: &str) -> Vec<String> {
    said(&corpus(name))
}

/// Whether the line belongs to a known program. Panics if it is read as progress.
fn said_nothing_of(line: &str) -> bool {
    let mut json = Json::new(|_| true);
    json.line(line, &mut |_, report| panic!("{report:?}"))
}

#[test]
fn only_what_is_selected_is_read() {
    let lines = [
        r#"{"message_type":"status","percent_done":0.5,"total_bytes":8}"#,
        r#"{"type":"progress_percent","msgid":"a","operation":1,"current":1,"total":2}"#,
    ];
    let mut json = Json::new(|format| format == "borg");
    let mut formats = Vec::new();
    let ours = lines.map(|line| json.line(line, &mut |format, _| formats.push(format)));
    assert_eq!(ours, [false, true]);
    assert_eq!(formats, ["borg"]);
}

#[test]
fn objects_of_no_program_in_the_table_are_left_to_others() {
    for line in [
        r#"{"progress":3,"total":10}"#,
        r#"{"status":"ok","id":"a"}"#,
        r#"{"percentage":42,"message":"message_type"}"#,
        r#"{"reason":"Scheduled","message":"50%"}"#,
        r#"{"event":"progress","task":1,"info":{"progress":3}}"#,
        r#"{"message_type":"status""#,
        r#"{"message_type":"status","percent_done":0.1}"#,
        r#"["message_type"]"#,
        r#"{"statuses":[{"id":"a","status":"read"}],"vertex":1}"#,
        "{}",
        "{",
        "@nix {",
        "@nix",
        "",
        "plain",
    ] {
        let mut json = Json::new(|_| true);
        assert!(!json.line(line, &mut |_, _| ()), "{line}");
        assert!(!is_passing(line), "{line}");
    }
}

#[test]
fn every_format_has_a_name_of_its_own() {
    let names: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(
        names,
        [
            "restic",
            "borg",
            "rclone",
            "yt-dlp",
            "cargo",
            "libtest",
            "docker",
            "buildkit",
            "nix",
            "terraform",
            "pnpm",
            "lsp",
            "mcp"
        ]
    );
}

/// Values close to those that the formats know: keys and words of all the programs, numbers of all sizes.
fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let words: Vec<String> = recorded()
        .split('"')
        .filter(|word| word.len() < 24 && !word.contains(['\n', '{', '}', '\\']))
        .map(str::to_owned)
        .collect();
    let words = prop::sample::select(words);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_u64..200).prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Lines of all the programs of the corpus.
fn recorded() -> String {
    [
        "restic/backup_json_fps.stdout",
        "borg/create_list_logjson.stderr",
        "borg/compact_logjson.stderr",
        "rclone/json_stats_oneline.stderr",
        "yt-dlp/progress_template_json.stdout",
        "cargo/build_json.stdout",
        "nix/build_fail_internal_json.stderr",
        "pnpm/install_ndjson.stdout",
    ]
    .map(corpus)
    .concat()
}

/// A recorded line in which one field has another value.
fn bent() -> impl Strategy<Value = String> {
    let lines: Vec<String> = recorded().lines().map(str::to_owned).collect();
    let line = prop::sample::select(lines);
    (line, any::<prop::sample::Index>(), value()).prop_map(|(line, index, value)| {
        let Some(begin) = line.find('{') else {
            return line;
        };
        let mut object: serde_json::Value = serde_json::from_str(&line[begin..]).unwrap();
        let fields = object.as_object_mut().unwrap();
        let at = index.index(fields.len());
        *fields.values_mut().nth(at).unwrap() = value;
        format!("{}{object}", &line[..begin])
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_line_is_a_panic_and_every_report_can_be_read_back(
        lines in prop::collection::vec(
            prop_oneof![
                bent(),
                value().prop_map(|value| value.to_string()),
                ".{0,60}",
            ],
            1..40,
        )
    ) {
        let mut json = Json::new(|_| true);
        for line in lines {
            let mut count = 0;
            let ours = json.line(&line, &mut |_, report| {
                count += 1;
                let written = report.to_json();
                let mut decoder = progrun::protocol::Decoder::new();
                decoder.feed(format!("{written}\n").as_bytes(), &mut |line| {
                    use progrun::protocol::Content;
                    assert!(matches!(line.content, Content::Object(_)), "{written}");
                });
            });
            prop_assert!(ours || count == 0);
            prop_assert!(ours || !is_passing(&line));
        }
    }
}

#[test]
fn what_is_kept_of_a_child_that_never_ends_anything_is_bounded() {
    let mut json = Json::new(|_| true);
    let mut parts = 0;
    for number in 0..3000 {
        for line in [
            format!(r#"@nix {{"action":"start","id":{number},"text":"a","type":105}}"#),
            format!(
                r#"{{"level":"debug","name":"pnpm:fetching-progress","packageId":"{number}","downloaded":1,"status":"in_progress"}}"#
            ),
            format!(r#"{{"statuses":[{{"id":"{number}","vertex":"a","current":1}}]}}"#),
        ] {
            json.line(&line, &mut |_, report| {
                parts += usize::from(report.id.is_some());
            });
        }
    }
    assert_eq!(parts, 3 * 1000);
}
