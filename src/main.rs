//! The binary: everything is in [`archonctl::cli`].

fn main() -> std::process::ExitCode {
    archonctl::cli::main()
}
