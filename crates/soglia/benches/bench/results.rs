//! Numbers as tables, with targets beside them, and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What was measured several times.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    /// The least.
    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// Round by round, how much more this is than `other`: what slowed a whole round cancels out.
    pub fn over(&self, other: &Self) -> Self {
        self.by_round(other, |mine, theirs| mine - theirs)
    }

    /// Round by round, how many times `other` this is.
    pub fn ratio(&self, other: &Self) -> Self {
        self.by_round(other, |mine, theirs| mine / theirs)
    }

    fn by_round(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self(
            self.0
                .iter()
                .zip(&other.0)
                .map(|(mine, theirs)| of(*mine, *theirs))
                .collect(),
        )
    }

    /// The same in another unit.
    pub fn times(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|sample| sample * factor).collect())
    }

    /// `min / median`.
    pub fn cell(&self, digits: usize) -> String {
        format!("{:.digits$} / {:.digits$}", self.min(), self.median())
    }
}

/// All that came of a run.
pub struct Results {
    quick: bool,
    about: BTreeMap<&'static str, String>,
    measured: Vec<Value>,
    targets: Vec<Value>,
    missed: Vec<String>,
}

impl Results {
    /// Begins without results.
    pub fn new(quick: bool, about: BTreeMap<&'static str, String>) -> Self {
        println!(
            "{cpu}, {cores} cores, Linux {kernel}, {runtime}{quick}",
            cpu = about["cpu"],
            cores = about["cores"],
            kernel = about["kernel"],
            runtime = about["runtime"],
            quick = if quick { ", --quick" } else { "" }
        );
        println!("Load of the machine before: {}.", about["load"]);
        println!("Cells are minimum / median over rounds, unless they say otherwise.");
        Self {
            quick,
            about,
            measured: Vec::new(),
            targets: Vec::new(),
            missed: Vec::new(),
        }
    }

    /// `full` rounds, or `quick` ones.
    pub const fn rounds(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// Keeps a measurement for the JSON.
    pub fn keep(&mut self, what: &str, with: &str, unit: &str, samples: &Samples) {
        self.measured.push(json!({
            "what": what, "with": with, "unit": unit,
            "min": samples.min(), "median": samples.median(), "samples": samples.0,
        }));
    }

    /// Compares a value with a target. Returns the cell that stands beside the result. A target
    /// that is missed is not a failure.
    pub fn target(&mut self, what: &str, value: f64, limit: f64, unit: &str) -> String {
        let ok = value <= limit;
        self.targets
            .push(json!({ "what": what, "value": value, "limit": limit, "unit": unit, "ok": ok }));
        if !ok {
            self.missed.push(format!(
                "{what}: {value:.2} {unit}, target {limit:.2} {unit}"
            ));
        }
        format!(
            "{} (<= {limit:.*})",
            if ok { "ok" } else { "MISSED" },
            if limit.fract() == 0.0 { 0 } else { 2 }
        )
    }

    /// Prints again which targets were missed.
    pub fn conclude(&self) {
        println!();
        match (self.targets.len(), self.missed.len()) {
            (0, _) => {}
            (all, 0) => println!("All {all} targets are met."),
            (all, missed) => {
                println!("{missed} of {all} targets are missed:");
                for what in &self.missed {
                    println!("- {what}");
                }
            }
        }
    }

    /// Everything.
    pub fn json(&self) -> Value {
        json!({
            "about": self.about, "quick": self.quick,
            "measured": self.measured, "targets": self.targets,
        })
    }
}

/// Prints a table in Markdown, which is readable in a terminal too. The first column is
/// left-aligned.
pub fn table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n{title}\n");
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(head[column].chars().count())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate();
        let padded = padded.map(|(n, (cell, width))| match n {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("| {} |", padded.collect::<Vec<_>>().join(" | "));
    };
    line(
        &head
            .iter()
            .map(|cell| (*cell).to_owned())
            .collect::<Vec<_>>(),
    );
    let rule = widths.iter().enumerate().map(|(n, width)| {
        let dashes = "-".repeat(width.saturating_sub(usize::from(n != 0)));
        if n == 0 { dashes } else { dashes + ":" }
    });
    println!("| {} |", rule.collect::<Vec<_>>().join(" | "));
    for row in rows {
        line(row);
    }
}
