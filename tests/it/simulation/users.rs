//! Users and their browsers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::layers::{Layer, parts};
use super::schedule::{PROCESSES, Point, Step, Tab, What};
use super::world::{Answer, Kind, Life, Said, World};

/// No answer takes longer, whatever happens.
const ANSWER: Duration = Duration::from_millis(10_500);
/// Nor does a sign-out.
const SIGN_OUT: Duration = Duration::from_secs(60);

/// The processes of an application, which start again when they are killed.
struct Cluster<L: Layer> {
    world: Arc<World>,
    running: Mutex<[Option<Running<L>>; PROCESSES]>,
}

struct Running<L> {
    life: Arc<Life>,
    app: Arc<L>,
}

impl<L> Clone for Running<L> {
    fn clone(&self) -> Self {
        Self { life: Arc::clone(&self.life), app: Arc::clone(&self.app) }
    }
}

impl<L: Layer> Cluster<L> {
    fn start(world: &Arc<World>) -> Arc<Self> {
        let cluster = Arc::new(Self { world: Arc::clone(world), running: Mutex::new([None, None, None]) });
        let shared = Arc::new(L::Shared::default());
        for process in 0..PROCESSES {
            let (cluster, shared) = (Arc::clone(&cluster), Arc::clone(&shared));
            tokio::spawn(async move {
                loop {
                    let world = &cluster.world;
                    let life = world.born(process);
                    let app = Arc::new(L::start(world, &life, &shared));
                    cluster.running.lock().unwrap()[process] = Some(Running { life: Arc::clone(&life), app });
                    life.end().await;
                    cluster.running.lock().unwrap()[process] = None;
                    sleep(world.down(process)).await;
                }
            });
        }
        for kill in &world.schedule.kills {
            if kill.point == Point::Now {
                let (cluster, kill) = (Arc::clone(&cluster), *kill);
                tokio::spawn(async move {
                    sleep(kill.after).await;
                    if let Some(running) = cluster.running(kill.process) {
                        cluster.world.at(Point::Now, &running.life);
                    }
                });
            }
        }
        for jump in world.schedule.jumps.clone() {
            let world = Arc::clone(world);
            tokio::spawn(async move {
                sleep(jump.at).await;
                world.set_clock(jump.process, jump.seconds);
                sleep(jump.lasts).await;
                world.set_clock(jump.process, 0);
            });
        }
        cluster
    }

    fn running(&self, process: usize) -> Option<Running<L>> {
        self.running.lock().unwrap()[process].clone()
    }
}

struct Browser<L: Layer> {
    cluster: Arc<Cluster<L>>,
    user: usize,
    /// The session that it has, and its cookie.
    jar: Arc<Mutex<Option<(usize, String)>>>,
}

impl<L: Layer> Clone for Browser<L> {
    fn clone(&self) -> Self {
        Self { cluster: Arc::clone(&self.cluster), user: self.user, jar: Arc::clone(&self.jar) }
    }
}

impl<L: Layer> Browser<L> {
    fn new(cluster: &Arc<Cluster<L>>, user: usize) -> Self {
        Self { cluster: Arc::clone(cluster), user, jar: Arc::default() }
    }

    fn world(&self) -> &World {
        &self.cluster.world
    }

    fn cookie(&self) -> Option<(usize, String)> {
        self.jar.lock().unwrap().clone()
    }

    async fn steps(self, steps: Vec<Step>) {
        for Step { away, what } in steps {
            sleep(away).await;
            let Some((session, cookie)) = self.signed_in().await else { continue };
            match what {
                What::Visit(tabs) => self.tabs(&tabs).await,
                What::Switch(tab, organization) => self.tab(tab, Some(organization)).await,
                What::EndedByWorkOs => self.world().end(session),
                What::SignOut { process, delay, hangs_up, others } => {
                    let sign_out = async {
                        sleep(delay).await;
                        if let Some(patience) = hangs_up {
                            self.sign_out_and_hang_up(process, patience, session, &cookie).await;
                        } else {
                            self.sign_out(process, session, &cookie).await;
                        }
                    };
                    tokio::join!(self.tabs(&others), sign_out);
                }
            }
        }
    }

    /// Its session, after a login where it has none.
    async fn signed_in(&self) -> Option<(usize, String)> {
        if let Some((session, cookie)) = self.cookie()
            && self.world().goes_on(session)
        {
            return Some((session, cookie));
        }
        *self.jar.lock().unwrap() = None;
        for attempt in self.user..self.user + 300 {
            let Some(running) = self.cluster.running(attempt % PROCESSES) else {
                sleep(Duration::from_secs(1)).await;
                continue;
            };
            let (session, reply) = self.world().login(self.user);
            let signed_in = async {
                tokio::select! {
                    biased;
                    () = running.life.end() => None,
                    cookie = running.app.sign_in(parts(&reply)) => cookie,
                }
            };
            if let Some(cookie) = signed_in.await {
                let mut jar = self.jar.lock().unwrap();
                *jar = Some((session, cookie));
                return jar.clone();
            }
            self.world().sign_out_begins(session);
            sleep(Duration::from_secs(1)).await;
        }
        None
    }

    async fn tabs(&self, tabs: &[Tab]) {
        let mut open = JoinSet::new();
        for tab in tabs.iter().copied() {
            let browser = self.clone();
            open.spawn(async move { browser.tab(tab, None).await });
        }
        while let Some(closed) = open.join_next().await {
            if let Err(error) = closed {
                self.world().violation(error.to_string());
            }
        }
    }

