//! The table: which program writes what. A new program is a new entry here and a recorded stream in the tests.
//!
//! Does not know how the table is read.

use super::super::Format;
use super::When::{Begins, Has, Is};
use super::{Program, Row, When};
use super::{buildkit, cargo, docker, libtest, nix, pnpm, rclone, terraform};
use crate::protocol::Status::{Failed, Ok, Skipped};

/// What stands before nix's objects.
pub(super) const NIX: &str = "@nix ";

pub(super) const FORMATS: [Format; PROGRAMS.len()] = {
    let mut formats = [PROGRAMS[0].format; PROGRAMS.len()];
    let mut index = 0;
    while index < formats.len() {
        formats[index] = PROGRAMS[index].format;
        index += 1;
    }
    formats
};

pub(super) static PROGRAMS: [Program; 13] = [
    Program {
        format: Format {
            name: "restic",
            about: "bytes of a backup or a restore, on standard output",
            switch: "restic backup --json DIR",
        },
        prefix: "",
        keys: &["\"message_type\""],
        rows: RESTIC,
        machine: None,
    },
    Program {
        format: Format {
            name: "borg",
            about: "bytes, files and operations, on standard error",
            switch: "borg create --log-json --progress REPO::NAME DIR",
        },
        prefix: "",
        keys: &["\"msgid\"", "\"archive_progress\"", "\"file_status\""],
        rows: BORG,
        machine: None,
    },
    Program {
        format: Format {
            name: "rclone",
            about: "bytes of all transfers and of each, on standard error",
            switch: "rclone copy --use-json-log --stats 1s --stats-log-level NOTICE FROM TO",
        },
        prefix: "",
        keys: &["\"stats\"", "\"objectType\""],
        rows: RCLONE,
        machine: Some(rclone::new),
    },
    Program {
        format: Format {
            name: "yt-dlp",
            about: "bytes or fragments of a download, on standard output",
            switch: "yt-dlp -q --progress --newline --progress-template 'download:%(progress)j' URL",
        },
        prefix: "",
        keys: &["\"downloaded_bytes\""],
        rows: YT_DLP,
        machine: None,
    },
    Program {
        format: Format {
            name: "cargo",
            about: "build steps, counted, on standard output",
            switch: "cargo build --message-format=json",
        },
        prefix: "",
        keys: &["\"reason\""],
        rows: CARGO,
        machine: Some(cargo::new),
    },
    Program {
        format: Format {
            name: "libtest",
            about: "Rust's tests, on standard output",
            switch: "cargo test -- -Z unstable-options --format json",
        },
        prefix: "",
        keys: &["\"event\""],
        rows: LIBTEST,
        machine: Some(libtest::new),
    },
    Program {
        format: Format {
            name: "docker",
            about: "image layers in answers of the Docker engine, on standard output",
            switch: "POST /images/create?fromImage=IMAGE, for example with curl",
        },
        prefix: "",
        keys: &["\"progressDetail\""],
        rows: DOCKER,
        machine: Some(docker::new),
    },
    Program {
        format: Format {
            name: "buildkit",
            about: "build steps of an image, on standard error",
            switch: "docker buildx build --progress=rawjson DIR",
        },
        prefix: "",
        keys: &["\"vertex"],
        rows: BUILDKIT,
        machine: Some(buildkit::new),
    },
    Program {
        format: Format {
            name: "nix",
            about: "builds and downloads, on standard error",
            switch: "nix build --log-format internal-json",
        },
        prefix: NIX,
        keys: &["\"action\""],
        rows: NIX_ROWS,
        machine: Some(nix::new),
    },
    Program {
        format: Format {
            name: "terraform",
            about: "changed resources, with Terraform or OpenTofu, on standard output",
            switch: "terraform apply -json",
        },
        prefix: "",
        keys: &["\"@module\""],
        rows: TERRAFORM,
        machine: Some(terraform::new),
    },
    Program {
        format: Format {
            name: "pnpm",
            about: "installed packages, on standard output",
            switch: "pnpm install --reporter=ndjson",
        },
        prefix: "",
        keys: &["\"pnpm"],
        rows: PNPM,
        machine: Some(pnpm::new),
    },
    Program {
        format: Format {
            name: "lsp",
            about: "tasks of a language server, on standard output",
            switch: "",
        },
        prefix: "",
        keys: &["\"$/progress\""],
        rows: LSP,
        machine: None,
    },
    Program {
        format: Format {
            name: "mcp",
            about: "tasks of a server of the Model Context Protocol, on standard output",
            switch: "",
        },
        prefix: "",
        keys: &["\"notifications/progress\""],
        rows: MCP,
        machine: None,
    },
];

