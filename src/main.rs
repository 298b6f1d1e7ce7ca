//! The program `progrun`. With the GNU C library it has a C `main`, which `system::start` explains.
#![cfg_attr(all(target_os = "linux", target_env = "gnu"), no_main)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
progrun::entry!();

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {
    progrun::main()
}
