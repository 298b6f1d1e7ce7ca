//! The terminal is lent to a child that wants it, and comes back with its settings on every way out.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use super::jobs::numbers;
use crate::harness::{needs, needs_that};
use crate::pty::{End, Terminal, eventually, kill, terminal};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_Z: &str = "\x1a";
const ONE_THIRD: &str = "job ━━━━╸──────────  33%  1/3  _s";
/// A rate and the time left may follow.
const TWO_THIRDS: &str = "job ━━━━━━━━━╸─────  66%  2/3  ";

#[test]
fn a_question_is_asked_without_bars_and_they_come_back_with_the_next_report() {
    let mut terminal = terminal().job(
        r#"say $$; echo 1/3 >&3; pause
           bash -c 'read -r -p "name? " name; echo "hello $name"'; say answered; pause
           echo 2/3 >&3; pause"#,
    );
    let child: i32 = terminal.hears().parse().unwrap();
    let before = terminal.settings();
    terminal.until("bar", |screen| screen == ONE_THIRD);
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.go();
    eventually("lent", || terminal.foreground() == child);
    terminal.until("question", |screen| screen == "name?");
    assert_eq!(terminal.cursor(), (0, 6));
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "answered");
    terminal.until("answer", |screen| screen == "name? Ada\nhello Ada");
    assert_eq!(terminal.foreground(), child);
    terminal.go();
    let screen = format!("name? Ada\nhello Ada\n{TWO_THIRDS}");
    terminal.until("bar again", |now| now.starts_with(&screen));
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(
        terminal.screen(),
        "name? Ada\nhello Ada\njob: completed in _s, 2/3"
    );
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_report_on_the_socket_takes_the_terminal_back_too() {
    let progrun = env!("CARGO_BIN_EXE_progrun");
    let mut terminal = terminal().job(&format!(
        "say $$; exec 3>&-; {progrun} report 1/3; pause
         printf 'name? '; read -r name; {progrun} report 2/3; pause"
    ));
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.until("bar", |screen| screen == ONE_THIRD);
    terminal.go();
    terminal.until("question", |screen| screen == "name?");
    eventually("lent", || terminal.foreground() == child);
    terminal.types("Ada\r");
    terminal.until("bar again", |now| {
        now.starts_with(&format!("name? Ada\n{TWO_THIRDS}"))
    });
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn a_password_is_not_shown() {
    let mut terminal = terminal().job(
        "echo 1/3 >&3; pause
         stty -echo; printf 'password? '; read -r word; stty echo; echo
         say $word; echo 2/3 >&3; pause",
    );
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("question", |screen| screen == "password?");
    assert!(!terminal.echoes());
    terminal.types("secret\r");
    assert_eq!(terminal.hears(), "secret");
    let screen = format!("password? \n{TWO_THIRDS}");
    terminal.until("bar again", |now| now.starts_with(&screen));
    assert_eq!(terminal.settings(), before);
    assert!(!terminal.was_sent("secret"));
}

#[test]
fn each_of_many_questions_between_reports_has_the_terminal() {
    let mut terminal = terminal().job(
        "say $$; i=0
         while [ $i -lt 30 ]; do
             i=$((i + 1)); echo $i/30 >&3; read -r word </dev/tty; say $word
         done",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    for number in 0..30 {
        eventually("lent", || terminal.foreground() == child);
        terminal.types(&format!("{number}\r"));
        assert_eq!(terminal.hears(), number.to_string());
    }
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn a_child_that_asked_and_reports_again_is_cancelled_cooperatively() {
    let mut terminal = terminal().job(
        "echo 1/3 >&3; pause; printf 'name? '; read -r name; echo 2/3 >&3; pause
         echo 3/3 >&3; echo this is never said",
    );
    terminal.shows("1/3");
    terminal.go();
    terminal.until("question", |screen| screen == "name?");
    terminal.types("Ada\r");
    terminal.shows(TWO_THIRDS);
    terminal.types(CTRL_C);
    terminal
        .shows("  stopping at the next progress report, at most _s (Ctrl-C again: SIGTERM now)");
    terminal.go();
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let screen = terminal.screen();
    assert!(
        screen.ends_with("\njob: cancelled after _s, 2/3"),
        "{screen}"
    );
}

/// A test for each of these shells.
macro_rules! in_each {
    ($test:ident, $($shell:ident $command:literal),*) => {
        mod $test {
            $(#[test]
            fn $shell() {
                crate::harness::needs(&[stringify!($shell)]);
                super::$test($command);
            })*
        }
    };
}

/// A loop around a command that asks a question and then waits. The loop would go on after the command.
fn loop_around(command: &str) -> String {
    format!(
        r#"for turn in 1 2; do
               {} --name job --json=events -- {command} 'printf "name? "; read -r name; echo asked >said; exec sleep 1000'
               echo next
           done"#,
        env!("CARGO_BIN_EXE_progrun")
    )
}

/// Answers the question, and then types Ctrl-C, which only the command gets.
#[track_caller]
fn assert_interrupted(shell: &str, script: &str) {
    let mut terminal = terminal().job_of(&[shell, "script"], script);
    terminal.shows("name?");
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "asked");
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT), "{shell}");
    let screen = terminal.screen();
    assert!(
        screen.contains("job: cancelled after _s (SIGINT)"),
        "{screen}"
    );
    assert!(!screen.contains("next"), "{shell}: {screen}");
    let events = fs::read_to_string(terminal.folder.path().join("events")).unwrap();
    let last = events.lines().last().unwrap();
    assert!(last.contains(r#""state":"cancelled""#), "{last}");
    assert!(last.contains(r#""reason":"interrupt""#), "{last}");
}

in_each!(
    a_ctrl_c_that_a_command_died_of_which_had_the_terminal_stops_the_script_around_as_well,
    bash "bash", dash "dash", mksh "mksh", zsh "zsh"
);
fn a_ctrl_c_that_a_command_died_of_which_had_the_terminal_stops_the_script_around_as_well(
    shell: &str,
) {
    assert_interrupted(shell, &loop_around("sh -c"));
}

in_each!(it_stops_all_scripts_around_nested_runs, bash "bash", dash "dash");
fn it_stops_all_scripts_around_nested_runs(shell: &str) {
    let progrun = env!("CARGO_BIN_EXE_progrun");
    let inner = format!(r#"bash -c '{progrun} --name inner -- sh -c "$1"; echo next' bash"#);
    assert_interrupted(shell, &loop_around(&inner));
}

#[test]
fn a_ctrl_c_that_the_command_catches_is_its_own() {
    let mut terminal = terminal().job(
        "trap 'exit 7' INT; printf 'name? '; read -r name; say asked; while :; do sleep 0.01; done",
    );
    terminal.shows("name?");
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "asked");
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Status(7));
    terminal.until("end", |screen| {
        screen.ends_with("job: failed with exit status 7 after _s")
    });
}

#[test]
fn a_meter_takes_the_terminal_back_too() {
    let mut terminal = terminal().job(
        r"say $$; printf 'name? '; read -r name; printf '\r[>   ] 10%%\033[K' >&2; pause
          printf '\r[==> ] 50%%\033[K' >&2; pause; printf '\r[==> ] 60%%\033[K\n' >&2",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.shows("name?");
    eventually("lent", || terminal.foreground() == child);
    terminal.types("Ada\r");
    terminal.until("meter", |screen| screen == "name? Ada\n[>   ] 10%");
    assert_eq!(terminal.foreground(), child);
    terminal.go();
    terminal.until("bar", |screen| {
        screen.starts_with("name? Ada\njob ━━━━━━━╸───────  50%")
    });
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(
        terminal.screen(),
        "name? Ada\n[==> ] 60%\njob: completed in _s"
    );
}

#[test]
fn a_question_on_the_line_of_a_meter_takes_nothing() {
    let mut terminal = terminal().job(
        r"sleep 0.3; for n in 1 2 3 4; do printf '\r%s0%% of it\033[K' $n; sleep 0.1; done
          printf '\r50%% sure?'; read -r word; say $word; pause",
    );
    terminal.shows("50% sure?");
    eventually("lent", || terminal.foreground() != terminal.leader());
    let sent = terminal.bytes.len();
    // Time for a bar that must not come: no event tells of that. Everything that does happen is waited for.
    std::thread::sleep(Duration::from_millis(200));
    terminal.types("yes\r");
    assert_eq!(terminal.hears(), "yes");
    terminal.shows("yes");
    assert_eq!(terminal.screen(), "50% sure?yes");
    assert_eq!(String::from_utf8_lossy(&terminal.bytes[sent..]), "yes\r\n");
}

#[test]
fn a_meter_of_a_program_that_reads_keys_takes_nothing() {
    let mut terminal = terminal().job(
        r"say $$; stty -icanon; for n in 1 2 3 4 5; do printf '\r[>   ] %s0%%\033[K' $n >&2; pause; done",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    for percentage in ["10%", "20%", "30%", "40%", "50%"] {
        terminal.until(percentage, |screen| {
            screen == format!("[>   ] {percentage}")
        });
        assert_eq!(terminal.foreground(), child);
        terminal.go();
    }
    assert_eq!(terminal.ends(), End::Status(0));
}

/// Runs a script that has the terminal with echo off, lets `leave` end it, and checks that the terminal is as before.
fn ends_well(options: &str, script: &str, leave: impl Fn(&mut Terminal, i32, i32), status: i32) {
    // A shell without job control, which repairs no terminal settings by itself.
    let outer = format!(
        "trap : INT; {} {options} --name job -- sh script; echo status $?; read -r word; echo got $word",
        env!("CARGO_BIN_EXE_progrun")
    );
    let mut terminal = terminal().job_of(&["sh", "-c", &outer], script);
    let before = terminal.settings();
    terminal.go();
    let numbers = terminal.hears();
    let (progrun, child) = numbers.split_once(' ').unwrap();
    let [progrun, child] = [progrun, child].map(|number| number.parse().unwrap());
    eventually("lent", || {
        terminal.foreground() == child && !terminal.echoes()
    });
    leave(&mut terminal, progrun, child);
    terminal.shows(&format!("status {status}"));
    assert_eq!(terminal.settings(), before);
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.types("it\r");
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    assert!(screen.ends_with("got it"), "{screen}");
}

#[test]
fn the_terminal_and_its_settings_are_back_whatever_way_out_the_child_takes() {
    let start = "say $PPID $$; pause; echo 1/3 >&3; stty -echo;";
    let go = |terminal: &mut Terminal, _, _| terminal.go();
    let script = |end: &str| format!("{start} {end}");
    let silent = |end: &str| script(end).replace("echo 1/3 >&3;", "");
    ends_well("", &script("pause; exit 0"), go, 0);
    ends_well("", &script("pause; exit 3"), go, 3);
    ends_well("", &script("pause; kill -SEGV $$"), go, 139);
    ends_well("", &script("pause; kill -KILL $$"), go, 137);
    let ctrl_c = |terminal: &mut Terminal, _, _| terminal.types(CTRL_C);
    // `read` is built into the shell. A shell between fork and exec of a command may lose the signal.
    ends_well("", &script("read -r word"), ctrl_c, 130);
    let quit = |terminal: &mut Terminal, _, _| terminal.types("\x1c");
    ends_well("", &script("ulimit -c 0; exec sleep 100"), quit, 131);
    let terminate = |_: &mut Terminal, progrun, _| kill(progrun, Signal::TERM);
    ends_well("", &silent("exec sleep 100"), terminate, 143);
    let cooperative = |terminal: &mut Terminal, progrun, _| {
        kill(progrun, Signal::TERM);
        // Every report from here on fails.
        terminal.go();
    };
    ends_well(
        "",
        &script("pause; while :; do echo 2/3 >&3; done"),
        cooperative,
        143,
    );
    let killed = |_: &mut Terminal, _, child| kill(child, Signal::KILL);
    ends_well("", &script("exec sleep 100"), killed, 137);
    let wait = |_: &mut Terminal, _, _| ();
    ends_well("--timeout 1", &silent("exec sleep 100"), wait, 124);
    let raw = "stty raw -echo; exec sleep 100";
    ends_well("", &silent(raw), killed, 137);
}

#[test]
fn output_where_background_output_stops_is_let_through() {
    let outer = format!(
        "stty tostop; {} --progress none -- sh script",
        env!("CARGO_BIN_EXE_progrun")
    );
    let script =
        "echo 1/3 >&3; echo one; echo 2/3 >&3; echo two; echo two and a half >/dev/tty; exit 4";
    let mut terminal = terminal().job_of(&["sh", "-c", &outer], script);
    assert_eq!(terminal.ends(), End::Status(4));
    assert_eq!(terminal.screen(), "one\ntwo\ntwo and a half");
}

#[test]
fn bars_are_drawn_where_background_output_stops() {
    let outer = format!(
        "stty tostop; {} --name job -- sh script",
        env!("CARGO_BIN_EXE_progrun")
    );
    let script = "echo 1/3 >&3; pause; echo from the child >/dev/tty; pause; echo 2/3 >&3; pause";
    let mut terminal = terminal().job_of(&["sh", "-c", &outer], script);
    terminal.until("bar", |screen| screen == ONE_THIRD);
    terminal.go();
    terminal.until("line", |screen| screen == "from the child");
    terminal.go();
    let screen = format!("from the child\n{TWO_THIRDS}");
    terminal.until("bar again", |now| now.starts_with(&screen));
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
}

/// bash takes its stderr, if that is a terminal, for the terminal of its jobs. Otherwise it opens `/dev/tty`.
const JOBS_IN_BASH: [&str; 2] = ["--tty", "never"];

#[test]
fn a_parent_that_waits_for_a_shell_that_died_with_the_terminal_has_it_next() {
    let mut terminal = terminal().env("PS1", "inner> ").job_with(
        &JOBS_IN_BASH,
        "say $$; echo 1/3 >&3; pause
         bash --norc --noprofile -i 2>&1; say $?; read -r name; say $name; echo 2/3 >&3; pause",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("prompt", |screen| screen == "inner>");
    assert_ne!(terminal.foreground(), child);
    terminal.types("kill -KILL $$\r");
    assert_eq!(terminal.hears(), "137");
    eventually("lent", || terminal.foreground() == child);
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "Ada");
    terminal.shows(TWO_THIRDS);
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_shell_that_takes_the_terminal_by_itself_leaves_it_to_us() {
    let outer = format!(
        "{} --name job -- bash --norc --noprofile -i; echo status $?; read -r word; echo got $word",
        env!("CARGO_BIN_EXE_progrun")
    );
    let mut terminal = terminal()
        .env("PS1", "inner> ")
        .job_of(&["sh", "-c", &outer], "echo 1/3 >&3; say; pause");
    let before = terminal.settings();
    terminal.until("prompt", |screen| screen == "inner>");
    let shell = terminal.foreground();
    // A report of the shell's job takes the terminal back. When the job ends, the shell takes it again.
    terminal.types("sh script\r");
    terminal.hears();
    terminal.until("bar", |screen| screen.contains("33%  1/3"));
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.go();
    eventually("taken", || terminal.foreground() == shell);
    terminal.types("exit 5\r");
    terminal.shows("status 5");
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before);
    terminal.types("it\r");
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.screen().ends_with("got it"));
}

#[test]
fn an_interactive_bash_has_the_terminal_with_its_jobs() {
    assert_bash_has_jobs(&JOBS_IN_BASH, "");
}

#[test]
fn an_interactive_bash_that_a_script_starts_on_the_terminal_itself_has_it_with_its_jobs() {
    assert_bash_has_jobs(&[], ">/dev/tty 2>&1");
}

/// bash takes its stderr, a pseudo-terminal of progrun, for the terminal of its jobs, so it is never stopped for
/// wanting the real one.
#[test]
fn an_interactive_bash_that_a_script_starts_beside_bars_reads_its_keys() {
    let mut terminal = terminal().env("PS1", "inner> ").job(
        "echo 1/3 >&3; pause
         bash --norc --noprofile -i; echo status $?; echo 2/3 >&3; pause",
    );
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.shows("no job control in this shell\ninner>");
    terminal.types("echo 'read' reads; read -r line; echo \"read $line\"\r");
    terminal.shows("\nread reads");
    terminal.types("a line\n");
    terminal.shows("\nread a line\ninner>");
    terminal.types("exit 5\r");
    terminal.shows("status 5\n");
    terminal.shows(TWO_THIRDS);
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before);
}

#[track_caller]
fn assert_bash_has_jobs(options: &[&str], redirected: &str) {
    let script = format!(
        "echo 1/3 >&3; pause
         bash --norc --noprofile -i {redirected}; echo status $?; echo 2/3 >&3; pause"
    );
    let mut terminal = terminal().env("PS1", "inner> ").job_with(options, &script);
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("prompt", |screen| screen == "inner>");
    terminal.types("echo 'cat' comes; cat\r");
    terminal.shows("cat comes");
    terminal.types("to cat\n");
    terminal.shows("to cat\nto cat");
    terminal.types(CTRL_Z);
    terminal.shows("Stopped");
    terminal.types("exit 5\r");
    terminal.shows("There are stopped jobs.");
    terminal.types("exit 5\r");
    terminal.shows("status 5\n");
    terminal.shows(TWO_THIRDS);
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before);
}

#[test]
fn an_interactive_zsh_has_the_terminal_with_its_jobs() {
    needs(&["zsh"]);
    let mut terminal = terminal().env("PS1", "inner> ").job(
        "echo 1/3 >&3; pause
         zsh -f -i; echo status $?; echo 2/3 >&3; pause",
    );
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("prompt", |screen| screen.ends_with("inner>"));
    terminal.types("echo 'cat' comes; cat\r");
    terminal.shows("cat comes");
    terminal.types("to cat\n");
    terminal.shows("to cat\nto cat");
    terminal.types(CTRL_Z);
    terminal.shows("suspended");
    terminal.types("exit 5\r");
    terminal.shows("you have suspended jobs");
    terminal.types("exit 5\r");
    terminal.shows(TWO_THIRDS);
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before);
}

