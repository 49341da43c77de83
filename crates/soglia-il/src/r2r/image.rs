//! The precompiled methods of an image, and the P/Invokes that they reach around their wrappers.

use soglia_abi::ids::MdToken;

use super::{
    header::Header,
    native::{Nibbles, native_unsigned},
};
use crate::{
    bytes::{u16_at, u32_at},
    sig::unsigned,
};

/// Bytes that describe an import section.
const IMPORT: usize = 20;
/// Elements of a sparse array that share a tree.
const BLOCK: u32 = 16;

/// Kinds of fixups: the native function of a P/Invoke, through a cell or itself.
const INDIRECT_PINVOKE_TARGET: u8 = 0x2E;
const PINVOKE_TARGET: u8 = 0x2F;
/// Added to a kind: the number of another module follows, whose tokens those behind it are.
const MODULE_OVERRIDE: u8 = 0x80;

const METHOD_DEF: u32 = 0x0600_0000;
/// The greatest row of a metadata table.
const ROWS: u32 = 0x00FF_FFFF;

/// Whether precompiled code calls a wrapped P/Invoke around its wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inlined {
    /// It does: the code must not be used.
    Yes,
    /// It does not.
    No,
    /// That is not known: the code must not be used either.
    Unknown,
}

/// A module with precompiled code of its own, as the runtime has mapped it.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    pub(super) header: Header<'a>,
    /// Of the array of entries: how many, the bytes of an offset, and where the offsets begin.
    count: u32,
    width: usize,
    base: usize,
}

impl<'a> Image<'a> {
    pub(super) fn new(header: Header<'a>) -> Option<Self> {
        // Without entries, only instances of generic methods have code.
        let (count, width, base) = if header.entries.is_empty() {
            (0, 1, 0)
        } else {
            let (size, base) = native_unsigned(header.entries, 0)?;
            let width = [1, 2, 4].get(size as usize & 3)?;
            (size >> 2, *width, base)
        };
        Some(Self {
            header,
            count,
            width,
            base,
        })
    }

    /// Whether the code of the MethodDef with the row `rid` fetches the native function of a
    /// `wrapped` P/Invoke.
    ///
    /// Returns [`Inlined::Unknown`] for a method that the image has no code for. An instance of
    /// generic code is such a method: its code may lie in any module.
    pub fn inlines_any(&self, rid: u32, wrapped: &dyn Fn(MdToken) -> bool) -> Inlined {
        self.entry(rid)
            .and_then(|entry| self.look(self.header.entries, entry, wrapped))
            .unwrap_or(Inlined::Unknown)
    }

    /// As [`Self::inlines_any`], for all code in this image.
    pub(super) fn inlines_anywhere(&self, wrapped: &dyn Fn(MdToken) -> bool) -> Option<Inlined> {
        for section in 0..self.header.imports.len() / IMPORT {
            // A section of another kind has no signatures.
            let Some(cells) = self.cells(u32::try_from(section).ok()?) else {
                continue;
            };
            for cell in 0..cells.len() / 4 {
                let found = self.fixup(cells, u32::try_from(cell).ok()?, wrapped)?;
                if found != Inlined::No {
                    return Some(found);
                }
            }
        }
        Some(Inlined::No)
    }

    /// Whether the image has code for the method with this row. Instances of generic code do not
    /// count.
    pub fn has(&self, row: u32) -> bool {
        self.entry(row).is_some()
    }

    /// The rows of the methods that the image has code for.
    pub fn rows(&self) -> impl Iterator<Item = u32> {
        (1..=self.count.min(ROWS)).filter(|row| self.entry(*row).is_some())
    }

