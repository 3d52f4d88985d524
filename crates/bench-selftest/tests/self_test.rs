//! The self-test through its program, and the server that it measures.

#![allow(clippy::disallowed_methods, reason = "a test reads its own files")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that finds nothing to unwrap has failed"
)]

use std::{
    net::TcpStream,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_bench-selftest");

fn self_test(folder: &Path, arguments: &[&str]) -> (Output, Value) {
    let output = Command::new(BINARY)
        .args(["--json", "out.json"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    // On a busy machine the errors may be beyond the bounds, which is exit code 1.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    let json = std::fs::read(folder.join("out.json")).unwrap();
    (output, serde_json::from_slice(&json).unwrap())
}

#[test]
fn every_measured_time_is_held_against_what_the_server_sent() {
    let folder = tempfile::tempdir().unwrap();
    let timing = ["--ttft-ms", "5", "--gap-ms", "2", "--spread-ms", "1"];
    let size = ["--streams", "1,4", "--rounds", "3", "--tokens", "5"];
    let (output, test) = self_test(folder.path(), &[&size[..], &timing].concat());
    let levels = test["levels"].as_array().unwrap();
    assert_eq!(levels.len(), 2);
    for (level, streams) in levels.iter().zip([1, 4]) {
        assert_eq!(level["streams"], streams);
        assert_eq!(
            (&level["compared"], &level["failed"]),
            (&(streams * 3).into(), &0.into())
        );
        assert_eq!(level["output_tokens"], streams * 15);
        assert_eq!(level["ttft"]["count"], streams * 3);
        assert_eq!(level["itl"]["count"], streams * 12);
        // The client's stamps lie outside the server's.
        assert!(level["ttft"]["mean"].as_f64().unwrap() >= 0.0, "{level}");
        for figure in [&level["ttft"], &level["itl"]] {
            let [p50, p99, max] = ["p50", "p99", "max"].map(|name| figure[name].as_f64().unwrap());
            assert!(0.0 <= p50 && p50 <= p99 && p99 <= max, "{figure}");
        }
        assert!(level["cpu_ms_per_1000_tokens"].as_f64().unwrap() > 0.0);
        assert!(level["peak_memory"].as_u64().unwrap() > 1 << 20);
    }
    let beyond = levels.iter().any(|level| level["verdict"] == "beyond");
    assert_eq!(output.status.code(), Some(i32::from(beyond)));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("streams") && table.contains("Bounds up to 256"),
        "{table}"
    );
}

#[test]
fn the_soak_counts_its_requests_and_watches_its_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (_, soak) = self_test(folder.path(), &["--soak", "300"]);
    assert_eq!((&soak["requests"], &soak["errors"]), (&300.into(), &0.into()));
    let memory = soak["peak_memory"].as_array().unwrap();
    let marks: Vec<&Value> = memory.iter().map(|mark| &mark[0]).collect();
    assert_eq!(marks, [10, 50, 100]);
    assert!(memory.iter().all(|mark| mark[1].as_u64().unwrap() > 1 << 20));
}

#[test]
fn the_known_timing_server_ends_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("port");
    let script = format!("{BINARY} serve --port-file {} & wait", file.display());
    let mut parent = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let port: u16 = until("it listens", || std::fs::read_to_string(&file).ok()?.parse().ok());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("it has ended", || TcpStream::connect(("127.0.0.1", port)).err());
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