/// restic leaves out fields that are 0. Its first total is that of the first file.
const RESTIC: &[Row] = &[
    Row {
        when: &[Is("/message_type", &["status"]), Has("/bytes_restored")],
        passing: true,
        progress: "/bytes_restored",
        total: "/total_bytes",
        fraction: "/percent_done",
        unit: "bytes",
        message: &["{/files_restored} of {/total_files} files"],
        eta: "/seconds_remaining",
        ..Row::EMPTY
    },
    Row {
        // Without a total it is no status of restic's, or says nothing yet.
        when: &[Is("/message_type", &["status"]), Has("/total_bytes")],
        passing: true,
        progress: "/bytes_done",
        total: "/total_bytes",
        fraction: "/percent_done",
        unit: "bytes",
        message: &["{/current_files/0}"],
        eta: "/seconds_remaining",
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/message_type", &["summary"])],
        message: &[
            "snapshot {/snapshot_id}",
            "{/files_restored} of {/total_files} files",
        ],
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/message_type", &["exit_error"])],
        message: &["{/message}"],
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/message_type", &["error", "verbose_status"])],
        ..Row::EMPTY
    },
];

/// The end of an operation carries no numbers; a backup knows no total.
const BORG: &[Row] = &[
    Row {
        when: &[Is("/type", &["archive_progress"])],
        passing: true,
        progress: "/original_size",
        unit: "bytes",
        message: &["{/nfiles} files, {/path}", "{/path}"],
        ..Row::EMPTY
    },
    Row {
        when: &[
            Is("/type", &["progress_percent"]),
            Is("/msgid", &["extract"]),
        ],
        unit: "bytes",
        message: &["{/info/0}", "{/message}"],
        ..BORG_OPERATION
    },
    Row {
        when: &[Is("/type", &["progress_percent", "progress_message"])],
        ..BORG_OPERATION
    },
    Row {
        when: &[Is("/type", &["file_status", "log_message"])],
        ..Row::EMPTY
    },
];

const BORG_OPERATION: Row = Row {
    passing: true,
    id: "{/operation}",
    title: "{/msgid}",
    message: &["{/message}"],
    progress: "/current",
    total: "/total",
    status: &[(Is("/finished", &["true"]), Ok)],
    ..Row::EMPTY
};

/// The row in `rclone.rs` reads each item of `transferring`. Before there is anything to transfer, files are checked.
const RCLONE: &[Row] = &[
    Row {
        when: &[
            Is("/stats/totalBytes", &["0"]),
            Is("/stats/totalChecks", &["0"]),
        ],
        passing: true,
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/stats/totalBytes", &["0"]), Has("/stats/totalChecks")],
        passing: true,
        progress: "/stats/checks",
        total: "/stats/totalChecks",
        unit: "checks",
        ..Row::EMPTY
    },
    Row {
        when: &[Has("/stats/bytes"), Has("/stats/transfers")],
        passing: true,
        progress: "/stats/bytes",
        total: "/stats/totalBytes",
        unit: "bytes",
        message: &["{/stats/transfers} of {/stats/totalTransfers} files"],
        eta: "/stats/eta",
        ..Row::EMPTY
    },
    Row {
        when: &[Has("/objectType"), Has("/level")],
        ..Row::EMPTY
    },
];

