//! Random numbers that are the same for the same seed.

use proptest::{
    prelude::Rng,
    test_runner::{RngAlgorithm, TestRng},
};

pub struct Random(TestRng);

impl Random {
    pub fn new(seed: u64) -> Self {
        // No seed of zeros: that generator would give zeros for ever.
        let seed = [seed.to_le_bytes(), (!seed).to_le_bytes()].concat();
        Self(TestRng::from_seed(RngAlgorithm::XorShift, &seed))
    }

    /// A number from 0 on, below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }
}
