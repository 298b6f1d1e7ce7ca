//! The program `progrun`.

fn main() {
    progrun::main()
}