    /// A request to one process.
    async fn tab(&self, tab: Tab, switch_to: Option<&'static str>) {
        sleep(tab.delay).await;
        let Some((session, cookie)) = self.cookie() else { return };
        let limit = tab.hangs_up.unwrap_or(ANSWER);
        match timeout(limit, self.request(tab.process, session, &cookie, switch_to)).await {
            Ok(Some(_)) if tab.lost => self.world().log("that answer is lost"),
            Ok(Some(answer)) => self.take(session, &answer),
            Ok(None) => {}
            Err(_) if tab.hangs_up.is_some() => self.world().log(format!("the browser of session {session} hangs up")),
            Err(_) => self.world().violation(format!("session {session} got no answer within {ANSWER:?}")),
        }
    }

    /// Nothing when the process is down, or is killed meanwhile.
    async fn request(&self, process: usize, session: usize, cookie: &str, switch_to: Option<&str>) -> Option<Answer> {
        let Running { life, app } = self.cluster.running(process)?;
        let call = self.world().call(session, &life, app.generation(cookie));
        let answer = async {
            match switch_to {
                Some(organization) => app.switch(cookie, organization).await,
                None => app.visit(cookie).await,
            }
        };
        let answer = tokio::select! {
            biased;
            () = life.end() => return None,
            answer = answer => answer,
        };
        self.world().judge(&call, &answer);
        Some(answer)
    }

    fn take(&self, session: usize, answer: &Answer) {
        let mut jar = self.jar.lock().unwrap();
        if let Some((held, cookie)) = jar.as_mut()
            && *held == session
        {
            match (&answer.cookie, &answer.said) {
                (Some(new), _) if !new.is_empty() => cookie.clone_from(new),
                (_, Said::SignedOut(_)) => *jar = None,
                _ => {}
            }
        }
    }

    /// A manager goes on with a sign-out that nobody waits for.
    async fn sign_out_and_hang_up(&self, process: usize, patience: Duration, session: usize, cookie: &str) {
        let Some(Running { life, app }) = self.cluster.running(process) else { return };
        let call = self.world().call(session, &life, None);
        self.world().sign_out_begins(session);
        let since = Instant::now();
        let done = tokio::select! {
            biased;
            () = life.end() => false,
            done = timeout(patience, app.sign_out(cookie)) => done.is_ok_and(|done| done.is_some()),
        };
        self.world().log(format!("session {session} signs out, and hangs up"));
        sleep(Duration::from_secs(10)).await;
        if L::KIND == Kind::Manager && (done || self.world().is_unhindered(&life, since)) {
            self.world().signed_out(&call);
        }
        self.haunt(session, cookie).await;
    }

    async fn sign_out(&self, process: usize, session: usize, cookie: &str) {
        let cookie = self.cookie().filter(|(held, _)| *held == session).map_or(cookie.to_owned(), |(_, cookie)| cookie);
        for attempt in process..process + 60 {
            if let Some(Running { life, app }) = self.cluster.running(attempt % PROCESSES) {
                let call = self.world().call(session, &life, app.generation(&cookie));
                self.world().sign_out_begins(session);
                let url = tokio::select! {
                    biased;
                    () = life.end() => None,
                    url = timeout(SIGN_OUT, app.sign_out(&cookie)) => url.ok().flatten(),
                };
                if let Some(url) = url {
                    self.world().log(format!("session {session} signs out"));
                    self.world().signed_out(&call);
                    if url {
                        self.world().end(session);
                    }
                    break;
                }
            }
            sleep(Duration::from_secs(2)).await;
        }
        self.haunt(session, &cookie).await;
    }

    /// Somebody goes on with the cookie of a session that was signed out.
    async fn haunt(&self, session: usize, cookie: &str) {
        for process in 0..PROCESSES {
            let _ = timeout(ANSWER, self.request(process, session, cookie, None)).await;
        }
    }

    /// Each user who should be signed in is, in each process.
    async fn is_well(&self) {
        let Some((session, _)) = self.cookie() else { return };
        for process in 0..PROCESSES {
            let mut active = false;
            for _ in 0..5 {
                let Some((held, cookie)) = self.cookie() else { return };
                if held != session || !self.world().goes_on(session) {
                    return;
                }
                let answer = timeout(ANSWER, self.request(process, session, &cookie, None)).await.ok().flatten();
                active = answer.as_ref().is_some_and(|answer| matches!(answer.said, Said::Active { .. }));
                if let Some(answer) = answer {
                    self.take(session, &answer);
                }
                if active {
                    break;
                }
                sleep(Duration::from_secs(10)).await;
            }
            if !active && self.world().goes_on(session) {
                self.world().violation(format!("session {session} stays unknown in process {process}"));
            }
        }
    }
}

pub(crate) async fn simulate<L: Layer>(world: &Arc<World>) {
    let cluster = Cluster::<L>::start(world);
    let browsers: Vec<_> = (0..world.schedule.users.len()).map(|user| Browser::new(&cluster, user)).collect();
    let mut users = JoinSet::new();
    for (browser, steps) in browsers.iter().zip(&world.schedule.users) {
        users.spawn(browser.clone().steps(steps.clone()));
    }
    while let Some(user) = users.join_next().await {
        if let Err(error) = user {
            world.violation(error.to_string());
        }
    }
    world.calm_down();
    // Those who are down are back by then, and the keys may be fetched again.
    sleep(Duration::from_secs(45)).await;
    for browser in &browsers {
        browser.is_well().await;
    }
    // What was kept is the newest pair.
    sleep(Duration::from_secs(world.schedule.token_life + 1)).await;
    for browser in &browsers {
        browser.is_well().await;
    }
    world.count();
}
