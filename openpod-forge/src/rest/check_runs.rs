//! Check runs: `POST …/check-runs`, `GET`, `PATCH …/check-runs/{id}`, `GET …/commits/{ref}/check-runs`

use std::collections::HashSet;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use super::shape;
use crate::auth::Caller;
use crate::store::{App, CheckRun, Output, Pull};

const STATUSES: [&str; 6] = ["queued", "in_progress", "completed", "waiting", "requested", "pending"];
const CONCLUSIONS: [&str; 7] =
    ["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"];

/// What may be said about a run, when it is made and later.
#[derive(Deserialize)]
struct Report {
    name: Option<String>,
    head_sha: Option<String>,
    external_id: Option<String>,
    details_url: Option<String>,
    status: Option<String>,
    conclusion: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    output: Option<ReportedOutput>,
}

#[derive(Deserialize)]
struct ReportedOutput {
    title: Option<String>,
    summary: Option<String>,
    text: Option<String>,
}

/// `POST /repos/{owner}/{repo}/check-runs`
pub(super) fn create(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let report: Report = call.json()?;
    let name = report.name.clone().ok_or_else(|| ApiError::not_supplied("name"))?;
    let head = report.head_sha.clone().ok_or_else(|| ApiError::not_supplied("head_sha"))?;
    let head = call.commit(&bare, &head)?;
    let mut run = CheckRun {
        id: 0,
        repository_id: repository.id,
        app_id: own_app(call)?.id,
        head_sha: head.to_string(),
        name,
        external_id: None,
        details_url: None,
        status: "queued".to_owned(),
        conclusion: None,
        started_at: call.now,
        completed_at: None,
        output: Output::default(),
    };
    apply(&mut run, report, call.now)?;
    run.id = call.forge.inner().store.write(|tx| Ok::<_, ApiError>(run.insert(tx)?))?;
    Ok(Answer::created(print(call, &run)?))
}

/// `PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}`
pub(super) fn update(call: &Call) -> Result<Answer, ApiError> {
    let (repository, id) = (call.repository()?, call.number(0)?);
    let report: Report = call.json()?;
    let app = own_app(call)?.id;
    let run = call.forge.inner().store.write(|tx| {
        let mut run = CheckRun::by_id(tx, repository.id, id)?.ok_or_else(ApiError::not_found)?;
        if run.app_id != app {
            let text = format!(
                "Invalid app_id `{app}` - check run can only be modified by the GitHub App that created it."
            );
            return Err(ApiError::new(StatusCode::FORBIDDEN, text));
        }
        apply(&mut run, report, call.now)?;
        run.save(tx)?;
        Ok(run)
    })?;
    Ok(Answer::ok(print(call, &run)?))
}

