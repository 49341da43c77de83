//! A small server of stored procedures, which does not trust them: it bounds their time, their
//! memory and what they may call, and goes on whatever they do. It loads them from its own memory,
//! as from a database.
//!
//!     procedures procedures.dll [CALLS]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use soglia::host::{
    Answer, ClrTask, ClrTaskManager, Domain, Error, HResult, Host, HostAssemblyStore, HostTask,
    HostTaskManager, ProvidedAssembly, Slots, Target, WaitOptions,
};

/// How long a call may take. Then it is aborted.
const DEADLINE: Duration = Duration::from_millis(100);
/// How long an abort may take. Then it becomes a rude one.
const PATIENCE: Duration = Duration::from_millis(50);
/// A call that is still there after this time is inside native code, which nothing ends.
const LOST: Duration = Duration::from_secs(5);
/// The most bytes that all calls together may have.
const MEMORY: u64 = 256 << 20;
/// The KiB that may be left of calls that are over. Then their assembly is loaded anew.
const KEPT: usize = 64 << 10;
const WORKERS: usize = 8;
/// How many of them run managed code at a time, once they have called native code.
const SLOTS: NonZeroU16 = NonZeroU16::new(2).unwrap();
/// Their stacks. An endless recursion takes all of it, and then as long as it takes to come back.
const STACK: usize = 512 << 10;
const ASSEMBLY: &str = "procedures";
const CLASS: &str = "Procedures.Stored";
const PROCEDURES: [&str; 12] = [
    "Length", "Spin", "Insist", "Finally", "Sleep", "Lock", "Leak", "Grab", "Recurse", "Throw",
    "Hang", "Kill",
];

/// Lets a bounded number of tasks run, and denies native functions.
struct Guard {
    slots: Slots,
    /// The names of the functions that no procedure may call.
    denied: Mutex<BTreeSet<String>>,
    /// The functions that threads are inside.
    inside: Mutex<HashMap<ThreadId, Target>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Shared(Arc<Guard>);

// What is about slots goes to `Slots`; the rest is left to .NET.
impl HostTaskManager for Shared {
    fn leave_runtime(&self, target: Target) -> Answer {
        let name = target.name().unwrap_or_default();
        if lock(&self.0.denied).contains(&*name) {
            return Err(HResult::ACCESS_DENIED);
        }
        lock(&self.0.inside).insert(thread::current().id(), target);
        self.0.slots.leave_runtime(target)
    }

    fn enter_runtime(&self) -> Answer {
        lock(&self.0.inside).remove(&thread::current().id());
        self.0.slots.enter_runtime()
    }

    fn current_task(&self) -> Option<Arc<dyn HostTask>> {
        self.0.slots.current_task()
    }

    fn reverse_enter_runtime(&self) -> Answer {
        self.0.slots.reverse_enter_runtime()
    }

    fn reverse_leave_runtime(&self) -> Answer {
        self.0.slots.reverse_leave_runtime()
    }

    fn sleep(&self, time: Option<Duration>, options: WaitOptions) -> Answer {
        self.0.slots.sleep(time, options)
    }

    fn switch_to_task(&self) -> bool {
        self.0.slots.switch_to_task()
    }

    fn begin_delay_abort(&self) -> Answer {
        self.0.slots.begin_delay_abort()
    }

    fn end_delay_abort(&self) -> Answer {
        self.0.slots.end_delay_abort()
    }