    /// Where the entry of a method is, if the method has code.
    fn entry(&self, rid: u32) -> Option<usize> {
        let entries = self.header.entries;
        let index = rid.checked_sub(1).filter(|index| *index < self.count)?;
        let at = self.base + self.width * usize::try_from(index / BLOCK).ok()?;
        let offset = match self.width {
            1 => entries.get(at).copied()?.into(),
            2 => u16_at(entries, at)?.into(),
            _ => u32_at(entries, at)?,
        };
        let mut node = self.base.checked_add(offset.try_into().ok()?)?;
        // A binary tree. The lower half follows the node; the upper half is where the node says.
        for bit in [8, 4, 2, 1] {
            let (value, next) = native_unsigned(entries, node)?;
            let (flags, rest) = (value & 3, value >> 2);
            if flags == 0 {
                // A tree of one element: the node says which element that is.
                return (rest == index % BLOCK).then_some(next);
            }
            node = match (index & bit != 0, flags) {
                (true, 2 | 3) => node.checked_add(rest.try_into().ok()?)?,
                (false, 1 | 3) => next,
                _ => return None,
            };
        }
        Some(node)
    }

    /// Looks through the cells of an entry of one of the tables.
    pub(super) fn look(
        &self,
        entries: &[u8],
        entry: usize,
        wrapped: &dyn Fn(MdToken) -> bool,
    ) -> Option<Inlined> {
        let (code, mut at) = native_unsigned(entries, entry)?;
        if code & 1 == 0 {
            return Some(Inlined::No);
        }
        if code & 2 != 0 {
            // Equal lists are stored once: the list of this entry is so far before.
            let (back, _) = native_unsigned(entries, at)?;
            at = at.checked_sub(back.try_into().ok()?)?;
        }
        let mut list = Nibbles::new(entries.get(at..)?);
        let mut section = list.number()?;
        loop {
            let cells = self.cells(section)?;
            let mut cell = list.number()?;
            loop {
                let found = self.fixup(cells, cell, wrapped)?;
                if found != Inlined::No {
                    return Some(found);
                }
                match list.number()? {
                    0 => break,
                    step => cell = cell.checked_add(step)?,
                }
            }
            match list.number()? {
                0 => return Some(Inlined::No),
                step => section = section.checked_add(step)?,
            }
        }
    }

    /// The addresses of the signatures of an import section, one for each cell.
    fn cells(&self, section: u32) -> Option<&'a [u8]> {
        let at = usize::try_from(section).ok()?.checked_mul(IMPORT)?;
        let import = self.header.imports.get(at..)?.get(..IMPORT)?;
        // Cells have the size of a pointer where the image says 0.
        let cell = match import[11] {
            0 => 8,
            size => size.into(),
        };
        let signatures = u32_at(import, 12).filter(|signatures| *signatures != 0)?;
        let count = u32_at(import, 4)? / cell;
        self.header.mapped.within(signatures, count.checked_mul(4)?)
    }

    /// Whether a cell fetches the native function of a wrapped P/Invoke.
    fn fixup(&self, cells: &[u8], cell: u32, wrapped: &dyn Fn(MdToken) -> bool) -> Option<Inlined> {
        let at = usize::try_from(cell).ok()?.checked_mul(4)?;
        let signature = self.header.mapped.from(u32_at(cells, at)?)?;
        let (kind, mut rest) = signature.split_first()?;
        if !matches!(
            kind & !MODULE_OVERRIDE,
            INDIRECT_PINVOKE_TARGET | PINVOKE_TARGET
        ) {
            return Some(Inlined::No);
        }
        let mut number = || {
            let (number, bytes) = unsigned(rest)?;
            rest = &rest[bytes..];
            Some(number)
        };
        // A P/Invoke of another module may be wrapped there. Module 0 is this one.
        if kind & MODULE_OVERRIDE != 0 && number()? != 0 {
            return None;
        }
        // Flags say what else names the method, a MemberRef for example.
        // P/Invokes are not generic, so a MethodDef is all that is expected.
        if number()? != 0 {
            return None;
        }
        let row = number().filter(|row| (1..=ROWS).contains(row))?;
        Some(if wrapped(MdToken(METHOD_DEF | row)) {
            Inlined::Yes
        } else {
            Inlined::No
        })
    }
}