/// `GET /repos/{owner}/{repo}/check-runs/{check_run_id}`
pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    let (repository, id) = (call.repository()?, call.number(0)?);
    let run = call.forge.inner().store.read(|tx| CheckRun::by_id(tx, repository.id, id))?;
    Ok(Answer::ok(print(call, &run.ok_or_else(ApiError::not_found)?)?))
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/check-runs`
pub(super) fn list(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare) = (call.repository()?, call.bare()?);
    let head = call.commit(&bare, call.segment(0))?;
    let all = call.forge.inner().store.read(|tx| CheckRun::on_commit(tx, repository.id, head.as_str()))?;
    let app = call.query("app_id").and_then(|text| text.parse::<i64>().ok());
    let mut seen = HashSet::new();
    let latest_only = call.query("filter") != Some("all");
    let wanted = all.into_iter().filter(|run| {
        let latest = seen.insert((run.app_id, run.name.clone()));
        (latest || !latest_only)
            && call.query("check_name").is_none_or(|name| name == run.name)
            && call.query("status").is_none_or(|status| status == run.status)
            && app.is_none_or(|app| app == run.app_id)
    });
    let page = Page::of(call);
    let (runs, total) = page.cut(wanted.collect());
    let items: Result<Vec<Value>, ApiError> = runs.iter().map(|run| print(call, run)).collect();
    page.answer(call, json!({"total_count": total, "check_runs": items?}), total)
}

/// A conclusion completes a run, and a completed run has one.
fn apply(run: &mut CheckRun, report: Report, now: i64) -> Result<(), ApiError> {
    let known = |word: &Option<String>, words: &[&str], field| match word {
        Some(word) if !words.contains(&word.as_str()) => Err(ApiError::unprocessable(format!(
            "Invalid request.\n\nFor 'properties/{field}', {word} is not a member of {words:?}."
        ))),
        _ => Ok(()),
    };
    known(&report.status, &STATUSES, "status")?;
    known(&report.conclusion, &CONCLUSIONS, "conclusion")?;
    if report.output.as_ref().is_some_and(|output| output.summary.is_none()) {
        return Err(ApiError::not_supplied("summary"));
    }
    let concludes = report.conclusion.is_some() || report.completed_at.is_some();
    let status = report.status.unwrap_or_else(|| run.status.clone());
    run.status = if concludes { "completed".to_owned() } else { status };
    if run.status == "completed" {
        let conclusion = report.conclusion.or_else(|| run.conclusion.take());
        let missing = || ApiError::not_supplied("conclusion");
        run.conclusion = Some(conclusion.ok_or_else(missing)?);
        run.completed_at = report.completed_at.map(Timestamp::as_second).or(run.completed_at).or(Some(now));
    } else {
        run.conclusion = None;
        run.completed_at = None;
    }
    run.started_at = report.started_at.map_or(run.started_at, Timestamp::as_second);
    run.name = report.name.unwrap_or_else(|| std::mem::take(&mut run.name));
    run.external_id = report.external_id.or_else(|| run.external_id.take());
    run.details_url = report.details_url.or_else(|| run.details_url.take());
    if let Some(ReportedOutput { title, summary, text }) = report.output {
        let title = title.or_else(|| run.output.title.take());
        run.output = Output { title, summary, text };
    }
    Ok(())
}

/// Only Apps report check runs.
fn own_app(call: &Call) -> Result<&App, ApiError> {
    match &call.caller {
        Caller::Installation(access) => Ok(&access.app),
        _ => Err(ApiError::new(StatusCode::FORBIDDEN, "You must authenticate via a GitHub App.")),
    }
}

fn print(call: &Call, run: &CheckRun) -> Result<Value, ApiError> {
    let repository = call.repository()?;
    let (app, pulls) =
        call.forge.inner().store.read(|tx| {
            Ok((App::by_id(tx, run.app_id)?, Pull::with_head(tx, repository.id, &run.head_sha)?))
        })?;
    let app = app.ok_or_else(ApiError::not_found)?;
    Ok(shape::check_run(&call.forge, repository, &app, run, &pulls))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(status: &str, conclusion: Option<&str>) -> CheckRun {
        CheckRun {
            id: 1,
            repository_id: 1,
            app_id: 1,
            head_sha: String::new(),
            name: "test".into(),
            external_id: None,
            details_url: None,
            status: status.into(),
            conclusion: conclusion.map(str::to_owned),
            started_at: 0,
            completed_at: None,
            output: Output::default(),
        }
    }

    #[test]
    fn a_run_is_completed_exactly_when_it_has_a_conclusion() {
        let (queued, done) = (run("queued", None), run("completed", Some("success")));
        for (before, report, expected) in [
            (&queued, json!({}), Some(("queued", None))),
            (&queued, json!({"status": "in_progress"}), Some(("in_progress", None))),
            (&queued, json!({"conclusion": "failure"}), Some(("completed", Some("failure")))),
            (
                &queued,
                json!({"status": "queued", "conclusion": "success"}),
                Some(("completed", Some("success"))),
            ),
            (&queued, json!({"status": "completed"}), None),
            (&queued, json!({"status": "finished"}), None),
            (&queued, json!({"conclusion": "great"}), None),
            (&queued, json!({"output": {"title": "only"}}), None),
            (&done, json!({"name": "again"}), Some(("completed", Some("success")))),
            (&done, json!({"status": "in_progress"}), Some(("in_progress", None))),
        ] {
            let mut run = before.clone();
            let verdict = apply(&mut run, serde_json::from_value(report.clone()).unwrap(), 7);
            let found = verdict.is_ok().then_some((run.status.as_str(), run.conclusion.as_deref()));
            assert_eq!(found, expected, "{report}");
            if verdict.is_ok() {
                assert_eq!(run.completed_at.is_some(), run.conclusion.is_some(), "{report}");
            }
        }
    }
}
