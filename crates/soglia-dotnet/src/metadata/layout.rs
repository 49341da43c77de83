//! The columns of metadata tables (ECMA-335, II.22).

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Two bytes.
    Short,
    /// Four bytes.
    Long,
    /// A place in the heap of strings.
    Text,
    /// A place in the heap of GUIDs.
    Guid,
    /// A place in the heap of blobs.
    Blob,
    /// A row of this table.
    Row(u8),
    /// A row of one of these tables, which the low bits tell apart. So many bits.
    OneOf(u32, &'static [u8]),
}

use Column::{Blob, Guid, Long, OneOf, Row, Short, Text};

/// A table that no file has.
const NONE: u8 = 63;

const TYPE_DEF_OR_REF: Column = OneOf(2, &[0x02, 0x01, 0x1b]);
const HAS_CONSTANT: Column = OneOf(2, &[0x04, 0x08, 0x17]);
const HAS_CUSTOM_ATTRIBUTE: Column = OneOf(
    5,
    &[
        0x06, 0x04, 0x01, 0x02, 0x08, 0x09, 0x0a, 0x00, 0x0e, 0x17, 0x14, 0x11, 0x1a, 0x1b, 0x20,
        0x23, 0x26, 0x27, 0x28, 0x2a, 0x2c, 0x2b,
    ],
);
const HAS_FIELD_MARSHAL: Column = OneOf(1, &[0x04, 0x08]);
const HAS_DECL_SECURITY: Column = OneOf(2, &[0x02, 0x06, 0x20]);
const MEMBER_REF_PARENT: Column = OneOf(3, &[0x02, 0x01, 0x1a, 0x06, 0x1b]);
const HAS_SEMANTICS: Column = OneOf(1, &[0x14, 0x17]);
const METHOD_DEF_OR_REF: Column = OneOf(1, &[0x06, 0x0a]);
const MEMBER_FORWARDED: Column = OneOf(1, &[0x04, 0x06]);
const IMPLEMENTATION: Column = OneOf(2, &[0x26, 0x23, 0x27]);
const CUSTOM_ATTRIBUTE_TYPE: Column = OneOf(3, &[NONE, NONE, 0x06, 0x0a, NONE]);
const RESOLUTION_SCOPE: Column = OneOf(2, &[0x00, 0x1a, 0x23, 0x01]);

/// The columns of the tables up to `NestedClass`, which is the last one that is read.
pub(super) const TABLES: [&[Column]; 0x2a] = [
    &[Short, Text, Guid, Guid, Guid],                     // Module
    &[RESOLUTION_SCOPE, Text, Text],                      // TypeRef
    &[Long, Text, Text, TYPE_DEF_OR_REF, Row(4), Row(6)], // TypeDef
    &[Row(4)],                                            // FieldPtr
    &[Short, Text, Blob],                                 // Field
    &[Row(6)],                                            // MethodPtr
    &[Long, Short, Short, Text, Blob, Row(8)],            // MethodDef
    &[Row(8)],                                            // ParamPtr
    &[Short, Short, Text],                                // Param
    &[Row(2), TYPE_DEF_OR_REF],                           // InterfaceImpl
    &[MEMBER_REF_PARENT, Text, Blob],                     // MemberRef
    &[Short, HAS_CONSTANT, Blob],                         // Constant
    &[HAS_CUSTOM_ATTRIBUTE, CUSTOM_ATTRIBUTE_TYPE, Blob], // CustomAttribute
    &[HAS_FIELD_MARSHAL, Blob],                           // FieldMarshal
    &[Short, HAS_DECL_SECURITY, Blob],                    // DeclSecurity
    &[Short, Long, Row(2)],                               // ClassLayout
    &[Long, Row(4)],                                      // FieldLayout
    &[Blob],                                              // StandAloneSig
    &[Row(2), Row(0x14)],                                 // EventMap
    &[Row(0x14)],                                         // EventPtr
    &[Short, Text, TYPE_DEF_OR_REF],                      // Event
    &[Row(2), Row(0x17)],                                 // PropertyMap
    &[Row(0x17)],                                         // PropertyPtr
    &[Short, Text, Blob],                                 // Property
    &[Short, Row(6), HAS_SEMANTICS],                      // MethodSemantics
    &[Row(2), METHOD_DEF_OR_REF, METHOD_DEF_OR_REF],      // MethodImpl
    &[Text],                                              // ModuleRef
    &[Blob],                                              // TypeSpec
    &[Short, MEMBER_FORWARDED, Text, Row(0x1a)],          // ImplMap
    &[Long, Row(4)],                                      // FieldRVA
    &[Long, Long],                                        // EncLog
    &[Long],                                              // EncMap
    &[Long, Short, Short, Short, Short, Long, Blob, Text, Text], // Assembly
    &[Long],                                              // AssemblyProcessor
    &[Long, Long, Long],                                  // AssemblyOS
    &[Short, Short, Short, Short, Long, Blob, Text, Text, Blob], // AssemblyRef
    &[Long, Row(0x23)],                                   // AssemblyRefProcessor
    &[Long, Long, Long, Row(0x23)],                       // AssemblyRefOS
    &[Long, Text, Blob],                                  // File
    &[Long, Long, Text, Text, IMPLEMENTATION],            // ExportedType
    &[Long, Long, Text, IMPLEMENTATION],                  // ManifestResource
    &[Row(2), Row(2)],                                    // NestedClass
];
