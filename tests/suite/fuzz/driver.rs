//! The mutations, and the search among them: from a small corpus, and onwards from what reached new code.
//!
//! Short by default. `scripts/fuzz.sh` sets `ARCHONCTL_FUZZ_SECONDS` for a long run, another `ARCHONCTL_FUZZ_SEED` each
//! time, and `ARCHONCTL_FUZZ_MAP`: the file in which a build with `tests/servers/coverage.c` counts the places of the
//! library that were reached. Without it, the search is blind but the same.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use fastrand::Rng;

/// No case is longer.
const MAX_BYTES: usize = 64 * 1024;
/// So many that reached something new are kept to go on from.
const MAX_POOL: usize = 20_000;
/// What else is tried to make a failing case shorter.
const SHORTENINGS: usize = 300;

/// A target: where its corpus is, what its mutations know, and how many cases a short run has.
pub(super) struct Target {
    pub(super) folders: &'static [&'static str],
    pub(super) words: &'static [&'static str],
    pub(super) cases: u64,
}

/// Runs the property on the corpus and on mutations of it. It fails by a panic, which is then shown with its case.
pub(super) fn hold(target: &Target, property: impl Fn(&[u8])) {
    let corpus: Vec<Vec<u8>> = target.folders.iter().flat_map(|folder| files(folder)).collect();
    for case in &corpus {
        run(case, &property);
    }
    let seconds = env::var("ARCHONCTL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let seed = env::var("ARCHONCTL_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (mut search, began) = (Search::new(corpus, target.words, seed), Instant::now());
    let is_over = |cases: u64| match seconds {
        Some(seconds) => began.elapsed() >= Duration::from_secs(seconds),
        None => cases >= target.cases,
    };
    let mut cases = 0;
    while !is_over(cases) {
        let case = search.next();
        run(&case, &property);
        search.learn(case);
        cases += 1;
    }
    println!(
        "{cases} cases in {:.1} s with seed {seed}, {} of them reached something new, {} places in all: no finding",
        began.elapsed().as_secs_f64(),
        search.pool.len() - search.given,
        search.reached
    );
}

fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> =
        fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

fn fails(case: &[u8], property: &impl Fn(&[u8])) -> Option<Box<dyn std::any::Any + Send>> {
    // A property keeps nothing that a panic could break.
    catch_unwind(AssertUnwindSafe(|| property(case))).err()
}

/// Runs one case. One that fails is made as short as it can be, shown, and fails the test.
fn run(case: &[u8], property: &impl Fn(&[u8])) {
    let Some(mut failure) = fails(case, property) else { return };
    let (mut shortest, mut part, mut left) = (case.to_vec(), case.len() / 2, SHORTENINGS);
    while part > 0 && left > 0 {
        let mut at = 0;
        while at < shortest.len() && left > 0 {
            let end = (at + part).min(shortest.len());
            let shorter = [&shortest[..at], &shortest[end..]].concat();
            left -= 1;
            match fails(&shorter, property) {
                Some(again) => (shortest, failure) = (shorter, again),
                None => at = end,
            }
        }
        part /= 2;
    }
    eprintln!("the case, {} bytes: b\"{}\"", shortest.len(), shortest.escape_ascii());
    resume_unwind(failure)
}

/// The cases that others are made from.
struct Search {
    rng: Rng,
    pool: Vec<Vec<u8>>,
    given: usize,
    words: &'static [&'static str],
    map: Option<File>,
    reached: u64,
}

impl Search {
    fn new(corpus: Vec<Vec<u8>>, words: &'static [&'static str], seed: u64) -> Self {
        let map = env::var_os("ARCHONCTL_FUZZ_MAP").map(|path| File::open(path).expect("the map"));
        let given = corpus.len();
        let mut search = Self { rng: Rng::with_seed(seed), pool: corpus, given, words, map, reached: 0 };
        search.reached = search.places();
        search
    }

    /// How many places of the library were reached by now.
    fn places(&self) -> u64 {
        let mut count = [0; 8];
        self.map.as_ref().map_or(0, |map| {
            map.read_exact_at(&mut count, 0).expect("a count");
            u64::from_ne_bytes(count)
        })
    }

    /// Keeps a case that went where none was before.
    fn learn(&mut self, case: Vec<u8>) {
        let reached = self.places();
        if reached > self.reached && self.pool.len() < MAX_POOL {
            self.pool.push(case);
        }
        self.reached = reached;
    }

    fn next(&mut self) -> Vec<u8> {
        let mut case = self.any().to_vec();
        // Mostly one or two changes: what is nearly right goes deepest.
        for _ in 0..1 << self.rng.u32(0..4) {
            self.change(&mut case);
        }
        case.truncate(MAX_BYTES);
        case
    }

    fn any(&mut self) -> &[u8] {
        let n = self.rng.usize(..self.pool.len());
        &self.pool[n]
    }

    fn change(&mut self, case: &mut Vec<u8>) {
        let at = self.rng.usize(..=case.len());
        let end = (at + self.rng.usize(..=16)).min(case.len());
        match self.rng.u8(0..8) {
            0 if at < case.len() => case[at] ^= 1 << self.rng.u8(0..8),
            1 if at < case.len() => case[at] = self.rng.u8(..),
            2 => case.insert(at, self.rng.u8(..)),
            3 => _ = case.drain(at..end),
            4 => {
                let part = case[at..end].to_vec();
                let times = if self.rng.u8(..) == 0 { 2000 } else { self.rng.usize(1..4) };
                case.splice(at..at, part.repeat(times));
            }
            5 => {
                let other = self.any().to_vec();
                let from = self.rng.usize(..=other.len());
                let to = self.rng.usize(from..=other.len());
                case.splice(at..end, other[from..to].iter().copied());
            }
            6 => {
                let word = self.words[self.rng.usize(..self.words.len())];
                case.splice(at..end, word.bytes());
            }
            _ if self.rng.u8(0..8) == 0 => case.truncate(at),
            _ => {}
        }
    }
}
