//! What is going to happen: drawn from a seed, and printed when it went wrong.

use std::fmt;
use std::time::Duration;

use crate::support::dice::Dice;

pub(crate) const PROCESSES: usize = 3;
pub(crate) const ORGANIZATIONS: [&str; 2] = ["org_one", "org_two"];

/// How a request or a call of the store goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection could be made.
    NotSent,
    /// Lost on its way there.
    LostBefore,
    /// Done, and the reply was lost.
    LostAfter,
    /// It waits for so many milliseconds before anything is done.
    SlowBefore(u64),
    /// Done, and the reply takes so many milliseconds.
    SlowAfter(u64),
    /// Nothing is done, and no reply comes.
    Stalled,
    /// Not done; the reply has this status.
    Status(u16),
    /// Done, and a proxy replies with this status.
    StatusAfter(u16),
    /// 429, with or without `Retry-After` in seconds.
    Throttled(Option<u64>),
}

impl Fault {
    pub(crate) fn of_workos(dice: &mut Dice) -> Self {
        match dice.roll(10) {
            0 => Self::NotSent,
            1 => Self::LostBefore,
            2 | 3 => Self::LostAfter,
            4 => Self::SlowBefore(100 + dice.roll(3_900)),
            5 => Self::SlowAfter(100 + dice.roll(12_000)),
            6 => Self::Stalled,
            7 => Self::Status(dice.pick(&[408, 500, 502, 503, 504, 520, 522, 524, 598])),
            8 => Self::StatusAfter(dice.pick(&[500, 502, 504, 520, 524, 530])),
            _ => Self::Throttled(if dice.chance(50) { Some(1 + dice.roll(10)) } else { None }),
        }
    }

    /// Whether what was asked for is done, and the reply doesn't arrive in time.
    pub(crate) fn swallows(self) -> bool {
        matches!(self, Self::LostAfter | Self::StatusAfter(_) | Self::SlowAfter(_))
    }

    /// Whether the one who asked can't know what was done.
    pub(crate) fn is_ambiguous(self) -> bool {
        self.swallows() || matches!(self, Self::LostBefore | Self::Stalled | Self::Status(_))
    }

    pub(crate) fn of_the_store(dice: &mut Dice) -> Self {
        match dice.roll(6) {
            0 => Self::NotSent,
            1 => Self::LostBefore,
            2 | 3 => Self::LostAfter,
            4 => Self::SlowBefore(10 + dice.roll(3_000)),
            _ => Self::SlowAfter(10 + dice.roll(3_000)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    WorkOs,
    Keys,
    Store,
}

/// A time in which something goes wrong again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) place: Place,
    /// Of one process, or of all.
    pub(crate) process: Option<usize>,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    /// The same each time, or drawn anew.
    pub(crate) fault: Option<Fault>,
}

/// At which moment a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Whatever it is at.
    Now,
    /// WorkOS has exchanged its token, and it has no reply yet.
    Exchanged,
    /// It has the new pair, and has not written it.
    Received,
    /// It has sent the new pair to the store, where it doesn't arrive.
    Writing,
    /// The store has the new pair, and it doesn't know yet.
    Written,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    pub(crate) process: usize,
    /// The first such moment after this.
    pub(crate) after: Duration,
    pub(crate) point: Point,
    pub(crate) down: Duration,
    /// It lives on, and can't reach the store with its new pair.
    pub(crate) is_cut_off: bool,
}

/// A process's time of day is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jump {
    pub(crate) process: usize,
    pub(crate) at: Duration,
    pub(crate) seconds: i64,
    pub(crate) lasts: Duration,
}

/// A request of a browser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tab {
    pub(crate) process: usize,
    pub(crate) delay: Duration,
    /// The browser doesn't wait for longer.
    pub(crate) hangs_up: Option<Duration>,
    /// The answer doesn't arrive.
    pub(crate) lost: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Visit(Vec<Tab>),
    Switch(Tab, &'static str),
    /// `others` are under way meanwhile.
    SignOut {
        process: usize,
        delay: Duration,
        hangs_up: Option<Duration>,
        others: Vec<Tab>,
    },
    /// An administrator ends the session.
    EndedByWorkOs,
}

/// What a user does after a while.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) away: Duration,
    pub(crate) what: What,
}

pub(crate) struct Schedule {
    pub(crate) seed: u64,
    /// How long an access token lives, in seconds.
    pub(crate) token_life: u64,
    /// How many of a hundred requests go wrong, whatever the weather.
    pub(crate) rate_of_workos: u64,
    pub(crate) rate_of_keys: u64,
    pub(crate) rate_of_store: u64,
    pub(crate) weather: Vec<Weather>,
    pub(crate) kills: Vec<Kill>,
    pub(crate) jumps: Vec<Jump>,
    pub(crate) users: Vec<Vec<Step>>,
    /// WorkOS refuses an exchanged token to a caller who asks for another organization.
    pub(crate) strict: bool,
}

