//! From the ids of wrappers to the slots of a task: a plain table, because ids are small and are
//! never reused.
#![allow(unsafe_code, reason = "entries follow their limit in memory")]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Entries of the first table that is not empty.
const FIRST: usize = 256;
/// Ids from here on are in no table. They are looked up at each call.
const MOST: usize = 1 << 20;

/// The head in front of the entries. The entries are the task's own. The thread that ends or holds
/// all tables sets the limit to 0.
#[repr(C)]
struct Head {
    /// Ids from here on are not in the table.
    limit: AtomicUsize,
}

static EMPTY: Head = Head {
    limit: AtomicUsize::new(0),
};

/// Slots by id. Tables that have become too small stay where they are, because another thread may
/// be about to end them.
#[derive(Debug)]
pub(super) struct ById {
    head: NonNull<Head>,
    capacity: usize,
    /// All tables that were made, with the numbers of their entries.
    made: Vec<(NonNull<Head>, usize)>,
}

impl ById {
    /// Knows no id.
    pub(super) fn new() -> Self {
        Self {
            head: NonNull::from(&EMPTY),
            capacity: 0,
            made: Vec::new(),
        }
    }

    /// The slot of this id, if it was learnt.
    #[inline(always)]
    pub(super) fn get(&self, id: usize) -> Option<u32> {
        // SAFETY: `head` leads to `EMPTY` or to a table that `grow` made, and tables are never
        // freed.
        if id >= unsafe { self.head.as_ref() }.limit.load(Relaxed) {
            return None;
        }
        // SAFETY: the limit is never above the number of entries, so the entry exists. Only this
        // task's thread writes entries, and it is the one that calls this.
        let slot = unsafe { self.entries().add(id).read() };
        // 0 is no slot, because the header lies there.
        (slot != 0).then_some(slot)
    }

    #[inline(always)]
    fn entries(&self) -> *mut u32 {
        // SAFETY: one past the head is where the entries are, or the end of `EMPTY`.
        unsafe { self.head.add(1) }.as_ptr().cast()
    }

    /// Keeps the slot of an id. If that takes a new table, `open` sets its limit.
    #[cold]
    pub(super) fn learn(
        &mut self,
        id: usize,
        slot: u32,
        open: impl FnOnce(&'static AtomicUsize, usize),
    ) {
        if id >= MOST || (id >= self.capacity && !self.grow(id, open)) {
            return;
        }
        // SAFETY: the index is below `capacity`, the number of entries. Only this task's thread
        // reads and writes them.
        unsafe { self.entries().add(id).write(slot) };
    }

    fn grow(&mut self, id: usize, open: impl FnOnce(&'static AtomicUsize, usize)) -> bool {
        let capacity = (id + 1).next_power_of_two().max(FIRST);
        let Some(layout) = layout_of(capacity) else {
            return false;
        };
        // SAFETY: the layout has a head, so its size is not zero. Zeros are a head that lets no id
        // pass, and entries without slots.
        let Some(head) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            return false;
        };
        let old = (self.entries(), self.capacity);
        (self.head, self.capacity) = (head.cast(), capacity);
        self.made.push((self.head, capacity));
        // SAFETY: the new table has more entries than the old one and is another piece of memory.
        // Only this task's thread uses the entries of both.
        unsafe { old.0.copy_to_nonoverlapping(self.entries(), old.1) };
        // SAFETY: the table is never freed, and the head, the only part that other threads use, is
        // an atomic.
        let head: &'static Head = unsafe { self.head.as_ref() };
        open(&head.limit, capacity);
        true
    }

    /// The limit of the table and the number of its entries, if another thread has set the limit
    /// to 0.
    #[cold]
    pub(super) fn held(&self) -> Option<(&'static AtomicUsize, usize)> {
        // SAFETY: as in `grow`. `EMPTY` has no entries.
        let head: &'static Head = unsafe { self.head.as_ref() };
        (self.capacity > 0 && head.limit.load(Relaxed) == 0).then_some((&head.limit, self.capacity))
    }

    /// Frees all tables, and knows no id any more.
    ///
    /// # Safety
    /// No other thread uses the limits of the tables any more.
    pub(super) unsafe fn free(&mut self) {
        (self.head, self.capacity) = (NonNull::from(&EMPTY), 0);
        for (head, capacity) in self.made.drain(..) {
            if let Some(layout) = layout_of(capacity) {
                // SAFETY: `grow` made the table with this layout, and nothing leads to it any more:
                // this task does not, and no other thread does, which the caller promises.
                unsafe { dealloc(head.as_ptr().cast(), layout) };
            }
        }
    }

    /// Forgets all ids.
    pub(super) fn clear(&mut self) {
        // SAFETY: the index is below `capacity`, the number of entries. Only this task's thread
        // reads and writes them.
        unsafe { self.entries().write_bytes(0, self.capacity) };
    }

    /// Forgets all ids that have this slot.
    pub(super) fn forget(&mut self, slot: u32) {
        for id in 0..self.capacity {
            // SAFETY: the index is below `capacity`, the number of entries. Only this task's thread
            // reads and writes them.
            let entry = unsafe { self.entries().add(id) };
            // SAFETY: the same entry, which this task's thread alone reads and writes.
            unsafe {
                if entry.read() == slot {
                    entry.write(0);
                }
            }
        }
    }
}

/// The memory of a table with so many entries.
fn layout_of(capacity: usize) -> Option<Layout> {
    let entries = Layout::array::<u32>(capacity).ok()?;
    let (layout, _) = Layout::new::<Head>().extend(entries).ok()?;
    Some(layout)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{Mutex, PoisonError},
    };

