//! `progrun timeline`: pages of recordings that progrun itself has made, read as a file and in a browser.

mod browser;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::needs;
use crate::support::{Gate, assert_text, progrun, text};

use self::browser::Browser;

/// A folder with recordings and pages.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Records a run: what it prints on stdout is the file `name`.
    fn record(&self, name: &str, arguments: &[&str]) {
        let run = progrun(arguments).in_folder(self.0.path()).output();
        self.write(name, run.stdout);
    }

    /// Makes the page of a recording, without a word.
    #[track_caller]
    fn page(&self, recording: &str) -> String {
        self.page_and_words(recording, "")
    }

    /// Makes the page of a recording, with these words on stderr.
    #[track_caller]
    fn page_and_words(&self, recording: &str, words: &str) -> String {
        let output = progrun(&["timeline", recording])
            .in_folder(self.0.path())
            .output();
        assert_text(&text(&output.stderr), words);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the page of a recording is drawn from.
    #[track_caller]
    fn data(&self, recording: &str) -> Value {
        data(&self.page(recording))
    }

    /// Makes the page of a recording as a file.
    fn file(&self, recording: &str) -> PathBuf {
        let page = self.path(&format!("{recording}.html"));
        let output = format!("--output={}", page.display());
        progrun(&["timeline", recording, &output])
            .in_folder(self.0.path())
            .status(0);
        page
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], stdin: &str, words: &str) {
        let words = format!("progrun: timeline: {words}\n");
        progrun(&[&["timeline"], arguments].concat())
            .in_folder(self.0.path())
            .stdin(stdin)
            .stderr(&words)
            .status(125);
    }
}

