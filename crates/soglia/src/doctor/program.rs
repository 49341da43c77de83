//! Whether a program can be recorded.

use super::finding::Finding;
use crate::dotnet::{Lookup, Search};
use crate::launch::{self, Switch};
use crate::program::{Kind, Program};

/// Whether this program can be recorded.
pub(super) fn finding(program: &Program, search: &Search, env: Lookup<'_>) -> Finding {
    if let (true, Ok(root)) = (program.needs_root(), search.root())
        && let Err(error) = program.check_frameworks(root, env)
    {
        return Finding::error("program", &error);
    }
    let detail = format!("{} is {}", program.path.display(), program.kind.describe());
    if let Ok(root) = search.root()
        && let Err(error) = program.check_frameworks(root, env)
    {
        return Finding::warn(
            "program",
            format!("{detail}, but {error}"),
            "it looks for its .NET itself, and may find another than soglia does",
        );
    }
    let starts_itself = matches!(program.kind, Kind::Script | Kind::Native);
    if let (true, Some(Switch { variable, file })) =
        (starts_itself, launch::find_switch(&program.path, &[]))
    {
        let file = file.unwrap_or_else(|| program.path.clone());
        return Finding::warn(
            "program",
            format!("{detail}, and {} names {variable}", file.display()),
            "it can keep a runtime from loading any profiler: nothing is recorded if the program does so",
        );
    }
    match program.kind {
        Kind::Script | Kind::Native => Finding::warn(
            "program",
            detail,
            "there is something to record only if it starts a .NET program",
        ),
        _ => Finding::ok("program", detail),
    }
}
