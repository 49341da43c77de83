//! One field of a structure, to be changed bit by bit.

use soglia_core::trace::reader::Reader;

use super::{
    doc::fields,
    sample::{Copy, sample},
};

/// One field of a copy.
pub struct Field<'a> {
    pub copy: &'a Copy,
    pub at: usize,
    pub size: usize,
    pub name: String,
}

impl Field<'_> {
    pub fn get(&self) -> u64 {
        self.copy.get(self.at, self.size)
    }

    pub fn put(&self, value: u64) {
        self.copy.put(self.at, &value.to_le_bytes()[..self.size]);
    }

    pub fn put_anchor(&self, ticks: u64, monotonic_ns: u64) {
        self.copy.put(self.at, &ticks.to_le_bytes());
        self.copy.put(self.at + 8, &monotonic_ns.to_le_bytes());
    }

    /// Each bit alone is what `read` finds.
    pub fn bits(&self, read: impl Fn(&Reader) -> u64) {
        self.bits_of(self.size, 1, |reader, _| read(reader));
    }

    /// The same for an array.
    pub fn bits_of(&self, size: usize, length: usize, read: impl Fn(&Reader, usize) -> u64) {
        assert_eq!(self.size, size * length, "{}", self.name);
        for n in 0..length {
            let at = self.at + n * size;
            for bit in 0..size * 8 {
                self.copy.put(at, &(1_u64 << bit).to_le_bytes()[..size]);
                let found = read(&self.copy.reader(), n);
                assert_eq!(found, 1 << bit, "{}[{n}]: bit {bit}", self.name);
            }
            self.copy.put(at, &0_u64.to_le_bytes()[..size]);
        }
    }

    /// Each number is what it means; others are none of these.
    pub fn means<T: PartialEq + std::fmt::Debug>(&self, all: &[T], read: impl Fn(&Reader) -> T) {
        for (number, meaning) in (0..).zip(all) {
            self.put(number);
            assert_eq!(read(&self.copy.reader()), *meaning, "{}", self.name);
        }
    }
}

/// Each field of the structure at `base`, of a fresh copy each.
pub fn each(structure: &str, place: impl Fn(&Copy) -> usize, check: impl Fn(Field<'_>)) {
    let sample = sample();
    for (offset, size, name) in fields(structure) {
        let copy = sample.copy();
        check(Field {
            at: place(&copy) + offset,
            copy: &copy,
            size,
            name,
        });
    }
}
