//! What is true: whose sessions there are, who has which pair, who is dead, and what went wrong that must not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;
use workos_auth::testing::{ManualClock, Skew};

use super::schedule::{Fault, Kill, PROCESSES, Place, Point, Schedule};
use crate::support::dice::Dice;
use crate::support::signer::Signer;

pub(crate) const CLIENT_ID: &str = "client_simulated";
pub(crate) const BASE_URL: &str = "http://127.0.0.1:9";
/// For so long WorkOS answers an exchanged token with the pair that it brought.
pub(crate) const REPLAY: Duration = Duration::from_secs(30);
/// An outage swallows no new pair later than this after it began, and is over so long after it did: nobody could repair one
/// that outlasts the replays.
const SWALLOWING: Duration = Duration::from_secs(8);
/// An outage that has swallowed a new pair lasts no longer than this for callers who may have it replayed.
const OUTAGE: Duration = Duration::from_secs(14);
/// For so long a process that has just got a new pair can't reach the store, longer than WorkOS replays it.
const CUT_OFF: Duration = Duration::from_secs(45);
/// How long before its end a token is replaced.
const AHEAD: Duration = Duration::from_secs(30);
/// How long a process keeps a pair for a browser that has not got it.
const KEPT: Duration = Duration::from_secs(600);
/// How long a process remembers that a cookie's session was signed out.
const REMEMBERED: Duration = Duration::from_secs(30);
/// What a token may be short of because its times are in whole seconds, and a request takes its time.
const ROUNDING: Duration = Duration::from_millis(5_500);

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Manager,
    Cookies,
    Tokens,
}

/// One process from its start to its end.
pub(crate) struct Life {
    pub(crate) process: usize,
    pub(crate) number: usize,
    dead: watch::Sender<bool>,
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        *self.dead.borrow()
    }

    pub(crate) async fn end(&self) {
        let mut dead = self.dead.subscribe();
        drop(dead.wait_for(|dead| *dead).await);
    }

    /// Does what a living process does; what a dead one had begun never goes on.
    pub(crate) async fn live<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            () = self.end() => std::future::pending().await,
            done = work => done,
        }
    }
}

pub(crate) struct World {
    pub(crate) schedule: Schedule,
    pub(crate) kind: Kind,
    start: Instant,
    epoch: Timestamp,
    pub(crate) clocks: [ManualClock; PROCESSES],
    signer: &'static Signer,
    state: Mutex<State>,
}

struct State {
    /// How often each process has done what.
    occasions: HashMap<String, u64>,
    log: Vec<String>,
    violations: Vec<String>,
    /// Nothing goes wrong any more.
    calm: bool,
    sessions: Vec<Session>,
    /// Session and generation of each access token.
    access: HashMap<String, (usize, usize)>,
    kills: Vec<Kill>,
    lives: Vec<Arc<Life>>,
    /// When which life ended.
    deaths: BTreeMap<usize, Instant>,
    down: [Duration; PROCESSES],
    /// Until when a process can't reach the store.
    cut_off: [Option<Instant>; PROCESSES],
    /// When which process was hit by a fault.
    hits: Vec<(usize, Instant)>,
    calls: Vec<Call>,
    /// When which process's clock was set.
    set: Vec<(usize, Instant, i64)>,
}

impl State {
    /// What a process's time of day was wrong by, and since when.
    fn wrong(&self, process: usize, then: Instant) -> Option<(Instant, i64)> {
        let mut set = self.set.iter().filter(|(whose, at, _)| *whose == process && *at <= then);
        set.next_back().map(|(_, at, by)| (*at, *by))
    }

    fn is_right(&self, process: usize, then: Instant) -> bool {
        self.wrong(process, then).is_none_or(|(_, by)| by == 0)
    }
}

