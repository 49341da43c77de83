//! Which parameters of which calls are handed over.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use soglia_abi::ids::{MdToken, ModuleId};
use soglia_core::{arguments::Function, crossing::Side, trace::log::TargetNames};

use super::details::Details;

/// The most parameters of a call that are handed over.
pub const MOST_PARAMETERS: usize = 16;
/// The most denied calls of a function whose arguments are recorded.
const MOST_DENIED: u32 = 16;

/// The function of a call, by its names.
#[derive(Clone, Debug)]
pub struct Subject {
    library: String,
    entry: String,
    method: String,
    of_framework: bool,
}

impl Subject {
    /// The function with these names.
    pub fn of(names: &TargetNames, of_framework: bool) -> Self {
        let method = names.method.as_deref().unwrap_or_default();
        let method = method.rsplit('.').next().unwrap_or_default().to_owned();
        let is_callback = names.side() == Side::Managed;
        let library = if is_callback {
            &names.assembly
        } else {
            &names.library
        };
        let entry = names.entry.clone().filter(|_| !is_callback);
        Self {
            library: library.clone().unwrap_or_default(),
            entry: entry.unwrap_or_else(|| method.clone()),
            method,
            of_framework,
        }
    }

    /// The delegates of the type that declares this method.
    pub fn of_delegate(names: &TargetNames) -> Self {
        let method = names.method.as_deref().unwrap_or_default();
        let class = method.strip_suffix(".Invoke").unwrap_or(method);
        let class = class.rsplit(['.', '+']).next().unwrap_or_default();
        Self {
            library: names.assembly.clone().unwrap_or_default(),
            entry: class.to_owned(),
            method: class.to_owned(),
            of_framework: names.runtime_internal,
        }
    }

    /// The same, as the user's choice knows it.
    pub fn function(&self) -> Function<'_> {
        Function {
            library: &self.library,
            entry: &self.entry,
            method: &self.method,
            of_framework: self.of_framework,
        }
    }
}

/// What the wrapper of a call hands over.
#[derive(Debug)]
pub struct Plan {
    /// The function.
    pub subject: Subject,
    /// The method that the program calls.
    pub method: (ModuleId, MdToken),
    /// The parameters that are secrets, and are not handed over.
    pub hidden: Vec<bool>,
    /// Whether the returned value is a secret.
    pub hides_returned: bool,
    pub(super) details: OnceLock<Option<Details>>,
    denied: AtomicU32,
}

impl Plan {
    /// A plan, and nothing known yet of the parameters.
    pub const fn new(
        subject: Subject,
        method: (ModuleId, MdToken),
        hidden: Vec<bool>,
        hides_returned: bool,
    ) -> Self {
        Self {
            subject,
            method,
            hidden,
            hides_returned,
            details: OnceLock::new(),
            denied: AtomicU32::new(0),
        }
    }

    /// Whether the arguments of one more denied call are recorded.
    pub(super) fn takes_denied(&self) -> bool {
        self.denied.fetch_add(1, Relaxed) < MOST_DENIED
    }
}

/// By the number of the call.
static PLANS: RwLock<Option<HashMap<i64, Arc<Plan>>>> = RwLock::new(None);

/// Notes what the wrapper of this call hands over.
pub fn add(id: u32, plan: Plan) {
    let mut plans = PLANS.write().unwrap_or_else(PoisonError::into_inner);
    plans
        .get_or_insert_default()
        .insert(id.into(), Arc::new(plan));
}

/// What the wrapper of this call hands over.
pub(super) fn plan(id: i64) -> Option<Arc<Plan>> {
    let plans = PLANS.read().unwrap_or_else(PoisonError::into_inner);
    plans.as_ref()?.get(&id).cloned()
}
