//! What tests of policies share.

use std::process::Output;

use crate::support::{Space, text};

/// `semantics.dll ARGS` under a policy.
pub fn under(space: &Space, policy: &str, args: &str) -> Output {
    let options = format!("--quiet --source woven -o a.soglia {policy}");
    space.run(&options, "semantics.dll", args).output().unwrap()
}

/// What it prints, if it ends well.
pub fn printed(policy: &str, args: &str) -> String {
    let output = under(&Space::new(), policy, args);
    assert!(
        output.status.success(),
        "{policy}, {args}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// What the case prints without soglia.
pub fn bare(args: &str) -> String {
    let output = Space::new().bare("semantics.dll", args).output().unwrap();
    text(&output.stdout)
}
