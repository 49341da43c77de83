//! ReadyToRun images.
//!
//! The input is a [packed](soglia_fuzz::packed) image, as it is mapped.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soglia_fuzz::packed;
use soglia_il::r2r::{Inlined, Precompiled, image_size};

fuzz_target!(|packed: &[u8]| {
    let bytes = packed::unpack(packed);
    let _ = image_size(&bytes);
    let parsed = Precompiled::parse(&bytes);
    let _ = (parsed.shares(&|_| true), parsed.shares(&|_| false));
    if let (Some(inlinees), Some(inliners)) = (parsed.inlinees(), parsed.inliners(&|_| true)) {
        assert_eq!(inlinees.len(), inliners.len());
        assert!(inlinees.keys().all(|row| inliners.contains(row)));
        assert!(inlinees.values().all(|methods| !methods.is_empty()));
    }
    assert!(
        parsed
            .inliners(&|_| false)
            .is_none_or(|none| none.is_empty())
    );
    let Precompiled::Image(image) = &parsed else {
        return;
    };
    for row in image.rows().take(256) {
        let (all, even, none) = (
            image.inlines_any(row, &|_| true),
            image.inlines_any(row, &|token| token.row().is_multiple_of(2)),
            image.inlines_any(row, &|_| false),
        );
        assert_ne!(none, Inlined::Yes);
        // The more P/Invokes are wrapped, the more code is found to inline one.
        assert!(even != Inlined::Yes || all == Inlined::Yes);
        assert!(all != Inlined::No || (even, none) == (Inlined::No, Inlined::No));
    }
});
