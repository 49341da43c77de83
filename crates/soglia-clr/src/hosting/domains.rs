//! Domains: the first one, which has the number 1, and those that hosts make.
//!
//! A domain that a host makes is a collectible `AssemblyLoadContext` (`managed/Domains.cs`). Here
//! it has its number, and a count of the threads that a host's calls have brought into it. It is
//! unloaded by a thread of the engine: that waits until no such thread is left, lets the context
//! go, and collects until it is gone.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicI32, AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::{Duration, Instant},
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{OPR_AppDomainUnload, eUnloadAppDomain},
    hresult::{
        COR_E_APPDOMAINUNLOADED, COR_E_CANNOTUNLOADAPPDOMAIN, E_INVALIDARG, E_OUTOFMEMORY,
        E_POINTER, HOST_E_INVALIDOPERATION, HOST_E_TIMEOUT,
    },
    param::{Array, Wide},
};

use super::{clr::DOMAIN, events, managed};
use crate::{
    clerk,
    host::{managers, task},
};

/// How long `UnloadAppDomain` waits for a domain to go, and collects for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time between two collections for a domain: it doubles from the first to the second.
const BETWEEN: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(512));

/// What a domain's count of threads has when no more may come.
const LEAVING: u32 = 1 << 31;

/// A domain that a host has made.
pub struct Domain {
    id: u32,
    handle: isize,
    /// How many times threads are inside, and [`LEAVING`].
    inside: AtomicU32,
    /// What `ExecuteAssembly` has returned last.
    exit_code: AtomicI32,
    /// Whether there are pointers to its methods, which are kept for ever.
    is_kept: AtomicBool,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Alive,
    /// A thread of the engine unloads it. It was asked to so many times.
    Unloading(u32),
    Gone,
}

/// The domains that are not gone.
struct Domains {
    next: u32,
    all: BTreeMap<u32, Arc<Domain>>,
}

static DOMAINS: Mutex<Domains> = Mutex::new(Domains {
    next: DOMAIN + 1,
    all: BTreeMap::new(),
});

fn domains() -> MutexGuard<'static, Domains> {
    DOMAINS.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The domains that calls of a host have brought this thread into, the innermost last.
    static PATH: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Adds a domain to the thread's path. Returns how long the path was.
pub fn push(domain: u32) -> usize {
    let pushed = PATH.try_with(|path| {
        let mut path = path.borrow_mut();
        path.push(domain);
        path.len() - 1
    });
    // A thread that ends has no path any more.
    pushed.unwrap_or(0)
}

/// Makes the thread's path so long again.
pub fn pop(length: usize) {
    let _ = PATH.try_with(|path| path.borrow_mut().truncate(length));
}

/// The number of the domain that the calling thread is in.
pub fn current() -> u32 {
    let last = PATH.try_with(|path| path.borrow().last().copied());
    match last.ok().flatten() {
        Some(domain) => domain,
        None if domains().all.is_empty() => DOMAIN,
        // Managed code may have brought it there.
        None => managed::current_domain().unwrap_or(DOMAIN),
    }
}

/// A domain that is not gone, and was made by a host.
///
/// # Errors
/// `COR_E_APPDOMAINUNLOADED` if it is gone, `HOST_E_INVALIDOPERATION` if there never was one.
pub fn find(id: u32) -> Result<Arc<Domain>, HRESULT> {
    let domains = domains();
    let missing = if id > DOMAIN && id < domains.next {
        COR_E_APPDOMAINUNLOADED
    } else {
        HOST_E_INVALIDOPERATION
    };
    domains.all.get(&id).cloned().ok_or(missing)
}

/// The calling thread, inside a domain.
pub struct Entered {
    domain: Option<Arc<Domain>>,
    before: usize,
}

impl Entered {
    /// Managed code knows the domain by this handle.
    pub fn handle(&self) -> isize {
        self.domain.as_ref().map_or(0, |domain| domain.handle)
    }