fn data(page: &str) -> Value {
    let (_, data) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

/// Fails for 2, and for 3 once.
const SCRIPT: &str = r#"
echo "value $1"
[ "$1" != 2 ] || { printf '\033[31mno good:\033[0m %s\n' "$1" >&2; exit 4; }
[ "$1" != 3 ] || [ -e done ] || { : >done; exit 5; }
"#;

/// Four tasks in two slots, recorded with their output.
fn four_tasks() -> Scene {
    let scene = Scene::new();
    let command = ["--", "sh", "-c", SCRIPT, "sh", "{}", ":::"];
    let options = ["each", "--json", "-j2", "--retries=1", "--retry-delay=0"];
    scene.record(
        "run",
        &[&options[..], &command, &["1", "2", "3", "<b>"]].concat(),
    );
    scene
}

#[test]
fn a_run_of_many_becomes_a_page_of_its_tasks_attempts_and_last_lines() {
    let data = four_tasks().data("run");
    let run = &data["runs"][0];
    assert_eq!(run["name"], "sh");
    assert_eq!(
        (&run["cut"], &run["jobs"]),
        (&Value::from(false), &Value::from(2))
    );
    assert_eq!(
        run["tasks"]["name"],
        serde_json::json!(["1", "2", "3", "<b>"])
    );
    // The second one failed, the others completed.
    assert_eq!(run["tasks"]["state"], serde_json::json!([0, 1, 0, 0]));
    assert_eq!(run["tries"]["task"], serde_json::json!([0, 1, 1, 2, 2, 3]));
    assert_eq!(run["tries"]["state"], serde_json::json!([0, 1, 1, 1, 0, 0]));
    let how = |attempt: usize| {
        let word = run["tries"]["how"][attempt].as_u64().unwrap();
        run["words"][usize::try_from(word).unwrap()].clone()
    };
    assert_eq!(
        (how(2), how(3), how(4)),
        ("exit status 4".into(), "exit status 5".into(), "".into())
    );
    assert_eq!(
        run["tails"],
        serde_json::json!({ "1": "value 2\nno good: 2", "2": "value 2\nno good: 2", "3": "value 3" })
    );
}

#[test]
fn a_single_command_becomes_a_page_with_its_parts_and_its_progress() {
    let scene = Scene::new();
    let script = r#"
        echo '{"progress":1,"total":4,"unit":"files"}' >&3
        echo '{"id":"a","title":"first part","progress":1,"total":2}' >&3
        echo '{"id":"b","parent":"a"}' >&3
        echo '{"id":"b","status":"failed"}' >&3
        echo '{"progress":4,"total":4,"message":"three more"}' >&3
    "#;
    let events = "--json=run";
    progrun(&[events, "--quiet", "--name", "one", "--", "sh", "-c", script])
        .in_folder(scene.0.path())
        .status(0);
    let data = scene.data("run");
    let run = &data["runs"][0];
    assert_eq!(
        (&run["single"], &run["name"]),
        (&true.into(), &"one".into())
    );
    assert_eq!(
        run["parts"]["title"],
        serde_json::json!(["first part", "b"])
    );
    assert_eq!(run["parts"]["parent"], serde_json::json!([-1, 0]));
    assert_eq!(run["parts"]["state"], serde_json::json!([0, 1]));
    let curve = run["curves"]["0"].as_array().unwrap();
    assert_eq!(curve[1].as_array().unwrap().first(), Some(&250.into()));
    assert_eq!(curve[1].as_array().unwrap().last(), Some(&1000.into()));
    assert_eq!(run["units"]["0"], "files");
    assert_eq!(run["tasks"]["message"]["0"], "three more");
}

#[test]
fn parts_of_a_nested_run_end_with_their_task_and_its_progress_ends_at_100_percent() {
    let scene = Scene::new();
    let mut gate = Gate::new();
    // As a progrun in it would report, whose tasks have parts that never end.
    let script = format!(
        r#"
        echo '{{"id":"list","progress":0,"total":2}}' >&3
        for task in 1 2; do
            echo '{{"id":"'$task'","parent":"list","progress":1,"total":4}}' >&3
            echo '{{"id":"'$task'/a","parent":"'$task'","progress":1,"total":8}}' >&3
            echo '{{"id":"'$task'","status":"ok"}}' >&3
            echo '{{"id":"list","progress":'$task'}}' >&3
        done
        echo '{{"id":"list","status":"ok"}}' >&3
        read -r _ <{}
    "#,
        gate.path()
    );
    let mut run = progrun(&["-q", "--json", "--", "sh", "-c", &script]).start();
    let list_ended = loop {
        let event = run.event("progress");
        if event["info"]["id"] == "list" && event["info"]["status"] == "ok" {
            break event["elapsed"].as_f64().unwrap() * 1e6 + 1.0;
        }
    };
    gate.open();
    let events = run.finish().events;
    let lines: Vec<_> = events.iter().map(Value::to_string).collect();
    scene.write("run", lines.join("\n"));
    let data = scene.data("run");
    let run = &data["runs"][0];
    let titles = serde_json::json!(["list", "1", "1/a", "2", "2/a"]);
    assert_eq!(run["parts"]["title"], titles);
    assert_eq!(run["parts"]["state"], serde_json::json!([0, 0, 0, 0, 0]));
    for ended in run["parts"]["ended"].as_array().unwrap() {
        assert!(ended.as_f64().unwrap() <= list_ended, "{ended}");
    }
    let shares = run["curves"]["0"][1].as_array().unwrap();
    let shares: Vec<_> = shares.iter().map(|share| share.as_i64().unwrap()).collect();
    assert_eq!(shares.last(), Some(&1000));
    assert!(shares.is_sorted(), "{shares:?}");
}

/// Two of its tasks are not started.
const HALTED: [&str; 10] = [
    "each",
    "-j1",
    "--halt=soon",
    "--json",
    "--",
    "false",
    ":::",
    "1",
    "2",
    "3",
];

#[test]
fn tasks_that_a_stopped_run_did_not_start_are_counted_as_it_says() {
    let scene = Scene::new();
    scene.record("run", &HALTED);
    let data = scene.data("run");
    let run = &data["runs"][0];
    assert_eq!((&run["total"], &run["not_started"]), (&3.into(), &2.into()));
}

#[test]
fn a_job_log_becomes_a_page_of_all_its_runs() {
    let scene = Scene::new();
    let run = |arguments: &[&str]| {
        let command = [
            "--",
            "sh",
            "-c",
            "[ -e ok ] || [ $1 = 1 ]",
            "sh",
            "{}",
            ":::",
            "1",
            "2",
        ];
        let output =
            progrun(&[&["each", "--quiet", "--job-log=log"], arguments, &command].concat())
                .in_folder(scene.0.path())
                .output();
        output.status.code()
    };
    assert_eq!(run(&[]), Some(1));
    scene.write("ok", "");
    assert_eq!(run(&["--resume"]), Some(0));
    let data = scene.data("log");
    let runs = data["runs"].as_array().unwrap();
    let states: Vec<_> = runs.iter().map(|run| &run["tasks"]["state"]).collect();
    assert_eq!(
        states,
        [&serde_json::json!([0, 1]), &serde_json::json!([0])]
    );
    assert_eq!(runs[1]["tasks"]["name"], serde_json::json!(["2"]));
    assert!(runs.iter().all(|run| run["cut"] == false));
}

#[test]
fn a_recording_that_is_cut_off_says_so_and_damaged_lines_are_counted() {
    let scene = four_tasks();
    let whole = fs::read_to_string(scene.path("run")).unwrap();
    let starts: Vec<_> = whole.match_indices("\"event\":\"started\"").collect();
    // In the middle of the last start; and the first line after the head is not what it was.
    let cut = whole[..starts.last().unwrap().0].replacen("\"event\":\"started\"", "\"event\":", 1);
    scene.write("cut", cut);
    let page = scene.page_and_words(
        "cut",
        "progrun: timeline: 2 lines of cut could not be read and are not on the page; the first is line 2\n",
    );
    let data = data(&page);
    assert_eq!(data["damaged"], serde_json::json!([2, 2]));
    assert_eq!(data["runs"][0]["cut"], true);
    scene.write(
        "one",
        b"\xff\n"
            .iter()
            .chain(whole.as_bytes())
            .copied()
            .collect::<Vec<_>>(),
    );
    scene.page_and_words(
        "one",
        "progrun: timeline: 1 line of one could not be read and is not on the page; the first is line 1\n",
    );
}

#[test]
fn what_a_newer_progrun_adds_is_no_damage_but_another_meaning_is_refused() {
    let scene = four_tasks();
    let whole = fs::read_to_string(scene.path("run")).unwrap();
    let newer = "{\"event\":\"moon\",\"task\":1,\"elapsed\":1,\"phase\":3}\n";
    scene.write("newer", whole.clone() + newer);
    assert_eq!(scene.data("newer")["damaged"], serde_json::json!([0, 0]));
    scene.write("other", whole.replacen("\"version\":1", "\"version\":2", 1));
    scene.refused(
        &["other"],
        "",
        "line 1 of other was written by a newer progrun",
    );
}

#[test]
fn what_is_no_recording_is_refused_with_the_line_that_shows_it() {
    let scene = Scene::new();
    scene.write("notes", "\nbuy milk\n{\"event\":1}\n");
    scene.write("empty", "\n\n");
    let no_event = "is no event of progrun: a recording is what --json or --job-log writes";
    scene.refused(&["notes"], "", &format!("line 2 of notes {no_event}"));
    scene.refused(&["-"], "x\n", &format!("line 1 of stdin {no_event}"));
    scene.refused(
        &["empty"],
        "",
        "empty is empty: there is no event of progrun in it",
    );
    scene.refused(
        &["missing"],
        "",
        "cannot open missing: no such file or directory",
    );
    scene.refused(&["."], "", "cannot read .: it is a directory");
}

#[test]
fn the_page_goes_to_a_file_but_never_over_the_recording() {
    let scene = four_tasks();
    let page = fs::read_to_string(scene.file("run")).unwrap();
    assert_eq!(page, scene.page("run"));
    let recording = fs::read(scene.path("run")).unwrap();
    fs::hard_link(scene.path("run"), scene.path("link")).unwrap();
    let words = "link is the recording: name another file for the page";
    scene.refused(&["run", "-o", "link"], "", words);
    for arguments in [&["-o", "link"][..], &["-", "-o", "link"]] {
        let words = format!("progrun: timeline: {words}\n");
        progrun(&[&["timeline"], arguments].concat())
            .in_folder(scene.0.path())
            .inside("sh", "exec \"$@\" <run")
            .stderr(&words)
            .status(125);
    }
    scene.refused(
        &["run", "-o", "no/page"],
        "",
        "cannot write no/page: there is no directory no",
    );
    assert_eq!(fs::read(scene.path("run")).unwrap(), recording);
}

#[test]
fn a_page_does_not_flood_the_terminal() {
    let scene = four_tasks();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let stdout = ioctl_tiocgptpeer(&terminal, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    let run = progrun(&["timeline", "run"]).in_folder(scene.0.path());
    let mut run = run.start_on(stdout, Stdio::piped());
    assert_eq!(
        run.stderr_line(),
        "progrun: timeline: stdout is a terminal: name a file for the page with --output, or redirect stdout\n"
    );
    assert_eq!(run.wait().code(), Some(125));
}

#[test]
fn the_output_of_a_long_run_does_not_fill_the_memory() {
    let scene = Scene::new();
    let mut recording = fs::File::create(scene.path("run")).unwrap();
    let start = r#"{"event":"started","task":1,"elapsed":0.1,"time":"2026-11-28T01:00:00.000Z","name":"x","command":["x"],"pid":7}"#;
    writeln!(recording, "{start}").unwrap();
    let line = "0123456789abcde\\n".repeat(4000);
    for _ in 0..1000 {
        writeln!(
            recording,
            r#"{{"event":"output","task":1,"elapsed":0.2,"stream":"stdout","text":"{line}"}}"#
        )
        .unwrap();
    }
    let end = r#"{"event":"finished","task":1,"elapsed":0.3,"state":"failed","exit_status":1,"signal":null,"reports":0,"malformed":0}"#;
    writeln!(recording, "{end}").unwrap();
    // The recording is twice as large as the memory that progrun may have.
    let output = progrun(&["timeline", "run"])
        .inside("bash", "ulimit -v 32000; exec \"$@\"")
        .in_folder(scene.0.path())
        .output();
    assert_eq!(text(&output.stderr), "");
    let data = data(&text(&output.stdout));
    let tail = data["runs"][0]["tails"]["0"].as_str().unwrap();
    assert!((4000..=4096).contains(&tail.len()), "{}", tail.len());
    assert!(tail.starts_with("0123456789abcde\n") && tail.ends_with("\n0123456789abcde"));
}

/// What would end a script, begin another, or be a program in another place.
const EVIL: &str =
    "</script><img src=x onerror=alert(1)>\"'`&amp;<!--{{script}}\u{2028}\u{202e}gnp\u{0}";

fn evil_recording() -> String {
    let name = serde_json::to_string(EVIL).unwrap();
    let huge = "n".repeat(100_000);
    let mut text = format!(
        r#"{{"event":"run","task":0,"elapsed":0.001,"time":"2026-11-28T01:00:00.000Z","version":1,"name":{name},"jobs":1,"total":3,"total_final":true,"command":["a",{name}],"pid":7}}
{{"event":"warning","task":0,"elapsed":0.002,"message":{name}}}
{{"event":"started","task":1,"elapsed":0.1,"slot":1,"attempt":1,"time":"2026-11-28T01:00:00.000Z","name":{name},"command":["sh",{name}],"pid":8}}
{{"event":"progress","task":1,"elapsed":0.2,"info":{{"id":{name},"title":{name},"progress":1}}}}
{{"event":"progress","task":1,"elapsed":0.2,"info":{{"message":{name},"unit":{name},"progress":1,"total":2}}}}
{{"event":"progress","task":1,"elapsed":0.3,"info":{{"message":{name},"unit":{name},"progress":2,"total":2}}}}
{{"event":"output","task":1,"elapsed":0.3,"stream":"stdout","text":{name}}}
{{"event":"output","task":1,"elapsed":0.3,"stream":"stdout","base64":"PGI+//4="}}
{{"event":"finished","task":1,"elapsed":0.5,"slot":1,"attempt":1,"attempts":1,"state":"failed","output_bytes":1,"exit_status":null,"signal":null,"error":{name},"reports":1,"malformed":0}}
"#
    );
    let _ = write!(
        text,
        r#"{{"event":"started","task":2,"elapsed":0.5,"slot":1,"attempt":1,"time":"2026-11-28T01:00:00.000Z","name":"{huge}","command":["YQ=="],"command_base64":["Yf8="],"pid":8}}
{{"event":"skipped","task":3,"elapsed":0.6,"name":{name},"reason":"dependency","cause":{name}}}
"#
    );
    text
}

#[test]
fn nothing_in_a_recording_becomes_part_of_the_markup() {
    let scene = Scene::new();
    scene.write("run", evil_recording());
    let page = scene.page("run");
    // Its data and its script, and no other.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert_eq!(page.matches("<img").count(), 0);
    assert!(!page.contains(['\0', '\u{2028}', '\u{202e}']));
    assert!(page.len() < 100_000, "{}", page.len());
    let title = "<title>&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;\"'`&amp;amp;&lt;!--{{script}}<U+2028><U+202E>gnp^@ · timeline</title>";
    let title = title
        .replace("<U+", "&lt;U+")
        .replace("8>&", "8&gt;&")
        .replace("E>g", "E&gt;g");
    assert!(
        page.contains(&title),
        "{}",
        page.lines().nth(10).unwrap_or_default()
    );
    let data = data(&page);
    let run = &data["runs"][0];
    let shown = "</script><img src=x onerror=alert(1)>\"'`&amp;<!--{{script}}<U+2028><U+202E>gnp^@";
    assert_eq!(run["tasks"]["name"][0], shown);
    assert_eq!(run["tasks"]["command"][1], "$'a\\377'");
    assert_eq!(run["parts"]["title"][0], shown);
    assert_eq!(run["warnings"][0], shown);
    assert_eq!(
        run["tasks"]["name"][1].as_str().unwrap().chars().count(),
        401
    );
}

#[test]
fn the_policy_names_the_script_and_the_style_and_nothing_else() {
    let page = four_tasks().page("run");
    let hash = |begin: &str, end: &str| {
        let (_, rest) = page.split_once(begin).unwrap();
        let mut sum = Command::new("sha256sum")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let content = rest.split_once(end).unwrap().0;
        sum.stdin
            .take()
            .unwrap()
            .write_all(content.as_bytes())
            .unwrap();
        let hex = text(&sum.wait_with_output().unwrap().stdout);
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        base64(&(0..64).step_by(2).map(byte).collect::<Vec<_>>())
    };
    let expected = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'\n",
        hash("<script>", "</script>"),
        hash("<style>", "</style>")
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/timeline/page/policy");
    if std::env::var_os("PROGRUN_BLESS").is_some_and(|value| value == "1") {
        fs::write(&file, &expected).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        expected,
        "stale: PROGRUN_BLESS=1 cargo test --test suite policy"
    );
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap();
            text.push(if place <= group.len() {
                char::from(DIGITS[digit])
            } else {
                '='
            });
        }
    }
    text
}

