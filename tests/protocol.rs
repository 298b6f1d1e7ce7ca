//! The grammar of the channel, line by line: the lines that a child writes, and the reports that are read from them.

use std::borrow::Cow;

use progrun::protocol::{Content, Decoder, LINE_LIMIT, Line, Progress, Status};

/// Every line of the bytes, as `number text -> meaning`.
fn read_in_pieces(pieces: &[&[u8]]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut each = |line: Line<'_>| {
        let text = String::from_utf8_lossy(line.text);
        let meaning = match line.content {
            Content::Empty => "empty".to_owned(),
            Content::Object(progress) => format!("object {}", progress.to_json()),
            Content::Short(progress) => format!("short {}", progress.to_json()),
            Content::Malformed(reason) => format!("malformed: {reason}"),
        };
        seen.push(format!("{} {text} -> {meaning}", line.number));
    };
    let mut decoder = Decoder::new();
    for piece in pieces {
        decoder.feed(piece, &mut each);
    }
    decoder.finish(&mut each);
    seen
}

/// What a single line means.
#[track_caller]
fn meaning(line: impl AsRef<[u8]>) -> String {
    let line = line.as_ref();
    let seen = read_in_pieces(&[line, b"\n"]);
    assert_eq!(seen.len(), 1, "{seen:?}");
    let (_, meaning) = seen[0].rsplit_once(" -> ").unwrap_or_default();
    meaning.to_owned()
}

#[track_caller]
fn object(line: &str, json: &str) {
    assert_eq!(meaning(line), format!("object {json}"), "{line}");
}

#[track_caller]
fn short(line: &str, json: &str) {
    assert_eq!(meaning(line), format!("short {json}"), "{line}");
}

#[track_caller]
fn message(line: &str) {
    let json = Progress {
        message: Some(Cow::Borrowed(line)),
        ..Progress::default()
    };
    short(line, &json.to_json());
}

#[track_caller]
fn malformed(line: impl AsRef<[u8]>, reason: &str) {
    assert_eq!(meaning(line), format!("malformed: {reason}"));
}

// Objects

#[test]
fn every_field_of_an_object_is_read() {
    let line = concat!(
        r#"{"progress":3,"total":10.5,"percentage":30,"unit":"files","message":"a.jpg","id":"a","#,
        r#""parent":"all","title":"Photos","status":"failed","eta":12.5}"#
    );
    object(line, line);
}

#[test]
fn current_and_percent_are_other_names_of_progress_and_percentage() {
    object(
        r#"{"current":3,"percent":30}"#,
        r#"{"progress":3,"percentage":30}"#,
    );
}

