//! Tests that need something that not every machine has.
//!
//! A test states its need with [`require`] and `?`. Where the need is unmet, the test is reported
//! as ignored, with the reason. Under CI it fails, unless the script that runs the tests allows it:
//!
//! | variable | meaning |
//! | --- | --- |
//! | `CI` | set and not empty: an unmet need is a failure |
//! | `SOGLIA_TEST_ALLOW_SKIP` | names of tests, separated by spaces, that may be skipped even so |
//!
//! A name allows the test of that name, and the tests whose names continue it after `::`.

use std::env;
use std::fmt::Display;

use libtest_mimic::{Completion, Failed, Trial};

/// Why a test cannot run on this machine.
#[derive(Debug)]
pub struct Unmet(String);

impl Unmet {
    /// An unmet need, in words that complete "skipped: ".
    pub fn new(reason: impl Display) -> Self {
        Self(reason.to_string())
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

/// What a test returns that panics where it fails.
pub type Outcome = Result<(), Unmet>;

/// States a need of the running test. Returns [`Unmet`] with this reason if the need is unmet.
pub fn require(met: bool, reason: impl Display) -> Outcome {
    if met { Ok(()) } else { Err(Unmet::new(reason)) }
}

/// A trial that is ignored where the test finds a need unmet.
pub fn trial(name: impl Into<String>, test: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    fallible(name, || Ok(test()))
}

/// The trials of a test program: `tests! { module: test test; module: test; }`. Each is named
/// `module::test`.
#[macro_export]
macro_rules! tests {
    ($($module:ident: $($test:ident)*;)*) => {
        vec![$($($crate::needs::trial(
            concat!(stringify!($module), "::", stringify!($test)),
            $module::$test,
        ),)*)*]
    };
}

/// As [`trial`], for a test that returns its failure.
pub fn fallible(
    name: impl Into<String>,
    test: impl FnOnce() -> Result<Outcome, Failed> + Send + 'static,
) -> Trial {
    let name = name.into();
    let named = name.clone();
    Trial::ignorable_test(name, move || {
        let Err(unmet) = test()? else {
            return Ok(Completion::Completed);
        };
        let in_ci = env::var_os("CI").is_some_and(|ci| !ci.is_empty());
        let allowed = env::var("SOGLIA_TEST_ALLOW_SKIP").unwrap_or_default();
        if in_ci && !allows(&allowed, &named) {
            let reason = unmet.reason();
            return Err(format!("{reason}; under CI only allowed tests may be skipped").into());
        }
        Ok(Completion::ignored_with(unmet.reason()))
    })
}

/// Whether this list of names allows a test to be skipped.
fn allows(list: &str, test: &str) -> bool {
    list.split_whitespace().any(|allowed| {
        test.strip_prefix(allowed)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn a_name_allows_itself_and_what_continues_it() {
        let list = "web::handlers disks";
        for allowed in [
            "web::handlers",
            "web::handlers::9.0.7",
            "disks::full",
            "disks",
        ] {
            assert!(allows(list, allowed), "{allowed}");
        }
        for other in ["web", "web::handlers_of", "diskss", "x::disks", ""] {
            assert!(!allows(list, other), "{other}");
            assert!(!allows("", other), "{other}");
        }
    }
}