/// A night of sixteen slots: every hundredth task fails once, and every thousandth twice.
fn ten_thousand_tasks() -> String {
    let mut lines = r#"{"event":"run","task":0,"elapsed":0.001,"time":"2026-11-27T22:00:00.000Z","version":1,"name":"flac","jobs":16,"total":10000,"total_final":true,"command":["flac","-s","{}"],"pid":7}"#.to_owned() + "\n";
    let mut free = [0.01_f64; 16];
    for task in 1..=10_000_u32 {
        let slot = (0..16)
            .min_by(|one, other| free[*one].total_cmp(&free[*other]))
            .unwrap();
        let name = format!("archive/2026/{:02}/session-{task:05}.wav", task % 37);
        let failures = if task % 1000 == 0 {
            2
        } else {
            u32::from(task % 100 == 0)
        };
        for attempt in 1..=2.min(failures + 1) {
            let (start, end) = (
                free[slot],
                free[slot] + f64::from(task * 7919 % 600) / 10.0 + 1.0,
            );
            let at = |time: f64| format!("\"task\":{task},\"elapsed\":{time:.6}");
            let place = format!("\"slot\":{},\"attempt\":{attempt}", slot + 1);
            let is_bad = attempt <= failures;
            let _ = writeln!(
                lines,
                r#"{{"event":"started",{},{place},"input":["{name}"],"time":"2026-11-27T22:00:00.000Z","name":"{name}","command":["flac","-s","{name}"],"pid":7}}"#,
                at(start)
            );
            if is_bad {
                let _ = writeln!(
                    lines,
                    r#"{{"event":"output",{},"stream":"stderr","text":"{name}: ERROR while decoding metadata\n"}}"#,
                    at(end)
                );
            }
            let retry = if is_bad && attempt == 1 {
                "\"retry_in\":0.5,"
            } else {
                ""
            };
            let (state, status) = if is_bad {
                ("failed", 1)
            } else {
                ("completed", 0)
            };
            let _ = writeln!(
                lines,
                r#"{{"event":"finished",{},{place},"state":"{state}",{retry}"output_bytes":0,"exit_status":{status},"signal":null,"user_time":{:.3},"system_time":0.02,"max_rss":{},"reports":0,"malformed":0}}"#,
                at(end),
                end - start,
                (task % 90 + 1) << 20
            );
            free[slot] = end + 0.001;
        }
    }
    lines
}

