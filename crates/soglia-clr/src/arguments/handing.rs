//! What this thread is being handed.
//!
//! [`begin`] says which call it is. The wrapper hands the arguments over ([`give`]), and [`end`]
//! records them.

use std::{
    cell::RefCell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use soglia_abi::profiler::info::ICorProfilerInfo3;
use soglia_core::trace::{
    arguments::{Arguments, Of},
    log::{MOST_KEPT, Record},
};
use windows_core::Interface;

use super::{
    details::Details,
    given::{self, ERROR, FORM_AT, FORM_NUMBER, FORM_TEXT, Given, RETURNED},
    plan::{Plan, plan},
    request,
};
use crate::{
    boundary, clerk,
    engine::{self, Engine},
    metadata::Scope,
    threads,
};

/// What stands for a secret.
pub(super) const SECRET: &str = "[redacted]";

/// A call whose arguments come.
struct Handing {
    id: i64,
    about: Arguments,
    errno: i32,
    given: Vec<(u16, Given)>,
}

thread_local! {
    static HANDING: RefCell<Option<Handing>> = const { RefCell::new(None) };
}

fn with<T>(body: impl FnOnce(&mut Option<Handing>) -> T) -> Option<T> {
    let handing =
        HANDING.try_with(|handing| handing.try_borrow_mut().ok().map(|mut h| body(&mut h)));
    handing.ok().flatten()
}

/// How many calls have had their arguments recorded.
static RECORDED: AtomicU32 = AtomicU32::new(0);

/// Forgets how many there were, when the recording has ended.
pub fn forget() {
    RECORDED.store(0, Relaxed);
}

/// Whether the arguments of one more call are recorded.
pub(super) fn takes_one() -> bool {
    RECORDED.fetch_add(1, Relaxed) < MOST_KEPT
}

/// Whether the wrapper of this call shall hand its arguments over. `errno` is that of the call.
///
/// All of [`Arguments`] is known but the values.
pub fn begin(engine: &Engine, id: i64, about: Arguments, errno: i32) -> bool {
    let Some(plan) = plan(id) else {
        return false;
    };
    // The wrapper of another call is handing its arguments over, and has made this call itself.
    if with(|handing| handing.is_some()) == Some(true) {
        return false;
    }
    let function = plan.subject.function();
    let wanted = match about.of {
        Of::Open => engine.arguments.wants_open(function),
        _ if !engine.arguments.wants(function) => false,
        Of::Denied => plan.takes_denied() && takes_one(),
        Of::Slow | Of::Failed => takes_one(),
    };
    if !wanted {
        return false;
    }
    let handing = Handing {
        id,
        about,
        errno,
        given: Vec::new(),
    };
    with(|place| *place = Some(handing)).is_some()
}

/// Whether it is recorded what the thread is working on. That of a call which only begins is not.
pub fn wants_request() -> bool {
    let of = with(|handing| handing.as_ref().map(|handing| handing.about.of));
    of.flatten().is_some_and(|of| of != Of::Open)
}

/// Takes a value. `key` is the index of the parameter and the form in which the value is given.
///
/// # Safety
/// In the form that `key` says, `a` is an address of a value of `b` bytes, a number, or the address
/// of a string.
pub unsafe fn give(key: i64, a: i64, b: i64) {
    let index = key as u16;
    let given = match key & !0xFFFF {
        // SAFETY: the caller promises that.
        FORM_AT => unsafe { Given::at(a as usize, b as usize) },
        FORM_NUMBER => Given::Number(a),
        FORM_TEXT => {
            let Some(layout) = engine::get().and_then(strings) else {
                return;
            };
            let most = request::most_units(index);
            // SAFETY: the caller promises that.
            unsafe { Given::text(a as usize, layout, most) }
        }
        _ => return,
    };
    with(|handing| {
        if let Some(handing) = handing {
            handing.given.push((index, given));
        }
    });
}

/// Where a string has its length and its units.
fn strings(engine: &'static Engine) -> Option<(usize, usize)> {
    static LAYOUT: OnceLock<Option<(usize, usize)>> = OnceLock::new();
    *LAYOUT.get_or_init(|| {
        clerk::ask(move || {
            let info: ICorProfilerInfo3 = engine.info.cast().ok()?;
            let (mut length, mut units) = (0, 0);
            // SAFETY: the pointers are to locals.
            let answer = unsafe { info.GetStringLayout2(&raw mut length, &raw mut units) };
            answer.is_ok().then_some((length as usize, units as usize))
        })
        .flatten()
    })
}

/// Records what came. errno is then what it was at [`begin`].
pub fn end(id: i64) {
    let Some(handing) = with(Option::take)
        .flatten()
        .filter(|handing| handing.id == id)
    else {
        return;
    };
    let errno = handing.errno;
    boundary::fence((), || {
        if let (Some(engine), Some(plan)) = (engine::get(), plan(id)) {
            record(engine, &plan, handing);
        }
    });
    boundary::set_errno(errno);
}

fn record(engine: &'static Engine, plan: &Arc<Plan>, handing: Handing) {
    let details = plan.details.get_or_init(|| {
        let (module, method) = plan.method;
        // The module is in use, since its wrapper is running.
        let read = move || Details::read(engine, &Scope::of_module(&engine.info, module)?, method);
        clerk::ask(read).flatten()
    });
    let Some(details) = details else {
        return;
    };
    let Handing {
        mut about,
        errno,
        given,
        ..
    } = handing;
    let function = plan.subject.function();
    let of = |index: u16| {
        given
            .iter()
            .find(|(at, _)| *at == index)
            .map(|(_, value)| value)
    };
    let values = details.parameters.iter().enumerate().map(|(n, detail)| {
        // An earlier session may have had less to hide.
        let hidden = plan.hidden.get(n).is_none_or(|hidden| *hidden)
            || engine.arguments.hides(function, &detail.name);
        let value = match of(n as u16) {
            _ if hidden => SECRET.to_owned(),
            Some(given) => given.shown(&detail.shape),
            None => detail.shape.alone(),
        };
        (detail.name.clone(), value)
    });
    about.values = values.collect();
    if about.of == Of::Slow {
        about.returned = details.returned.as_ref().map(|shape| match of(RETURNED) {
            _ if plan.hides_returned => SECRET.to_owned(),
            Some(given) => given.shown(shape),
            None => shape.alone(),
        });
    }
    about.error = match of(ERROR) {
        // That of a call before this one.
        _ if about.of == Of::Open => None,
        Some(Given::Number(number)) => given::error(*number as i32),
        _ if details.asks_errno && about.of == Of::Slow => given::error(errno),
        _ => None,
    };
    if about.of == Of::Open {
        // Its layer is the innermost one of this thread.
        let depth = threads::existing().map_or(0, |task| task.depth());
        if let Some(below) = depth.checked_sub(1) {
            engine.recording.keep_arguments(below, &about);
        }
    } else {
        about.request = request::request(of);
        engine.recording.log(&Record::Arguments(about));
    }
}
