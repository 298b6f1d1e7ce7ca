//! Questions: they stay on the screen while a process waits for the answer, whatever else the command does; the bar
//! comes back when no process waits any more.

use std::thread;

use super::jobs::numbers;
use crate::harness::{everything, needs, needs_that};
use crate::pty::{End, Terminal, eventually, kill, terminal};
use rustix::process::Signal;

const CTRL_C: &str = "\x03";

#[test]
fn a_report_of_another_process_leaves_a_question_where_it_is() {
    let mut terminal = terminal().job(
        "say $$; echo 1/3 >&3; pause; (pause; echo 2/3 >&3; say reported) &
         printf 'name? '; read -r name; say $name; pause",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.shows("1/3");
    terminal.go();
    terminal.until("question", |screen| screen == "name?");
    eventually("lent", || terminal.foreground() == child);
    terminal.go();
    assert_eq!(terminal.hears(), "reported");
    // The answer appears after the question, and the bar comes back without another report.
    terminal.types("Ada");
    terminal.until("answer", |screen| screen == "name? Ada");
    assert_eq!(terminal.foreground(), child);
    terminal.types("\r");
    assert_eq!(terminal.hears(), "Ada");
    terminal.until("bar", |screen| {
        screen.starts_with("name? Ada\njob ━━━━━━━━━╸─────  66%  2/3")
    });
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn a_reporter_that_never_rests_leaves_a_question_where_it_is() {
    let mut terminal = terminal().job(
        "say $$; (while echo 1/3 >&3; do :; done) & printf 'name? '; read -r name; say $name
         pause; kill $!",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.until("question", |screen| screen == "name?");
    eventually("lent", || terminal.foreground() == child);
    for (key, seen) in [("A", "name? A"), ("d", "name? Ad"), ("a", "name? Ada")] {
        terminal.types(key);
        terminal.until(seen, |screen| screen == seen);
        assert_eq!(terminal.foreground(), child);
    }
    terminal.types("\r");
    assert_eq!(terminal.hears(), "Ada");
    terminal.until("bar", |screen| screen.starts_with("name? Ada\njob ━━━━╸"));
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn a_program_that_waits_for_keys_among_other_things_keeps_the_terminal_if_it_gets_each_at_once() {
    needs(&["perl"]);
    let mut terminal = terminal().job(
        r#"say $$; pause; (pause; echo 2/3 >&3; say reported) & stty -icanon; perl -e '
               pipe(my $never, my $end); my $bits = "";
               vec($bits, $_, 1) = 1 for 0, fileno($never);
               select($bits, undef, undef, undef); sysread(STDIN, my $key, 1);
               open(my $said, ">", "said"); print $said "$key\n"'; stty icanon; pause"#,
    );
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.go();
    eventually("lent", || terminal.foreground() == child);
    terminal.go();
    assert_eq!(terminal.hears(), "reported");
    terminal.types("k");
    assert_eq!(terminal.hears(), "k");
    terminal.shows("2/3");
}

#[test]
fn after_an_answer_the_bar_is_back_also_without_a_report_and_ctrl_c_counts() {
    let mut terminal = terminal().job(
        "trap '' INT; say $PPID $$; printf 'name? '; read -r name; say $name
         while :; do sleep 0.01; done",
    );
    let [_, child] = numbers(&mut terminal);
    terminal.shows("name?");
    eventually("lent", || terminal.foreground() == child);
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "Ada");
    terminal.until("bar", |screen| screen.starts_with("name? Ada\njob ⣾ _s"));
    assert_eq!(terminal.foreground(), terminal.leader());
    terminal.types(CTRL_C);
    terminal.shows("(Ctrl-C again: SIGTERM)");
    kill(child, Signal::KILL);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
}

/// Runs a script on a terminal as the user `nobody`, under a shell that is root's by its setuid bit, like sudo. /proc shows
/// nothing of such a process to other users.
fn as_nobody(script: &str) -> Terminal {
    needs(&["setpriv"]);
    needs_that(rustix::process::geteuid().is_root(), "root");
    let progrun = env!("CARGO_BIN_EXE_progrun");
    let outer = format!(
        "cp {progrun} progrun; cp /bin/dash hidden; chmod 4755 hidden; chmod 755 .; chmod 666 go said
         exec setpriv --reuid 65534 --regid 65534 --clear-groups \
             ./progrun --name job -- ./hidden -p ./script"
    );
    terminal().job_of(&["sh", "-c", &outer], script)
}

#[test]
fn a_password_that_another_user_asks_for_is_waited_for() {
    let mut terminal = as_nobody(
        "say $$; (pause; echo 1/3 >&3; say reported) & stty -echo; printf 'password? '; read -r word
         stty echo; echo; say $word; pause; echo 2/3 >&3; pause",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.until("question", |screen| screen == "password?");
    eventually("lent", || terminal.foreground() == child);
    terminal.go();
    assert_eq!(terminal.hears(), "reported");
    terminal.types("secret\r");
    assert_eq!(terminal.hears(), "secret");
    terminal.shows("1/3");
    terminal.go();
    terminal.shows("2/3");
    assert!(!terminal.was_sent("secret"));
}

#[test]
fn the_bar_is_back_beside_a_program_of_another_user_that_passes_on_all_keys() {
    let mut terminal = as_nobody("say $$; stty raw -echo; exec sleep 1000");
    let before = terminal.settings();
    let child: i32 = terminal.hears().parse().unwrap();
    eventually("lent", || {
        terminal.foreground() == child && !terminal.echoes()
    });
    terminal.shows("job ⣾ _s");
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before);
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
}

#[test]
fn a_question_that_it_passes_on_keeps_the_bar_away() {
    let mut terminal = as_nobody(
        "say $$; stty raw -echo; printf 'sure? '; say asked; pause; echo; say on; exec sleep 1000",
    );
    let child: i32 = terminal.hears().parse().unwrap();
    assert_eq!(terminal.hears(), "asked");
    terminal.until("question", |screen| screen == "sure?");
    // Longer than progrun leaves the terminal to a command of which no process uses it. The test is that nothing
    // happens.
    thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(terminal.foreground(), child);
    assert_eq!(terminal.screen(), "sure?");
    terminal.go();
    assert_eq!(terminal.hears(), "on");
    terminal.shows("job ⣾ _s");
}

/// Enough rounds that a stop, if one is sent, meets a fork. The few rounds of a normal test run would hardly show it.
fn rounds() -> usize {
    if everything() { 50 } else { 12 }
}

/// Runs a command that in each `round` gets the terminal, uses it, and gives it up while it starts processes. Fails if
/// the command stays stopped.
fn assert_never_stops(before: &str, round: &str, key: &str) {
    needs(&["bash"]);
    let rounds = rounds();
    let script = format!(
        "say $$; {before}
         for ((i = 1; i <= {rounds}; i++)); do {round}; /bin/true; /bin/true; pause; done; kill $! 2>/dev/null; :"
    );
    let progrun = env!("CARGO_BIN_EXE_progrun");
    let command = [progrun, "--name", "job", "--", "bash", "script"];
    let mut terminal = terminal().job_of(&command, &script);
    let child: i32 = terminal.hears().parse().unwrap();
    for round in 1..=rounds {
        terminal.eventually("lent", |terminal| terminal.foreground() == child);
        terminal.types(key);
        assert_eq!(terminal.hears(), round.to_string());
        terminal.eventually("taken back", |terminal| terminal.foreground() != child);
        terminal.go();
    }
    assert_eq!(terminal.ends(), End::Status(0));
}

const ASK: &str = r#"read -r -p "name? " name; echo "$i/100 $name" >&3; say $i"#;

#[test]
fn a_script_that_asks_and_reports_is_never_left_stopped() {
    assert_never_stops(":", ASK, "Ada\n");
}

#[test]
fn a_script_that_asks_beside_a_reporter_is_never_left_stopped() {
    assert_never_stops("(while echo >&3; do /bin/true; done) &", ASK, "Ada\n");
}

#[test]
fn a_script_that_is_stopped_for_its_questions_while_it_forks_is_never_left_stopped() {
    assert_never_stops("(while /bin/true; do :; done) &", ASK, "Ada\n");
}

#[test]
fn a_script_that_takes_the_screen_and_leaves_it_is_never_left_stopped() {
    let round = r"printf '\033[?1049h'; read -r -n 1 key; printf '\033[?1049l'; say $i";
    assert_never_stops("(while /bin/true; do :; done) &", round, "x");
}
