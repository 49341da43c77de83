//! What only managed code can ask .NET. A small assembly asks, which the engine loads from memory
//! when it first needs it.
//!
//! Its sources are the files in `managed`, and `fixtures/build.sh managed` builds it. The methods
//! that are called from here take and return numbers and pointers, so calling them marshals
//! nothing. None of them throws. A call makes the calling thread known to the runtime.

use std::{
    ops::Deref,
    ptr::{null, null_mut},
    sync::OnceLock,
};

use soglia_abi::{
    HRESULT, hresult,
    param::{Array, Out, Wide, WideString},
};
use soglia_dotnet::fxr::LoadAssemblyBytes;

use super::{clr::Clr, starts::started};
use crate::{
    host::task::{self, Inside},
    notify::waits,
};

const ASSEMBLY: &[u8] = include_bytes!("../../managed/soglia.hosting.dll");

/// What `Statistics` fills in.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Collections of generation 0, 1 and 2; those of a higher one count for the lower ones too.
    pub collections: [i64; 3],
    /// Bytes.
    pub committed: i64,
    /// Bytes after the last collection: generations 0, 1, 2, and large objects.
    pub sizes: [i64; 4],
}

/// What `Used` fills in.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Bytes, since the start.
    pub allocated: i64,
    /// Bytes that were alive after the last full blocking collection.
    pub survived: i64,
}

/// What managed code gets of an assembly.
#[repr(C)]
#[derive(Debug)]
pub struct Provided {
    /// The host's number of the assembly; 0: it has none.
    pub id: u64,
    /// The bytes of its file.
    pub image: *mut u8,
    /// How many these are.
    pub image_bytes: usize,
    /// The bytes of its symbols. Null if there are none.
    pub symbols: *mut u8,
    /// How many these are.
    pub symbols_bytes: usize,
}

/// A function that managed code asks for an assembly of a domain.
pub type Provide = extern "C" fn(Wide<'_>, u32, *mut Provided) -> i32;
/// A function that frees what the other one has given.
pub type Done = extern "C" fn(*const Provided);

/// A method that native code can call, and what it takes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Exported {
    /// Where native code calls it.
    pub address: isize,
    /// How many of its parameters are integers or pointers.
    pub integers: i64,
    /// How many are floats.
    pub floats: i64,
    /// How many are structs.
    pub structs: i64,
    /// The bytes of these.
    pub struct_bytes: i64,
    /// Not 0: its result is in memory of the caller.
    pub in_memory: i64,
}

