//! `perennial`: the command line of operators.

fn main() -> std::process::ExitCode {
    perennial_cli::main()
}
