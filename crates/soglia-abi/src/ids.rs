//! The numbers that the profiling API has for things.
//!
//! An ID is an address inside the CLR. It means nothing outside and must never be read through. It
//! is as wide as a pointer, valid as long as the thing that it stands for, and zero if there is no
//! such thing (a `calli` to native code has no function). A token is a row in one module's
//! metadata. It has 32 bits, and means nothing without its module. Each kind has a type of its own,
//! so that the compiler rejects a class where a module is expected.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($repr:ty);)*) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $repr);

        impl $name {
            /// Names nothing.
            pub const NULL: Self = Self(0);

            /// Whether this names nothing.
            #[inline]
            pub const fn is_null(self) -> bool {
                self.0 == 0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    )*};
}

ids! {
    /// A method, and for generic code one of its instantiations.
    FunctionId(usize);
    /// A loaded module.
    ModuleId(usize);
    /// A loaded assembly.
    AssemblyId(usize);
    /// A loaded type.
    ClassId(usize);
    /// An AppDomain. .NET Core has one for the program and one for itself.
    AppDomainId(usize);
    /// A managed thread. Not the number that the operating system gives it.
    ThreadId(usize);
    /// An object on the GC heap; it changes when the object moves.
    ObjectId(usize);
    /// A process.
    ProcessId(usize);
    /// A remoting context; nothing on .NET Core.
    ContextId(usize);
    /// A GC handle.
    GCHandleId(usize);
    /// One version of a recompiled method; zero is the original.
    ReJITId(usize);

    /// Any metadata token. The top byte is the table, the other three are the row; row zero is nil
    /// in every table.
    MdToken(u32);
}

impl MdToken {
    /// The table that the token points into, as the top byte holds it (`0x06` is MethodDef).
    #[inline]
    pub const fn table(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// The row in that table, from 1; 0 is nil.
    #[inline]
    pub const fn row(self) -> u32 {
        self.0 & 0x00FF_FFFF
    }

    /// Whether the token names no row: every table has its own nil, not only the all-zero one.
    #[inline]
    pub const fn is_nil(self) -> bool {
        self.row() == 0
    }
}

/// Token of a type defined in this module (table 0x02).
pub type MdTypeDef = MdToken;
/// Token of a type defined elsewhere (table 0x01).
pub type MdTypeRef = MdToken;
/// Token of a constructed type (table 0x1B).
pub type MdTypeSpec = MdToken;
/// Token of a method defined in this module (table 0x06).
pub type MdMethodDef = MdToken;
/// Token of an instantiated generic method (table 0x2B).
pub type MdMethodSpec = MdToken;
/// Token of a field defined in this module (table 0x04).
pub type MdFieldDef = MdToken;
/// Token of a member defined elsewhere (table 0x0A).
pub type MdMemberRef = MdToken;
/// Token of a parameter (table 0x08).
pub type MdParamDef = MdToken;
/// Token of a property (table 0x17).
pub type MdProperty = MdToken;
/// Token of an event (table 0x14).
pub type MdEvent = MdToken;
/// Token of an interface that a type implements (table 0x09).
pub type MdInterfaceImpl = MdToken;
/// Token of a declared permission set (table 0x0E).
pub type MdPermission = MdToken;
/// Token of a custom attribute (table 0x0C).
pub type MdCustomAttribute = MdToken;
/// Token of a signature that stands alone, such as that of a `calli` or of locals (table 0x11).
pub type MdSignature = MdToken;
/// Token of a native library or another module (table 0x1A).
pub type MdModuleRef = MdToken;
/// Token of the module itself (table 0x00).
pub type MdModule = MdToken;
/// Token of this assembly's manifest (table 0x20).
pub type MdAssembly = MdToken;
/// Token of a referenced assembly (table 0x23).
pub type MdAssemblyRef = MdToken;
/// Token of a file of the assembly (table 0x26).
pub type MdFile = MdToken;
/// Token of an exported type (table 0x27).
pub type MdExportedType = MdToken;
/// Token of a manifest resource (table 0x28).
pub type MdManifestResource = MdToken;
/// Token of a generic parameter (table 0x2A).
pub type MdGenericParam = MdToken;
/// Token of a constraint on a generic parameter (table 0x2C).
pub type MdGenericParamConstraint = MdToken;
/// Token of a string literal (a heap offset under 0x70, not a table).
pub type MdString = MdToken;
