//! `bench cold-start`: how long a service takes from no instance to the first token.

use std::{fmt::Write as _, time::Duration};

use chrono::Utc;
use comfy_table::{CellAlignment, Table, presets};

use crate::{
    cli::ColdStartArgs,
    commands::{self, Error, event, setup},
    config::{Config, Model},
    environment::Environment,
    file,
    pipeline::{
        cold_start::{
            self, Wanted,
            result::{ColdStart, Median, Round, Stage},
        },
        failed::Blame,
        survey,
    },
    plan::target::Target,
    report::escape,
    signal,
    units::human_duration,
};

/// How long Cloud Run keeps an idle GPU instance, which is paid for.
const KEPT: Duration = Duration::from_secs(600);

pub async fn run(args: &ColdStartArgs, environment: Environment) -> Result<u8, Error> {
    if let Some(path) = &args.json {
        file::check(path).map_err(Error::input)?;
    }
    let config = setup::config(&args.common, &environment).await?;
    let model = chosen(&config, args.service.as_deref())?;
    let context = event::place(&environment);
    let target = match args.pull_request {
        Some(number) => Target::preview(
            &config,
            model,
            &context.repository,
            &context.sha,
            number,
            Utc::now(),
        ),
        None => Target::production(&config, model, &context.repository, &context.sha),
    };
    let masks = environment.masks().clone();
    let progress = crate::ui::progress(&environment, false);
    let services = setup::services(&args.common, environment, progress).await?;
    setup::tell(&services);
    let target = match args.pull_request {
        Some(_) => survey::find(&services, target).await.map_err(Error::from)?.0,
        None => target,
    };
    let wanted = Wanted {
        rounds: args.rounds,
        wait: args.wait,
        timeout: args.timeout,
    };
    let measured = signal::unless_stopped(cold_start::measure(&services, &target, wanted)).await;
    let Some(measured) = measured else {
        return Ok(130);
    };
    let result = measured.map_err(Error::from)?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&result).map_err(|e| Error::service(e.to_string()))?;
        file::write(path, &masks.redact_document(&(text + "\n"))).map_err(Error::service)?;
    }
    commands::print_page(&masks, &page(&result));
    let failed = result.rounds.iter().any(|round| round.error.is_some());
    Ok(if failed { Blame::Deployment.exit_code() } else { 0 })
}

/// The only model, or the one that is named.
fn chosen<'a>(config: &'a Config, service: Option<&str>) -> Result<&'a Model, Error> {
    let names = || {
        config
            .models
            .iter()
            .map(|m| m.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (service, config.models.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Error::input(format!(
            "the configuration has several models: choose one with `--service` ({})",
            names()
        ))),
        (Some(name), models) => models.iter().find(|m| m.name == name).ok_or_else(|| {
            Error::input(format!(
                "no model of the configuration has the service name `{name}`: {}",
                names()
            ))
        }),
    }
}

/// The result for a terminal.
fn page(result: &ColdStart) -> String {
    let mut out = format!(
        "Cold start of {} (revision {}, {})\n\n",
        result.service, result.revision, result.model
    );
    let _ = writeln!(out, "{}", table(result));
    for (number, round) in (1..).zip(&result.rounds) {
        let _ = writeln!(out, "round {number}: {}", round.evidence);
        for said in round.error.iter().chain(&round.notes) {
            let _ = writeln!(out, "  {}", escape::line(said));
        }
    }
    out.push_str(&price(result));
    out
}

/// One row a stage, one column a round.
fn table(result: &ColdStart) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let rounds = (1..=result.rounds.len()).map(|n| format!("round {n}"));
    let head = ["".to_owned(), "median".to_owned()].into_iter().chain(rounds);
    table.set_header(head);
    let median = result.median.as_ref();
    let mut row = |name: &str, middle: Option<f64>, of: &dyn Fn(&Round) -> Option<f64>| {
        let figures = result.rounds.iter().map(of);
        let cells = std::iter::once(middle).chain(figures).map(said);
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    };
    row("TCP connection", None, &|r| r.connect_ms);
    for kind in kinds(result) {
        let find = |stages: &[Stage]| {
            let same = stages
                .iter()
                .find(|s| (s.name, s.since) == (kind.name, kind.since));
            same.map(|s| s.ms)
        };
        let name = format!("  {} (since {})", kind.name.title(), kind.since.title());
        row(&name, median.and_then(|m| find(&m.stages)), &|r| find(&r.stages));
    }
    let of = |figure: fn(&Median) -> f64| median.map(figure);
    row("answer's headers", of(|m| m.first_byte_ms), &|r| r.first_byte_ms);
    row("first token", of(|m| m.first_token_ms), &|r| r.first_token_ms);
    row("end", of(|m| m.end_ms), &|r| r.end_ms);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Every stage that some round has, in order.
fn kinds(result: &ColdStart) -> Vec<&Stage> {
    let mut kinds: Vec<&Stage> = Vec::new();
    for stage in result.rounds.iter().flat_map(|r| &r.stages) {
        if kinds
            .iter()
            .all(|k| (k.name, k.since) != (stage.name, stage.since))
        {
            kinds.push(stage);
        }
    }
    kinds.sort_by_key(|k| (k.name, k.since));
    kinds
}

fn said(ms: Option<f64>) -> String {
    ms.map_or_else(
        || "–".to_owned(),
        |ms| human_duration(Duration::from_secs_f64(ms.max(0.0) / 1000.0)),
    )
}

fn price(result: &ColdStart) -> String {
    let Some(hourly) = result.hourly_cost_usd else {
        return "Each round runs a GPU instance until Cloud Run takes it away, about ten minutes after its last request.\n"
            .to_owned();
    };
    let busy = result.median.as_ref().map_or(0.0, |m| m.end_ms / 1000.0);
    let round = hourly * (busy + KEPT.as_secs_f64()) / 3600.0;
    format!(
        "Each round costs about ${round:.2}: the start, and about ten minutes for which Cloud Run keeps the idle instance (${hourly:.2}/h, list price).\n"
    )
}