#[test]
fn every_status_is_read() {
    for (word, status) in [
        ("ok", Status::Ok),
        ("failed", Status::Failed),
        ("skipped", Status::Skipped),
        ("cancelled", Status::Cancelled),
    ] {
        let progress = Progress {
            status: Some(status),
            ..Progress::default()
        };
        let line = format!(r#"{{"status":"{word}"}}"#);
        assert_eq!(progress.to_json(), line);
        object(&line, &line);
    }
}

#[test]
fn a_part_named_by_a_number_is_the_part_named_by_its_text() {
    object(r#"{"id":1,"parent":"1"}"#, r#"{"id":"1","parent":"1"}"#);
    object(
        r#"{"id":18446744073709551616,"parent":-1.50}"#,
        r#"{"id":"18446744073709551616","parent":"-1.50"}"#,
    );
}

#[test]
fn unknown_fields_are_skipped_whatever_they_are() {
    for value in [
        "null",
        "true",
        "false",
        "-1e999",
        r#""\u00e9""#,
        "[]",
        "{}",
        r#"[1,{"progress":"no"},[[]]]"#,
    ] {
        let line = format!(r#"{{"mine":{value},"progress":1,"":{value}}}"#);
        object(&line, r#"{"progress":1}"#);
    }
}

#[test]
fn an_object_without_known_fields_is_an_empty_report() {
    object("{}", "{}");
    object(r#"{"x":1}"#, "{}");
}

#[test]
fn null_is_as_good_as_absent() {
    object(
        concat!(
            r#"{"progress":null,"total":null,"percentage":null,"unit":null,"message":null,"id":null,"#,
            r#""parent":null,"title":null,"status":null,"eta":null}"#
        ),
        "{}",
    );
}

#[test]
fn of_the_same_field_twice_the_last_one_counts() {
    object(
        r#"{"progress":1,"current":2,"message":"a","message":"b"}"#,
        r#"{"progress":2,"message":"b"}"#,
    );
    object(r#"{"progress":1,"progress":null}"#, "{}");
}

#[test]
fn escapes_in_strings_and_keys_are_resolved() {
    object(
        r#"{"m\u0065ssage":"a\"b\\\/\n\ud83d\ude00","id":"\u0041"}"#,
        r#"{"message":"a\"b\\/\n😀","id":"A"}"#,
    );
}

#[test]
fn white_space_in_and_around_an_object_is_tolerated() {
    object(
        " \t{ \"progress\" : 1 ,\t\"total\":2 } \r",
        r#"{"progress":1,"total":2}"#,
    );
}

#[test]
fn numbers_are_read_exactly() {
    object(
        r#"{"progress":0.1,"total":123456789012345678,"eta":1.5e3}"#,
        r#"{"progress":0.1,"total":1.2345678901234568e+17,"eta":1500}"#,
    );
    object(
        r#"{"progress":100000000000000000000,"total":999999999999999}"#,
        r#"{"progress":1e+20,"total":999999999999999}"#,
    );
    object(r#"{"progress":-0}"#, r#"{"progress":0}"#);
    object(r#"{"progress":1E-2}"#, r#"{"progress":0.01}"#);
}

#[test]
fn of_two_carriage_returns_only_the_last_belongs_to_the_end_of_the_line() {
    for piece in [&b"a\r\r\nb\r\r\n"[..], b"{\r\r\n"] {
        let whole = read_in_pieces(&[piece]);
        let bytes: Vec<_> = piece.chunks(1).collect();
        assert_eq!(read_in_pieces(&bytes), whole);
        assert!(whole[0].contains('\r'), "{whole:?}");
    }
}

#[test]
fn progress_may_exceed_the_total() {
    object(
        r#"{"progress":11,"total":10}"#,
        r#"{"progress":11,"total":10}"#,
    );
}

#[test]
fn a_total_of_0_is_an_unknown_total() {
    object(r#"{"progress":0,"total":0}"#, r#"{"progress":0}"#);
}

#[test]
fn the_text_of_an_object_is_what_the_child_wrote() {
    assert_eq!(
        read_in_pieces(&[b"{ \"progress\": 1.0, \"mine\": [1] }\r\n"]),
        [r#"1 { "progress": 1.0, "mine": [1] } -> object {"progress":1}"#]
    );
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (fields, reason) in [
        (
            ["progress", "current"],
            "progress must be a number of 0 or more",
        ),
        (["total", "total"], "total must be a number above 0"),
        (
            ["percentage", "percent"],
            "percentage must be a number from 0 to 100",
        ),
        (["eta", "eta"], "eta must be a number of seconds, 0 or more"),
    ] {
        for field in fields {
            for value in [
                r#""3""#,
                "true",
                "[3]",
                r#"{"a":3}"#,
                "-1",
                "-0.5",
                "1e999",
                "NaN",
                "+1",
                ".5",
            ] {
                malformed(format!(r#"{{"{field}":{value}}}"#), reason);
            }
        }
    }
    for (field, reason) in [
        ("unit", "unit must be a string"),
        ("message", "message must be a string"),
        ("title", "title must be a string"),
    ] {
        for value in ["3", "false", "[]", "{}"] {
            malformed(format!(r#"{{"{field}":{value}}}"#), reason);
        }
    }
    for (field, reason) in [
        ("id", "id must be a string or a number"),
        ("parent", "parent must be a string or a number"),
    ] {
        for value in ["true", "[]", "{}"] {
            malformed(format!(r#"{{"{field}":{value}}}"#), reason);
        }
    }
    for value in [r#""done""#, r#""OK""#, "0", "true"] {
        malformed(
            format!(r#"{{"status":{value}}}"#),
            "status must be ok, failed, skipped or cancelled",
        );
    }
}

#[test]
fn a_percentage_above_100_is_malformed() {
    malformed(
        r#"{"percentage":100.1}"#,
        "percentage must be a number from 0 to 100",
    );
    object(r#"{"percentage":100}"#, r#"{"percentage":100}"#);
}

#[test]
fn what_begins_like_an_object_and_is_none_is_malformed() {
    malformed("{oops", "key must be a string at column 2");
    malformed("{'progress':1}", "key must be a string at column 2");
    malformed("  {oops", "key must be a string at column 4");
    malformed(r#"{"progress" 1}"#, "expected `:` at column 13");
    malformed(r#"{"mine":}"#, "expected a value at column 9");
    malformed(r#"{"mine":nul}"#, "expected a value at column 9");
    malformed(r#"{"mine":NaN}"#, "expected a value at column 9");
    malformed(r#"{"mine":+1}"#, "expected a value at column 9");
    malformed(r#"{"mine":.5}"#, "expected a value at column 9");
    malformed(r#"{"progress":-}"#, "expected a digit at column 14");
    malformed(r#"{"progress":1.}"#, "expected a digit at column 15");
    malformed(r#"{"progress":1e}"#, "expected a digit at column 15");
    malformed(r#"{"progress":01}"#, "expected `,` or `}` at column 14");
    malformed(
        r#"{"progress":1 "total":2}"#,
        "expected `,` or `}` at column 15",
    );
    malformed(r#"{"progress":1,}"#, "key must be a string at column 15");
    malformed(r#"{"x":[1 2]}"#, "expected `,` or `]` at column 9");
    malformed(r#"{"x":[1,]}"#, "expected a value at column 9");
    malformed(r#"{"x":[}"#, "expected a value at column 7");
    malformed(
        r#"{"progress":1} 2"#,
        "nothing may follow the object at column 16",
    );
    malformed(
        r#"{"progress":1}{"progress":2}"#,
        "nothing may follow the object at column 15",
    );
}

#[test]
fn an_object_that_is_cut_off_is_malformed() {
    let line = r#"{"a":"b\"","x":[1,{}],"progress":10}"#;
    for end in 1..line.len() {
        let cut = &line[..end];
        let column = end + 1;
        malformed(cut, &format!("the object is cut off at column {column}"));
    }
}

#[test]
fn strings_keep_to_the_rules_of_json() {
    malformed(
        "{\"message\":\"a\tb\"}",
        "control character in a string at column 14",
    );
    malformed(
        "{\"message\":\"a\0b\"}",
        "control character in a string at column 14",
    );
    malformed(
        r#"{"message":"a\qb"}"#,
        "invalid escape in a string at column 12",
    );
    malformed(
        r#"{"message":"\u12"}"#,
        "invalid escape in a string at column 12",
    );
    malformed(
        r#"{"message":"\ud800"}"#,
        "invalid escape in a string at column 12",
    );
}

#[test]
fn strings_of_every_length_end_where_they_end() {
    for length in 0..40 {
        let text = "~ é a\u{7f}b".repeat(10);
        let Some(text) = text.get(..length) else {
            continue; // within a character
        };
        let json = format!(r#"{{"message":"{text}"}}"#);
        object(&json, &json);
        let json = format!(r#"{{"message":"{text}\n{text}"}}"#);
        object(&json, &json);
        malformed(
            format!("{{\"message\":\"{text}\u{1f}\"}}"),
            &format!("control character in a string at column {}", 13 + length),
        );
    }
}

#[test]
fn what_nests_too_deep_is_malformed_and_no_stack_overflows() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"mine":{open}{close}}}"#)
    };
    object(&nested(127), "{}");
    malformed(nested(128), "nested deeper than 128");
    malformed(nested(30_000), "nested deeper than 128");
    malformed(r#"{"a":"#.repeat(10_000), "nested deeper than 128");
    // Brackets in a string do not nest.
    object(&format!(r#"{{"mine":"{}"}}"#, "[".repeat(1000)), "{}");
}

// Short forms

#[test]
fn a_number_alone_is_a_percent() {
    short("42", r#"{"percentage":42}"#);
    short("42%", r#"{"percentage":42}"#);
    short("42.5", r#"{"percentage":42.5}"#);
    short("42.5%", r#"{"percentage":42.5}"#);
    short("0", r#"{"percentage":0}"#);
    short("100", r#"{"percentage":100}"#);
    short("007", r#"{"percentage":7}"#);
    short("  42 \r", r#"{"percentage":42}"#);
}

#[test]
fn a_number_alone_that_is_no_percent_is_malformed() {
    for line in ["101", "150%", "-1", "-0.5%", "100.01", &"9".repeat(400)] {
        malformed(line, "percentage must be a number from 0 to 100");
    }
}

#[test]
fn a_percent_sign_may_be_followed_by_a_message() {
    short(
        "42% copying a.jpg",
        r#"{"percentage":42,"message":"copying a.jpg"}"#,
    );
    message("200% faster");
    message("42 files");
    message("42%!");
    message("42. Chapter");
}

#[test]
fn a_fraction_is_an_amount_and_its_total() {
    short("3/10", r#"{"progress":3,"total":10}"#);
    short(
        "3/10 copying a.jpg",
        r#"{"progress":3,"total":10,"message":"copying a.jpg"}"#,
    );
    short(
        "3/10\tcopying",
        r#"{"progress":3,"total":10,"message":"copying"}"#,
    );
    short("1.5/2.5", r#"{"progress":1.5,"total":2.5}"#);
    short("11/10", r#"{"progress":11,"total":10}"#);
}

#[test]
fn blanks_around_the_sign_or_the_word_of_change_nothing() {
    let amount = r#"{"progress":3,"total":10}"#;
    for line in [
        "3 / 10",
        "3 /10",
        "3/ 10",
        "3\t/\t10",
        "3 of 10",
        "3  of  10",
    ] {
        short(line, amount);
    }
    short(
        "3 of 10 files done",
        r#"{"progress":3,"total":10,"message":"files done"}"#,
    );
    short(
        "3 / 10 copying a.jpg",
        r#"{"progress":3,"total":10,"message":"copying a.jpg"}"#,
    );
    for line in ["1.5KiB / 2KiB", "1.5KiB of 2KiB", "1.5 of 2KiB"] {
        short(line, r#"{"progress":1536,"total":2048,"unit":"bytes"}"#);
    }
    short("3 of 0", r#"{"progress":3}"#);
    short("50 %", r#"{"percentage":50}"#);
    short(
        "12.5 % copying",
        r#"{"percentage":12.5,"message":"copying"}"#,
    );
}

#[test]
fn prose_that_only_begins_like_an_amount_is_a_message() {
    for line in [
        "3 of a kind",
        "3 of 10: done",
        "3 of 10th",
        "3of 10",
        "3 of10",
        "3 often",
        "2 ofs 3",
        "3 out of 10",
        "3 OF 10",
        "28 / 11 / 2026",
        "28 / 11/2026",
        "3 / x",
        "3 /",
        "3 of",
        "3 10",
        "3 MiB of 10 MiB",
        "3MiB of 10",
        "5 %x",
        "200 % faster",
        "5KiB %",
        "one of 3",
    ] {
        message(line);
    }
}

#[test]
fn a_fraction_of_0_has_no_known_total() {
    short("0/0", r#"{"progress":0}"#);
    short("5/0 looking", r#"{"progress":5,"message":"looking"}"#);
}

#[test]
fn a_fraction_of_bytes_is_counted_in_bytes() {
    let units = [
        ("B", "1"),
        ("kB", "1000"),
        ("KB", "1000"),
        ("MB", "1000000"),
        ("GB", "1000000000"),
        ("TB", "1000000000000"),
        ("PB", "1000000000000000"),
        ("KiB", "1024"),
        ("MiB", "1048576"),
        ("GiB", "1073741824"),
        ("TiB", "1099511627776"),
        ("PiB", "1125899906842624"),
    ];
    for (unit, bytes) in units {
        short(
            &format!("0{unit}/1{unit}"),
            &format!(r#"{{"progress":0,"total":{bytes},"unit":"bytes"}}"#),
        );
    }
    short(
        "12MiB/400MiB",
        r#"{"progress":12582912,"total":419430400,"unit":"bytes"}"#,
    );
    short(
        "512KiB/1.5MiB copying",
        r#"{"progress":524288,"total":1572864,"unit":"bytes","message":"copying"}"#,
    );
    short(
        "12/400MiB",
        r#"{"progress":12582912,"total":419430400,"unit":"bytes"}"#,
    );
    short(
        "0.1KiB/0.7KiB",
        r#"{"progress":102,"total":717,"unit":"bytes"}"#,
    );
}

#[test]
fn a_fraction_out_of_range_is_malformed() {
    malformed("-3/10", "progress must be a number of 0 or more");
    malformed("3/-10 copying", "total must be a number above 0");
    let huge = "9".repeat(400);
    malformed(
        format!("{huge}/10"),
        "progress must be a number of 0 or more",
    );
    malformed(format!("10/{huge}"), "total must be a number above 0");
}

#[test]
fn what_only_resembles_a_fraction_is_a_message() {
    for line in [
        "12/11/2026",
        "3/10copying",
        "3/10,",
        "3/",
        "3/x",
        "12MiB/400",
        "12MiB/400MiB/s",
        "12mib/400mib",
        "12MiB",
        "1/s",
        "/etc/passwd",
    ] {
        message(line);
    }
}

#[test]
fn a_hash_begins_a_message() {
    short("# copying a.jpg", r#"{"message":"copying a.jpg"}"#);
    short("#copying a.jpg", r#"{"message":"copying a.jpg"}"#);
    short("# 42", r#"{"message":"42"}"#);
    short("#", r#"{"message":""}"#);
}

#[test]
fn any_other_text_is_a_message() {
    for line in [
        "copying a.jpg",
        "[1,2]",
        "null",
        "\"text\"",
        "1e5",
        "+5",
        "-",
        "%",
        ".5",
        "1,5",
        "inf",
        "NaN",
        "überweisen",
        "a\u{1b}[31mred",
        "nul \0 byte",
        "XXX marks the spot",
        "pulsate: true",
    ] {
        message(line);
    }
}

#[test]
fn a_name_and_a_colon_begin_the_report_of_a_part() {
    short("a:42", r#"{"percentage":42,"id":"a"}"#);
    short("a:42.5%", r#"{"percentage":42.5,"id":"a"}"#);
    short("a:#copying", r#"{"message":"copying","id":"a"}"#);
    short("a:# copying b", r#"{"message":"copying b","id":"a"}"#);
    short("disk-0_b:7", r#"{"percentage":7,"id":"disk-0_b"}"#);
    short("1:42", r#"{"percentage":42,"id":"1"}"#);
    short("1:0", r#"{"percentage":0,"id":"1"}"#);
    short("12:30%", r#"{"percentage":30,"id":"12"}"#);
    short("12:#text", r#"{"message":"text","id":"12"}"#);
}

#[test]
fn prose_with_a_colon_is_a_message() {
    for line in [
        "12:30",
        "1:05",
        "10:42",
        "note: 5 files",
        "note:5 files",
        "http://x",
        "main.c:42",
        "localhost:8080",
        "C:\\temp",
        "a:",
        ":42",
        "-a:42",
        "2a:42",
        "a b:42",
        "a:b",
        "a:101",
        "a:-1",
        "a: 42",
        "é:42",
    ] {
        message(line);
    }
}

// Dialog blocks

#[test]
fn a_dialog_block_is_a_percent_and_a_text() {
    assert_eq!(
        read_in_pieces(&[b"41\nXXX\n42\nInstalling\n  packages\nXXX\n43\n"]),
        [
            r#"1 41 -> short {"percentage":41}"#,
            "2 XXX\n42\nInstalling\n  packages\nXXX -> short \
             {\"percentage\":42,\"message\":\"Installing packages\"}",
            r#"7 43 -> short {"percentage":43}"#,
        ]
    );
}

#[test]
fn a_dialog_block_may_lack_its_percent_or_its_text() {
    for (block, json) in [
        ("XXX\n42\nXXX\n", r#"{"percentage":42}"#),
        (
            "XXX\n42%\nText\nXXX\n",
            r#"{"percentage":42,"message":"Text"}"#,
        ),
        ("XXX\nText\n42\nXXX\n", r#"{"message":"Text 42"}"#),
        ("XXX\n142\nText\nXXX\n", r#"{"message":"142 Text"}"#),
        (
            " XXX\r\n42\r\n\r\nText\r\nXXX\r\n",
            r#"{"percentage":42,"message":"Text"}"#,
        ),
    ] {
        let seen = read_in_pieces(&[block.as_bytes()]);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].ends_with(&format!(" -> short {json}")), "{seen:?}");
    }
    assert_eq!(read_in_pieces(&[b"XXX\nXXX\n"]), ["1 XXX\nXXX -> empty"]);
}

#[test]
fn a_dialog_block_that_is_not_closed_is_given_as_far_as_it_goes() {
    let given = "1 XXX\n42\nText -> short {\"percentage\":42,\"message\":\"Text\"}";
    assert_eq!(read_in_pieces(&[b"XXX\n42\nText"]), [given]);
    assert_eq!(read_in_pieces(&[b"XXX\n42\nText\n"]), [given]);
    assert_eq!(read_in_pieces(&[b"XXX"]), ["1 XXX -> empty"]);
}

#[test]
fn an_object_ends_a_dialog_block_that_was_never_meant_as_one() {
    assert_eq!(
        read_in_pieces(&[b"XXX\nText\n {\"progress\":1}\n42\n"]),
        [
            "1 XXX\nText -> short {\"message\":\"Text\"}",
            "3  {\"progress\":1} -> object {\"progress\":1}",
            "4 42 -> short {\"percentage\":42}",
        ]
    );
}

#[test]
fn an_endless_dialog_block_is_malformed_and_the_lines_after_it_are_not() {
    let mut bytes = b"1\nXXX\n".to_vec();
    while bytes.len() <= LINE_LIMIT {
        bytes.extend(b"line of sixteen\n");
    }
    bytes.extend(b"2\n");
    let seen = read_in_pieces(&[&bytes]);
    assert_eq!(seen.first().unwrap(), r#"1 1 -> short {"percentage":1}"#);
    assert!(
        seen[1].starts_with("2 XXX\nline of sixteen\n"),
        "{}",
        seen[1]
    );
    assert!(
        seen[1].ends_with(" -> malformed: longer than 65536 bytes"),
        "{}",
        seen[1]
    );
    assert_eq!(seen.last().unwrap(), r#"4099 2 -> short {"percentage":2}"#);
}

// Lines

#[test]
fn a_blank_line_is_a_report_of_nothing() {
    for line in ["", " ", "\t \r"] {
        assert_eq!(meaning(line), "empty");
    }
    assert_eq!(read_in_pieces(&[b"\n\n"]), ["1  -> empty", "2  -> empty"]);
}

#[test]
fn nothing_at_all_is_no_line() {
    assert_eq!(read_in_pieces(&[]), [""; 0]);
    assert_eq!(read_in_pieces(&[b"", b""]), [""; 0]);
}

#[test]
fn a_last_line_without_newline_is_a_line_too() {
    assert_eq!(
        read_in_pieces(&[b"1\n2"]),
        [
            r#"1 1 -> short {"percentage":1}"#,
            r#"2 2 -> short {"percentage":2}"#
        ]
    );
}

#[test]
fn a_byte_order_mark_is_tolerated_at_the_beginning_only() {
    assert_eq!(
        read_in_pieces(&[b"\xEF\xBB", b"\xBF{\"progress\":1}\n"]),
        [r#"1 {"progress":1} -> object {"progress":1}"#]
    );
    assert_eq!(
        read_in_pieces(&[b"1\n\xEF\xBB\xBF2\n"])[1],
        "2 \u{feff}2 -> short {\"message\":\"\u{feff}2\"}"
    );
}

#[test]
fn a_line_as_long_as_the_limit_is_read_and_a_longer_one_is_not() {
    let longest = "a".repeat(LINE_LIMIT);
    message(&longest);
    let excerpt = "a".repeat(256);
    for pieces in [
        &[longest.as_bytes(), b"a\n7\n"][..],
        &[longest.as_bytes(), b"a", longest.as_bytes(), b"\n7\n"],
        &[(longest.clone() + "a\n7\n").as_bytes()],
    ] {
        assert_eq!(
            read_in_pieces(pieces),
            [
                format!("1 {excerpt} -> malformed: longer than 65536 bytes"),
                r#"2 7 -> short {"percentage":7}"#.to_owned(),
            ]
        );
    }
}

#[test]
fn an_over_long_line_is_told_before_its_end_comes() {
    let mut decoder = Decoder::new();
    let mut lines = 0;
    for _ in 0..100 {
        decoder.feed(&vec![b'x'; LINE_LIMIT], &mut |_| lines += 1);
    }
    decoder.finish(&mut |_| lines += 1);
    assert_eq!(lines, 1);
}

#[test]
fn bytes_that_are_not_utf_8_are_malformed() {
    malformed(b"caf\xE9", "not UTF-8 at byte 4");
    malformed(b"{\"mine\":\"\xFF\"}", "not UTF-8 at byte 10");
    malformed(b"\xED\xA0\x80", "not UTF-8 at byte 1");
    assert_eq!(
        read_in_pieces(&[b"XXX\n1\n\xFF\nXXX\n2\n"]),
        [
            "1 XXX\n1\n\u{fffd}\nXXX -> malformed: not UTF-8 at byte 7",
            "5 2 -> short {\"percentage\":2}",
        ]
    );
}

#[test]
fn a_character_cut_by_the_border_of_a_chunk_is_whole_again() {
    assert_eq!(
        read_in_pieces(&[b"caf\xC3", b"\xA9\n"]),
        ["1 café -> short {\"message\":\"café\"}"]
    );
}

#[test]
fn a_malformed_line_does_not_spoil_the_next() {
    assert_eq!(
        read_in_pieces(&[b"{oops\n\xFF\n{\"progress\":1}\n"])[2],
        r#"3 {"progress":1} -> object {"progress":1}"#
    );
}

#[test]
fn what_lies_whole_in_the_bytes_is_borrowed_from_them() {
    let mut borrowed = 0;
    Decoder::new().feed(
        "{\"message\":\"überweisen\",\"id\":7}\n# a\na:# b\n".as_bytes(),
        &mut |line| {
            if let Content::Object(progress) | Content::Short(progress) = line.content {
                borrowed += i32::from(matches!(progress.message, Some(Cow::Borrowed(_))));
                borrowed += i32::from(matches!(progress.id, Some(Cow::Borrowed(_))));
            }
        },
    );
    assert_eq!(borrowed, 5);
}

// Progress

fn report(line: &str) -> Progress<'static> {
    let mut read = Progress::default();
    Decoder::new().feed(format!("{line}\n").as_bytes(), &mut |line| {
        if let Content::Object(progress) | Content::Short(progress) = line.content {
            read = progress.into_owned();
        }
    });
    read
}

#[track_caller]
fn merged(reports: &[&str], json: &str) {
    let mut known = Progress::default();
    for newer in reports {
        known.merge(&report(newer));
    }
    assert_eq!(known.to_json(), json);
}

#[test]
fn newer_fields_win_and_absent_ones_stay() {
    merged(
        &[
            r#"{"progress":1,"total":10,"unit":"files","message":"a","title":"T","id":"x","parent":"p"}"#,
            r#"{"progress":2,"message":"b","status":"ok"}"#,
        ],
        concat!(
            r#"{"progress":2,"total":10,"unit":"files","message":"b","id":"x","parent":"p","title":"T","#,
            r#""status":"ok"}"#
        ),
    );
    merged(
        &["3/10 a", "#"],
        r#"{"progress":3,"total":10,"message":""}"#,
    );
    merged(&["3/10", r#"{"total":20}"#], r#"{"progress":3,"total":20}"#);
}

#[test]
fn a_newer_percentage_is_not_shadowed_by_an_older_amount_nor_the_other_way_round() {
    merged(&["3/10", "42"], r#"{"total":10,"percentage":42}"#);
    merged(&["42", "3/10"], r#"{"progress":3,"total":10}"#);
    merged(&["42", r#"{"progress":3}"#], r#"{"progress":3}"#);
    merged(
        &["3/10", "42", r#"{"progress":5}"#],
        r#"{"progress":5,"total":10}"#,
    );
    merged(
        &["42", "# still there"],
        r#"{"percentage":42,"message":"still there"}"#,
    );
}

#[test]
fn an_estimate_belongs_to_the_amount_it_came_with() {
    merged(
        &[r#"{"progress":1,"eta":60}"#, r#"{"progress":2}"#],
        r#"{"progress":2}"#,
    );
    merged(
        &[r#"{"progress":1,"eta":60}"#, r#"{"progress":2,"eta":30}"#],
        r#"{"progress":2,"eta":30}"#,
    );
    merged(
        &[r#"{"progress":1,"eta":60}"#, "# a"],
        r#"{"progress":1,"message":"a","eta":60}"#,
    );
}

#[test]
fn merging_uses_the_memory_of_texts_again() {
    let mut known = report("# a long message that needs its room");
    let before = known.message.as_deref().unwrap().as_ptr();
    known.merge(&report("# a short one"));
    assert_eq!(known.message.as_deref(), Some("a short one"));
    assert_eq!(known.message.as_deref().unwrap().as_ptr(), before);
}

#[test]
fn the_fraction_lies_between_0_and_1() {
    let fraction = |line| report(line).fraction();
    assert_eq!(fraction("3/4"), Some(0.75));
    assert_eq!(fraction("5/4"), Some(1.0));
    assert_eq!(fraction("25"), Some(0.25));
    assert_eq!(fraction(r#"{"progress":3}"#), None);
    assert_eq!(fraction(r#"{"total":3}"#), None);
    assert_eq!(fraction("# text"), None);
    assert_eq!(
        fraction(r#"{"progress":1,"total":4,"percentage":90}"#),
        Some(0.25)
    );
    assert_eq!(fraction(r#"{"progress":1,"percentage":90}"#), Some(0.9));
}

#[test]
fn the_fraction_of_odd_numbers_is_none_or_in_range() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0] {
        for other in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1.0] {
            let progress = Progress {
                progress: Some(odd),
                total: Some(other),
                ..Progress::default()
            };
            let fraction = progress.fraction();
            assert!(
                fraction.is_none_or(|f| (0.0..=1.0).contains(&f)),
                "{progress:?}"
            );
        }
    }
}

#[test]
fn an_empty_report_says_nothing() {
    assert!(Progress::default().is_empty());
    assert!(!report("0").is_empty());
    assert!(!report("#").is_empty());
    assert_eq!(Progress::default().to_json(), "{}");
}
