//! One thin file per command: gathers its inputs, calls the pipeline, hands the report over.

mod admission;
pub mod bench;
pub mod bootstrap;
pub mod build;
pub mod cleanup;
mod comment;
pub mod config_file;
#[cfg(feature = "demo")]
pub mod demo;
pub mod deploy;
pub mod doctor;
#[cfg(feature = "demo")]
pub mod emulator;
pub mod event;
pub mod plan;
pub mod run;
pub mod setup;
pub mod smoke;

use crate::{
    cli::{Cli, Command, SchemaOf},
    environment::Environment,
    explain::Facts,
    pipeline::failed::{Blame, Failed},
    secrets::Masks,
};

/// Why a command ended without a report: printed by `main`, with an annotation in Actions.
#[derive(Debug)]
pub struct Error {
    pub blame: Blame,
    pub message: String,
    /// Where to put the annotation: file and line.
    pub location: Option<(String, usize)>,
}

impl Error {
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            blame: Blame::Input,
            message: message.into(),
            location: None,
        }
    }

    pub fn service(message: impl Into<String>) -> Self {
        Self {
            blame: Blame::Service,
            message: message.into(),
            location: None,
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let Failed { blame, failure, .. } = failed.explained(&Facts::default());
        let said = failure.said.map(|said| format!("\n{said}")).unwrap_or_default();
        let fix = failure.fix.map(|fix| format!("\n{fix}")).unwrap_or_default();
        Self {
            blame,
            message: format!("{}: {}{said}{fix}", failure.title, failure.cause),
            location: failure.place.map(|place| (place.file, place.line)),
        }
    }
}

/// What came of every model; when some failed, all of their reasons in one error.
pub fn all<T>(results: Vec<Result<T, Failed>>) -> Result<Vec<T>, Error> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => done.push(value),
            Err(why) => failed.push(Error::from(why)),
        }
    }
    let Some(blame) = failed.iter().map(|error| error.blame).max() else {
        return Ok(done);
    };
    let location = failed.iter().find_map(|error| error.location.clone());
    let messages: Vec<String> = failed.into_iter().map(|error| error.message).collect();
    Err(Error {
        blame,
        message: messages.join("\n"),
        location,
    })
}

/// Runs a command; the exit code follows from what came of it.
pub async fn dispatch(cli: Cli, environment: Environment) -> Result<u8, Error> {
    if cli.command.asks_services() {
        for line in environment.asked_elsewhere() {
            tell(environment.masks(), &format!("note: {line}"));
        }
    }
    if cli.command.acts_on_checkout() {
        event::refuse_strangers(&environment).await?;
    }
    match cli.command {
        Command::Run(common) => run::run(&common, environment).await,
        Command::Plan(common) => plan::run(&common, environment).await,
        Command::Build(common) => build::run(&common, environment).await,
        Command::Deploy(args) => deploy::run(&args, environment).await,
        Command::Smoke(common) => smoke::run(&common, environment).await,
        Command::Bench(args) => bench::run(*args, environment).await,
        Command::Cleanup(args) => cleanup::run(&args, environment).await,
        Command::Bootstrap(args) => bootstrap::run(&args, environment).await,
        Command::Doctor(common) => doctor::run(&common, environment).await,
        Command::Schema(args) => {
            let schema = match args.of {
                SchemaOf::Config => crate::config::json_schema(),
                SchemaOf::Bench => crate::bench::output::json::schema(),
                SchemaOf::ColdStart => crate::pipeline::cold_start::result::schema(),
            };
            let schema = serde_json::to_string_pretty(&schema).map_err(|e| Error::service(e.to_string()))?;
            print(environment.masks(), &schema);
            Ok(0)
        }
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args, &environment).await,
        #[cfg(feature = "demo")]
        Command::Emulator(args) => emulator::run(args).await,
    }
}

/// A page for people. In Actions the runner reads it too: no word of a title or a setting may be its command.
fn print_page(masks: &Masks, text: &str) {
    print(masks, &crate::github::actions::disarm_page(text));
}

/// Exit code as a shell reports a process that SIGINT ended.
pub const INTERRUPTED: u8 = 130;

/// Writes a line to standard error; a reader that went away (`| tee`, on Ctrl-C) is no error.
pub fn tell(masks: &Masks, text: &str) {
    use std::io::Write;
    // Before the stream is locked: masking a secret holds the masks and then wants the stream.
    let text = masks.redact(text);
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// As [`print`], for JSON.
pub fn print_json(masks: &Masks, text: &str) {
    print(&Masks::default(), masks.redact_document(text).trim_end());
}

/// Writes to standard output; a reader that went away (`| head`) is no error.
pub fn print(masks: &Masks, text: &str) {
    use std::io::Write;
    let text = masks.redact(text);
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Sender, channel},
        time::Duration,
    };

    use super::*;

    /// What writes a line, and what takes its stream.
    type Writer = (fn(&Masks), fn());

    /// Masks whose log is written to `stream`, after it was said that masking has begun.
    fn slow_masks(begun: Sender<()>, stream: fn()) -> Masks {
        Masks::new(move |_| {
            begun.send(()).unwrap();
            // The other thread gets to where it could hold the stream.
            std::thread::sleep(Duration::from_millis(100));
            stream();
        })
    }

    #[test]
    fn a_line_that_is_written_while_a_secret_is_masked_waits_for_no_one_that_waits_for_it() {
        let writers: [Writer; 2] = [
            (|masks| tell(masks, ""), || drop(std::io::stderr().lock())),
            (|masks| print(masks, ""), || drop(std::io::stdout().lock())),
        ];
        for (write, stream) in writers {
            let (begun, has_begun) = channel();
            let (done, ended) = channel();
            let masks = slow_masks(begun, stream);
            let (adding, writing) = (masks.clone(), masks);
            let both = done.clone();
            std::thread::spawn(move || {
                adding.add(&"a-secret-0123456789".to_owned().into());
                both.send(()).unwrap();
            });
            has_begun.recv().unwrap();
            std::thread::spawn(move || {
                write(&writing);
                done.send(()).unwrap();
            });
            for _ in 0..2 {
                ended.recv_timeout(Duration::from_secs(30)).unwrap();
            }
        }
    }
}
