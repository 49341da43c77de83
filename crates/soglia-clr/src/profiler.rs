//! The COM object that the CLR calls, and its factory.

use std::{
    ffi::c_void,
    sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst},
};

use soglia_abi::{
    BOOL, GUID, HRESULT, hresult,
    ids::{ClassId, FunctionId, MdMethodDef, ModuleId, ObjectId, ThreadId},
    profiler::{
        callback::{ICorProfilerCallback11, ProfilerCallback},
        factory::{IClassFactory, IClassFactory_Impl},
        info::ICorProfilerInfo,
        types::{
            COR_PRF_GC_REASON, COR_PRF_SUSPEND_REASON, COR_PRF_TRANSITION_REASON,
            EVENTPIPE_PROVIDER,
        },
    },
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    attached, boundary, delegates, dynamic,
    engine::{self, FLOOR, GENERATION, SHUT_DOWN, Source},
    failures, frames,
    host::suspension,
    hosting,
    other_threads::managed,
    pool, required, slots,
    source::transitions,
    stacks,
    start::{self, Declined, EVENTS},
    suspensions, tail_calls, threads,
    variables::{self, CLSID},
    weave,
};

/// The body of `DllGetClassObject`.
///
/// # Safety
/// The pointers are null or valid, as COM demands.
pub unsafe fn class_object(
    class: *const GUID,
    interface: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    boundary::on_panic(panicked);
    if object.is_null() || class.is_null() || interface.is_null() {
        return hresult::E_POINTER;
    }
    // SAFETY: the pointers are not null here, so the caller promises that they are valid.
    unsafe {
        *object = std::ptr::null_mut();
        if *class != CLSID {
            // The CLR would go on without a profiler.
            if let Some(what) = required::asked() {
                required::end(what, "CORECLR_PROFILER is the id of another profiler");
            }
            return hresult::CLASS_E_CLASSNOTAVAILABLE;
        }
        let factory: IClassFactory = ComObject::new(Factory).into_interface();
        factory.query(interface, object)
    }
}

/// Ends the recording after a panic of the engine, and the session, if there is one.
fn panicked(panic: &str) {
    start::end_recording(panic);
    attached::panicked();
}

#[implement(IClassFactory)]
struct Factory;

impl IClassFactory_Impl for Factory_Impl {
    unsafe fn CreateInstance(
        &self,
        outer: *mut c_void,
        interface: *const GUID,
        object: *mut *mut c_void,
    ) -> HRESULT {
        boundary::fence(hresult::E_FAIL, || {
            if !outer.is_null() {
                return hresult::CLASS_E_NOAGGREGATION;
            }
            let floor = std::env::var_os(variables::FLOOR).is_some() && required::asked().is_none();
            FLOOR.store(floor, Relaxed);
            // SAFETY: COM's caller passes a valid interface id, and a place for the answer.
            unsafe {
                if floor {
                    let profiler: ICorProfilerCallback11 = ComObject::new(Floor).into_interface();
                    profiler.query(interface, object)
                } else {
                    let profiler: ICorProfilerCallback11 =
                        ComObject::new(Profiler).into_interface();
                    profiler.query(interface, object)
                }
            }
        })
    }

    unsafe fn LockServer(&self, _lock: BOOL) -> HRESULT {
        hresult::S_OK
    }
}

/// # Safety
/// `unknown` is the CLR's `ICorProfilerInfo*`, lent for the call.
unsafe fn info(unknown: *mut c_void) -> Result<ICorProfilerInfo, HRESULT> {
    // SAFETY: the caller promises a live `ICorProfilerInfo`, which is borrowed and not released.
    let unknown =
        unsafe { windows_core::IUnknown::from_raw_borrowed(&unknown) }.ok_or(hresult::E_POINTER)?;
    unknown.cast::<ICorProfilerInfo>().map_err(|e| e.code())
}

/// Gets all events and does nothing: the floor for benchmarks.
#[implement(ICorProfilerCallback11)]
struct Floor;

impl ProfilerCallback for Floor {
    unsafe fn Initialize(&self, unknown: *mut c_void) -> HRESULT {
        // SAFETY: the CLR passes its own interface, and lets the mask be set inside `Initialize`
        // only.
        unsafe { info(unknown).map_or_else(|e| e, |info| info.SetEventMask(EVENTS)) }
    }
}

#[implement(ICorProfilerCallback11)]
struct Profiler;

