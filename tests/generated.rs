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
use progrun::internals::{formats, programs};

/// The date in the man pages: of the last change that matters to their readers.
const DATE: &str = "2026-11-28";

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

/// The completions that clap generates for a shell, corrected. Each correction must match as often as its number says:
/// clap may have changed.
fn completions(shell: Shell, corrections: &[(usize, &str, &str)]) -> String {
    let mut script = Vec::new();
    let mut command = [
        "each", "tasks", "report", "ps", "attach", "cancel", "wait", "cleanup", "history",
        "timeline", "demo", "help",
    ]
    .into_iter()
    .fold(command(), |command, name| {
        command.mut_subcommand(name, |subcommand| visible(name, &subcommand))
    });
    generate(shell, &mut command, "progrun", &mut script);
    let mut script = String::from_utf8(script).unwrap();
    for (count, from, to) in corrections {
        assert_eq!(script.matches(from).count(), *count, "{shell}: {from}");
        script = script.replace(from, to);
    }
    script
}

/// The subcommand without its hidden options, which clap would complete: they exist only to be refused.
fn visible(name: &'static str, command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|it| !it.is_hide_set());
    Command::new(name)
        .about(command.get_about().unwrap().clone())
        .disable_help_flag(true)
        .args(arguments)
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

/// The page of a subcommand that has no more to say of itself than its name.
fn small_page(name: &str, before: &str, after: &str) -> String {
    let command = command();
    let title = format!("PROGRUN-{}", name.to_uppercase());
    let command = command.find_subcommand(name).unwrap().clone();
    page(command, &title, before, after)
}

fn timeline_page() -> String {
    let command = command();
    page(
        command.find_subcommand("timeline").unwrap().clone(),
        "PROGRUN-TIMELINE",
        include_str!("generated/timeline-before-options.roff"),
        include_str!("generated/timeline-after-options.roff"),
    )
}

fn history_page() -> String {
    let command = command();
    page(
        command.find_subcommand("history").unwrap().clone(),
        "PROGRUN-HISTORY",
        include_str!("generated/history-before-options.roff"),
        include_str!("generated/history-after-options.roff"),
    )
}

fn each_page() -> String {
    let command = command();
    page(
        command.find_subcommand("each").unwrap().clone(),
        "PROGRUN-EACH",
        include_str!("generated/each-before-options.roff"),
        include_str!("generated/each-after-options.roff"),
    )
}

/// A man page: the options as clap renders them, between two hand-written texts.
fn page(command: Command, title: &str, before: &str, after: &str) -> String {
    // The synopsis has the positional arguments; no reader looks for them among the options.
    let command = command.mut_args(|argument| {
        let is_hidden = argument.is_positional() || argument.is_hide_set();
        // clap_mangen would leave out the text of one that is not in the summary.
        argument.hide(is_hidden).hide_short_help(false)
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
    let heading = if options.contains(".SH OPTIONS") {
        ""
    } else {
        // Each option of the command is in a group.
        ".SH OPTIONS\n"
    };
    let mut title = Vec::new();
    man.render_title(&mut title).unwrap();
    // Tells man which preprocessor a page with a table needs.
    let preprocessor = if after.contains("\n.TS\n") {
        "'\\\" t\n"
    } else {
        ""
    };
    [
        preprocessor,
        ".\\\" Made by `PROGRUN_BLESS=1 cargo test --test suite generated`.\n",
        &String::from_utf8(title).unwrap(),
        before,
        heading,
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
fn the_man_pages_of_small_subcommands_are_fresh() {
    for (name, before, after) in [
        (
            "ps",
            include_str!("generated/ps-before-options.roff"),
            include_str!("generated/ps-after-options.roff"),
        ),
        (
            "attach",
            include_str!("generated/attach-before-options.roff"),
            include_str!("generated/attach-after-options.roff"),
        ),
        (
            "cancel",
            include_str!("generated/cancel-before-options.roff"),
            include_str!("generated/cancel-after-options.roff"),
        ),
        (
            "wait",
            include_str!("generated/wait-before-options.roff"),
            include_str!("generated/wait-after-options.roff"),
        ),
        (
            "cleanup",
            include_str!("generated/cleanup-before-options.roff"),
            include_str!("generated/cleanup-after-options.roff"),
        ),
        (
            "demo",
            include_str!("generated/demo-before-options.roff"),
            include_str!("generated/demo-after-options.roff"),
        ),
        (
            "help",
            include_str!("generated/help-before-options.roff"),
            include_str!("generated/help-after-options.roff"),
        ),
    ] {
        let page = small_page(name, before, after);
        assert_fresh(&format!("man/progrun-{name}.1"), &page);
    }
}

#[test]
fn the_man_page_of_timeline_is_fresh() {
    assert_fresh("man/progrun-timeline.1", &timeline_page());
}

#[test]
fn the_man_page_of_history_is_fresh() {
    assert_fresh("man/progrun-history.1", &history_page());
}

#[test]
fn the_man_page_of_each_and_tasks_is_fresh() {
    assert_fresh("man/progrun-each.1", &each_page());
}

#[test]
fn the_man_pages_name_every_variable_that_is_read() {
    let command = command();
    let each = command.find_subcommand("each").unwrap();
    let pages = [man_page(), each_page()].concat();
    for argument in command.get_opts().chain(each.get_opts()) {
        if let Some(variable) = argument.get_env() {
            assert!(
                pages.contains(variable.to_str().unwrap()),
                "{}",
                variable.display()
            );
        }
    }
}

#[test]
fn the_man_page_of_each_tells_of_every_option_of_tasks() {
    let page = plain(&each_page());
    let command = command();
    let tasks = command.find_subcommand("tasks").unwrap();
    for option in tasks.get_opts().filter(|option| !option.is_hide_set()) {
        let name = format!("--{}", option.get_long().unwrap());
        assert!(page.contains(&name), "{name}");
    }
}

#[test]
fn the_first_line_about_each_option_fits_eighty_columns() {
    let command = command();
    for command in command.get_subcommands().chain([&command]) {
        for option in command.get_opts() {
            let text = option.get_help().unwrap().to_string();
            let columns = text.chars().count();
            assert!(columns <= 80, "{}: {text}", command.get_name());
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
fn the_page_of_formats_tells_of_each_program_whose_name_can_be_given() {
    let page = read("man/progrun-formats.7");
    let (_, page) = page.split_once("\n.SS Names of programs\n").unwrap();
    let page = plain(page.split_once("\n.SS ").unwrap().0);
    let words: Vec<_> = page.split_whitespace().collect();
    for program in programs() {
        assert!(words.contains(&program), "{program}");
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
}

#[test]
fn the_first_script_of_the_readme_is_the_example() {
    let script = read("examples/loop.bash");
    let body = &script[script.find("set -euo pipefail").unwrap()..];
    assert!(read("README.md").contains(body));
}

#[test]
fn the_completions_for_bash_are_fresh() {
    let corrections = [
        // After `--` follows the command line of another program. bash splits a word at `=`.
        (
            1,
            "    cmd=\"\"\n    opts=\"\"\n",
            include_str!("generated/words.bash"),
        ),
        // Their values follow only after an equals sign.
        (3, "                --json)\n", "                --json=)\n"),
        (
            2,
            "                --resume)\n",
            "                --resume=)\n",
        ),
        (
            1,
            "                --shell)\n",
            "                --shell=)\n",
        ),
        // Its FILE: what bash completes by default.
        (
            1,
            "    case \"${cmd}\" in\n",
            concat!(
                "    if [[ ${cmd} == progrun__subcmd__tasks && ${cur} != -* && ${prev} != -* ]]; then\n",
                "        return 0\n    fi\n",
                include_str!("generated/runs.bash"),
                "\n    case \"${cmd}\" in\n",
            ),
        ),
    ];
    let script = completions(Shell::Bash, &corrections);
    assert_fresh("completions/progrun.bash", &script);
}

#[test]
fn the_completions_for_zsh_are_fresh() {
    let corrections = [
        // Their values follow only after an equals sign.
        (3, "'--json=[", "'--json=-["),
        (2, "'--resume=[", "'--resume=-["),
        (1, "'--shell=[", "'--shell=-["),
        // After `--` follows the command line of another program.
        (
            1,
            "    local context curcontext=",
            concat!(
                include_str!("generated/words.zsh"),
                "\n    local context curcontext="
            ),
        ),
        // The runs that go on.
        (
            1,
            "(( $+functions[_progrun_commands] )) ||\n",
            concat!(
                include_str!("generated/runs.zsh"),
                "\n(( $+functions[_progrun_commands] )) ||\n"
            ),
        ),
        (
            1,
            "'::run -- Number or name of the run, as in progrun ps; not needed if there is only one:'",
            "'::run:_progrun_runs'",
        ),
        (
            1,
            "'*::runs -- Numbers or names of the runs, as in progrun ps:'",
            "'*:run:_progrun_runs'",
        ),
        (
            1,
            "':run -- Number or name of the run, as in progrun ps:'",
            "':run:_progrun_runs'",
        ),
        // Before it, the first word is a subcommand.
        (
            1,
            concat!(
                "'::command -- The command and its arguments:_cmdambivalent' \\\n",
                "\":: :_progrun_commands\" \\\n\"*::: :->progrun\"",
            ),
            "'(-)1:command:_progrun_commands' \\\n'*::arguments:->progrun'",
        ),
        (
            1,
            concat!(
                "        words=($line[2] \"${words[@]}\")\n",
                "        (( CURRENT += 1 ))\n",
                "        curcontext=\"${curcontext%:*:*}:progrun-command-$line[2]:\"\n",
                "        case $line[2] in\n",
            ),
            "        case $words[1] in\n",
        ),
        // Without a description: it would keep zsh from offering the options. An argument that may come does so too.
        (
            1,
            "'*::words -- How much is done, followed by a message:'",
            "'*:words:( )'",
        ),
        (
            1,
            "'*::words -- The command, with {} for the value, and after \\:\\:\\: the values:_cmdambivalent' \\\n",
            "",
        ),
    ];
    let script = completions(Shell::Zsh, &corrections);
    assert_fresh("completions/_progrun", &script);
}

#[test]
fn the_completions_for_fish_are_fresh() {
    let json = "-l json -d 'Write events as JSON, one per line, to stdout or to FILE' -r -F\n";
    let resume = "-l resume -d 'Run only what, by the job log, has not completed [possible values: new, failed]' -r";
    let shell =
        "-l shell -d 'COMMAND is one line for SHELL (sh), and values are inserted quoted' -r";
    let corrections = [
        // Their values follow only after an equals sign.
        (3, json, &*json.replace(" -r -F", "")),
        (2, resume, &*resume.replace(" -r", "")),
        (1, shell, &*shell.replace(" -r", "")),
        (1, " json= ", " 'json=?' "),
        // An option that still lacks its value is no subcommand either.
        (
            1,
            "2>/dev/null\n    or return\n",
            "2>/dev/null\n    or return 0\n",
        ),
        // After `--` follows the command line of another program.
        (
            1,
            "complete -c progrun -n \"__fish_progrun_needs_command\" -s V",
            concat!(
                include_str!("generated/words.fish"),
                include_str!("generated/runs.fish"),
                include_str!("generated/topics.fish"),
                "complete -c progrun -n \"__fish_progrun_needs_command\" -s V"
            ),
        ),
        (
            12,
            "\"__fish_progrun_needs_command\" -a ",
            "\"__fish_progrun_needs_command; and not contains -- -- (commandline -opc)\" -a ",
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
            1,
            "    $completions[$command]\n",
            include_str!("generated/words.elv"),
        ),
    ];
    let script = completions(Shell::Elvish, &corrections);
    assert_fresh("completions/progrun.elv", &script);
}
