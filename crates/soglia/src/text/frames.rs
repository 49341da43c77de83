//! Managed methods as people write them, and stacks without what only the compiler and the runtime
//! need.
//!
//! Recordings and JSON have the names that the metadata have: the method of an `async` method is
//! `MoveNext` of a hidden class, a lambda is a method of another one. Text, pages and pictures show
//! what [`method`], [`short_method`] and [`frames`] make of them.

use soglia_core::trace::names::UNMANAGED;

/// What stands for native frames between managed ones.
pub const NATIVE: &str = "[native code]";

/// Names in names, as in a local function of a lambda. The compiler nests them a few times.
const MOST_NESTED: usize = 6;

/// A method as people write it, with its namespace.
///
/// | in the metadata | here |
/// | --- | --- |
/// | `Shop.Orders+<Place>d__3.MoveNext` | `Shop.Orders.Place` |
/// | `Shop.Orders+<>c.<Place>b__3_0` | `Shop.Orders.Place (lambda)` |
/// | `Shop.Orders.<Place>g__Check\|3_0` | `Shop.Orders.Place.Check` |
/// | `` Shop.List`1+Item.Add `` | `Shop.List<>.Item.Add` |
///
/// Other names stay as they are: those of native functions, and of methods that no compiler made.
pub fn method(name: &str) -> String {
    parts(name).map_or_else(|| name.to_owned(), |(types, method)| joined(&types, method))
}

/// The same without the namespace: `Orders.Place`.
pub fn short_method(name: &str) -> String {
    let Some((mut types, method)) = parts(name) else {
        return name.to_owned();
    };
    if let Some(first) = types.first_mut() {
        let start = dots(first).last().map_or(0, |dot| dot + 1);
        first.drain(..start);
    }
    joined(&types, method)
}

fn joined(types: &[String], method: String) -> String {
    let mut all = types.join(".");
    if !all.is_empty() {
        all.push('.');
    }
    all + &method
}

/// A stack as people read it, innermost frame first.
///
/// Several frames of .NET in a row become one line, except the innermost frame, which made the
/// call. Native frames at the outer end are left out: every thread begins in native code.
pub fn frames(stack: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut own: Vec<&String> = Vec::new();
    let end = stack.iter().rposition(|frame| frame != UNMANAGED);
    for (n, frame) in stack.iter().take(end.map_or(0, |end| end + 1)).enumerate() {
        if is_stub(frame) {
            continue;
        }
        if n > 0 && is_of_dotnet(frame) {
            own.push(frame);
            continue;
        }
        let line = match frame == UNMANAGED {
            true => NATIVE.to_owned(),
            false => method(frame),
        };
        // What starts an async method lies between its two frames.
        let starts = own.iter().all(|frame| frame.contains("MethodBuilder"));
        if !own.is_empty() && starts && lines.last() == Some(&line) {
            own.clear();
            continue;
        }
        fold(&mut own, &mut lines);
        lines.push(line);
    }
    fold(&mut own, &mut lines);
    lines
}

fn fold(own: &mut Vec<&String>, lines: &mut Vec<String>) {
    match own[..] {
        [] => {}
        [one] => lines.push(method(one)),
        _ => lines.push(format!("[{} frames of .NET]", own.len())),
    }
    own.clear();
}

/// Whether a method is one of the runtime, its libraries or its frameworks, by its namespace.
pub fn is_of_dotnet(frame: &str) -> bool {
    const OURS: [&str; 5] = [
        "System.",
        "Internal.",
        "Microsoft.Win32.",
        "Microsoft.AspNetCore.",
        "Microsoft.Extensions.",
    ];
    let starts = |with: &&str| frame.starts_with(*with);
    OURS.iter().any(starts) && !starts(&"System.Data.SQLite.")
}

/// Code that the runtime makes to convert arguments.
fn is_stub(frame: &str) -> bool {
    frame.contains("IL_STUB")
}