in_each!(
    an_interactive_shell_stops_its_jobs_and_brings_them_back,
    bash "bash --norc --noprofile -i", busybox "busybox sh -i", dash "dash -i",
    fish "fish --no-config -i", mksh "mksh -i", zsh "zsh -f -i"
);
fn an_interactive_shell_stops_its_jobs_and_brings_them_back(shell: &str) {
    let mut terminal = terminal().env("PS1", "inner> ").env("HOME", ".").job(&format!(
        "say $$; echo 1/3 >&3; pause; {shell} >/dev/tty 2>&1; say $?; pause; echo 2/3 >&3; pause"
    ));
    let child: i32 = terminal.hears().parse().unwrap();
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("prompt", |screen| screen.ends_with(['>', '#']));
    let inner = terminal.foreground();
    assert_ne!(inner, child);
    terminal.types("sh -c \"echo 'cat' comes; exec cat\"\r");
    terminal.shows("cat comes");
    assert_ne!(terminal.foreground(), inner);
    terminal.types(CTRL_Z);
    eventually("back at the prompt", || terminal.foreground() == inner);
    terminal.types("fg\r");
    eventually("in its job", || {
        terminal.foreground() != inner && terminal.echoes()
    });
    terminal.types("to cat\n");
    terminal.shows("to cat\nto cat");
    terminal.types(CTRL_D);
    eventually("at the prompt again", || terminal.foreground() == inner);
    terminal.types("exit 5\r");
    assert_eq!(terminal.hears(), "5", "{shell}");
    terminal.go();
    terminal.shows(TWO_THIRDS);
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before, "{shell}");
}

