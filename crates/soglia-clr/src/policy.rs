//! Applies a policy to the calls of a module: the engine decides once for each method, when the
//! module is loaded.
//!
//! A method whose calls are denied gets a body that throws. Calls of a limited number pass a *gate*
//! first, a hook in preemptive mode. In an audit, each denial is a gate that lets every call pass
//! and counts it. All other calls cost what they cost without a policy.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use soglia_abi::hresult::{E_ACCESSDENIED, HOST_E_INVALIDOPERATION};
use soglia_core::{
    policy::{self, DecodeError, Destination, Exception, Glob, Kind, Policy, Verdict},
    trace::log::{PolicyInForce, TargetNames},
};

use crate::{
    aliases::Aliases,
    settings::{NotText, Settings},
    variables,
};

/// A policy, and how many calls its rules still allow.
#[derive(Debug)]
pub struct Rules {
    policy: Policy,
    /// The calls that the rule of the same index still allows. Never freed, since gates in code use
    /// it.
    left: &'static [AtomicU64],
    /// Whether a function was found that the rule of the same index applies to.
    apply: Vec<AtomicBool>,
    /// Targets that are watched even if the policy skips them.
    kept: Vec<Glob>,
}

/// What a policy says about the calls of one method.
#[derive(Debug, Default)]
pub struct Ruling {
    /// They are never made: this is thrown instead.
    pub refusal: Option<Throw>,
    /// They ask this gate first, and throw this if it says no.
    pub gate: Option<(Gate, Throw)>,
    /// They lead to this function instead.
    pub redirect: Option<Destination>,
    /// They are not recorded. The engine only judges what they lead to.
    pub unwatched: bool,
}

/// What is thrown instead of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throw {
    /// A class of CoreLib with a constructor that takes a string.
    pub exception: &'static str,
    /// Its HRESULT, if that is not the class's own.
    pub hresult: Option<i32>,
    /// Its message.
    pub message: String,
    /// Whether the process ends instead, with that message.
    pub fatal: bool,
}

/// Decides whether a call may be made.
#[derive(Debug)]
pub struct Gate {
    left: &'static AtomicU64,
    /// Whether it only counts.
    audit: bool,
}

/// A gate, and the call in front of which it stands. Code holds its address.
pub struct Asked {
    gate: Gate,
    id: i64,
}

impl Rules {
    /// Reads the policy that is asked for; without one, a policy without rules.
    ///
    /// # Errors
    /// If the setting holds no policy.
    pub fn asked(settings: &Settings) -> Result<Self, DecodeError> {
        let policy = match settings.get(variables::POLICY) {
            Ok(Some(text)) => Policy::decode(&text)?,
            Ok(None) => Policy::default(),
            Err(NotText) => return Err(DecodeError::Version),
        };
        Ok(Self::new(policy))
    }

    /// No rules.
    pub fn none() -> Self {
        Self::new(Policy::default())
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

    /// Has these targets watched, even if the policy skips them.
    pub fn keep(&mut self, targets: impl IntoIterator<Item = Glob>) {
        self.kept.extend(targets);
    }

    /// Whether there is no rule.
    pub const fn is_empty(&self) -> bool {
        self.policy.is_empty()
    }

    /// Whether some calls are always denied, so that the engine must know what is called.
    pub fn judges(&self) -> bool {
        self.policy.judges()
    }

    /// Whether some calls are denied, so that only its wrapper may reach a P/Invoke.
    pub fn guards(&self) -> bool {
        self.policy.guards()
    }

    /// Whether it only counts what it would deny.
    pub const fn audits(&self) -> bool {
        self.policy.audit
    }

    /// Whether a denied call ends the process.
    pub const fn is_fatal(&self) -> bool {
        self.policy.fatal
    }

    /// How a call is denied that leads to a function with these names, if it is. `call` describes
    /// the call for people.
    pub fn of_called(&self, found: &Aliases, call: &str) -> Option<policy::Denial> {
        self.policy
            .of_called(&found.libraries, &found.entries, call)
    }

    /// How a call is denied whose callee is unknown.
    pub fn of_unknown(&self, call: &str) -> policy::Denial {
        self.policy.of_unknown(call)
    }

    /// How native calls of code made at run time are denied, if they are.
    pub fn refuses_dynamic(&self) -> Option<policy::Denial> {
        let refuses = self.judges() && !self.policy.audit && !self.policy.allow_dynamic;
        let call = "a native call of code that was made at run time (--allow-dynamic allows it)";
        refuses.then(|| self.policy.of_unknown(call))
    }

    /// Whether the process must end where a rule does not hold. An audit never denies a call.
    pub const fn must_hold(&self) -> bool {
        !self.is_empty() && !self.policy.audit
    }

    /// The policy for the recording. `None`: there is no rule.
    pub fn in_force(&self) -> Option<PolicyInForce> {
        (!self.is_empty()).then(|| PolicyInForce {
            audit: self.policy.audit,
            fatal: self.policy.fatal,
            rules: self.policy.rules.iter().map(ToString::to_string).collect(),
        })
    }

    /// The indexes of the rules that apply to this target and applied to none before.
    pub fn newly_apply(&self, names: &TargetNames) -> Vec<u32> {
        let (Some(library), Some(entry)) = (&names.library, &names.entry) else {
            return Vec::new();
        };
        let about = self.policy.about(library, entry);
        let new = about.filter(|rule| !self.apply[*rule].swap(true, Relaxed));
        new.map(|rule| rule as u32).collect()
    }

    /// What the policy says about the calls of this target. `None`: they are not watched.
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
            // Whatever its name, it may lead to a function that is denied.
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
    /// Uses up one of the calls that are left. Returns whether there was one.
    fn pass(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.left.fetch_update(Relaxed, Relaxed, less).is_ok()
    }

    /// The gate for the call of this number. Never freed, since code with its address may run at
    /// any time.
    pub fn before(self, id: u32) -> &'static Asked {
        Box::leak(Box::new(Asked {
            gate: self,
            id: id.into(),
        }))
    }
}

impl Asked {
    /// The address, as hooks pass it.
    pub fn address(&'static self) -> i64 {
        std::ptr::from_ref(self) as i64
    }

    /// The gate at an address that code has passed.
    pub fn at(address: i64) -> &'static Self {
        // SAFETY: wrappers pass an address that `address` returned, of a value that was leaked.
        unsafe { &*(address as *const Self) }
    }

    /// The number of the call.
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// Uses up one of the calls that are left. Returns whether there was one.
    pub fn passes(&self) -> bool {
        self.gate.pass()
    }

    /// Whether every call is made, even if none is left.
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

/// What the CLR throws for a denial.
fn thrown(refusal: &policy::Denial, fatal: bool) -> Throw {
    let hresult = match (refusal.exception, refusal.by) {
        (Exception::InvalidOperation, _) | (Exception::Com, Kind::MaxCalls) => {
            Some(HOST_E_INVALIDOPERATION.0)
        }
        (Exception::Com, _) => Some(E_ACCESSDENIED.0),
        // Each class has an HRESULT of its own; that of the first is E_ACCESSDENIED.
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

    /// The answer of the hook, which counts the call as well.
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
