//! A host that is notified of crossings, writes them down, and answers as its script says.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    ffi::{CStr, CString, c_char, c_void},
    path::{Path, PathBuf},
    ptr::null_mut,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicI32, AtomicUsize,
            Ordering::{Acquire, Relaxed},
        },
    },
    time::{Duration, Instant},
};

use soglia_abi::{
    HRESULT,
    hosting::{
        clr_task::ICLRTask,
        host_task::{IHostTask, IHostTask_Impl, IHostTaskManager},
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::{E_NOTIMPL, S_OK},
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::{Library, call_in, start},
    host::offers,
    task_manager::{Asked, Manages, task_manager},
};

/// What a host can be notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    GetTask,
    SetTask,
    Needs(usize),
    Leave(usize),
    Enter,
    ReverseEnter,
    ReverseLeave,
    Switch,
}

type Answer = dyn Fn(&Script, Told) -> HRESULT + Send + Sync;

/// The notifications so far, and how to answer them.
pub struct Script {
    told: Mutex<Vec<(i32, Told)>>,
    answer: Box<Answer>,
    /// Threads get tasks.
    pub gives: AtomicBool,
    /// The host wants notifications of functions.
    pub needs: AtomicBool,
    /// Nothing is written down.
    pub deaf: AtomicBool,
    /// Tasks have a reference to the CLR's half of theirs.
    pub counts_clr_tasks: AtomicBool,
    pub made: AtomicUsize,
    pub gone: AtomicUsize,
    /// Crossings of each kind, by `Told`'s order from `Leave`.
    pub counts: [AtomicUsize; 4],
    clr_tasks: Mutex<BTreeMap<i32, usize>>,
}

fn thread() -> i32 {
    // SAFETY: the system call takes no pointers and cannot fail.
    unsafe { libc::gettid() }
}

impl Script {
    fn heard(&self, told: Told) -> HRESULT {
        match told {
            Told::Leave(_) => self.counts[0].fetch_add(1, Relaxed),
            Told::Enter => self.counts[1].fetch_add(1, Relaxed),
            Told::ReverseEnter => self.counts[2].fetch_add(1, Relaxed),
            Told::ReverseLeave => self.counts[3].fetch_add(1, Relaxed),
            _ => 0,
        };
        if !self.deaf.load(Relaxed) {
            self.told.lock().unwrap().push((thread(), told));
        }
        (self.answer)(self, told)
    }

    /// Targets of the `Leave` notifications of all threads since something was last taken.
    pub fn targets(&self) -> Vec<usize> {
        let told = self.told.lock().unwrap();
        let targets = told.iter().filter_map(|(_, told)| match told {
            Told::Leave(target) => Some(*target),
            _ => None,
        });
        targets.collect()
    }

    /// The notifications since the last time: one line for each thread, in the order of their first
    /// ones.
    pub fn lines(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let mut threads = Vec::new();
        for (thread, _) in &told {
            if !threads.contains(thread) {
                threads.push(*thread);
            }
        }
        let of = |thread| {
            let own = told.iter().filter(|(there, _)| *there == thread);
            let words: Vec<String> = own.map(|(_, told)| word(*told)).collect();
            words.join(" ")
        };
        threads.into_iter().map(of).collect()
    }

    /// The same, where there is one thread.
    #[track_caller]
    pub fn line(&self) -> String {
        let lines = self.lines();
        assert!(lines.len() < 2, "{lines:?}");
        lines.into_iter().next().unwrap_or_default()
    }

    /// The calling thread's `ICLRTask`, once it was given.
    pub fn clr_task(&self) -> usize {
        self.clr_tasks.lock().unwrap()[&thread()]
    }

    /// Crossings so far: Leave, Enter, ReverseEnter, ReverseLeave.
    pub fn counted(&self) -> [usize; 4] {
        self.counts.each_ref().map(|count| count.load(Acquire))
    }
}

fn word(told: Told) -> String {
    match told {
        Told::GetTask => "T".into(),
        Told::SetTask => "S".into(),
        Told::Needs(target) => format!("N({})", symbol(target)),
        Told::Leave(target) => format!("L({})", symbol(target)),
        Told::Enter => "E".into(),
        Told::ReverseEnter => "R".into(),
        Told::ReverseLeave => "V".into(),
        Told::Switch => "W".into(),
    }
}

