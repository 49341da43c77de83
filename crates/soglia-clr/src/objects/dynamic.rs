//! The dynamic section of an ELF object in memory.

/// An entry: a `DT_` tag, and an address or a number.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Dynamic {
    /// What the value is.
    pub tag: u64,
    /// The address or the number.
    pub value: u64,
}

/// The last entry.
pub const DT_NULL: u64 = 0;
/// The size in bytes of the table of functions that are linked.
pub const DT_PLTRELSZ: u64 = 2;
/// The old hash table of symbols.
pub const DT_HASH: u64 = 4;
/// The table of strings.
pub const DT_STRTAB: u64 = 5;
/// The table of symbols.
pub const DT_SYMTAB: u64 = 6;
/// The table of places that the loader fills in.
pub const DT_RELA: u64 = 7;
/// Its size in bytes.
pub const DT_RELASZ: u64 = 8;
/// The size of the table of strings.
pub const DT_STRSZ: u64 = 10;
/// The object's own name, as an offset in the table of strings.
pub const DT_SONAME: u64 = 14;
/// The table of functions that are linked.
pub const DT_JMPREL: u64 = 23;
/// The GNU hash table of symbols.
pub const DT_GNU_HASH: u64 = 0x6fff_fef5;
