//! Memory for tables that are looked up at random.
//!
//! A table of 16 MiB lies on four thousand ordinary pages, more than a processor remembers the places
//! of, so that most rows cost a walk through the page table before they cost a line of memory. Large
//! tables are therefore mapped by themselves and ask for huge pages, eight in that case. Where the
//! system has none to give, nothing changes but the time.

use memmap2::MmapMut;

/// Bytes that begin at a multiple of [`LINE`].
#[derive(Debug)]
pub(super) struct AlignedBytes {
    memory: Memory,
    start: usize,
    length: usize,
}

#[derive(Debug)]
enum Memory {
    Mapped(MmapMut),
    Heap(Vec<u8>),
}

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Bytes of a huge page.
const HUGE_PAGE: usize = 2 << 20;

impl AlignedBytes {
    pub(super) fn zeros(length: usize) -> Self {
        if let Some(mapped) = Self::mapped(length) {
            return mapped;
        }
        let memory = vec![0; length + LINE];
        let start = memory.as_ptr().align_offset(LINE);
        Self { memory: Memory::Heap(memory), start, length }
    }

    /// `None` for what does not fill a huge page, and where the system refuses.
    fn mapped(length: usize) -> Option<Self> {
        if length < HUGE_PAGE {
            return None;
        }
        let memory = MmapMut::map_anon(length.next_multiple_of(HUGE_PAGE) + HUGE_PAGE).ok()?;
        // A system without huge pages refuses, and gives ordinary ones.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        let start = memory.as_ptr().align_offset(HUGE_PAGE);
        Some(Self { memory: Memory::Mapped(memory), start, length })
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        let all = match &self.memory {
            Memory::Mapped(memory) => &memory[..],
            Memory::Heap(memory) => memory,
        };
        &all[self.start..self.start + self.length]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        let all = match &mut self.memory {
            Memory::Mapped(memory) => &mut memory[..],
            Memory::Heap(memory) => memory,
        };
        &mut all[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_begin_at_a_line_wherever_they_lie() {
        for length in [0, 1, 64, 4096, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1, 5 * HUGE_PAGE] {
            let mut bytes = AlignedBytes::zeros(length);
            assert_eq!(bytes.as_slice().len(), length);
            assert_eq!(bytes.as_slice().as_ptr().align_offset(LINE), 0, "{length}");
            assert!(bytes.as_slice().iter().all(|&byte| byte == 0), "{length}");
            bytes.as_mut_slice().fill(7);
            assert!(bytes.as_slice().iter().all(|&byte| byte == 7), "{length}");
        }
    }
}
