//! Changes methods of CoreLib in which a thread looks at what other threads do, or waits for it.
//! Where slots are bounded ([`crate::slots`]), a thread that would look again first gives its slot
//! to one that waits for it. A thread that blocks has no slot meanwhile.
//!
//! ```text
//!   bool Monitor.TryEnter(object o) {          bool WaitHandle.WaitOneNoCheck(int time, ...) {
//!       if (*waiting != 0) give_way()              if (time != 0) park()
//!       as it was                                  as it was; before each return: slept()
//!   }                                          }
//! ```
//!
//! All spinning leads to `Thread.Yield` and `Thread.Sleep`, which are occasions already
//! ([`super::occasions`]). A wait that an exception ends leaves the thread without a slot until
//! its next crossing.

use soglia_abi::ids::MdToken;
use soglia_il::{
    asm::Code,
    body::inserted::{Put, around_returns},
    sig::{self, MethodSig},
};

use super::{changed::Done, corelib::CoreLib, occasions::notify};
use crate::{notify::occasions, slots};

/// All methods of these names, whatever they take. Some versions lack some of the classes.
const METHODS: [(&str, &str); 7] = [
    // Runs between two work items of a thread of the pool; `Task.Yield` runs one after the other.
    ("System.Threading.Thread", "ResetThreadPoolThread"),
    ("System.Threading.Monitor", "TryEnter"),
    ("System.Threading.Lock", "TryEnter"),
    ("System.Threading.WaitHandle", "WaitOne"),
    ("System.Threading.SemaphoreSlim", "Wait"),
    ("System.Threading.ManualResetEventSlim", "Wait"),
    ("System.Threading.Tasks.Task", "Wait"),
];

/// The methods in which a thread blocks, the number of the argument that is the time, and how many
/// parameters they have. Those of another shape stay as they are, and so do those without code.
const WAITS: [(&str, &str, Option<u16>, usize); 11] = [
    ("System.Threading.WaitHandle", "WaitOneNoCheck", Some(1), 1),
    ("System.Threading.WaitHandle", "WaitOneNoCheck", Some(1), 4),
    ("System.Threading.WaitHandle", "WaitMultiple", Some(2), 3),
    ("System.Threading.WaitHandle", "WaitAnyMultiple", Some(1), 2),
    ("System.Threading.WaitHandle", "SignalAndWait", Some(2), 3),
    (MONITOR, "Wait", Some(1), 2),
    (MONITOR, "TryEnter_Slowpath", Some(1), 2),
    (MONITOR, "Enter_Slowpath", None, 1),
    // Of .NET 8 and 9, added before.
    (MONITOR, ENTER_PARKED, None, 2),
    (MONITOR, TRY_ENTER_PARKED, Some(1), 3),
    // Idle threads of the pool.
    (
        "System.Threading.LowLevelLifoSemaphore",
        "WaitForSignal",
        Some(1),
        1,
    ),
];

const MONITOR: &str = "System.Threading.Monitor";
/// Methods that call what blocks, in versions where that is native code.
pub(super) const ENTER_PARKED: &str = "ReliableEnter_Parked";
pub(super) const TRY_ENTER_PARKED: &str = "ReliableEnterTimeout_Parked";

/// Changes all of them that exist.
pub(super) fn take_over(corelib: &CoreLib, done: &mut Done) {
    for (class, name) in METHODS {
        for (method, _) in named(corelib, class, name) {
            done.note(method, gives_way(corelib, method), || {
                format!("no slot is given away in {class}.{name}")
            });
        }
    }
    for (class, name, time, parameters) in WAITS {
        for (method, signature) in named(corelib, class, name) {
            if has(&signature, time, parameters) {
                done.note(method, parks(corelib, method, time), || {
                    format!("a slot is kept in {class}.{name}")
                });
            }
        }
    }
}

/// The methods of this name, with their signatures. None if there is no such class.
fn named(corelib: &CoreLib, class: &str, name: &str) -> Vec<(MdToken, Vec<u8>)> {
    let class = corelib.class(class);
    class.map_or_else(|_| Vec::new(), |of| corelib.methods(of, name))
}

/// Whether a method has so many parameters, and a number of milliseconds in this argument.
fn has(signature: &[u8], time: Option<u16>, parameters: usize) -> bool {
    MethodSig::parse(signature).is_some_and(|of| {
        let time = time.map(|time| usize::from(time) - usize::from(of.has_this()));
        let is_number = |at: usize| of.params().nth(at).is_some_and(|of| of == [sig::INT32]);
        of.params().count() == parameters && time.is_none_or(is_number)
    })
}

/// Has a thread give its slot back for the time of a method, if the time in this argument is not
/// 0. Returns `false` if the method has no code.
fn parks(corelib: &CoreLib, method: MdToken, time: Option<u16>) -> Result<bool, String> {
    let (mut enter, mut leave) = (Code::new(), Code::new());
    let on = enter.label();
    if let Some(time) = time {
        enter.ldarg(time);
        enter.brfalse(on);
    }
    notify(corelib, &mut enter, occasions::park)?;
    enter.place(on);
    notify(corelib, &mut leave, occasions::slept)?;
    put(corelib, method, enter, leave)
}

/// Changes one method. Returns `false` if it has no code: another method of its name then calls it
/// or is called by it.
fn gives_way(corelib: &CoreLib, method: MdToken) -> Result<bool, String> {
    let mut code = Code::new();
    let on = code.label();
    let waiting = std::ptr::from_ref(slots::waiting()).expose_provenance();
    code.ldc_i8((waiting as u64).cast_signed());
    code.conv_i();
    code.ldind_i();
    code.brfalse(on);
    notify(corelib, &mut code, occasions::give_way)?;
    code.place(on);
    put(corelib, method, code, Code::new())
}

/// Puts code at the start of a method and before its returns. Returns `false` if the method has no
/// code.
fn put(corelib: &CoreLib, method: MdToken, enter: Code, leave: Code) -> Result<bool, String> {
    let Some(body) = corelib.whole_body(method) else {
        return Ok(false);
    };
    let body = around(body, enter, leave).ok_or("its body is of an unknown shape")?;
    corelib.set_body(method, &body)?;
    Ok(true)
}

/// A body with code at its start and before its returns.
pub(super) fn around(body: &[u8], enter: Code, leave: Code) -> Option<Vec<u8>> {
    let (enter, first) = enter.finish_prefix()?;
    let (leave, second) = leave.finish_prefix()?;
    let put = Put {
        enter: &enter,
        leave: &leave,
        stack: first.max(second),
        locals: None,
    };
    around_returns(body, &put).map(|made| made.body)
}
