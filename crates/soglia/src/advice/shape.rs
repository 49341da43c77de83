//! What a function is for, to judge by its signature and its name.

use super::context::Context;
use crate::model::TargetRow;

/// What a function is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// It computes its result from numbers alone, or reads a clock: the call has to be made.
    Computes,
    /// It looks something up in native data.
    LooksUp,
}

/// Types that are numbers.
const NUMBERS: &[&str] = &[
    "bool", "byte", "sbyte", "char", "short", "ushort", "int", "uint", "long", "ulong", "float",
    "double",
];
/// Parts of the names of functions without parameters that give another result each time.
const CLOCKS: &[&str] = &[
    "tick", "time", "clock", "now", "rand", "counter", "cpu", "cycle", "tsc",
];

pub(super) fn shape(context: &Context, row: &TargetRow) -> Shape {
    let signature = context.signature(row).map(|signature| &*signature.text);
    of(
        signature.unwrap_or_default(),
        row.entry.as_deref().unwrap_or_default(),
    )
}

fn of(signature: &str, entry: &str) -> Shape {
    let inside = signature
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'));
    let Some((inside, _)) = inside else {
        return Shape::LooksUp;
    };
    let entry = entry.to_ascii_lowercase();
    let computes = match inside.trim() {
        "" => CLOCKS.iter().any(|part| entry.contains(part)),
        some => some.split(',').all(|of| NUMBERS.contains(&of.trim())) && !is_getter(&entry),
    };
    match computes {
        true => Shape::Computes,
        false => Shape::LooksUp,
    }
}

/// Whether a name is that of a function which looks something up, as in `get_width`.
fn is_getter(entry: &str) -> bool {
    let parts = [
        "get", "count", "size", "length", "width", "height", "value_at", "lookup", "item",
    ];
    parts.iter().any(|part| entry.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_computed_with_and_handles_looked_up() {
        for (signature, entry, expected) in [
            ("int (int, int)", "blend", Shape::Computes),
            ("double (double)", "fast_sin", Shape::Computes),
            ("long ()", "get_ticks", Shape::Computes),
            ("int ()", "item_count", Shape::LooksUp),
            ("int (int)", "get_pixel", Shape::LooksUp),
            ("int (IntPtr)", "list_count", Shape::LooksUp),
            ("int (IntPtr, int)", "list_at", Shape::LooksUp),
            ("", "blend", Shape::LooksUp),
        ] {
            assert_eq!(of(signature, entry), expected, "{signature} {entry}");
        }
    }
}
