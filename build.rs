//! Links the unwinder into the program. As a shared library (`libgcc_s.so`), it would cost each start 0.1 ms to find,
//! map and relocate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |what: &str, value: &str| env::var(what).as_deref() == Ok(value);
    let loads = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if loads && has("libgcc_eh.a") {
        let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        // std asks for `-lgcc_s`, which gcc's `-static-libgcc` does not change. So the linker finds this script under
        // that name; gcc's own file of that name is a script as well.
        fs::write(folder.join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc -lc )\n")?;
        println!("cargo::rustc-link-search=native={}", folder.display());
    }
    Ok(())
}

/// Whether the compiler that links has this file. It prints the path of a file that it has, and the bare name of any
/// other.
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
