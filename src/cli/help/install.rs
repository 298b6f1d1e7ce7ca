//! `progrun help --install` and `--uninstall`: the pages and the completions as files below a prefix, for an install
//! that brings none, such as `cargo install`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::reason::reason;

use super::topics::PAGES;

/// The completions of shells that look for them below a prefix.
const COMPLETIONS: [(&str, &str); 3] = [
    (BASH, include_str!("../../../completions/progrun.bash")),
    (ZSH, include_str!("../../../completions/_progrun")),
    (FISH, include_str!("../../../completions/progrun.fish")),
];
const BASH: &str = "bash-completion/completions/progrun";
const ZSH: &str = "zsh/site-functions/_progrun";
const FISH: &str = "fish/vendor_completions.d/progrun.fish";

/// Writes all files. Gives what the user should know.
///
/// # Errors
/// A sentence if one cannot be written.
pub(super) fn install(prefix: Option<PathBuf>) -> Result<String, String> {
    let prefix = whole(prefix, "--install")?;
    let share = prefix.join("share");
    let mut text = String::new();
    let all = || files().map(|(path, content)| (share.join(path), content));
    if let Some((path, _)) = all().find(|(path, _)| is_foreign(path)) {
        return Err(format!(
            "{} is there, and is not of progrun: move it away first",
            path.display()
        ));
    }
    for (path, content) in all() {
        write(&path, content).map_err(|error| {
            format!(
                "cannot write {}: {}; to install elsewhere, name a folder, as in progrun help --install ~/.local",
                path.display(),
                reason(&error)
            )
        })?;
        let _ = writeln!(text, "{}", path.display());
    }
    text.push_str(&advice(&prefix, &share));
    Ok(text)
}

/// Removes them. Gives what the user should know.
///
/// # Errors
/// A sentence if one cannot be removed.
pub(super) fn uninstall(prefix: Option<PathBuf>) -> Result<String, String> {
    let prefix = whole(prefix, "--uninstall")?;
    let share = prefix.join("share");
    let mut text = String::new();
    for (path, _) in files() {
        let path = share.join(path);
        if is_foreign(&path) {
            let _ = writeln!(text, "kept {}, which is not of progrun", path.display());
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => {
                let _ = writeln!(text, "removed {}", path.display());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(format!(
                    "cannot remove {}: {}",
                    path.display(),
                    reason(&error)
                ));
            }
        }
        // Removes those that are empty, and no others. The system has made its own, and links to them.
        let stays = |folder: &Path| SYSTEM.iter().any(|own| Path::new(own) == folder);
        let folders = path.ancestors().skip(1);
        for folder in folders.take_while(|folder| *folder != prefix && !stays(folder)) {
            let _ = fs::remove_dir(folder);
        }
    }
    if text.is_empty() {
        let _ = writeln!(text, "nothing of progrun is in {}", share.display());
    }
    Ok(text)
}

/// Whether there is a file, and it is not one that any version has written: all of those name the program near their
/// beginning.
fn is_foreign(path: &Path) -> bool {
    let content = fs::read(path).unwrap_or_else(|_| NAME.to_vec());
    let head = &content[..content.len().min(1024)];
    !head
        .windows(NAME.len())
        .any(|piece| piece.eq_ignore_ascii_case(NAME))
}

const NAME: &[u8] = b"progrun";

/// Folders that stay, even if they are empty.
const SYSTEM: [&str; 4] = [
    "/usr/share",
    "/usr/share/man",
    "/usr/local/share",
    "/usr/local/share/man",
];

/// Where each file is below PREFIX/share, and what is in it.
fn files() -> impl Iterator<Item = (String, &'static str)> {
    let pages = PAGES.iter().map(|page| {
        let section = page.file.rsplit('.').next().unwrap_or_default();
        (format!("man/man{section}/{}", page.file), page.source)
    });
    pages.chain(COMPLETIONS.map(|(path, content)| (path.to_owned(), content)))
}

/// The prefix that the user names, or else the own one, as a path that is right from everywhere.
fn whole(prefix: Option<PathBuf>, option: &str) -> Result<PathBuf, String> {
    let Some(prefix) = prefix else {
        return own(option);
    };
    std::path::absolute(&prefix)
        .map_err(|error| format!("{}: {}", prefix.display(), reason(&error)))
}

/// The prefix below which this program is.
fn own(option: &str) -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| {
        format!(
            "cannot tell where progrun is: {}; name the PREFIX",
            reason(&error)
        )
    })?;
    let folder = program.parent();
    let bin = folder.filter(|folder| folder.file_name() == Some(OsStr::new("bin")));
    bin.and_then(Path::parent).map(Path::to_owned).ok_or_else(|| {
        format!(
            "{} is in no folder called bin: name the PREFIX, as in progrun help {option} ~/.local",
            program.display()
        )
    })
}

/// Writes a file as a whole: a shell or man may read it meanwhile.
fn write(path: &Path, content: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder)?;
    let beside = folder.join(format!(".progrun-{}", std::process::id()));
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// What is left to do until man and the shells find the files.
fn advice(prefix: &Path, share: &Path) -> String {
    let mut text = format!(
        "\nman progrun works if {} is in PATH. Completions work in a new shell",
        prefix.join("bin").display()
    );
    let mut lines = Vec::new();
    if !is_searched(share) {
        let bash = share.join(BASH);
        let fish = share.join(FISH);
        let fish = fish.parent().unwrap_or(share);
        lines.push(format!(
            "bash, if its bash-completion is older than 2.12, in ~/.bashrc: . {}",
            bash.display()
        ));
        lines.push(format!(
            "fish, in ~/.config/fish/config.fish: set -p fish_complete_path {}",
            fish.display()
        ));
    }
    if prefix != Path::new("/usr/local") {
        let zsh = share.join(ZSH);
        let zsh = zsh.parent().unwrap_or(share);
        lines.push(format!(
            "zsh, in ~/.zshrc before compinit: fpath+=({})",
            zsh.display()
        ));
    }
    if lines.is_empty() {
        text.push_str(".\n");
        return text;
    }
    text.push_str(".\nThese shells need a line for that:\n");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Whether the shells look into this folder by themselves.
fn is_searched(share: &Path) -> bool {
    let variable = |name, default: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.unwrap_or_else(|| default.into())
    };
    let home = Path::new(&variable("HOME", "/")).join(".local/share");
    let user = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty());
    let user = user.map_or(home, PathBuf::from);
    let system = variable("XDG_DATA_DIRS", "/usr/local/share:/usr/share");
    std::env::split_paths(&system)
        .chain([user])
        .any(|folder| folder == share)
}
