//! Deadlines: how long calls of native functions may take, and what the engine does when one takes
//! longer.
//!
//! The first deadline decides whose glob matches a target, and all others with the same glob apply
//! too. So exceptions come first, and one target can be reported early and killed late. A call
//! misses a deadline again at twice, four times, eight times its length and so on, as long as the
//! call lasts.

use std::{fmt, str::FromStr, time::Duration};

use crate::policy::{Glob, GlobError};

/// How long calls of some targets may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The targets.
    pub target: Glob,
    /// How long a call may take. Never zero.
    pub after: Duration,
    /// What the engine does when a call takes longer.
    pub action: Action,
    /// The text that the user wrote, for messages.
    pub text: String,
}

/// What the engine does about a call that misses its deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// It reports the call.
    #[default]
    Report = 0,
    /// It reports the call, and for the first one it also writes a core dump of the process.
    Dump = 1,
    /// It reports the call, and ends the process.
    Kill = 2,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Report, Self::Dump, Self::Kill];

    /// The word for it in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Dump => "dump",
            Self::Kill => "kill",
        }
    }

    /// The action with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The action with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|action| *action as u32 == number)
    }
}

/// As the option is written, with quotes: `deadline 'libc!read=5s:kill'`.
impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deadline '{}'", self.text)
    }
}

/// The indices of the deadlines that apply to calls of this target, named as its `DllImport` names
/// it.
pub fn of(deadlines: &[Deadline], library: &str, entry: &str) -> Vec<usize> {
    let first = deadlines.iter().find(|d| d.target.matches(library, entry));
    let same = |first: &Deadline| {
        let all = deadlines.iter().enumerate();
        let same = all.filter(|(_, other)| other.target == first.target);
        same.map(|(index, _)| index).collect()
    };
    first.map(same).unwrap_or_default()
}

/// How long a call may neither return nor call back before it is reported, whatever its target.
///
/// It is for targets without a deadline, and each call is reported once. As text, which the tool
/// hands to the engine in an environment variable: nanoseconds, a space, and what the user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// How long. Never zero.
    pub after: Duration,
    /// As the user wrote it: `10s`.
    pub text: String,
}

/// What the text of [`Stuck::rule`] begins with. No deadline does: its text has a `=`.
const STUCK: &str = "--stuck ";

impl Stuck {
    /// The text among those of the recording's deadlines.
    pub fn rule(&self) -> String {
        format!("{STUCK}{}", self.text)
    }

    /// Whether a text among those of a recording's deadlines is from [`Stuck::rule`].
    pub fn is_rule(text: &str) -> bool {
        text.starts_with(STUCK) && !text.contains('=')
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.after.as_nanos(), self.text)
    }
}

impl FromStr for Stuck {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let (after, text) = text.split_once(' ').ok_or(DecodeError::Version)?;
        let after = u64::from_str(after).ok().filter(|after| *after > 0);
        Ok(Self {
            after: Duration::from_nanos(after.ok_or(DecodeError::Version)?),
            text: text.to_owned(),
        })
    }
}

const FIRST_LINE: &str = "soglia-deadlines 1";

/// Why a text holds no deadlines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin like a text of deadlines.
    #[error("they are not deadlines of this version of soglia")]
    Version,
    /// A line is not a deadline.
    #[error("line {0} is not a deadline")]
    Line(usize),
    /// A target is not a glob.
    #[error("line {0}: {1}")]
    Target(usize, GlobError),
}

/// Deadlines as text, which the tool hands to the engine in an environment variable: a line with
/// the version, then a line for each deadline, whose fields are separated by tabs.
pub fn encode(deadlines: &[Deadline]) -> String {
    let lines = deadlines.iter().map(|d| {
        // Users write a deadline in one line, and a glob has no control characters.
        let text = d.text.replace(char::is_control, " ");
        let (target, after, action) = (&d.target, d.after.as_nanos(), d.action.name());
        format!("\n{target}\t{after}\t{action}\t{text}")
    });
    std::iter::once(FIRST_LINE.to_owned())
        .chain(lines)
        .collect()
}

