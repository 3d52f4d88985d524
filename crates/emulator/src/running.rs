//! A running emulator, and the files that tell other programs where it is.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use super::{Settings, Shared, schema::Service, server};

/// A running emulator. Dropping it ends the server, every child process and every revision.
pub struct Running {
    pub emulator: Shared,
    pub(super) server: tokio::task::JoinHandle<()>,
    pub(super) trusted: TrustFile,
}

impl Running {
    /// The variables that point clients here: what `--env-file` exports.
    pub fn environment(&self) -> Vec<(String, String)> {
        let base = &self.emulator.base_url;
        let project = &self.emulator.settings.project;
        let tokens = &self.emulator.tokens;
        let mut out = Vec::new();
        let mut add = |name: &str, value: &str| out.push((name.to_owned(), value.to_owned()));
        for service in Service::ALL {
            let prefix = service.prefix();
            let path = match service {
                Service::Storage => "storage/storage/v1".to_owned(),
                _ => prefix.to_owned(),
            };
            let name = format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_{}", prefix.to_uppercase());
            add(&name, &format!("{base}/{path}/"));
        }
        add("CLOUDSDK_CORE_PROJECT", project);
        add("GOOGLE_CLOUD_PROJECT", project);
        add("CLOUDSDK_AUTH_ACCESS_TOKEN", tokens.ready());
        for (name, value) in OFFLINE {
            add(name, value);
        }
        if let Some((_, port)) = base.rsplit_once(':') {
            add("CLOUDSDK_PROXY_PORT", port);
        }
        add(
            "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
            &self.trusted.0.to_string_lossy(),
        );
        add("GITHUB_API_URL", &format!("{base}/github"));
        add("GITHUB_TOKEN", tokens.github());
        add("HF_ENDPOINT", &format!("{base}/hf"));
        add(
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            &format!("{base}/oidc?api-version=2.0"),
        );
        add("ACTIONS_ID_TOKEN_REQUEST_TOKEN", tokens.oidc_request());
        out
    }

    /// Ends everything and waits for the server and for every child process, at most as long as Cloud Run lets a
    /// container take over its end.
    pub async fn stop(mut self) {
        self.emulator.stop.cancel();
        let _ = (&mut self.server).await;
        self.emulator.children.close();
        self.emulator.children.wait().await;
    }
}

/// What gcloud needs so that it asks nobody else: no prompts, surveys, update checks or usage reports; the
/// emulator as its proxy, because its log reader has a fixed host.
const OFFLINE: [(&str, &str); 6] = [
    ("CLOUDSDK_PROXY_TYPE", "http"),
    ("CLOUDSDK_PROXY_ADDRESS", "127.0.0.1"),
    ("CLOUDSDK_CORE_DISABLE_PROMPTS", "true"),
    ("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true"),
    ("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true"),
    ("CLOUDSDK_SURVEY_DISABLE_PROMPTS", "true"),
];

impl Drop for Running {
    fn drop(&mut self) {
        self.emulator.stop.cancel();
    }
}

/// The proxy's certificate in a file, for gcloud to trust; the file goes with the emulator.
pub(super) struct TrustFile(PathBuf);

impl TrustFile {
    pub(super) fn write(pem: &str) -> io::Result<Self> {
        let name = format!("llm-deploy-emulator-{}.pem", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let mut file = std::fs::File::create_new(&path)?;
        file.write_all(pem.as_bytes())?;
        Ok(Self(path))
    }
}

impl Drop for TrustFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Serves until `stop` is cancelled; writes the port (a decimal number) and the environment (`export` lines,
/// readable by the owner only) for other programs, each file complete at the moment it appears.
///
/// # Errors
/// When the port can't be bound or a file can't be written.
pub async fn serve_files(
    settings: Settings,
    port_file: Option<&Path>,
    env_file: Option<&Path>,
    stop: CancellationToken,
) -> io::Result<()> {
    let running = server::start(settings).await?;
    if let Some(path) = env_file {
        write_whole(path, &export_lines(&running.environment())).map_err(|e| unwritten(path, &e))?;
    }
    if let Some(path) = port_file {
        let port = running.emulator.base_url.rsplit(':').next().unwrap_or_default();
        write_whole(path, &format!("{port}\n")).map_err(|e| unwritten(path, &e))?;
    }
    stop.cancelled().await;
    running.stop().await;
    Ok(())
}

fn export_lines(variables: &[(String, String)]) -> String {
    variables
        .iter()
        .map(|(name, value)| format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
        .collect()
}

/// The same error, with the name of the file and what to do.
pub(super) fn unwritten(path: &Path, error: &io::Error) -> io::Error {
    let text = format!(
        "{} can't be written: {error}. Name a file in a folder that is there and can be written to",
        path.display()
    );
    io::Error::new(error.kind(), text)
}

/// Writes beside the file and renames, so that nobody reads half of it.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = Path::new(&beside);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}
