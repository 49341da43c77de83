//! Ways to a function that a policy denies. `docs/policy-reach.md` says which are denied, open or
//! absent.

use std::collections::BTreeMap;

use crate::support::{Space, setup, text};

const DOCUMENT: &str = include_str!("../../../../docs/policy-reach.md");

/// The table of routes in the document: how each ends on this runtime.
pub(super) fn documented() -> BTreeMap<String, String> {
    let table = DOCUMENT
        .split("| route | ")
        .nth(1)
        .expect("a table of routes");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut outcomes = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [names, _, outcome, ..] = cells[..] else {
            panic!("not a row of routes: {row}");
        };
        let of_this = format!(".NET {}: ", setup().major);
        let mut parts = outcome.split("; ");
        let usual = parts.next().unwrap_or_default();
        let outcome = parts
            .find_map(|part| part.strip_prefix(&of_this))
            .unwrap_or(usual);
        for name in names.split(", ") {
            let name = name.trim_matches('`').to_owned();
            let before = outcomes.insert(name, outcome.to_owned());
            assert_eq!(before, None, "twice: {row}");
        }
    }
    outcomes
}

/// How each route ends under these options. `p.toml` allows code that is made at run time.
fn tried(options: &str) -> BTreeMap<String, String> {
    let space = Space::new();
    let policy = "allow-dynamic = true\n[[deny]]\ntarget = \"routes!forbidden\"\n";
    std::fs::write(space.path("p.toml"), policy).unwrap();
    let output = match options {
        "" => space.bare("routes.dll", "").output().unwrap(),
        _ => space
            .run(&format!("--quiet {options}"), "routes.dll", "")
            .output()
            .unwrap(),
    };
    assert!(output.status.success(), "{options}: {output:?}");
    let lines = text(&output.stdout);
    let pairs = lines
        .lines()
        .map(|line| line.split_once(": ").expect("a route and its outcome"));
    pairs
        .map(|(name, outcome)| (name.to_owned(), outcome.to_owned()))
        .collect()
}

/// What differs from what is expected, as one list.
pub(super) fn differences(
    found: &BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
) -> Vec<String> {
    let names = found
        .keys()
        .chain(expected.keys())
        .collect::<std::collections::BTreeSet<_>>();
    let differs = |name: &&&String| found.get(**name) != expected.get(**name);
    let told = |name: &String| {
        format!(
            "{name}: {:?}, not {:?}",
            found.get(name),
            expected.get(name)
        )
    };
    names
        .iter()
        .filter(differs)
        .map(|name| told(name))
        .collect()
}

/// Each route leads to the function, unless it leads nowhere.
#[test]
fn without_a_policy_all_routes_are_open() {
    let documented = documented();
    assert!(documented.len() >= 43, "{documented:?}");
    let expected = documented
        .into_iter()
        .map(|(name, outcome)| {
            (
                name,
                if outcome == "absent" {
                    outcome
                } else {
                    "open".into()
                },
            )
        })
        .collect();
    assert_eq!(differences(&tried(""), &expected), [""; 0]);
    // Calls of others are refused, and these are not. Nor does an audit refuse any.
    for options in ["--deny forbidden --audit", "--deny nothing --allow-dynamic"] {
        let mut expected: BTreeMap<String, String> = expected.clone();
        if !options.contains("audit") {
            // They go around wrappers, and nothing was judged yet.
            for inner in ["unjudged", "marshalled", "suppressed", "pointer"] {
                expected.insert(format!("inner-{inner}"), "refused".into());
            }
            expected.insert("dynamic-call-inner".into(), "refused".into());
        }
        assert_eq!(
            differences(&tried(options), &expected),
            [""; 0],
            "{options}"
        );
    }
}

#[test]
fn a_denied_function_is_reached_by_the_documented_routes_alone() {
    let expected = documented();
    for options in [
        "--deny routes!forbidden",
        "--deny routes!forbidden --counts",
        "--deny routes!forbidden --record events",
        "--deny routes!forbidden --slots 2",
        "--deny routes!forbidden_alias",
        "--deny libroutes.so!forbidden_text --only *!also --skip routes!*",
    ] {
        let found = tried(options);
        assert_eq!(differences(&found, &expected), [""; 0], "{options}");
    }
}

#[test]
fn what_is_not_allowed_is_reached_by_the_documented_routes_alone() {
    let allowed = [
        "routes!also",
        "routes!calls_*",
        "routes!gives_*",
        "routes!fills",
        "libc!*",
        "routeslink!seen_at_load",
    ];
    let options = allowed.map(|glob| format!("--allow-only {glob}")).join(" ");
    let mut expected = documented();
    // Refused by their names, before anything is looked for.
    for name in [
        "dot",
        "space",
        "upper-library",
        "upper-entry",
        "ordinal",
        "internal",
    ] {
        expected.insert(name.into(), "refused".into());
    }
    assert_eq!(differences(&tried(&options), &expected), [""; 0]);
}

