//! What is recorded, how much of it, and where: options of `run` and `attach`.

use std::{path::PathBuf, time::Duration};

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use soglia_core::trace::writer::{Level, MIN_BYTES, Options, Sampling};

use super::{arguments::ArgumentOptions, stuck::StuckOption};

#[derive(Debug, Args)]
pub struct Recorded {
    /// Keep the recording in this file, or in a new file in this folder.
    #[arg(short, long, value_name = "FILE|FOLDER/")]
    pub output: Option<PathBuf>,
    /// What to record.
    #[arg(long, value_enum, default_value_t = Record::Summary)]
    pub record: Record,
    /// How to time calls: each one; by sample, which costs a fourth, and times every long call; or
    /// none, which only counts [default: sampled, or exact with --record events, with --source
    /// transitions, and with --slow below 200us].
    #[arg(long, value_enum, value_name = "HOW")]
    pub times: Option<Times>,
    /// The same as --times off.
    #[arg(long, conflicts_with_all = ["record", "times"])]
    pub counts: bool,
    /// With --times sampled: how often the clock ticks that finds long calls. A call that lasts for
    /// two ticks is always timed.
    #[arg(long, value_name = "DURATION", default_value = "1ms", value_parser = clock)]
    pub clock: Duration,
    /// With --times sampled: the part of the run that timing short calls may take.
    #[arg(long, value_name = "PERCENT", default_value = "1%", value_parser = budget)]
    pub budget: u32,
    /// Keep the managed stacks of native calls that take at least this long; `off` keeps none.
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = duration)]
    pub slow: Duration,
    #[command(flatten)]
    pub stuck: StuckOption,
    #[command(flatten)]
    pub arguments: ArgumentOptions,
    /// Limit the size of a recording.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub max_size: u64,
}

impl Recorded {
    /// The same as the recording's file says it. `each`: each call has to be timed, unless none is.
    pub fn options(&self, each: bool) -> Options {
        Options {
            level: match self.record {
                _ if self.counts() => Level::Counts,
                Record::Events => Level::Events,
                Record::Summary => Level::Summary,
            },
            max_bytes: self.max_size,
            slow_ns: self.slow.as_nanos().try_into().unwrap_or(u64::MAX),
            sampling: self.sampling().filter(|_| !each),
        }
    }

    /// How calls are timed.
    fn how(&self) -> Times {
        match self.times {
            _ if self.counts => Times::Off,
            Some(times) => times,
            None if self.record == Record::Events || self.is_slow_too_short() => Times::Exact,
            None => Times::Sampled,
        }
    }

    /// Whether calls are only counted.
    pub fn counts(&self) -> bool {
        self.how() == Times::Off
    }

    /// Whether it was asked for that calls are timed by sample.
    pub fn asks_for_samples(&self) -> bool {
        self.times == Some(Times::Sampled)
    }

    /// Whether calls of `--slow` may last for less than two ticks of the fastest clock.
    fn is_slow_too_short(&self) -> bool {
        !self.slow.is_zero() && self.slow < SHORTEST_CLOCK * 2
    }

    /// A call of `--slow` lasts for two ticks of the clock.
    fn sampling(&self) -> Option<Sampling> {
        let longest = if self.slow.is_zero() {
            self.clock
        } else {
            self.clock.min(self.slow / 2)
        };
        (self.how() == Times::Sampled).then(|| Sampling {
            clock_ns: longest.max(SHORTEST_CLOCK).as_nanos() as u32,
            budget_ppm: self.budget,
        })
    }

    /// Checks that options go together.
    ///
    /// # Errors
    /// What to change.
    pub fn check(&self) -> Result<(), String> {
        if self.record == Record::Events && matches!(self.times, Some(Times::Sampled | Times::Off))
        {
            return Err("--record events needs each call timed: leave out --times".into());
        }
        if self.how() == Times::Sampled && self.is_slow_too_short() {
            return Err(format!(
                "--slow {} is too short for --times sampled: take {} or more, or --times exact",
                humantime::format_duration(self.slow),
                humantime::format_duration(SHORTEST_CLOCK * 2)
            ));
        }
        Ok(())
    }
}

/// The fastest that the clock may tick: each tick wakes a thread up.
const SHORTEST_CLOCK: Duration = Duration::from_micros(100);
/// The slowest.
const LONGEST_CLOCK: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Times {
    /// Each call, exactly.
    Exact,
    /// Long calls, and a sample of the others.
    Sampled,
    /// None.
    Off,
}

fn clock(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| "expected a duration such as 1ms or 250us")?;
    if !(SHORTEST_CLOCK..=LONGEST_CLOCK).contains(&duration) {
        return Err("expected a duration from 100us up to 1s".into());
    }
    Ok(duration)
}

fn budget(text: &str) -> Result<u32, String> {
    let percent = text.trim_end().trim_end_matches('%').trim_end();
    let percent: f64 = percent
        .parse()
        .map_err(|_| "expected a part of the run such as 1% or 0.2%")?;
    if !(0.01..=100.0).contains(&percent) {
        return Err("expected a part of the run from 0.01% up to 100%".into());
    }
    Ok((percent * 10_000.0).round() as u32)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Record {
    /// Counters and times of each target on each thread.
    Summary,
    /// Also each crossing: 4 to 6 bytes.
    Events,
}

fn duration(text: &str) -> Result<Duration, String> {
    if text == "off" {
        return Ok(Duration::ZERO);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 5ms, 1.5s or off")?;
    if duration.is_zero() {
        return Err("0 would make every call slow: off turns it off".into());
    }
    Ok(duration)
}

fn size(text: &str) -> Result<u64, String> {
    let size = text
        .parse::<ByteSize>()
        .map_err(|_| "expected a size such as 64MiB or 2GiB".to_owned())?;
    if size.as_u64() < MIN_BYTES {
        return Err(format!("at least {}", ByteSize(MIN_BYTES)));
    }
    Ok(size.as_u64())
}