/// A download in fragments knows its size only after the last, and may not even estimate it.
const YT_DLP: &[Row] = &[
    Row {
        when: &[
            Has("/downloaded_bytes"),
            Has("/status"),
            Has("/total_bytes"),
        ],
        total: "/total_bytes",
        ..YT_DLP_DOWNLOAD
    },
    Row {
        when: &[
            Has("/downloaded_bytes"),
            Has("/status"),
            Has("/total_bytes_estimate"),
        ],
        total: "/total_bytes_estimate",
        ..YT_DLP_DOWNLOAD
    },
    Row {
        when: &[
            Has("/downloaded_bytes"),
            Has("/status"),
            Has("/fragment_count"),
        ],
        progress: "/fragment_index",
        total: "/fragment_count",
        unit: "fragments",
        ..YT_DLP_DOWNLOAD
    },
    Row {
        when: &[Has("/downloaded_bytes"), Has("/status"), Has("/filename")],
        ..YT_DLP_DOWNLOAD
    },
];

const YT_DLP_DOWNLOAD: Row = Row {
    passing: true,
    progress: "/downloaded_bytes",
    unit: "bytes",
    message: &["{/filename}"],
    eta: "/eta",
    ..Row::EMPTY
};

/// Fresh artifacts count too: Cargo's own bar counts to the number of all together, which Cargo does not print in
/// advance.
const CARGO: &[Row] = &[
    // All build scripts have the same name.
    Row {
        when: &[
            Is("/reason", &["compiler-artifact"]),
            Is("/target/kind/0", &["custom-build"]),
        ],
        passing: true,
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/reason", &["compiler-artifact"]), Has("/target/name")],
        passing: true,
        message: &["{/target/name}"],
        ..Row::EMPTY
    },
    Row {
        when: &[
            Is("/reason", &["build-script-executed"]),
            Has("/package_id"),
        ],
        passing: true,
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/reason", &["build-finished"]), Has("/success")],
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/reason", &["compiler-message"]), Has("/package_id")],
        ..Row::EMPTY
    },
];

const LIBTEST: &[Row] = &[
    Row {
        when: &[
            Is("/type", &["suite"]),
            Is("/event", &["started"]),
            Has("/test_count"),
        ],
        passing: true,
        ..Row::EMPTY
    },
    Row {
        when: &[
            Is("/type", &["test"]),
            Is("/event", &["started", "ok", "ignored"]),
            Has("/name"),
        ],
        passing: true,
        message: &["{/name}"],
        ..Row::EMPTY
    },
    Row {
        when: &[
            Is("/type", &["test"]),
            Is("/event", &["failed", "timeout"]),
            Has("/name"),
        ],
        message: &["{/name}: {/event}"],
        ..Row::EMPTY
    },
    Row {
        when: &[
            Is("/type", &["suite"]),
            Is("/event", &["ok", "failed"]),
            Has("/passed"),
        ],
        ..Row::EMPTY
    },
];

/// A layer is downloaded and then extracted, which starts again at 0. An engine that cannot see how far the extraction
/// is counts seconds instead.
const DOCKER: &[Row] = &[
    Row {
        when: &[
            Has("/progressDetail"),
            Has("/id"),
            Has("/status"),
            Has("/progressDetail/units"),
        ],
        ..DOCKER_LAYER
    },
    Row {
        when: &[Has("/progressDetail"), Has("/id"), Has("/status")],
        progress: "/progressDetail/current",
        total: "/progressDetail/total",
        unit: "bytes",
        ..DOCKER_LAYER
    },
];

const DOCKER_LAYER: Row = Row {
    passing: true,
    id: "{/id}",
    title: "{/id}",
    message: &["{/status}"],
    status: &[
        (
            Is("/status", &["Already exists", "Layer already exists"]),
            Skipped,
        ),
        (Is("/status", &["Pull complete", "Pushed"]), Ok),
        (Begins("/status", "Mounted from "), Ok),
    ],
    ..Row::EMPTY
};

