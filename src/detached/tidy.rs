//! Removes what is kept of runs that ended long ago: all but the last hundred, and what is older than thirty days. Never
//! of one that goes on, and of one that may go on elsewhere only if nothing was written of it for thirty days.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Record, record};

/// How many runs that have ended are kept.
const MOST: usize = 100;
/// For how long.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Removes them. What cannot be removed stays.
pub(super) fn tidy(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    // The files of each run, and when the youngest of them was written: the record, at its end.
    let mut runs: BTreeMap<String, (Vec<PathBuf>, SystemTime)> = BTreeMap::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(stem) = stem(&path) else { continue };
        let written = entry.metadata().and_then(|it| it.modified());
        let written = written.unwrap_or_else(|_| SystemTime::now());
        let (paths, youngest) = runs
            .entry(stem.to_owned())
            .or_insert((Vec::new(), SystemTime::UNIX_EPOCH));
        *youngest = written.max(*youngest);
        paths.push(path);
    }
    let mut kept = 0;
    // Those that began last first.
    for (stem, (paths, written)) in runs.into_iter().rev() {
        let record = record::read(&folder.join(format!("{stem}.json")));
        if record.as_ref().is_some_and(Record::is_running) {
            continue;
        }
        let is_elsewhere = record.is_some_and(|record| record.elsewhere().is_some());
        kept += usize::from(!is_elsewhere);
        let is_old = written.elapsed().is_ok_and(|age| age > LONGEST);
        if is_old || kept > MOST - 1 && !is_elsewhere {
            for path in paths {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Removes all that is kept of one run, whose files begin with this path.
pub(super) fn remove(base: &Path) {
    let Some(folder) = base.parent() else { return };
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if stem(&path).is_some_and(|stem| base.file_name() == Some(OsStr::new(stem))) {
            let _ = fs::remove_file(path);
        }
    }
}

/// What the names of all files of a run begin with.
fn stem(path: &Path) -> Option<&str> {
    Some(path.file_name()?.to_str()?.split_once('.')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn the_last_ones_stay_and_so_does_each_that_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("0000000000001-1");
        let _running = record::Writer::begin(&base, SystemTime::now(), "x", &[]).unwrap();
        let record = fs::read_to_string(base.with_extension("json")).unwrap();
        let host = format!("\"host\":{:?}", crate::system::machine::host());
        let elsewhere = record.replace(&host, "\"host\":\"other\"");
        let elsewhere = elsewhere.replace("\"boot_id\":\"", "\"boot_id\":\"other");
        for name in ["0000000000002-1.json", "0000000000003-1.json"] {
            fs::write(folder.path().join(name), &elsewhere).unwrap();
        }
        for number in 1000..1120 {
            let base = folder.path().join(format!("000000{number}000-5"));
            fs::write(base.with_extension("json"), "{}").unwrap();
            fs::write(base.with_extension("out.3"), "text").unwrap();
        }
        let old = folder.path().join("0000001119000-5.json");
        let old = File::options().append(true).open(old).unwrap();
        let output = folder.path().join("0000001119000-5.out.3");
        let output = File::options().append(true).open(output).unwrap();
        let old_elsewhere = folder.path().join("0000000000003-1.json");
        let old_elsewhere = File::options().append(true).open(old_elsewhere).unwrap();
        for file in [old, output, old_elsewhere] {
            file.set_modified(SystemTime::now() - LONGEST - Duration::from_mins(1))
                .unwrap();
        }
        tidy(folder.path());
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names[0], "0000000000001-1.json");
        assert_eq!(names.remove(1), "0000000000002-1.json");
        // One place is for the run that begins, and one was that of a run which ended long ago.
        assert_eq!(names.len(), 1 + 2 * 98);
        assert_eq!(names[1], "0000001021000-5.json");
        assert_eq!(names.last().unwrap(), "0000001118000-5.out.3");
    }
}