/// The functions of the assembly.
struct Functions {
    execute: unsafe extern "system" fn(
        isize,
        Wide<'_>,
        Wide<'_>,
        Wide<'_>,
        Wide<'_>,
        isize,
        Out<'_, i32>,
    ) -> HRESULT,
    begin: unsafe extern "system" fn() -> isize,
    waits: unsafe extern "system" fn(isize) -> i32,
    interrupt: unsafe extern "system" fn(isize) -> i32,
    end: unsafe extern "system" fn(isize),
    forget_execution: unsafe extern "system" fn(isize),
    collect: unsafe extern "system" fn(i32),
    statistics: unsafe extern "system" fn(Out<'_, Statistics>),
    used: unsafe extern "system" fn(Out<'_, Used>),
    allocated: unsafe extern "system" fn() -> i64,
    debugger: unsafe extern "system" fn() -> i32,
    watch: unsafe extern "system" fn(extern "C" fn(i32)),
    keep_running: unsafe extern "system" fn() -> i32,
    forget: unsafe extern "system" fn(Wide<'_>),
    set_culture: unsafe extern "system" fn(i32, i32) -> i32,
    serve: unsafe extern "system" fn(Provide, Done),
    carry: unsafe extern "system" fn(*const waits::Table),
    check: unsafe extern "system" fn() -> i32,
    create: unsafe extern "system" fn(
        u32,
        Wide<'_>,
        i32,
        Array<'_, Wide<'_>>,
        Array<'_, Wide<'_>>,
        Out<'_, isize>,
    ) -> HRESULT,
    manage: unsafe extern "system" fn(isize, Wide<'_>, Wide<'_>) -> HRESULT,
    export: unsafe extern "system" fn(
        isize,
        Wide<'_>,
        Wide<'_>,
        Wide<'_>,
        Out<'_, Exported>,
    ) -> HRESULT,
    run: unsafe extern "system" fn(
        isize,
        Wide<'_>,
        i32,
        Array<'_, Wide<'_>>,
        isize,
        Out<'_, i32>,
    ) -> HRESULT,
    current: unsafe extern "system" fn() -> i32,
    can_work: unsafe extern "system" fn() -> i32,
    work: unsafe extern "system" fn(),
    unload: unsafe extern "system" fn(isize) -> isize,
    is_gone: unsafe extern "system" fn(isize, i32) -> i32,
}

/// The functions, for as long as a thread is in one of them.
struct Entered {
    functions: &'static Functions,
    _inside: Inside,
}

impl Deref for Entered {
    type Target = Functions;

    fn deref(&self) -> &Functions {
        self.functions
    }
}

fn functions() -> Result<Entered, HRESULT> {
    let _inside = task::inside()?;
    let functions = table()?;
    Ok(Entered { functions, _inside })
}

static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

fn table() -> Result<&'static Functions, HRESULT> {
    let clr = started()?;
    if let Some(functions) = FUNCTIONS.get() {
        return Ok(functions);
    }
    let functions = find(clr)?;
    Ok(FUNCTIONS.get_or_init(|| functions))
}

fn find(clr: &Clr) -> Result<Functions, HRESULT> {
    // SAFETY: the method has this signature since .NET 8. The bytes are copied; there are no
    // symbols.
    let answer = unsafe {
        let load = clr.activator::<LoadAssemblyBytes>("LoadAssemblyBytes")?;
        load(
            ASSEMBLY.as_ptr().cast(),
            ASSEMBLY.len(),
            null(),
            0,
            null_mut(),
            null_mut(),
        )
    };
    let (assembly, class) = ("soglia.hosting", "Soglia.Hosting.Managed");
    let (of_waits, of_domains) = ("Soglia.Hosting.Waiting", "Soglia.Hosting.Domains");
    let of_pool = "Soglia.Hosting.Pool";
    // Another thread may do the same: then the second load fails, and the assembly is there.
    // SAFETY: the methods of these files have the signatures of the fields.
    let functions = (|| unsafe {
        Ok(Functions {
            execute: clr.function(assembly, class, "Execute")?,
            begin: clr.function(assembly, class, "Begin")?,
            waits: clr.function(assembly, class, "Waits")?,
            interrupt: clr.function(assembly, class, "Interrupt")?,
            end: clr.function(assembly, class, "End")?,
            forget_execution: clr.function(assembly, class, "ForgetExecution")?,
            collect: clr.function(assembly, class, "Collect")?,
            statistics: clr.function(assembly, class, "Statistics")?,
            used: clr.function(assembly, class, "Used")?,
            allocated: clr.function(assembly, class, "Allocated")?,
            debugger: clr.function(assembly, class, "DebuggerAttached")?,
            watch: clr.function(assembly, class, "Watch")?,
            keep_running: clr.function(assembly, class, "KeepRunning")?,
            forget: clr.function(assembly, class, "Forget")?,
            set_culture: clr.function(assembly, class, "SetCulture")?,
            serve: clr.function(assembly, class, "Serve")?,
            carry: clr.function(assembly, of_waits, "Carry")?,
            check: clr.function(assembly, of_waits, "Check")?,
            create: clr.function(assembly, of_domains, "Create")?,
            manage: clr.function(assembly, of_domains, "Manage")?,
            export: clr.function(assembly, of_domains, "Export")?,
            run: clr.function(assembly, of_domains, "Run")?,
            current: clr.function(assembly, of_domains, "Current")?,
            can_work: clr.function(assembly, of_pool, "Prepare")?,
            work: clr.function(assembly, of_pool, "Work")?,
            unload: clr.function(assembly, of_domains, "Unload")?,
            is_gone: clr.function(assembly, of_domains, "IsGone")?,
        })
    })();
    functions.map_err(|why| {
        let load = HRESULT(answer);
        if load.is_err() { load } else { why }
    })
}

/// Whether the assembly can be used. A program can be configured so that native code can call
/// nothing.
pub fn is_there() -> bool {
    functions().is_ok()
}

/// Calls `static int method(string)` in the domain with this handle, or in the first one. The
/// argument may be null. With an execution of [`begin`], a host can end the waits of the call.
///
/// # Errors
/// The HRESULT of what is missing, or of what the method threw. `COR_E_THREADABORTED` if a wait was
/// ended.
pub fn execute(
    domain: isize,
    [assembly, class, method, argument]: [Wide<'_>; 4],
    execution: isize,
) -> Result<i32, HRESULT> {
    let mut result = 0;
    let place = Out::new(&mut result);
    // SAFETY: the function is `Execute` of Hosting.cs. It takes a null text as an empty one, and
    // catches every exception.
    let answer =
        unsafe { (table()?.execute)(domain, assembly, class, method, argument, execution, place) };
    answer.ok().map(|()| result).map_err(|e| e.code())
}

/// Prepares an execution on the calling thread whose waits can be ended.
pub fn begin() -> Result<isize, HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type.
    Ok(unsafe { (functions()?.begin)() })
}

/// Whether its thread waits, sleeps or joins.
pub fn waits(execution: isize) -> Result<bool, HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type; what `begin` gave, before its
    // `forget_execution`.
    Ok(unsafe { (functions()?.waits)(execution) } != 0)
}

/// Ends that wait, or the next one. Returns `false` if the execution is over.
pub fn interrupt(execution: isize) -> Result<bool, HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type. It takes what `begin` returned,
    // before its `forget_execution`.
    Ok(unsafe { (functions()?.interrupt)(execution) } != 0)
}

