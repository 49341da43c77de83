//! Methods that get other code while the program runs (ReJIT).
//!
//! Others note here which methods shall be compiled again, and what changes in their bodies.
//! [`request`] then has the CLR do so for all of them at once. The CLR asks for each new body
//! ([`parameters`]) when the method is next called, on the thread that calls it. [`revert`] takes
//! all of it back.
//!
//! The CLR also compiles again what had inlined such a method. It asks for the body of these
//! inliners as well. They keep their own, and are remembered, since they would stay without
//! inlining for ever if they were not taken back too.
//!
//! No lock is held while the CLR is asked, because it asks back on other threads.

use std::{
    collections::HashMap,
    ffi::c_void,
    sync::{PoisonError, RwLock, RwLockWriteGuard},
    thread,
    time::Duration,
};

use soglia_abi::{
    HRESULT, hresult,
    ids::{MdToken, ModuleId},
    profiler::{
        info::{ICorProfilerInfo, ICorProfilerInfo4},
        info_later::{ICorProfilerFunctionControl, ICorProfilerInfo10},
        types::{COR_IL_MAP, COR_PRF_REJIT_BLOCK_INLINING, COR_PRF_REJIT_INLINING_CALLBACKS},
    },
};
use soglia_il::body::{
    self,
    inserted::{Moved, Put, around_returns},
};
use windows_core::Interface;

use super::done;
use crate::metadata;

/// With one of these alone, the CLR silently keeps the old code of a method that is both in the
/// request and an inliner of another one in it.
const FLAGS: u32 = COR_PRF_REJIT_BLOCK_INLINING | COR_PRF_REJIT_INLINING_CALLBACKS;

/// How many methods are requested at once. The CLR stops no thread for that, and holds a lock that
/// threads need which compile: for some milliseconds with so many.
const AT_ONCE: usize = 256;

/// How long wrappers that callers have just left are still on stacks, mostly.
const LEFT_BEHIND: Duration = Duration::from_millis(20);

/// A change of a method's body, in the order in which changes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// The whole body becomes this one.
    Body(Vec<u8>),
    /// An instruction names another method.
    Use(body::Use, MdToken),
    /// A call by pointer becomes a call of this method.
    Pointer(body::Site, MdToken),
    /// Code at the start of the body and before each return. These change the places of
    /// instructions, so they come last.
    Within {
        enter: Vec<u8>,
        leave: Vec<u8>,
        stack: u16,
        locals: Option<MdToken>,
    },
}

impl Edit {
    /// Whether it changes the same as another one.
    fn is_at(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Body(_), Self::Body(_)) => true,
            (Self::Use(one, _), Self::Use(other, _)) => one == other,
            (Self::Pointer(one, _), Self::Pointer(other, _)) => one == other,
            (Self::Within { .. }, Self::Within { .. }) => true,
            _ => false,
        }
    }

    /// Whether it changes an instruction that calls.
    const fn is_of_calls(&self) -> bool {
        matches!(self, Self::Use(..) | Self::Pointer(..))
    }

    const fn order(&self) -> u8 {
        match self {
            Self::Body(_) => 0,
            Self::Use(..) => 1,
            Self::Pointer(..) => 2,
            Self::Within { .. } => 3,
        }
    }
}

/// What is known of a method.
#[derive(Debug, Default)]
struct Method {
    edits: Vec<Edit>,
    stage: Stage,
    /// It was not asked for, but has inlined one that was.
    inliner: bool,
    /// The method that has its code now, and gets the changes of its calls.
    behind: Option<MdToken>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It is for the next request.
    #[default]
    Noted,
    /// The CLR knows, and has not asked for its body yet.
    Requested,
    /// The CLR has asked for its body.
    Entered,
    /// The CLR could not.
    Failed(HRESULT),
}

type Key = (ModuleId, MdToken);

static METHODS: RwLock<Option<HashMap<Key, Method>>> = RwLock::new(None);

fn write() -> RwLockWriteGuard<'static, Option<HashMap<Key, Method>>> {
    METHODS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that a method shall be compiled again, with its own body.
pub(super) fn again(module: ModuleId, method: MdToken) {
    note(module, method, None);
}

/// Notes that a method shall be compiled again, with this change.
pub(super) fn edit(module: ModuleId, method: MdToken, edit: Edit) {
    note(module, method, Some(edit));
}