/// The symbol that begins at an address, and its library unless that is libacting.so.
pub fn symbol(target: usize) -> String {
    // SAFETY: any address; the texts are the loader's.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(target as *const c_void, &raw mut info) == 0 {
            return format!("{target:#x}");
        }
        let text = |s: *const c_char| CStr::from_ptr(s).to_string_lossy().into_owned();
        let library = text(info.dli_fname);
        let library = library.rsplit('/').next().unwrap_or_default();
        let name = match info.dli_saddr as usize == target {
            true => text(info.dli_sname),
            false => "?".into(),
        };
        match library {
            "libacting.so" => name,
            _ => format!("{name}@{library}"),
        }
    }
}

struct Manager(Arc<Script>);

impl Manages for Manager {
    fn current_task(&self) -> (HRESULT, Option<IHostTask>) {
        let answer = self.0.heard(Told::GetTask);
        let own = self.0.gives.load(Relaxed).then(|| {
            self.0.made.fetch_add(1, Relaxed);
            ComObject::new(Task(self.0.clone(), thread(), OnceCell::new())).into_interface()
        });
        (answer, own)
    }
    fn needs_hook(&self, target: usize) -> (HRESULT, bool) {
        let needs = self.0.needs.load(Relaxed);
        (self.0.heard(Told::Needs(target)), needs)
    }
    fn asked(&self, what: Asked) -> HRESULT {
        match what {
            Asked::LeaveRuntime(target) => self.0.heard(Told::Leave(target)),
            Asked::EnterRuntime => self.0.heard(Told::Enter),
            Asked::ReverseLeaveRuntime => self.0.heard(Told::ReverseLeave),
            Asked::ReverseEnterRuntime => self.0.heard(Told::ReverseEnter),
            Asked::SwitchToTask(option) => {
                assert_eq!(option, 0);
                self.0.heard(Told::Switch)
            }
            Asked::SetCLRTaskManager(_) => S_OK,
            // .NET has no occasion for these.
            Asked::SetStackGuarantee | Asked::GetStackGuarantee => panic!("{what:?}"),
            // These tests are not about the others.
            _ => E_NOTIMPL,
        }
    }
}

/// Of one thread.
#[implement(IHostTask)]
struct Task(Arc<Script>, i32, OnceCell<ICLRTask>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.clr_tasks.lock().unwrap().remove(&self.1);
        self.0.gone.fetch_add(1, Relaxed);
    }
}

impl IHostTask_Impl for Task_Impl {
    unsafe fn SetCLRTask(&self, task: Lent<'_, ICLRTask>) -> HRESULT {
        assert_eq!(thread(), self.1, "on the task's own thread");
        assert!(!task.is_null());
        if self.0.counts_clr_tasks.load(Relaxed) {
            let _ = self.2.set(task.cloned().unwrap());
        }
        self.0
            .clr_tasks
            .lock()
            .unwrap()
            .insert(self.1, task.as_ptr() as usize);
        self.0.heard(Told::SetTask)
    }
    unsafe fn Start(&self) -> HRESULT {
        panic!("Start")
    }
    unsafe fn Alert(&self) -> HRESULT {
        S_OK
    }
    unsafe fn Join(&self, _milliseconds: u32, _option: u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn SetPriority(&self, _priority: i32) -> HRESULT {
        S_OK
    }
    unsafe fn GetPriority(&self, _priority: Out<'_, i32>) -> HRESULT {
        S_OK
    }
}

/// A runtime with a scripted host, started, and the fixture's native libraries.
pub struct Acting {
    pub host: ICLRRuntimeHost4,
    pub script: Arc<Script>,
    native: *mut c_void,
    folder: PathBuf,
}

// SAFETY: the hosting API allows its objects to be used on any thread, and what the loader returns
// belongs to the process. Both live until the process ends.
unsafe impl Send for Acting {}
// SAFETY: the library under test lets any thread use its objects.
unsafe impl Sync for Acting {}

/// A script that answers like this.
pub fn script(answer: impl Fn(&Script, Told) -> HRESULT + Send + Sync + 'static) -> Arc<Script> {
    Arc::new(Script {
        told: Mutex::default(),
        answer: Box::new(answer),
        gives: AtomicBool::new(true),
        needs: AtomicBool::new(true),
        deaf: AtomicBool::new(false),
        counts_clr_tasks: AtomicBool::new(false),
        made: AtomicUsize::new(0),
        gone: AtomicUsize::new(0),
        counts: [const { AtomicUsize::new(0) }; 4],
        clr_tasks: Mutex::default(),
    })
}

impl Acting {
    /// With a host that answers like this.
    pub fn new(
        library: &Library,
        version: &str,
        answer: impl Fn(&Script, Told) -> HRESULT + Send + Sync + 'static,
    ) -> Self {
        let host = library.host(version);
        let script = script(answer);
        set_control(&host, &script);
        start(&host);
        Self::joined(library, host, script)
    }

