//! Parse, dispatch, exit code.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use llm_deploy::{
    cli::{Cli, Command},
    commands::{self, Error, INTERRUPTED},
    environment::Environment,
    secrets::Masks,
    signal, ui,
};

/// Time for an interrupted command to drop what it holds.
const LETTING_GO: Duration = Duration::from_millis(200);
/// As a process's first thread has it.
const STACK: usize = 8 << 20;
/// The exit code of a Rust program that panicked.
const PANICKED: u8 = 101;
/// Time to cancel builds and to tell of the interruption in the report and on GitHub. GitHub's runner sends SIGINT,
/// after 7.5 s SIGTERM, and kills 2.5 s later.
const LAST_WORDS: Duration = Duration::from_secs(7);

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Fails only when a provider is installed already, which then is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            commands::tell(&Masks::default(), &format!("error: could not start: {error}"));
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
        commands::tell(environment.masks(), "interrupted: ending");
        if !only_looks {
            // A second signal ends at once.
            let _ = tokio::time::timeout(LAST_WORDS, signal::next()).await;
        }
    };
    // A task of another thread: no step of it, however long, delays the signals.
    let mut command = tokio::spawn(commands::dispatch(cli, environment.clone()));
    tokio::select! {
        ended = &mut command => match ended {
            Ok(Ok(code)) => code,
            Ok(Err(error)) => fail(&environment, &error),
            // The panic was printed.
            Err(_) => PANICKED,
        },
        () = interrupted => {
            command.abort();
            // What it holds is let go, unless it is in the middle of a long step.
            let _ = tokio::time::timeout(LETTING_GO, command).await;
            INTERRUPTED
        }
    }
}

fn fail(environment: &Environment, error: &Error) -> u8 {
    if environment.in_actions() {
        commands::run::annotate(environment, error);
    } else {
        commands::tell(
            environment.masks(),
            &format!(
                "{} {}",
                console::style("error:").red().bold().for_stderr(),
                // Mistakes of a configuration begin with the word themselves, as compilers' do.
                error.message.strip_prefix("error: ").unwrap_or(&error.message)
            ),
        );
    }
    error.blame.exit_code()
}
