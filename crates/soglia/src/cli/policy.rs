//! Policies: their options, and how options and a file become one.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use soglia::policy::{
    deadline::{self, repeated as repeated_deadline},
    file,
};
use soglia_core::{
    deadline::{Action, Deadline, decode, encode},
    policy::{Destination, Glob, Policy, Rule, Thrown},
    regular,
};

/// The most bytes that are handed over. The system limits an environment variable to 128 KiB with
/// its name.
const MOST_BYTES: usize = 100 << 10;

/// No file with more can be handed over, however many comments are in it.
const MOST_FILE_BYTES: u64 = 4 << 20;

#[derive(Debug, Default, Args)]
#[command(
    next_help_heading = "Policy (GLOB: LIBRARY!ENTRY or ENTRY; * stands for any characters, ? for one)"
)]
pub struct PolicyOptions {
    /// Deny calls of these native functions: they throw. Like every option with a GLOB, it may be
    /// repeated.
    #[arg(long, value_name = "GLOB")]
    deny: Vec<Glob>,
    /// Deny calls of all native functions except these.
    #[arg(long, value_name = "GLOB")]
    allow_only: Vec<Glob>,
    /// Call another function of the same signature instead, or the functions of the same names in
    /// another library.
    #[arg(long, value_name = "GLOB=LIBRARY[!ENTRY]", value_parser = redirect)]
    redirect: Vec<Rule>,
    /// Deny calls of these after N calls, counted over all threads.
    #[arg(long, value_name = "GLOB=N", value_parser = max_calls)]
    max_calls: Vec<Rule>,
    /// Watch only these; other calls run unchanged, unrecorded and at no cost.
    #[arg(long, value_name = "GLOB")]
    only: Vec<Glob>,
    /// Don't watch these.
    #[arg(long, value_name = "GLOB")]
    skip: Vec<Glob>,
    /// Report calls of these that have not returned after DURATION, again after twice that, and so
    /// on. `dump` also writes a core dump, `kill` also ends the program: docs/deadlines.md.
    #[arg(long, value_name = "GLOB=DURATION[:report|dump|kill]", value_parser = deadline::deadline)]
    deadline: Vec<Deadline>,
    /// Read more rules from this TOML file: docs/policy.md.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Deny and redirect nothing; count the calls that would be denied.
    #[arg(long)]
    audit: bool,
    /// End the process at a denied call, instead of throwing an exception that the program may
    /// catch.
    #[arg(long)]
    deny_fatal: bool,
    /// With --deny or --allow-only: let code that is made at run time call native functions,
    /// unchecked by the rules.
    #[arg(long)]
    allow_dynamic: bool,
}

/// What the engine gets, as text.
#[derive(Debug, Default)]
pub struct Told {
    /// The policy. `None` if there are no rules.
    pub policy: Option<String>,
    /// The deadlines. `None` if there are none.
    pub deadlines: Option<String>,
    /// Whether a deadline may end the program.
    pub kills: bool,
}

impl PolicyOptions {
    /// Combines the options with the file. Without wrappers, which `woven` stands for, no call can
    /// be denied.
    ///
    /// # Errors
    /// If options contradict each other or do nothing, if the file is wrong, or if rules need
    /// wrappers and there are none.
    pub fn read(&self, woven: bool) -> anyhow::Result<Told> {
        let mut policy = self.given();
        let mut deadlines = self.deadline.clone();
        if let Some(deadline) = repeated_deadline(&deadlines) {
            anyhow::bail!(
                "--deadline '{}' is one too many: '{}' has one with the action {} already",
                deadline.text,
                deadline.target,
                deadline.action.name()
            );
        }
        if let Some(rule) = repeated(&policy.rules) {
            anyhow::bail!(
                "--{} '{}' is given twice: only the first would count",
                rule.kind().name(),
                rule.target()
            );
        }
        if let Some(path) = &self.policy {
            let text = regular::read_to_string(path, MOST_FILE_BYTES)
                .with_context(|| format!("cannot read the policy {}", path.display()))?;
            let more = file::parse(&text).map_err(|e| anyhow::anyhow!("{}:{e}", path.display()))?;
            policy.rules.extend(more.policy.rules);
            policy.audit |= more.policy.audit;
            policy.fatal |= more.policy.fatal;
            policy.allow_dynamic |= more.policy.allow_dynamic;
            let given = &self.deadline;
            let replaced = |d: &Deadline| given.iter().any(|given| given.target == d.target);
            deadlines.extend(more.deadlines.into_iter().filter(|d| !replaced(d)));
        }
        let told = match deadlines.len() {
            0 => None,
            n => {
                let whole = "the command line, with the policy,";
                let text = handed_over(encode(&deadlines), whole, n, "deadlines")?;
                // The engine reads it so. What it cannot read must not start.
                decode(&text).context("the deadlines cannot be handed over")?;
                Some(text)
            }
        };
        let kills = self::kills(&deadlines);
        if policy.is_empty() {
            for (given, option) in [
                (self.audit, "--audit"),
                (self.deny_fatal, "--deny-fatal"),
                (self.allow_dynamic, "--allow-dynamic"),
            ] {
                if given {
                    anyhow::bail!(
                        "{option} without a rule does nothing: add --deny GLOB or --policy FILE"
                    );
                }
            }
            return Ok(Told {
                policy: None,
                deadlines: told,
                kills,
            });
        }
        if self.allow_dynamic && !policy.judges() {
            anyhow::bail!(
                "--allow-dynamic without --deny or --allow-only does nothing: without them, code made at run time is as free"
            );
        }
        if !woven {
            anyhow::bail!(
                "{} cannot go with --source transitions: the runtime's own callbacks report calls, and cannot deny one",
                self.name_of_first()
            );
        }
        let text = handed_over(policy.encode(), "the policy", policy.rules.len(), "rules")?;
        if Policy::decode(&text).context("the policy cannot be handed over")? != policy {
            anyhow::bail!("the policy cannot be handed over: the engine would read another one");
        }
        Ok(Told {
            policy: Some(text),
            deadlines: told,
            kills,
        })
    }

