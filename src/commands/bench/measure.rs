//! `bench`: measures an endpoint, shows what was found, and writes it down.

mod live;
mod settings;
mod target;
mod verdict;

use std::{
    io::{ErrorKind, Write},
    path::Path,
};

use live::Live;
use target::Target;

use crate::{
    bench::{
        self,
        output::{json, raw, vllm},
        result::BenchResult,
        statistics,
    },
    cli::{MeasureArgs, OutputArgs},
    commands::{Error, config_file, print_page, tell},
    environment::Environment,
    file::{self, open::Named},
    report,
    secrets::Masks,
    ui,
};

pub async fn run(args: &MeasureArgs, environment: Environment) -> Result<u8, Error> {
    // Whatever can be wrong with files is found before an hour of measuring.
    let OutputArgs {
        json,
        vllm_json,
        html,
        raw,
    } = &args.output;
    for path in [json, vllm_json, html]
        .into_iter()
        .flatten()
        .filter(|path| !is_stdout(path))
    {
        file::check(path).map_err(Error::input)?;
    }
    let progress = ui::progress(&environment, args.output.to_stdout());
    let target = target::find(args, &environment, &progress).await?;
    let latency = settings::settle(args, target.latency.clone())?;
    let typed = config_file::reach(&environment);
    let named = match &args.target.config {
        Some(config) => config_file::reach_of_repository(&environment, config),
        None => config_file::reach_of_repository(&environment, config_file::DEFAULT),
    };
    let reach = |is_typed: bool| if is_typed { &typed } else { &named };
    let baseline = match &latency.baseline {
        Some(path) => Some(
            json::read(path, reach(args.verdict.baseline.is_some()))
                .await
                .map_err(Error::input)?,
        ),
        None => None,
    };
    let records = raw
        .as_deref()
        .map(|path| raw::Writer::create(path, environment.masks()))
        .transpose();
    let records = records.map_err(Error::input)?;

    let options = bench::Options {
        observer: records.as_ref().map(raw::Writer::observer),
        files: reach(args.input.dataset.is_some()).clone(),
        tokenizer: args.input.tokenizer.clone().map(|path| Named {
            path,
            reach: typed.clone(),
        }),
        most_in_flight: args.load.max_concurrency,
        sweep: settings::sweep(&args.load),
    };
    let Target { endpoint, model, .. } = &target;
    let live = Live::new(&environment, &progress, model);
    let mut result = bench::run(endpoint, model, &latency, &options, &|at| live.show(&at))
        .await
        .map_err(Error::input)?;
    // The spinner goes before the result comes.
    drop((live, progress));
    if let (Some(before), Some(path)) = (&baseline, &latency.baseline) {
        result.comparison = Some(statistics::compare(&path.display().to_string(), before, &result));
    }
    let written = hand_over(&args.output, environment.masks(), &result, records);
    let verdict = verdict::of(&result, args.verdict.fail_on_regression);
    if let Some(why) = &verdict.why {
        tell(environment.masks(), &format!("failed: {why}"));
    }
    written.map_err(Error::service)?;
    Ok(verdict.code)
}

/// Shows the result and writes every file, also when one of them fails: the first failure is told.
fn hand_over(
    to: &OutputArgs,
    masks: &Masks,
    result: &BenchResult,
    records: Option<raw::Writer>,
) -> Result<(), String> {
    if !to.to_stdout() {
        let width = usize::from(console::Term::stdout().size().1).clamp(60, 140);
        print_page(
            masks,
            &report::bench::terminal(result, width, console::colors_enabled()),
        );
    }
    let document = match &to.json {
        Some(path) => json::text(result)
            .map_err(|e| e.to_string())
            .and_then(|text| write(masks, path, &text)),
        None => Ok(()),
    };
    let fields = match (&to.vllm_json, vllm::text(result)) {
        (Some(path), Some(text)) => write(masks, path, &text),
        (Some(path), None) => Err(format!(
            "{} was not written: nothing was measured",
            path.display()
        )),
        (None, _) => Ok(()),
    };
    let page = match &to.html {
        Some(path) => report::bench::html(result)
            .map_err(|e| e.to_string())
            .and_then(|page| write(masks, path, &page)),
        None => Ok(()),
    };
    let records = records.map_or(Ok(()), raw::Writer::finish);
    document.and(fields).and(page).and(records)
}

fn write(masks: &Masks, path: &Path, text: &str) -> Result<(), String> {
    let text = &masks.redact_document(text);
    if is_stdout(path) {
        return hand_out(std::io::stdout().lock(), text);
    }
    file::write(path, text)
}

/// A reader that went away (`| head`) has what it wanted; with any other failure the result is lost.
fn hand_out(mut out: impl Write, text: &str) -> Result<(), String> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(format!("could not write the result to standard output: {e}"))
        }
        _ => Ok(()),
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_result_that_was_lost_is_told_and_a_reader_that_went_away_is_not() {
        let error = hand_out(Failing(ErrorKind::StorageFull), "{}").unwrap_err();
        assert!(error.contains("standard output"), "{error}");
        hand_out(Failing(ErrorKind::BrokenPipe), "{}").unwrap();
    }
}
