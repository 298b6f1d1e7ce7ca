//! Has the unwinder linked in instead of loaded: to find, map and relocate a library costs each start 0.1 ms.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |what: &str, value: &str| env::var(what).as_deref() == Ok(value);
    let loads = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if loads && has("libgcc_eh.a") {
        let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        // std asks for `-lgcc_s`, which gcc's `-static-libgcc` leaves alone. gcc's own file of that name is such a script, too.
        fs::write(folder.join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc -lc )\n")?;
        println!("cargo::rustc-link-search=native={}", folder.display());
    }
    Ok(())
}

/// Whether the linker has this file of the compiler's: it gives the name back as it is if not.
fn has(file: &str) -> bool {
    let linker = env::var_os("RUSTC_LINKER").unwrap_or("cc".into());
    let asked = Command::new(linker)
        .arg(format!("-print-file-name={file}"))
        .output();
    asked.is_ok_and(|answer| {
        let path = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        Path::new(&path).is_absolute()
    })
}
