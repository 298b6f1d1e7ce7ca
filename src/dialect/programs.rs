//! The programs after which no format is called, and the formats that read what they write. The one table of them: for
//! `--from`, its completions, `--list-formats` and progrun-formats(7).

/// The programs, and the names of their formats. A program that writes in several ways has several.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("7z", &["meter"]),
    ("apt-get", &["apt", "meter"]),
    ("aria2c", &["meter"]),
    ("axel", &["meter"]),
    ("cmake", &["meter"]),
    ("convert", &["meter"]),
    ("ddrescue", &["meter"]),
    // The format of this name is that of the engine; the program itself writes the others.
    ("docker", &["docker", "buildkit", "meter"]),
    ("fio", &["meter"]),
    ("git", &["meter"]),
    ("gzip", &["files"]),
    ("lftp", &["meter"]),
    ("make", &["meter"]),
    ("meson", &["meter"]),
    ("mksquashfs", &["meter"]),
    ("ninja", &["meter"]),
    ("nmap", &["meter"]),
    ("node", &["tap"]),
    ("partclone", &["meter"]),
    ("plzip", &["meter"]),
    ("prove", &["tap"]),
    ("pv", &["meter"]),
    ("pytest", &["teamcity", "osc", "meter"]),
    ("qemu-img", &["meter"]),
    ("rsync", &["meter"]),
    ("scp", &["meter"]),
    ("sftp", &["meter"]),
    ("sha256sum", &["files"]),
    ("shred", &["meter"]),
    ("snakemake", &["meter"]),
    ("tofu", &["terraform"]),
    ("tqdm", &["meter"]),
    ("unsquashfs", &["meter"]),
    ("wget", &["meter"]),
    ("wget2", &["meter"]),
    ("xz", &["meter"]),
    ("zstd", &["meter"]),
];

/// The programs, in the order of the alphabet.
pub fn programs() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(program, _)| *program)
}

/// The programs for whose name this format is read.
pub fn programs_of(format: &str) -> impl Iterator<Item = &'static str> {
    let rows = PROGRAMS
        .iter()
        .filter(move |(_, formats)| formats.contains(&format));
    rows.map(|(program, _)| *program)
}

/// Whether this format is read for a `name`, of a format or of a program.
pub(crate) fn stands_for(name: &str, format: &str) -> bool {
    name == format || programs_of(format).any(|program| program == name)
}

#[cfg(test)]
mod tests {
    use super::super::formats;
    use super::*;

    #[test]
    fn each_program_has_a_format_and_the_table_is_sorted() {
        assert!(programs().is_sorted());
        for (program, wanted) in PROGRAMS {
            let known = |name: &&str| formats().any(|format| format.name == *name);
            assert!(!wanted.is_empty() && wanted.iter().all(known), "{program}");
        }
    }

    #[test]
    fn the_name_of_a_format_stands_for_that_format() {
        for format in formats() {
            assert!(stands_for(format.name, format.name));
        }
        assert!(stands_for("git", "meter"));
        assert!(stands_for("docker", "buildkit"));
        assert!(!stands_for("cargo", "meter"));
        assert!(!stands_for("git", "curl"));
    }
}