    /// The domain, if a host has made it.
    pub fn domain(&self) -> Option<&Arc<Domain>> {
        self.domain.as_ref()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        pop(self.before);
        if let Some(domain) = &self.domain {
            domain.leave();
        }
    }
}

/// Brings the calling thread into a domain.
///
/// # Errors
/// As for [`find`]. `COR_E_APPDOMAINUNLOADED` if the domain is being unloaded.
pub fn enter(id: u32) -> Result<Entered, HRESULT> {
    let domain = match id {
        DOMAIN => None,
        id => Some(find(id)?),
    };
    if domain.as_ref().is_some_and(|domain| !domain.enter()) {
        return Err(COR_E_APPDOMAINUNLOADED);
    }
    Ok(Entered {
        domain,
        before: push(id),
    })
}

/// What a host wants of a new domain.
pub struct Wanted<'a> {
    pub name: Wide<'a>,
    /// The assembly and the name of the manager's type. Both may be null.
    pub manager: [Wide<'a>; 2],
    pub count: i32,
    pub names: Array<'a, Wide<'a>>,
    pub values: Array<'a, Wide<'a>>,
}

/// Makes a domain, and its manager in it. Returns its number.
///
/// # Errors
/// `E_POINTER` and `E_INVALIDARG` for what is missing; that of the manager's constructor.
///
/// # Safety
/// There are as many names and values as `count` says, if it is not below 0.
pub unsafe fn create(wanted: &Wanted<'_>) -> Result<u32, HRESULT> {
    let Wanted {
        name,
        manager: [assembly, class],
        count,
        names,
        values,
    } = *wanted;
    if name.is_null() {
        return Err(E_POINTER);
    }
    let length = usize::try_from(count).map_err(|_| E_INVALIDARG)?;
    for texts in [names, values] {
        // SAFETY: the caller vouches for the count.
        let texts = unsafe { texts.get(length) }.ok_or(E_POINTER)?;
        if texts.iter().any(|text| text.is_null()) {
            return Err(E_INVALIDARG);
        }
    }
    if assembly.is_null() != class.is_null() {
        return Err(E_INVALIDARG);
    }
    let id = {
        let mut domains = domains();
        domains.next += 1;
        domains.next - 1
    };
    // SAFETY: the caller vouches for the count, and no text is null.
    let handle = unsafe { managed::create_domain(id, name, count, names, values)? };
    let domain = Arc::new(Domain {
        id,
        handle,
        inside: AtomicU32::new(0),
        exit_code: AtomicI32::new(0),
        is_kept: AtomicBool::new(false),
        stage: Mutex::new(Stage::Alive),
        changed: Condvar::new(),
    });
    domains().all.insert(id, domain.clone());
    if !class.is_null() {
        let managed = enter(id).and_then(|entered| {
            let _inside = task::inside()?;
            managed::manage_domain(entered.handle(), assembly, class)
        });
        if let Err(why) = managed {
            // No host has its number.
            let _ = domain.begin_to_unload(false);
            return Err(why);
        }
    }
    Ok(id)
}

/// Unloads a domain that a host has made. Returns its exit code. If `waits`, it is gone then.
///
/// # Errors
/// As for [`find`]. `COR_E_CANNOTUNLOADAPPDOMAIN` if the calling thread would wait for itself,
/// `HOST_E_TIMEOUT` if the domain does not go in time, `E_OUTOFMEMORY` without a thread for it.
pub fn unload(id: u32, waits: bool) -> Result<i32, HRESULT> {
    let domain = find(id)?;
    let is_inside = PATH.try_with(|path| path.borrow().contains(&id));
    if waits && is_inside.unwrap_or(false) {
        return Err(COR_E_CANNOTUNLOADAPPDOMAIN);
    }
    domain.begin_to_unload(true)?;
    if waits {
        domain.wait()?;
    }
    Ok(domain.exit_code.load(Relaxed))
}