/// One browser for all that only a browser can show: its start takes longer than all steps together.
#[test]
fn in_chromium_a_page_shows_every_task_works_by_keyboard_and_prints() {
    needs(&["chromium"]);
    let scene = four_tasks();
    scene.write("many", ten_thousand_tasks());
    scene.write("evil", evil_recording());
    let mut browser = Browser::start();
    a_page_of_ten_thousand_tasks_is_small_and_there_at_once(&mut browser, &scene);
    search_sort_and_moving_work_by_keyboard(&mut browser);
    a_pointer_shows_what_ran_at_a_time(&mut browser);
    foreign_text_is_text(&mut browser, &scene);
    a_run_without_tasks_and_one_without_an_end_are_pages_too(&mut browser, &scene);
    tasks_that_were_not_started_are_called_so(&mut browser, &scene);
    it_is_light_or_dark_fits_small_screens_and_prints(&mut browser, &scene);
}

fn a_page_of_ten_thousand_tasks_is_small_and_there_at_once(browser: &mut Browser, scene: &Scene) {
    let page = scene.file("many");
    let size = fs::metadata(&page).unwrap().len();
    assert!(size < 5_000_000, "{size}");
    // The fastest of some: the machine may be busy.
    let mut paints = (0..5).map(|_| {
        browser.open(&page, 1400, 900);
        let paint = "new Promise(done => new PerformanceObserver(list => list.getEntries()
            .forEach(paint => paint.name === 'first-contentful-paint' && done(paint.startTime)))
            .observe({ type: 'paint', buffered: true }))";
        browser.run(paint).as_f64().unwrap()
    });
    assert!(paints.any(|millis| millis < 1000.0));
    // Each attempt has a bar: 10,000, and 100 second ones.
    assert_eq!(
        browser.run("document.getElementById('chart').dataset.bars"),
        "10100"
    );
    // Not so many rows: only those in sight.
    let rows = browser.run("document.querySelectorAll('#rows tr').length");
    assert!(rows.as_u64().unwrap() < 100, "{rows}");
    assert_eq!(
        browser.run("document.getElementById('table').ariaRowCount"),
        "10001"
    );
    let states = browser.run("document.getElementById('states').textContent");
    assert_eq!(states, "✓9,990 completed✕10 failed↻100 retried");
}

