//! What collectors of metrics get, look after look.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use soglia_core::trace::{names::Names, reader::ReadError};

use super::row::{Key, Row};
use crate::{
    model::{Figures, TargetRow},
    opened::Opened,
};

/// The name of the rows in which the targets without a row of their own are summed up. A function
/// has no such name: it would have that of its library in front.
pub const OTHER: &str = "other";

/// The figures of the process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// All that is known, without the targets.
    pub figures: Figures,
    /// When the runtime started, in nanoseconds since 1970. The same at each look.
    pub started_ns: u64,
    /// The number of targets that have a row.
    pub shown: u64,
    /// The number of targets that are summed up in [`OTHER`].
    pub cut: u64,
}

/// What was counted up to a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// That moment.
    pub at: SystemTime,
    /// The process. `None` if no runtime has recorded yet.
    pub process: Option<Process>,
    /// One row per target, in the order in which they were seen first.
    pub rows: Vec<Row>,
}

/// Looks at a recording again and again.
pub struct Keeper {
    opened: Opened,
    names: Names,
    /// The most targets that get a row.
    most: usize,
    rows: Vec<Row>,
    /// The rest, of calls and of callbacks.
    others: Vec<Row>,
    /// When the runtime started, as it was computed first: the rate of a clock is known better
    /// later, and a collector takes another start for another run.
    started_ns: Option<u64>,
    last: Option<(Instant, Arc<Snapshot>)>,
}

impl Keeper {
    /// Has not looked yet. `most`: how many targets get rows of their own.
    pub fn new(opened: Opened, most: usize) -> Self {
        Self {
            opened,
            names: Names::default(),
            most,
            rows: Vec::new(),
            others: Vec::new(),
            started_ns: None,
            last: None,
        }
    }

