//! What a policy makes of the calls that are woven around: decided once per method, when its module is loaded.
//!
//! Calls that are refused always have a body that throws; calls of a limited number pass a *gate* first, a hook in preemptive
//! mode. In an audit every refusal is a gate that lets everybody pass and counts. Other calls cost what they cost without a policy.

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use soglia_abi::hresult::{E_ACCESSDENIED, HOST_E_INVALIDOPERATION};
use soglia_core::{
    policy::{self, DecodeError, Destination, Exception, Glob, Kind, Policy, Verdict},
    trace::log::{PolicyInForce, TargetNames},
};

use crate::aliases::Aliases;

/// A policy, and how many calls its rules still allow.
#[derive(Debug)]
pub struct Rules {
    policy: Policy,
    /// Of the rule of the same index. Never goes away, since gates in code use it.
    left: &'static [AtomicU64],
    /// A function that the rule of the same index is about was found.
    apply: Vec<AtomicBool>,
    /// Watched, whatever is to be skipped.
    kept: Vec<Glob>,
}

/// What becomes of the calls of one method.
#[derive(Debug, Default)]
pub struct Ruling {
    /// They are never made.
    pub refusal: Option<Throw>,
    /// They are asked for first, and refused so if the gate says no.
    pub gate: Option<(Gate, Throw)>,
    /// They go elsewhere.
    pub redirect: Option<Destination>,
    /// They are not recorded: only what they lead to is judged.
    pub unwatched: bool,
}

/// What is thrown instead of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throw {
    /// A type of System.Private.CoreLib with a constructor that takes a string.
    pub exception: &'static str,
    /// If it is to be another one than the exception's own.
    pub hresult: Option<i32>,
    /// What it says.
    pub message: String,
    /// The process ends instead, with that message.
    pub fatal: bool,
}

/// Where calls are asked for.
#[derive(Debug)]
pub struct Gate {
    left: &'static AtomicU64,
    /// Everybody passes.
    audit: bool,
}

/// A gate, and the call that stands at it: what code holds the address of.
pub struct Asked {
    gate: Gate,
    id: i64,
}

impl Rules {
    /// The policy in the environment; one without rules if there is none.
    ///
    /// # Errors
    /// If what is there is no policy.
    pub fn of_environment(variable: &str) -> Result<Self, DecodeError> {
        let policy = match env::var(variable) {
            Ok(text) => Policy::decode(&text)?,
            Err(env::VarError::NotPresent) => Policy::default(),
            Err(env::VarError::NotUnicode(_)) => return Err(DecodeError::Version),
        };
        Ok(Self::new(policy))
    }

    fn new(policy: Policy) -> Self {
        let left = policy.rules.iter().map(|rule| match rule {
            policy::Rule::MaxCalls { calls, .. } => AtomicU64::new(*calls),
            _ => AtomicU64::new(0),
        });
        Self {
            left: Box::leak(left.collect()),
            apply: policy
                .rules
                .iter()
                .map(|_| AtomicBool::new(false))
                .collect(),
            policy,
            kept: Vec::new(),
        }
    }

    /// Has these targets watched, even if the policy would skip them.
    pub fn keep(&mut self, targets: impl IntoIterator<Item = Glob>) {
        self.kept.extend(targets);
    }

    /// There is no rule.
    pub const fn is_empty(&self) -> bool {
        self.policy.is_empty()
    }

    /// Some calls are refused always, so that what is called has to be known.
    pub fn judges(&self) -> bool {
        self.policy.judges()
    }

    /// Some calls are refused: no P/Invoke may be reached but by its wrapper.
    pub fn guards(&self) -> bool {
        self.policy.guards()
    }

    /// Nothing is refused; what would be is counted.
    pub const fn audits(&self) -> bool {
        self.policy.audit
    }

    /// A refused call ends the process.
    pub const fn is_fatal(&self) -> bool {
        self.policy.fatal
    }

