//! The program `progrun`.
#![cfg_attr(all(target_os = "linux", target_env = "gnu"), no_main)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
progrun::entry!();

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {
    progrun::main()
}
