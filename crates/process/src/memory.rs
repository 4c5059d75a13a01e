//! How freed memory is kept.

use std::hint::black_box;

/// Freed memory at the end of a heap that a process keeps for itself: one burst of answers of API servers.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Has the allocator keep freed memory for what comes next.
///
/// glibc gives it back to the kernel as soon as there are 128 KiB of it at the end of a heap, and a renewal
/// takes and frees more than that: 15 % of its CPU was for pages that came back at once (docs/benchmarks.md).
/// Once a block is freed that was mapped by itself, glibc keeps up to twice as much as that was (mallopt(3),
/// `M_MMAP_THRESHOLD`, "dynamic"). With another allocator this does nothing.
pub(crate) fn keep_freed() {
    drop(black_box(Vec::<u8>::with_capacity(KEPT_BYTES / 2)));
}
