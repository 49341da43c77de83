//! Payloads of records of the log: words, numbers of two words, and strings.

/// Bytes of a text that are kept. Names of generated code can be absurdly long.
const MOST_TEXT: usize = 16 << 10;

#[derive(Default)]
pub(super) struct Encoder(pub(super) Vec<u32>);

impl Encoder {
    pub(super) fn word(&mut self, word: u32) -> &mut Self {
        self.0.push(word);
        self
    }

    pub(super) fn long(&mut self, long: u64) -> &mut Self {
        self.word(long as u32).word((long >> 32) as u32)
    }

    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        let mut end = text.len().min(MOST_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let bytes = &text.as_bytes()[..end];
        self.word(bytes.len() as u32);
        for four in bytes.chunks(4) {
            let mut word = [0; 4];
            word[..four.len()].copy_from_slice(four);
            self.word(u32::from_le_bytes(word));
        }
        self
    }

    pub(super) fn option(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.word(u32::MAX),
        }
    }
}

pub(super) struct Decoder<'a>(pub(super) &'a [u32]);

impl Decoder<'_> {
    pub(super) fn word(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        Some(u64::from(self.word()?) | u64::from(self.word()?) << 32)
    }

    pub(super) fn option(&mut self) -> Option<Option<String>> {
        let bytes = self.word()?;
        if bytes == u32::MAX {
            return Some(None);
        }
        let words = (bytes as usize).div_ceil(4);
        let (text, rest) = self.0.split_at_checked(words)?;
        self.0 = rest;
        let text = &text[..words.min(MOST_TEXT / 4)];
        let mut text: Vec<u8> = text.iter().flat_map(|w| w.to_le_bytes()).collect();
        text.truncate(bytes as usize);
        Some(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    pub(super) fn string(&mut self) -> Option<String> {
        self.option()?
    }

    /// All strings that are left.
    pub(super) fn strings(&mut self) -> Option<Vec<String>> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(self.string()?);
        }
        Some(all)
    }
}