#[test]
fn an_interactive_python_answers() {
    needs(&["python3"]);
    let mut terminal = terminal().job("echo 1/3 >&3; pause; python3 -q; echo 2/3 >&3; pause");
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("prompt", |screen| screen == ">>>");
    terminal.types("6 * 7\r");
    terminal.until("answer", |screen| screen.ends_with("\n42\n>>>"));
    terminal.types(CTRL_D);
    terminal.shows(TWO_THIRDS);
    assert_eq!(terminal.settings(), before);
}

#[test]
fn getpass_of_python_asks_without_echo() {
    needs(&["python3"]);
    let ask = r#"python3 -c 'import getpass; print("it was", getpass.getpass("secret? "))'"#;
    let mut terminal = terminal().job(&format!("echo 1/3 >&3; pause; {ask}; echo 2/3 >&3; pause"));
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("question", |screen| screen == "secret?");
    assert!(!terminal.echoes());
    terminal.types("xyz\r");
    let screen = format!("secret? \nit was xyz\n{TWO_THIRDS}");
    terminal.until("answer", |now| now.starts_with(&screen));
    assert_eq!(terminal.settings(), before);
}

/// A sudo command that has to ask for a password.
fn sudo_that_asks() -> &'static str {
    needs(&["sudo"]);
    if rustix::process::geteuid().is_root() {
        return "setpriv --reuid nobody --regid nogroup --clear-groups sudo";
    }
    let mut unasked = std::process::Command::new("sudo");
    let asks = !unasked
        .args(["-k", "-n", "true"])
        .status()
        .unwrap()
        .success();
    needs_that(asks, "a sudo that asks for a password");
    "sudo -k"
}