/// Notes that the code of a method lies in another one of its module, which does not change the
/// places of instructions.
pub(super) fn behind(module: ModuleId, method: MdToken, behind: MdToken) {
    let moved: Vec<Edit> = {
        let mut methods = write();
        let methods = methods.get_or_insert_default();
        let of = methods.entry((module, method)).or_default();
        of.behind = Some(behind);
        let (moved, stay) = std::mem::take(&mut of.edits)
            .into_iter()
            .partition(Edit::is_of_calls);
        of.edits = stay;
        moved
    };
    for change in moved {
        edit(module, behind, change);
    }
}

fn note(module: ModuleId, method: MdToken, edit: Option<Edit>) {
    let mut methods = write();
    let methods = methods.get_or_insert_default();
    let of_calls = edit.as_ref().is_some_and(Edit::is_of_calls);
    let behind = methods.get(&(module, method)).and_then(|of| of.behind);
    let method = behind.filter(|_| of_calls).unwrap_or(method);
    let method = methods.entry((module, method)).or_default();
    if let Some(edit) = edit.filter(|edit| !method.edits.contains(edit)) {
        method.edits.retain(|other| !other.is_at(&edit));
        method.edits.push(edit);
        method.edits.sort_by_key(Edit::order);
        // Its code may be there without this change.
        method.stage = Stage::Noted;
    }
    if method.inliner {
        method.inliner = false;
        method.stage = Stage::Noted;
    }
}

/// Has the CLR compile again what was noted since the last request. Returns how many methods.
///
/// # Errors
/// The CLR's answer. What was noted is forgotten then.
pub(super) fn request(info: &ICorProfilerInfo) -> Result<usize, HRESULT> {
    let mut noted = Vec::new();
    for (key, method) in write().get_or_insert_default() {
        if method.stage == Stage::Noted {
            // Before the request, during which the CLR already asks for bodies.
            method.stage = Stage::Requested;
            noted.push(*key);
        }
    }
    // CoreLib first: it makes stack traces without wrappers only when it has its new code.
    let corelib = done::corelib();
    noted.sort_unstable_by_key(|(of, token)| (Some(*of) != corelib, of.0, token.0));
    let info10 = info.cast::<ICorProfilerInfo10>();
    let mut left = noted.as_slice();
    while let Some((some, others)) = left.split_at_checked(AT_ONCE.min(left.len())) {
        if some.is_empty() {
            break;
        }
        let (modules, tokens): (Vec<ModuleId>, Vec<MdToken>) = some.iter().copied().unzip();
        let answer = info10.as_ref().map_or_else(
            |error| error.code(),
            // SAFETY: there are as many modules as methods, and as many as said.
            |info| unsafe {
                let count = modules.len() as u32;
                info.RequestReJITWithInliners(FLAGS, count, modules.as_ptr(), tokens.as_ptr())
            },
        );
        if answer.is_err() {
            let mut methods = write();
            let methods = methods.get_or_insert_default();
            for key in left {
                methods.remove(key);
            }
            return Err(answer);
        }
        left = others;
    }
    Ok(noted.len())
}

/// Takes everything back. Returns how many methods the CLR did not take back.
pub(super) fn revert(info: &ICorProfilerInfo) -> usize {
    let all = write().take().unwrap_or_default();
    let keys = all
        .into_iter()
        .filter(|(_, method)| method.stage != Stage::Noted)
        .map(|(key, _)| key);
    let corelib = done::corelib();
    let (last, first): (Vec<Key>, Vec<Key>) = keys.partition(|(of, _)| Some(*of) == corelib);
    let info = info.cast::<ICorProfilerInfo4>();
    let revert = |keys: &[Key]| {
        keys.chunks(AT_ONCE)
            .map(|some| kept(&info, some))
            .sum::<usize>()
    };
    let left = revert(&first);
    // CoreLib last, for the same reason. Exceptions that have passed through wrappers may not have
    // their stack traces yet.
    if !first.is_empty() && !last.is_empty() {
        thread::sleep(LEFT_BEHIND);
    }
    left + revert(&last)
}

/// Takes these back. Returns how many the CLR did not take back.
fn kept(info: &windows_core::Result<ICorProfilerInfo4>, some: &[Key]) -> usize {
    let (modules, tokens): (Vec<ModuleId>, Vec<MdToken>) = some.iter().copied().unzip();
    let mut answers = vec![hresult::S_OK; modules.len()];
    let answer = info.as_ref().map_or_else(
        |error| error.code(),
        // SAFETY: there are as many modules, methods and places for answers as said.
        |info| unsafe {
            let count = modules.len() as u32;
            let answers = answers.as_mut_ptr();
            info.RequestRevert(count, modules.as_ptr(), tokens.as_ptr(), answers)
        },
    );
    if answer.is_err() {
        return modules.len();
    }
    answers.iter().filter(|answer| answer.is_err()).count()
}

