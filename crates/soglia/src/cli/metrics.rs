//! Figures for those who collect metrics, while a program runs: options of `run` and `attach`.

use std::{
    path::Path,
    sync::{Arc, Mutex, TryLockError},
};

use anyhow::Context;
use clap::Args;
use soglia::{
    dotnet::Lookup,
    metrics::{Endpoint, Keeper, OTHER, Serving},
    opened::Opened,
    otlp::{Exporter, Settings},
    text,
};

use super::complain::complain;

#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics (docs/metrics.md)")]
pub struct MetricsOptions {
    /// Answer Prometheus while the program runs: at HOST:PORT, or at this port of this machine.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
    /// Send metrics, and spans of slow, failed and denied calls, to this OpenTelemetry collector;
    /// `env` takes the endpoints that OTEL_EXPORTER_OTLP_ENDPOINT and its kin name.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// Give this many targets series of their own; the others are summed up in `other`.
    #[arg(long, value_name = "N", default_value_t = 500)]
    metrics_targets: u32,
}

/// What was asked for, checked before a program starts.
pub struct Prepared {
    endpoint: Option<Endpoint>,
    otlp: Option<Settings>,
    most: usize,
}

impl MetricsOptions {
    /// Takes the address. From here on others can connect, and wait. `variables` are those of
    /// OpenTelemetry.
    ///
    /// # Errors
    /// If it is no address, or another process has it; if nothing can be sent to the URL.
    pub fn prepare(&self, variables: Lookup<'_>) -> anyhow::Result<Prepared> {
        let read = |url: &String| Settings::read(url, variables);
        let bind = |address: &String| {
            Endpoint::bind(address).with_context(|| format!("cannot answer at --metrics {address}"))
        };
        Ok(Prepared {
            otlp: self.otlp.as_ref().map(read).transpose()?,
            endpoint: self.metrics.as_ref().map(bind).transpose()?,
            most: self.metrics_targets as usize,
        })
    }
}

impl Prepared {
    /// Answers and sends from now on. To be called when the program runs: then signals are for it.
    /// `for_people`: standard error has more than a report in another format.
    ///
    /// The program runs already, so trouble is only said.
    pub fn start(self, recording: &Path, for_people: bool) -> Metrics {
        let mut metrics = Metrics {
            keeper: None,
            serving: None,
            exporter: None,
            for_people,
            said_cut: 0,
        };
        if self.endpoint.is_none() && self.otlp.is_none() {
            return metrics;
        }
        let keeper = match Opened::new(recording) {
            Ok(opened) => Arc::new(Mutex::new(Keeper::new(opened, self.most))),
            Err(error) => {
                complain(&format!(
                    "there are no metrics: cannot read the recording: {error}"
                ));
                return metrics;
            }
        };
        metrics.keeper = Some(Arc::clone(&keeper));
        if let Some(endpoint) = self.endpoint {
            let at = endpoint.at();
            match endpoint.serve(Arc::clone(&keeper)) {
                Ok(serving) => {
                    metrics.serving = Some(serving);
                    metrics.say(&format!("metrics are at http://{at}/metrics"));
                }
                Err(error) => complain(&format!("no metrics are at http://{at}/metrics: {error}")),
            }
        }
        if let Some(settings) = self.otlp {
            match Exporter::start(settings, keeper, || Opened::new(recording)) {
                Ok(exporter) => metrics.exporter = Some(exporter),
                Err(error) => complain(&format!("otlp: nothing is sent: {error}")),
            }
        }
        metrics
    }
}

/// What answers and sends while the program runs.
pub struct Metrics {
    keeper: Option<Arc<Mutex<Keeper>>>,
    serving: Option<Serving>,
    exporter: Option<Exporter>,
    for_people: bool,
    /// How many targets were said to have no series of their own.
    said_cut: u64,
}

impl Metrics {
    /// Says what is new, once.
    pub fn look(&mut self) {
        if self.said_cut == 0 {
            self.say_cut();
        }
        let news = self.exporter.iter().flat_map(Exporter::news);
        news.for_each(|line| self.say(&line));
    }

    /// The program has ended: nothing more is answered, and the last of it is sent.
    pub fn end(&mut self) {
        self.serving = None;
        if let Some(exporter) = &self.exporter {
            exporter.end();
        }
    }

    /// Waits until the last of it is sent, for a few seconds. Says what was given up.
    pub fn finish(mut self) {
        if let Some(exporter) = self.exporter.take() {
            exporter.finish().iter().for_each(|line| complain(line));
        }
        self.say_cut();
    }

    fn say(&self, line: &str) {
        if self.for_people {
            complain(&line);
        }
    }

    fn say_cut(&mut self) {
        let Some(keeper) = &self.keeper else {
            return;
        };
        // It is locked while it looks. Then there is time again in a moment.
        let cut = match keeper.try_lock() {
            Ok(keeper) => keeper.cut(),
            Err(TryLockError::Poisoned(keeper)) => keeper.into_inner().cut(),
            Err(TryLockError::WouldBlock) => return,
        };
        if cut > self.said_cut {
            self.said_cut = cut;
            self.say(&format!(
                "metrics: {} targets have no series of their own and are summed up in \"{OTHER}\" \
                 (--metrics-targets)",
                text::count(cut)
            ));
        }
    }
}
