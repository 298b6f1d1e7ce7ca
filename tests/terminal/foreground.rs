//! Programs that show their progress only in the foreground of a terminal: they get the terminal from the start, and
//! progrun recognises a Ctrl-C there.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use rustix::process::Pid;

use super::jobs::numbers;
use crate::harness::needs;
use crate::pty::{End, Terminal, eventually, kill, terminal};
use crate::support::{Signal, watcher_of};

const PROGRUN: &str = env!("CARGO_BIN_EXE_progrun");
const CTRL_C: &str = "\x03";

/// Runs a text in bash, under the name of such a program.
fn as_lftp(text: &str) -> Terminal {
    let text = format!("say() {{ echo \"$*\" >said; }}; pause() {{ read -r _ <go; }}; {text}");
    let script = r#"ln -s "$(command -v bash)" lftp; exec "$0" --name job -- ./lftp -c "$1""#;
    terminal().run(&["sh", "-c", script, PROGRUN, &text])
}

/// Waits until the command's group has a watcher. Before that, progrun knows of a Ctrl-C only if the command dies of
/// it.
fn wait_for_watcher(terminal: &Terminal) {
    let progrun = Pid::from_raw(terminal.leader()).unwrap();
    eventually("watcher", || watcher_of(progrun).is_some());
}

/// A server that sends half of a file of 2 MB. Returns the file's address.
fn half_a_file() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let request = BufReader::new(&client).lines();
            let end = request
                .map_while(Result::ok)
                .position(|line| line.is_empty());
            assert!(end.is_some());
            let header = "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n";
            client.write_all(header.as_bytes()).unwrap();
            client.write_all(&vec![b'x'; 1_000_000]).unwrap();
            // Keeps the connection open until the client leaves.
            let _ = std::io::copy(&mut client, &mut std::io::sink());
        }
    });
    format!("http://{address}/file")
}

#[test]
fn it_has_the_terminal_itself_from_its_first_moment_to_its_end() {
    let mut terminal = as_lftp(
        r"read -r _ _ _ _ group _ _ foreground _ </proc/$$/stat
           say $group $foreground $([ /dev/fd/2 -ef /dev/fd/0 ] && echo same); pause",
    );
    let said = terminal.hears();
    let words: Vec<_> = said.split(' ').collect();
    assert!(words.len() == 3 && words[0] == words[1], "{said}");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(terminal.screen(), "job: completed in _s");
}

#[test]
fn pv_in_a_pipeline_of_a_shell_has_its_meter() {
    needs(&["pv"]);
    let pipeline = "{ head -c 3000 /dev/zero; read -r _ <go; head -c 3000 /dev/zero; } |
        pv -i 0.1 -s 6000 | cat >/dev/null";
    let command = [PROGRUN, "--name", "job", "--", "bash", "-c", pipeline];
    let mut terminal = terminal().run(&command);
    terminal.shows("] 50%");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    assert!(screen.contains("] 100%"), "{screen}");
    assert!(screen.ends_with("\njob: completed in _s"), "{screen}");
}

#[test]
fn wget_shows_its_meter_writes_no_log_and_is_cancelled_by_ctrl_c() {
    needs(&["wget"]);
    let file = half_a_file();
    let mut terminal = terminal().run(&[PROGRUN, "--name", "job", "--", "wget", &file]);
    terminal.shows(" 50%[");
    wait_for_watcher(&terminal);
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let screen = terminal.screen();
    assert!(
        screen.ends_with("\njob: cancelled after _s (SIGINT)"),
        "{screen}"
    );
    assert!(!terminal.folder.path().join("wget-log").exists());
}

#[test]
fn top_has_the_screen_and_leaves_it() {
    needs(&["top"]);
    let mut terminal = terminal().run(&[PROGRUN, "--name", "job", "--", "top"]);
    terminal.shows("load average:");
    terminal.types("q");
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    assert!(screen.ends_with("job: completed in _s"), "{screen}");
}