    /// How a call is refused that leads to a function with these names, if it is. `call` is what was called, for people.
    pub fn of_called(&self, found: &Aliases, call: &str) -> Option<policy::Denial> {
        self.policy
            .of_called(&found.libraries, &found.entries, call)
    }

    /// How a call is refused of which it is not known what it leads to.
    pub fn of_unknown(&self, call: &str) -> policy::Denial {
        self.policy.of_unknown(call)
    }

    /// How native calls of code that was made at run time are refused, if they are.
    pub fn refuses_dynamic(&self) -> Option<policy::Denial> {
        let refuses = self.judges() && !self.policy.audit && !self.policy.allow_dynamic;
        let call = "a native call of code that was made at run time (--allow-dynamic allows it)";
        refuses.then(|| self.policy.of_unknown(call))
    }

    /// Where a rule does not hold, the process must end. An audit lets everything pass anyway.
    pub const fn must_hold(&self) -> bool {
        !self.is_empty() && !self.policy.audit
    }

    /// For the report; `None` if there is no rule.
    pub fn in_force(&self) -> Option<PolicyInForce> {
        (!self.is_empty()).then(|| PolicyInForce {
            audit: self.policy.audit,
            fatal: self.policy.fatal,
            rules: self.policy.rules.iter().map(ToString::to_string).collect(),
        })
    }

    /// The rules that are about this target and were about none before, by index.
    pub fn newly_apply(&self, names: &TargetNames) -> Vec<u32> {
        let (Some(library), Some(entry)) = (&names.library, &names.entry) else {
            return Vec::new();
        };
        let about = self.policy.about(library, entry);
        let new = about.filter(|rule| !self.apply[*rule].swap(true, Relaxed));
        new.map(|rule| rule as u32).collect()
    }

    /// What becomes of the calls of this target; `None`: they are not watched.
    pub fn of(&self, names: &TargetNames) -> Option<Ruling> {
        let (Some(library), Some(entry)) = (&names.library, &names.entry) else {
            return Some(Ruling::default());
        };
        if self.is_empty() {
            return Some(Ruling::default());
        }
        let audit = self.policy.audit;
        let gate = |left, refusal: &policy::Denial| {
            Some((Gate { left, audit }, thrown(refusal, self.policy.fatal)))
        };
        let is_kept = || self.kept.iter().any(|glob| glob.matches(library, entry));
        match self.policy.of(library, entry) {
            Verdict::Skip if is_kept() => Some(Ruling::default()),
            // However it is spelled, it may lead to what is refused.
            Verdict::Skip => self.judges().then(|| Ruling {
                unwatched: true,
                ..Ruling::default()
            }),
            Verdict::Deny(refusal) if audit => Some(Ruling {
                gate: gate(&NONE_LEFT, &refusal),
                ..Ruling::default()
            }),
            Verdict::Deny(refusal) => Some(Ruling {
                refusal: Some(thrown(&refusal, self.policy.fatal)),
                ..Ruling::default()
            }),
            Verdict::Call { redirect, limit } => Some(Ruling {
                refusal: None,
                unwatched: false,
                redirect: redirect.filter(|_| !audit),
                gate: limit.and_then(|limit| gate(self.left.get(limit.rule)?, &limit.denial)),
            }),
        }
    }
}

static NONE_LEFT: AtomicU64 = AtomicU64::new(0);

impl Gate {
    /// Takes a call from those that are left, if there is one.
    fn pass(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.left.fetch_update(Relaxed, Relaxed, less).is_ok()
    }

    /// For code that asks for calls of this id: never goes away, because the code may run at any time.
    pub fn before(self, id: u32) -> &'static Asked {
        Box::leak(Box::new(Asked {
            gate: self,
            id: id.into(),
        }))
    }
}

impl Asked {
    /// As hooks take it.
    pub fn address(&'static self) -> i64 {
        std::ptr::from_ref(self) as i64
    }

