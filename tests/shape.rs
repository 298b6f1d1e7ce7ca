//! Holds the source to the picture of the house: which file may name which, and which files alone may use an
//! interface. Also checks that every test is run.
//!
//! Reads text, not Rust: it looks for paths that begin with `crate::`, which is how the house names its parts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// From the ground up. A file names only what is below it. `lib` and `main` stand above, and name whatever they like.
const FLOORS: [&[&str]; 8] = [
    &[
        "client", "eta", "executor", "flow", "protocol", "system", "vt",
    ],
    &["model", "progress"],
    &["event"],
    &["wire"],
    &["dialect"],
    &["child", "sink"],
    &["run"],
    &["cli"],
];

/// Who alone may name a crate, and what else is kept in one place.
const KEPT: [(&str, &[&str]); 4] = [
    ("indicatif", &["sink/bars.rs", "sink/bars/"]),
    ("clap", &["cli.rs", "cli/"]),
    ("ctrlc", &["run/signals.rs"]),
    ("unsafe", &["system.rs", "system/"]),
];

struct Source {
    /// Below `src`.
    path: String,
    /// Without comments, and without the tests at the end.
    code: String,
}

impl Source {
    /// The part of the house that the file belongs to: `sink` for `sink/bars.rs`.
    fn part(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The parts that it names.
    fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let code: String = self.code.split_whitespace().collect();
        for (start, path) in code.match_indices("crate::") {
            let rest = &code[start + path.len()..];
            match rest.strip_prefix('{') {
                None => names.extend(word(rest)),
                // `use crate::{a, b::{c, d}};`
                Some(group) => {
                    let mut depth = 0;
                    let mut part = String::new();
                    for character in group.chars() {
                        match character {
                            '{' => depth += 1,
                            '}' | ',' if depth == 0 => {
                                names.extend(word(&part));
                                part.clear();
                                if character == '}' {
                                    break;
                                }
                            }
                            '}' => depth -= 1,
                            _ if depth == 0 => part.push(character),
                            _ => {}
                        }
                    }
                }
            }
        }
        names
    }
}

/// The word at the beginning of `code`.
fn word(code: &str) -> Option<String> {
    let end = code.find(|character: char| !character.is_alphanumeric() && character != '_');
    let word = &code[..end.unwrap_or(code.len())];
    (!word.is_empty()).then(|| word.to_owned())
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &mut found);
    found.sort();
    let sources: Vec<_> = found
        .iter()
        .map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let without_comment =
                |line: &str| line.split("//").next().unwrap_or_default().to_owned();
            let code: Vec<_> = before_tests
                .lines()
                .map(without_comment)
                .filter(|line| !line.trim().is_empty())
                .collect();
            Source {
                path: file
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
                code: code.join("\n"),
            }
        })
        .collect();
    assert!(sources.len() > 10, "this test looks in the wrong place");
    sources
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn floor(part: &str) -> Option<usize> {
    FLOORS.iter().position(|parts| parts.contains(&part))
}

#[test]
fn a_file_names_only_what_is_on_lower_floors() {
    for source in sources() {
        let part = source.part();
        if part == "lib" || part == "main" {
            continue;
        }
        let own = floor(part).unwrap_or_else(|| panic!("{part} has no floor"));
        for name in source.names() {
            let below = floor(&name).is_some_and(|floor| floor < own);
            assert!(
                name == part || below,
                "{} is on floor {} and names {name}",
                source.path,
                own + 1
            );
        }
    }
}

#[test]
fn what_one_file_knows_no_other_names() {
    for source in sources() {
        let words: BTreeSet<&str> = source
            .code
            .split(|character: char| !character.is_alphanumeric() && character != '_')
            .collect();
        for (name, places) in KEPT {
            let kept_here = places.iter().any(|place| source.path.starts_with(place));
            assert!(
                kept_here || !words.contains(name),
                "{} names {name}, which only {places:?} may",
                source.path
            );
        }
    }
}

#[test]
fn no_file_is_a_rag_bag() {
    for source in sources() {
        let file = source.path.rsplit('/').next().unwrap_or_default();
        let names = [
            "mod.rs",
            "utils.rs",
            "util.rs",
            "common.rs",
            "misc.rs",
            "helpers.rs",
        ];
        assert!(!names.contains(&file), "{}", source.path);
    }
}

#[test]
fn every_part_on_a_floor_is_there() {
    let parts: BTreeSet<_> = sources()
        .iter()
        .map(|source| source.part().to_owned())
        .collect();
    for part in FLOORS.concat() {
        assert!(parts.contains(part), "{part}");
    }
}

/// A file that tests/main.rs does not name is not even compiled.
#[cfg(target_os = "linux")]
#[test]
fn every_test_that_is_written_is_run() {
    let run = crate::harness::all();
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        &mut files,
    );
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for after in text.split("#[test]\n").skip(1) {
            let (_, function) = after.split_once("fn ").unwrap();
            // In a macro it has no name yet.
            let Some(name) = word(function) else { continue };
            let listed = run
                .iter()
                .any(|(path, _)| path.ends_with(&format!("::{name}")));
            assert!(listed, "{name} in {} does not run", file.display());
        }
    }
}

#[test]
fn a_test_that_cannot_run_here_is_ignored_or_fails_where_each_has_to_run() {
    let name = "completions::zsh_completes_options_values_files_and_the_command";
    let run = |everything: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("PATH", "/no/such/folder")
            .env("PROGRUN_TEST_ALL", everything)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let ignored = run("0");
    assert!(ignored.contains(" ... ignored (needs zsh)\n"), "{ignored}");
    let counted = "test result: ok. 0 passed; 0 failed; 1 ignored;";
    assert!(ignored.contains(counted), "{ignored}");
    let failed = run("1");
    assert!(
        failed.contains("PROGRUN_TEST_ALL=1 asks for zsh\n"),
        "{failed}"
    );
    let counted = "test result: FAILED. 0 passed; 1 failed; 0 ignored;";
    assert!(failed.contains(counted), "{failed}");
}

#[test]
fn the_names_in_a_group_are_found() {
    let source = Source {
        path: "sink/bars.rs".to_owned(),
        code: "use crate::{event::{Event, Stream}, parts};\ncrate::credit::Charge".to_owned(),
    };
    assert_eq!(source.part(), "sink");
    let expected = ["credit", "event", "parts"].map(str::to_owned);
    assert_eq!(source.names(), BTreeSet::from(expected));
}
