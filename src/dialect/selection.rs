//! Which formats are read, as `--from` says it.

use super::{FILES, progrun, zig};

/// Which formats are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Every format that is recognised in what passes through us anyway, except our own lines: the child may print them
    /// because it shows a file.
    #[default]
    Auto,
    /// Nothing.
    None,
    /// These, wherever they are written.
    Only(Vec<&'static str>),
}

impl Selection {
    /// The words of `--from` for it.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Auto => vec!["auto".to_owned()],
            Self::None => vec!["none".to_owned()],
            Self::Only(names) => names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// Whether the format of this name is read.
    #[must_use]
    pub fn reads(&self, name: &str) -> bool {
        match self {
            Self::Auto => name != progrun::FORMAT.name,
            Self::None => false,
            Self::Only(names) => names.contains(&name),
        }
    }

    /// Whether the child's streams are to be read wherever they end.
    #[must_use]
    pub fn reads_streams(&self) -> bool {
        match self {
            Self::Auto | Self::None => false,
            Self::Only(names) => names
                .iter()
                .any(|name| ![zig::FORMAT.name, FILES].contains(name)),
        }
    }

    /// Whether `--from` names this format. Named formats are also looked for in places where auto-detection would be a
    /// guess.
    #[must_use]
    pub fn asks_for(&self, name: &str) -> bool {
        matches!(self, Self::Only(names) if names.contains(&name))
    }
}