    /// What the options say by themselves.
    fn given(&self) -> Policy {
        let deny = self.deny.iter().map(|target| Rule::Deny {
            target: target.clone(),
            thrown: Thrown::default(),
        });
        let rules = deny
            .chain(self.allow_only.iter().cloned().map(Rule::AllowOnly))
            .chain(self.redirect.iter().cloned())
            .chain(self.max_calls.iter().cloned())
            .chain(self.only.iter().cloned().map(Rule::Only))
            .chain(self.skip.iter().cloned().map(Rule::Skip));
        Policy {
            rules: rules.collect(),
            audit: self.audit,
            fatal: self.deny_fatal,
            allow_dynamic: self.allow_dynamic,
        }
    }

    /// Some option that brought rules.
    fn name_of_first(&self) -> String {
        match self.given().rules.first() {
            Some(rule) => format!("--{}", rule.kind().name()),
            None => "--policy".into(),
        }
    }
}

fn kills(deadlines: &[Deadline]) -> bool {
    deadlines
        .iter()
        .any(|deadline| deadline.action == Action::Kill)
}

/// The text, if it can be handed over; if not, `whole` has so many `parts`.
fn handed_over(text: String, whole: &str, n: usize, parts: &str) -> anyhow::Result<String> {
    if text.len() > MOST_BYTES {
        anyhow::bail!(
            "{whole} has {n} {parts} in {} bytes, and {MOST_BYTES} bytes can be handed over: say more with globs",
            text.len()
        );
    }
    Ok(text)
}

/// A rule whose target an earlier rule of its kind has already.
fn repeated(rules: &[Rule]) -> Option<&Rule> {
    rules.iter().enumerate().find_map(|(n, rule)| {
        let same = |other: &&Rule| other.kind() == rule.kind() && other.target() == rule.target();
        rules[..n].iter().any(|other| same(&other)).then_some(rule)
    })
}

fn redirect(text: &str) -> Result<Rule, String> {
    let (target, to) = text
        .split_once('=')
        .ok_or("expected GLOB=LIBRARY or GLOB=LIBRARY!ENTRY, such as 'libc!rand=libmine!rand'")?;
    let target: Glob = target.parse().map_err(said)?;
    let to = Destination::parse(to, &target).map_err(said)?;
    Ok(Rule::Redirect { target, to })
}

fn max_calls(text: &str) -> Result<Rule, String> {
    let expected = "expected GLOB=N with N from 0 on, such as 'libc!rand=1000'";
    let (target, calls) = text.rsplit_once('=').ok_or(expected)?;
    Ok(Rule::MaxCalls {
        target: target.parse().map_err(said)?,
        calls: calls.parse().map_err(|_| expected)?,
        thrown: Thrown::default(),
    })
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_as_pairs() {
        let shown = |rule: Result<Rule, String>| rule.map(|rule| rule.to_string());
        assert_eq!(
            shown(redirect("a!f=b!g")),
            Ok("redirect 'a!f=b!g'".to_owned())
        );
        assert_eq!(
            shown(redirect("a!*=/opt/b=c.so")),
            Ok("redirect 'a!*=/opt/b=c.so'".to_owned())
        );
        assert!(redirect("a!f").unwrap_err().contains("GLOB=LIBRARY"));
        assert!(redirect("=b").unwrap_err().contains("ENTRY"));
        assert!(redirect("a!f=").unwrap_err().contains("LIBRARY!ENTRY"));
        assert!(redirect("a!*=b!g").unwrap_err().contains("one function"));
        assert_eq!(
            shown(max_calls("a=b!f=10")),
            Ok("max-calls 'a=b!f=10'".to_owned())
        );
        for bad in ["a!f", "a!f=", "a!f=-1", "a!f=1.5", "a!f=many"] {
            let error = max_calls(bad).unwrap_err();
            assert!(error.contains("GLOB=N"), "{bad}: {error}");
        }
    }

    #[test]
    fn the_same_target_twice_is_found_by_kind() {
        let rules = |texts: &[&str]| -> Vec<Rule> {
            texts.iter().map(|text| max_calls(text).unwrap()).collect()
        };
        assert_eq!(repeated(&rules(&["a!f=1", "a!g=1"])), None);
        let twice = rules(&["a!f=1", "a!g=1", "a!f=2"]);
        assert_eq!(repeated(&twice), Some(&twice[2]));
        let kinds = [
            redirect("a!f=b").unwrap(),
            max_calls("a!f=1").unwrap(),
            Rule::Skip("a!f".parse().unwrap()),
        ];
        assert_eq!(repeated(&kinds), None);
    }
}
