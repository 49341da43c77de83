use super::*;

/// All that a file can say.
const WHOLE: &str = r#"
allow-only = ["libc!*", "e_sqlite3!sqlite3_*"]
only = ["e_sqlite3!*"]
skip = ["libm!*"]
audit = true
deny-fatal = false

[[deny]]
target = "libc!system"
message = "no shells"
exception = "DllNotFoundException"

[[deny]]
target = "libc!exec*"

[[redirect]]
target = "libc!rand"
to = "libmine!my_rand"

[[redirect]]
target = "libz!*"
to = "libz-ng.so.2"

[[max-calls]]
target = "sqlite3_step"
calls = 1_000
message = """enough
of it"""
"#;

#[test]
fn a_whole_file() {
    let policy = parse(WHOLE).unwrap().policy;
    let rules: Vec<String> = policy.rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "allow-only 'libc!*'",
            "allow-only 'e_sqlite3!sqlite3_*'",
            "only 'e_sqlite3!*'",
            "skip 'libm!*'",
            "deny 'libc!system'",
            "deny 'libc!exec*'",
            "redirect 'libc!rand=libmine!my_rand'",
            "redirect 'libz!*=libz-ng.so.2'",
            "max-calls 'sqlite3_step=1000'",
        ]
    );
    assert_eq!((policy.audit, policy.fatal), (true, false));
    let Rule::Deny { thrown, .. } = &policy.rules[4] else {
        panic!("deny")
    };
    assert_eq!(thrown.exception, Some(Exception::DllNotFound));
    assert_eq!(thrown.message.as_deref(), Some("no shells"));
    let Rule::MaxCalls { thrown, .. } = &policy.rules[8] else {
        panic!("max-calls")
    };
    assert_eq!(thrown.message.as_deref(), Some("enough\nof it"));
    assert_eq!(Policy::decode(&policy.encode()).as_ref(), Ok(&policy));
}