#[test]
fn what_was_at_work_when_ctrl_c_came_is_cancelled_also_if_it_catches_it() {
    for status in [0, 1] {
        let text = format!("trap 'exit {status}' INT; say ready; while :; do sleep 0.01; done");
        let mut terminal = as_lftp(&text);
        assert_eq!(terminal.hears(), "ready");
        wait_for_watcher(&terminal);
        terminal.types(CTRL_C);
        assert_eq!(terminal.ends(), End::Signal(libc::SIGINT), "{status}");
        let screen = terminal.screen();
        assert!(screen.contains("\njob: cancelled after _s"), "{screen}");
    }
}

#[test]
fn what_waits_for_a_key_when_ctrl_c_comes_and_goes_on_is_not() {
    let mut terminal = as_lftp(
        "trap 'echo again' INT; say ready; until read -r word; do :; done; say $word; exit 3",
    );
    assert_eq!(terminal.hears(), "ready");
    terminal.types(CTRL_C);
    terminal.shows("again");
    // progrun looks at the command from time to time; this is long enough for several looks.
    let waits = std::time::Instant::now();
    eventually("half a second", || waits.elapsed().as_millis() > 500);
    terminal.types("word\r");
    assert_eq!(terminal.hears(), "word");
    assert_eq!(terminal.ends(), End::Status(3));
}

#[test]
fn in_a_pipeline_and_beside_others_of_a_script_it_is_as_any_command() {
    for script in [
        r#""$0" --name job -- ./lftp -c 'echo here' | { read -r name </dev/tty; echo "$name!"; }"#,
        r#"{ read -r name </dev/tty; echo "$name!"; } & "$0" --name job -- ./lftp -c : ; wait"#,
    ] {
        let script = format!(r#"ln -s "$(command -v bash)" lftp; {script}"#);
        let mut terminal = terminal().run(&["bash", "-c", &script, PROGRUN]);
        terminal.types("Ada\r");
        terminal.shows("Ada!");
        assert_eq!(terminal.ends(), End::Status(0), "{script}");
    }
}

#[test]
fn after_a_sigstop_of_progrun_and_fg_it_has_the_terminal_again() {
    let mut terminal = terminal().shell("");
    let stop = r#"ln -s "$(command -v bash)" lftp; clear
        progrun --name job -- ./lftp -c 'echo $PPID $$ >said; read -r _ <go'"#;
    terminal.types(&format!("{}\r", stop.replace('\n', ";")));
    let [progrun, child] = numbers(&mut terminal);
    terminal.eventually("lent", |terminal| terminal.foreground() == child);
    kill(progrun, Signal::STOP);
    terminal.shows("Stopped");
    terminal.types("fg\r");
    terminal.eventually("lent again", |terminal| terminal.foreground() == child);
    terminal.go();
    terminal.shows("job: completed in _s");
}

#[test]
fn a_sigint_to_a_command_that_has_the_terminal_is_no_ctrl_c() {
    let mut terminal =
        terminal().job("say $$; printf 'name? '; read -r name; say $name; sleep 300");
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.shows("name?");
    terminal.eventually("lent", |terminal| terminal.foreground() == child);
    kill(child, Signal::INT);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let screen = terminal.screen();
    assert!(
        screen.ends_with("job: killed by SIGINT after _s"),
        "{screen}"
    );
}

#[test]
fn a_command_that_is_lent_the_terminal_and_at_work_is_cancelled_though_it_says_that_all_is_well() {
    // The settings that the command has made keep the terminal lent.
    let mut terminal = terminal()
        .job("trap 'exit 0' INT; say $$; stty -echo; say ready; while :; do sleep 0.01; done");
    let child: i32 = terminal.hears().parse().unwrap();
    assert_eq!(terminal.hears(), "ready");
    assert_eq!(terminal.foreground(), child);
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
}

#[test]
fn the_script_around_it_reads_the_terminal_after_its_end_and_if_it_could_not_be_started() {
    for command in ["top -v >version", "/nonexistent/top"] {
        let script = format!(
            r#""$0" --name job -- {command}; printf 'name? '; read -r name; echo "$name!""#
        );
        let mut terminal = terminal().run(&["sh", "-c", &script, PROGRUN]);
        terminal.shows("name?");
        terminal.types("Ada\r");
        terminal.shows("Ada!");
        assert_eq!(terminal.ends(), End::Status(0), "{command}");
    }
}
