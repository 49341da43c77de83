//! What globs match, and what destinations name.

use super::*;

#[test]
fn globs_match_names_as_dllimport_finds_them() {
    let cases: &[(&str, &str, &str, bool)] = &[
        ("libc!system", "libc", "system", true),
        ("libc!system", "c", "system", true),
        ("libc!system", "libc.so", "system", true),
        ("libc!system", "libc.so.6", "system", true),
        (
            "libc!system",
            "/lib/x86_64-linux-gnu/libc.so.6",
            "system",
            true,
        ),
        ("c!system", "libc.so.6", "system", true),
        ("c.so!system", "libc", "system", true),
        ("libc.so.6!system", "libc", "system", true),
        ("libc.so.6!system", "libc.so.6", "system", true),
        ("libc.so.6!system", "libc.so.5", "system", false),
        ("libssl.so.1*!*", "libssl.so.1.1", "SSL_new", true),
        ("libssl.so.1*!*", "libssl.so.3", "SSL_new", false),
        ("libssl.so.1*!*", "ssl", "SSL_new", true),
        ("libc!system", "libcrypto", "system", false),
        ("libc!system", "Libc", "system", false),
        ("libc!system", "libc", "System", false),
        ("libc!system", "libc", "system2", false),
        ("libc!sys*", "libc", "system", true),
        ("libc!sys*", "libc", "sys", true),
        ("libc!syste?", "libc", "system", true),
        ("libc!syste?", "libc", "syste", false),
        ("libc!syste?", "libc", "systemd", false),
        ("libc!*", "libc", "anything", true),
        ("lib*!x", "libfoo", "x", true),
        ("lib*!x", "foo", "x", true),
        ("*!x", "/opt/a.b/foo.dll", "x", true),
        ("*!*", "any", "thing", true),
        ("system", "whatever", "system", true),
        ("system", "whatever", "sys", false),
        ("*", "any", "thing", true),
        ("e_sqlite3!sqlite3_*", "e_sqlite3", "sqlite3_open_v2", true),
        (
            "e_sqlite3!sqlite3_*",
            "libe_sqlite3.so",
            "sqlite3_open_v2",
            true,
        ),
        ("/opt/*/libfoo.so!x", "/opt/a/libfoo.so", "x", true),
        ("/opt/*/foo!x", "/opt/a/libfoo.so.2", "x", true),
        ("/opt/*/foo!x", "foo", "x", false),
        ("/opt/a/foo!x", "/opt/b/foo", "x", false),
        ("foo.dll!x", "foo.dll", "x", true),
        ("lib!x", "lib", "x", true),
        ("li!x", "lib", "x", false),
        ("città!più", "libcittà.so", "più", true),
        ("foo!?", "foo", "à", true),
        ("libfoo.so.bar!x", "libfoo.so.bar", "x", true),
    ];
    for (text, library, entry, expected) in cases {
        let matched = glob(text).matches(library, entry);
        assert_eq!(matched, *expected, "{text} and {library}!{entry}");
    }
}

#[test]
fn what_is_no_glob_says_why() {
    let cases = [
        ("", GlobError::Incomplete),
        ("!", GlobError::Incomplete),
        ("libc!", GlobError::Incomplete),
        ("!system", GlobError::Incomplete),
        ("a!b!c", GlobError::TwoBangs),
        ("lib[cd]!x", GlobError::Foreign('[')),
        ("libc!{a,b}", GlobError::Foreign('{')),
        ("libc! system", GlobError::Space),
        (" system", GlobError::Space),
        ("libc!a\nb", GlobError::Space),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Glob>(), Err(error), "{text:?}");
    }
}

#[test]
fn destinations_are_one_place() {
    let parse = |text: &str| Destination::parse(text, &glob("a!f")).map(|to| to.to_string());
    assert_eq!(parse("other"), Ok("other".into()));
    assert_eq!(parse("other!g"), Ok("other!g".into()));
    assert_eq!(parse("/opt/my lib/x.so!g"), Ok("/opt/my lib/x.so!g".into()));
    for text in ["", "!", "!g", "other!", " other", "other!g\n"] {
        assert_eq!(parse(text), Err(DestinationError::Incomplete), "{text:?}");
    }
    assert_eq!(parse("other!*"), Err(DestinationError::Glob('*')));
    assert_eq!(parse("o?her"), Err(DestinationError::Glob('?')));
    assert_eq!(parse("a!b!c"), Err(DestinationError::Glob('!')));
    let many = glob("a!*");
    assert_eq!(
        Destination::parse("b!f", &many),
        Err(DestinationError::ManyToOne)
    );
    assert!(Destination::parse("b", &many).is_ok());
    // Which libraries it is about does not matter for that.
    assert!(Destination::parse("b!f", &glob("*!f")).is_ok());
}