/// What docs/policy.md shows can be used as it is.
#[test]
fn the_documented_file() {
    let document = include_str!("../../../../../docs/policy.md");
    let (_, rest) = document.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let Contents { policy, deadlines } = parse(example).unwrap();
    let kinds: Vec<Kind> = policy.rules.iter().map(Rule::kind).collect();
    for kind in Kind::ALL {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    let deadlines: Vec<&str> = deadlines.iter().map(|d| &*d.text).collect();
    assert_eq!(deadlines, ["libpq!*=5s", "libpq!*=2m:kill"]);
    for exception in Exception::ALL {
        let row = format!("| `{}` |", exception.name());
        assert!(document.contains(&row), "{row}");
    }
}

#[test]
fn a_file_that_says_nothing() {
    assert_eq!(parse(""), Ok(Contents::default()));
    assert_eq!(parse("# later\n"), Ok(Contents::default()));
}

/// Bad files, and all that is said of each.
const BAD: &[(&str, &str)] = &[
    (
        "deadline = \"a=5s\"\n",
        "1: deadline: expected sections [[deadline]], one for each rule, found a text",
    ),
    (
        "[[deadline]]\nafter = \"5s\"\n",
        "1: deadline.target: is missing: add target = \"LIBRARY!ENTRY\"",
    ),
    (
        "[[deadline]]\ntarget = \"a\"\n",
        "1: deadline.after: is missing: add after = \"5s\"",
    ),
    (
        "[[deadline]]\ntarget = \"a\"\nafter = 5\n",
        "3: deadline.after: expected a text in quotes, found a number",
    ),
    (
        "[[deadline]]\ntarget = \"a\"\nafter = \"5\"\n",
        "3: deadline.after: '5' is no duration: write one such as 500ms, 5s or 1m",
    ),
    (
        "[[deadline]]\ntarget = \"a\"\nafter = \"5s\"\naction = \"stop\"\n",
        "4: deadline.action: 'stop' is no action: there are report, dump, kill",
    ),
    (
        "[[deadline]]\ntarget = \"a\"\nafter = \"5s\"\nwhen = 1\n",
        "4: deadline.when: there is no such key here; there are target, after, action",
    ),
    (
        "[[deadline]]\ntarget = \"a\"\nafter = \"5s\"\n\n[[deadline]]\ntarget = \"a\"\nafter = \"7s\"\n",
        "6: deadline: 'a' has a deadline with the action report already: remove one of the two",
    ),
    (
        "audit = true\ndney = []\n",
        "2: dney: there is no such key here; there are deny, allow-only, redirect, max-calls, only, skip, deadline, audit, deny-fatal, allow-dynamic",
    ),
    (
        "zzz = 1\naaa = 1\n",
        "1: zzz: there is no such key here; there are deny, allow-only, redirect, max-calls, only, skip, deadline, audit, deny-fatal, allow-dynamic",
    ),
    (
        "[[deny]]\ntarget = \"a\"\nmesage = \"b\"\n",
        "3: deny.mesage: there is no such key here; there are target, exception, message",
    ),
    (
        "[[redirect]]\ntarget = \"a\"\nto = \"b\"\nexception = \"COMException\"\n",
        "4: redirect.exception: there is no such key here; there are target, to",
    ),
    (
        "audit = \"yes\"\n",
        "1: audit: expected true or false, found a text",
    ),
    (
        "deny-fatal = 1\n",
        "1: deny-fatal: expected true or false, found a number",
    ),
    (
        "\n\nskip = \"libm!*\"\n",
        "3: skip: expected a list of globs, such as [\"libc!*\"], found a text",
    ),
    (
        "skip = []\nallow-only = []\n",
        "2: allow-only: the list is empty, which would be no rule: leave the key out, or, to deny everything, deny \"*\"",
    ),
    (
        "only = [\n  \"a\",\n  3.5,\n]\n",
        "3: only: expected a text in quotes, found a number with a point",
    ),
    (
        "deny = \"libc!system\"\n",
        "1: deny: expected sections [[deny]], one for each rule, found a text",
    ),
    (
        "deny = [\"libc!system\"]\n",
        "1: deny: expected sections [[deny]], one for each rule, found a text",
    ),
    (
        "[deny]\ntarget = \"libc!system\"\n",
        "1: deny: expected sections [[deny]], one for each rule, found a section or an inline table",
    ),
    (
        "[[deny]]\nmessage = \"no\"\n",
        "1: deny.target: is missing: add target = \"LIBRARY!ENTRY\"",
    ),
    (
        "[[deny]]\ntarget = true\n",
        "2: deny.target: expected a text in quotes, found true or false",
    ),
    (
        "[[deny]]\ntarget = \"libc!\"\n",
        "2: deny.target: 'libc!' is no glob: expected LIBRARY!ENTRY or ENTRY, where * stands for any characters and ? for one (all of a library: LIBRARY!*)",
    ),
    (
        "allow-only = [\"libc!{a,b}\"]\n",
        "1: allow-only: 'libc!{a,b}' is no glob: '{' has no meaning here, only * and ? have: give several rules, or write ? for a character of a name",
    ),
    (
        "skip = [\"a\\nb\"]\n",
        "1: skip: 'a\\nb' is no glob: there is a space around a name, or a control character: names are written without",
    ),
    (
        "[[deny]]\ntarget = \"a\"\nexception = \"Exception\"\n",
        "3: deny.exception: 'Exception' is not one of UnauthorizedAccessException, EntryPointNotFoundException, DllNotFoundException, NotSupportedException, InvalidOperationException, COMException",
    ),
    (
        "[[deny]]\ntarget = \"a\"\nmessage = \"\"\n",
        "3: deny.message: expected a text that can be read: it is empty, or holds control characters",
    ),
    (
        "[[deny]]\ntarget = \"a\"\nmessage = \"\\u0000\"\n",
        "3: deny.message: expected a text that can be read: it is empty, or holds control characters",
    ),
    (
        "[[redirect]]\ntarget = \"a\"\n",
        "1: redirect.to: is missing: add to = \"LIBRARY\" or \"LIBRARY!ENTRY\"",
    ),
    (
        "[[redirect]]\nto = \"b\"\n",
        "1: redirect.target: is missing: add target = \"LIBRARY!ENTRY\"",
    ),
    (
        "[[redirect]]\ntarget = \"a\"\nto = \"\"\n",
        "3: redirect.to: expected where calls shall go: LIBRARY, or LIBRARY!ENTRY",
    ),
    (
        "[[redirect]]\ntarget = \"a!*\"\nto = \"b!f\"\n",
        "3: redirect.to: a glob on entry points cannot lead to one function: name the LIBRARY alone, which keeps their names",
    ),
    (
        "[[redirect]]\ntarget = \"a!f\"\nto = \"b!*\"\n",
        "3: redirect.to: '*' in where calls shall go: that is a name, not a glob (LIBRARY alone keeps the entry point's name)",
    ),
    (
        "[[max-calls]]\ntarget = \"a\"\n",
        "1: max-calls.calls: is missing: add calls = 1000",
    ),
    (
        "[[max-calls]]\ntarget = \"a\"\ncalls = -1\n",
        "3: max-calls.calls: expected a number from 0 on, found -1",
    ),
    (
        "[[max-calls]]\ntarget = \"a\"\ncalls = 1.5\n",
        "3: max-calls.calls: expected a number from 0 on, found a number with a point",
    ),
    (
        "[[max-calls]]\ntarget = \"a\"\ncalls = \"10\"\n",
        "3: max-calls.calls: expected a number from 0 on, found a text",
    ),
    (
        "[[deny]]\ntarget = \"a\"\n\n[[deny]]\ntarget = \"a\"\n",
        "5: deny: 'a' is in line 2 already: remove one of the two",
    ),
    (
        "skip = [\"a\",\n\"b\",\n\"a\"]\n",
        "3: skip: 'a' is in line 1 already: remove one of the two",
    ),
    ("audit = true\naudit = false\n", "2: audit: duplicate key"),
    (
        "[[deny]]\ntarget = \"a\"\ntarget = \"b\"\n",
        "3: target: duplicate key",
    ),
    (
        "audit = true\nskip = [\"a\"",
        "2: unclosed array, expected `]`",
    ),
    ("[[deny]\n", "1: unclosed array table, expected `]`"),
    ("target = \"a\n", "1: invalid basic string, expected `\"`"),
];

#[test]
fn bad_files_are_told_by_line_and_key() {
    let mut wrong = Vec::new();
    for (text, expected) in BAD {
        let said = match parse(text) {
            Ok(policy) => format!("{policy:?}"),
            // As the tool writes it.
            Err(error) => soglia_core::plain::plain(&error.to_string()).to_string(),
        };
        if said != *expected {
            wrong.push(format!(
                "{text:?}\n  said     {said}\n  expected {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