/// With the core library watched, it does not call for others either.
#[test]
fn the_core_library_is_judged_if_it_is_watched() {
    let mut expected = documented();
    expected.insert("framework-pointer".into(), "refused".into());
    let found = tried("--deny routes!forbidden --corelib");
    assert_eq!(differences(&found, &expected), [""; 0]);
}

#[test]
fn code_made_at_run_time_may_be_allowed() {
    let mut expected = documented();
    for name in [
        "dynamic-calli",
        "dynamic-il-calli",
        "emitted-import",
        "emitted-attribute",
        "emitted-calli",
    ] {
        expected.insert(name.into(), "open".into());
    }
    let found = tried("--deny routes!forbidden --allow-dynamic");
    assert_eq!(differences(&found, &expected), [""; 0]);
    assert_eq!(differences(&tried("--policy p.toml"), &expected), [""; 0]);
    let space = Space::new();
    let message =
        crate::support::refusal(&mut space.run("--skip x --allow-dynamic", "routes.dll", ""));
    assert!(
        message.contains("--allow-dynamic without --deny or --allow-only"),
        "{message}"
    );
}

/// The exception is the policy's, and says what the call leads to. It is counted.
#[test]
fn what_a_call_leads_to_is_told() {
    let space = Space::new();
    std::fs::write(
        space.path("p.toml"),
        "[[deny]]\ntarget = \"routes!forbidden\"\nexception = \"NotSupportedException\"\nmessage = \"no\"\n",
    )
    .unwrap();
    let mut command = space.run(
        "--quiet -o a.soglia --policy p.toml",
        "routes.dll",
        "dependency calli delegate dynamic-calli",
    );
    let output = text(&command.output().unwrap().stdout);
    let refused = "deny 'routes!forbidden' denied";
    let expected = [
        format!(
            "dependency: NotSupportedException: no (soglia policy: {refused} routeslink!forbidden, which leads to libroutes.so!forbidden)"
        ),
        format!(
            "calli: NotSupportedException: no (soglia policy: {refused} a call by function pointer of libroutes.so!forbidden)"
        ),
        format!(
            "delegate: NotSupportedException: no (soglia policy: {refused} a delegate on libroutes.so!forbidden)"
        ),
        format!(
            "dynamic-calli: NotSupportedException: soglia policy: {refused} a native call of code that was made at run time (--allow-dynamic allows it)"
        ),
    ];
    assert_eq!(output.lines().collect::<Vec<_>>(), expected);
    let report = space.recording("a.soglia").json("");
    let rows = report["targets"].as_array().unwrap();
    let refused = |library: &str| {
        // Of several names at a pointer, the report has one.
        let mut of = rows.iter().filter(|row| row["library"] == library);
        of.next()
            .map(|row| (row["calls"].as_u64(), row["refused"].as_u64()))
    };
    assert_eq!(
        refused("routeslink"),
        Some((Some(0), Some(1))),
        "{report:#}"
    );
    assert_eq!(
        refused("libroutes.so"),
        Some((Some(0), Some(1))),
        "{report:#}"
    );
    let mut fatal = space.run(
        "--quiet --deny routes!forbidden --deny-fatal",
        "routes.dll",
        "dependency",
    );
    let output = fatal.output().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(6),
        "{output:?}"
    );
    assert!(
        text(&output.stderr).contains("which leads to libroutes.so!forbidden"),
        "{output:?}"
    );
}

/// The limit counts by how a call is spelled, and reflection finds no way around it.
#[test]
fn a_limit_has_no_way_around_its_gate() {
    let routes = "import reflection inner-refused inner-unjudged inner-suppressed suppressed calli";
    let space = Space::new();
    let mut command = space.run(
        "--quiet --max-calls routes!forbidden=1",
        "routes.dll",
        routes,
    );
    let output = text(&command.output().unwrap().stdout);
    let refused = "InvalidOperationException: soglia policy: max-calls 'routes!forbidden=1' denied";
    let around = format!("{refused} a call around the method that is for it");
    let expected = [
        "import: open".to_owned(),
        "suppressed: open".to_owned(),
        format!("reflection: {refused} routes!forbidden, after its one call"),
        format!("inner-refused: {around}"),
        format!("inner-unjudged: {around}"),
        format!("inner-suppressed: {around}"),
        "calli: open".to_owned(),
    ];
    assert_eq!(output.lines().collect::<Vec<_>>(), expected);
}
