//! Rounds: everything that is compared is measured in turn, again and again, so that what disturbs the machine disturbs all.

use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::Outcome;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    /// How long one thing is measured in one round.
    pub slice: Duration,
    /// Exchanges of one peer in one round.
    pub calls: u64,
    /// The largest numbers of sessions, refreshes and tokens.
    pub sessions: usize,
    pub entries: usize,
}

impl Effort {
    pub const FULL: Self =
        Self { rounds: 9, slice: Duration::from_millis(400), calls: 40_000, sessions: 1_000_000, entries: 100_000 };
    /// Shows that everything works. Its numbers mean nothing.
    pub const QUICK: Self =
        Self { rounds: 3, slice: Duration::from_millis(20), calls: 1_000, sessions: 10_000, entries: 1_000 };
}

/// What one thing took in each round.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub values: Vec<f64>,
}

impl Series {
    pub fn median(&self) -> f64 {
        median(&self.values)
    }

    pub fn range(&self) -> (f64, f64) {
        range(&self.values)
    }

    /// The ratio of each round.
    pub fn over(&self, base: &Self) -> Self {
        let values = self.values.iter().zip(&base.values).map(|(one, other)| one / other).collect();
        Self { name: self.name.clone(), values }
    }

    /// `1.10× (1.07 to 1.11)`
    pub fn ratio_to(&self, base: &Self) -> String {
        let ratio = self.over(base);
        let (least, most) = ratio.range();
        format!("{:.2}× ({least:.2} to {most:.2})", ratio.median())
    }
}

/// Something that is measured once in each round; the value is in nanoseconds, unless its table says otherwise.
pub struct Contestant<'a> {
    name: String,
    measure: Box<dyn FnMut() -> Outcome<f64> + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: impl Into<String>, measure: impl FnMut() -> Outcome<f64> + 'a) -> Self {
        Self { name: name.into(), measure: Box::new(measure) }
    }

    /// The time of one call of a function.
    pub fn calls<T>(name: impl Into<String>, effort: Effort, mut call: impl FnMut() -> T + 'a) -> Self {
        Self::new(name, move || Ok(time(effort.slice, |times| (0..times).for_each(|_| drop(black_box(call()))))))
    }

    /// The time of one call of an asynchronous function.
    pub fn awaits<T, R: Future<Output = T>>(
        name: impl Into<String>,
        effort: Effort,
        runtime: &'a Runtime,
        mut call: impl FnMut() -> R + 'a,
    ) -> Self {
        Self::new(name, move || {
            Ok(time(effort.slice, |times| {
                runtime.block_on(async {
                    for _ in 0..times {
                        drop(black_box(call().await));
                    }
                });
            }))
        })
    }
}

/// All of them in each round, each time beginning with another one.
pub fn rounds(effort: Effort, mut contestants: Vec<Contestant<'_>>) -> Outcome<Vec<Series>> {
    let names = contestants.iter().map(|one| one.name.clone());
    let mut series: Vec<Series> = names.map(|name| Series { name, values: Vec::new() }).collect();
    let mut junk = Junk::default();
    for round in 0..effort.rounds {
        junk.shuffle(round as u64);
        eprint!("\rround {} of {} ", round + 1, effort.rounds);
        for turn in 0..contestants.len() {
            let index = (round + turn) % contestants.len();
            series[index].values.push((contestants[index].measure)()?);
        }
    }
    eprintln!();
    Ok(series)
}

/// The time of one call in nanoseconds: the median of ten batches that together take about as long as asked.
fn time(slice: Duration, mut batch: impl FnMut(u32)) -> f64 {
    const BATCHES: u32 = 10;
    let mut times: u32 = 1;
    let one = loop {
        let start = Instant::now();
        batch(times);
        let took = start.elapsed();
        if took > slice / 40 || times > u32::MAX / 4 {
            break took.as_secs_f64() / f64::from(times);
        }
        times *= 4;
    };
    let times = (slice.as_secs_f64() / f64::from(BATCHES) / one).clamp(1.0, 1e9) as u32;
    let batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            batch(times);
            start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
        })
        .collect();
    median(&batches)
}

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, f64::MIN), |(least, most), one| (least.min(*one), most.max(*one)))
}

/// `15.02 µs`, from nanoseconds.
pub fn micros(nanoseconds: f64) -> String {
    format!("{:.2} µs", nanoseconds / 1e3)
}

/// `15.02 µs (14.90 to 15.80)`
pub fn micros_of(series: &Series) -> String {
    let (least, most) = series.range();
    format!("{} ({:.2} to {:.2})", micros(series.median()), least / 1e3, most / 1e3)
}

/// Where the allocator puts things decides about the time of some: a signature takes 13 or 17 µs. So its free lists are shuffled
/// before each round.
#[derive(Default)]
struct Junk(Vec<Vec<u8>>);

impl Junk {
    fn shuffle(&mut self, seed: u64) {
        let mut dice = Dice::new(seed);
        self.0.extend((0..5_000).map(|_| vec![0; 16 + dice.roll(1_500)]));
        for _ in 0..2_500 {
            let index = dice.roll(self.0.len());
            self.0.swap_remove(index);
        }
    }
}

/// Numbers without order, the same in each run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }
}
