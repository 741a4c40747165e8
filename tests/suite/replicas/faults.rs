//! Servers on one PostgreSQL, directly and through a pooler, while all that can fail does, at random: servers are killed,
//! stopped and frozen, so is PostgreSQL, and somebody holds locks. Clients that know nothing of it go on meanwhile, and so
//! do operators. When all is quiet again nothing is lost, nothing is half done, and every sum is right.
//!
//! `ARCHONCTL_TEST_SEED` is what chooses (a run prints its own), `ARCHONCTL_TEST_SECONDS` is for how long.

mod breaking;
mod checks;
mod clients;
mod ledger;
mod operators;
mod weather;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::pooler::Pooler;
use super::{HONOURED, SERVERS, SOON, is_long};
use crate::databases::{Cluster, Database};
use crate::http::{Connection, Mcp};
use crate::process::ServeProcess;
use ledger::Ledger;
use weather::Weather;

/// The cleanup runs in the middle of it.
const ARGUMENTS: [&str; 3] = ["--test-tools", "--cleanup-interval", "5s"];

/// For how long things fail, how many clients call meanwhile, and how long they wait between two calls.
fn measure() -> (Duration, usize, Duration) {
    let seconds = std::env::var("ARCHONCTL_TEST_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let (usual, clients, pause) = if is_long() { (600, 80, 50) } else { (12, 16, 20) };
    (Duration::from_secs(seconds.unwrap_or(usual)), clients, Duration::from_millis(pause))
}

fn seed() -> u64 {
    let given = std::env::var("ARCHONCTL_TEST_SEED").ok();
    given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"))
}

/// Who plays.
struct Scene {
    servers: Vec<Mutex<ServeProcess>>,
    addresses: Vec<String>,
    mcps: Vec<Mcp>,
    /// The way of the servers to their database.
    url: String,
    /// How many sessions are kept alive.
    sessions: usize,
    pause: Duration,
    ledger: Ledger,
    weather: Weather,
    /// Whoever types.
    hand: Mutex<()>,
    /// The clients are to stop.
    is_done: AtomicBool,
    /// How often something was broken, by kind.
    blows: ledger::Counts,
    restarts: AtomicUsize,
    // Last: in this order they end.
    db: Database,
    _pooler: Option<Pooler>,
    cluster: Cluster,
}

impl Scene {
    async fn set(through_pooler: bool) -> Self {
        let cluster = Cluster::start();
        let db = Database::on_postgres(cluster.url());
        let pooler = through_pooler.then(|| Pooler::before(&db));
        let url = pooler.as_ref().map_or_else(|| db.url().to_owned(), |pooler| pooler.url(&db));
        let servers = join_all((0..SERVERS).map(|_| ServeProcess::start_on(&url, &db, &ARGUMENTS))).await;
        let addresses: Vec<_> = servers.iter().map(|server| server.address().to_owned()).collect();
        let (_, clients, pause) = measure();
        Self {
            mcps: addresses.iter().map(|address| Mcp::new(&format!("http://{address}/mcp"))).collect(),
            servers: servers.into_iter().map(Mutex::new).collect(),
            addresses,
            url,
            sessions: clients * 10,
            pause,
            ledger: Ledger::default(),
            weather: Weather::new(),
            hand: Mutex::default(),
            is_done: AtomicBool::new(false),
            blows: ledger::Counts::default(),
            restarts: AtomicUsize::new(0),
            db,
            _pooler: pooler,
            cluster,
        }
    }

    /// Waits until every server says that it is ready.
    async fn until_ready(&self) {
        let deadline = Instant::now() + SOON;
        for address in &self.addresses {
            while !is_ready(address).await.is_ok_and(|is| is) {
                assert!(Instant::now() < deadline, "{address} is not ready {SOON:?} after the last fault");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn is_ready(address: &str) -> std::io::Result<bool> {
    let mut connection = Connection::open(address).await?;
    connection.request("GET /readyz", &[("connection", "close")], "").await?;
    Ok(connection.answer().await?.status == 200)
}

async fn all_goes_on(through_pooler: bool) {
    // Where there is no PostgreSQL for the others, there is none for this one.
    if Database::postgres().is_none() {
        return;
    }
    let (seed, (duration, clients, _)) = (seed(), measure());
    println!("ARCHONCTL_TEST_SEED={seed} ARCHONCTL_TEST_SECONDS={}", duration.as_secs());
    let mut rng = Rng::with_seed(seed);
    let scene = Arc::new(Scene::set(through_pooler).await);
    clients::open_all(&scene, &mut rng).await;

    let mut players: Vec<_> = (0..clients).map(|_| tokio::spawn(clients::play(scene.clone(), rng.fork()))).collect();
    players.push(tokio::spawn(operators::expire(scene.clone(), rng.fork())));
    players.push(tokio::spawn(operators::type_by_hand(scene.clone(), rng.fork())));
    let until = Instant::now() + duration;
    let breakers = [
        tokio::spawn(breaking::servers(scene.clone(), rng.fork(), until)),
        tokio::spawn(breaking::database(scene.clone(), rng.fork(), until)),
        tokio::spawn(breaking::freeze_for_long(scene.clone(), rng.fork(), until)),
    ];
    // All of them first: where one fails, the others put right what they broke.
    let broken = join_all(breakers).await;
    scene.is_done.store(true, Relaxed);
    let played = join_all::<Vec<JoinHandle<()>>>(players).await;
    for outcome in broken.into_iter().chain(played) {
        outcome.expect("somebody who plays");
    }
    scene.until_ready().await;
    scene.ledger.report();
    println!("{} restarts; {}", scene.restarts.load(Relaxed), scene.blows);
    checks::all_is_well(&scene, &mut rng).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_all_goes_on() {
    all_goes_on(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_all_goes_on_behind_a_pooler() {
    all_goes_on(true).await;
}
