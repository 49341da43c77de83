//! Policies: what globs match, which rule decides, and the text by which the tool hands them to the engine.

use proptest::prelude::*;
use soglia_core::policy::{
    Denial, Destination, DestinationError, Exception, Glob, GlobError, Kind, Policy, Rule, Thrown,
    Verdict,
};

fn glob(text: &str) -> Glob {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn deny(target: &str) -> Rule {
    Rule::Deny {
        target: glob(target),
        thrown: Thrown::default(),
    }
}

fn allow_only(target: &str) -> Rule {
    Rule::AllowOnly(glob(target))
}

fn redirect(target: &str, to: &str) -> Rule {
    let target = glob(target);
    let to = Destination::parse(to, &target).unwrap();
    Rule::Redirect { target, to }
}

fn max_calls(target: &str, calls: u64) -> Rule {
    Rule::MaxCalls {
        target: glob(target),
        calls,
        thrown: Thrown::default(),
    }
}

fn only(target: &str) -> Rule {
    Rule::Only(glob(target))
}

fn skip(target: &str) -> Rule {
    Rule::Skip(glob(target))
}

fn policy(rules: impl Into<Vec<Rule>>) -> Policy {
    Policy {
        rules: rules.into(),
        ..Policy::default()
    }
}

/// The kind of rule that refuses; `None`: it may be called, or is not watched.
fn refused(verdict: &Verdict) -> Option<Kind> {
    match verdict {
        Verdict::Deny(denial) => Some(denial.by),
        _ => None,
    }
}

fn denial(verdict: Verdict) -> Denial {
    match verdict {
        Verdict::Deny(denial) => denial,
        other => panic!("not refused: {other:?}"),
    }
}

const CALL: Verdict = Verdict::Call {
    redirect: None,
    limit: None,
};

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

#[test]
fn without_rules_everything_is_called() {
    assert_eq!(Policy::default().of("libc", "system"), CALL);
    assert!(Policy::default().is_empty());
    assert!(!policy([skip("x")]).is_empty());
}

#[test]
fn deny_comes_first_whatever_the_order() {
    let rules = [
        allow_only("libc!*"),
        redirect("libc!system", "fake"),
        max_calls("libc!system", 1),
        only("other!*"),
        skip("libc!*"),
        deny("libc!system"),
    ];
    assert_eq!(
        refused(&policy(rules).of("libc", "system")),
        Some(Kind::Deny)
    );
}

#[test]
fn the_first_deny_that_matches_is_named() {
    let rules = policy([deny("libx!*"), deny("libc!sys*"), deny("libc!system")]);
    let denial = denial(rules.of("libc.so.6", "system"));
    assert_eq!(
        denial.message,
        "soglia policy: deny 'libc!sys*' refused libc.so.6!system"
    );
    assert_eq!(denial.exception, Exception::UnauthorizedAccess);
}

#[test]
fn allow_only_rules_add_up() {
    let rules = policy([allow_only("libc!*"), allow_only("sqlite3!sqlite3_*")]);
    assert_eq!(rules.of("libc", "system"), CALL);
    assert_eq!(rules.of("sqlite3", "sqlite3_open"), CALL);
    let denial = denial(rules.of("libm", "sin"));
    assert_eq!(denial.by, Kind::AllowOnly);
    assert_eq!(
        denial.message,
        "soglia policy: allow-only 'libc!*', 'sqlite3!sqlite3_*' refused libm!sin"
    );
    let many = ["a", "b", "c", "d", "e"].map(allow_only);
    let denial = self::denial(policy(many).of("libm", "sin"));
    assert!(
        denial.message.contains("'a', 'b', 'c' and 2 more refused"),
        "{}",
        denial.message
    );
}

#[test]
fn allow_only_is_stronger_than_redirections_and_skips() {
    let rules = policy([
        allow_only("fake!*"),
        redirect("libc!system", "fake"),
        skip("libc!*"),
    ]);
    // Targets are looked at as they are called.
    assert_eq!(refused(&rules.of("libc", "system")), Some(Kind::AllowOnly));
}

#[test]
fn redirections_are_not_looked_at_again() {
    let rules = policy([
        redirect("a!f", "b"),
        redirect("b!f", "c"),
        deny("c!*"),
        redirect("a!*", "z"),
    ]);
    let to = |library: &str, entry: &str| match rules.of(library, entry) {
        Verdict::Call { redirect, .. } => redirect.map(|to| to.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(to("a", "f").as_deref(), Some("b"));
    assert_eq!(to("b", "f").as_deref(), Some("c"));
    assert_eq!(to("a", "g").as_deref(), Some("z"));
    assert_eq!(to("d", "f"), None);
}

#[test]
fn the_first_limit_that_matches_is_the_one() {
    let rules = policy([
        skip("*"),
        max_calls("libc!system", 1),
        max_calls("libc!*", 100),
        max_calls("libc!system", 7),
        max_calls("none", 0),
    ]);
    let limit = |entry: &str| match rules.of("libc", entry) {
        Verdict::Call { limit, .. } => limit.unwrap(),
        other => panic!("{other:?}"),
    };
    let (system, rand, none) = (
        limit("system"),
        limit("rand"),
        policy([max_calls("none", 0)]),
    );
    assert_eq!((system.rule, system.calls), (1, 1));
    assert_eq!((rand.rule, rand.calls), (2, 100));
    assert_eq!(rand.denial.exception, Exception::InvalidOperation);
    assert_eq!(
        rand.denial.message,
        "soglia policy: max-calls 'libc!*=100' refused libc!rand, after its 100 calls"
    );
    assert!(system.denial.message.ends_with("after its one call"));
    let Verdict::Call {
        limit: Some(none), ..
    } = none.of("x", "none")
    else {
        panic!("limited")
    };
    assert!(none.denial.message.ends_with("of which none may be called"));
}

#[test]
fn a_redirected_call_may_be_limited() {
    let rules = policy([
        redirect("a!f", "b!g"),
        max_calls("a!f", 3),
        max_calls("b!g", 1),
    ]);
    let Verdict::Call {
        redirect: Some(to),
        limit: Some(limit),
    } = rules.of("a", "f")
    else {
        panic!("both")
    };
    assert_eq!((to.to_string().as_str(), limit.calls), ("b!g", 3));
}

#[test]
fn rules_are_about_targets_also_where_others_decide() {
    let rules = policy([deny("a!f"), skip("a!*"), only("b!*"), deny("f")]);
    let about = |library, entry| rules.about(library, entry).collect::<Vec<_>>();
    assert_eq!(about("a", "f"), [0, 1, 3]);
    assert_eq!(about("a", "g"), [1]);
    assert_eq!(about("c", "g"), [0; 0]);
}

#[test]
fn what_is_watched() {
    let rules = policy([only("a!*"), only("b!*"), skip("b!noisy")]);
    assert_eq!(rules.of("a", "f"), CALL);
    assert_eq!(rules.of("b", "f"), CALL);
    assert_eq!(rules.of("b", "noisy"), Verdict::Skip);
    assert_eq!(rules.of("c", "f"), Verdict::Skip);
    assert_eq!(policy([skip("b!noisy")]).of("c", "f"), CALL);
}

#[test]
fn messages_and_exceptions_of_ones_own() {
    let rules = policy([Rule::Deny {
        target: glob("libc!system"),
        thrown: Thrown {
            exception: Some(Exception::DllNotFound),
            message: Some("no shells, please".into()),
        },
    }]);
    let denial = denial(rules.of("libc", "system"));
    assert_eq!(denial.exception, Exception::DllNotFound);
    assert_eq!(
        denial.message,
        "no shells, please (soglia policy: deny 'libc!system' refused libc!system)"
    );
}

#[test]
fn every_exception_and_kind_has_its_name() {
    for exception in Exception::ALL {
        assert_eq!(Exception::named(exception.name()), Some(exception));
    }
    assert_eq!(Exception::named("Exception"), None);
    let names = Kind::ALL.map(Kind::name);
    assert_eq!(
        names,
        [
            "deny",
            "allow-only",
            "redirect",
            "max-calls",
            "only",
            "skip"
        ]
    );
}

#[test]
fn text_that_is_no_policy_says_where() {
    let cases = [
        ("", "it is not a policy of this version of soglia"),
        (
            "soglia-policy 2",
            "it is not a policy of this version of soglia",
        ),
        ("soglia-policy 1\n", "line 2 is no rule"),
        ("soglia-policy 1\ndeny", "line 2 is no rule"),
        ("soglia-policy 1\nforbid\tx", "line 2 is no rule"),
        (
            "soglia-policy 1\ndeny\tx",
            "line 2 has the wrong number of fields",
        ),
        (
            "soglia-policy 1\naudit\nskip\tx\ty",
            "line 3 has the wrong number of fields",
        ),
        (
            "soglia-policy 1\ndeny\tx\tException\t",
            "line 2: the name of the exception is wrong",
        ),
        (
            "soglia-policy 1\nmax-calls\tx\t-1\t\t",
            "line 2: the number of calls is wrong",
        ),
        (
            "soglia-policy 1\nmax-calls\tx\t18446744073709551616\t\t",
            "line 2: the number of calls is wrong",
        ),
        ("soglia-policy 1\nskip\tx\\", "line 2: an escape is wrong"),
        ("soglia-policy 1\nskip\tx\\y", "line 2: an escape is wrong"),
        (
            "soglia-policy 1\nskip\ta!b!c",
            "line 2: there is more than one '!': write ? for one that is part of a name",
        ),
        (
            "soglia-policy 1\nredirect\ta!*\tb!f",
            "line 2: a glob on entry points cannot lead to one function: name the LIBRARY alone, which keeps their names",
        ),
    ];
    for (text, error) in cases {
        let found = Policy::decode(text).map_err(|e| e.to_string());
        assert_eq!(found, Err(error.to_owned()), "{text:?}");
    }
}

fn any_glob() -> impl Strategy<Value = Glob> {
    let name = "[a-zà?*./_=\\\\-]{1,12}";
    prop_oneof![
        name.prop_map(|entry| glob(&entry)),
        (name, name).prop_map(|(library, entry)| glob(&format!("{library}!{entry}"))),
    ]
}

fn any_thrown() -> impl Strategy<Value = Thrown> {
    let exception = prop::option::of(prop::sample::select(Exception::ALL.to_vec()));
    let message = prop::option::of(".{1,40}|[\\\\tnr0\t\n\r\0]{1,8}");
    (exception, message).prop_map(|(exception, message)| Thrown { exception, message })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        (any_glob(), any_thrown()).prop_map(|(target, thrown)| Rule::Deny { target, thrown }),
        any_glob().prop_map(Rule::AllowOnly),
        (any_glob(), "[a-z./ ]{0,5}[a-z]").prop_filter_map("edges", |(target, library)| {
            let to = Destination::parse(&library, &target).ok()?;
            Some(Rule::Redirect { target, to })
        }),
        (any_glob(), any::<u64>(), any_thrown()).prop_map(|(target, calls, thrown)| {
            Rule::MaxCalls {
                target,
                calls,
                thrown,
            }
        }),
        any_glob().prop_map(Rule::Only),
        any_glob().prop_map(Rule::Skip),
    ]
}

/// What is refused of something with these names, by rules in text.
fn of_called(rules: &str, libraries: &[&str], entries: &[&str]) -> Option<String> {
    let policy = Policy::decode(&format!("soglia-policy 1\n{rules}")).unwrap();
    let own = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let denial = policy.of_called(&own(libraries), &own(entries), "it");
    denial.map(|denial| denial.message)
}

#[test]
fn what_is_called_is_judged_by_any_of_its_names() {
    let libc = ["/lib/libc.so.6", "libc.so.6"];
    let system = ["__libc_system", "system"];
    let denied = |rule: &str| of_called(&format!("deny\t{rule}\t\t"), &libc, &system).is_some();
    assert!(denied("libc!system") && denied("system") && denied("/lib/*!*") && denied("libc!__*"));
    assert!(!denied("libm!system") && !denied("libc!popen") && !denied("/opt/*!*"));
    let refused = |rules: &str| of_called(rules, &libc, &system).is_some();
    assert!(!refused("allow-only\tlibc!system") && !refused("allow-only\tx\nallow-only\t__libc_*"));
    assert!(refused("allow-only\tlibm!*"));
    // To allow does not undo what is denied, and other rules refuse nothing.
    assert!(refused("allow-only\tlibc!*\ndeny\tsystem\t\t"));
    assert!(!refused(
        "skip\tsystem\nmax-calls\tsystem\t0\t\t\nredirect\tsystem\tlibm"
    ));
    // A function without a name is in a library with one.
    assert!(of_called("deny\tlibc!*\t\t", &libc, &[""]).is_some());
    assert!(of_called("deny\tlibc!?*\t\t", &libc, &[""]).is_none());
}

#[test]
fn what_is_not_known_is_refused_by_the_first_rule() {
    let unknown = |rules: &str| {
        let policy = Policy::decode(&format!("soglia-policy 1\n{rules}")).unwrap();
        policy.judges().then(|| policy.of_unknown("it").message)
    };
    assert_eq!(unknown("skip\tx\nmax-calls\tx\t1\t\t"), None);
    let deny = "deny\tx\t\tsaid of x\ndeny\ty\t\t";
    assert_eq!(unknown(deny).unwrap(), "soglia policy: deny 'x' refused it");
    let allow = "allow-only\tx\nallow-only\ty";
    assert_eq!(
        unknown(allow).unwrap(),
        "soglia policy: allow-only 'x', 'y' refused it"
    );
}

proptest! {
    #[test]
    fn text_brings_a_policy_over_whole(
        rules in prop::collection::vec(any_rule(), 0..8), audit in any::<bool>(), fatal in any::<bool>(),
        allow_dynamic in any::<bool>(),
    ) {
        let policy = Policy { rules, audit, fatal, allow_dynamic };
        let text = policy.encode();
        prop_assert!(!text.contains('\0'));
        prop_assert_eq!(Policy::decode(&text), Ok(policy));
    }

    #[test]
    fn no_text_does_harm(
        text in prop_oneof![
            ".{0,80}".boxed(),
            "soglia-policy 1(\n(deny|redirect|max-calls|skip|audit)(\t[a!*?\\\\tn0-9]{0,4}){0,5}){0,4}".boxed(),
        ],
        library in ".{0,12}", entry in ".{0,12}",
    ) {
        if let Ok(policy) = Policy::decode(&text) {
            let _ = policy.of(&library, &entry);
            prop_assert_eq!(Policy::decode(&policy.encode()), Ok(policy));
        }
    }

    #[test]
    fn a_refusal_names_rule_and_target(rule in any_glob(), library in "[a-z]{1,8}", entry in "[a-z]{1,8}") {
        let rules = policy([Rule::Deny { target: rule.clone(), thrown: Thrown::default() }]);
        let verdict = rules.of(&library, &entry);
        match verdict {
            Verdict::Deny(denial) => {
                prop_assert!(rule.matches(&library, &entry));
                prop_assert!(denial.message.contains(rule.as_str()));
                let target = format!("{library}!{entry}");
                prop_assert!(denial.message.contains(&target));
            }
            other => {
                prop_assert!(!rule.matches(&library, &entry));
                prop_assert_eq!(other, CALL);
            }
        }
    }
}
