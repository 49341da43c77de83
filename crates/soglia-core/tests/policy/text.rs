//! The text by which the tool hands a policy to the engine.

use proptest::test_runner::Config;

use super::*;

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
        ("soglia-policy 1\n", "line 2 is not a rule"),
        ("soglia-policy 1\ndeny", "line 2 is not a rule"),
        ("soglia-policy 1\nforbid\tx", "line 2 is not a rule"),
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

proptest! {
    #![proptest_config(Config {
        cases: if cfg!(miri) { 8 } else { 256 },
        failure_persistence: None,
        ..Config::default()
    })]

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
