//! ReadyToRun: what code that was compiled in advance has taken for granted of P/Invokes.
//!
//! Such code calls some P/Invokes without the method that we wrap: it fetches the native function's address by a *fixup*
//! that names the P/Invoke. Once the P/Invoke has a body in IL, that fixup makes the runtime crash. So whoever has one for
//! a wrapped method must be compiled anew, and whoever has none need not be.
//!
//! ```text
//! PE header -> CLI header -> ReadyToRun header -> sections
//!     method entry points   sparse array, by row of MethodDef -> an entry: which code, and a list of cells, in nibbles
//!     import sections       cells -> each has a signature: its kind, and for a P/Invoke the token
//!     inlining              hash table -> a method, and those that have it compiled into themselves
//! ```
//!
//! The format is described in dotnet/runtime, `docs/design/coreclr/botr/readytorun-format.md`. Nothing that an image says is
//! believed, and only what lies in its sections is read: between them, nothing need be mapped.

mod native;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    ops::Range,
};

use soglia_abi::ids::MdToken;

use crate::sig::unsigned;
use native::{Nibbles, hash_table, native_unsigned};

/// The versions of the format that are known to agree in what is read here: those of .NET 6 to 10, and what was described
/// for 11 then. A new major version may break anything; it costs recompilation until somebody has looked.
const VERSIONS: Range<u16> = 5..18;

const RTR: u32 = 0x0052_5452;
/// The image belongs to a composite one, where the code is.
const COMPONENT: u32 = 0x20;
/// Compiled together with other modules, whose P/Invokes it may hold; or with code in it that belongs elsewhere.
const TOGETHER: u32 = 0x40 | 0x80;
const SEVERAL_MODULES: u32 = 0x40;
const IMPORT_SECTIONS: u32 = 101;
const METHOD_ENTRY_POINTS: u32 = 103;
const COMPONENT_ASSEMBLIES: u32 = 115;
const OWNER_COMPOSITE_EXECUTABLE: u32 = 116;
const INLINING: u32 = 119;
/// What older compilers wrote instead. Where both are, the newer one has what crosses modules only.
const OLDER_INLINING: u32 = 114;

/// Bytes that describe an import section.
const IMPORT: usize = 20;
/// Elements of a sparse array that share a tree.
const BLOCK: u32 = 16;

/// Kinds of fixups: the native function of a P/Invoke, through a cell or itself.
const INDIRECT_PINVOKE_TARGET: u8 = 0x2E;
const PINVOKE_TARGET: u8 = 0x2F;
/// Added to a kind: the tokens that follow are those of another module, whose index comes first.
const MODULE_OVERRIDE: u8 = 0x80;

const METHOD_DEF: u32 = 0x0600_0000;
const ROWS: u32 = 0x00FF_FFFF;

/// What a module has by way of code compiled in advance.
#[derive(Clone, Debug)]
pub enum Precompiled<'a> {
    /// Nothing: IL only.
    None,
    /// Its own.
    Image(Image<'a>),
    /// It is in an image that several modules share, or this is that image: not read.
    Composite,
    /// There may be some, and where is not understood.
    Unreadable,
}

impl Precompiled<'_> {
    /// As [`Image::inlines_any`], and [`Inlined::Unknown`] where there is no image to ask.
    pub fn inlines_any(&self, rid: u32, wrapped: &dyn Fn(MdToken) -> bool) -> Inlined {
        match self {
            Self::Image(image) => image.inlines_any(rid, wrapped),
            Self::None | Self::Composite | Self::Unreadable => Inlined::Unknown,
        }
    }

    /// As [`Image::inliners`].
    pub fn inliners(&self, inlined: &dyn Fn(u32) -> bool) -> Option<HashSet<u32>> {
        match self {
            Self::Image(image) => image.inliners(inlined),
            Self::None => Some(HashSet::new()),
            Self::Composite | Self::Unreadable => None,
        }
    }

    /// By row, which methods of this module have which others of it compiled into themselves; `None`: there is no telling.
    pub fn inlinees(&self) -> Option<HashMap<u32, Vec<u32>>> {
        match self {
            Self::Image(image) if image.flags & TOGETHER == 0 => image.inlinees(),
            Self::None => Some(HashMap::new()),
            Self::Image(_) | Self::Composite | Self::Unreadable => None,
        }
    }

    /// Whether code of others may hold this module's `wrapped` P/Invokes, or its code theirs, so that looking at its methods is not enough.
    pub fn shares(&self, wrapped: &dyn Fn(MdToken) -> bool) -> bool {
        match self {
            Self::None => false,
            // What is compiled together has P/Invokes inline only by cells of the image that it is in.
            Self::Image(image) => {
                image.flags & TOGETHER != 0 && image.inlines_anywhere(wrapped) != Some(Inlined::No)
            }
            Self::Composite | Self::Unreadable => true,
        }
    }
}