/// The types, outermost first, and the method of a name. `None` if the name is to stay as it is.
fn parts(name: &str) -> Option<(Vec<String>, String)> {
    let is_offset = name
        .rsplit_once('+')
        .is_some_and(|(_, to)| to.starts_with("0x"));
    if name.contains(['!', '/', '[', ' ']) || is_offset {
        return None;
    }
    let dot = dots(name).last()?;
    // `.ctor` and `.cctor` have a dot of their own.
    let (types, method) = match name[..dot].strip_suffix('.') {
        Some(types) => (types, &name[dot..]),
        None => (&name[..dot], &name[dot + 1..]),
    };
    if types.is_empty() || method.is_empty() {
        return None;
    }
    let mut written = Vec::new();
    let mut machine = None;
    for part in outside(types, '+') {
        if part.starts_with("<>") {
            // A class for what lambdas share.
            continue;
        }
        match generated(part) {
            Some((of, rest)) if rest.starts_with('d') => machine = Some(member(of, MOST_NESTED)),
            _ => written.push(without_arity(part)),
        }
    }
    Some(match (machine, method) {
        (Some(of), "MoveNext") => (written, of),
        (Some(of), other) => {
            written.push(of);
            (written, other.to_owned())
        }
        (None, method) => (written, member(method, MOST_NESTED)),
    })
}

/// A method's own name: `<Place>b__3_0` is `Place (lambda)`.
fn member(name: &str, nested: usize) -> String {
    let Some((of, rest)) = generated(name).filter(|_| nested > 0) else {
        return name.to_owned();
    };
    let of = member(of, nested - 1);
    if rest == "$" {
        return of;
    }
    if rest.starts_with("b__") {
        return match of.ends_with(LAMBDA) {
            true => of,
            false => of + LAMBDA,
        };
    }
    match rest
        .strip_prefix("g__")
        .map(|local| local.split('|').next().unwrap_or(local))
    {
        // The P/Invoke that `LibraryImport` makes inside the method that it fills in.
        Some("__PInvoke") => of,
        Some(local) => format!("{of}.{local}"),
        None => name.to_owned(),
    }
}

const LAMBDA: &str = " (lambda)";

/// The parts of a name that a compiler made: `<Place>b__3_0` is `Place` and `b__3_0`.
fn generated(name: &str) -> Option<(&str, &str)> {
    if !name.starts_with('<') {
        return None;
    }
    let mut depth = 0_usize;
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let of = &name[1..at];
            return (!of.is_empty()).then_some((of, &name[at + 1..]));
        }
    }
    None
}

/// `` List`1 `` is `List<>`, `` Map`2 `` is `Map<,>`.
fn without_arity(name: &str) -> String {
    let split = name.rsplit_once('`');
    let arity = split.and_then(|(name, arity)| Some((name, arity.parse::<usize>().ok()?)));
    match arity {
        Some((name, arity @ 1..=16)) => format!("{name}<{}>", ",".repeat(arity - 1)),
        _ => name.to_owned(),
    }
}

/// The places of dots outside of angle brackets.
fn dots(name: &str) -> impl Iterator<Item = usize> {
    places(name, '.')
}

fn places(name: &str, wanted: char) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    name.char_indices().filter_map(move |(at, character)| {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0 && character == wanted).then_some(at)
    })
}

