//! Following, in time that stands still until somebody waits.

use std::sync::Mutex;

use tokio::time::{Instant, sleep};

use super::*;
use crate::{pipeline::recorder::Recorder, progress::Silent, report::Stage};

const SECOND: Duration = Duration::from_secs(1);

fn model(service: &str, stage: Option<&str>) -> ModelReport {
    let mut model = Recorder::new(service, "Qwen/Qwen3-4B", true, Arc::new(Silent)).report;
    model.status = Status::Queued;
    if let Some(name) = stage {
        model.status = Status::Running;
        model.stages.push(Stage::at_once(name, Status::Running));
    }
    model
}

/// What was written, and when: seconds since the beginning.
type Log = Arc<Mutex<Vec<(u64, String)>>>;

struct Written {
    log: Log,
    began: Instant,
    takes: Duration,
    gives_up: bool,
}

impl Written {
    fn new(takes: Duration) -> (Self, Log) {
        let log = Log::default();
        let surface = Self {
            log: Arc::clone(&log),
            began: Instant::now(),
            takes,
            gives_up: false,
        };
        (surface, log)
    }
}

impl Surface for Written {
    type Shown = String;

    fn shown(&self, models: &[ModelReport]) -> String {
        let stages: Vec<&str> = models.iter().map(|m| stage(m).unwrap_or("–")).collect();
        stages.join(" ")
    }

    async fn write(&mut self, models: Vec<ModelReport>) -> ControlFlow<()> {
        let at = self.began.elapsed().as_secs();
        self.log.lock().unwrap().push((at, self.shown(&models)));
        sleep(self.takes).await;
        match self.gives_up {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// A run of one model that spends so many seconds in each stage.
async fn run(board: &Board, stages: &[(&str, u32)]) -> Duration {
    let began = Instant::now();
    for (name, seconds) in stages {
        board.publish(model("a", Some(name)));
        sleep(SECOND * *seconds).await;
    }
    began.elapsed()
}

async fn followed(mut surface: Written, stages: &[(&str, u32)]) -> Duration {
    let board = Board::new(vec![model("a", None)]);
    let work = async {
        sleep(SECOND).await;
        run(&board, stages).await
    };
    beside(Tempo::default(), work, |ended| {
        follow(&board, ended, PAUSE, &mut surface)
    })
    .await
}

fn log(log: &Log) -> Vec<(u64, String)> {
    log.lock().unwrap().clone()
}

fn expected(log: &[(u64, &str)]) -> Vec<(u64, String)> {
    log.iter().map(|(at, what)| (*at, (*what).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_word_is_at_once_and_each_stage_follows() {
    let (surface, written) = Written::new(Duration::ZERO);
    followed(surface, &[("build", 100), ("deploy", 100), ("smoke", 10)]).await;
    assert_eq!(
        log(&written),
        expected(&[(0, "–"), (5, "build"), (101, "deploy"), (201, "smoke")])
    );
}

#[tokio::test(start_paused = true)]
async fn stages_that_pass_within_the_pause_are_told_together() {
    let (surface, written) = Written::new(Duration::ZERO);
    followed(
        surface,
        &[("build", 1), ("deploy", 1), ("smoke", 1), ("latency", 60)],
    )
    .await;
    assert_eq!(log(&written), expected(&[(0, "–"), (5, "latency")]));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_while_nothing_changes() {
    let (surface, written) = Written::new(Duration::ZERO);
    followed(surface, &[("build", 3600), ("build", 3600)]).await;
    assert_eq!(log(&written), expected(&[(0, "–"), (5, "build")]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_surface_holds_nothing_up_and_gets_one_request_at_a_time() {
    let (surface, written) = Written::new(SECOND * 60);
    let began = Instant::now();
    let took = followed(surface, &[("build", 10), ("deploy", 10), ("smoke", 70)]).await;
    assert_eq!(took, SECOND * 90, "the run is as long as it is alone");
    assert_eq!(log(&written), expected(&[(0, "–"), (65, "smoke")]));
    // The write that was under way was waited for, but not to its end.
    assert_eq!(began.elapsed(), SECOND * 91 + GRACE);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_nearly_done_is_waited_for() {
    let (surface, _) = Written::new(SECOND * 4);
    let began = Instant::now();
    followed(surface, &[("build", 1)]).await;
    assert_eq!(began.elapsed(), SECOND * 4);
}

#[tokio::test(start_paused = true)]
async fn a_surface_that_gives_up_is_not_written_to_again() {
    let (mut surface, written) = Written::new(Duration::ZERO);
    surface.gives_up = true;
    let took = followed(surface, &[("build", 100), ("deploy", 100)]).await;
    assert_eq!((took, log(&written).len()), (SECOND * 200, 1));
}

#[test]
fn models_stay_in_their_order_and_are_told_apart_by_service() {
    let board = Board::new(vec![model("a", None), model("b", None)]);
    assert_eq!(status(&board.now()), Status::Queued);
    board.publish(model("b", Some("build")));
    board.publish(model("a", Some("deploy")));
    board.publish(model("c", None));
    let now = board.now();
    let stages: Vec<_> = now.iter().map(|m| (m.service.as_str(), stage(m))).collect();
    assert_eq!(stages, [("a", Some("deploy")), ("b", Some("build")), ("c", None)]);
    assert_eq!(status(&now), Status::Running);
}

#[test]
fn who_looks_on_sees_the_stages_to_come_and_nothing_after_the_end() {
    let names = |model: ModelReport| {
        let shown = with_stages_to_come(model).stages;
        let shown = shown
            .iter()
            .map(|stage| format!("{} {:?}", stage.name, stage.status));
        shown.collect::<Vec<_>>().join(", ")
    };
    let all = "plan Queued, build Queued, deploy Queued, smoke Queued, latency Queued";
    assert_eq!(names(model("qwen", None)), all);
    let building = "build Running, deploy Queued, smoke Queued, latency Queued";
    assert_eq!(names(model("qwen", Some("build"))), building);
    assert_eq!(names(model("qwen", Some("traffic"))), "traffic Running");
    let ended = ModelReport {
        status: Status::Failed,
        ..model("qwen", None)
    };
    assert_eq!(names(ended), "");
}
