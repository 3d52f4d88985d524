//! The same text in every place that can hold text from outside. Each structure is taken apart whole, so that a new
//! field has to be thought of here.

use super::*;
use crate::bench::result::{Change, Level, ServerSide};

/// `report` with `text` wherever somebody else's words can stand: Hugging Face, Cloud Run, Cloud Build, the model, the
/// pull request, the configuration, a comment that somebody edited.
pub fn poison(report: &mut Report, text: &str) {
    let Report {
        schema_version: _,
        tool_version: _,
        status: _,
        kind: _,
        // GitHub allows letters, digits, dots, dashes and underscores.
        repository: _,
        // GitHub's event: hexadecimal.
        commit: _,
        pull_request,
        // GitHub's variables.
        run_url: _,
        started_at: _,
        duration: _,
        models,
        failure,
        notices,
        environment,
        memory,
    } = report;
    if let Some(PullRequestRef { number: _, title }) = pull_request {
        set(title, text);
    }
    for Fact { name, value } in environment {
        set(name, text);
        set(value, text);
    }
    notices.push(text.to_owned());
    failure.iter_mut().for_each(|f| of_failure(f, text));
    models.iter_mut().for_each(|m| of_model(m, text));
    for record in memory.records.iter_mut().chain(&mut memory.last_good) {
        of_record(record, text);
    }
}

fn set(place: &mut String, text: &str) {
    text.clone_into(place);
}

fn of_model(model: &mut ModelReport, text: &str) {
    let ModelReport {
        service,
        model: id,
        model_revision,
        status: _,
        url,
        private: _,
        api_key: _,
        image,
        revision,
        changes,
        warnings,
        stages,
        checks,
        cold_start: _,
        latency,
        latency_seed: _,
        comparison,
        failure,
        links,
        hourly_cost_usd: _,
        idle_cost_usd: _,
        expires_at: _,
        differences,
        trend: _,
        requests,
    } = model;
    for place in [service, id] {
        set(place, text);
    }
    for place in [model_revision, image, revision] {
        *place = Some(text.to_owned());
    }
    *url = Some(format!("https://x-ez.a.run.app/{text}"));
    for list in [changes, warnings] {
        list.push(text.to_owned());
    }
    for Stage {
        name,
        status: _,
        started_at: _,
        duration: _,
        detail,
    } in stages
    {
        set(name, text);
        set(detail, text);
    }
    for CheckOutcome {
        name,
        passed: _,
        duration: _,
        detail,
        sent,
        received,
        hint,
    } in checks
    {
        set(name, text);
        set(detail, text);
        for place in [sent, received, hint] {
            *place = Some(text.to_owned());
        }
    }
    latency.iter_mut().for_each(|l| of_level(l, text));
    if let Some(Comparison {
        baseline,
        changes,
        notes,
    }) = comparison
    {
        set(baseline, text);
        notes.push(text.to_owned());
        // Numbers only, which a type keeps to.
        let _: &[Change] = changes;
    }
    failure.iter_mut().for_each(|f| of_failure(f, text));
    for Link { label, url } in links {
        set(label, text);
        // Of a service's answer we link whatever is https, so that it is the end which is to be looked at.
        *url = format!("https://x-ez.a.run.app/{text}");
    }
    for Difference {
        what,
        production,
        preview,
    } in differences.iter_mut().flatten()
    {
        for place in [what, production, preview] {
            set(place, text);
        }
    }
    for request in requests {
        request.error = Some(text.to_owned());
    }
}

/// The rest of a level is numbers.
fn of_level(level: &mut Level, text: &str) {
    level.errors = 2;
    level.errors_by_kind.insert(text.to_owned(), 2);
    level.error_samples.push(text.to_owned());
    level.notes.push(text.to_owned());
    if let Some(ServerSide { notes, .. }) = &mut level.server {
        notes.push(text.to_owned());
    }
    level
        .objectives
        .iter_mut()
        .for_each(|o| set(&mut o.written, text));
}

fn of_failure(failure: &mut Failure, text: &str) {
    let Failure {
        stage,
        title,
        cause,
        fix,
        said,
        log,
        settings,
        place,
    } = failure;
    for place in [stage, title, cause] {
        set(place, text);
    }
    for place in [fix, said] {
        *place = Some(text.to_owned());
    }
    for list in [log, settings] {
        list.push(text.to_owned());
    }
    *place = Some(Place {
        file: text.to_owned(),
        line: 3,
    });
}

fn of_record(record: &mut Record, text: &str) {
    let Record {
        at: _,
        commit,
        status: _,
        service,
        model,
        model_revision,
        url,
        revision,
        ttft_ms: _,
        itl_ms: _,
        e2e_ms: _,
        tokens_per_second: _,
        objectives_met: _,
        stage,
        cause,
        run_url,
        deployed: _,
    } = record;
    for place in [commit, service, model] {
        set(place, text);
    }
    for place in [model_revision, url, revision, stage, cause, run_url] {
        *place = Some(text.to_owned());
    }
}
