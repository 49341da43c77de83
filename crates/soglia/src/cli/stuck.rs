//! The option `--stuck`.

use std::time::Duration;

use clap::Args;
use soglia_core::deadline;

/// What holds without the option.
const DEFAULT: Stuck = Stuck(Some(Duration::from_secs(10)));

#[derive(Debug, Args)]
pub struct StuckOption {
    /// Report a native call that neither returns nor calls back for DURATION, once, while it lasts;
    /// `off` reports none [default: 10s].
    #[arg(long, value_name = "DURATION", value_parser = stuck, conflicts_with = "counts")]
    stuck: Option<Stuck>,
}

#[derive(Clone, Copy, Debug)]
struct Stuck(Option<Duration>);

impl StuckOption {
    /// What the engine is to do. With `counts`, it does not know when calls began.
    pub fn asked(&self, counts: bool) -> Option<deadline::Stuck> {
        let Stuck(after) = self.stuck.unwrap_or(DEFAULT);
        let after = after.filter(|_| !counts)?;
        Some(deadline::Stuck {
            after,
            text: humantime::format_duration(after).to_string(),
        })
    }

    /// Whether to say on standard error what the engine finds. A user who wants quiet, and did not
    /// ask for this, reads it in the report.
    pub const fn is_said(&self, quiet: bool) -> bool {
        self.stuck.is_some() || !quiet
    }
}

fn stuck(text: &str) -> Result<Stuck, String> {
    if text == "off" {
        return Ok(Stuck(None));
    }
    let after = humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 10s or 1m, or off")?;
    let fits = u64::try_from(after.as_nanos()).is_ok();
    if after < Duration::from_millis(1) || !fits {
        return Err("expected a duration of at least 1ms, or off".into());
    }
    Ok(Stuck(Some(after)))
}
