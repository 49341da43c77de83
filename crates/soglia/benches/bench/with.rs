//! The configurations that are compared.

use soglia_core::trace::writer::{Level, Sampling};

/// How a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum With {
    /// No profiler.
    Nothing,
    /// The engine with callbacks that return at once: what the CLR's notification itself costs.
    Floor,
    /// The engine, as `soglia run` uses it.
    Summary,
    /// The engine, as `soglia run --record events -o FILE` uses it.
    Events,
    /// `soglia run --quiet`, everything included.
    Tool,
    /// The engine, as `soglia run --source woven` uses it.
    Woven,
    /// The engine, as `soglia run --source woven --record events -o FILE` uses it.
    WovenEvents,
    /// The engine, as `soglia run --times sampled` uses it.
    Sampled,
    /// The engine, as `soglia run --source woven --counts` uses it.
    Counts,
    /// The engine, as `soglia run --source woven --skip '*!*'` uses it: it wraps nothing native.
    Skipped,
    /// The engine, as `soglia run --only nothing` uses it: no function has that name.
    NoneChosen,
    /// `uftrace record -P`.
    Peer,
    /// A host without a task manager.
    Hosted,
    /// A host that asks for no native function.
    HostedQuiet,
    /// A host that is notified of every crossing and does nothing.
    HostedNotified,
    /// A host that watches: events in a queue.
    HostedWatched,
}

impl With {
    /// The configurations that measure the engine itself.
    pub const ENGINE: [Self; 4] = [Self::Nothing, Self::Floor, Self::Summary, Self::Events];

    /// The word for it in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Floor => "floor",
            Self::Summary => "summary",
            Self::Events => "events",
            Self::Tool => "soglia run",
            Self::Woven => "woven",
            Self::WovenEvents => "woven, events",
            Self::Sampled => "woven, sampled",
            Self::Counts => "woven, counts",
            Self::Skipped => "woven, skipped",
            Self::NoneChosen => "woven, none chosen",
            Self::Peer => "uftrace",
            Self::Hosted => "host",
            Self::HostedQuiet => "host, not asking",
            Self::HostedNotified => "host, notified",
            Self::HostedWatched => "host, watching",
        }
    }

    /// How much the engine records, if it records.
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::Summary | Self::Woven | Self::Sampled | Self::Skipped | Self::NoneChosen => {
                Some(Level::Summary)
            }
            Self::Events | Self::WovenEvents => Some(Level::Events),
            Self::Counts => Some(Level::Counts),
            _ => None,
        }
    }

    /// How calls are timed, if by sample: as `soglia run` has it without further options.
    pub const fn sampling(self) -> Option<Sampling> {
        match self {
            Self::Sampled => Some(Sampling {
                clock_ns: 1_000_000,
                budget_ppm: 10_000,
            }),
            _ => None,
        }
    }

    /// Whether the engine learns of crossings from wrappers.
    pub const fn is_woven(self) -> bool {
        matches!(
            self,
            Self::Woven
                | Self::WovenEvents
                | Self::Sampled
                | Self::Counts
                | Self::Skipped
                | Self::NoneChosen
        )
    }
}