impl ProfilerCallback for Profiler {
    unsafe fn Initialize(&self, unknown: *mut c_void) -> HRESULT {
        // Read first, since the engine removes the variables from the environment.
        let required = required::asked();
        let alone = start::is_asked_alone();
        let defect = Declined {
            answer: hresult::CORPROF_E_PROFILER_CANCEL_ACTIVATION,
            why: "of a defect of soglia, please report it".to_owned(),
        };
        let started = boundary::fence(Err(defect), || {
            // SAFETY: the CLR passes its own interface, lent for this call.
            let info = unsafe { info(unknown) }?;
            let engine = start::start(&info)?;
            if engine.records {
                attached::answer(&info);
            }
            Ok(())
        });
        match (started, required) {
            (Ok(()), _) => hresult::S_OK,
            (Err(declined), None) => {
                if alone {
                    declined.say();
                }
                declined.answer
            }
            (Err(declined), Some(what)) => required::end(what, &declined.why),
        }
    }

    unsafe fn InitializeForAttach(
        &self,
        unknown: *mut c_void,
        data: *const c_void,
        size: u32,
    ) -> HRESULT {
        boundary::fence(hresult::E_FAIL, || {
            let data = match size {
                0 => &[][..],
                // SAFETY: the CLR passes data of that size, which stay during the callback.
                _ if !data.is_null() => unsafe {
                    std::slice::from_raw_parts(data.cast::<u8>(), size as usize)
                },
                _ => &[][..],
            };
            // SAFETY: the CLR passes its own interface, lent for this call.
            match unsafe { info(unknown) } {
                Ok(info) => attached::initialize(&info, data),
                Err(answer) => answer,
            }
        })
    }

