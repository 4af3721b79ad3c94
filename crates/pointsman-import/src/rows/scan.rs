//! Where a JSON value ends: brackets are counted outside of texts, and nothing else is read.

/// Where the scan of a value stands.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) depth: usize,
    pub(super) in_text: bool,
    is_escaped: bool,
    /// A number or a word, which ends before what ends it.
    in_word: bool,
}

impl Scan {
    /// Where the value ends in `chunk`: the index after its last byte.
    pub(super) fn end_in(&mut self, chunk: &[u8]) -> Option<usize> {
        for (at, &byte) in chunk.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            let is_end = matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
            if self.in_word && is_end {
                return Some(at);
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => self.in_word = self.depth == 0,
            }
        }
        None
    }
}