/// The first two rows of the table, without their marks.
const FIRST: &str = "[...document.querySelectorAll('#rows tr:not([aria-hidden])')].slice(0, 2)
    .map(row => row.children[0].textContent + ' ' + row.children[1].textContent).join(', ')";
const SELECTED: &str = "document.querySelector('#details h2')?.textContent ?? ''";

fn search_sort_and_moving_work_by_keyboard(browser: &mut Browser) {
    browser.press(&["/", "0", "4", "2", "0"]);
    assert_eq!(
        browser.run("document.getElementById('search').value"),
        "0420"
    );
    assert_eq!(
        browser.run("document.getElementById('found').textContent"),
        "11 of 10,000"
    );
    assert_eq!(
        browser.run(FIRST),
        "420 archive/2026/13/session-00420.wav, 4200 archive/2026/19/session-04200.wav"
    );
    // From the search to the table, and there from row to row.
    browser.press(&["Enter", "ArrowDown"]);
    assert_eq!(browser.run(SELECTED), "✓ archive/2026/19/session-04200.wav");
    assert_eq!(
        browser.run("document.activeElement.getAttribute('aria-activedescendant')"),
        "task-4199"
    );
    browser.press(&["Escape"]);
    assert_eq!(
        browser.run("document.getElementById('found').textContent"),
        ""
    );
    // The head of a column is a button.
    browser.run("document.getElementById('sort-memory').focus()");
    browser.press(&["Enter"]);
    assert_eq!(
        browser
            .run("document.activeElement.id + ' ' + document.activeElement.parentElement.ariaSort"),
        "sort-memory descending"
    );
    assert_eq!(
        browser.run(FIRST),
        "89 archive/2026/15/session-00089.wav, 179 archive/2026/31/session-00179.wav"
    );
    browser.press(&["Enter"]);
    assert_eq!(
        browser.run(FIRST),
        "90 archive/2026/16/session-00090.wav, 180 archive/2026/32/session-00180.wav"
    );
    browser.run("document.getElementById('sort-number').focus()");
    browser.press(&["Enter"]);
    // The next failure, with its last lines; then from task to task of its slot.
    browser.press(&["f"]);
    assert_eq!(browser.run(SELECTED), "✕ archive/2026/01/session-01000.wav");
    assert_eq!(
        browser.run("document.querySelector('#details pre').textContent"),
        "archive/2026/01/session-01000.wav: ERROR while decoding metadata"
    );
    browser.run("document.getElementById('chart').focus()");
    browser.press(&["ArrowRight"]);
    let next = browser.run(SELECTED);
    assert_ne!(next, "✕ archive/2026/01/session-01000.wav");
    browser.press(&["ArrowLeft"]);
    assert_eq!(browser.run(SELECTED), "✕ archive/2026/01/session-01000.wav");
    // Closer, and back.
    browser.press(&["+", "+", "+"]);
    let bars = browser.run("Number(document.getElementById('chart').dataset.bars)");
    assert!((1..5000).contains(&bars.as_u64().unwrap()), "{bars}");
    browser.press(&["0"]);
    assert_eq!(
        browser.run("document.getElementById('chart').dataset.bars"),
        "10100"
    );
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

fn a_pointer_shows_what_ran_at_a_time(browser: &mut Browser) {
    browser.run("scrollTo(0, 0)");
    let place =
        browser.run("JSON.stringify(document.getElementById('chart').getBoundingClientRect())");
    let place: Value = serde_json::from_str(place.as_str().unwrap()).unwrap();
    let number = |name: &str| place[name].as_f64().unwrap();
    browser.point(number("x") + number("width") / 2.0, number("y") + 60.0);
    let title = browser.run("document.getElementById('now-title').textContent");
    assert!(
        title.as_str().unwrap().contains(" · 16 running, "),
        "{title}"
    );
    assert_eq!(
        browser.run("document.querySelectorAll('#running li').length"),
        16
    );
}

fn foreign_text_is_text(browser: &mut Browser, scene: &Scene) {
    browser.open(&scene.file("evil"), 1400, 900);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
    let shown = "</script><img src=x onerror=alert(1)>\"'`&amp;<!--{{script}}<U+2028><U+202E>gnp^@";
    assert_eq!(
        browser.run("document.getElementById('name').textContent"),
        shown
    );
    assert_eq!(
        browser.run("document.querySelector('#cards .foreign').textContent"),
        shown
    );
    assert_eq!(browser.run("document.images.length"), 0);
    let title = browser.run("document.title");
    assert_eq!(title, format!("{shown} · timeline"));
    let lines = browser.run("document.querySelector('#cards pre').textContent");
    assert!(
        lines
            .as_str()
            .unwrap()
            .ends_with("gnp\u{2400}<b>\u{fffd}\u{fffd}"),
        "{lines}"
    );
    // The policy lets no other script work, even if one got in.
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title = 1\">')");
    browser.run("new Promise(done => setTimeout(done, 1))");
    assert_eq!(browser.run("document.title"), title);
    assert!(!browser.complaints().is_empty(), "the policy says nothing");
}

