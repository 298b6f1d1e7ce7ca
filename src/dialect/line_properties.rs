//! Properties of every dialect of lines, for any bytes at all. Also, for the tests of the dialects: what one of them
//! says of a text.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::protocol::Progress;

use super::apt::Apt;
use super::azure::Azure;
use super::dpkg::Dpkg;
use super::e2fsck::E2fsck;
use super::ffmpeg::Ffmpeg;
use super::gpg::Gpg;
use super::pip::Pip;
use super::prefixes::Prefixes;
use super::progrun::Progrun;
use super::tap::Tap;
use super::teamcity::Teamcity;
use super::{Lines, formats};

/// Every report of the lines of a text, as JSON.
pub(super) fn said(dialect: &mut dyn Lines, text: &str) -> Vec<String> {
    let mut said = Vec::new();
    for line in text.lines() {
        let head = &line.as_bytes()[..line.len().min(64)];
        let may_be_its = dialect.is_open() || Prefixes::new([dialect.prefix()]).possible(head) != 0;
        let is_its = dialect.line(line, &mut |_, report| said.push(report.to_json()));
        assert!(may_be_its || !is_its, "{line}");
    }
    dialect.end(&mut |_, report| said.push(report.to_json()));
    said
}

fn dialects() -> Vec<Box<dyn Lines>> {
    vec![
        Box::new(Apt),
        Box::new(Azure),
        Box::<Dpkg>::default(),
        Box::new(E2fsck),
        Box::<Ffmpeg>::default(),
        Box::new(Gpg),
        Box::<Progrun>::default(),
        Box::<Pip>::default(),
        Box::<Tap>::default(),
        Box::<Teamcity>::default(),
    ]
}

#[test]
fn a_dialect_is_silent_on_the_recorded_streams_of_all_other_programs() {
    let speaks = [
        ("apt-get", "apt"),
        ("dpkg", "dpkg"),
        ("e2fsck", "e2fsck"),
        ("ffmpeg", "ffmpeg"),
        ("gpg", "gpg"),
        ("pip", "pip"),
        ("service-messages", "teamcity"),
        ("tap", "tap"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut heard = BTreeSet::new();
    for program in fs::read_dir(folder).unwrap() {
        let program = program.unwrap();
        if !program.file_type().unwrap().is_dir() {
            continue;
        }
        for stream in fs::read_dir(program.path()).unwrap() {
            let bytes = fs::read(stream.unwrap().path()).unwrap();
            let text = String::from_utf8_lossy(&bytes).replace('\r', "\n");
            let program = program.file_name().into_string().unwrap();
            let mut each = |name, _: &Progress<'_>| {
                heard.insert((program.clone(), name));
            };
            for mut dialect in dialects() {
                for line in text.lines() {
                    dialect.line(line, &mut each);
                }
                dialect.end(&mut each);
            }
        }
    }
    let expected = speaks.map(|(program, name)| (program.to_owned(), name));
    assert_eq!(heard, BTreeSet::from(expected));
}

/// Text that comes close to what is read.
pub(super) fn text() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "\n",
            "\n",
            "\n",
            " ",
            " ",
            "    ",
            ":",
            "'",
            "|",
            "]",
            "=",
            "-",
            "#",
            ".",
            "{",
            "}",
            "\"",
            ",",
            "0",
            "1",
            "9",
            "42",
            "1e999",
            "4294967296",
            "99999999999999999999",
            "-1",
            "0.5",
            "NaN",
            "inf",
            "N/A",
            "x",
            "dlstatus:1:",
            "pmstatus:a:0.5:",
            "pmerror:",
            "pmconffile:",
            "media-change:",
            "processing: install: ",
            "status: ",
            ": unpacked",
            " : error : ",
            "[GNUPG:] PROGRESS ",
            "KiB",
            "/dev/sda1",
            "frame=",
            "size=",
            "time=00:00:01.5 ",
            "bitrate=N/A",
            "out_time_us=",
            "total_size=",
            "speed=",
            "progress=continue\n",
            "Input #0,",
            "Duration: 00:00:40.02,",
            "Downloading ",
            "Progress ",
            " of ",
            "TAP version 13\n",
            "1..",
            "ok ",
            "not ok ",
            "# Subtest: ",
            "# SKIP",
            "Bail out!",
            "  ---\n",
            "  ...\n",
            "##vso[task.setprogress value=",
            "##teamcity[testCount count='",
            "##teamcity[testStarted name='",
            "##teamcity[testFailed name='a'",
            "message='",
            "|0x",
            "é",
            "{\"progress\":",
            "\"id\":",
            "\"status\":\"ok\"",
            "{\"event\":\"progress\",\"task\":1,\"elapsed\":0.1,\"info\":{\"id\":\"a\"}}\n",
            "{\"event\":\"started\",\"task\":",
            ",\"elapsed\":1,\"name\":\"x\"}\n",
            "{\"event\":\"finished\",\"task\":1,\"elapsed\":1,\"state\":\"failed\"}\n",
        ])
        .prop_map(str::to_owned),
    ];
    vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_read_only_numbers_in_their_ranges_come_of_it(text in text()) {
        for mut dialect in dialects() {
            let mut each = |name: &'static str, report: &Progress<'_>| {
                assert!(formats().any(|format| format.name == name));
                let amounts = 0.0..=f64::MAX;
                assert!(report.progress.is_none_or(|progress| amounts.contains(&progress)));
                assert!(report.total.is_none_or(|total| total > 0.0 && total.is_finite()));
                assert!(report.percentage.is_none_or(|percentage| (0.0..=100.0).contains(&percentage)));
                assert!(!report.is_empty());
            };
            for line in text.split('\n') {
                dialect.line(line, &mut each);
            }
            dialect.end(&mut each);
        }
    }

    #[test]
    fn any_bytes_may_be_asked_about(bytes in vec(any::<u8>(), 0..60), text in text()) {
        for line in [bytes.as_slice(), text.as_bytes()] {
            let named = super::recognise::recognise(line);
            prop_assert!(named.is_none_or(|name| formats().any(|format| format.name == name)));
        }
    }
}
