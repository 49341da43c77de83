//! What a call leads to is judged once more.

use super::*;

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
    assert_eq!(unknown(deny).unwrap(), "soglia policy: deny 'x' denied it");
    let allow = "allow-only\tx\nallow-only\ty";
    assert_eq!(
        unknown(allow).unwrap(),
        "soglia policy: allow-only 'x', 'y' denied it"
    );
}
