//! The clocks of a recording, and whether they are those of the process that reads it.

use std::{mem::offset_of, os::unix::fs::MetadataExt};

use super::{bytes::Bytes, format::Header};
use crate::{
    process,
    time::{Anchor, Scale, TickSource},
};

/// Whether the reader reads another file than the recorded process wrote.
pub(super) fn is_copy(bytes: &Bytes) -> bool {
    let own = bytes.file().metadata().map_or(0, |about| about.ino());
    own != bytes.long(offset_of!(Header, inode))
}

/// Whether the time now, as this process reads it, can be compared with the recording's.
pub(super) fn are_ours(bytes: &Bytes) -> bool {
    let namespace = bytes.word(offset_of!(Header, time_namespace));
    same_boot(bytes) && namespace == process::time_namespace() && !is_copy(bytes)
}

/// Whether the machine has not been rebooted since the recording was made.
pub(super) fn same_boot(bytes: &Bytes) -> bool {
    let at = offset_of!(Header, boot);
    let boot = process::boot_id();
    boot != [0; 16]
        && (0..4).all(|n| bytes.word(at + n * 4).to_le_bytes() == boot[n * 4..n * 4 + 4])
}

/// All anchors that are there, except the one from before the start.
pub(super) fn anchors(bytes: &Bytes) -> impl Iterator<Item = Anchor> {
    let last = offset_of!(Header, last);
    let places = [
        offset_of!(Header, start),
        last,
        last + size_of::<Anchor>(),
        offset_of!(Header, alive),
        offset_of!(Header, exited),
        offset_of!(Header, ended),
    ];
    let anchors = places.map(|at| bytes.anchor(at));
    anchors.into_iter().filter(|anchor| anchor.ticks != 0)
}

/// How long a tick is.
pub(super) fn rate(bytes: &Bytes) -> Scale {
    if TickSource::from_number(bytes.word(offset_of!(Header, tick_source)))
        != Some(TickSource::Counter)
    {
        return Scale::IDENTITY;
    }
    let made = bytes.anchor(offset_of!(Header, made));
    let ends = [offset_of!(Header, exited), offset_of!(Header, ended)];
    let is_over = ends.iter().any(|end| bytes.anchor(*end).ticks != 0);
    let latest = if !is_over && are_ours(bytes) {
        // The counter runs at one rate until the machine is rebooted, so now is as good an anchor
        // as any. Two looks at a recording that has its end are to say the same, to the nanosecond.
        TickSource::Counter.select();
        Some(Anchor::take())
    } else {
        anchors(bytes).max_by_key(|anchor| anchor.ticks)
    };
    latest
        .and_then(|latest| Scale::between(made, latest))
        .unwrap_or(Scale::IDENTITY)
}