/// Reads what [`encode`] has written. Accepts any text.
///
/// # Errors
/// If the text is anything else.
pub fn decode(text: &str) -> Result<Vec<Deadline>, DecodeError> {
    let mut lines = (1..).zip(text.split('\n'));
    if lines.next().map(|(_, line)| line) != Some(FIRST_LINE) {
        return Err(DecodeError::Version);
    }
    lines
        .map(|(number, line)| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [target, after, action, text] = fields[..] else {
                return Err(DecodeError::Line(number));
            };
            let after = u64::from_str(after).ok().filter(|after| *after > 0);
            let (Some(after), Some(action)) = (after, Action::named(action)) else {
                return Err(DecodeError::Line(number));
            };
            Ok(Deadline {
                target: target.parse().map_err(|e| DecodeError::Target(number, e))?,
                after: Duration::from_nanos(after),
                action,
                text: text.to_owned(),
            })
        })
        .collect()
}

/// How long a call must be open to be reported next, if it is open for `open` and was not reported
/// since: the next of 1, 2, 4, ... times its deadline that lies ahead. Both are in the same unit.
/// The deadline must not be zero.
pub fn next_after(deadline: u64, open: u64) -> u64 {
    let mut next = deadline.max(1);
    while next <= open {
        next = next.saturating_mul(2);
        if next == u64::MAX {
            break;
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline(target: &str, ms: u64, action: Action) -> Deadline {
        Deadline {
            target: target.parse().unwrap(),
            after: Duration::from_millis(ms),
            action,
            text: format!("{target}={ms}ms:{}", action.name()),
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let all = vec![
            deadline("libc!read", 5000, Action::Report),
            deadline("*", 1, Action::Dump),
            deadline("/opt/a b*!x", u64::from(u32::MAX), Action::Kill),
        ];
        assert_eq!(decode(&encode(&all)), Ok(all));
        assert_eq!(decode(&encode(&[])), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_deadline_is_refused() {
        assert_eq!(decode(""), Err(DecodeError::Version));
        for line in [
            "x",
            "x\t1\treport",
            "x\t0\treport\tx",
            "x\t-1\treport\tx",
            "x\t1\tstop\tx",
            "x\t1\tkill\tx\ty",
            "",
        ] {
            let text = format!("{FIRST_LINE}\n{line}");
            assert_eq!(decode(&text), Err(DecodeError::Line(2)), "{line}");
        }
        let text = format!("{FIRST_LINE}\na!b!c\t1\tkill\tx");
        assert!(matches!(decode(&text), Err(DecodeError::Target(2, _))));
    }

    #[test]
    fn what_is_stuck_is_handed_over_as_text() {
        let stuck = Stuck {
            after: Duration::from_millis(1500),
            text: "1s 500ms".into(),
        };
        assert_eq!(stuck.to_string(), "1500000000 1s 500ms");
        assert_eq!(stuck.to_string().parse(), Ok(stuck.clone()));
        for bad in ["", "10s", "0 0s", "-1 x", "x y"] {
            assert_eq!(bad.parse::<Stuck>(), Err(DecodeError::Version), "{bad}");
        }
        assert!(Stuck::is_rule(&stuck.rule()));
        // A glob may have such characters.
        assert!(!Stuck::is_rule("--stuck *=10s") && !Stuck::is_rule("*=10s"));
    }

    #[test]
    fn the_first_glob_that_matches_decides() {
        let all = [
            deadline("libc!epoll_wait", 3_600_000, Action::Report),
            deadline("libc!*", 1000, Action::Report),
            deadline("*", 10, Action::Report),
            deadline("libc!*", 60_000, Action::Kill),
        ];
        assert_eq!(of(&all, "libc", "epoll_wait"), [0]);
        assert_eq!(of(&all, "libc", "read"), [1, 3]);
        assert_eq!(of(&all, "libm", "sin"), [2]);
        assert_eq!(of(&all[..2], "libm", "sin"), [0; 0]);
    }

    #[test]
    fn it_is_missed_again_at_twice_its_length() {
        let next = |open| next_after(100, open);
        assert_eq!(
            [0, 99, 100, 199, 200, 399, 400].map(next),
            [100, 100, 200, 200, 400, 400, 800]
        );
        // A machine that slept has missed some of them. One report is enough.
        assert_eq!(next(100_000), 102_400);
        assert_eq!(next_after(3, u64::MAX), u64::MAX);
        assert_eq!(next_after(0, 0), 1);
    }
}
