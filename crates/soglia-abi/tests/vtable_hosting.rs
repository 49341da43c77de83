//! The vtables of the hosting interfaces, slot by slot.

use soglia_abi::hosting::{
    assembly::*, clr_task::*, com::*, control::*, debug::*, gc::*, host_task::*, memory::*,
    metahost::*, policy::*, runtime_host::*, security::*, sync::*, thread_pool::*,
};
use windows_core::Interface;

#[path = "common/hosting.rs"]
mod table;

const POINTER: usize = size_of::<usize>();

macro_rules! slots {
    ($($interface:ident $iid:literal, $slots:literal slots: $($slot:literal $method:ident),*;)*) => {
        #[test]
        fn every_slot() {$({
            type Vtable = <$interface as Interface>::Vtable;
            assert_eq!(size_of::<Vtable>() / POINTER, $slots, "{}: slots in all", stringify!($interface));
            assert_eq!(align_of::<Vtable>(), POINTER);
            $(assert_eq!(
                core::mem::offset_of!(Vtable, $method) / POINTER,
                $slot,
                concat!(stringify!($interface), "::", stringify!($method))
            );)*
        })*}

        #[test]
        fn every_iid() {$(
            assert_eq!($interface::IID.to_u128(), $iid, stringify!($interface));
        )*}

        #[test]
        fn no_iid_twice() {
            let mut values = [$($interface::IID.to_u128()),*];
            values.sort_unstable();
            assert!(values.windows(2).all(|two| two[0] != two[1]));
        }
    };
}
table::hosting_interfaces! { slots }

/// ICLRTask2 and IStream begin where their bases end: a method is missing from neither table.
#[test]
fn inherited_slots() {
    assert_eq!(size_of::<ICLRTask_Vtbl>() / POINTER, 14);
    assert_eq!(
        core::mem::offset_of!(ICLRTask2_Vtbl, BeginPreventAsyncAbort) / POINTER,
        14
    );
    assert_eq!(size_of::<ISequentialStream_Vtbl>() / POINTER, 5);
    assert_eq!(core::mem::offset_of!(IStream_Vtbl, Seek) / POINTER, 5);
}
