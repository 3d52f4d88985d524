//! Parse, dispatch, exit code.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use llm_deploy::{
    cli::{Cli, Command},
    commands::{self, Error, INTERRUPTED},
    environment::Environment,
    signal, ui,
};

/// Time to cancel builds and to tell of the interruption in the report and on GitHub. GitHub's runner sends SIGINT,
/// after 7.5 s SIGTERM, and kills 2.5 s later.
const LAST_WORDS: Duration = Duration::from_secs(7);

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Fails only when a provider is installed already, which then is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            commands::tell(&format!("error: could not start: {error}"));
            return ExitCode::from(3);
        }
    };
    let code = runtime.block_on(run(cli));
    // Nothing that is left (a name lookup, say) may keep a finished run from ending.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn run(cli: Cli) -> u8 {
    let environment = Environment::from_process();
    let masks = ui::masks(&environment, cli.command.prints_json());
    let environment = environment.hiding(masks);
    #[cfg(feature = "demo")]
    let serves = matches!(cli.command, Command::Emulator(_) | Command::Demo(_));
    #[cfg(not(feature = "demo"))]
    let serves = false;
    // These change nothing, or say themselves what they did: there is nothing to undo and nothing to report.
    let only_looks = matches!(
        cli.command,
        Command::Plan(_)
            | Command::Bench(_)
            | Command::Bootstrap(_)
            | Command::Doctor(_)
            | Command::Schema(_)
    );
    let interrupted = async {
        signal::stopped().await;
        // These end by themselves, after their child processes.
        if serves {
            std::future::pending::<()>().await;
        }
        commands::tell("interrupted: ending");
        if !only_looks {
            // A second signal ends at once.
            let _ = tokio::time::timeout(LAST_WORDS, signal::next()).await;
        }
    };
    tokio::select! {
        result = commands::dispatch(cli, environment.clone()) => {
            result.unwrap_or_else(|error| fail(&environment, &error))
        }
        () = interrupted => INTERRUPTED,
    }
}

fn fail(environment: &Environment, error: &Error) -> u8 {
    if environment.in_actions() {
        commands::run::annotate(environment, error);
    } else {
        commands::tell(&format!(
            "{} {}",
            console::style("error:").red().bold().for_stderr(),
            // Mistakes of a configuration begin with the word themselves, as compilers' do.
            error.message.strip_prefix("error: ").unwrap_or(&error.message)
        ));
    }
    error.blame.exit_code()
}