    /// What was counted up to now, or up to a look that is no older than this.
    ///
    /// # Errors
    /// If the recording cannot be read.
    pub fn look(&mut self, no_older: Duration) -> Result<Arc<Snapshot>, ReadError> {
        if let Some((at, snapshot)) = &self.last
            && at.elapsed() < no_older
        {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = Arc::new(self.look_now()?);
        self.last = Some((Instant::now(), Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// How many targets have no row of their own, as far as was seen.
    pub fn cut(&self) -> u64 {
        let process = self
            .last
            .as_ref()
            .and_then(|(_, last)| last.process.as_ref());
        process.map_or(0, |process| process.cut)
    }

    fn look_now(&mut self) -> Result<Snapshot, ReadError> {
        let reader = self.opened.read()?;
        let at = SystemTime::now();
        if !reader.is_claimed() {
            return Ok(Snapshot {
                at,
                process: None,
                rows: Vec::new(),
            });
        }
        let mut figures = Figures::read(&reader, &mut self.names);
        let targets = std::mem::take(&mut figures.targets);
        let rows = summed_up(&targets, figures.times != "off");
        let (shown, cut) = self.take(rows, figures.targets_left_out == 0);
        let wall = figures.wall.start_ns().unwrap_or(0);
        let started_ns = *self.started_ns.get_or_insert(wall);
        Ok(Snapshot {
            at,
            process: Some(Process {
                figures,
                started_ns,
                shown,
                cut,
            }),
            rows: self.rows.iter().chain(&self.others).cloned().collect(),
        })
    }

    /// Takes the rows of a look, of `all` targets or of some. Returns how many targets have a row,
    /// and how many have none.
    ///
    /// A target that has a row keeps it, so that its series go on and those of the rest only grow.
    /// New ones come in the order of their calls.
    fn take(&mut self, mut looked: HashMap<Key, Row>, all: bool) -> (u64, u64) {
        // The name of a function may become known after its first call. Then it has a new row.
        self.rows.retain_mut(|row| match looked.remove(&row.key) {
            Some(now) => {
                row.becomes(now);
                true
            }
            None => !all,
        });
        let mut new: Vec<Row> = looked.into_values().collect();
        new.sort_by(|a, b| {
            let names = || (&a.key.target, &a.key.assembly).cmp(&(&b.key.target, &b.key.assembly));
            (b.calls.cmp(&a.calls)).then_with(names)
        });
        let room = self.most.saturating_sub(self.rows.len()).min(new.len());
        let rest = new.split_off(room);
        self.rows.extend(new);
        for direction in ["forward", "reverse"] {
            let mut of_direction = rest.iter().filter(|row| row.key.direction == direction);
            let Some(first) = of_direction.next() else {
                continue;
            };
            let key = Key {
                target: OTHER.to_owned(),
                assembly: String::new(),
                direction,
            };
            let mut sum = Row {
                key,
                ..first.clone()
            };
            of_direction.for_each(|row| sum.add(row));
            match self.others.iter_mut().find(|row| row.key == sum.key) {
                Some(other) => other.becomes(sum),
                None => self.others.push(sum),
            }
        }
        (self.rows.len() as u64, rest.len() as u64)
    }
}

/// One row for all targets that have the same name.
fn summed_up(targets: &[TargetRow], is_timed: bool) -> HashMap<Key, Row> {
    let mut rows: HashMap<Key, Row> = HashMap::new();
    for target in targets {
        let row = Row::of(target, is_timed);
        match rows.get_mut(&row.key) {
            Some(sum) => sum.add(&row),
            None => {
                rows.insert(row.key.clone(), row);
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(most: usize) -> Keeper {
        let opened = Opened::new(std::path::Path::new("/proc/self/exe")).unwrap();
        Keeper::new(opened, most)
    }

    fn target(entry: &str, direction: &'static str, calls: u64) -> TargetRow {
        TargetRow {
            direction,
            entry: Some(entry.into()),
            library: Some("l".into()),
            calls,
            ..TargetRow::default()
        }
    }

    fn look(keeper: &mut Keeper, targets: &[TargetRow]) -> Vec<(String, u64)> {
        keeper.take(summed_up(targets, true), true);
        let rows = keeper.rows.iter().chain(&keeper.others);
        rows.map(|row| {
            (
                format!("{} {}", row.key.target, row.key.direction),
                row.calls,
            )
        })
        .collect()
    }

    fn are(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
        let row = |(name, calls): &(&str, u64)| ((*name).to_owned(), *calls);
        rows.iter().map(row).collect()
    }

    #[test]
    fn a_target_keeps_its_row_and_the_rest_only_grows() {
        let mut keeper = keeper(2);
        let (a, b) = (|n| target("a", "forward", n), |n| target("b", "forward", n));
        let (c, d) = (|n| target("c", "forward", n), |n| target("d", "reverse", n));
        assert_eq!(look(&mut keeper, &[a(5)]), are(&[("l!a forward", 5)]));
        let rows = look(&mut keeper, &[a(6), b(7), c(9), d(1)]);
        let now = [("l!a forward", 6), ("l!c forward", 9)];
        assert_eq!(rows[..2], are(&now));
        assert_eq!(
            rows[2..],
            are(&[("other forward", 7), ("other reverse", 1)])
        );
        // Another order of calls changes nothing.
        let rows = look(&mut keeper, &[a(6), b(700), c(9), d(2)]);
        assert_eq!(rows[..2], are(&now));
        assert_eq!(
            rows[2..],
            are(&[("other forward", 700), ("other reverse", 2)])
        );
    }

    #[test]
    fn targets_of_one_name_share_a_row_and_a_new_name_is_a_new_row() {
        let mut keeper = keeper(9);
        let two = [target("a", "forward", 2), target("a", "forward", 3)];
        assert_eq!(look(&mut keeper, &two), are(&[("l!a forward", 5)]));
        let renamed = [target("b", "forward", 6)];
        assert_eq!(look(&mut keeper, &renamed), are(&[("l!b forward", 6)]));
    }
}
