//! What the vtable tests share.

/// One test per vtable: so many slots in all, and each method in the slot that is written beside
/// it.
///
/// The numbers stand in the test, counted from `QueryInterface` as 0, and are not computed from
/// anything.
macro_rules! vtable {
    ($vtable:ident, $slots:literal slots: $($slot:literal $method:ident,)*) => {
        #[test]
        #[expect(non_snake_case, reason = "named after the vtable")]
        fn $vtable() {
            const POINTER: usize = size_of::<usize>();
            assert_eq!(size_of::<$vtable>() / POINTER, $slots, "slots in all");
            assert_eq!(align_of::<$vtable>(), POINTER);
            $(assert_eq!(core::mem::offset_of!($vtable, $method) / POINTER, $slot, stringify!($method));)*
        }
    };
}
pub(crate) use vtable;
