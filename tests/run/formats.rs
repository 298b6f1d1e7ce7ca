//! Progress of other programs in the events, `--from` and `--list-formats`.

use std::fs;

use crate::support::progrun;

#[test]
fn reports_of_another_program_have_its_name_and_its_lines_are_still_output() {
    let script = r#"echo '{"message_type":"status","percent_done":0.25,"total_bytes":400,"bytes_done":100}'"#;
    let run = progrun(&["--json", "--", "sh", "-c", script]).start();
    let ended = run.finish();
    let progress = ended.all("progress");
    assert_eq!(progress.len(), 1);
    assert_eq!(progress[0]["source"], "restic");
    assert_eq!(progress[0]["info"]["progress"], 100);
    assert_eq!(progress[0]["info"]["total"], 400);
    assert_eq!(
        ended.output("stdout"),
        format!("{}\n", &script[6..script.len() - 1])
    );
    assert_eq!(ended.finished()["reports"], 1);
}

#[test]
fn what_progrun_passes_on_it_can_read_back() {
    let deep = format!("{}1{}", r#"{"x":"#.repeat(127), "}".repeat(127));
    let reports = [
        r#"{"progress":1,"x":1e999}"#.to_owned(),
        format!(r#"{{"progress":2,"x":{deep}}}"#),
        "{\r\"progress\":\r3,\r\"x\":[\r]}".to_owned(),
        r#"{"progress":4,"x":"\ud83d\ude00"}"#.to_owned(),
    ];
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("reports"), reports.join("\n")).unwrap();
    let first = progrun(&["--json=events", "-q", "--", "sh", "-c", "cat reports >&3"]);
    first.in_folder(folder.path()).status(0);
    let second = ["--json", "--from=progrun", "--", "cat", "events"];
    let ended = progrun(&second).in_folder(folder.path()).start().finish();
    let progress = ended.all("progress");
    let infos: Vec<_> = progress
        .iter()
        .map(|event| event["info"].to_string())
        .collect();
    let expected = [
        r#"{"title":"sh"}"#,
        r#"{"progress":1}"#,
        r#"{"progress":2}"#,
        r#"{"progress":3}"#,
        r#"{"progress":4}"#,
    ];
    assert_eq!(infos, expected);
}

#[test]
fn a_meter_that_moves_thousands_of_times_gives_twenty_values_a_second_and_the_last() {
    let script = r"for ((n = 0; n < 30000; n++)); do
        printf '\r[%3d%%] [%d.%03d KB/s]' $((n / 303)) $((n / 7)) $((n % 1000)); done";
    let run = progrun(&["--json", "--", "bash", "-c", script]).start();
    let ended = run.finish();
    let times: Vec<_> = ended
        .all("progress")
        .iter()
        .map(|event| event["elapsed"].as_f64().unwrap())
        .collect();
    assert_eq!(
        ended.all("progress").last().unwrap()["info"]["percentage"],
        99
    );
    // The first one waits for nothing, and the last one comes with the end.
    let paced = (2..times.len()).fold(0.0, |time, _| time + 0.05);
    assert!(
        paced <= times[times.len() - 1] - times[0] + 0.05,
        "{times:?}"
    );
}

#[test]
fn nothing_is_read_if_so_wanted_nor_what_was_not_named() {
    let script = r#"echo '{"progress":1,"total":2}'; printf '\r10%%\r20%%\r30%%\r40%%\n'; echo "${ZIG_PROGRESS-unset}""#;
    for (from, zig) in [("none", "unset"), ("restic,curl", "unset"), ("zig", "39")] {
        let run = progrun(&["--json", "--from", from, "--", "sh", "-c", script]).start();
        let ended = run.finish();
        assert_eq!(ended.all("progress").len(), 0, "{from}");
        assert!(
            ended.output("stdout").ends_with(&format!("\n{zig}\n")),
            "{from}"
        );
    }
}

#[test]
fn with_a_name_the_output_is_read_wherever_it_goes_and_passes_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"printf '{"progress":1,"total":2}\r\nno newline\377'"#;
    progrun(&[
        "-q",
        "--json=events",
        "--from=progrun",
        "--",
        "sh",
        "-c",
        script,
    ])
    .in_folder(folder.path())
    .stdout("{\"progress\":1,\"total\":2}\r\nno newline\u{fffd}")
    .status(0);
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    assert!(events.contains(r#""source":"progrun","info":{"progress":1,"total":2}"#));
    progrun(&["-q", "--json=events", "--", "sh", "-c", script])
        .in_folder(folder.path())
        .stdout("{\"progress\":1,\"total\":2}\r\nno newline\u{fffd}")
        .status(0);
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    assert!(!events.contains("source"));
}

#[cfg(target_os = "linux")]
#[test]
fn how_far_a_file_is_read_is_in_the_events_if_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let script = r"
        truncate -s 100M big.iso; exec 4<big.iso
        until [ -e seen ]; do head -c 65536 <&4 >/dev/null; done";
    let mut run = progrun(&["--json", "--from=files", "--", "bash", "-c", script])
        .in_folder(folder.path())
        .start();
    let event = run.event("progress");
    assert_eq!(event["source"], "files");
    assert_eq!(event["info"]["total"], 104_857_600);
    assert_eq!(event["info"]["message"], "reading big.iso");
    fs::write(folder.path().join("seen"), "").unwrap();
    assert_eq!(run.finish().finished()["state"], "completed");
}

#[test]
fn the_formats_are_listed_and_every_name_is_taken() {
    let output = progrun(&["--list-formats"]).output();
    let list = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.starts_with(&["progrun", "apt", "dpkg"]), "{list}");
    progrun(&["--from", &names.join(","), "-q", "--", "true"]).status(0);
    let wrong = progrun(&["--from", "auto,restic", "--", "true"]).output();
    assert_eq!(wrong.status.code(), Some(125));
}

