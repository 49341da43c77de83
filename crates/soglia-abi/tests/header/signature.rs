//! What a method takes, in letters: `u4` an unsigned number of four bytes, `i4` a signed one, `p` a pointer, and behind
//! the `p` what it points to, if that is a number or a pointer again. C++ says the same in `words.hpp`.

use core::ffi::c_void;

use soglia_abi::hosting::{
    assembly::*, com::*, control::*, debug::*, gc::*, memory::*, metahost::*, policy::*,
    security::*, types::*,
};
use soglia_abi::{BOOL, GUID, HRESULT};

pub trait Word {
    fn word() -> String;
}

macro_rules! words {
    ($word:literal: $($type:ty),*) => {$(
        impl Word for $type {
            fn word() -> String {
                $word.to_owned()
            }
        }
    )*};
}
words! { "u2": u16 }
words! { "u4": u32 }
words! { "i4": i32, BOOL, HRESULT }
words! { "u8": u64, usize }
words! { "i8": i64, isize }
words! { "": c_void, GUID, COR_GC_STATS, COR_GC_THREAD_STATS, BucketParameters, CustomDumpItem, AssemblyBindInfo,
ModuleBindInfo, STATSTG }
words! { "u4": EApiCategories, EClrEvent, EClrFailure, EClrOperation, EClrUnhandledException, EContextType,
ECustomDumpFlavor, EInitializeNewDomainFlags, EMemoryAvailable, EMemoryCriticalLevel, EPolicyAction,
ESymbolReadingPolicy, ETaskType, METAHOST_POLICY_FLAGS }
words! { "p": Option<LPTHREAD_START_ROUTINE>, Option<FExecuteInAppDomainCallback>, Option<RuntimeLoadedCallbackFnPtr> }

impl Word for core::ffi::c_char {
    fn word() -> String {
        if core::ffi::c_char::MIN == 0 {
            "u1"
        } else {
            "i1"
        }
        .to_owned()
    }
}

impl<T: Word> Word for *const T {
    fn word() -> String {
        format!("p{}", T::word())
    }
}

impl<T: Word> Word for *mut T {
    fn word() -> String {
        format!("p{}", T::word())
    }
}

pub trait Signature {
    fn signature() -> String;
}

macro_rules! signatures {
    ($($parameter:ident)*) => {
        impl<R: Word, $($parameter: Word),*> Signature
            for unsafe extern "system" fn(*mut c_void, $($parameter),*) -> R
        {
            fn signature() -> String {
                let words: Vec<String> = vec![$($parameter::word()),*];
                format!("{}({})", R::word(), words.join(","))
            }
        }
    };
}
signatures! {}
signatures! { A }
signatures! { A B }
signatures! { A B C }
signatures! { A B C D }
signatures! { A B C D E }
signatures! { A B C D E F }
signatures! { A B C D E F G }
signatures! { A B C D E F G H }
signatures! { A B C D E F G H I }
signatures! { A B C D E F G H I J }

/// Of a vtable's slot, named by a function that picks it.
pub fn signature<Vtable, Slot: Signature>(_: impl Fn(&Vtable) -> &Slot) -> String {
    Slot::signature()
}

/// A number, as C's `unsigned` has it.
pub trait Number {
    fn number(self) -> u32;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn number(self) -> u32 {
                self.0
            }
        }
    )*};
}
numbers! { BucketParameterIndex, EApiCategories, EClrEvent, EClrFailure, EClrOperation, EClrUnhandledException,
EContextType, ECustomDumpFlavor, ECustomDumpItemKind, EInitializeNewDomainFlags, EMemoryAvailable, EMemoryCriticalLevel,
EPolicyAction, ESymbolReadingPolicy, ETaskType, HOST_TYPE, METAHOST_CONFIG_FLAGS, METAHOST_POLICY_FLAGS,
RUNTIME_INFO_FLAGS, StackOverflowType }

impl Number for u32 {
    fn number(self) -> u32 {
        self
    }
}

impl Number for i32 {
    fn number(self) -> u32 {
        self as u32
    }
}

impl Number for usize {
    fn number(self) -> u32 {
        self.try_into().expect("small")
    }
}