#[test]
fn sudo_asks_for_a_password_without_echo() {
    let sudo = sudo_that_asks();
    let script = format!("say $PPID $$; pause; exec {sudo} -p 'password? ' true");
    let mut terminal = terminal().job(&script);
    let before = terminal.settings();
    let [progrun, _] = numbers(&mut terminal);
    terminal.go();
    terminal.shows("password?");
    eventually("echo is off", || !terminal.echoes());
    terminal.types("guess");
    kill(progrun, Signal::TERM);
    assert_ne!(terminal.ends(), End::Status(0));
    assert!(!terminal.was_sent("guess"));
    assert_eq!(terminal.settings(), before);
}

#[test]
fn ssh_asks_for_a_passphrase_without_echo() {
    // ssh-keygen asks as ssh does, and needs no server.
    needs(&["ssh-keygen"]);
    let mut terminal = terminal().job(
        "ssh-keygen -q -t ed25519 -N secret -f key -C test; echo 1/3 >&3; pause
         ssh-keygen -y -f key >public; echo 2/3 >&3; pause",
    );
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.shows("Enter passphrase:");
    eventually("echo is off", || !terminal.echoes());
    terminal.types("secret\r");
    terminal.shows(TWO_THIRDS);
    let public = fs::read_to_string(terminal.folder.path().join("public")).unwrap();
    assert!(public.starts_with("ssh-ed25519 "));
    assert!(!terminal.was_sent("secret"));
    assert_eq!(terminal.settings(), before);
}