    use proptest::{collection::vec, prelude::*, test_runner::Config};

    use super::*;

    /// Keeps the tables reachable, which are never freed.
    static LIMITS: Mutex<Vec<&'static AtomicUsize>> = Mutex::new(Vec::new());

    fn learn(table: &mut ById, id: usize, slot: u32) {
        table.learn(id, slot, |limit, entries| {
            limit.store(entries, Relaxed);
            let mut limits = LIMITS.lock().unwrap_or_else(PoisonError::into_inner);
            limits.push(limit);
        });
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Learn(usize, u32),
        Forget(u32),
        Clear,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => (0..3000_usize, 1..40_u32).prop_map(|(id, slot)| Step::Learn(id, slot)),
            2 => (1..40_u32).prop_map(Step::Forget),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #![proptest_config(Config {
            cases: if cfg!(miri) { 2 } else { 64 },
            failure_persistence: None,
            ..Config::default()
        })]

        #[test]
        fn a_table_knows_what_it_learnt(steps in vec(any_step(), 0..200)) {
            let (mut table, mut expected) = (ById::new(), HashMap::new());
            for step in steps {
                match step {
                    Step::Learn(id, slot) => {
                        learn(&mut table, id, slot);
                        expected.insert(id, slot);
                    }
                    Step::Forget(slot) => {
                        table.forget(slot);
                        expected.retain(|_, kept| *kept != slot);
                    }
                    Step::Clear => {
                        table.clear();
                        expected.clear();
                    }
                }
            }
            for id in 0..3100 {
                prop_assert_eq!(table.get(id), expected.get(&id).copied());
            }
        }
    }

    #[test]
    fn an_ended_table_knows_no_id_and_an_enormous_id_is_in_none() {
        let mut table = ById::new();
        assert_eq!(table.get(0), None);
        learn(&mut table, MOST, 7);
        assert_eq!((table.get(MOST), table.capacity), (None, 0));
        let mut limit = None;
        table.learn(5, 7, |of_table, entries| {
            of_table.store(entries, Relaxed);
            limit = Some(of_table);
        });
        assert_eq!(table.get(5), Some(7));
        let limit = limit.unwrap();
        LIMITS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(limit);
        limit.store(0, Relaxed);
        assert_eq!(table.get(5), None);
    }
}
