//! `progrun help`: the pages on a terminal and elsewhere, and what `--install` leaves.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::needs;
use crate::pty::{End, terminal};
use crate::support::{progrun, text};

const PROGRUN: &str = env!("CARGO_BIN_EXE_progrun");

fn shown(topic: &str) -> String {
    let output = progrun(&["help", topic]).output();
    assert_eq!(output.status.code(), Some(0), "{topic}: {output:?}");
    text(&output.stdout)
}

#[test]
fn without_a_topic_the_topics_are_listed() {
    let output = progrun(&["help"]).output();
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    let beginning = "\
progrun -- COMMAND    runs a command
progrun demo          shows it in half a minute
progrun --help        lists the options
progrun help TOPIC    shows a page:

  progrun   run any command with a progress bar, a safe Ctrl-C and
            machine-readable results
  each      run a command for each value of a list, or a list of commands
";
    assert!(said.starts_with(beginning), "{said}");
    assert!(
        said.contains("\n  protocol  how commands report "),
        "{said}"
    );
}

#[test]
fn a_topic_is_a_page_or_a_word_for_what_it_tells_of() {
    for (topic, name) in [
        ("progrun", "progrun"),
        ("each", "progrun-each, progrun-tasks"),
        ("Tasks", "progrun-each, progrun-tasks"),
        ("ssh", "progrun-on"),
        ("slurm", "progrun-on"),
        ("json", "progrun-protocol"),
        ("channel", "progrun-protocol"),
        ("from", "progrun-formats"),
        ("progrun-formats", "progrun-formats"),
        ("ps", "progrun-ps"),
    ] {
        let page = shown(topic);
        let beginning = format!("NAME\n       {name} - ");
        assert!(page.starts_with(&beginning), "{topic}: {page}");
    }
}

#[test]
fn an_unknown_topic_is_125_with_all_topics_and_the_nearest() {
    progrun(&["help", "formts"])
        .stderr(
            "\
progrun: invalid value 'formts' for [TOPIC]: expected progrun, each, on, protocol, report, formats, ps, attach, cancel, wait, cleanup, history, timeline, demo or help; did you mean 'formats'?
For more information, try 'progrun help --help'.
",
        )
        .status(125);
}

/// The words that one of two texts has more often, and how much more often the first has them.
fn differences<'a>(one: &'a str, other: &'a str) -> Vec<(&'a str, i32)> {
    let mut counts = BTreeMap::new();
    for (text, count) in [(one, 1), (other, -1)] {
        for word in text.split_whitespace() {
            *counts.entry(word).or_default() += count;
        }
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .collect()
}

#[test]
fn a_page_as_text_has_the_words_that_mandoc_shows_and_no_others() {
    needs(&["mandoc"]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        // In one line each, words are not divided.
        let mandoc = Command::new("mandoc")
            .args(["-T", "ascii", "-O", "width=1000"])
            .arg(&file)
            .output()
            .unwrap();
        let theirs = text(&mandoc.stdout);
        let theirs = plain(&theirs);
        // Without the lines at the head and the foot of the page.
        let theirs = theirs.trim().split_once('\n').unwrap().1;
        let theirs = theirs.rsplit_once('\n').unwrap().0;
        let name = file.file_stem().unwrap().to_str().unwrap();
        let topic = name.strip_prefix("progrun-").unwrap_or(name);
        let ours = shown(topic);
        assert_eq!(differences(&ours, theirs), [], "{topic}");
    }
}

/// Text without overstriking, which is how a line printer makes bold and underlined characters, and the dots of a list.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for character in text.replace("+\x08o", "*").chars() {
        if character == '\x08' {
            plain.pop();
        } else {
            plain.push(character);
        }
    }
    plain
}

