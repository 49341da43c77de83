//! The ReadyToRun header: where the tables are that this crate reads.

use std::ops::Range;

use object::LittleEndian as LE;

use super::mapped::Mapped;
use crate::bytes::{u16_at, u32_at};

/// The versions of the format that agree in what is read here: those of .NET 6 to 10, and the draft
/// for 11. A new major version may change anything; until someone has compared it with this code,
/// its images count as unreadable, and the runtime compiles their methods again.
const VERSIONS: Range<u16> = 5..18;

/// `RTR\0`
const SIGNATURE: u32 = 0x0052_5452;

/// A flag: the image belongs to a composite one, where the code is.
const COMPONENT: u32 = 0x20;
/// A flag: the image may hold P/Invokes of other modules, which were compiled together with it.
const SEVERAL_MODULES: u32 = 0x40;
/// A flag: the image has code that belongs to other modules.
const CODE_OF_OTHERS: u32 = 0x80;

const IMPORT_SECTIONS: u32 = 101;
const METHOD_ENTRY_POINTS: u32 = 103;
const INSTANCE_ENTRY_POINTS: u32 = 109;
/// What compilers wrote before [`INLINING`].
/// An image that has both has in the newer table only what crosses modules.
const OLDER_INLINING: u32 = 114;
const COMPONENT_ASSEMBLIES: u32 = 115;
const OWNER_COMPOSITE_EXECUTABLE: u32 = 116;
const INLINING: u32 = 119;

/// Bytes of an entry of the table of sections.
const SECTION: usize = 12;

/// The code that an image has.
pub(super) enum Found<'a> {
    /// None.
    Nothing,
    /// Its code is in another image, or it holds the code of several modules.
    Composite,
    /// Its own code, in these tables.
    Own(Header<'a>),
}

/// What the ReadyToRun header of an image says.
#[derive(Clone, Debug)]
pub(super) struct Header<'a> {
    pub(super) mapped: Mapped<'a>,
    flags: u32,
    pub(super) imports: &'a [u8],
    pub(super) entries: &'a [u8],
    pub(super) instances: &'a [u8],
    /// The table of inlining, if it has all of it.
    pub(super) inlining: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// Reads the headers of an image, which begins with `bytes`.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Found<'a>> {
        let (mapped, cli) = Mapped::read(bytes)?;
        let native = cli.managed_native_header.virtual_address.get(LE);
        if native == 0 {
            return Some(Found::Nothing);
        }
        let header = mapped.from(native)?;
        if u32_at(header, 0)? != SIGNATURE || !VERSIONS.contains(&u16_at(header, 4)?) {
            return None;
        }
        let flags = u32_at(header, 8)?;
        let count = usize::try_from(u32_at(header, 12)?).ok()?;
        let sections = header.get(16..)?.get(..count.checked_mul(SECTION)?)?;
        let (mut imports, mut entries, mut instances) = (&[][..], &[][..], &[][..]);
        let (mut inlining, mut has_older) = (None, false);
        for section in sections.chunks(SECTION) {
            let there = || mapped.within(u32_at(section, 4)?, u32_at(section, 8)?);
            match u32_at(section, 0)? {
                COMPONENT_ASSEMBLIES | OWNER_COMPOSITE_EXECUTABLE => {
                    return Some(Found::Composite);
                }
                IMPORT_SECTIONS => imports = there()?,
                METHOD_ENTRY_POINTS => entries = there()?,
                INSTANCE_ENTRY_POINTS => instances = there()?,
                INLINING => inlining = Some(there()?),
                OLDER_INLINING => has_older = true,
                _ => {}
            }
        }
        if flags & COMPONENT != 0 {
            return Some(Found::Composite);
        }
        Some(Found::Own(Self {
            mapped,
            flags,
            imports,
            entries,
            instances,
            inlining: inlining.filter(|_| !has_older),
        }))
    }

    /// Whether the image was compiled together with other modules.
    pub(super) const fn has_several_modules(&self) -> bool {
        self.flags & SEVERAL_MODULES != 0
    }

    /// Whether the image may hold P/Invokes or code of other modules.
    pub(super) const fn is_shared(&self) -> bool {
        self.flags & (SEVERAL_MODULES | CODE_OF_OTHERS) != 0
    }
}