/// The rows in `buildkit.rs` read the items of the lists. Logs and warnings stay to be seen.
const BUILDKIT: &[Row] = &[
    Row {
        when: &[Has("/logs/0/vertex")],
        ..Row::EMPTY
    },
    Row {
        when: &[Has("/warnings/0/vertex")],
        ..Row::EMPTY
    },
    Row {
        when: &[Has("/vertexes/0/error")],
        ..Row::EMPTY
    },
    Row {
        when: &[Has("/vertexes/0/digest")],
        passing: true,
        ..Row::EMPTY
    },
    Row {
        when: &[Has("/statuses/0/vertex")],
        passing: true,
        ..Row::EMPTY
    },
];

/// The numbers are explained in `nix.rs`. Output of builders (101, 107) and messages stay to be seen.
const NIX_ROWS: &[Row] = &[
    Row {
        when: &[
            Is("/action", &["result"]),
            Is("/type", &["101", "107"]),
            Has("/id"),
        ],
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/action", &["start", "stop", "result"]), Has("/id")],
        passing: true,
        ..Row::EMPTY
    },
    Row {
        when: &[Is("/action", &["msg"]), Has("/level")],
        ..Row::EMPTY
    },
];

const TERRAFORM_UI: When = Is("/@module", &["terraform.ui", "tofu.ui"]);

const TERRAFORM: &[Row] = &[
    Row {
        when: &[
            TERRAFORM_UI,
            Is(
                "/type",
                &["apply_start", "apply_progress", "apply_complete"],
            ),
            Has("/hook/resource/addr"),
        ],
        passing: true,
        ..TERRAFORM_CHANGE
    },
    Row {
        when: &[
            TERRAFORM_UI,
            Is("/type", &["apply_errored"]),
            Has("/hook/resource/addr"),
        ],
        ..TERRAFORM_CHANGE
    },
    Row {
        when: &[
            TERRAFORM_UI,
            Is("/type", &["refresh_start", "refresh_complete"]),
        ],
        passing: true,
        message: &["{/@message}"],
        ..Row::EMPTY
    },
    Row {
        when: &[TERRAFORM_UI, Is("/type", &["change_summary"])],
        message: &["{/@message}"],
        ..Row::EMPTY
    },
    Row {
        when: &[TERRAFORM_UI, Has("/type")],
        ..Row::EMPTY
    },
];

const TERRAFORM_CHANGE: Row = Row {
    id: "{/hook/resource/addr}",
    title: "{/hook/resource/addr}",
    message: &["{/hook/action}"],
    status: &[
        (Is("/type", &["apply_complete"]), Ok),
        (Is("/type", &["apply_errored"]), Failed),
    ],
    ..Row::EMPTY
};

/// Every object has the level `debug`, even one with the output of a package's script. Such output, warnings and errors
/// stay to be seen.
const PNPM: &[Row] = &[
    Row {
        when: &[Is("/name", &["pnpm:lifecycle"])],
        ..Row::EMPTY
    },
    Row {
        when: &[Begins("/name", "pnpm:"), Is("/level", &["debug"])],
        passing: true,
        ..Row::EMPTY
    },
    Row {
        when: &[Begins("/name", "pnpm"), Has("/level")],
        ..Row::EMPTY
    },
];

const LSP: &[Row] = &[Row {
    when: &[
        Is("/method", &["$/progress"]),
        Has("/params/token"),
        Is("/params/value/kind", &["begin", "report", "end"]),
    ],
    passing: true,
    id: "{/params/token}",
    title: "{/params/value/title}",
    message: &["{/params/value/message}"],
    percentage: "/params/value/percentage",
    status: &[(Is("/params/value/kind", &["end"]), Ok)],
    ..Row::EMPTY
}];

/// The answer to the request ends it. It names no token.
const MCP: &[Row] = &[Row {
    when: &[
        Is("/method", &["notifications/progress"]),
        Has("/params/progressToken"),
    ],
    passing: true,
    id: "{/params/progressToken}",
    message: &["{/params/message}"],
    progress: "/params/progress",
    total: "/params/total",
    ..Row::EMPTY
}];
