//! Good inputs, spoiled in ways that parsers dislike; on any toolchain.
//!
//! The same seed spoils the same inputs in the same order, and a check that panics names its case.
//! Weakness: it is blind. It does not know which branches an input reached, as `cargo fuzz` does;
//! CONTRIBUTING.md says how to hand it the same targets.

use crate::draw::{Draws, Stream};
use std::{
    env,
    io::{self, Write as _},
    thread,
    time::{Duration, Instant},
};

/// For how many seconds each target is tried; so many cases as are usual where it is not set.
pub const SECONDS: &str = "POINTSMAN_FUZZ_SECONDS";

/// Which inputs are tried; zero where it is not set.
pub const SEED: &str = "POINTSMAN_FUZZ_SEED";

/// Spoiled inputs never grow beyond this.
const MOST_BYTES: usize = 1 << 16;

/// Cases between two looks at the clock.
const CASES_A_LOOK: u64 = 64;

/// What is written over inputs and between their bytes.
const PIECES: [&[u8]; 22] = [
    b"null",
    b"true",
    b"{",
    b"}",
    b"[",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"v\":",
    b"\"",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b",",
    b":",
    b"\n",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"-1",
    b"0.5",
    b"1e999",
    b"9223372036854775808",
    b"18446744073709551616",
];

/// Says which case it was that panicked.
struct Case {
    seed: u64,
    number: u64,
}

impl Drop for Case {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { seed, number } = self;
            // Where nobody listens, the panic itself has to do.
            drop(writeln!(io::stderr(), "case {number} with {SEED}={seed}"));
        }
    }
}

/// Hands inputs to `check`, each made from one of `corpus`: `n_usual` of them, or as many as
/// [`SECONDS`] allows. How many it were.
///
/// # Panics
/// Where `check` does, which is how it says that an input was treated wrongly; and where one of
/// the variables is no number.
pub fn fuzz(corpus: &[Vec<u8>], n_usual: u64, mut check: impl FnMut(&[u8])) -> u64 {
    let seed = setting(SEED).unwrap_or(0);
    let seconds = setting(SECONDS);
    let begun = now();
    let mut number = 0;
    loop {
        let is_over = match seconds {
            None => n_usual <= number,
            Some(seconds) => {
                number % CASES_A_LOOK == 0 && Duration::from_secs(seconds) <= begun.elapsed()
            }
        };
        if is_over {
            return number;
        }
        let case = Case { seed, number };
        check(&spoiled(corpus, Draws::keyed(seed, Stream::Words, &[number])));
        drop(case);
        number += 1;
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever asks for seconds asks for the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::panic, reason = "a test was told something that it cannot do")]
fn setting(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}: it has to be a whole number")))
}

/// One of some inputs, changed in one to eight places.
fn spoiled(corpus: &[Vec<u8>], mut draws: Draws) -> Vec<u8> {
    let mut input = entry(corpus, &mut draws).to_vec();
    for _ in 0..draws.between(1, 8) {
        let (start, end) = stretch(&input, &mut draws);
        match draws.between(0, 7) {
            0 => flip(&mut input, start, &mut draws),
            1 => drop(input.splice(start..end, [])),
            2 => input.truncate(start),
            3 => drop(input.splice(start..start, draws.choice(&PIECES).iter().copied())),
            4 => drop(input.splice(start..end, draws.choice(&PIECES).iter().copied())),
            5 => {
                let again = input[start..end].to_vec();
                drop(input.splice(start..start, again));
            }
            6 => {
                let other = entry(corpus, &mut draws);
                let (from, to) = stretch(other, &mut draws);
                drop(input.splice(start..end, other[from..to].iter().copied()));
            }
            _ => input[start..end].reverse(),
        }
        input.truncate(MOST_BYTES);
    }
    input
}

fn entry<'a>(corpus: &'a [Vec<u8>], draws: &mut Draws) -> &'a [u8] {
    let at = draws.position(corpus.len());
    corpus.get(at).map_or(&[], Vec::as_slice)
}

/// Some bytes of an input, often few.
fn stretch(input: &[u8], draws: &mut Draws) -> (usize, usize) {
    let start = draws.position(input.len() + 1);
    let left = input.len() - start;
    let most = if draws.chance(0.7) { left.min(8) } else { left };
    (start, start + draws.position(most + 1))
}

fn flip(input: &mut [u8], at: usize, draws: &mut Draws) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << draws.position(8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_spoils_alike_and_most_inputs_change() {
        let corpus = [b"{\"prompt\":\"Hello\"}".to_vec(), b"[1,2,3]".to_vec(), Vec::new()];
        let made = |seed: u64| -> Vec<Vec<u8>> {
            let draws = |number| Draws::keyed(seed, Stream::Words, &[number]);
            (0..200).map(|number| spoiled(&corpus, draws(number))).collect()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        let n_same = made(1).iter().filter(|input| corpus.contains(input)).count();
        assert!(n_same < 60, "{n_same}");
        assert!(spoiled(&[], Draws::keyed(1, Stream::Words, &[])).len() < MOST_BYTES);
    }
}
