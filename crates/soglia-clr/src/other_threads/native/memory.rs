//! Memory of this process that may not be there, read by the kernel.

use std::{fs::File, os::unix::fs::FileExt};

/// The most bytes of the stack that are read.
const MOST_STACK: usize = 256 << 10;

/// A copy of a thread's stack, from its stack pointer on.
pub struct Stack {
    /// Where it begins.
    pub sp: u64,
    bytes: Vec<u8>,
}

impl Stack {
    /// The stack from this address on.
    pub fn read(sp: u64) -> Self {
        Self {
            sp,
            bytes: read_stack(sp),
        }
    }

    /// The word at an address, if it is on the stack.
    pub fn word(&self, address: u64) -> Option<u64> {
        let from = usize::try_from(address.checked_sub(self.sp)?).ok()?;
        let bytes = self.bytes.get(from..from.checked_add(8)?)?;
        bytes.try_into().map(u64::from_le_bytes).ok()
    }
}

/// The word at an address of this process. `None`: no memory is mapped there.
pub fn word(address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    let memory = File::open("/proc/self/mem").ok()?;
    memory.read_exact_at(&mut bytes, address).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// The bytes of the stack from here on.
fn read_stack(sp: u64) -> Vec<u8> {
    let mut stack = vec![0; MOST_STACK];
    // By the file, which answers with an error where no memory is mapped.
    let mut have = 0;
    if let Ok(memory) = File::open("/proc/self/mem") {
        while have < stack.len() {
            // The stack may end before the buffer does, so the last pages are read one by one.
            let page = 4096 - (sp as usize + have) % 4096;
            let end = stack.len().min(have + page);
            match memory.read_at(&mut stack[have..end], sp + have as u64) {
                Ok(n) if n > 0 => have += n,
                _ => break,
            }
        }
    }
    stack.truncate(have);
    stack
}
