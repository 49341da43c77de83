//! `--fail-on`: conditions under which a comparison fails.

use std::str::FromStr;

use soglia_core::policy::{Glob, GlobError};

use super::outcome::{Change, DiffTarget, Measure};
use crate::text::{count, time};

/// `[GLOB:]MEASURE>VALUE`, as in `p99>+20%`, `failed>0` or `sqlite3_*:total>+50ms`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    target: Option<Glob>,
    measure: Measure,
    /// Whether the measure has to be above the bound, or below it.
    above: bool,
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// The number in B.
    Value(u64),
    /// The change from A to B, in percent.
    Percent(f64),
    /// The change from A to B.
    Difference(i128),
}

/// Why a text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// It has no `>` and no `<`.
    #[error(
        "expected [TARGET:]MEASURE>VALUE, such as 'p99>+20%', 'failed>0' or 'libz!*:total>+50ms'"
    )]
    Form,
    /// There is no such measure.
    #[error(
        "there is no measure {0:?}: choose one of calls, failed, denied, open, total, self, mean, p50, p90, p99, max"
    )]
    Measure(String),
    /// The value is not one of that measure.
    #[error("{0:?} is no value for {1}: write {2}")]
    Value(String, &'static str, &'static str),
    /// The part before the colon is not a glob.
    #[error("{0:?}: {1}")]
    Target(String, GlobError),
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let at = text.rfind(['<', '>']).ok_or(ConditionError::Form)?;
        let (left, right) = (text[..at].trim(), text[at + 1..].trim());
        let (target, measure) = match left.rsplit_once(':') {
            Some((target, measure)) => (Some(target.trim()), measure.trim()),
            None => (None, left),
        };
        let target = target
            .map(|glob| {
                let error = |error| ConditionError::Target(glob.to_owned(), error);
                glob.parse().map_err(error)
            })
            .transpose()?;
        let named = Measure::ALL.into_iter().find(|m| m.name() == measure);
        let measure = named.ok_or_else(|| ConditionError::Measure(measure.to_owned()))?;
        Ok(Self {
            text: text.to_owned(),
            target,
            measure,
            above: text[at..].starts_with('>'),
            bound: Bound::parse(right, measure)?,
        })
    }
}

impl Bound {
    fn parse(text: &str, measure: Measure) -> Result<Self, ConditionError> {
        let error = || {
            let form = if measure.is_time() {
                "a change such as +20% or +50ms, or a duration such as 5ms"
            } else {
                "a change such as +20% or +100, or a number"
            };
            ConditionError::Value(text.to_owned(), measure.name(), form)
        };
        let (sign, digits) = match text.strip_prefix('+') {
            Some(digits) => (Some(1), digits),
            None => match text.strip_prefix('-') {
                Some(digits) => (Some(-1), digits),
                None => (None, text),
            },
        };
        if let Some(percent) = digits.strip_suffix('%') {
            let percent: f64 = percent.trim().parse().map_err(|_| error())?;
            if !percent.is_finite() || percent < 0.0 {
                return Err(error());
            }
            return Ok(Self::Percent(percent * f64::from(sign.unwrap_or(1))));
        }
        let value = if measure.is_time() && digits != "0" {
            let time = humantime::parse_duration(digits).map_err(|_| error())?;
            u64::try_from(time.as_nanos()).map_err(|_| error())?
        } else {
            digits.parse().map_err(|_| error())?
        };
        Ok(match sign {
            Some(sign) => Self::Difference(i128::from(value) * i128::from(sign)),
            None => Self::Value(value),
        })
    }
}

impl Condition {
    /// A sentence about a target for which the condition holds.
    pub(super) fn holds(&self, target: &DiffTarget) -> Option<String> {
        if !self.is_about(target) {
            return None;
        }
        let change = target.change(self.measure)?;
        let holds = self.is_met(change);
        let value = |ns: Option<u64>| match ns {
            None => "none".to_owned(),
            Some(ns) if self.measure.is_time() => time(ns),
            Some(n) => count(n),
        };
        holds.then(|| {
            format!(
                "{}: {} {} went from {} to {}",
                self.text,
                target.target,
                self.measure.name(),
                value(change.a),
                value(change.b),
            )
        })
    }

    fn is_about(&self, target: &DiffTarget) -> bool {
        let Some(glob) = &self.target else {
            return true;
        };
        let matches = |library: &Option<String>, name: &Option<String>| {
            let name = name.as_deref();
            name.is_some_and(|name| glob.matches(library.as_deref().unwrap_or_default(), name))
        };
        matches(&target.library, &target.entry) || matches(&target.assembly, &target.method)
    }

