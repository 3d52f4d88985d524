//! A container as a real process tree on this machine.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{launch::Launch, log::InstanceLog};

/// Cloud Run gives a container this long between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// Longest line that is kept whole.
const LINE: u64 = 64 << 10;
/// A container sees nothing of the credentials and the job of the machine it runs on.
const HIDDEN: [&str; 9] = [
    "ACTIONS_",
    "CLOUDSDK_",
    "GCE_",
    "GITHUB_",
    "GOOGLE_",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "LLM_DEPLOY_",
    "INPUT_",
];

/// A process group; dropping it kills what is left of it.
struct Group(u32);

impl Group {
    fn signal(&self, signal: &str) {
        // `kill` of the shell needs no other program and no unsafe code.
        let killed = std::process::Command::new("sh")
            .args([
                "-c",
                "kill -s \"$1\" -- \"-$2\"",
                "sh",
                signal,
                &self.0.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        drop(killed);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal("KILL");
    }
}

/// Starts `serve` with the container's arguments and environment. `exited` learns how it ended; `stop` ends it,
/// which `children` can be waited for.
///
/// # Errors
/// When no process can be started.
pub fn start(
    serve: &str,
    launch: &Launch,
    port: u16,
    log: &InstanceLog,
    stop: CancellationToken,
    exited: watch::Sender<Option<String>>,
    children: &TaskTracker,
) -> std::io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{serve} \"$@\""), "sh"]);
    command.args(launch.args_at(port));
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|n| HIDDEN.iter().any(|h| n.starts_with(h)))
        {
            command.env_remove(&name);
        }
    }
    command.envs(launch.env_at(port));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn()?;
    let group = child.id().map(Group);
    if let Some(out) = child.stdout.take() {
        tokio::spawn(copy(out, log.clone(), "stdout"));
    }
    if let Some(err) = child.stderr.take() {
        tokio::spawn(copy(err, log.clone(), "stderr"));
    }
    children.spawn(watch_over(child, group, stop, exited));
    Ok(())
}

async fn watch_over(
    mut child: Child,
    group: Option<Group>,
    stop: CancellationToken,
    exited: watch::Sender<Option<String>>,
) {
    let text = tokio::select! {
        status = child.wait() => match status {
            Ok(status) => ending(status),
            Err(error) => format!("Container can't be waited for: {error}."),
        },
        () = stop.cancelled() => {
            if let Some(group) = &group {
                group.signal("TERM");
            }
            // What outlives its grace is killed with the group below.
            drop(tokio::time::timeout(GRACE, child.wait()).await);
            "Container terminated on signal 15.".to_owned()
        }
    };
    drop(group);
    exited.send_replace(Some(text));
}

fn ending(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("Container called exit({code})."),
        (None, signal) => format!("Container terminated on signal {}.", signal.unwrap_or(0)),
    }
}

async fn copy(stream: impl AsyncRead + Unpin, log: InstanceLog, name: &'static str) {
    use tokio::io::AsyncReadExt;
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\n', '\r']);
                if !text.is_empty() {
                    log.line(name, text);
                }
            }
        }
    }
}