fn a_run_without_tasks_and_one_without_an_end_are_pages_too(browser: &mut Browser, scene: &Scene) {
    let time = r#""time":"2026-11-28T01:00:00.000Z""#;
    let head = format!(
        r#"{{"event":"run","task":0,"elapsed":0,{time},"version":1,"name":"x","jobs":0,"total":0,"total_final":true,"pid":7}}"#
    );
    let skipped = r#"{"event":"skipped","task":1,"elapsed":0,"name":"s","reason":"dependency"}"#;
    let started = format!(
        r#"{{"event":"started","task":1,"elapsed":1e15,{time},"name":"","command":["x"],"pid":7}}"#
    );
    for lines in [head.clone(), format!("{head}\n{skipped}"), started] {
        scene.write("odd", lines);
        browser.open(&scene.file("odd"), 800, 600);
        browser.run("document.getElementById('chart').focus()");
        browser.press(&[
            "f",
            "l",
            "+",
            "-",
            "ArrowRight",
            "ArrowDown",
            "End",
            "Enter",
            "Escape",
        ]);
        assert_eq!(browser.complaints(), Vec::<Value>::new());
    }
}

fn tasks_that_were_not_started_are_called_so(browser: &mut Browser, scene: &Scene) {
    scene.record("halted", &HALTED);
    browser.open(&scene.file("halted"), 800, 600);
    let summary = browser.run("document.getElementById('summary').textContent");
    let summary = summary.as_str().unwrap();
    assert!(
        summary.contains(" · 3 tasks · 2 not started · "),
        "{summary}"
    );
}

