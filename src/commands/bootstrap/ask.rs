//! Questions at the terminal. Never a secret among the arguments.

use std::io::{IsTerminal, Read};

use secrecy::{ExposeSecret, SecretString};

use super::Error;
use crate::{environment::Environment, secrets::Masks};

/// Secret Manager takes no more. <https://cloud.google.com/secret-manager/quotas>
const LARGEST: u64 = 64 << 10;

/// Whether somebody is there to answer.
fn attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Reads on a thread of its own, so that a signal still ends the program.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let failed = |e: std::io::Error| Error::input(format!("{what} could not be read: {e}"));
    let outcome = tokio::task::spawn_blocking(read).await;
    outcome.map_err(|e| failed(e.into()))?.map_err(failed)
}

/// Asks once for all steps.
pub async fn agree(masks: &Masks, project: String, steps: usize) -> Result<bool, Error> {
    if !attended() {
        return Err(Error::input(
            "nothing was done: there is no terminal to ask at. Give `--yes` to do the steps above, or `--dry-run` to see them only",
        ));
    }
    let answer = blocking("the answer", move || {
        let terminal = console::Term::stderr();
        let plural = if steps == 1 { "" } else { "s" };
        terminal.write_str(&format!("Do {steps} step{plural} in project {project}? [y/N] "))?;
        terminal.read_line()
    })
    .await?;
    let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !yes {
        crate::commands::tell(masks, "nothing was done");
    }
    Ok(yes)
}

/// The Hugging Face token: from HF_TOKEN, else typed unseen at the terminal, else standard input.
pub async fn token(environment: &Environment) -> Result<SecretString, Error> {
    let text = match environment.secret("HF_TOKEN") {
        Some(token) => token.clone(),
        None if attended() => typed().await?,
        None => {
            blocking("the token", || {
                let mut text = String::new();
                std::io::stdin().take(LARGEST).read_to_string(&mut text)?;
                Ok(SecretString::from(text))
            })
            .await?
        }
    };
    let token = text.expose_secret().trim();
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Error::input(
            "nothing was done: the Hugging Face token is missing, or holds a character that no token has. Give it in the environment as HF_TOKEN, or on standard input: `llm-deploy bootstrap … < file`",
        ));
    }
    let token = SecretString::from(token);
    environment.masks().add(&token);
    Ok(token)
}

async fn typed() -> Result<SecretString, Error> {
    let _shown_again = ShownAgain;
    blocking("the token", || {
        let terminal = console::Term::stderr();
        terminal.write_str("Hugging Face token (it is not shown): ")?;
        terminal.read_secure_line().map(SecretString::from)
    })
    .await
}

/// A terminal that was left while it hid what is typed would hide everything that follows.
struct ShownAgain;

impl Drop for ShownAgain {
    fn drop(&mut self) {
        let _ = std::process::Command::new("stty").arg("echo").status();
    }
}
