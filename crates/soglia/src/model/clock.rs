//! The clock of a report.

use jiff::{Timestamp, tz::TimeZone};
use soglia_core::{
    time::Scale,
    trace::{ending::Ending, reader::Reader},
};

/// Turns ticks into nanoseconds since the start of the runtime, and knows when the report ends.
pub(super) struct Clock {
    pub(super) scale: Scale,
    pub(super) start: u64,
    /// Nanoseconds from the start until the process ended, or until the recording was read.
    pub(super) until: u64,
    /// Nanoseconds from the start to the begin of the window, if the report is about one.
    pub(super) from: Option<u64>,
    /// The process may have ended later than `until`.
    pub(super) at_least: bool,
    /// The time of day at the start.
    pub(super) wall: WallClock,
}

impl Clock {
    /// The clock of a report that ends there. `from`: where its window begins, if it has one.
    pub(super) fn of(reader: &Reader, ending: &Ending, from: Option<u64>) -> Self {
        Self {
            scale: reader.scale(),
            start: reader.start_ticks(),
            until: ending.ns,
            from,
            at_least: ending.at_least,
            wall: WallClock::of(reader),
        }
    }

    /// The duration of the run, or of the window.
    pub(super) fn duration(&self) -> u64 {
        self.until.saturating_sub(self.from.unwrap_or(0))
    }

    /// Nanoseconds since the start.
    pub(super) fn since_start(&self, ticks: u64) -> u64 {
        self.scale.ns(ticks.saturating_sub(self.start))
    }
}

/// The time of day of the moments of a recording.
///
/// It counts from the machine's clock when the recording was made. If somebody sets that clock
/// later, or if the machine sleeps, the time of day of what follows is wrong by as much.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    /// Nanoseconds from 1970 to the start of the runtime. `None` if the recording does not say.
    start_ns: Option<u64>,
}

impl WallClock {
    /// The clock of a recording.
    pub fn of(reader: &Reader) -> Self {
        let start_ns =
            Some(reader.wall_ns_at(reader.start_ticks())).filter(|_| reader.wall_ns() > 0);
        Self { start_ns }
    }

    /// Nanoseconds from 1970 to the start of the runtime. `None` if the recording does not say.
    pub const fn start_ns(self) -> Option<u64> {
        self.start_ns
    }

    fn at(self, t: u64) -> Option<Timestamp> {
        let ns = i128::from(self.start_ns?) + i128::from(t);
        Timestamp::from_nanosecond(ns).ok()
    }

    /// The time of day `t` nanoseconds after the start, as RFC 3339 has it, in UTC.
    pub fn utc(self, t: u64) -> Option<String> {
        Some(format!("{:.6}", self.at(t)?))
    }

    /// The time of day so long before that, as RFC 3339 has it, in UTC.
    pub(super) fn utc_before(self, t: u64, long: u64) -> Option<String> {
        let ns = i128::from(self.start_ns?) + i128::from(t) - i128::from(long);
        Some(format!("{:.6}", Timestamp::from_nanosecond(ns).ok()?))
    }

    /// The time of day `t` nanoseconds after the start in the time zone of this machine, as in
    /// `18:42:11.280`. If it is not the day of the start, the date is in front.
    pub fn local(self, t: u64) -> Option<String> {
        let zone = TimeZone::system();
        let start = self.at(0)?.to_zoned(zone.clone());
        let then = self.at(t)?.to_zoned(zone);
        let format = match start.date() == then.date() {
            true => "%H:%M:%S%.3f",
            false => "%Y-%m-%d %H:%M:%S%.3f",
        };
        Some(then.strftime(format).to_string())
    }

    /// A span of time in the time zone of this machine, as in
    /// `2026-11-28 18:42:11 to 18:42:41 +01:00`. Without an end, that of the begin alone.
    pub fn span(self, from: u64, until: Option<u64>) -> Option<String> {
        let zone = TimeZone::system();
        let from = self.at(from)?.to_zoned(zone.clone());
        let mut text = from.strftime("%Y-%m-%d %H:%M:%S").to_string();
        if let Some(until) = until {
            let until = self.at(until)?.to_zoned(zone);
            let format = match from.date() == until.date() {
                true => " to %H:%M:%S",
                false => " to %Y-%m-%d %H:%M:%S",
            };
            text += &until.strftime(format).to_string();
        }
        Some(text + &from.strftime(" %:z").to_string())
    }

    /// The time of day so long before `t`, as in `18:42:11`. If it is not the day of the start, the
    /// date is in front.
    pub fn before(self, t: u64, long: u64) -> Option<String> {
        let zone = TimeZone::system();
        let start = self.at(0)?.to_zoned(zone.clone());
        let ns = i128::from(self.start_ns?) + i128::from(t) - i128::from(long);
        let then = Timestamp::from_nanosecond(ns).ok()?.to_zoned(zone);
        let format = match start.date() == then.date() {
            true => "%H:%M:%S",
            false => "%Y-%m-%d %H:%M:%S",
        };
        Some(then.strftime(format).to_string())
    }

    /// Date, time and time zone of the start, as in `2026-11-28 18:42:11 +01:00`.
    pub fn local_start(self) -> Option<String> {
        let start = self.at(0)?.to_zoned(TimeZone::system());
        Some(start.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_a_time_of_day() {
        let start_ns = Some(1_700_000_000_123_456_789);
        let clock = WallClock { start_ns };
        assert_eq!(clock.utc(0).as_deref(), Some("2023-11-14T22:13:20.123456Z"));
        assert_eq!(
            clock.utc(876_543_211).as_deref(),
            Some("2023-11-14T22:13:21.000000Z")
        );
        // A recording can hold any number.
        let late = WallClock {
            start_ns: Some(u64::MAX),
        };
        assert_eq!(late.utc(u64::MAX).map(|text| text.len()), Some(27));
        assert_eq!(WallClock::default().utc(1), None);
        assert_eq!(WallClock::default().local(1), None);
    }
}