    /// The one that code has handed over.
    pub fn at(address: i64) -> &'static Self {
        // SAFETY: wrappers pass what `address` gave, of something that was leaked.
        unsafe { &*(address as *const Self) }
    }

    /// The number of the call.
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// Takes a call from those that are left, if there is one.
    pub fn passes(&self) -> bool {
        self.gate.pass()
    }

    /// Every call is made, whatever is left.
    pub const fn audits(&self) -> bool {
        self.gate.audit
    }
}

/// The class of an exception.
pub const fn class_of(exception: Exception) -> &'static str {
    match exception {
        Exception::UnauthorizedAccess => "System.UnauthorizedAccessException",
        Exception::EntryPointNotFound => "System.EntryPointNotFoundException",
        Exception::DllNotFound => "System.DllNotFoundException",
        Exception::NotSupported => "System.NotSupportedException",
        Exception::InvalidOperation => "System.InvalidOperationException",
        Exception::Com => "System.Runtime.InteropServices.COMException",
    }
}

/// What the CLR is made to throw.
fn thrown(refusal: &policy::Denial, fatal: bool) -> Throw {
    let hresult = match (refusal.exception, refusal.by) {
        (Exception::InvalidOperation, _) | (Exception::Com, Kind::MaxCalls) => {
            Some(HOST_E_INVALIDOPERATION.0)
        }
        (Exception::Com, _) => Some(E_ACCESSDENIED.0),
        // Their own say it: for the first, E_ACCESSDENIED.
        (
            Exception::UnauthorizedAccess
            | Exception::EntryPointNotFound
            | Exception::DllNotFound
            | Exception::NotSupported,
            _,
        ) => None,
    };
    Throw {
        exception: class_of(refusal.exception),
        hresult,
        message: refusal.message.clone(),
        fatal,
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// As the hook answers, which counts as well.
    fn ask(asked: i64) -> i32 {
        let asked = Asked::at(asked);
        i32::from(!asked.passes() && !asked.audits())
    }

    fn rules(lines: &str) -> Rules {
        Rules::new(Policy::decode(&format!("soglia-policy 1\n{lines}")).unwrap())
    }

    fn is_none(ruling: &Ruling) -> bool {
        ruling.refusal.is_none() && ruling.gate.is_none() && ruling.redirect.is_none()
    }

    fn target(library: &str, entry: &str) -> TargetNames {
        TargetNames {
            library: Some(library.into()),
            entry: Some(entry.into()),
            ..TargetNames::default()
        }
    }

    #[test]
    fn without_a_policy_everything_stays() {
        let ruling = Rules::new(Policy::default()).of(&target("libc", "system"));
        assert!(is_none(&ruling.unwrap()));
    }

    #[test]
    fn what_has_no_names_is_not_judged() {
        let ruling = rules("allow-only\tlibc!*").of(&TargetNames::default());
        assert!(is_none(&ruling.unwrap()));
    }

    #[test]
    fn skipped_targets_are_not_woven_but_to_be_judged() {
        let skips = rules("skip\tlibc!*");
        assert!(!skips.judges() && skips.of(&target("libc", "getpid")).is_none());
        let rules = rules("skip\tlibc!*\ndeny\tlibc!system\t\t");
        let getpid = rules.of(&target("libc", "getpid")).unwrap();
        assert!(rules.judges() && getpid.unwatched && is_none(&getpid));
        assert!(is_none(&rules.of(&target("libm", "sin")).unwrap()));
        let system = rules.of(&target("libc", "system")).unwrap();
        assert!(system.refusal.is_some());
    }

    #[test]
    fn what_is_kept_is_never_skipped() {
        let mut rules = rules("skip\tlibc!*");
        rules.keep(["libc!read".parse().unwrap()]);
        assert!(is_none(&rules.of(&target("libc", "read")).unwrap()));
        assert!(rules.of(&target("libc", "write")).is_none());
    }

    #[test]
    fn a_rule_applies_once() {
        let rules = rules("skip\tlibc!*\ndeny\tlibc!system\t\t\ndeny\tlibm!*\t\t");
        let applies = |entry| rules.newly_apply(&target("libc", entry));
        assert_eq!(applies("getpid"), [0]);
        assert_eq!(applies("system"), [1]);
        assert_eq!(applies("system"), [0; 0]);
        assert_eq!(rules.newly_apply(&TargetNames::default()), [0; 0]);
    }

    #[test]
    fn targets_of_one_rule_share_its_calls() {
        let rules = rules("max-calls\tlibc!*\t1000\t\t");
        let gate = |entry| rules.of(&target("libc", entry)).unwrap().gate.unwrap().0;
        let (one, other) = (gate("rand"), gate("getpid"));
        let passed = |gate: &Gate| (0..900).filter(|_| gate.pass()).count();
        let total: usize = thread::scope(|scope| {
            let threads: Vec<_> = [&one, &other, &one]
                .into_iter()
                .map(|gate| scope.spawn(|| passed(gate)))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(total, 1000);
        assert!(!one.pass() && !other.pass());
    }

    #[test]
    fn an_audit_lets_everything_pass() {
        let rules = rules(
            "audit\ndeny-fatal\ndeny\tlibc!system\t\t\nredirect\tlibc!getpid\tfake\nmax-calls\tlibc!rand\t1\t\t",
        );
        assert!(rules.in_force().unwrap().audit);
        let system = rules.of(&target("libc", "system")).unwrap();
        assert!(system.refusal.is_none());
        let (gate, _) = system.gate.unwrap();
        assert!(!gate.pass(), "it is counted");
        assert_eq!(ask(gate.before(0).address()), 0, "and it is let pass");
        let getpid = rules.of(&target("libc", "getpid")).unwrap();
        assert!(is_none(&getpid));
        let (gate, _) = rules.of(&target("libc", "rand")).unwrap().gate.unwrap();
        let asked = gate.before(0);
        assert_eq!([ask(asked.address()), ask(asked.address())], [0, 0]);
        assert!(!asked.gate.pass());
    }

    #[test]
    fn a_gate_says_no() {
        let rules = rules("max-calls\tlibc!rand\t1\t\t");
        let (gate, refusal) = rules.of(&target("libc", "rand")).unwrap().gate.unwrap();
        let asked = gate.before(0);
        assert_eq!([ask(asked.address()), ask(asked.address())], [0, 1]);
        assert_eq!(refusal.exception, "System.InvalidOperationException");
        assert_eq!(refusal.hresult, Some(0x8013_1022_u32.cast_signed()));
    }

    #[test]
    fn every_exception_has_its_code() {
        let code = |exception: &str, fatal: &str| {
            let rules = rules(&format!("deny\tx\t{exception}\t{fatal}"));
            let refusal = rules.of(&target("l", "x")).unwrap().refusal.unwrap();
            (refusal.exception, refusal.hresult.map(i32::cast_unsigned))
        };
        let own = None;
        for (name, full, expected) in [
            ("", "System.UnauthorizedAccessException", own),
            (
                "UnauthorizedAccessException",
                "System.UnauthorizedAccessException",
                own,
            ),
            (
                "EntryPointNotFoundException",
                "System.EntryPointNotFoundException",
                own,
            ),
            ("DllNotFoundException", "System.DllNotFoundException", own),
            ("NotSupportedException", "System.NotSupportedException", own),
            (
                "InvalidOperationException",
                "System.InvalidOperationException",
                Some(0x8013_1022),
            ),
            (
                "COMException",
                "System.Runtime.InteropServices.COMException",
                Some(0x8007_0005),
            ),
        ] {
            assert_eq!(code(name, ""), (full, expected));
        }
        let limited = rules("max-calls\tx\t1\tCOMException\t").of(&target("l", "x"));
        let (_, refusal) = limited.unwrap().gate.unwrap();
        assert_eq!(refusal.hresult, Some(0x8013_1022_u32.cast_signed()));
    }
}
