//! A PE image as it lies in memory: by sections, and not flat as its file is.

use std::ops::Range;

use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR, IMAGE_NT_OPTIONAL_HDR64_MAGIC, ImageCor20Header,
        ImageDosHeader, ImageNtHeaders32, ImageNtHeaders64,
    },
    read::ReadRef,
    read::pe::{ImageNtHeaders, ImageOptionalHeader, optional_header_magic},
};

/// The bytes of an image, of which only those in sections are read.
#[derive(Clone, Debug)]
pub(super) struct Mapped<'a> {
    bytes: &'a [u8],
    /// The parts of the sections that the file has.
    sections: Vec<Range<usize>>,
}

impl<'a> Mapped<'a> {
    /// Reads the headers of an image. Returns its CLI header as well.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, &'a ImageCor20Header)> {
        if is_64_bit(bytes)? {
            Self::read_as::<ImageNtHeaders64>(bytes)
        } else {
            Self::read_as::<ImageNtHeaders32>(bytes)
        }
    }

    fn read_as<Pe: ImageNtHeaders>(bytes: &'a [u8]) -> Option<(Self, &'a ImageCor20Header)> {
        let mut behind = ImageDosHeader::parse(bytes)
            .ok()?
            .nt_headers_offset()
            .into();
        let (headers, directories) = Pe::parse(bytes, &mut behind).ok()?;
        let mut sections = Vec::new();
        for section in headers.sections(bytes, behind).ok()?.iter() {
            let start = section.virtual_address.get(LE);
            // A section that is longer in memory has zeros at its end.
            // One that is longer in the file is padded there.
            let (_, size) = section.pe_file_range();
            let start = usize::try_from(start).ok()?;
            sections.push(start..start.checked_add(size.try_into().ok()?)?);
        }
        let mapped = Self { bytes, sections };
        let cli = directories.get(IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR)?;
        let cli = mapped.from(cli.virtual_address.get(LE))?.read_at(0).ok()?;
        Some((mapped, cli))
    }

    /// The bytes from an address to the end of its section.
    pub(super) fn from(&self, rva: u32) -> Option<&'a [u8]> {
        let at = usize::try_from(rva).ok()?;
        let section = self.sections.iter().find(|section| section.contains(&at))?;
        self.bytes.get(at..section.end)
    }

    /// The `size` bytes at an address, if they are in one section.
    pub(super) fn within(&self, rva: u32, size: u32) -> Option<&'a [u8]> {
        if size == 0 {
            return Some(&[]);
        }
        self.from(rva)?.get(..size.try_into().ok()?)
    }
}

/// The number of bytes that an image takes in memory, as its first page says.
///
/// Returns `None` if the page is not the first one of an image.
pub fn image_size(first_page: &[u8]) -> Option<usize> {
    fn size<Pe: ImageNtHeaders>(page: &[u8]) -> Option<u32> {
        let mut at = ImageDosHeader::parse(page).ok()?.nt_headers_offset().into();
        let (headers, _) = Pe::parse(page, &mut at).ok()?;
        Some(headers.optional_header().size_of_image())
    }
    let size = if is_64_bit(first_page)? {
        size::<ImageNtHeaders64>(first_page)
    } else {
        size::<ImageNtHeaders32>(first_page)
    };
    size?.try_into().ok()
}

fn is_64_bit(bytes: &[u8]) -> Option<bool> {
    let magic = optional_header_magic(bytes).ok()?;
    Some(magic == IMAGE_NT_OPTIONAL_HDR64_MAGIC)
}
