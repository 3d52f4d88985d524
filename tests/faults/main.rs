//! Every request of the main job meets every fault that applies, and the job ends as it should.

#![allow(
    clippy::unwrap_used,
    reason = "a test that finds nothing to unwrap has failed"
)]
#![allow(clippy::disallowed_methods, reason = "a test reads its own files")]

mod cases;
mod ends;
mod fields;
mod judge;
mod others;
mod scenario;
mod state;
mod world;

use std::{io::Write, sync::Arc, time::Instant};

use cases::Case;
use judge::{Outcome, Reference};
use llm_deploy::tempo::Tempo;
use llm_deploy_emulator::faults::Fault;
use scenario::Scenario;
use tokio::{sync::Semaphore, task::JoinSet};
use world::{Turn, World};

/// Runs at a time: nearly all of a run is waiting.
const AT_ONCE: usize = 32;
/// Runs at a time when cases are repeated: the machine is never too busy for them.
const REPEATED_AT_ONCE: usize = 2;
/// A minute passes in 6 s: no timeout comes by itself on a busy machine. Where timeouts and deadlines have to pass, it
/// passes sooner.
pub const TEMPO: f64 = 0.1;
const QUICKER: f64 = 0.03;
/// A minute passes in a third of a second: what is false stays false until a deadline ends the wait for it.
const QUICKEST: f64 = 0.006;

/// Set in the process that does the work.
const INSIDE: &str = "FAULTS_INSIDE";

/// In a process of its own, which trusts a single certificate: each client reads those that it trusts, and the
/// machine's hundreds are most of the work of a run that is over in no time.
#[test]
fn every_request_meets_every_fault_and_the_run_ends_as_it_should() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if std::env::var_os(INSIDE).is_some() {
        return runtime.block_on(matrix());
    }
    let settings = llm_deploy_emulator::Settings::default();
    let emulator = runtime
        .block_on(llm_deploy_emulator::Emulator::start(settings))
        .unwrap();
    let environment = emulator.environment();
    let trusted = environment
        .iter()
        .find(|(name, _)| name.ends_with("CA_CERTS_FILE"));
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .env("SSL_CERT_FILE", &trusted.unwrap().1)
        .env_remove("SSL_CERT_DIR")
        .status();
    assert!(status.unwrap().success(), "see above");
}

async fn matrix() {
    let began = Instant::now();
    let full = std::env::var("LLM_DEPLOY_MATRIX").is_ok_and(|matrix| matrix == "full");
    let mut all = Vec::new();
    for scenario in Scenario::ALL {
        let (reference, seen, answers) = Reference::of(scenario, Tempo::new(TEMPO)).await;
        let reference = Arc::new(reference);
        let requests = cases::requests(scenario, &seen);
        let cases = cases::chosen(scenario, &requests, &answers, full);
        all.extend(cases.into_iter().map(|case| (case, Arc::clone(&reference))));
    }
    if let Ok(only) = std::env::var("FAULTS_ONLY") {
        all.retain(|(case, _)| case.to_string().contains(&only));
    }
    // Those that wait for deadlines first, so that the others fill the time.
    all.sort_by_key(|(case, _)| !case.slow);
    let count = all.len();
    if std::env::var_os("FAULTS_LIST").is_some() {
        for (case, _) in &all {
            eprintln!("{case}");
        }
        return;
    }
    let (wrong, unreached, repeated) = run_all(all).await;
    let mut out = std::io::stderr();
    // Straight to standard error: the harness would keep a passing test's words to itself.
    writeln!(
        out,
        "fault matrix: {count} cases (of requests that are polled the first, a middle and the last but one), {} wrong ends, {unreached} in which the request did not come again, {repeated} repeated with more time ({:.0} s)",
        wrong.len(),
        began.elapsed().as_secs_f64()
    )
    .unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(
        repeated * 20 <= count,
        "{repeated} of {count} cases had to be repeated: is something wrong in quick time only?"
    );
    assert!(
        unreached * 20 <= count,
        "{unreached} of {count} cases met no fault"
    );
}

/// Returns what went wrong, how many cases met no fault, and how many were repeated.
///
/// In the quickest time a client's timeout of seconds is over in a tenth of one, and may pass by itself on a busy
/// machine. A quick case that ends wrong is therefore repeated with more time and less beside it. The second end counts.
async fn run_all(all: Vec<(Case, Arc<Reference>)>) -> (Vec<String>, usize, usize) {
    let (mut wrong, mut unreached, mut again) = (Vec::new(), 0, Vec::new());
    for ended in run_at_once(all, AT_ONCE, QUICKER).await {
        match ended {
            (_, _, Outcome::Right) => {}
            (_, _, Outcome::Unreached) => unreached += 1,
            (case, reference, Outcome::Wrong(_)) if case.slow => again.push((case, reference)),
            (case, _, Outcome::Wrong(complaints)) => wrong.push(describe(&case, &complaints)),
        }
    }
    let repeated = again.len();
    for ended in run_at_once(again, REPEATED_AT_ONCE, TEMPO).await {
        match ended {
            (_, _, Outcome::Right) => {}
            (_, _, Outcome::Unreached) => unreached += 1,
            (case, _, Outcome::Wrong(complaints)) => wrong.push(describe(&case, &complaints)),
        }
    }
    wrong.sort();
    (wrong, unreached, repeated)
}

fn describe(case: &Case, complaints: &[String]) -> String {
    format!("{case}\n    {}", complaints.join("\n    "))
}

async fn run_at_once(
    all: Vec<(Case, Arc<Reference>)>,
    at_once: usize,
    quick: f64,
) -> Vec<(Case, Arc<Reference>, Outcome)> {
    let permits = Arc::new(Semaphore::new(at_once));
    let mut running = JoinSet::new();
    for (case, reference) in all {
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let outcome = disturbed(&case, &reference, quick).await;
            (case, reference, outcome)
        });
    }
    running.join_all().await
}

async fn disturbed(case: &Case, reference: &Reference, quick: f64) -> Outcome {
    let tempo = Tempo::new(match case.fault {
        Fault::Altered(_) if quick < TEMPO => QUICKEST,
        _ if case.slow => quick,
        _ => TEMPO,
    });
    let world = World::new(case.scenario).await;
    let before = others::now(&world).await;
    let faults = &world.emulator.emulator.faults;
    faults.add(case.request.rule(case.fault.clone(), case.times));
    let Ok(ended) = tokio::time::timeout(tempo.of(judge::LONGEST), world.run(Turn::First, tempo)).await
    else {
        return Outcome::Wrong(vec![format!("it did not end within {:?}", judge::LONGEST)]);
    };
    let met = match case.fault {
        Fault::Altered(_) => faults.lied(),
        _ => faults.met(),
    };
    faults.clear();
    if met == 0 {
        let lies = matches!(case.fault, Fault::Altered(_));
        return if case.request.nth == 1 && !case.request.live && !lies {
            Outcome::Wrong(vec!["the request never came".to_owned()])
        } else {
            Outcome::Unreached
        };
    }
    let after = state::State::of(&world).await;
    let tempo = Tempo::new(TEMPO);
    let Ok(again) = tokio::time::timeout(tempo.of(judge::RECOVERY), world.run(case.again, tempo)).await
    else {
        return Outcome::Wrong(vec![format!(
            "the next run did not end within {:?}",
            judge::RECOVERY
        )]);
    };
    let finally = state::State::of(&world).await;
    judge::judge(
        case,
        reference,
        &judge::Seen {
            before,
            ended,
            after,
            again,
            finally,
        },
    )
}