    /// With one that answers `S_OK`.
    pub fn agreeing(library: &Library, version: &str) -> Self {
        Self::new(library, version, |_, _| S_OK)
    }

    /// Where the runtime runs already.
    pub fn joined(library: &Library, host: ICLRRuntimeHost4, script: Arc<Script>) -> Self {
        let mut acting = Self {
            host,
            script,
            native: null_mut(),
            folder: library.folder(),
        };
        acting.load("libacting_other.so");
        acting.native = acting.load("libacting.so");
        acting
    }

    /// Loads a native library of the fixtures. From now on its name leads to this one.
    pub fn load(&self, name: &str) -> *mut c_void {
        let path = CString::new(self.file(name)).unwrap();
        // SAFETY: a C string; a library of ours.
        let native = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!native.is_null(), "{path:?}");
        native
    }

    /// A file of the folder with the native libraries.
    pub fn file(&self, name: &str) -> String {
        let path = self.folder.join(name);
        path.into_os_string().into_string().unwrap()
    }

    fn variable<T>(&self, name: &CStr) -> *mut T {
        // SAFETY: an open library and a C string.
        let variable = unsafe { libc::dlsym(self.native, name.as_ptr()) };
        assert!(!variable.is_null(), "{name:?}");
        variable.cast()
    }

    /// Calls of native functions that were made so far.
    pub fn calls(&self) -> i32 {
        // SAFETY: of that type, and there as long as the library.
        unsafe { &*self.variable::<AtomicI32>(c"acting_calls") }.load(Acquire)
    }

    /// What native code got from the last callback.
    pub fn saw(&self) -> i32 {
        // SAFETY: of that type, and there as long as the library.
        unsafe { &*self.variable::<AtomicI32>(c"acting_saw") }.load(Acquire)
    }

    /// What managed code wanted to have read.
    pub fn text(&self) -> String {
        // SAFETY: the text is zero-terminated, and managed code has returned, so nothing writes it.
        let text = unsafe { CStr::from_ptr(self.variable(c"acting_text")) };
        text.to_str().unwrap().to_owned()
    }

    /// Calls a method of the fixture.
    pub fn run(&self, method: &str, argument: &str) -> Result<i32, HRESULT> {
        run(&self.host, method, argument)
    }

    /// The same, to succeed.
    #[track_caller]
    pub fn get(&self, method: &str, argument: &str) -> i32 {
        match self.run(method, argument) {
            Ok(value) => value,
            Err(why) => panic!("{method}({argument}): {why:?}"),
        }
    }

    /// `Try`: what a call has returned, or what it threw.
    #[track_caller]
    pub fn attempt(&self, kind: &str) -> Result<i32, String> {
        let value = self.get("Try", kind);
        match self.text() {
            text if text.is_empty() => Ok(value),
            text => Err(text),
        }
    }
}

/// A task manager by itself.
pub fn manager(script: &Arc<Script>) -> IHostTaskManager {
    task_manager(Manager(script.clone()))
}

/// Hands over a control.
#[track_caller]
pub fn set_control(host: &ICLRRuntimeHost4, script: &Arc<Script>) {
    assert_eq!(try_control(host, script), S_OK);
}

/// The same, whatever the answer.
pub fn try_control(host: &ICLRRuntimeHost4, script: &Arc<Script>) -> HRESULT {
    let control = offers([(IHostTaskManager::IID, manager(script).into())]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { host.SetHostControl(Lent::new(&control)) }
}

/// Calls a method of the fixture.
pub fn run(host: &ICLRRuntimeHost4, method: &str, argument: &str) -> Result<i32, HRESULT> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/managed/acting/acting.dll");
    call_in(
        host,
        path.to_str().unwrap(),
        "Soglia.Acting.Entry",
        method,
        argument,
    )
}

/// Waits as long as it takes; the case's time limit is the test runner's.
pub fn wait_for(ready: impl Fn() -> bool) {
    // Long enough for any machine: what is not there by then will never be.
    let given_up = Instant::now() + Duration::from_secs(300);
    while !ready() {
        assert!(Instant::now() < given_up, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}