/// The parts of a name between separators outside of angle brackets.
fn outside(name: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = places(name, separator).chain([name.len()]);
    ends.map(move |end| {
        let part = &name[from..end];
        from = end + separator.len_utf8();
        part
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_read_as_people_write_them() {
        for (name, long, short) in [
            (
                "Shop.Payments.Charge",
                "Shop.Payments.Charge",
                "Payments.Charge",
            ),
            (
                "Shop.OrderService+<PlaceOrder>d__3.MoveNext",
                "Shop.OrderService.PlaceOrder",
                "OrderService.PlaceOrder",
            ),
            (
                "Shop.Orders+<>c.<Settle>b__3_0",
                "Shop.Orders.Settle (lambda)",
                "Orders.Settle (lambda)",
            ),
            (
                "Shop.Thumbnails+<>c__DisplayClass3_0.<Sharpen>b__0",
                "Shop.Thumbnails.Sharpen (lambda)",
                "Thumbnails.Sharpen (lambda)",
            ),
            (
                "Shop.Thumbnails+<>c__DisplayClass3_0+<<Sharpen>b__0>d.MoveNext",
                "Shop.Thumbnails.Sharpen (lambda)",
                "Thumbnails.Sharpen (lambda)",
            ),
            ("Program.<Main>$", "Program.Main", "Program.Main"),
            (
                "Program+<<Main>$>d__0.MoveNext",
                "Program.Main",
                "Program.Main",
            ),
            (
                "Program.<<Main>$>g__Load|0_1",
                "Program.Main.Load",
                "Program.Main.Load",
            ),
            (
                "Program+<<<Main>$>g__Load|0_1>d.MoveNext",
                "Program.Main.Load",
                "Program.Main.Load",
            ),
            (
                "Shop.Native.<Open>g____PInvoke|0_0",
                "Shop.Native.Open",
                "Native.Open",
            ),
            (
                "System.Collections.Generic.Dictionary`2+Enumerator.MoveNext",
                "System.Collections.Generic.Dictionary<,>.Enumerator.MoveNext",
                "Dictionary<,>.Enumerator.MoveNext",
            ),
            ("Shop.List`1.Add", "Shop.List<>.Add", "List<>.Add"),
            ("Shop.List`1..ctor", "Shop.List<>..ctor", "List<>..ctor"),
            (
                "Shop.Items+<Each>d__2.Dispose",
                "Shop.Items.Each.Dispose",
                "Items.Each.Dispose",
            ),
            // These stay.
            ("Main", "Main", "Main"),
            (
                "libc.so.6!pause+0x32",
                "libc.so.6!pause+0x32",
                "libc.so.6!pause+0x32",
            ),
            ("libx.so+0x1200", "libx.so+0x1200", "libx.so+0x1200"),
            (
                "[function pointer]",
                "[function pointer]",
                "[function pointer]",
            ),
            ("", "", ""),
            (".", ".", "."),
            ("a.<", "a.<", "a.<"),
            ("<Main", "<Main", "<Main"),
            ("A.<>", "A.<>", "A.<>"),
            ("Ünï.Cödé.Färbe", "Ünï.Cödé.Färbe", "Cödé.Färbe"),
        ] {
            assert_eq!(
                (&*method(name), &*short_method(name)),
                (long, short),
                "{name}"
            );
        }
    }

    #[test]
    fn names_of_any_depth_are_read() {
        let deep = format!("A.{}x{}b__0", "<".repeat(100_000), ">".repeat(100_000));
        assert!(method(&deep).ends_with(">> (lambda)"));
        let open = format!("A.{}", "<".repeat(100_000));
        assert_eq!(method(&open), open);
    }

    fn shown(stack: &[&str]) -> Vec<String> {
        frames(
            &stack
                .iter()
                .map(|frame| (*frame).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn stacks_have_what_the_program_wrote() {
        let stack = shown(&[
            "Shop.Native.Charge",
            "Shop.OrderService+<PlaceOrder>d__3.MoveNext",
            "System.Runtime.CompilerServices.AsyncMethodBuilderCore.Start",
            "Shop.OrderService.PlaceOrder",
            "Shop.Web+<>c.<Main>b__0_0",
            "System.Threading.ExecutionContext.RunInternal",
            "System.Threading.ThreadPoolWorkQueue.Dispatch",
            "System.Threading.PortableThreadPool+WorkerThread.WorkerThreadStart",
            UNMANAGED,
        ]);
        assert_eq!(
            stack,
            [
                "Shop.Native.Charge",
                "Shop.OrderService.PlaceOrder",
                "Shop.Web.Main (lambda)",
                "[3 frames of .NET]",
            ]
        );
        // The innermost frame made the call, whosever it is. Native frames inside stay.
        let stack = shown(&[
            "System.IO.File.Open",
            "System.Linq.Enumerable.Sum",
            UNMANAGED,
            "dynamicClass.IL_STUB_PInvoke",
            "Shop.Sort.By",
            UNMANAGED,
        ]);
        assert_eq!(
            stack,
            [
                "System.IO.File.Open",
                "System.Linq.Enumerable.Sum",
                NATIVE,
                "Shop.Sort.By",
            ]
        );
        assert!(shown(&[]).is_empty() && shown(&[UNMANAGED]).is_empty());
    }

    /// A method that calls itself by way of the framework has two frames.
    #[test]
    fn only_what_starts_an_async_method_is_dropped() {
        let stack = shown(&["A.B", "System.Linq.Enumerable.Sum", "A.B"]);
        assert_eq!(stack, ["A.B", "System.Linq.Enumerable.Sum", "A.B"]);
    }
}
