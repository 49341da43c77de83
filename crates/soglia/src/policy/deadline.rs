//! Deadlines as they are written: in options and in policy files.

use std::time::Duration;

use soglia_core::{
    deadline::{Action, Deadline},
    policy::Glob,
};

/// What a deadline must be.
const EXPECTED: &str =
    "expected GLOB=DURATION or GLOB=DURATION:ACTION, such as 'libc!read=5s' or 'libc!read=1m:kill'";

/// Reads a deadline as an option has it: `GLOB=DURATION[:ACTION]`.
///
/// # Errors
/// What is wrong with the text.
pub fn deadline(text: &str) -> Result<Deadline, String> {
    let (target, rest) = text.rsplit_once('=').ok_or(EXPECTED)?;
    let (after, action) = match rest.split_once(':') {
        Some((after, action)) => (after, Some(action)),
        None => (rest, None),
    };
    made(
        target.parse().map_err(|error| format!("{error}"))?,
        after,
        action,
    )
}

/// Makes a deadline of its parts, as they are written.
///
/// # Errors
/// What is wrong with one of the parts.
pub fn made(target: Glob, after: &str, action: Option<&str>) -> Result<Deadline, String> {
    Ok(Deadline {
        after: self::after(after)?,
        action: match action {
            Some(action) => self::action(action)?,
            None => Action::default(),
        },
        text: match action {
            Some(action) => format!("{target}={after}:{action}"),
            None => format!("{target}={after}"),
        },
        target,
    })
}

/// Reads how long calls may take.
///
/// # Errors
/// If `text` is no duration, or one of less than a millisecond.
pub fn after(text: &str) -> Result<Duration, String> {
    let after = humantime::parse_duration(text)
        .map_err(|_| format!("'{text}' is no duration: write one such as 500ms, 5s or 1m"))?;
    if after < Duration::from_millis(1) {
        return Err(format!(
            "'{text}' is too short: a deadline has at least 1ms"
        ));
    }
    Ok(after)
}

/// Reads what is done about a call that takes longer.
///
/// # Errors
/// If `text` is no action.
pub fn action(text: &str) -> Result<Action, String> {
    Action::named(text).ok_or_else(|| {
        let known = Action::ALL.map(Action::name).join(", ");
        format!("'{text}' is no action: there are {known}")
    })
}

/// The first deadline that repeats the target and the action of one before it.
/// A target may have one deadline for each action.
pub fn repeated(deadlines: &[Deadline]) -> Option<&Deadline> {
    deadlines.iter().enumerate().find_map(|(n, deadline)| {
        let same =
            |other: &Deadline| other.target == deadline.target && other.action == deadline.action;
        deadlines[..n].iter().any(same).then_some(deadline)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given() {
        let given = |text: &str| deadline(text).map(|d| (d.target.to_string(), d.after, d.action));
        let ms = Duration::from_millis;
        assert_eq!(
            given("libc!read=5s"),
            Ok(("libc!read".into(), ms(5000), Action::Report))
        );
        assert_eq!(
            given("a=b!*=1m 500ms:kill"),
            Ok(("a=b!*".into(), ms(60_500), Action::Kill))
        );
        assert_eq!(given("*=1ms:dump"), Ok(("*".into(), ms(1), Action::Dump)));
        for (bad, said) in [
            ("libc!read", "GLOB=DURATION"),
            ("libc!read=", "'' is no duration"),
            ("libc!read=5", "'5' is no duration"),
            ("libc!read=off", "'off' is no duration"),
            ("libc!read=0s", "'0s' is too short"),
            ("libc!read=10us", "'10us' is too short"),
            (
                "libc!read=5s:stop",
                "'stop' is no action: there are report, dump, kill",
            ),
            ("libc!read=5s:", "'' is no action"),
            ("=5s", "LIBRARY!ENTRY"),
            ("libc![a-z]=5s", "'[' has no meaning here"),
        ] {
            let error = given(bad).unwrap_err();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }

    #[test]
    fn one_action_twice_is_once_too_often() {
        let all = |texts: &[&str]| -> Vec<Deadline> {
            texts.iter().map(|text| deadline(text).unwrap()).collect()
        };
        let fine = all(&["a=5s", "a=1m:kill", "b=5s", "*=1s"]);
        assert_eq!(repeated(&fine), None);
        let twice = all(&["a=5s", "b=5s", "a=7s:report"]);
        assert_eq!(repeated(&twice), Some(&twice[2]));
    }
}
