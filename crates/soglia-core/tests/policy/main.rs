//! Policies: what globs match, which rule decides, and the text by which the tool hands them to the
//! engine.

mod called;
mod names;
mod text;

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
        "soglia policy: deny 'libc!sys*' denied libc.so.6!system"
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
        "soglia policy: allow-only 'libc!*', 'sqlite3!sqlite3_*' denied libm!sin"
    );
    let many = ["a", "b", "c", "d", "e"].map(allow_only);
    let denial = self::denial(policy(many).of("libm", "sin"));
    assert!(
        denial.message.contains("'a', 'b', 'c' and 2 more denied"),
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
        "soglia policy: max-calls 'libc!*=100' denied libc!rand, after its 100 calls"
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
        "no shells, please (soglia policy: deny 'libc!system' denied libc!system)"
    );
}