    fn set_clr_task_manager(&self, manager: ClrTaskManager) {
        self.0.slots.set_clr_task_manager(manager);
    }
}

/// The one assembly that there is.
struct Store(Arc<[u8]>);

impl HostAssemblyStore for Store {
    fn provide(&self, identity: &str, _domain: u32) -> Answer<Option<ProvidedAssembly>> {
        let is_it = identity.split(',').next() == Some(ASSEMBLY);
        Ok(is_it.then(|| ProvidedAssembly {
            id: 1,
            image: self.0.clone(),
            symbols: None,
        }))
    }
}

/// A call that runs now.
struct Running {
    began: Instant,
    thread: ThreadId,
    task: ClrTask,
}

/// What is known of a procedure.
#[derive(Default)]
struct Account {
    calls: usize,
    done: usize,
    aborted: usize,
    failed: usize,
    lost: usize,
    time: Duration,
    allocated: u64,
}

struct Server {
    host: Host,
    guard: Arc<Guard>,
    /// The domain with the assembly, which goes when the procedures have taken too much memory.
    domain: RwLock<Arc<Domain>>,
    running: Mutex<HashMap<usize, (&'static str, Running)>>,
    accounts: Mutex<BTreeMap<&'static str, Account>>,
    next: AtomicUsize,
    calls: usize,
    domains: AtomicUsize,
    /// The workers that are neither done nor lost.
    workers: AtomicUsize,
}

impl Server {
    fn start(assembly: Vec<u8>, calls: usize) -> Result<Arc<Self>, Error> {
        let guard = Arc::new(Guard {
            slots: Slots::new(SLOTS, None),
            denied: Mutex::new(BTreeSet::from(["kill".to_owned()])),
            inside: Mutex::default(),
        });
        let at_end = guard.slots.clone();
        let host = Host::builder()
            .task_manager(Shared(guard.clone()))
            .assembly_store(Store(assembly.into()))
            .rude_abort_after(PATIENCE)
            .throw_on_stack_overflow()
            .property("System.GC.HeapHardLimit", MEMORY.to_string())
            .on_clr_disabled(move || at_end.lift())
            .start()?;
        let domain = load(&host, 1)?;
        Ok(Arc::new(Self {
            domain: RwLock::new(Arc::new(domain)),
            host,
            guard,
            running: Mutex::default(),
            accounts: Mutex::default(),
            next: AtomicUsize::new(0),
            calls,
            domains: AtomicUsize::new(1),
            workers: AtomicUsize::new(0),
        }))
    }

    /// Runs calls until there are no more. Returns `false` if another worker has taken over,
    /// because a call was given up.
    fn work(&self) -> Answer<bool> {
        let task = self.host.tasks()?.create_task()?;
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            if number >= self.calls {
                return Ok(true);
            }
            let procedure = PROCEDURES[number % PROCEDURES.len()];
            let argument = "x".repeat(number / PROCEDURES.len() % 7);
            let domain = self
                .domain
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let before = task.allocated().unwrap_or(0);
            let began = Instant::now();
            let running = Running {
                began,
                thread: thread::current().id(),
                task: task.clone(),
            };
            lock(&self.running).insert(number, (procedure, running));
            let result = domain.call(ASSEMBLY, CLASS, procedure, &argument);
            if lock(&self.running).remove(&number).is_none() {
                return Ok(false);
            }
            let mut accounts = lock(&self.accounts);
            let account = accounts.entry(procedure).or_default();
            account.calls += 1;
            account.time += began.elapsed();
            account.allocated += task.allocated().unwrap_or(0).saturating_sub(before);
            match result {
                Ok(_) => account.done += 1,
                Err(Error::Exception { code, .. }) if code == HResult::THREAD_ABORTED => {
                    account.aborted += 1;
                }
                Err(_) => account.failed += 1,
            }
        }
    }

    fn hire(self: &Arc<Self>) {
        self.workers.fetch_add(1, Relaxed);
        let server = self.clone();
        let work = move || {
            match server.work() {
                Ok(false) => return,
                Ok(true) => {}
                Err(why) => eprintln!("procedures: a worker ends: {why}"),
            }
            server.workers.fetch_sub(1, Relaxed);
        };
        let thread = thread::Builder::new().stack_size(STACK);
        thread.spawn(work).expect("no thread can be made");
    }

    /// Looks at the calls that run, until all are over.
    fn watch(self: &Arc<Self>) {
        let mut last = Instant::now();
        while self.workers.load(Relaxed) > 0 {
            thread::sleep(DEADLINE / 4);
            let mut lost = Vec::new();
            for (number, (procedure, running)) in lock(&self.running).iter() {
                match running.began.elapsed() {
                    // It may be over already.
                    late if late > DEADLINE && late < LOST => _ = running.task.abort(),
                    late if late >= LOST => lost.push((*number, *procedure, running.thread)),
                    _ => {}
                }
            }
            for (number, procedure, thread) in lost {
                self.give_up(number, procedure, thread);
            }
            if last.elapsed() > Duration::from_millis(100) {
                last = Instant::now();
                self.look_at_memory();
            }
        }
    }

