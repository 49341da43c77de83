//! Where native frames end.

/// The innermost managed frame of a thread, which has called native code.
#[derive(Clone, Copy, Debug)]
pub struct Outer {
    /// The address at which it goes on.
    pub ip: u64,
    /// Its stack pointer then.
    pub sp: u64,
    /// Its frame pointer then.
    pub fp: u64,
}
