//! Sentences about processes: each is said once, with the processes that it is about.

use std::collections::HashMap;

use super::super::{process::FIRST, whole::Model};

/// The most processes that a sentence names.
const MOST_NAMED: usize = 3;

/// The sentences so far.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    places: HashMap<String, usize>,
    all: Vec<(String, Vec<u32>)>,
}

impl Remarks {
    /// Takes those of a process.
    pub(super) fn add(&mut self, process: u32, model: &mut Model) {
        let fallback = model.fallback.take().map(|because| {
            format!(
                "runtime callbacks were used instead of wrappers, which slows the program: {because}"
            )
        });
        for text in std::mem::take(&mut model.remarks)
            .into_iter()
            .chain(fallback)
        {
            match self.places.get(&text) {
                Some(place) => self.all[*place].1.push(process),
                None => {
                    self.places.insert(text.clone(), self.all.len());
                    self.all.push((text, vec![process]));
                }
            }
        }
    }

    /// The sentences. `numbers` has the numbers of processes in the report by those that they had
    /// here, and `names` what reports call them, in the order of the report.
    pub(super) fn sentences(self, numbers: &HashMap<u32, u32>, names: &[String]) -> Vec<String> {
        let name = |process: &u32| {
            let number = numbers.get(process)?.checked_sub(FIRST)?;
            names.get(number as usize).cloned()
        };
        let said = self.all.into_iter().map(|(text, about)| {
            if about.len() == names.len() {
                return text;
            }
            let named = about.iter().take(MOST_NAMED);
            let named = named.filter_map(name);
            let mut named: Vec<String> = named.collect();
            let more = about.len().saturating_sub(MOST_NAMED);
            if more > 0 {
                named.push(format!("{more} more"));
            }
            match &named[..] {
                [one] => format!("process {one}: {text}"),
                [first @ .., last] => format!("processes {} and {last}: {text}", first.join(", ")),
                [] => text,
            }
        });
        said.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_its_processes() {
        let mut remarks = Remarks::default();
        let mut model = |process: u32, said: &[&str]| {
            let mut model = Model {
                remarks: said.iter().map(|text| (*text).to_owned()).collect(),
                ..Model::default()
            };
            remarks.add(process, &mut model);
        };
        model(1, &["all", "one"]);
        for process in 2..=5 {
            model(process, &["all", "some"]);
        }
        let names: Vec<String> = (101..=105).map(|pid| pid.to_string()).collect();
        let numbers = (1..=5).map(|n| (n, n)).collect();
        assert_eq!(
            remarks.sentences(&numbers, &names),
            [
                "all",
                "process 101: one",
                "processes 102, 103, 104 and 1 more: some"
            ]
        );
    }
}