    /// Gives a thread up that is inside native code, for another one. No other call gets there.
    fn give_up(self: &Arc<Self>, number: usize, procedure: &'static str, thread: ThreadId) {
        if lock(&self.running).remove(&number).is_none() {
            return;
        }
        if let Some(target) = lock(&self.guard.inside).get(&thread) {
            lock(&self.guard.denied).insert(target.name().unwrap_or_default());
        }
        lock(&self.accounts).entry(procedure).or_default().lost += 1;
        self.hire();
        // The lost one counts no more.
        self.workers.fetch_sub(1, Relaxed);
    }

    /// Loads the assembly anew when calls that are over have left much memory.
    fn look_at_memory(&self) {
        let Ok(gc) = self.host.gc() else { return };
        let left = || {
            let stats = gc.stats().ok()?;
            Some(stats.generations_kib.iter().sum::<usize>() + stats.large_objects_kib)
        };
        if left().is_none_or(|left| left < KEPT) {
            return;
        }
        let _ = gc.collect(None);
        if left().is_none_or(|left| left < KEPT) {
            return;
        }
        let number = self.domains.fetch_add(1, Relaxed) + 1;
        if let Ok(domain) = load(&self.host, number) {
            // The old one goes when the last call has left it.
            *self.domain.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(domain);
        }
    }
}

/// A domain in which a procedure has run once, on a thread that gives its slot back as it ends.
fn load(host: &Host, number: usize) -> Result<Domain, Error> {
    let load = || {
        let domain = host.domain(&format!("procedures {number}")).create()?;
        domain.call(ASSEMBLY, CLASS, "Length", "")?;
        Ok(domain)
    };
    thread::scope(|scope| scope.spawn(load).join().expect("the thread has panicked"))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: procedures procedures.dll [CALLS]";
    let file = arguments.next().expect(usage);
    let calls = arguments
        .next()
        .map_or(120, |calls| calls.parse().expect(usage));
    let assembly = match std::fs::read(&file) {
        Ok(assembly) => assembly,
        Err(why) => {
            eprintln!("procedures: {file}: {why}");
            std::process::exit(1);
        }
    };
    match serve(assembly, calls) {
        // Threads that are lost would keep the process.
        Ok(server) => std::process::exit(i32::from(!server)),
        Err(why) => {
            eprintln!("procedures: {why}");
            std::process::exit(1);
        }
    }
}

/// Whether everything was as it should be.
fn serve(assembly: Vec<u8>, calls: usize) -> Result<bool, Error> {
    let server = Server::start(assembly, calls)?;
    let began = Instant::now();
    for _ in 0..WORKERS {
        server.hire();
    }
    server.watch();
    println!(
        "{:<10} {:>6} {:>6} {:>8} {:>7} {:>5} {:>9} {:>9}",
        "procedure", "calls", "done", "aborted", "failed", "lost", "mean", "KiB each"
    );
    let accounts = lock(&server.accounts);
    for (name, of) in accounts.iter() {
        let number = u32::try_from(of.calls.max(1)).unwrap_or(u32::MAX);
        println!(
            "{name:<10} {:>6} {:>6} {:>8} {:>7} {:>5} {:>9.1?} {:>9}",
            of.calls + of.lost,
            of.done,
            of.aborted,
            of.failed,
            of.lost,
            of.time / number,
            of.allocated / 1024 / u64::from(number),
        );
    }
    let denied = lock(&server.guard.denied);
    let denied: Vec<_> = denied.iter().map(String::as_str).collect();
    println!("no procedure may call: {}", denied.join(", "));
    println!(
        "the assembly was loaded {} times",
        server.domains.load(Relaxed)
    );
    println!("it took {:.1?}", began.elapsed());
    let all: usize = accounts.values().map(|of| of.calls + of.lost).sum();
    // A thread gives its slot back as it ends.
    let (slots, count) = (&server.guard.slots, usize::from(SLOTS.get()));
    let ends = Instant::now() + LOST;
    while slots.free() < count && Instant::now() < ends {
        thread::sleep(DEADLINE / 4);
    }
    println!("calls: {all}, slots that are free: {}", slots.free());
    Ok(all == calls && slots.free() == count)
}
