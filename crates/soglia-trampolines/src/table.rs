//! Which functions have a trampoline.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Tables are split so that threads rarely wait for each other.
const SHARDS: usize = 16;

type Shard<K, V> = RwLock<HashMap<K, V, BuildHasherDefault<Mix>>>;

/// A table that many threads use, split by the addresses of functions.
pub(crate) struct Table<K, V>([Shard<K, V>; SHARDS]);

impl<K, V> Table<K, V> {
    pub(crate) const fn new() -> Self {
        Self([const { RwLock::new(HashMap::with_hasher(BuildHasherDefault::new())) }; SHARDS])
    }

    /// The part of the table that a function is in, to be read.
    pub(crate) fn read(
        &self,
        function: usize,
    ) -> RwLockReadGuard<'_, HashMap<K, V, BuildHasherDefault<Mix>>> {
        let shard = self.0[shard(function)].read();
        shard.unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of the table that a function is in, to be changed.
    pub(crate) fn write(
        &self,
        function: usize,
    ) -> RwLockWriteGuard<'_, HashMap<K, V, BuildHasherDefault<Mix>>> {
        let shard = self.0[shard(function)].write();
        shard.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Functions are often aligned to 16, so the bits above tell them apart.
const fn shard(address: usize) -> usize {
    (address >> 4 ^ address >> 10) % SHARDS
}

/// A quick hash, which is enough for addresses: no attacker chooses them to make tables slow.
#[derive(Default)]
pub(crate) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word.cast_unsigned());
    }
}
