//! A host that is notified of crossings, compared with one that is not.

use std::collections::BTreeMap;

use super::{
    lab::Lab,
    parts::of_processes,
    results::{Results, table},
    role::KINDS,
    with::With,
    woven,
};

/// Nanoseconds per crossing.
pub fn measure(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let all = KINDS.map(|(with, _)| with);
    let rounds = results.rounds(9, 3);
    let ran = woven::run(lab, rounds, &all)?;
    let mut rows = Vec::new();
    for (name, ..) in woven::LOOPS {
        let mut cells = vec![name.to_owned()];
        let mut least = BTreeMap::new();
        for with in all {
            let (minima, middle) = of_processes(&ran[&with], name, 1)?;
            let what = format!("{name}, hosted, minima of processes");
            results.keep(&what, with.name(), "ns per iteration", &minima);
            cells.push(format!("{:.1} / {:.1}", minima.min(), middle.median()));
            least.insert(with, minima.min());
        }
        let added = least[&With::HostedNotified] - least[&With::Hosted];
        cells.push(format!("{added:+.1}"));
        rows.push(cells);
    }
    println!("\n## Hosts\n\n{rounds} rounds of 7 x 100000 iterations, one thread.");
    let names = all.map(With::name);
    let head: Vec<&str> = ["loop"]
        .into_iter()
        .chain(names)
        .chain(["added by notifying"])
        .collect();
    table("Nanoseconds per iteration:", &head, &rows);
    Ok(())
}