impl Schedule {
    pub(crate) fn draw(seed: u64, users: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let token_life = dice.pick(&[40, 60, 60, 120, 300]);
        let users: Vec<Vec<Step>> = (0..=dice.roll(users)).map(|_| steps(dice, token_life)).collect();
        let span = |steps: &Vec<Step>| steps.iter().map(|step| step.away.as_millis()).sum::<u128>();
        let span = u64::try_from(users.iter().map(span).max().unwrap_or_default()).unwrap().max(60_000);
        let weather = (0..dice.roll(5)).map(|_| weather(dice, span)).collect();
        let kills = (0..dice.roll(4)).map(|_| kill(dice, span)).collect();
        let jumps = if dice.chance(30) { (0..=dice.roll(2)).map(|_| jump(dice, span)).collect() } else { Vec::new() };
        Self {
            seed,
            token_life,
            rate_of_workos: dice.pick(&[0, 0, 10, 30, 60]),
            rate_of_keys: dice.pick(&[0, 0, 0, 30, 60]),
            rate_of_store: dice.pick(&[0, 0, 0, 3, 10, 20]),
            weather,
            kills,
            jumps,
            users,
            strict: dice.chance(30),
        }
    }
}

fn steps(dice: &mut Dice, token_life: u64) -> Vec<Step> {
    (0..4 + dice.roll(8))
        .map(|_| {
            let away = match dice.roll(10) {
                0..=2 => dice.between(1_000, 10_000),
                3 | 4 => dice.between(10_000, 60_000),
                // Back when the token is at its end.
                5..=7 => Duration::from_secs(token_life - 5) + dice.between(0, 10_000),
                _ => dice.between(60_000, 300_000),
            };
            let what = match dice.roll(40) {
                0..=2 => What::Switch(tab(dice), dice.pick(&ORGANIZATIONS)),
                3..=5 => {
                    let others = if dice.chance(60) { tabs(dice) } else { Vec::new() };
                    let patience = dice.pick(&[12, 500]);
                    let hangs_up = dice.chance(30).then(|| dice.between(0, patience));
                    What::SignOut { process: dice.index(PROCESSES), delay: dice.between(0, 2_000), hangs_up, others }
                }
                6 => What::EndedByWorkOs,
                _ => What::Visit(tabs(dice)),
            };
            Step { away, what }
        })
        .collect()
}

fn tabs(dice: &mut Dice) -> Vec<Tab> {
    let number = dice.pick(&[1, 1, 1, 2, 3, 6]);
    (0..number).map(|_| tab(dice)).collect()
}

fn tab(dice: &mut Dice) -> Tab {
    Tab {
        process: dice.index(PROCESSES),
        delay: if dice.chance(50) { Duration::ZERO } else { dice.between(0, 3_000) },
        hangs_up: dice.chance(15).then(|| dice.between(0, 5_000)),
        lost: dice.chance(8),
    }
}

fn weather(dice: &mut Dice, span: u64) -> Weather {
    let place = dice.pick(&[Place::WorkOs, Place::WorkOs, Place::Keys, Place::Store]);
    let process = dice.chance(40).then(|| dice.index(PROCESSES));
    // What cuts off only one process is over before anybody else gives its work up for lost.
    let longest = if place == Place::Store && process.is_some() { 15_000 } else { 240_000 };
    let from = dice.between(0, span);
    let until = from + if dice.chance(60) { dice.between(500, 15_000) } else { dice.between(500, longest) };
    let fault = dice.chance(60).then(|| match place {
        Place::WorkOs | Place::Keys => Fault::of_workos(dice),
        Place::Store => Fault::of_the_store(dice),
    });
    Weather { place, process, from, until, fault }
}

fn kill(dice: &mut Dice, span: u64) -> Kill {
    let point =
        dice.pick(&[Point::Now, Point::Exchanged, Point::Received, Point::Received, Point::Writing, Point::Written]);
    Kill {
        process: dice.index(PROCESSES),
        after: dice.between(0, span),
        point,
        is_cut_off: point == Point::Received && dice.chance(60),
        down: dice.between(100, 20_000),
    }
}

fn jump(dice: &mut Dice, span: u64) -> Jump {
    let seconds = i64::try_from(1 + dice.roll(600)).unwrap();
    Jump {
        process: dice.index(PROCESSES),
        at: dice.between(0, span),
        seconds: if dice.chance(50) { seconds } else { -seconds },
        lasts: dice.between(1_000, 300_000),
    }
}

fn whose(process: Option<usize>) -> String {
    process.map_or_else(|| "all processes".to_owned(), |process| format!("process {process}"))
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "seed {}: tokens live {} s; of a hundred, {} requests, {} for keys and {} of the store go wrong{}",
            self.seed,
            self.token_life,
            self.rate_of_workos,
            self.rate_of_keys,
            self.rate_of_store,
            if self.strict { "; a replay for another organization is refused" } else { "" },
        )?;
        for weather in &self.weather {
            let Weather { place, process, from, until, fault } = weather;
            let fault = fault.map_or_else(|| "all kinds".to_owned(), |fault| format!("{fault:?}"));
            writeln!(out, "  {from:.1?} to {until:.1?}: {fault} at {place:?} for {}", whose(*process))?;
        }
        for Kill { process, after, point, down, is_cut_off } in &self.kills {
            let what = if *is_cut_off { "can't reach the store" } else { "is killed" };
            writeln!(out, "  after {after:.1?}: process {process} {what} at {point:?}, for {down:.1?}")?;
        }
        for Jump { process, at, seconds, lasts } in &self.jumps {
            writeln!(out, "  {at:.1?}: process {process}'s clock is wrong by {seconds} s, for {lasts:.1?}")?;
        }
        for (user, steps) in self.users.iter().enumerate() {
            writeln!(out, "  user {user}:")?;
            for Step { away, what } in steps {
                writeln!(out, "    {away:.1?} later {what:?}")?;
            }
        }
        Ok(())
    }
}
