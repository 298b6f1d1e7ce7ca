//! The program `progrun`.

fn main() {
    progrun::cli::main()
}
