//! The pages of the manual, as part of the program, and the words under which they are found.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// A page of the manual.
#[derive(Debug)]
pub(super) struct Page {
    /// What `progrun help` calls it.
    pub(super) topic: &'static str,
    pub(super) file: &'static str,
    /// The source, with the macros of man(7).
    pub(super) source: &'static str,
    /// Other words for it, which neither completions nor lists have.
    words: &'static str,
}

macro_rules! page {
    ($topic:literal, $file:literal, $words:literal) => {
        Page {
            topic: $topic,
            file: $file,
            source: include_str!(concat!("../../../man/", $file)),
            words: $words,
        }
    };
}

/// All pages, in the order in which they are listed.
pub(super) static PAGES: [Page; 15] = [
    page!(
        "progrun",
        "progrun.1",
        "command ctrl-c detach environment options run signals status timeout"
    ),
    page!(
        "each",
        "progrun-each.1",
        "tasks progrun-tasks job-log list many parallel resume retries xargs"
    ),
    page!(
        "on",
        "progrun-on.7",
        "container docker host hosts remote slurm ssh"
    ),
    page!(
        "protocol",
        "progrun-protocol.5",
        "channel events json script scripts socket"
    ),
    page!("report", "progrun-report.1", "progress"),
    page!(
        "formats",
        "progrun-formats.7",
        "format from meter meters programs"
    ),
    page!("ps", "progrun-ps.1", "runs"),
    page!("attach", "progrun-attach.1", "watch"),
    page!("cancel", "progrun-cancel.1", "stop"),
    page!("wait", "progrun-wait.1", ""),
    page!("cleanup", "progrun-cleanup.1", ""),
    page!("history", "progrun-history.1", "estimate eta"),
    page!("timeline", "progrun-timeline.1", "html page recording"),
    page!("demo", "progrun-demo.1", ""),
    page!(
        "help",
        "progrun-help.1",
        "completions install man uninstall"
    ),
];

impl Page {
    /// What the page says in its first line that it is about.
    pub(super) fn about(&self) -> String {
        let mut name = self.source.lines().skip_while(|line| *line != ".SH NAME");
        let line = name.nth(1).unwrap_or("").replace("\\-", "-");
        let about = line.split_once(" - ").map_or("", |(_, about)| about);
        about.to_owned()
    }

    fn other_words(&self) -> impl Iterator<Item = &'static str> {
        let name = self.file.split('.').next();
        let name = name.filter(|name| *name != self.topic);
        self.words
            .split(' ')
            .filter(|word| !word.is_empty())
            .chain(name)
    }
}

/// Takes a topic, another word for it, or the name of the page.
pub(super) fn parser() -> impl TypedValueParser<Value = &'static Page> {
    let topics = PAGES
        .iter()
        .map(|page| PossibleValue::new(page.topic).aliases(page.other_words()));
    PossibleValuesParser::new(topics).map(|word| {
        let is_it = |known: &str| known.eq_ignore_ascii_case(&word);
        let page = PAGES
            .iter()
            .find(|page| is_it(page.topic) || page.other_words().any(is_it));
        page.expect("the parser takes no other word")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_word_stands_for_two_pages() {
        let mut known = BTreeSet::new();
        for page in &PAGES {
            for word in page.other_words().chain([page.topic]) {
                assert!(known.insert(word), "{word}");
            }
        }
    }

    #[test]
    fn every_page_says_what_it_is_about() {
        for page in &PAGES {
            assert!(page.about().len() > 20, "{}: {:?}", page.file, page.about());
        }
    }

    #[test]
    fn every_page_there_is_can_be_asked_for() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
        let files = std::fs::read_dir(folder).unwrap();
        let files: BTreeSet<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let known = PAGES.iter().map(|page| page.file.to_owned()).collect();
        assert_eq!(files, known);
    }
}