struct Session {
    user: usize,
    ended: bool,
    sign_out_began: bool,
    signed_out: Option<Instant>,
    /// Lost in a way that can't be helped.
    lost: bool,
    pairs: Vec<Pair>,
    /// Too late for a replay, or for another organization: which generation, and when.
    refused: Vec<(usize, Instant)>,
    /// The newest generation that anybody was given.
    handed: usize,
    /// The newest that each process gave.
    handed_by: BTreeMap<usize, usize>,
    /// The newest generation that a store of tokens was given.
    written: usize,
    /// Where it was signed out, with which generation in the cookie.
    signed_out_at: Vec<(usize, Option<usize>, Instant)>,
}

/// A pair of tokens; its refresh token's name says session and generation.
struct Pair {
    organization: Option<String>,
    access_token: String,
    issued: Instant,
    by: usize,
    switch: bool,
    exchanged: Option<Instant>,
    /// What it was exchanged for.
    wanted: Option<String>,
    /// Whom WorkOS has sent it.
    served: BTreeSet<usize>,
    /// Whom it has reached, and when.
    delivered: BTreeMap<usize, Instant>,
    /// Who asks for its successor at the moment, and since when who did.
    asking: BTreeSet<usize>,
    asked: BTreeMap<usize, Instant>,
    /// Since when a process can't know whether it was exchanged.
    in_doubt: BTreeMap<usize, Instant>,
}

impl Pair {
    /// Whether what this fault does can be repaired.
    fn may_be_hit_by(&mut self, fault: Fault, life: usize) -> bool {
        let doubt = self.in_doubt.get(&life).map_or(Duration::ZERO, Instant::elapsed);
        let repairable = match self.exchanged {
            Some(at) => at.elapsed() < SWALLOWING && doubt < OUTAGE,
            None => !fault.swallows() || doubt < SWALLOWING,
        };
        if repairable && fault.is_ambiguous() {
            self.in_doubt.entry(life).or_insert_with(Instant::now);
        }
        repairable
    }
}

/// A request of a browser, as it began.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) session: usize,
    pub(crate) life: usize,
    pub(crate) process: usize,
    started: Instant,
    /// The newest generation that was handed out before.
    floor: usize,
    /// The generation in the cookie.
    presented: Option<usize>,
}

#[derive(Debug)]
pub(crate) enum Said {
    Active { access_token: String, organization: Option<String>, wanted: Option<String> },
    SignedOut(String),
    Unknown(String),
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) said: Said,
    /// A new cookie, or an empty one that clears.
    pub(crate) cookie: Option<String>,
    /// The generation in it.
    pub(crate) generation: Option<usize>,
}

pub(crate) enum Exchange {
    Pair(String),
    Refused,
}

fn refresh_token(session: usize, generation: usize) -> String {
    format!("refresh-{session}-{generation}")
}

/// Session and generation of a refresh token.
pub(crate) fn named(token: &str) -> Option<(usize, usize)> {
    let (session, generation) = token.strip_prefix("refresh-")?.split_once('-')?;
    Some((session.parse().ok()?, generation.parse().ok()?))
}

