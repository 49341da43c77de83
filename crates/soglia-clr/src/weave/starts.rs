//! Changes `Thread.StartCore` of CoreLib, through which every `Thread` starts: it tells the engine
//! that the runtime is about to make a thread for it ([`crate::notify::new_threads`]). The
//! runtime makes threads of its own by the same function.

use soglia_il::{asm::Code, body::prefix::with_prefix, sig};

use super::{changed::Done, corelib::CoreLib, occasions::notify};
use crate::notify::new_threads;

const THREAD: &str = "System.Threading.Thread";
const START: &str = "StartCore";

pub(super) fn take_over(corelib: &CoreLib, done: &mut Done) {
    match change(corelib) {
        Ok(row) => {
            done.changed.insert(row);
        }
        Err(why) => {
            let missing = format!("its host is not asked for threads: {why}");
            done.missing.push(missing);
        }
    }
}

/// Returns the row of the method.
fn change(corelib: &CoreLib) -> Result<u32, String> {
    let method = corelib.method(THREAD, START, &[sig::THIS, 0, sig::VOID])?;
    let odd = || format!("{THREAD}.{START} is of an unknown shape");
    let mut code = Code::new();
    notify(corelib, &mut code, new_threads::starting)?;
    let (prefix, stack) = code.finish_prefix().ok_or_else(odd)?;
    let body = corelib.whole_body(method).ok_or_else(odd)?;
    let body = with_prefix(body, 0, &prefix, stack).ok_or_else(odd)?;
    corelib.set_body(method, &body)?;
    Ok(method.row())
}
