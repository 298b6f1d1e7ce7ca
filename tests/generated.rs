//! The man pages of the programs and the completions are made from the definition of the command line, and committed.
//!
//! Each test makes one anew and compares it; `PROGRUN_BLESS=1 cargo test --test suite generated` writes them.
//! `tests/generated/` holds the parts that clap does not know: text of the man pages, and shell code for the words
//! after `--`. Whether the completions complete anything is tested in `tests/completions.rs`.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use progrun::internals::command;
use progrun::internals::formats;

/// The date in the man pages: of the last change that matters to their readers.
const DATE: &str = "2026-11-27";

fn assert_fresh(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("PROGRUN_BLESS").is_some_and(|value| value == "1") {
        fs::write(&file, expected).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == expected,
        "{path} is stale: PROGRUN_BLESS=1 cargo test --test suite generated"
    );
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The text of a man page as its reader sees it.
fn plain(page: &str) -> String {
    page.replace("\\(dq", "\"")
        .replace("\\(aq", "'")
        .replace("\\-", "-")
        .replace("\\e", "\\")
}

/// The completions that clap generates for a shell, corrected. Each correction must match exactly once: clap may have
/// changed.
fn completions(shell: Shell, corrections: &[(&str, &str)]) -> String {
    let mut script = Vec::new();
    generate(shell, &mut command(), "progrun", &mut script);
    let mut script = String::from_utf8(script).unwrap();
    for (from, to) in corrections {
        assert_eq!(script.matches(from).count(), 1, "{shell}: {from}");
        script = script.replace(from, to);
    }
    script
}

fn man_page() -> String {
    page(
        command(),
        "PROGRUN",
        include_str!("generated/before-options.roff"),
        include_str!("generated/after-options.roff"),
    )
}

fn report_page() -> String {
    let command = command();
    page(
        command.find_subcommand("report").unwrap().clone(),
        "PROGRUN-REPORT",
        include_str!("generated/report-before-options.roff"),
        include_str!("generated/report-after-options.roff"),
    )
}

/// A man page: the options as clap renders them, between two hand-written texts.
fn page(command: Command, title: &str, before: &str, after: &str) -> String {
    // The synopsis has the positional arguments; no reader looks for them among the options.
    let command = command.mut_args(|argument| {
        let is_positional = argument.is_positional();
        argument.hide(is_positional)
    });
    let man = Man::new(command)
        .title(title)
        .date(DATE)
        .source("progrun")
        .manual("User Commands");
    let mut options = Vec::new();
    man.render_options_section(&mut options).unwrap();
    let options = String::from_utf8(options).unwrap();
    // The groups of options become subsections of one section, and an empty line becomes a macro.
    let options = options
        .replace("\n.SH ", "\n.SS ")
        .replace(".SS OPTIONS", ".SH OPTIONS")
        .replace("\n.br\n\n.br\n", "\n.sp\n")
        .replace("\n\n", "\n.sp\n");
    let mut title = Vec::new();
    man.render_title(&mut title).unwrap();
    [
        ".\\\" Made by `PROGRUN_BLESS=1 cargo test --test suite generated`.\n",
        &String::from_utf8(title).unwrap(),
        before,
        &options,
        after,
    ]
    .concat()
}

#[test]
fn the_man_page_is_fresh() {
    assert_fresh("man/progrun.1", &man_page());
}

#[test]
fn the_man_page_of_report_is_fresh() {
    assert_fresh("man/progrun-report.1", &report_page());
}

#[test]
fn the_man_page_names_every_variable_that_is_read() {
    let page = man_page();
    for argument in command().get_opts() {
        if let Some(variable) = argument.get_env() {
            assert!(
                page.contains(variable.to_str().unwrap()),
                "{}",
                variable.display()
            );
        }
    }
}

#[test]
fn the_page_of_formats_tells_of_each_in_the_order_in_which_they_are_believed() {
    let page = read("man/progrun-formats.7");
    let (_, page) = page.split_once("\n.SH FORMATS\n").unwrap();
    let (page, _) = page.split_once("\n.SH ").unwrap();
    let told: Vec<_> = page.split("\n.TP\n.B ").skip(1).map(plain).collect();
    let known: Vec<_> = formats().collect();
    assert_eq!(told.len(), known.len());
    for (told, format) in told.iter().zip(known) {
        let (name, text) = told.split_once('\n').unwrap();
        assert_eq!(name, format.name);
        let text = text.replace('\n', " ");
        let about = &format.about[1..];
        assert!(text.contains(about), "{name}: {about}");
        assert!(text.contains(format.switch), "{name}: {}", format.switch);
    }
}

#[test]
fn the_list_of_formats_fits_a_hundred_columns() {
    for format in formats() {
        assert!(format.about.chars().count() <= 88, "{}", format.about);
        assert!(format.switch.chars().count() <= 82, "{}", format.switch);
    }
}

#[test]
fn the_function_for_shells_is_the_same_wherever_it_is_shown() {
    let script = read("examples/compress.sh");
    let start = script.find("\np() {\n").unwrap();
    let end = start + script[start..].find("\n}\n").unwrap();
    let function = &script[start..end];
    let page = plain(&read("man/progrun-protocol.5"));
    assert!(page.contains(function), "man/progrun-protocol.5");
    assert!(read("README.md").contains(function), "README.md");
}

#[test]
fn the_completions_for_bash_are_fresh() {
    let corrections = [
        // After `--` follows the command line of another program. bash splits a word at `=`.
        (
            "    cmd=\"\"\n    opts=\"\"\n",
            include_str!("generated/words.bash"),
        ),
        // Its FILE follows only after an equals sign.
        ("                --json)\n", "                --json=)\n"),
    ];
    let script = completions(Shell::Bash, &corrections);
    assert_fresh("completions/progrun.bash", &script);
}

#[test]
fn the_completions_for_zsh_are_fresh() {
    let corrections = [
        // Its FILE follows only after an equals sign.
        ("'--json=[", "'--json=-["),
        // A first word that is no subcommand is a command: completed as zsh does after nohup.
        (
            concat!(
                "'::command -- The command and its arguments:_cmdambivalent' \\\n",
                "\":: :_progrun_commands\" \\\n\"*::: :->progrun\"",
            ),
            concat!(
                "'(-)1:command:{ _progrun_commands; _command_names -e }' \\\n",
                "'*::arguments:->progrun'",
            ),
        ),
        (
            concat!(
                "        words=($line[2] \"${words[@]}\")\n",
                "        (( CURRENT += 1 ))\n",
                "        curcontext=\"${curcontext%:*:*}:progrun-command-$line[2]:\"\n",
                "        case $line[2] in\n",
            ),
            "        case $words[1] in\n",
        ),
        // Without a description: it would keep zsh from offering the options.
        (
            "'*::words -- How much is done, followed by a message:'",
            "'*:words:( )'",
        ),
        (
            "\n;;\n        esac\n",
            "\n;;\n            (*)\n_normal && ret=0\n;;\n        esac\n",
        ),
    ];
    let script = completions(Shell::Zsh, &corrections);
    assert_fresh("completions/_progrun", &script);
}

#[test]
fn the_completions_for_fish_are_fresh() {
    let json = "complete -c progrun -n \"__fish_progrun_needs_command\" -l json -d 'Write events as JSON, one per line, to stdout or to FILE' -r -F\n";
    let corrections = [
        // Its FILE follows only after an equals sign.
        (json, &*json.replace(" -r -F", "")),
        (" json= ", " 'json=?' "),
        // An option that still lacks its value is no subcommand either.
        (
            "2>/dev/null\n    or return\n",
            "2>/dev/null\n    or return 0\n",
        ),
        // After `--` follows the command line of another program.
        (
            "complete -c progrun -n \"__fish_progrun_needs_command\" -s V",
            concat!(
                include_str!("generated/words.fish"),
                "complete -c progrun -n \"__fish_progrun_needs_command\" -s V"
            ),
        ),
        (
            "\"__fish_progrun_needs_command\" -a \"report\"",
            "\"__fish_progrun_needs_command; and not contains -- -- (commandline -opc)\" -a \"report\"",
        ),
    ];
    let script = completions(Shell::Fish, &corrections);
    assert_fresh("completions/progrun.fish", &script);
}

#[test]
fn the_completions_for_powershell_are_fresh() {
    let script = completions(Shell::PowerShell, &[]);
    assert_fresh("completions/progrun.ps1", &script);
}

#[test]
fn the_completions_for_elvish_are_fresh() {
    let corrections = [
        // After `--` follows the command line of another program.
        (
            "    $completions[$command]\n",
            include_str!("generated/words.elv"),
        ),
    ];
    let script = completions(Shell::Elvish, &corrections);
    assert_fresh("completions/progrun.elv", &script);
}