/// A folder with these programs, each a shell script.
fn programs(scripts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in scripts {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// What `progrun help wait` shows on a terminal of 60 columns on which only these programs are there.
fn on_terminal(scripts: &[(&str, &str)], pager: &str) -> String {
    let folder = programs(scripts);
    // setsid starts the program, and is in the usual PATH.
    let script = format!("PATH={} exec {PROGRUN} help wait", folder.path().display());
    let setup = terminal().size(80, 60).env("PAGER", pager);
    let mut terminal = setup.run(&["sh", "-c", &script]);
    assert_eq!(terminal.ends(), End::Status(0), "{}", terminal.screen());
    terminal.screen()
}

#[test]
fn on_a_terminal_man_shows_the_page_of_this_version() {
    let man = ("man", "echo $* is; sed -n '/^.SH NAME/,+1p' $1");
    let screen = on_terminal(&[man, ("groff", "")], "");
    assert_eq!(
        screen,
        "/dev/stdin is\n.SH NAME\nprogrun\\-wait \\- wait until a run is over, and end as it ended"
    );
}

#[test]
fn without_man_or_what_it_needs_a_pager_shows_the_text() {
    let beginning = "NAME\n       progrun-wait - wait until a run is over, and end";
    let less = ("less", "echo less:; cat");
    let more = ("more", "echo more:; cat");
    // man without groff is a script that only says that it was removed.
    let screen = on_terminal(&[("man", "echo gone"), less, more], "");
    assert!(
        screen.starts_with(&format!("less:\n{beginning}")),
        "{screen}"
    );
    let screen = on_terminal(&[more], "");
    assert!(
        screen.starts_with(&format!("more:\n{beginning}")),
        "{screen}"
    );
    let own = ("mine", "echo mine $*:; cat");
    let sh = ("sh", "exec sh \"$@\"");
    let screen = on_terminal(
        &[own, sh, less],
        "/no/such/mine -x 2>/dev/null || echo or; cat",
    );
    assert!(screen.starts_with(&format!("or\n{beginning}")), "{screen}");
    let screen = on_terminal(&[], "");
    assert!(screen.starts_with(beginning), "{screen}");
}

/// progrun as it is installed in PREFIX/bin.
fn installed() -> (TempDir, PathBuf) {
    let prefix = tempfile::tempdir().unwrap();
    let program = prefix.path().join("bin/progrun");
    fs::create_dir(prefix.path().join("bin")).unwrap();
    fs::copy(PROGRUN, &program).unwrap();
    (prefix, program)
}

/// Runs it; gives its status and what it says on stdout and stderr, with PREFIX for the prefix.
fn run(program: &Path, arguments: &[&str], prefix: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(program)
        .args(arguments)
        .env("HOME", "/home/me")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_DATA_DIRS")
        .output()
        .unwrap();
    let prefix = prefix.to_str().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| text(&bytes).replace(prefix, "PREFIX"));
    (output.status.code(), stdout, stderr)
}

fn repository(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn the_pages_and_completions_are_installed_beside_bin_and_removed_again() {
    let (prefix, program) = installed();
    let prefix = prefix.path();
    let share = prefix.join("share");
    // Belongs to another program, and stays.
    let other = share.join("man/man1/other.1");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "").unwrap();
    let (status, stdout, stderr) = run(&program, &["help", "--install"], prefix);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with("PREFIX/share/man/man1/progrun.1\n"),
        "{stdout}"
    );
    let end = "
PREFIX/share/bash-completion/completions/progrun
PREFIX/share/zsh/site-functions/_progrun
PREFIX/share/fish/vendor_completions.d/progrun.fish

man progrun works if PREFIX/bin is in PATH. Completions work in a new shell.
These shells need a line for that:
  bash, if its bash-completion is older than 2.12, in ~/.bashrc: . PREFIX/share/bash-completion/completions/progrun
  fish, in ~/.config/fish/config.fish: set -p fish_complete_path PREFIX/share/fish/vendor_completions.d
  zsh, in ~/.zshrc before compinit: fpath+=(PREFIX/share/zsh/site-functions)
";
    assert!(stdout.ends_with(end), "{stdout}");
    for (file, source) in [
        ("man/man1/progrun.1", "man/progrun.1"),
        ("man/man1/progrun-each.1", "man/progrun-each.1"),
        ("man/man5/progrun-protocol.5", "man/progrun-protocol.5"),
        ("man/man7/progrun-on.7", "man/progrun-on.7"),
        (
            "bash-completion/completions/progrun",
            "completions/progrun.bash",
        ),
        ("zsh/site-functions/_progrun", "completions/_progrun"),
        (
            "fish/vendor_completions.d/progrun.fish",
            "completions/progrun.fish",
        ),
    ] {
        let installed = fs::read_to_string(share.join(file)).unwrap();
        assert_eq!(installed, repository(source), "{file}");
    }
    let pages = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("man"));
    assert_eq!(stdout.matches("/man/").count(), pages.unwrap().count());
    // A second time, too.
    assert_eq!(run(&program, &["help", "--install"], prefix).1, stdout);
    let (status, removed, stderr) = run(&program, &["help", "--uninstall"], prefix);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    let (files, _) = stdout.split_once("\n\n").unwrap();
    let files = files.lines().map(|file| format!("removed {file}\n"));
    assert_eq!(removed, files.collect::<String>());
    let left: Vec<_> = files_below(&share);
    assert_eq!(left, ["man", "man/man1", "man/man1/other.1"]);
    let again = run(&program, &["help", "--uninstall"], prefix);
    let nothing = "nothing of progrun is in PREFIX/share\n".to_owned();
    assert_eq!(again, (Some(0), nothing, String::new()));
}

