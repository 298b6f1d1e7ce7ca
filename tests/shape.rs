//! Holds the source to the architecture in `CONTRIBUTING.md`: which file may name which, and which files alone may use
//! an interface. Also checks that every test is run.
//!
//! Reads text, not Rust: it looks for paths that begin with `crate::` or `super::`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files above all floors, which may name anything.
const ABOVE: [&str; 3] = ["internals", "lib", "main"];

/// From the ground up. A file names only lower floors and its own part.
const FLOORS: [&[&str]; 9] = [
    &["reason"],
    &[
        "client", "eta", "executor", "flow", "launcher", "list", "places", "protocol", "system",
        "vt",
    ],
    &["ledger", "model", "progress", "socket"],
    &["event"],
    &["wire"],
    &["detached", "dialect", "joblog", "journal"],
    &["child", "sink"],
    &["run", "timeline"],
    &["cli"],
];

/// The files that alone may contain these words: crates, and `unsafe`.
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
    /// The module that the file is: `["sink", "bars"]` for `sink/bars.rs`.
    fn module(&self) -> Vec<&str> {
        self.path.trim_end_matches(".rs").split('/').collect()
    }

    /// The part of the architecture that the file belongs to: `sink` for `sink/bars.rs`.
    fn part(&self) -> &str {
        self.module()[0]
    }

    /// The paths that it names, from the crate on, with `super` resolved: `["sink", "writer"]` for `super::writer` in
    /// `sink/bars.rs`.
    fn names(&self) -> BTreeSet<Vec<String>> {
        let module: Vec<String> = self.module().into_iter().map(str::to_owned).collect();
        let code: String = self.code.split_whitespace().collect();
        let mut names = BTreeSet::new();
        for (start, path) in code.match_indices("crate::") {
            // The `$crate` of a macro belongs to the place where the macro is used.
            if code[..start].ends_with('$') {
                continue;
            }
            let base = Vec::new();
            names.extend(within(&base, &code[start + path.len()..]));
        }
        for (start, path) in code.match_indices("super::") {
            if code[..start].ends_with("super::") {
                continue;
            }
            let mut rest = &code[start + path.len()..];
            let mut base = module[..module.len() - 1].to_vec();
            while let Some(further) = rest.strip_prefix(path) {
                rest = further;
                base.pop();
            }
            names.extend(within(&base, rest));
        }
        names
    }

    /// The items that the file takes from its children to hand them on under its own name.
    fn hands_on(&self) -> BTreeSet<String> {
        let code: String = self.code.split_whitespace().collect();
        let mut items = BTreeSet::new();
        for (start, path) in code.match_indices("useself::") {
            let rest = &code[start + path.len()..];
            for name in within(&[], &rest[..rest.find(';').unwrap_or(rest.len())]) {
                items.extend(name.get(1).cloned());
            }
        }
        items
    }
}

/// The paths at the beginning of `rest`, which may be a group in braces, each behind `base`.
fn within(base: &[String], rest: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (head, rest) in members(rest) {
        let mut name = base.to_vec();
        name.push(head);
        let further = rest.strip_prefix("::").map(|rest| within(&name, rest));
        match further.filter(|further| !further.is_empty()) {
            Some(further) => found.extend(further),
            None => found.push(name),
        }
    }
    found
}