/// Forgets the methods of a module that is about to be unloaded.
pub(super) fn forget(module: ModuleId) {
    if let Some(methods) = write().as_mut() {
        methods.retain(|(of, _), _| *of != module);
    }
}

/// How far the CLR is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// The methods that were requested.
    pub(super) requested: usize,
    /// Those of them whose new body the CLR never asked for.
    pub(super) not_entered: usize,
    /// The methods that the CLR could not compile again, and its answers.
    pub(super) failed: Vec<(ModuleId, MdToken, HRESULT)>,
}

/// How far the CLR is now.
pub(super) fn figures() -> Figures {
    let methods = METHODS.read().unwrap_or_else(PoisonError::into_inner);
    let mut figures = Figures::default();
    for ((module, token), method) in methods.iter().flatten() {
        if !method.inliner && method.stage != Stage::Noted {
            figures.requested += 1;
        }
        match method.stage {
            Stage::Requested => figures.not_entered += 1,
            Stage::Failed(answer) => figures.failed.push((*module, *token, answer)),
            Stage::Noted | Stage::Entered => {}
        }
    }
    figures
        .failed
        .sort_by_key(|(module, token, _)| (module.0, token.0));
    figures
}

/// Gives the CLR the new body of a method.
///
/// # Safety
/// `control` is null or the CLR's `ICorProfilerFunctionControl*`, lent for the call.
pub unsafe fn parameters(
    info: &ICorProfilerInfo,
    module: ModuleId,
    method: MdToken,
    control: *mut c_void,
) -> HRESULT {
    let edits = {
        let mut methods = write();
        let of = methods.get_or_insert_default();
        let of = of.entry((module, method)).or_insert_with(|| Method {
            inliner: true,
            ..Method::default()
        });
        of.stage = Stage::Entered;
        of.edits.clone()
    };
    // SAFETY: the caller promises a live object, which is borrowed and not released.
    let Some(control) = (unsafe { ICorProfilerFunctionControl::from_raw_borrowed(&control) })
    else {
        return hresult::E_POINTER;
    };
    let new = metadata::body(info, module, method).and_then(|body| edited(body.to_vec(), &edits));
    let Some((body, moved)) = new else {
        failed(module, method, hresult::E_FAIL);
        return hresult::E_FAIL;
    };
    if let Some(moved) = moved {
        let map = map_of(&moved);
        // Without it, lines of the method are wrong; that is no reason not to watch it.
        // SAFETY: the map is as long as said. The CLR copies it.
        let _ = unsafe { control.SetILInstrumentedCodeMap(map.len() as u32, map.as_ptr()) };
    }
    // SAFETY: the body is as long as said. The CLR copies it.
    unsafe { control.SetILFunctionBody(body.len() as u32, body.as_ptr()) }
}

/// Notes that the CLR could not compile a method again.
pub fn failed(module: ModuleId, method: MdToken, answer: HRESULT) {
    if let Some(method) = write()
        .as_mut()
        .and_then(|methods| methods.get_mut(&(module, method)))
    {
        method.stage = Stage::Failed(answer);
    }
}

/// Where the instructions of a body are now, as the CLR wants to know it for lines and debuggers.
fn map_of(moved: &Moved) -> Vec<COR_IL_MAP> {
    let first = (0, 0);
    let places = [first].into_iter().chain(moved.places().skip(1));
    let entry = |(before, now)| COR_IL_MAP {
        oldOffset: before,
        newOffset: now,
        fAccurate: true.into(),
    };
    places.map(entry).collect()
}

/// A body with these changes, and where its instructions were if they moved. `None`: it is not the
/// body that they were made for.
pub(super) fn edited(mut body: Vec<u8>, edits: &[Edit]) -> Option<(Vec<u8>, Option<Moved>)> {
    let mut moved = None;
    for edit in edits {
        let fits = match edit {
            Edit::Body(new) => {
                body.clone_from(new);
                true
            }
            Edit::Use(at, method) => at.patch(&mut body, *method),
            Edit::Pointer(site, method) => site.patch(&mut body, *method),
            Edit::Within {
                enter,
                leave,
                stack,
                locals,
            } => {
                let put = Put {
                    enter,
                    leave,
                    stack: *stack,
                    locals: *locals,
                };
                let made = around_returns(&body, &put)?;
                body = made.body;
                moved = Some(made.moved);
                true
            }
        };
        fits.then_some(())?;
    }
    Some((body, moved))
}
