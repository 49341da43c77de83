//! What is wrong with a command line.

use super::complain::{CANNOT, complain};

/// Says in one line what is wrong with the command line; help and version that were asked for are printed as they are.
pub fn explain(error: &clap::Error) -> i32 {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    let asked_for = [
        DisplayHelp,
        DisplayVersion,
        DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    if asked_for.contains(&error.kind()) {
        // If nobody reads it, nobody asked.
        let _ = error.print();
        return error.exit_code();
    }
    let text = error.to_string();
    let said: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let said = said.join(" ");
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    complain(&format!("{said} (--help tells more)"));
    CANNOT
}