    fn ProfilerAttachComplete(&self) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            attached::listen();
            hresult::S_OK
        })
    }

    fn Shutdown(&self) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            GENERATION.fetch_or(SHUT_DOWN, SeqCst);
            managed::shut_down();
            slots::shut_down();
            suspensions::shut_down();
            if let Some(engine) = engine::get() {
                engine.recording.shut_down();
            }
            hosting::shut_down();
            hresult::S_OK
        })
    }

    fn ModuleLoadFinished(&self, module: ModuleId, status: HRESULT) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            if let Some(engine) = engine::get().filter(|_| status.is_ok()) {
                engine.modules.add(module);
                if engine.source == Source::Woven && engine.watches {
                    weave::module_loaded(engine, module);
                }
            }
            hresult::S_OK
        })
    }

    fn ModuleUnloadStarted(&self, module: ModuleId) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            managed::module_unloaded();
            let engine = engine::get();
            if let Some(engine) = engine {
                engine.modules.remove(module);
            }
            // Between sessions too: what is known of modules outlives them.
            weave::module_unloaded(module);
            delegates::module_unloaded();
            if let Some(engine) = engine {
                engine.forget_functions();
            }
            stacks::forget();
            GENERATION.fetch_add(1, AcqRel);
            hresult::S_OK
        })
    }

    fn ClassLoadFinished(&self, class: ClassId, status: HRESULT) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            if let Some(engine) = engine::get().filter(|_| status.is_ok()) {
                dynamic::class_loaded(engine, class);
            }
            hresult::S_OK
        })
    }

    unsafe fn DynamicMethodJITCompilationStarted(
        &self,
        function: FunctionId,
        _may_block: BOOL,
        code: *const u8,
        size: u32,
    ) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            if let Some(engine) = engine::get().filter(|_| !code.is_null()) {
                // SAFETY: the CLR passes code of that size, which stays during the callback.
                let code = unsafe { std::slice::from_raw_parts(code, size as usize) };
                dynamic::method_made(engine, function, code);
            }
            hresult::S_OK
        })
    }

    fn JITCompilationFinished(&self, _: FunctionId, _: HRESULT, _may_block: BOOL) -> HRESULT {
        tail_calls::compiled();
        hresult::S_OK
    }

    fn DynamicMethodJITCompilationFinished(
        &self,
        _: FunctionId,
        _: HRESULT,
        _may_block: BOOL,
    ) -> HRESULT {
        tail_calls::compiled();
        hresult::S_OK
    }

    unsafe fn JITInlining(
        &self,
        caller: FunctionId,
        callee: FunctionId,
        may: *mut BOOL,
    ) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            let allowed = engine::get().is_none_or(|e| frames::may_be_inlined(e, callee, caller));
            if !may.is_null() {
                // SAFETY: the pointer is not null, and the CLR reads the answer when this returns.
                unsafe { *may = allowed.into() };
            }
            hresult::S_OK
        })
    }

    unsafe fn JITCachedFunctionSearchStarted(
        &self,
        function: FunctionId,
        use_it: *mut BOOL,
    ) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            let allowed = engine::get().is_none_or(|e| weave::may_use_precompiled(e, function));
            if !allowed && !use_it.is_null() {
                // SAFETY: the pointer is not null, and the CLR reads the answer when this returns.
                unsafe { *use_it = false.into() };
            }
            hresult::S_OK
        })
    }

    unsafe fn GetReJITParameters(
        &self,
        module: ModuleId,
        method: MdMethodDef,
        control: *mut c_void,
    ) -> HRESULT {
        boundary::fence(hresult::E_FAIL, || {
            let Some(engine) = engine::get() else {
                return hresult::E_FAIL;
            };
            // SAFETY: the CLR passes its own object, lent for this call.
            unsafe { weave::parameters(&engine.info, module, method, control) }
        })
    }

    fn ReJITError(
        &self,
        module: ModuleId,
        method: MdMethodDef,
        _: FunctionId,
        answer: HRESULT,
    ) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            weave::failed(module, method, answer);
            hresult::S_OK
        })
    }

    fn ExceptionThrown(&self, exception: ObjectId) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            if let Some(engine) = engine::get() {
                failures::thrown(engine, exception);
            }
            hresult::S_OK
        })
    }

    unsafe fn ThreadNameChanged(&self, thread: ThreadId, length: u32, name: *const u16) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            if let Some(os_thread) = os_thread(thread).filter(|_| !name.is_null()) {
                // SAFETY: the CLR passes a name of that length, which stays during the callback.
                let name = unsafe { std::slice::from_raw_parts(name, length as usize) };
                let name = String::from_utf16_lossy(name);
                threads::rename(os_thread, name.trim_end_matches('\0'));
            }
            hresult::S_OK
        })
    }

    fn ThreadDestroyed(&self, thread: ThreadId) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            if let Some(os_thread) = os_thread(thread) {
                threads::forget_name(os_thread);
            }
            hresult::S_OK
        })
    }

    unsafe fn EventPipeEventDelivered(
        &self,
        _provider: EVENTPIPE_PROVIDER,
        id: u32,
        _version: u32,
        _metadata_size: u32,
        _metadata: *const u8,
        size: u32,
        data: *const u8,
        _activity: *const GUID,
        _related: *const GUID,
        _thread: ThreadId,
        _frames: u32,
        _stack: *const usize,
    ) -> HRESULT {
        boundary::fence(hresult::S_OK, || {
            if !data.is_null() {
                // SAFETY: the CLR passes data of that size, which stay during the callback.
                pool::event(id, unsafe {
                    std::slice::from_raw_parts(data, size as usize)
                });
            }
            hresult::S_OK
        })
    }

    fn RuntimeSuspendStarted(&self, reason: COR_PRF_SUSPEND_REASON) -> HRESULT {
        suspension::started();
        // Last, so that the host's work is not part of the wait.
        suspensions::started(reason);
        hresult::S_OK
    }

    fn RuntimeSuspendFinished(&self) -> HRESULT {
        suspensions::finished();
        hresult::S_OK
    }

    fn RuntimeSuspendAborted(&self) -> HRESULT {
        suspensions::aborted();
        hresult::S_OK
    }

    unsafe fn GarbageCollectionStarted(
        &self,
        number: i32,
        collected: *const BOOL,
        _reason: COR_PRF_GC_REASON,
    ) -> HRESULT {
        if !collected.is_null() {
            // SAFETY: the pointer is not null, and the CLR passes that many values, which stay
            // during the callback.
            suspension::collects(unsafe {
                std::slice::from_raw_parts(collected, number.max(0) as usize)
            });
        }
        hresult::S_OK
    }

    fn RuntimeResumeStarted(&self) -> HRESULT {
        suspension::ended();
        hresult::S_OK
    }

    #[inline(always)]
    fn UnmanagedToManagedTransition(
        &self,
        function: FunctionId,
        reason: COR_PRF_TRANSITION_REASON,
    ) -> HRESULT {
        transitions::unmanaged_to_managed(function, reason)
    }

    #[inline(always)]
    fn ManagedToUnmanagedTransition(
        &self,
        function: FunctionId,
        reason: COR_PRF_TRANSITION_REASON,
    ) -> HRESULT {
        transitions::managed_to_unmanaged(function, reason)
    }
}

/// The operating system's number of a managed thread, once it has one.
fn os_thread(thread: ThreadId) -> Option<u32> {
    let mut os_thread = 0;
    // SAFETY: the CLR's callback names this thread, so it is alive. The pointer is to a local.
    let answer = unsafe {
        engine::get()?
            .info
            .GetThreadInfo(thread, &raw mut os_thread)
    };
    (answer.is_ok() && os_thread != 0).then_some(os_thread)
}