impl World {
    pub(crate) fn new(kind: Kind, schedule: Schedule, signer: &'static Signer) -> Arc<Self> {
        let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let state = State {
            occasions: HashMap::new(),
            log: Vec::new(),
            violations: Vec::new(),
            calm: false,
            sessions: Vec::new(),
            access: HashMap::new(),
            kills: schedule.kills.clone(),
            lives: Vec::new(),
            deaths: BTreeMap::new(),
            down: [Duration::ZERO; PROCESSES],
            cut_off: [None; PROCESSES],
            hits: Vec::new(),
            calls: Vec::new(),
            set: Vec::new(),
        };
        let clocks = std::array::from_fn(|_| ManualClock::ticking(epoch.into()));
        Arc::new(Self { schedule, kind, start: Instant::now(), epoch, clocks, signer, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn log(&self, what: impl AsRef<str>) {
        let line = format!("{:>9.3} {}", self.now().as_secs_f64(), what.as_ref());
        self.state().log.push(line);
    }

    pub(crate) fn violation(&self, what: impl AsRef<str>) {
        self.log(format!("!!!! {}", what.as_ref()));
        self.state().violations.push(what.as_ref().to_owned());
    }

    /// What must not have happened, with the schedule and all that did.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let state = self.state();
        if state.violations.is_empty() {
            return Ok(());
        }
        let mut report = format!("{:?}, {}", self.kind, self.schedule);
        for line in &state.log {
            writeln!(report, "{line}").unwrap();
        }
        for violation in &state.violations {
            writeln!(report, "VIOLATED: {violation}").unwrap();
        }
        Err(report)
    }

    /// The dice for what a process does, which may be the same thing as before.
    pub(crate) fn luck(&self, life: &Life, what: &str) -> Dice {
        let occasion = format!("{} {what}", life.number);
        let mut state = self.state();
        let times = state.occasions.entry(occasion.clone()).or_default();
        *times += 1;
        Dice::of(self.schedule.seed, &format!("{occasion} {times}"))
    }

    // Processes.

    pub(crate) fn born(&self, process: usize) -> Arc<Life> {
        let number = {
            let mut state = self.state();
            let number = state.lives.len();
            state.lives.push(Arc::new(Life { process, number, dead: watch::Sender::new(false) }));
            number
        };
        self.log(format!("process {process} starts (life {number})"));
        Arc::clone(&self.state().lives[number])
    }

    fn kill(&self, life: &Life, down: Duration, why: &str) {
        if !life.is_over() {
            self.log(format!("process {} is killed ({why})", life.process));
            let mut state = self.state();
            state.down[life.process] = down;
            state.deaths.insert(life.number, Instant::now());
            drop(state);
            life.dead.send_replace(true);
        }
    }

    pub(crate) fn down(&self, process: usize) -> Duration {
        self.state().down[process]
    }

    /// Kills a process if that is what comes at this point; says whether it is dead.
    pub(crate) fn at(&self, point: Point, life: &Life) -> bool {
        let now = self.now();
        let due = {
            let mut state = self.state();
            let hindered = state.hits.iter().any(|(process, at)| *process == life.process && at.elapsed() < REPLAY);
            let due = |kill: &Kill| {
                let fits = kill.process == life.process && kill.point == point && kill.after <= now;
                // Of a renewal that took its time, others may give the pair up for lost.
                fits && !(kill.is_cut_off && hindered)
            };
            let due = if state.calm || life.is_over() { None } else { state.kills.iter().position(due) };
            due.map(|index| state.kills.remove(index))
        };
        match due {
            Some(kill) if kill.is_cut_off => {
                self.log(format!("process {} can't reach the store", life.process));
                self.state().cut_off[life.process] = Some(Instant::now() + CUT_OFF);
            }
            Some(kill) => self.kill(life, kill.down, &format!("{point:?}")),
            None => {}
        }
        life.is_over()
    }

    pub(crate) fn set_clock(&self, process: usize, seconds: i64) {
        if self.state().calm {
            return;
        }
        self.log(format!("process {process}'s clock is wrong by {seconds} s"));
        let by = Duration::from_secs(seconds.unsigned_abs());
        self.clocks[process].set_skew(if seconds < 0 { Skew::Behind(by) } else { Skew::Ahead(by) });
        self.state().set.push((process, Instant::now(), seconds));
    }

    pub(crate) fn calm_down(&self) {
        self.log("nothing goes wrong any more");
        self.state().calm = true;
        for (process, clock) in self.clocks.iter().enumerate() {
            clock.set_skew(Skew::NONE);
            self.state().set.push((process, Instant::now(), 0));
        }
    }

    // Faults.

    /// The fault that hits this request, if one does.
    pub(crate) fn fault(&self, place: Place, life: &Life, token: Option<&str>, dice: &mut Dice) -> Option<Fault> {
        let now = self.now();
        let mut state = self.state();
        let state = &mut *state;
        if state.calm {
            return None;
        }
        let rate = match place {
            Place::WorkOs => self.schedule.rate_of_workos,
            Place::Keys => self.schedule.rate_of_keys,
            Place::Store => self.schedule.rate_of_store,
        };
        let weather = self.schedule.weather.iter().find(|weather| {
            weather.place == place
                && weather.process.is_none_or(|process| process == life.process)
                && (weather.from..weather.until).contains(&now)
        });
        if place == Place::Store && state.cut_off[life.process].is_some_and(|until| Instant::now() < until) {
            state.hits.push((life.process, Instant::now()));
            return Some(Fault::LostBefore);
        }
        let drawn = match place {
            Place::WorkOs | Place::Keys => Fault::of_workos(dice),
            Place::Store => Fault::of_the_store(dice),
        };
        let struck = dice.chance(rate);
        let fault = match weather {
            Some(weather) => Some(weather.fault.unwrap_or(drawn)),
            None if struck => Some(drawn),
            None => None,
        }?;
        if let Some((session, generation)) = token.and_then(named)
            && let Some(pair) = state.sessions[session].pairs.get_mut(generation)
            && !pair.may_be_hit_by(fault, life.number)
        {
            return None;
        }
        state.hits.push((life.process, Instant::now()));
        Some(fault)
    }

    // WorkOS.

    /// A login; the parts of its session as the API writes them.
    pub(crate) fn login(&self, user: usize) -> (usize, String) {
        let session = {
            let mut state = self.state();
            state.sessions.push(Session {
                user,
                ended: false,
                sign_out_began: false,
                signed_out: None,
                lost: false,
                pairs: Vec::new(),
                refused: Vec::new(),
                handed: 0,
                handed_by: BTreeMap::new(),
                written: 0,
                signed_out_at: Vec::new(),
            });
            state.sessions.len() - 1
        };
        self.issue(session, None, usize::MAX, false);
        self.log(format!("user {user} logs in: session {session}"));
        (session, self.reply(session, 0))
    }

    fn issue(&self, session: usize, organization: Option<String>, by: usize, switch: bool) {
        let mut state = self.state();
        let generation = state.sessions[session].pairs.len();
        let issued = self.epoch.checked_add(self.now()).unwrap().as_second();
        let mut claims = json!({
            "iss": BASE_URL, "client_id": CLIENT_ID, "sub": format!("user_{}", state.sessions[session].user),
            "sid": format!("session_{session}"), "jti": format!("{session}-{generation}"),
            "iat": issued, "exp": issued + i64::try_from(self.schedule.token_life).unwrap(),
        });
        if let Some(organization) = &organization {
            claims["org_id"] = json!(organization);
        }
        let access_token = super::exposed(&self.signer.sign(&claims));
        state.access.insert(access_token.clone(), (session, generation));
        state.sessions[session].pairs.push(Pair {
            organization,
            access_token,
            issued: Instant::now(),
            by,
            switch,
            exchanged: None,
            wanted: None,
            served: BTreeSet::new(),
            delivered: BTreeMap::new(),
            asking: BTreeSet::new(),
            asked: BTreeMap::new(),
            in_doubt: BTreeMap::new(),
        });
    }

    fn reply(&self, session: usize, generation: usize) -> String {
        let state = self.state();
        let user = state.sessions[session].user;
        let pair = &state.sessions[session].pairs[generation];
        json!({
            "user": {
                "object": "user", "id": format!("user_{user}"), "email": format!("{user}@example.com"),
                "email_verified": true, "created_at": "2026-01-01T00:00:00.000Z",
                "updated_at": "2026-01-01T00:00:00.000Z",
            },
            "organization_id": pair.organization,
            "access_token": pair.access_token,
            "refresh_token": refresh_token(session, generation),
        })
        .to_string()
    }

    /// The one exchange that a refresh token is good for, and its replays.
    pub(crate) fn exchange(&self, life: &Life, token: &str, organization: Option<String>) -> Exchange {
        let Some((session, generation)) = named(token) else { return Exchange::Refused };
        let now = Instant::now();
        let (refused, exchanged) = {
            let mut state = self.state();
            let known = &mut state.sessions[session];
            let Pair { exchanged, wanted, .. } = &known.pairs[generation];
            let exchanged = *exchanged;
            let other = self.schedule.strict && *wanted != organization;
            let late = exchanged.is_some_and(|at| at.elapsed() >= REPLAY || other);
            if late && !known.ended {
                known.refused.push((generation, now));
            }
            (late || known.ended, exchanged)
        };
        if refused {
            self.log(format!("WorkOS refuses {token} of life {}", life.number));
            return Exchange::Refused;
        }
        if exchanged.is_none() {
            let before = {
                let mut state = self.state();
                let pair = &mut state.sessions[session].pairs[generation];
                pair.exchanged = Some(now);
                pair.wanted.clone_from(&organization);
                pair.organization.clone()
            };
            let switch = organization.is_some();
            self.issue(session, organization.or(before), life.number, switch);
            self.log(format!("WorkOS exchanges {token} of life {}", life.number));
        } else {
            self.log(format!("WorkOS replays {token} to life {}", life.number));
        }
        self.state().sessions[session].pairs[generation + 1].served.insert(life.number);
        Exchange::Pair(self.reply(session, generation + 1))
    }

    /// Somebody asks for a successor of this token. A process does so once at a time, and no more when it has it.
    pub(crate) fn asks(&self, life: &Life, token: &str) -> Asking<'_> {
        let (mut asked, mut problem) = (None, None);
        if let Some((session, generation)) = named(token) {
            let mut state = self.state();
            let known = &mut state.sessions[session];
            known.pairs[generation].asked.entry(life.number).or_insert_with(Instant::now);
            let had = known.pairs.get(generation + 1).and_then(|pair| pair.delivered.get(&life.number));
            let again = had.is_some_and(|at| self.kind == Kind::Manager || at.elapsed() < KEPT);
            let twice = !known.pairs[generation].asking.insert(life.number);
            // What comes after a sign-out is discarded. Of command lines, each process has the newest pair replayed.
            if !(known.ended || known.sign_out_began || self.kind == Kind::Tokens) {
                problem = match (again, twice) {
                    (true, _) => Some("has it"),
                    (false, true) => Some("is asking for it"),
                    (false, false) => None,
                };
            }
            asked = (!twice).then_some((session, generation));
        }
        if let Some(problem) = problem {
            self.violation(format!("life {} asks for what {token} brings, and {problem}", life.number));
        }
        Asking { world: self, asked, life: life.number }
    }

    /// A pair has reached the process that asked.
    pub(crate) fn delivered(&self, life: &Life, token: &str) {
        if let Some((session, generation)) = named(token) {
            self.log(format!("life {} gets what {token} brought", life.number));
            let mut state = self.state();
            let delivered = &mut state.sessions[session].pairs[generation + 1].delivered;
            delivered.entry(life.number).or_insert_with(Instant::now);
        }
    }

    pub(crate) fn end(&self, session: usize) {
        self.log(format!("WorkOS ends session {session}"));
        self.state().sessions[session].ended = true;
    }

    pub(crate) fn jwks(&self) -> String {
        json!({ "keys": [self.signer.jwk()] }).to_string()
    }

    // Stores.

    /// A store of tokens is given one.
    pub(crate) fn writes(&self, token: &str) {
        let Some((session, generation)) = named(token) else { return };
        let newest = {
            let mut state = self.state();
            let written = &mut state.sessions[session].written;
            std::mem::replace(written, generation.max(*written))
        };
        if generation < newest {
            self.violation(format!("the store of session {session} falls from {newest} back to {generation}"));
        }
    }

    // Users.

    /// Whether the session still is what its user has.
    pub(crate) fn goes_on(&self, session: usize) -> bool {
        let state = self.state();
        let session = &state.sessions[session];
        !(session.ended || session.lost || session.sign_out_began)
    }

    pub(crate) fn call(&self, session: usize, life: &Life, presented: Option<usize>) -> Call {
        let mut state = self.state();
        let known = &state.sessions[session];
        let by_this = known.handed_by.get(&life.number).copied().unwrap_or_default();
        let call = Call {
            session,
            life: life.number,
            process: life.process,
            started: Instant::now(),
            floor: if self.kind == Kind::Manager { known.handed } else { by_this },
            presented,
        };
        state.calls.push(call.clone());
        call
    }

    /// Whether nothing has hindered a process since.
    pub(crate) fn is_unhindered(&self, life: &Life, since: Instant) -> bool {
        !life.is_over() && !self.state().hits.iter().any(|(process, at)| *process == life.process && *at >= since)
    }

    pub(crate) fn sign_out_begins(&self, session: usize) {
        self.state().sessions[session].sign_out_began = true;
    }

    pub(crate) fn signed_out(&self, call: &Call) {
        let mut state = self.state();
        let session = &mut state.sessions[call.session];
        session.signed_out = Some(Instant::now());
        session.signed_out_at.push((call.life, call.presented, Instant::now()));
    }

    /// Judges an answer; `handed` says whether it reaches the browser or at least leaves the process.
    pub(crate) fn judge(&self, call: &Call, answer: &Answer) {
        let session = call.session;
        let cookie = match (&answer.cookie, answer.generation) {
            (Some(_), Some(generation)) => format!(", with pair {generation} in a cookie"),
            (Some(_), None) => ", and clears the cookie".to_owned(),
            (None, _) => String::new(),
        };
        let said = match &answer.said {
            Said::Active { .. } => "active".to_owned(),
            Said::SignedOut(why) => format!("signed out, {why}"),
            Said::Unknown(why) => format!("unknown, {why}"),
        };
        self.log(format!("session {session} at life {}: {said}{cookie}", call.life));
        match &answer.said {
            Said::Active { access_token, organization, wanted } => {
                self.judge_active(call, access_token, organization.as_ref());
                if wanted.is_some() && wanted != organization {
                    self.violation(format!("session {session} was to be in {wanted:?}, and is in {organization:?}"));
                }
            }
            Said::SignedOut(why) => self.judge_signed_out(call, why),
            Said::Unknown(_) => {}
        }
        if let (Kind::Cookies, Some(generation)) = (self.kind, answer.generation) {
            self.judge_cookie(call, generation);
        }
    }

    fn judge_active(&self, call: &Call, access_token: &str, organization: Option<&String>) {
        let session = call.session;
        let known = self.state().access.get(access_token).copied();
        let Some((whose, generation)) = known.filter(|(whose, _)| *whose == session) else {
            return self.violation(format!("session {session} is given another's token, {known:?}"));
        };
        if self.state().sessions[whose].pairs[generation].organization.as_ref() != organization {
            self.violation(format!("session {session} has a token of another organization"));
        }
        let signed_out = self.state().sessions[session].signed_out;
        if self.kind != Kind::Cookies && signed_out.is_some_and(|at| at < call.started) {
            self.violation(format!("session {session} was signed out, and is back"));
        }
        if self.kind != Kind::Cookies {
            self.hands(call, generation);
        }
    }

    fn hands(&self, call: &Call, generation: usize) {
        {
            let mut state = self.state();
            let session = &mut state.sessions[call.session];
            session.handed = session.handed.max(generation);
            let newest = session.handed_by.entry(call.life).or_default();
            *newest = generation.max(*newest);
        }
        if generation < call.floor {
            self.violation(format!(
                "session {}: pair {generation} is handed out after pair {}",
                call.session, call.floor
            ));
        }
    }

    fn judge_cookie(&self, call: &Call, generation: usize) {
        let back = {
            let state = self.state();
            let session = &state.sessions[call.session];
            let received = session.pairs[generation].delivered.get(&call.life);
            session.signed_out_at.iter().any(|(life, presented, at)| {
                let same = *life == call.life && *presented == call.presented;
                let began_later = call.started > *at && at.elapsed() < REMEMBERED;
                let came_later = call.started <= *at && received.is_some_and(|received| received > at);
                same && (began_later || came_later)
            })
        };
        if back {
            self.violation(format!("session {} was signed out here, and gets a new pair", call.session));
        }
        self.hands(call, generation);
    }

    fn judge_signed_out(&self, call: &Call, why: &str) {
        let session = call.session;
        if !self.goes_on(session) {
            return;
        }
        let blame = match self.kind {
            Kind::Manager | Kind::Tokens => self.blame_of_a_shared_store(call),
            Kind::Cookies => self.blame_of_a_cookie(call),
        };
        match blame {
            None => {
                self.log(format!("session {session} is lost, and that can't be helped"));
                self.state().sessions[session].lost = true;
            }
            Some(blame) => {
                self.state().sessions[session].lost = true;
                self.violation(format!("session {session} is signed out ({why}): {blame}"));
            }
        }
    }

    /// The only way to lose a session of a store: the process that had the new pair, or was sent it, was killed before it was written,
    /// and nobody else was asked in time.
    fn blame_of_a_shared_store(&self, call: &Call) -> Option<String> {
        let state = self.state();
        let session = &state.sessions[call.session];
        let Some((generation, _)) = session.refused.last().copied() else {
            return Some("WorkOS has refused nothing".to_owned());
        };
        let successor = &session.pairs[generation + 1];
        let holders: BTreeSet<usize> = successor.served.iter().chain(successor.delivered.keys()).copied().collect();
        if let Some(alive) = holders.iter().find(|life| !state.lives[**life].is_over()) {
            let has = if successor.delivered.contains_key(alive) { "has" } else { "was sent" };
            return Some(format!("life {alive} {has} the new pair"));
        }
        // Others see no reason to ask when their token is good still: after a switch, or a refresh by a clock that is ahead.
        let early = successor.switch || !state.ahead(successor.by, successor.issued).is_zero();
        if self.kind == Kind::Tokens || holders.len() > 1 || early {
            return None;
        }
        let exchanged = session.pairs[generation].exchanged?;
        let until = exchanged + REPLAY;
        let died = *state.deaths.get(holders.first()?)?;
        let rescuer = state.calls.iter().find(|other| {
            let alive = !state.lives[other.life].is_over();
            let in_time = other.started >= died && other.started < exchanged + Duration::from_secs(15);
            let hit = state.hits.iter().any(|(process, at)| *process == other.process && (died..until).contains(at));
            let right = state.is_right(other.process, other.started) && state.is_right(other.process, until);
            other.session == call.session && alive && in_time && !hit && right
        })?;
        Some(format!("life {} was asked in time, and has not got the pair", rescuer.life))
    }

    /// The ways to lose a cookie's session: the browser has missed the answer to a refresh for longer than the process keeps it,
    /// or goes to another process when WorkOS repeats it no more.
    fn blame_of_a_cookie(&self, call: &Call) -> Option<String> {
        let state = self.state();
        let session = &state.sessions[call.session];
        let Some(mut generation) = call.presented else { return Some("it brought a cookie".to_owned()) };
        // The process goes on from the pairs that it has.
        let has = |generation: usize| {
            let pair = session.pairs.get(generation)?;
            pair.delivered.get(&call.life).filter(|at| at.elapsed() < KEPT)
        };
        while has(generation + 1).is_some() {
            generation += 1;
        }
        let Pair { exchanged: Some(exchanged), .. } = session.pairs[generation] else {
            return Some("its newest pair is good".to_owned());
        };
        let successor = &session.pairs[generation + 1];
        if successor.delivered.contains_key(&call.life) {
            return None;
        }
        if successor.served.contains(&call.life) {
            return Some(format!("life {} was sent the new pair, and has not asked for it again", call.life));
        }
        let hit = |(process, at): &(usize, Instant)| *process == call.process && *at >= call.started;
        let in_time = call.started < exchanged + Duration::from_secs(25) && !self.schedule.strict;
        (in_time && !state.hits.iter().any(hit)).then(|| "WorkOS would have repeated it".to_owned())
    }

    /// No pair is replaced before its time. By a clock that is ahead, the time comes sooner for those that outlive the
    /// difference, and each process may take one that it has not got itself, or has got before its clock was set forward, for
    /// expired.
    pub(crate) fn count(&self) {
        let problems = self.state().replaced_too_soon(self.kind, self.schedule.token_life);
        for problem in problems {
            self.violation(problem);
        }
    }
}

impl State {
    fn replaced_too_soon(&self, kind: Kind, token_life: u64) -> Vec<String> {
        let life = Duration::from_secs(token_life);
        let short = AHEAD.min(life / 4) + ROUNDING;
        let mut problems = Vec::new();
        for (number, session) in self.sessions.iter().enumerate() {
            for (generation, pair) in session.pairs.iter().enumerate().skip(1).filter(|(_, pair)| !pair.switch) {
                let ahead = self.ahead(pair.by, pair.issued);
                let least = if ahead < life { life.saturating_sub(ahead + short) } else { life.saturating_sub(short) };
                let asked = session.pairs[generation - 1].asked.get(&pair.by).copied().unwrap_or(pair.issued);
                let has = |before: &&Pair| before.delivered.get(&pair.by).is_some_and(|at| *at < asked);
                let mut before = session.pairs[..generation].iter().rev();
                let replaced = match kind {
                    // Each process has pairs of its own.
                    Kind::Tokens => before.find(|before| before.by == pair.by && has(before)),
                    // Processes that share a store or a cookie go by the newest.
                    Kind::Manager | Kind::Cookies => before.next().filter(|before| has(before) || ahead.is_zero()),
                };
                // To a process, a time of day that was set forward is the same as a sleep, which makes its pairs older.
                let slept = replaced.map_or(Duration::ZERO, |replaced| {
                    let got = replaced.delivered.get(&pair.by).copied().unwrap_or(replaced.issued);
                    let was_ahead = self.wrong(self.lives[pair.by].process, got).map_or(0, |(_, by)| by);
                    Duration::from_secs(ahead.as_secs().saturating_add_signed(-was_ahead))
                });
                let least = if ahead < life { least } else { least.saturating_sub(slept) };
                if let Some(replaced) = replaced
                    && pair.issued.duration_since(replaced.issued) < least
                {
                    let passed = pair.issued.duration_since(replaced.issued);
                    let by = pair.by;
                    problems.push(format!("session {number}: pair {generation} came after {passed:.1?} (life {by})"));
                }
            }
        }
        problems
    }

    /// How far a process's clock was ahead when it began what came to pass now.
    fn ahead(&self, life: usize, now: Instant) -> Duration {
        let process = self.lives[life].process;
        let wrong = [now, now - Duration::from_secs(12)].map(|then| self.wrong(process, then).map_or(0, |(_, by)| by));
        Duration::from_secs(wrong.into_iter().max().and_then(|by| by.try_into().ok()).unwrap_or_default())
    }
}

/// A request that is under way.
pub(crate) struct Asking<'a> {
    world: &'a World,
    asked: Option<(usize, usize)>,
    life: usize,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some((session, generation)) = self.asked
            && let Ok(mut state) = self.world.state.lock()
        {
            state.sessions[session].pairs[generation].asking.remove(&self.life);
        }
    }
}