#[test]
fn vim_edits_a_file() {
    needs(&["vi"]);
    let mut terminal = terminal().job(
        "echo above; echo 1/3 >&3; pause
         vi -u NONE -i NONE -n file >/dev/tty; echo 2/3 >&3; pause",
    );
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("empty file", |screen| {
        screen.matches("\n~").count() > 15 && !screen.contains("1/3")
    });
    terminal.types("ihello\x1b:wq\r");
    let screen = format!("above\n{TWO_THIRDS}");
    terminal.until("bar again", |now| now.starts_with(&screen));
    let file = fs::read_to_string(terminal.folder.path().join("file")).unwrap();
    assert_eq!(file, "hello\n");
    assert_eq!(terminal.settings(), before);
}

#[test]
fn less_pages() {
    needs(&["less"]);
    let mut terminal = terminal().job(
        "seq 100 >numbers; echo above; echo 1/3 >&3; pause
         less numbers >/dev/tty; echo 2/3 >&3; pause",
    );
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("first page", |screen| screen.starts_with("1\n2\n"));
    terminal.types(" ");
    terminal.until("second page", |screen| screen.starts_with("24\n25\n"));
    terminal.types("q");
    let screen = format!("above\n{TWO_THIRDS}");
    terminal.until("bar again", |now| now.starts_with(&screen));
    assert_eq!(terminal.settings(), before);
}

