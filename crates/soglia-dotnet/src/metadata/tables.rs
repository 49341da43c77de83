//! The rows of metadata tables.

use super::layout::{Column, TABLES};

/// The tables that are read, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    TypeRef = 0x01,
    TypeDef = 0x02,
    MethodDef = 0x06,
    MemberRef = 0x0a,
    CustomAttribute = 0x0c,
    ModuleRef = 0x1a,
    ImplMap = 0x1c,
    Assembly = 0x20,
    NestedClass = 0x29,
}

/// Longer names are cut: many rows may share one.
const MOST_NAME: usize = 1024;

/// The metadata of a module.
pub(super) struct Tables<'data> {
    strings: &'data [u8],
    blobs: &'data [u8],
    rows: [u32; 64],
    /// Whether places in the heaps take four bytes: strings, GUIDs, blobs.
    wide: [bool; 3],
    /// The bytes from the first row of each table on.
    bytes: [&'data [u8]; TABLES.len()],
}

impl<'data> Tables<'data> {
    /// Reads the metadata root: a signature, the streams, and the sizes of the tables.
    pub(super) fn read(root: &'data [u8]) -> Option<Self> {
        if root.get(..4)? != b"BSJB" {
            return None;
        }
        let version = u32_at(root, 12)? as usize;
        let mut at = 16_usize.checked_add(version)?;
        let streams = u16_at(root, at.checked_add(2)?)?;
        at += 4;
        let (mut strings, mut blobs, mut tables) = (&[][..], &[][..], None);
        for _ in 0..streams {
            let (offset, size) = (u32_at(root, at)? as usize, u32_at(root, at + 4)? as usize);
            let name = root.get(at + 8..)?;
            let length = name.iter().take(32).position(|byte| *byte == 0)?;
            let data = root.get(offset..)?;
            let data = data.get(..size).unwrap_or(data);
            match &name[..length] {
                b"#Strings" => strings = data,
                b"#Blob" => blobs = data,
                b"#~" | b"#-" => tables = Some(data),
                _ => {}
            }
            at += 8 + (length + 4) / 4 * 4;
        }
        let stream = tables?;
        let heaps = *stream.get(6)?;
        let valid = u64::from_le_bytes(stream.get(8..16)?.try_into().ok()?);
        let mut rows = [0; 64];
        let mut at = 24;
        for (number, rows) in rows.iter_mut().enumerate() {
            if valid >> number & 1 == 1 {
                *rows = u32_at(stream, at)?;
                at += 4;
            }
        }
        if heaps & 0x40 != 0 {
            at += 4;
        }
        let mut found = Self {
            strings,
            blobs,
            rows,
            wide: [heaps & 1 != 0, heaps & 2 != 0, heaps & 4 != 0],
            bytes: [&[]; TABLES.len()],
        };
        for (number, columns) in TABLES.iter().enumerate() {
            let row: usize = columns.iter().map(|column| found.size(*column)).sum();
            let size = row.checked_mul(found.rows[number] as usize)?;
            found.bytes[number] = stream.get(at..at.checked_add(size)?)?;
            at += size;
        }
        Some(found)
    }

    /// The number of rows of a table. Rows have numbers from 1.
    pub(super) fn rows(&self, table: Table) -> u32 {
        self.rows[table as usize]
    }

    /// A column of a row, as a number.
    pub(super) fn value(&self, table: Table, row: u32, column: usize) -> Option<u32> {
        let columns = TABLES[table as usize];
        let size: usize = columns.iter().map(|column| self.size(*column)).sum();
        let before: usize = columns[..column].iter().map(|c| self.size(*c)).sum();
        let index = row.checked_sub(1).filter(|_| row <= self.rows(table))?;
        let at = (index as usize).checked_mul(size)?.checked_add(before)?;
        let bytes = self.bytes[table as usize];
        if self.size(columns[column]) == 2 {
            u16_at(bytes, at).map(u32::from)
        } else {
            u32_at(bytes, at)
        }
    }

    /// A column of a row, as a text.
    pub(super) fn string(&self, table: Table, row: u32, column: usize) -> Option<&'data str> {
        let at = self.value(table, row, column)? as usize;
        let text = self.strings.get(at..)?;
        let end = text.iter().take(MOST_NAME).position(|byte| *byte == 0)?;
        std::str::from_utf8(&text[..end]).ok()
    }

    /// A column of a row, as bytes. Only short blobs are read, whose length takes one byte.
    pub(super) fn blob(&self, table: Table, row: u32, column: usize) -> Option<&'data [u8]> {
        let at = self.value(table, row, column)? as usize;
        let (length, bytes) = self.blobs.get(at..)?.split_first()?;
        bytes.get(..usize::from(*length)).filter(|_| *length < 0x80)
    }

    /// The bytes of a column.
    fn size(&self, column: Column) -> usize {
        let wide = match column {
            Column::Short => false,
            Column::Long => true,
            Column::Text => self.wide[0],
            Column::Guid => self.wide[1],
            Column::Blob => self.wide[2],
            Column::Row(table) => self.rows[usize::from(table)] > 0xffff,
            Column::OneOf(bits, tables) => {
                let rows = tables.iter().map(|table| self.rows[usize::from(*table)]);
                rows.max().unwrap_or(0) > 0xffff >> bits
            }
        };
        if wide { 4 } else { 2 }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