/// Notes that the execution is over, so that it is no longer interrupted. Called on its thread.
pub fn end(execution: isize) {
    // The host may have stopped the runtime meanwhile, which still runs.
    if let (Some(functions), Ok(_inside)) = (FUNCTIONS.get(), task::inside()) {
        // SAFETY: Hosting.cs declares the function with this type; what `begin` gave.
        unsafe { (functions.end)(execution) };
    }
}

/// Frees an execution that nothing refers to any more. On any thread. Does not wait.
pub fn forget_execution(execution: isize) {
    if let Some(functions) = FUNCTIONS.get() {
        // SAFETY: Hosting.cs declares the function with this type; what `begin` gave, once.
        unsafe { (functions.forget_execution)(execution) };
    }
}

/// Collects this generation and those below it, or all for -1, and waits until that is done.
pub fn collect(generation: i32) -> Result<(), HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type.
    unsafe { (functions()?.collect)(generation) };
    Ok(())
}

/// What the collector has done, and what it holds.
pub fn statistics() -> Result<Statistics, HRESULT> {
    let mut statistics = Statistics::default();
    // SAFETY: Hosting.cs declares the function with this type; it fills in a structure of the same
    // layout.
    unsafe { (functions()?.statistics)(Out::new(&mut statistics)) };
    Ok(statistics)
}

/// What the process has used.
pub fn used() -> Result<Used, HRESULT> {
    let mut used = Used::default();
    // SAFETY: Hosting.cs declares the function with this type; it fills in a structure of the same
    // layout.
    unsafe { (functions()?.used)(Out::new(&mut used)) };
    Ok(used)
}

/// Bytes that the calling thread has allocated.
pub fn allocated_by_this_thread() -> Result<u64, HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type.
    Ok(unsafe { (functions()?.allocated)() }.max(0) as u64)
}

/// Whether a managed debugger is attached.
pub fn debugger_attached() -> Result<bool, HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type.
    Ok(unsafe { (functions()?.debugger)() } != 0)
}

/// Has managed code call `tell`, in preemptive mode, when the program exits (0), and when an
/// exception is unhandled (1).
pub fn watch(tell: extern "C" fn(i32)) -> Result<(), HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type, and the function is of this library,
    // which stays.
    unsafe { (functions()?.watch)(tell) };
    Ok(())
}

/// Makes unhandled exceptions end only their thread. Returns `false` if this runtime cannot do
/// that, or if the program decides.
pub fn keep_running() -> Result<bool, HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type.
    Ok(unsafe { (functions()?.keep_running)() } != 0)
}

/// Removes a variable from the environment that managed code sees.
pub fn forget(variable: &str) -> Result<(), HRESULT> {
    let variable = WideString::new(variable);
    // SAFETY: Hosting.cs declares the function with this type, and a zero-terminated text.
    unsafe { (functions()?.forget)(variable.lent()) };
    Ok(())
}

/// Sets the calling thread's culture. Returns `false` if .NET does not know it.
pub fn set_culture(lcid: u32, of_ui: bool) -> Result<bool, HRESULT> {
    let lcid = i32::try_from(lcid).map_err(|_| hresult::E_INVALIDARG)?;
    // SAFETY: Hosting.cs declares the function with this type.
    Ok(unsafe { (functions()?.set_culture)(lcid, of_ui.into()) } != 0)
}

/// Has managed code ask for each assembly that .NET does not find. The functions are called in
/// preemptive mode, on the thread that needs the assembly.
pub fn serve(provide: Provide, done: Done) -> Result<(), HRESULT> {
    // SAFETY: Hosting.cs declares the function with this type, and the functions are of this
    // library, which stays.
    unsafe { (functions()?.serve)(provide, done) };
    Ok(())
}

/// Has managed code wait for locks by this table.
pub fn carry(table: &'static waits::Table) -> Result<(), HRESULT> {
    // SAFETY: Waiting.cs declares the function with this type, and a structure of the same layout.
    unsafe { (functions()?.carry)(table) };
    Ok(())
}

/// Wakes threads that wait for a lock that is free. Returns how many locks are waited for.
pub fn check() -> Result<i32, HRESULT> {
    // SAFETY: Waiting.cs declares the function with this type.
    Ok(unsafe { (functions()?.check)() })
}