fn it_is_light_or_dark_fits_small_screens_and_prints(browser: &mut Browser, scene: &Scene) {
    let page = scene.file("run");
    // The sum of the background's red, green and blue.
    let light = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + +part, 0)";
    let picture = "document.getElementById('bars').toDataURL()";
    let mut peaks = Vec::new();
    for (width, height) in [(1400, 900), (800, 600), (390, 844)] {
        browser.open(&page, width, height);
        peaks.push(browser.run("throughput()[0]"));
        assert_eq!(
            browser.run("document.getElementById('chart').dataset.bars"),
            "6"
        );
        // Nothing is wider than the screen.
        let wide = browser.run("document.documentElement.scrollWidth");
        assert!(
            wide.as_u64().unwrap() <= u64::from(width),
            "{width}: {wide}"
        );
        browser.prefer("dark");
        assert!(browser.run(light).as_u64().unwrap() < 150);
        let dark = browser.run(picture);
        browser.prefer("light");
        assert!(browser.run(light).as_u64().unwrap() > 600);
        assert_ne!(browser.run(picture), dark);
    }
    assert!(peaks.iter().all(|peak| *peak == peaks[0]), "{peaks:?}");
    // In the dark, too, the paper stays white, and has all rows.
    browser.prefer("dark");
    browser.run(
        "printed = []; addEventListener('beforeprint', () => printed.push(
            document.documentElement.className, document.querySelectorAll('#rows tr').length))",
    );
    let pdf = browser.print();
    assert!(pdf.starts_with("JVBERi0"), "no PDF");
    assert_eq!(browser.run("printed"), serde_json::json!(["print", 4]));
    assert_eq!(browser.run("document.documentElement.className"), "");
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}