#[test]
fn the_names_of_programs_are_listed_and_stand_for_the_formats_that_read_them() {
    let output = progrun(&["--list-formats"]).output();
    let list = String::from_utf8(output.stdout).unwrap();
    assert!(list.contains("\n           for:  7z, apt-get, "), "{list}");
    assert!(
        list.contains("\n           for:  gzip, sha256sum\n"),
        "{list}"
    );
    assert!(
        list.lines().all(|line| line.chars().count() <= 100),
        "{list}"
    );
    let folder = tempfile::tempdir().unwrap();
    let meter = r"for n in 10 20 30 40 50; do printf '\rReceiving objects: %d%% (%d/100)' $n $n; done; echo";
    let read = |from: &str| {
        let output = progrun(&[
            "--json=events",
            "-q",
            "--from",
            from,
            "--",
            "bash",
            "-c",
            meter,
        ])
        .in_folder(folder.path())
        .output();
        assert_eq!(output.status.code(), Some(0), "{from}");
        let events = fs::read_to_string(folder.path().join("events")).unwrap();
        events.contains(r#""source":"meter""#)
    };
    assert!(read("git") && read("rsync,apt") && read("meter"));
    assert!(!read("sha256sum") && !read("cargo"));
}

#[test]
fn a_name_that_is_not_known_gets_the_formats_and_where_the_programs_are() {
    progrun(&["--from", "rsnyc", "--", "true"])
        .stderr(
            "\
progrun: invalid value 'rsnyc' for --from: no format or program of this name is known; did you mean 'rsync'?
Formats: auto, none, progrun, apt, dpkg, e2fsck, gpg, ffmpeg, restic, borg, rclone, yt-dlp, cargo, libtest, docker, \
             buildkit, nix, terraform, pnpm, lsp, mcp, pip, tap, teamcity, azure, zig, osc, curl, meter, files
The names of programs, such as git, are in progrun --list-formats.
",
        )
        .status(125);
}
