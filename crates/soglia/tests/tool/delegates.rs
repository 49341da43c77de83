//! Delegates that become function pointers and function pointers that become delegates, in every
//! way. Both sources record what the oracle counts, and the program notices nothing.

use std::collections::BTreeMap;

use crate::support::{Space, setup, text};

/// Calls by direction and name, without the runtime's own.
type Told = BTreeMap<(String, Option<String>, Option<String>), u64>;

fn told(space: &Space) -> Told {
    let targets = space.recording("a.soglia").report().targets;
    let mut told = Told::new();
    for target in targets.into_iter().filter(|t| !t.runtime_internal) {
        // It fails before it leaves, which only wrappers count.
        if target.method.as_deref() == Some("Soglia.Delegates.Program.apply_generic") {
            continue;
        }
        // Of what function pointers lead to, the sources say different things.
        let method = target
            .method
            .filter(|m| !m.starts_with("[function pointer]"));
        let name = (target.direction, method, target.entry);
        *told.entry(name).or_default() += target.calls;
    }
    told
}

fn run(source: &str) -> (Told, Space) {
    let bare = Space::new().bare("delegates.dll", "").output().unwrap();
    let space = Space::new();
    let options = format!("--quiet --source {source} -o a.soglia");
    let under = space.run(&options, "delegates.dll", "").output().unwrap();
    assert_eq!(text(&under.stdout), text(&bare.stdout), "{source}");
    assert_eq!(under.status, bare.status, "{}", text(&under.stderr));
    (told(&space), space)
}

/// Calls through delegates on native functions that are in fields of structs which native code has
/// written. Before .NET 9, wrappers do not see those.
fn in_fields() -> u64 {
    u64::from(setup().major == 8)
}

#[test]
fn both_sources_tell_the_same() {
    let (transitions, _) = run("transitions");
    let (mut woven, _) = run("woven");
    let native = ("Soglia.Delegates.Callback.Invoke", "forward");
    for ((direction, method, _), calls) in &mut woven {
        if (method.as_deref(), &**direction) == (Some(native.0), native.1) {
            *calls += in_fields();
        }
    }
    assert_eq!(woven, transitions);
}

#[test]
fn wrappers_tell_what_the_oracle_counts() {
    let (told, space) = run("woven");
    let of = |direction: &'static str| told.iter().filter(move |((d, ..), _)| d == direction);
    let mut callbacks = 0;
    for (entry, (calls, called_back)) in space.oracle() {
        callbacks += called_back;
        // These two are called by delegates, whose types are all that is known.
        if !matches!(&*entry, "add_one" | "fail_with") {
            let told: u64 = of("forward")
                .filter(|((_, _, e), _)| e.as_deref() == Some(&*entry))
                .map(|(_, calls)| calls)
                .sum();
            assert_eq!(told, calls, "calls of {entry}");
        }
    }
    let oracle = space.oracle();
    let by_delegate: u64 = of("forward")
        .filter(|((_, method, entry), _)| {
            entry.is_none() && method.as_deref().is_some_and(|m| m.ends_with(".Invoke"))
        })
        .map(|(_, calls)| calls)
        .sum();
    // Native code calls `add_one` itself twice, as the callback that it was given.
    let native = oracle["add_one"].0 + oracle["fail_with"].0 - 2;
    assert_eq!(by_delegate + in_fields(), native, "calls by delegates");
    // The oracle counts those two as callbacks. Managed code called one callback, which the oracle
    // does not see.
    let told: u64 = of("reverse").map(|(_, calls)| calls).sum();
    assert_eq!(told, callbacks - 2 + 1, "callbacks");
}

#[test]
fn nothing_is_left_unsaid_about_delegates() {
    let (_, space) = run("woven");
    let output = space.soglia("report a.soglia").output().unwrap();
    let report = text(&output.stdout);
    assert!(output.status.success() && !report.is_empty());
    assert!(!report.contains("not seen"), "{report}");
}
