//! Which methods have inlined which others.

use std::collections::{HashMap, HashSet};

use super::{
    image::Image,
    native::{hash_table, native_unsigned},
};

/// The greatest row of a metadata table.
const ROWS: u32 = 0x00FF_FFFF;

/// Flags of an inlined method: it belongs to another module; other modules have inlined it.
const OF_OTHERS: u32 = 1;
const INTO_OTHERS: u32 = 2;

/// The numbers of an entry of the table. The first number says how many follow.
struct Numbers<'a> {
    table: &'a [u8],
    at: usize,
    left: u32,
}

impl<'a> Numbers<'a> {
    fn of_entry(table: &'a [u8], entry: usize) -> Option<Self> {
        let (left, at) = native_unsigned(table, entry)?;
        Some(Self { table, at, left })
    }

    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let (number, next) = native_unsigned(self.table, self.at)?;
        self.at = next;
        Some(number)
    }
}

impl Image<'_> {
    /// The rows of the methods of this module that have inlined a method whose row is `inlined`.
    ///
    /// If modules were compiled together, methods of others may have inlined it too. Their own
    /// images say so.
    ///
    /// Returns `None` if that is not known.
    pub fn inliners(&self, inlined: &dyn Fn(u32) -> bool) -> Option<HashSet<u32>> {
        let table = self.header.inlining?;
        let mut all = HashSet::new();
        for entry in hash_table(table)? {
            let mut numbers = Numbers::of_entry(table, entry?)?;
            let method = numbers.next()?;
            if method & OF_OTHERS == 0 && inlined(method >> 2) {
                self.inliners_of(method, numbers, |row| {
                    all.insert(row);
                })?;
            }
        }
        Some(all)
    }

    /// All inlined methods, by the row of the method that has inlined them.
    pub(super) fn inlinees(&self) -> Option<HashMap<u32, Vec<u32>>> {
        let table = self.header.inlining?;
        let mut all: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in hash_table(table)? {
            let mut numbers = Numbers::of_entry(table, entry?)?;
            let method = numbers.next()?;
            if method & OF_OTHERS == 0 {
                self.inliners_of(method, numbers, |row| {
                    let methods = all.entry(row).or_default();
                    // A row that is listed twice follows itself.
                    if methods.last() != Some(&(method >> 2)) {
                        methods.push(method >> 2);
                    }
                })?;
            }
        }
        Some(all)
    }

    /// Calls `each` with the row of each method of this module that has inlined `method`.
    ///
    /// The numbers are the distances of rows, each from the one before. If several modules were
    /// compiled together, the lowest bit of a distance says that the row is one of another module,
    /// whose number follows.
    fn inliners_of(
        &self,
        method: u32,
        mut numbers: Numbers,
        mut each: impl FnMut(u32),
    ) -> Option<()> {
        if method & INTO_OTHERS != 0 {
            for _ in 0..numbers.next()? {
                numbers.next()?;
            }
        }
        let mut row = 0_u32;
        while numbers.left > 0 {
            let number = numbers.next()?;
            let (step, elsewhere) = if self.header.has_several_modules() {
                (number >> 1, number & 1 != 0)
            } else {
                (number, false)
            };
            row = row.checked_add(step).filter(|row| *row <= ROWS)?;
            if elsewhere {
                numbers.next()?;
            } else if row != 0 {
                // Where modules were compiled together, a zero comes first. No method has that row.
                each(row);
            }
        }
        Some(())
    }
}