/// The first word of a path, or of each member of a group, with the text that follows it.
fn members(code: &str) -> Vec<(String, &str)> {
    let Some(group) = code.strip_prefix('{') else {
        return word(code)
            .map(|word| {
                let rest = &code[word.len()..];
                (word, rest)
            })
            .into_iter()
            .collect();
    };
    let mut found = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                let member = &group[start..at];
                found.extend(word(member).map(|word| {
                    let rest = &member[word.len()..];
                    (word, rest)
                }));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

/// The word at the beginning of `code`.
fn word(code: &str) -> Option<String> {
    let end = code.find(|character: char| !character.is_alphanumeric() && character != '_');
    let word = &code[..end.unwrap_or(code.len())];
    (!word.is_empty()).then(|| word.to_owned())
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    // The library is a crate of its own, on the same floors.
    for root in ["src", "task/src"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
        let mut found = Vec::new();
        collect(&root, &mut found);
        sources.extend(found.iter().map(|file| source(&root, file)));
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(sources.len() > 10, "this test looks in the wrong place");
    sources
}

fn source(root: &Path, file: &Path) -> Source {
    let text = fs::read_to_string(file).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    let code: Vec<_> = before_tests
        .lines()
        .map(without_comment)
        .filter(|line| !line.trim().is_empty())
        .collect();
    Source {
        path: file
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned(),
        code: code.join("\n"),
    }
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
        if ABOVE.contains(&part) {
            continue;
        }
        let own = floor(part).unwrap_or_else(|| panic!("{part} has no floor"));
        for name in source.names() {
            let name = &name[0];
            let below = floor(name).is_some_and(|floor| floor < own);
            assert!(
                name == part || below,
                "{} is on floor {} and names {name}",
                source.path,
                own + 1
            );
        }
    }
}

/// An item of a neighbour is named by the neighbour's path, not by that of their common head: otherwise nothing shows
/// who depends on whom. The head's own items are there for its children.
#[test]
fn a_file_names_its_neighbours_by_their_own_names() {
    let sources = sources();
    for source in &sources {
        for name in source.names() {
            for length in 1..name.len() {
                let (head, item) = (&name[..length], &name[length]);
                let is_below =
                    source.module().len() > head.len() && source.module()[..head.len()] == *head;
                let Some(head) = sources.iter().find(|it| it.module() == *head) else {
                    continue;
                };
                assert!(
                    !is_below || !head.hands_on().contains(item),
                    "{} takes {item} from {}, which has it from a neighbour",
                    source.path,
                    head.path
                );
            }
        }
    }
}

#[test]
fn no_two_neighbours_know_each_other_directly_or_through_others() {
    let sources = sources();
    let modules: BTreeSet<Vec<&str>> = sources.iter().map(Source::module).collect();
    // For each folder, which of its members name which others.
    let mut edges: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for source in &sources {
        let module = source.module();
        for name in source.names() {
            for depth in 1..module.len().min(name.len()) {
                let same = (0..depth).all(|index| module[index] == name[index]);
                let target: Vec<&str> = name[..=depth].iter().map(String::as_str).collect();
                if same && module[depth] != target[depth] && modules.contains(&target) {
                    let folder = name[..depth].to_vec();
                    let of_folder = edges.entry(folder).or_default();
                    let of_file = of_folder.entry(module[depth].to_owned()).or_default();
                    of_file.insert(target[depth].to_owned());
                }
            }
        }
    }
    assert!(edges.len() > 5, "this test looks in the wrong place");
    for (folder, edges) in edges {
        for start in edges.keys() {
            let mut reached = BTreeSet::new();
            let mut ahead = vec![start];
            while let Some(file) = ahead.pop() {
                for next in edges.get(file).into_iter().flatten() {
                    assert_ne!(next, start, "a circle in {folder:?} by way of {file}");
                    if reached.insert(next) {
                        ahead.push(next);
                    }
                }
            }
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

/// A file that tests/main.rs does not name is not even compiled. Those below tests/slurm are another program.
#[cfg(target_os = "linux")]
#[test]
fn every_test_that_is_written_is_run() {
    let run = crate::harness::all();
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        &mut files,
    );
    files.retain(|file| !file.components().any(|part| part.as_os_str() == "slurm"));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for after in text.split("#[test]\n").skip(1) {
            let (_, function) = after.split_once("fn ").unwrap();
            // A function in a macro has no name yet.
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
        code: "use crate::{event::{Event, Stream}, flow};\nuse super::{writer::Writer, Sink};\n\
               super::super::vt::lexer::read();\nuse self::row::{Row, Rows};"
            .to_owned(),
    };
    assert_eq!(source.part(), "sink");
    let names: Vec<String> = source.names().iter().map(|name| name.join("::")).collect();
    let expected = [
        "event::Event",
        "event::Stream",
        "flow",
        "sink::Sink",
        "sink::writer::Writer",
        "vt::lexer::read",
    ];
    assert_eq!(names, expected);
    let expected = ["Row", "Rows"].map(str::to_owned);
    assert_eq!(source.hands_on(), BTreeSet::from(expected));
}
