//! Which task of which manager the running thread is.

use std::{cell::RefCell, sync::Arc};

use soglia_abi::{HRESULT, hresult::S_OK};
use soglia_core::admission::{Holder, Thread};

use super::table::Slots;
use crate::{boundary::fence, threads::is_of_the_runtime};

/// The thread's task of one manager.
struct Held {
    slots: Arc<Slots>,
    task: Holder,
}

impl Drop for Held {
    /// The thread ends, or its manager is gone.
    fn drop(&mut self) {
        self.slots.end(&mut self.task);
    }
}

thread_local! {
    /// One, except for threads of several managers.
    static HELD: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

/// Does something with the thread's task. `S_OK` on a thread that is ending, which is no longer
/// bound.
pub fn with(slots: &Arc<Slots>, body: impl FnOnce(&mut Holder) -> HRESULT) -> HRESULT {
    let done = HELD.try_with(|held| {
        let Ok(mut held) = held.try_borrow_mut() else {
            return S_OK;
        };
        let at = held
            .iter()
            .position(|held| Arc::ptr_eq(&held.slots, slots))
            .unwrap_or_else(|| add(&mut held, slots));
        held.get_mut(at).map_or(S_OK, |held| body(&mut held.task))
    });
    done.unwrap_or(S_OK)
}

/// Does something with all tasks of the thread, one for each manager that has seen it.
pub fn all(mut body: impl FnMut(&Slots, &mut Holder)) {
    // A thread that is ending has none.
    let _ = HELD.try_with(|held| {
        if let Ok(mut held) = held.try_borrow_mut() {
            for Held { slots, task } in held.iter_mut() {
                body(slots, task);
            }
        }
    });
}

#[cold]
fn add(held: &mut Vec<Held>, slots: &Arc<Slots>) -> usize {
    held.retain(|held| Arc::strong_count(&held.slots) > 1);
    held.push(Held {
        slots: slots.clone(),
        task: task(),
    });
    held.len() - 1
}

fn task() -> Holder {
    if is_of_the_runtime() {
        return Holder::exempt();
    }
    Holder::new(Thread::current())
}

/// Gives the calling thread's slots back: what it has run as a task is over.
pub fn over() {
    // They are dropped outside the table, which others may then look at.
    fence((), || drop(HELD.try_with(RefCell::take)));
}

/// Gives the calling thread's slots to tasks that wait for them. The thread only looks at what
/// others do.
pub fn give_way() {
    fence((), || all(|slots, task| _ = slots.give_way(task)));
}

/// Gives the calling thread's slots back, since it is going to wait for what others do.
pub fn park() {
    fence((), || all(Slots::park));
}

/// Notes that the calling thread has slept or waited, by .NET.
pub fn slept() {
    fence((), || all(Slots::wake));
}