/// Makes a domain with that number and name, and with so many properties. Returns its handle.
///
/// # Errors
/// `E_POINTER` if there are properties and no names or values.
///
/// # Safety
/// There are as many names and values as `count` says, and none of the texts is null.
pub unsafe fn create_domain(
    number: u32,
    name: Wide<'_>,
    count: i32,
    names: Array<'_, Wide<'_>>,
    values: Array<'_, Wide<'_>>,
) -> Result<isize, HRESULT> {
    let mut handle = 0;
    let place = Out::new(&mut handle);
    // SAFETY: the function is `Create` of Domains.cs. The caller vouches for the texts.
    let answer = unsafe { (functions()?.create)(number, name, count, names, values, place) };
    answer.ok().map(|()| handle).map_err(|e| e.code())
}

/// Makes an object of a type, which lives as long as the domain with this handle.
///
/// # Errors
/// The HRESULT of what is missing, or of what the constructor threw.
pub fn manage_domain(domain: isize, assembly: Wide<'_>, class: Wide<'_>) -> Result<(), HRESULT> {
    // SAFETY: the function is `Manage` of Domains.cs, which catches every exception. The texts end
    // with a zero, and the domain is not unloaded while a thread is in it.
    let answer = unsafe { (functions()?.manage)(domain, assembly, class) };
    answer.ok().map_err(|e| e.code())
}

/// A method of the domain with this handle that native code can call.
///
/// # Errors
/// The HRESULT of what is missing. `COR_E_INVALIDOPERATION` without `[UnmanagedCallersOnly]`.
pub fn export(
    domain: isize,
    assembly: Wide<'_>,
    class: Wide<'_>,
    method: Wide<'_>,
) -> Result<Exported, HRESULT> {
    let mut exported = Exported::default();
    let place = Out::new(&mut exported);
    // SAFETY: the function is `Export` of Domains.cs, which catches every exception and fills in a
    // structure of the same layout. The texts end with a zero.
    let answer = unsafe { (functions()?.export)(domain, assembly, class, method, place) };
    answer.ok().map(|()| exported).map_err(|e| e.code())
}

/// Calls `Main` of an assembly in the domain with this handle. As [`execute`].
///
/// # Errors
/// As for [`execute`]. `COR_E_MISSINGMETHOD` if the assembly has no `Main`.
///
/// # Safety
/// There are as many arguments as `count` says, and none of them is null.
pub unsafe fn run(
    domain: isize,
    assembly: Wide<'_>,
    count: i32,
    arguments: Array<'_, Wide<'_>>,
    execution: isize,
) -> Result<i32, HRESULT> {
    let mut code = 0;
    let place = Out::new(&mut code);
    // SAFETY: the function is `Run` of Domains.cs, which catches every exception. The caller
    // vouches for the arguments.
    let answer = unsafe { (table()?.run)(domain, assembly, count, arguments, execution, place) };
    answer.ok().map(|()| code).map_err(|e| e.code())
}

/// The domain whose code has begun what the calling thread does.
pub fn current_domain() -> Result<u32, HRESULT> {
    // SAFETY: Domains.cs declares the function with this type.
    Ok(unsafe { (functions()?.current)() }.cast_unsigned())
}

/// Begins to unload the domain with this handle, which no thread is in or enters again. Returns a
/// handle for [`is_gone`]. Works after a `Stop`, too.
pub fn unload_domain(domain: isize) -> Option<isize> {
    let functions = FUNCTIONS.get()?;
    // SAFETY: Domains.cs declares the function with this type; what `create_domain` gave, once.
    Some(unsafe { (functions.unload)(domain) })
}

/// Whether the domain of an [`unload_domain`] is gone, after a collection if `collects`. Its handle
/// is freed then.
pub fn is_gone(handle: isize, collects: bool) -> bool {
    FUNCTIONS.get().is_some_and(|functions| {
        // SAFETY: Domains.cs declares the function with this type; what `unload_domain` gave, and
        // never again after it was gone.
        unsafe { (functions.is_gone)(handle, collects.into()) != 0 }
    })
}

/// Whether work items of the thread pool can run on other threads than its own.
pub fn can_work() -> bool {
    // SAFETY: Pool.cs declares the function with this type.
    functions().is_ok_and(|functions| unsafe { (functions.can_work)() } != 0)
}

/// Runs work items of the thread pool until none is left. Works after a `Stop`, too.
pub fn work() {
    if let Some(functions) = FUNCTIONS.get() {
        // SAFETY: Pool.cs declares the function with this type, and `can_work` came before.
        unsafe { (functions.work)() };
    }
}
