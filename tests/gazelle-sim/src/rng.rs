//! Random draws that are repeatable from a seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ALPHANUMERICS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX_DIGITS: &[u8] = b"0123456789abcdef";

/// Random number generator with repeatable draws.
pub(crate) struct SeededRng(ChaCha8Rng);

impl SeededRng {
    /// Creates the generator of one purpose (`stream`) under one seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut inner = ChaCha8Rng::seed_from_u64(seed);
        inner.set_stream(stream);
        Self(inner)
    }

    /// Draws a number below `end`; returns 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 {
            return 0;
        }
        // Drawn as u64 so that 32-bit and 64-bit machines agree.
        usize::try_from(self.0.random_range(0..end as u64)).unwrap_or(0)
    }

    /// Draws a number between two bounds, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    /// Returns true with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability.clamp(0.0, 1.0))
    }

    /// Draws one of the choices.
    pub(crate) fn choose<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// Draws an id such as `cli_a1B2c3D4e5F6g7H8`.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        self.characters(prefix, ALPHANUMERICS, 16)
    }

    /// Draws an id of the prefix and 20 lowercase hexadecimal digits, such as those of `tme_`.
    pub(crate) fn hex_id(&mut self, prefix: &str) -> String {
        self.characters(prefix, HEX_DIGITS, 20)
    }

    fn characters(&mut self, prefix: &str, alphabet: &[u8], count: usize) -> String {
        let mut id = String::with_capacity(prefix.len() + count);
        id.push_str(prefix);
        for _ in 0..count {
            id.push(char::from(alphabet[self.below(alphabet.len())]));
        }
        id
    }
}