/// Whether code that was compiled in advance calls a wrapped P/Invoke around its wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inlined {
    /// It does: it must not be used.
    Yes,
    /// It does not.
    No,
    /// There is no telling: it must not be used either.
    Unknown,
}

/// The bytes that a module takes when mapped, as the first page of it says.
pub fn image_size(first_page: &[u8]) -> Option<usize> {
    let (_, optional) = headers(first_page)?;
    u32_at(first_page, optional + 56)?.try_into().ok()
}

/// A module as the runtime has mapped it, with code of its own.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    mapped: Mapped<'a>,
    flags: u32,
    imports: &'a [u8],
    entries: &'a [u8],
    inlining: Option<&'a [u8]>,
    /// Of the array of entries: how many, the bytes of an offset, and where the offsets begin.
    count: u32,
    width: usize,
    base: usize,
}

impl<'a> Image<'a> {
    /// Reads the headers of a module, mapped by sections (not flat, as the file is): `bytes` begin where it begins.
    pub fn parse(bytes: &'a [u8]) -> Precompiled<'a> {
        Self::open(bytes).unwrap_or(Precompiled::Unreadable)
    }

    fn open(bytes: &'a [u8]) -> Option<Precompiled<'a>> {
        let (mapped, cli) = Mapped::new(bytes)?;
        // ManagedNativeHeader: a directory as well.
        let native = u32_at(cli, 64)?;
        if native == 0 {
            return Some(Precompiled::None);
        }
        let header = mapped.from(native)?;
        if u32_at(header, 0)? != RTR || !VERSIONS.contains(&u16_at(header, 4)?) {
            return None;
        }
        let flags = u32_at(header, 8)?;
        let (mut imports, mut entries) = (&[][..], &[][..]);
        let (mut inlining, mut older_inlining) = (None, false);
        let count = usize::try_from(u32_at(header, 12)?).ok()?;
        for section in header.get(16..)?.get(..count.checked_mul(12)?)?.chunks(12) {
            let there = || mapped.within(u32_at(section, 4)?, u32_at(section, 8)?);
            match u32_at(section, 0)? {
                COMPONENT_ASSEMBLIES | OWNER_COMPOSITE_EXECUTABLE => {
                    return Some(Precompiled::Composite);
                }
                IMPORT_SECTIONS => imports = there()?,
                METHOD_ENTRY_POINTS => entries = there()?,
                INLINING => inlining = Some(there()?),
                OLDER_INLINING => older_inlining = true,
                _ => {}
            }
        }
        if flags & COMPONENT != 0 {
            return Some(Precompiled::Composite);
        }
        // No entries: only instances of generic methods have code.
        let (count, width, base) = if entries.is_empty() {
            (0, 1, 0)
        } else {
            let (header, base) = native_unsigned(entries, 0)?;
            let width = [1, 2, 4].get(header as usize & 3)?;
            (header >> 2, *width, base)
        };
        Some(Precompiled::Image(Self {
            mapped,
            flags,
            imports,
            entries,
            inlining: inlining.filter(|_| !older_inlining),
            count,
            width,
            base,
        }))
    }

    /// Whether the code of a MethodDef fetches the native function of a `wrapped` P/Invoke.
    ///
    /// A method that is not in the table is [`Inlined::Unknown`]: an instance of generic code, which may lie in any module.
    pub fn inlines_any(&self, rid: u32, wrapped: &dyn Fn(MdToken) -> bool) -> Inlined {
        self.entry(rid)
            .and_then(|entry| self.look(entry, wrapped))
            .unwrap_or(Inlined::Unknown)
    }

    /// As [`Self::inlines_any`], for all code that is in this image.
    fn inlines_anywhere(&self, wrapped: &dyn Fn(MdToken) -> bool) -> Option<Inlined> {
        for section in 0..self.imports.len() / IMPORT {
            // Sections of another kind have no signatures.
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

    /// The rows of the methods of this module that have a method with such a row compiled into themselves; `None`: there is no telling.
    ///
    /// Where modules were compiled together, others may have too: they say so themselves, of their own methods alone.
    pub fn inliners(&self, inlined: &dyn Fn(u32) -> bool) -> Option<HashSet<u32>> {
        let table = self.inlining?;
        let mut all = HashSet::new();
        for entry in hash_table(table)? {
            self.inliners_in(table, entry?, inlined, &mut all)?;
        }
        Some(all)
    }

    /// As [`Self::inliners`], for all: by inliner.
    fn inlinees(&self) -> Option<HashMap<u32, Vec<u32>>> {
        let table = self.inlining?;
        let mut all: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in hash_table(table)? {
            let method = Cell::new(0);
            let this = |row| {
                method.set(row);
                true
            };
            let mut inliners = HashSet::new();
            self.inliners_in(table, entry?, &this, &mut inliners)?;
            for inliner in inliners {
                all.entry(inliner).or_default().push(method.get());
            }
        }
        Some(all)
    }

    /// An entry of the table of inlining: how many numbers follow; the method and two flags; the inliners, each as its distance from
    /// the one before.
    fn inliners_in(
        &self,
        table: &[u8],
        entry: usize,
        inlined: &dyn Fn(u32) -> bool,
        all: &mut HashSet<u32>,
    ) -> Option<()> {
        const OF_OTHERS: u32 = 1;
        const INTO_OTHERS: u32 = 2;
        let (mut left, mut at) = native_unsigned(table, entry)?;
        let mut number = || {
            left = left.checked_sub(1)?;
            let (number, next) = native_unsigned(table, at)?;
            at = next;
            Some((number, left))
        };
        let (method, mut left) = number()?;
        if method & OF_OTHERS != 0 || !inlined(method >> 2) {
            return Some(());
        }
        if method & INTO_OTHERS != 0 {
            let (count, _) = number()?;
            for _ in 0..count {
                left = number()?.1;
            }
        }
        let mut inliner = 0_u32;
        while left > 0 {
            let (step, now) = number()?;
            left = now;
            let elsewhere = self.flags & SEVERAL_MODULES != 0 && step & 1 != 0;
            let step = if self.flags & SEVERAL_MODULES != 0 {
                step >> 1
            } else {
                step
            };
            inliner = inliner.checked_add(step).filter(|row| *row <= ROWS)?;
            if elsewhere {
                left = number()?.1;
            } else {
                all.insert(inliner);
            }
        }
        Some(())
    }

    /// Where the entry of a method is, if it has code.
    fn entry(&self, rid: u32) -> Option<usize> {
        let index = rid.checked_sub(1).filter(|index| *index < self.count)?;
        let at = self.base + self.width * usize::try_from(index / BLOCK).ok()?;
        let offset = match self.width {
            1 => self.entries.get(at).copied()?.into(),
            2 => u16_at(self.entries, at)?.into(),
            _ => u32_at(self.entries, at)?,
        };
        let mut node = self.base.checked_add(offset.try_into().ok()?)?;
        // A binary tree: the lower half is next, the upper half where the node says, if it is there.
        for bit in [8, 4, 2, 1] {
            let (value, next) = native_unsigned(self.entries, node)?;
            let (flags, rest) = (value & 3, value >> 2);
            if flags == 0 {
                // A tree of one: which it is instead of where.
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

    /// Looks through the cells of an entry.
    fn look(&self, entry: usize, wrapped: &dyn Fn(MdToken) -> bool) -> Option<Inlined> {
        let (code, mut at) = native_unsigned(self.entries, entry)?;
        if code & 1 == 0 {
            return Some(Inlined::No);
        }
        if code & 2 != 0 {
            // Lists that are equal are there once: this one is that far before.
            let (back, _) = native_unsigned(self.entries, at)?;
            at = at.checked_sub(back.try_into().ok()?)?;
        }
        let mut list = Nibbles {
            bytes: self.entries.get(at..)?,
            at: 0,
        };
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

    /// The signatures' addresses of an import section, one for each cell.
    fn cells(&self, section: u32) -> Option<&'a [u8]> {
        let at = usize::try_from(section).ok()?.checked_mul(IMPORT)?;
        let import = self.imports.get(at..)?.get(..IMPORT)?;
        // Cells are of pointer size where nothing is said.
        let cell = match import[11] {
            0 => 8,
            size => size.into(),
        };
        let signatures = u32_at(import, 12).filter(|signatures| *signatures != 0)?;
        let count = u32_at(import, 4)? / cell;
        self.mapped.within(signatures, count.checked_mul(4)?)
    }

    fn fixup(&self, cells: &[u8], cell: u32, wrapped: &dyn Fn(MdToken) -> bool) -> Option<Inlined> {
        let at = usize::try_from(cell).ok()?.checked_mul(4)?;
        let (kind, mut rest) = self.mapped.from(u32_at(cells, at)?)?.split_first()?;
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
        // Another module's P/Invoke, which may be wrapped there; index 0 is this module.
        if kind & MODULE_OVERRIDE != 0 && number()? != 0 {
            return None;
        }
        // Flags say what more there is to tell the method by, a MemberRef for example. P/Invokes are not generic: a MethodDef
        // is what there is to expect.
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

/// Mapped bytes, of which only sections are looked at.
#[derive(Clone, Debug)]
struct Mapped<'a> {
    bytes: &'a [u8],
    /// What of them is backed by the file.
    sections: Vec<Range<usize>>,
}

impl<'a> Mapped<'a> {
    /// Also gives the CLI header.
    fn new(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (file, optional) = headers(bytes)?;
        // The number of directories, then those; the width of some fields before differs.
        let directories = match u16_at(bytes, optional)? {
            0x10B => optional + 96,
            0x20B => optional + 112,
            _ => return None,
        };
        if u32_at(bytes, directories - 4)? <= 14 {
            return None;
        }
        let cli = u32_at(bytes, directories + 14 * 8)?;
        let table = optional + usize::from(u16_at(bytes, file + 16)?);
        let count = usize::from(u16_at(bytes, file + 2)?);
        let mut sections = Vec::with_capacity(count);
        for section in bytes.get(table..)?.get(..40 * count)?.chunks(40) {
            // What is longer in memory is zeros, what is longer in the file is there for alignment.
            let size = u32_at(section, 8)?.min(u32_at(section, 16)?);
            let start = usize::try_from(u32_at(section, 12)?).ok()?;
            sections.push(start..start.checked_add(size.try_into().ok()?)?);
        }
        let mapped = Self { bytes, sections };
        let cli = mapped.from(cli)?;
        Some((mapped, cli))
    }

    /// What is at an address, to the end of its section.
    fn from(&self, rva: u32) -> Option<&'a [u8]> {
        let at = usize::try_from(rva).ok()?;
        let section = self.sections.iter().find(|section| section.contains(&at))?;
        self.bytes.get(at..section.end)
    }

    fn within(&self, rva: u32, size: u32) -> Option<&'a [u8]> {
        if size == 0 {
            return Some(&[]);
        }
        self.from(rva)?.get(..size.try_into().ok()?)
    }
}

/// Where the file header and the optional header are.
fn headers(bytes: &[u8]) -> Option<(usize, usize)> {
    if !bytes.starts_with(b"MZ") {
        return None;
    }
    let pe = usize::try_from(u32_at(bytes, 0x3C)?).ok()?;
    (u32_at(bytes, pe)? == u32::from_le_bytes(*b"PE\0\0")).then_some((pe + 4, pe + 24))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
