//! The frame of a method body (ECMA-335, II.25.4): its header, and the sections behind its code.

/// The low bits of the first byte say which header it is.
pub(crate) const KIND: u8 = 0x3;
/// A header of one byte: the code's size is above these bits.
pub(crate) const TINY: u8 = 0x2;
/// The greatest stack that a body with a tiny header may need.
pub(crate) const TINY_STACK: u16 = 8;

/// A header of [`HEADER`] bytes.
pub(crate) const FAT: u16 = 0x3;
/// The bits of a fat header's flags that say that it is one.
pub(crate) const FAT_KIND: u16 = 0x7;
/// A fat header's flag: sections follow the code.
pub(crate) const MORE_SECTIONS: u16 = 0x8;
/// A fat header's flag: local variables begin as zero.
pub(crate) const INIT_LOCALS: u16 = 0x10;
/// A fat header's own size in words of 4 bytes, above bit 12 of its flags.
pub(crate) const HEADER_WORDS: u16 = 3;
/// Bytes of a fat header.
pub(crate) const HEADER: usize = 12;

/// Bits of a section's first byte: it holds clauses, in wide form, and another section follows.
pub(crate) const CLAUSES: u8 = 0x01;
pub(crate) const WIDE_CLAUSES: u8 = 0x40;
pub(crate) const ANOTHER_SECTION: u8 = 0x80;
/// Bytes of a clause in each form.
pub(crate) const SHORT_CLAUSE: usize = 12;
pub(crate) const WIDE_CLAUSE: usize = 24;

/// Kinds of clauses: the handler takes exceptions of a class.
pub(crate) const CATCH: u32 = 0;
/// The last word is the place of a filter, which decides whether the handler takes an exception.
pub(crate) const FILTER: u32 = 1;
/// The handler runs whenever the block is left.
pub(crate) const FINALLY: u32 = 2;
/// The handler runs when an exception leaves the block, and only then.
pub(crate) const FAULT: u32 = 4;
