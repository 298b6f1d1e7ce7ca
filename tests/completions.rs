//! The committed completions, tried in the shells they are for.
//!
//! Responsible for what a user sees after the Tab key; `tests/generated.rs` checks that the files are fresh. bash and
//! zsh complete only on a terminal, so the test gives them one; fish prints completions on request. PowerShell and
//! elvish are not tested here.
//!
//! Where a shell is missing, its test is ignored; with `PROGRUN_TEST_ALL=1` it fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

use crate::harness::needs;

/// Time limit, in milliseconds, for a shell that hangs. No assertion depends on it.
const TOO_LONG: u64 = 300_000;
/// A command that no other package has.
const COMMAND: &str = "zwiebelfisch";

fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "completions", name]
        .iter()
        .collect()
}

/// The working directory of the shell, with a file `events.jsonl` and a folder `outputs`; [`COMMAND`] is in its PATH.
fn room(shell: &mut Command) -> TempDir {
    let room = tempfile::tempdir().unwrap();
    fs::write(room.path().join("events.jsonl"), "").unwrap();
    fs::create_dir(room.path().join("outputs")).unwrap();
    let programs = room.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let runs = r#"{"event":"status","version":1,"pid":4242,"name":"backup","command":["x"],"elapsed":1,"state":"running"}
{"event":"status","version":1,"pid":77,"parent":4242,"name":"inner","command":["x"],"elapsed":1,"state":"running"}"#;
    let progrun = format!("#!/bin/sh\n[ \"$*\" = 'ps --json' ] && echo '{runs}'\n");
    for (name, text) in [(COMMAND, "#!/bin/sh\n"), ("progrun", &progrun)] {
        fs::write(programs.join(name), text).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(programs.join(name), executable).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let path = [programs].into_iter().chain(std::env::split_paths(&path));
    shell
        .current_dir(room.path())
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("HOME", room.path())
        // On the simplest terminal the completions arrive as plain text, without cursor movements.
        .env("TERM", "dumb");
    room
}

/// A shell on a terminal, after its `setup`.
fn interactive(mut shell: Command, setup: &str) -> (TempDir, PtySession) {
    let room = room(&mut shell);
    let mut session = spawn_command(shell, Some(TOO_LONG)).unwrap();
    // rexpect turns the echo off, and bash then shows nothing of its completions. A key that comes before the prompt is
    // handled by the terminal, which knows no completion.
    session
        .send_line(&format!("stty echo; {setup}; PS1='re''ady '"))
        .unwrap();
    session.exp_string("ready ").unwrap();
    (room, session)
}

/// Types `line` and a Tab in an empty line, and waits for `expected`.
fn assert_completes(session: &mut PtySession, line: &str, expected: &str) {
    session.send_control('u').unwrap();
    session.send(line).unwrap();
    session.send("\t").unwrap();
    session.flush().unwrap();
    if let Err(error) = session.exp_string(expected) {
        panic!("{line}<TAB> does not give {expected:?}: {error}");
    }
}

/// Ends the shell: an interactive one ignores the SIGTERM that comes when a session is dropped.
fn leave(mut session: PtySession) {
    session.send_control('u').unwrap();
    session.send_line("exit").unwrap();
    session.exp_eof().unwrap();
}

/// The completions of every shell. If several are possible, the shell lists them all at once.
fn completes_what_it_should(session: &mut PtySession) {
    assert_completes(session, "progrun --ou", "progrun --output");
    assert_completes(session, "progrun --wait", "progrun --wait-output ");
    assert_completes(session, "progrun --output on", "--output on-failure ");
    assert_completes(session, "progrun --output=on", "--output=on-failure ");
    assert_completes(session, "progrun --progress ", "plain");
    assert_completes(session, "progrun --signal HU", "--signal HUP ");
    assert_completes(session, "progrun --from git", "--from git ");
    assert_completes(session, "progrun --from met", "--from meter ");
    assert_completes(session, "progrun --log ev", "--log events.jsonl ");
    assert_completes(session, "progrun -l ev", "-l events.jsonl ");
    assert_completes(session, "progrun --json=ev", "--json=events.jsonl ");
    assert_completes(session, "progrun repor", "progrun report ");
    assert_completes(session, "progrun report --sta", "report --status");
    assert_completes(session, "progrun report --status fa", "--status failed ");
    assert_completes(session, "progrun ea", "progrun each ");
    // A shell begins with what all options have in common.
    assert_completes(session, "progrun each ", "each -");
    assert_completes(session, "progrun each --k", "--keep-order");
    assert_completes(session, "progrun each --keep", "each --keep-order ");
    assert_completes(session, "progrun each -a ev", "-a events.jsonl ");
    assert_completes(session, "progrun each --log-dir ou", "--log-dir outputs/");
    assert_completes(session, "progrun each --halt soon,", "--halt soon,fail=1 ");
    assert_completes(session, "progrun each --resume=fa", "--resume=failed ");
    assert_completes(session, "progrun each -k -- zwieb", "-- zwiebelfisch ");
    assert_completes(
        session,
        "progrun each -- zwiebelfisch ev",
        "zwiebelfisch events.jsonl ",
    );
    assert_completes(session, "progrun tasks --json-l", "--json-lines ");
    assert_completes(session, "progrun tasks ev", "tasks events.jsonl ");
    assert_completes(session, "progrun tasks ", "events.jsonl");
    assert_completes(session, "progrun help form", "help formats ");
    assert_completes(session, "progrun help --ins", "help --install");
    assert_completes(session, "progrun attach ba", "attach backup ");
    assert_completes(session, "progrun wait in", "wait inner ");
    assert_completes(session, "progrun cancel --wait 42", "--wait 4242 ");
    assert_completes(session, "progrun -- zwieb", "-- zwiebelfisch ");
    assert_completes(
        session,
        "progrun --quiet -- zwiebelfisch ev",
        "zwiebelfisch events.jsonl ",
    );
}

#[test]
fn bash_completes_options_values_files_and_the_command() {
    needs(&["bash"]);
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    let setup = format!(
        "bind 'set show-all-if-ambiguous on'; source '{}'",
        script("progrun.bash").display()
    );
    let (_room, mut session) = interactive(shell, &setup);
    completes_what_it_should(&mut session);
    leave(session);
}

#[test]
fn bash_leaves_the_command_to_bash_completion_where_that_is_loaded() {
    needs(&["bash"]);
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    let setup = format!(
        "_command_offset() {{ COMPREPLY=(\"offset-$1\"); }}; source '{}'",
        script("progrun.bash").display()
    );
    let (_room, mut session) = interactive(shell, &setup);
    assert_completes(&mut session, "progrun -- git ", "git offset-2 ");
    leave(session);
}

#[test]
fn zsh_completes_options_values_files_and_the_command() {
    needs(&["zsh"]);
    let mut shell = Command::new("zsh");
    shell.args(["-f", "-i"]);
    let folder = script("");
    let setup = format!(
        "unsetopt zle_bracketed_paste 2>/dev/null; fpath=('{}' $fpath); autoload -U compinit; compinit -u -D",
        folder.display()
    );
    let (_room, mut session) = interactive(shell, &setup);
    completes_what_it_should(&mut session);
    leave(session);
}

/// What fish offers after `line`, without the descriptions.
fn offered_by_fish(line: &str) -> Vec<String> {
    let mut shell = Command::new("fish");
    let _room = room(&mut shell);
    let output = shell
        .args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"])
        .arg(script("progrun.fish"))
        .arg(line)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // A description comes after a tab.
    let words = text.lines().map(|line| line.split('\t').next().unwrap());
    words.map(str::to_owned).collect()
}

#[test]
fn fish_completes_options_values_files_and_the_command() {
    needs(&["fish"]);
    for (line, expected) in [
        ("progrun --ou", "--output"),
        ("progrun --output ", "none on-failure stream"),
        ("progrun --output=on", "--output=on-failure"),
        ("progrun --signal HU", "HUP"),
        ("progrun --from rsy", "rsync"),
        ("progrun --log ev", "events.jsonl"),
        ("progrun --json=ev", "--json=events.jsonl"),
        ("progrun repor", "report"),
        ("progrun report --sta", "--status"),
        ("progrun report --status fa", "failed"),
        ("progrun ea", "each"),
        ("progrun help form", "formats"),
        ("progrun attach ba", "backup"),
        ("progrun wait 4", "4242"),
        ("progrun each --keep", "--keep-order"),
        ("progrun each -a ev", "events.jsonl"),
        ("progrun each --log-dir ou", "outputs/"),
        ("progrun each --halt so", "soon soon,fail=1"),
        ("progrun each --resume=fa", "--resume=failed"),
        ("progrun each -k -- zwieb", "zwiebelfisch"),
        ("progrun each -- zwiebelfisch ev", "events.jsonl"),
        ("progrun tasks --json-l", "--json-lines"),
        ("progrun tasks ev", "events.jsonl"),
        ("progrun -- zwieb", "zwiebelfisch"),
        ("progrun --quiet -- zwiebelfisch ev", "events.jsonl"),
    ] {
        assert_eq!(offered_by_fish(line).join(" "), expected, "{line}");
    }
}

#[test]
fn fish_offers_the_options_of_each_where_no_word_has_begun() {
    needs(&["fish"]);
    let offered = offered_by_fish("progrun each -k ");
    assert!(offered.contains(&"--keep-order".to_owned()), "{offered:?}");
    assert!(!offered.contains(&"events.jsonl".to_owned()), "{offered:?}");
    assert_eq!(
        offered_by_fish("progrun tasks "),
        ["events.jsonl", "outputs/", "programs/"]
    );
}
