//! The program `progrun`.

fn main() {}