impl Domain {
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Notes what a program in it has returned.
    pub fn exits_with(&self, code: i32) {
        self.exit_code.store(code, Relaxed);
    }

    /// The domain, for as long as the process lives.
    pub fn keep(self: &Arc<Self>) -> &'static Self {
        if !self.is_kept.swap(true, AcqRel) {
            std::mem::forget(self.clone());
        }
        let kept = Arc::as_ptr(self);
        // SAFETY: the reference that was forgotten keeps it for ever.
        unsafe { &*kept }
    }

    /// Counts a thread that comes in. `false`: it may not.
    pub fn enter(&self) -> bool {
        let one_more = |inside: u32| (inside & LEAVING == 0).then_some(inside + 1);
        self.inside.fetch_update(AcqRel, Acquire, one_more).is_ok()
    }

    /// Counts that it has left.
    pub fn leave(&self) {
        if self.inside.fetch_sub(1, AcqRel) == LEAVING + 1 {
            // The thread that unloads it looks at the count under the lock.
            drop(self.stage());
            self.changed.notify_all();
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps threads from coming in, and has the engine unload the domain, or try again. The host
    /// is notified if it knows of the domain.
    fn begin_to_unload(self: &Arc<Self>, is_known: bool) -> Result<(), HRESULT> {
        let mut stage = self.stage();
        match &mut *stage {
            Stage::Gone => return Err(COR_E_APPDOMAINUNLOADED),
            Stage::Unloading(times) => *times = times.wrapping_add(1),
            Stage::Alive => {
                self.inside.fetch_or(LEAVING, AcqRel);
                *stage = Stage::Unloading(0);
                let own = self.clone();
                if !clerk::thread_for_others(move || own.unload(is_known)) {
                    self.inside.fetch_and(!LEAVING, AcqRel);
                    *stage = Stage::Alive;
                    return Err(E_OUTOFMEMORY);
                }
            }
        }
        drop(stage);
        self.changed.notify_all();
        Ok(())
    }

    /// On a thread of the engine's own.
    fn unload(&self, is_known: bool) {
        if is_known {
            managers::takes_action(OPR_AppDomainUnload, eUnloadAppDomain);
        }
        let is_used = |_: &mut Stage| self.inside.load(Acquire) != LEAVING;
        let stage = self.changed.wait_while(self.stage(), is_used);
        drop(stage);
        let Some(handle) = managed::unload_domain(self.handle) else {
            return;
        };
        self.collect(handle);
        domains().all.remove(&self.id);
        if is_known {
            events::unloaded(self.id);
        }
        *self.stage() = Stage::Gone;
        self.changed.notify_all();
    }

    /// Returns when the context is gone. Collects for a while, and again when it is asked to.
    fn collect(&self, handle: isize) {
        let mut asked = None;
        let (mut until, mut pause) = (Instant::now(), BETWEEN.0);
        loop {
            let now = *self.stage();
            if asked != Some(now) {
                asked = Some(now);
                (until, pause) = (Instant::now() + PATIENCE, BETWEEN.0);
            }
            // Later, other collections may have let it go.
            if managed::is_gone(handle, Instant::now() < until) {
                return;
            }
            let as_before = |stage: &mut Stage| asked == Some(*stage);
            let waited = self
                .changed
                .wait_timeout_while(self.stage(), pause, as_before);
            drop(waited);
            pause = (pause * 2).min(BETWEEN.1);
        }
    }

    /// Waits until the domain is gone.
    fn wait(&self) -> Result<(), HRESULT> {
        let is_there = |stage: &mut Stage| *stage != Stage::Gone;
        let waited = self
            .changed
            .wait_timeout_while(self.stage(), PATIENCE, is_there);
        let (_stage, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            Err(HOST_E_TIMEOUT)
        } else {
            Ok(())
        }
    }
}