    fn is_met(&self, change: &Change) -> bool {
        let is_past = |value: f64, bound: f64| {
            if self.above {
                value > bound
            } else {
                value < bound
            }
        };
        match self.bound {
            Bound::Value(bound) => change
                .b
                .is_some_and(|b| if self.above { b > bound } else { b < bound }),
            Bound::Difference(bound) => change.a.zip(change.b).is_some_and(|(a, b)| {
                let difference = i128::from(b) - i128::from(a);
                if self.above {
                    difference > bound
                } else {
                    difference < bound
                }
            }),
            // A percentage of a duration says something only if the change is no chance.
            Bound::Percent(_) if self.measure.is_time() && !change.is_significant => false,
            Bound::Percent(bound) => match (change.a, change.b) {
                (Some(0), Some(b)) => b > 0 && self.above,
                _ => change
                    .percent
                    .is_some_and(|percent| is_past(percent, bound)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::noise::Certainty;
    use super::*;

    fn target(measure: Measure, a: Option<u64>, b: Option<u64>, significant: bool) -> DiffTarget {
        DiffTarget {
            verdicts: Vec::new(),
            direction: "forward".into(),
            target: "e_sqlite3!sqlite3_step".into(),
            method: Some("Raw.Step".into()),
            assembly: Some("SQLitePCLRaw".into()),
            library: Some("e_sqlite3".into()),
            entry: Some("sqlite3_step".into()),
            at_stake_ns: 0,
            changes: vec![Change {
                measure,
                a,
                b,
                percent: a
                    .zip(b)
                    .and_then(|(a, b)| super::super::noise::percent(a, b)),
                certainty: Certainty::Changed,
                is_significant: significant,
            }],
        }
    }

    #[test]
    fn conditions_hold_past_their_bounds() {
        let at = |text: &str, a: u64, b: u64| {
            let condition: Condition = text.parse().unwrap();
            let target = target(condition.measure, Some(a), Some(b), true);
            condition.holds(&target).is_some()
        };
        for (text, a, below, past) in [
            ("p99>+20%", 1000, 1200, 1201),
            ("p99 > 20%", 1000, 1200, 1201),
            ("total>+50ms", 1000, 50_001_000, 50_001_001),
            ("calls>+10%", 100, 110, 111),
            ("failed>0", 0, 0, 1),
            ("mean>5us", 0, 5000, 5001),
            ("calls<-10%", 100, 90, 89),
            ("open>+2", 3, 5, 6),
            ("sqlite3_*:max>1ms", 0, 1_000_000, 1_000_001),
            ("libe_sqlite3.so!*:max>1ms", 0, 1_000_000, 1_000_001),
            ("Raw.*:max>1ms", 0, 1_000_000, 1_000_001),
        ] {
            assert!(!at(text, a, below), "{text}");
            assert!(at(text, a, past), "{text}");
        }
        assert!(!at("libz!*:max>1ms", 0, u64::MAX));
        assert!(at("calls>+10%", 0, 1), "a new target has more calls");
        assert!(!at("calls>+10%", 0, 0));
    }

    #[test]
    fn a_percentage_of_a_duration_holds_only_beyond_chance() {
        let target = |certain| target(Measure::P99, Some(100), Some(1000), certain);
        let percent: Condition = "p99>+20%".parse().unwrap();
        assert!(percent.holds(&target(false)).is_none());
        assert_eq!(
            percent.holds(&target(true)).as_deref(),
            Some("p99>+20%: e_sqlite3!sqlite3_step p99 went from 100 ns to 1.00 µs")
        );
        let amount: Condition = "p99>+500ns".parse().unwrap();
        assert!(amount.holds(&target(false)).is_some());
    }

    #[test]
    fn other_texts_are_refused_with_the_way_out() {
        for (text, part) in [
            ("p99", "expected [TARGET:]MEASURE>VALUE"),
            ("p98>1ms", "there is no measure \"p98\""),
            ("p99>soon", "a duration such as 5ms"),
            ("calls>1ms", "or a number"),
            ("calls>-x%", "or a number"),
            ("a!b!c:calls>1", "more than one '!'"),
            ("p99>infinity%", "no value for p99"),
        ] {
            let error = text.parse::<Condition>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
