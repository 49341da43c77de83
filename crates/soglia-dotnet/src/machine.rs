//! The architectures that .NET has for Linux, as far as soglia knows them.

/// What depends on the architecture.
#[derive(Debug)]
pub struct Machine {
    /// What .NET calls it.
    pub name: &'static str,
    /// What the kernel and compilers call it.
    pub kernel: &'static str,
    /// The number of ELF files.
    pub elf: u16,
    /// The number of PE files.
    pub pe: u16,
    /// The number of glibc's libraries in `/etc/ld.so.cache`.
    pub cache: u32,
}

/// x86_64.
pub const X64: Machine = Machine {
    name: "x64",
    kernel: "x86_64",
    elf: 62,
    pe: 0x8664,
    cache: 0x303,
};
/// aarch64.
pub const ARM64: Machine = Machine {
    name: "arm64",
    kernel: "aarch64",
    elf: 183,
    pe: 0xAA64,
    cache: 0xA03,
};

/// The architecture of this process.
pub const OWN: Machine = if cfg!(target_arch = "aarch64") {
    ARM64
} else {
    X64
};