/// All that is below this folder, by its path from there.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(folder).unwrap().display().to_string());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_prefix_can_be_named_and_a_relative_one_is_told_in_full() {
    let prefix = tempfile::tempdir().unwrap();
    progrun(&["help", "--install", "here"])
        .in_folder(prefix.path())
        .output();
    let page = prefix.path().join("here/share/man/man1/progrun-wait.1");
    assert_eq!(
        fs::read_to_string(page).unwrap(),
        repository("man/progrun-wait.1")
    );
    let output = progrun(&["help", "--uninstall=here"])
        .in_folder(prefix.path())
        .output();
    let line = format!(
        "removed {}/here/share/man/man1/progrun.1\n",
        prefix.path().display()
    );
    assert!(text(&output.stdout).starts_with(&line), "{output:?}");
    assert_eq!(files_below(prefix.path()), ["here"]);
}

#[test]
fn man_finds_the_installed_pages_by_the_path() {
    needs(&["man"]);
    let (prefix, program) = installed();
    let prefix = prefix.path();
    run(&program, &["help", "--install"], prefix);
    let path = format!(
        "{}/bin:{}",
        prefix.display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("man")
        .args(["-w", "progrun-each"])
        .env("PATH", path)
        .env_remove("MANPATH")
        .output()
        .unwrap();
    let page = prefix.join("share/man/man1/progrun-each.1");
    assert_eq!(text(&output.stdout), format!("{}\n", page.display()));
}

#[test]
fn without_a_folder_called_bin_the_prefix_has_to_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("progrun");
    fs::copy(PROGRUN, &program).unwrap();
    for option in ["--install", "--uninstall"] {
        let ended = run(&program, &["help", option], folder.path());
        let sentence = format!(
            "progrun: help: PREFIX/progrun is in no folder called bin: name the PREFIX, as in progrun help {option} ~/.local\n"
        );
        assert_eq!(ended, (Some(125), String::new(), sentence));
    }
}

#[test]
fn a_file_that_cannot_be_written_is_125_and_named_with_the_remedy() {
    let (prefix, program) = installed();
    fs::write(prefix.path().join("share"), "").unwrap();
    let (status, _, stderr) = run(&program, &["help", "--install"], prefix.path());
    assert_eq!(status, Some(125));
    assert_eq!(
        stderr,
        "progrun: help: cannot write PREFIX/share/man/man1/progrun.1: not a directory; to install elsewhere, name a folder, as in progrun help --install ~/.local\n"
    );
}
