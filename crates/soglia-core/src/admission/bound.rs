//! How many slots there are and how long tasks wait for one, as the tool tells the engine.

use std::{
    fmt,
    num::{NonZeroU16, ParseIntError},
    str::FromStr,
    time::Duration,
};

/// How many slots there are, and how long tasks wait for one. As text: `4`, or `4:2500000` with a
/// limit in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The number of slots.
    pub slots: NonZeroU16,
    /// How long a task waits at most; `None`: until it gets one.
    pub limit: Option<Duration>,
}

impl Bound {
    /// The limit in whole nanoseconds.
    pub fn limit_ns(&self) -> Option<u64> {
        let ns = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        self.limit.map(ns)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit_ns() {
            None => write!(to, "{}", self.slots),
            Some(ns) => write!(to, "{}:{ns}", self.slots),
        }
    }
}

impl FromStr for Bound {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (slots, ns) = match text.split_once(':') {
            Some((slots, ns)) => (slots, Some(ns.parse()?)),
            None => (text, None),
        };
        Ok(Self {
            slots: slots.parse()?,
            limit: ns.map(Duration::from_nanos),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_what_its_text_says() {
        for (slots, limit) in [
            (1, None),
            (7, Some(Duration::ZERO)),
            (u16::MAX, Some(Duration::from_millis(2500))),
        ] {
            let slots = NonZeroU16::new(slots).unwrap();
            let bound = Bound { slots, limit };
            assert_eq!(bound.to_string().parse(), Ok(bound));
        }
        for nonsense in ["", "0", "65536", "-1", "4:", "4:x", ":5", "4:5:6"] {
            assert!(nonsense.parse::<Bound>().is_err(), "{nonsense}");
        }
    }
}
