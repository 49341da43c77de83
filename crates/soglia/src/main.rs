//! `soglia`: records every call between managed and native code in a .NET program.

mod cli;

fn main() {
    std::process::exit(cli::main());
}