#[test]
fn tmux_has_the_terminal() {
    needs(&["tmux"]);
    let mut terminal = terminal().job(
        "echo above; echo 1/3 >&3; pause
         tmux -S socket -f /dev/null new 'echo in tmux; read -r word; echo $word >word' >/dev/tty
         echo 2/3 >&3; pause",
    );
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.shows("in tmux");
    terminal.types("typed\r");
    terminal.shows(TWO_THIRDS);
    assert!(terminal.screen().starts_with("above\n"));
    let word = fs::read_to_string(terminal.folder.path().join("word")).unwrap();
    assert_eq!(word, "typed\n");
    assert_eq!(terminal.settings(), before);
}

#[test]
fn nothing_is_drawn_over_a_program_that_took_the_terminal_without_being_lent_it() {
    let mut terminal = terminal().job(
        r"tty=/dev/$(ps -o tty= -p $$); echo 1/3 >&3; pause
           setsid stty -icanon -echo <$tty; printf '\033[2J\033[Hmine\n' >$tty; echo 2/3 >&3; echo line; pause
           setsid stty icanon echo <$tty; pause",
    );
    terminal.until("bar", |screen| screen == ONE_THIRD);
    terminal.go();
    // The line was written in a frame, which would have had a bar below it.
    terminal.until("line", |screen| screen == "mine\nline");
    terminal.go();
    terminal.until("bar again", |screen| {
        screen.starts_with(&format!("mine\nline\n{TWO_THIRDS}"))
    });
    assert_eq!(terminal.foreground(), terminal.leader());
}

#[test]
fn nothing_is_drawn_over_a_pager_at_the_other_end_of_a_pipe_that_was_there_first() {
    let progrun = env!("CARGO_BIN_EXE_progrun");
    let line = format!("stty -icanon; {progrun} -- sh ./script | (trap '' INT; cat)");
    let mut terminal = terminal().job_of(
        &["sh", "-c", &line],
        "trap '' INT; echo 1/3 >&3; echo line >&2; pause",
    );
    terminal.shows("line");
    // The message about it comes in a frame, which would have a bar below it.
    terminal.types("\x03");
    terminal.shows("Ctrl-C again");
    terminal.go();
    terminal.shows("sh: cancelled");
    assert!(!terminal.was_sent("━"));
}
